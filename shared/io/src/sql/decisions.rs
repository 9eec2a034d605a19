//! `decisions`: what the supervisor decided to do, and why. Deciding to do nothing is not recorded.

use shared_core::{Nonce, PoolId, UnixMs};
use sqlx::any::AnyRow;

use super::StoreError;
use super::db::{Columns, Db, statement, to_json};

#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub id: Nonce,
    pub pool: PoolId,
    pub at: UnixMs,
    /// The plan as its crate writes it.
    pub plan: serde_json::Value,
    /// Each a sentence for a person.
    pub reasons: Vec<String>,
}

#[derive(Clone, Copy)]
pub struct Decisions<'a>(pub(super) &'a Db);

impl Decisions<'_> {
    /// Adds it; the same id again changes nothing.
    pub async fn add(&self, decision: &Decision) -> Result<(), StoreError> {
        let store = async {
            statement(
                "INSERT INTO decisions (id, pool, at, plan, reasons) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(decision.id.to_string())
            .bind(decision.pool.as_str())
            .bind(decision.at.0)
            .bind(decision.plan.to_string())
            .bind(to_json(&decision.reasons)?)
            .execute(self.0.pool())
            .await
        };
        self.0
            .bounded("storing a decision for pool", &decision.pool, store)
            .await?;
        Ok(())
    }

    /// The latest first.
    pub async fn list(&self, pool: &PoolId, limit: u32) -> Result<Vec<Decision>, StoreError> {
        self.0
            .latest(
                "listing the decisions of pool",
                "SELECT id, pool, at, plan, reasons \
                    FROM decisions WHERE pool = $1 ORDER BY at DESC, id LIMIT $2",
                pool.as_str(),
                limit,
                read,
            )
            .await
    }
}

fn read(row: &AnyRow) -> Result<Decision, sqlx::Error> {
    Ok(Decision {
        id: row.id("id")?,
        pool: row.name("pool")?,
        at: row.time("at")?,
        plan: row.json("plan")?,
        reasons: row.json("reasons")?,
    })
}
