//! `admin_actions`: every use and every refusal of an admin command, from Telegram or the CLI. Rows are added, never changed.

use std::fmt;
use std::str::FromStr;

use shared_core::{BotId, IdError, MemberId, Nonce, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement};

/// Who gave the order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// In Telegram: `m5`.
    Member(MemberId),
    /// A user of the machine: `cli:root`.
    Cli(String),
}

/// What the order came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// `b7`.
    Bot(BotId),
    /// `cli`.
    Cli,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminVerdict {
    /// Taken; the result is a row of its own.
    Allowed,
    /// Not his to order.
    Refused,
    /// Confirmed too late.
    Expired,
    /// The confirmation was not made by this pool for him.
    Forged,
    /// The confirmation had been used.
    Repeated,
    /// Taken, and it could not be done.
    Failed,
    Done,
}

impl AdminVerdict {
    const ALL: [Self; 7] = [
        Self::Allowed,
        Self::Refused,
        Self::Expired,
        Self::Forged,
        Self::Repeated,
        Self::Failed,
        Self::Done,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }
}

impl FromStr for AdminVerdict {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == text);
        known.ok_or(IdError::Malformed {
            what: "AdminVerdict",
            expected: "a verdict on an order that this program knows",
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => write!(f, "{member}"),
            Self::Cli(user) => write!(f, "cli:{user}"),
        }
    }
}

impl FromStr for Who {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.strip_prefix("cli:") {
            Some(user) => Ok(Self::Cli(user.to_owned())),
            None => text.parse().map(Self::Member),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bot(bot) => write!(f, "{bot}"),
            Self::Cli => f.write_str("cli"),
        }
    }
}

impl FromStr for Via {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "cli" => Ok(Self::Cli),
            bot => bot.parse().map(Self::Bot),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AdminAction {
    pub id: Nonce,
    pub pool: PoolId,
    pub at: UnixMs,
    pub who: Who,
    pub via: Via,
    /// The command's name.
    pub action: String,
    pub verdict: AdminVerdict,
    pub details: serde_json::Value,
}

#[derive(Clone, Copy)]
pub struct AdminActions<'a>(pub(super) &'a Db);

impl AdminActions<'_> {
    /// Adds it; the same id again changes nothing.
    pub async fn add(&self, action: &AdminAction) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO admin_actions (id, pool, at, who, via, action, verdict, details) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(action.id.to_string())
        .bind(action.pool.as_str())
        .bind(action.at.0)
        .bind(action.who.to_string())
        .bind(action.via.to_string())
        .bind(&action.action)
        .bind(action.verdict.as_str())
        .bind(action.details.to_string())
        .execute(self.0.pool());
        self.0
            .bounded("storing an order of", &action.who, query)
            .await?;
        Ok(())
    }

    /// The latest first.
    pub async fn list(&self, pool: &PoolId, limit: u32) -> Result<Vec<AdminAction>, StoreError> {
        self.0
            .latest(
                "listing the admin actions of pool",
                "SELECT id, pool, at, who, via, action, verdict, details \
                    FROM admin_actions WHERE pool = $1 ORDER BY at DESC, id LIMIT $2",
                pool.as_str(),
                limit,
                read,
            )
            .await
    }
}

fn read(row: &AnyRow) -> Result<AdminAction, sqlx::Error> {
    Ok(AdminAction {
        id: row.id("id")?,
        pool: row.name("pool")?,
        at: row.time("at")?,
        who: row.id("who")?,
        via: row.id("via")?,
        action: row.text("action")?,
        verdict: row.id("verdict")?,
        details: row.json("details")?,
    })
}
