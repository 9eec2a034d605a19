//! A bot's two logins: connecting with the one that is assigned, and making what is missing.
//!
//! ```text
//! assigned login   the other one   what connecting does
//! stored, good     whatever        connects with it
//! none             none            makes the other one, closes its connection, and makes the assigned one: the newest login is the live one
//! none or lost     there           makes the assigned one
//! lost             none or lost    the same
//! ```
//! What is made here is made because nobody can be reached otherwise; the other login of a bot that is well is made beside its
//! session ([`upkeep`]). Invariants: a key is sealed in SQL before it is logged in, and stands there as lost until it is, so that a kill at any point
//! leaves at most an unused key; Telegram is asked for logins within [`budget`] only; at most one of the two is ever connected by this process.

mod budget;
mod kept;
mod keys;
mod make;
pub mod upkeep;
mod vault;

use shared_core::{AuthKey, ErrorClass, LoginSlot, OtherLogin};
use shared_io::secrets::SealContext;
use shared_io::sql::{EventKind, LoginRow, LoginState};
use shared_io::telegram::{CallError, DcAddress, Identity, Line, LineParams, LineTimeouts};
use tracing::warn;

use crate::context::BotContext;
use crate::guard::Tenancy;
use crate::recorder;

pub use kept::Kept;
pub use vault::Vault;

/// Connects with the assigned login, or makes it.
pub async fn connect(context: &BotContext, tenancy: Tenancy) -> Result<Line, CallError> {
    let rows = stored(context).await?;
    let (line, identity) = match good(&rows, context.lease.slot) {
        Some(row) => resume(context, row).await?,
        None => make::assigned(context, tenancy, &rows).await?,
    };
    context.status.identity(&identity.username);
    Ok(line)
}

/// Telegram does not take the assigned login any more. The next session makes another, unless the other one is assigned before.
pub async fn lose(context: &BotContext) {
    let (pool, bot, slot) = (&context.pool, context.lease.bot, context.lease.slot);
    let vault = &context.shared.logins;
    if vault.lose(pool, bot, slot).await {
        note(context, EventKind::LoginLost, slot);
    }
}

/// Keeps in SQL what is said of the bot itself; nothing waits for it.
pub fn remember_name(context: &BotContext) {
    let (store, pool) = (context.shared.store.clone(), context.pool.clone());
    let (bot, username) = (context.lease.bot, context.status.username());
    tokio::spawn(async move {
        if let Err(error) = store.bots().set_username(&pool, bot, &username).await {
            warn!(%bot, %error, "the bot's name could not be stored");
        }
    });
}

/// Is the assigned login in memory and can it be opened?
pub fn is_in_memory(context: &BotContext) -> bool {
    let rows = context
        .shared
        .logins
        .in_memory(&context.pool, context.lease.bot);
    good(&rows, context.lease.slot).is_some_and(|row| open_login(context, row).is_ok())
}

pub fn open_login(context: &BotContext, login: &LoginRow) -> Result<AuthKey, String> {
    let label = SealContext::login(&login.pool, login.bot, login.slot);
    let key = context
        .shared
        .sealer
        .open(&login.sealed_key, &label)
        .map_err(|error| error.to_string())?;
    AuthKey::from_slice(&key).ok_or_else(|| "the sealed login has the wrong length".to_owned())
}

/// The bot's rows, from SQL or from memory, and what they say of the other login.
async fn stored(context: &BotContext) -> Result<Vec<LoginRow>, CallError> {
    let (pool, bot) = (&context.pool, context.lease.bot);
    let rows = context.shared.logins.rows(pool, bot).await;
    let rows = rows.map_err(|error| {
        warn!(%bot, %error, "the stored logins could not be read");
        CallError::not_made("login", "LOGIN_NOT_READ")
    })?;
    context
        .status
        .other_login(other_login(&rows, context.lease.slot.other()));
    Ok(rows)
}

fn row(rows: &[LoginRow], slot: LoginSlot) -> Option<&LoginRow> {
    rows.iter().find(|row| row.slot == slot)
}

fn good(rows: &[LoginRow], slot: LoginSlot) -> Option<&LoginRow> {
    row(rows, slot).filter(|row| row.state != LoginState::Lost)
}

/// A row that still says live was its last user's, who has not got this bot any more.
fn other_login(rows: &[LoginRow], slot: LoginSlot) -> OtherLogin {
    match row(rows, slot).map(|row| row.state) {
        None => OtherLogin::Missing,
        Some(LoginState::Lost) => OtherLogin::Lost,
        Some(LoginState::Live | LoginState::Resting) => OtherLogin::Resting,
    }
}

/// A login that is there and cannot be opened is an error: logging in anew would overwrite it and is limited by Telegram.
async fn resume(context: &BotContext, login: &LoginRow) -> Result<(Line, Identity), CallError> {
    let key = open_login(context, login).map_err(|error| {
        warn!(bot = %login.bot, error, "the stored login could not be unsealed");
        CallError::not_made("login", "LOGIN_NOT_UNSEALED")
    })?;
    let home = login.dc_addr.map(|addr| DcAddress {
        id: login.dc_id,
        addr,
    });
    let line = open_line(context, Some(key), home).await?;
    let identity = line.identity().await?;
    Ok((line, identity))
}

async fn open_line(
    context: &BotContext,
    key: Option<AuthKey>,
    home: Option<DcAddress>,
) -> Result<Line, CallError> {
    let config = &context.shared.config;
    let configured = config.telegram.dc.map(|dc| DcAddress {
        id: dc.id,
        addr: dc.addr,
    });
    Line::connect(LineParams {
        dc: home.or(configured),
        api_id: config.telegram.api_id,
        api_hash: config.telegram.api_hash.clone(),
        key,
        timeouts: LineTimeouts {
            connect: config.timing.connect_timeout,
            call: config.timing.call_timeout,
        },
        updates_capacity: 10_000,
    })
    .await
}

/// Says it in SQL, for whoever looks later; nothing waits for it.
fn note(context: &BotContext, kind: EventKind, slot: LoginSlot) {
    let event = shared_io::sql::Event {
        id: shared_io::clock::nonce(),
        pool: Some(context.pool.clone()),
        at: shared_io::clock::unix_now(),
        kind,
        subject: context.lease.bot.to_string(),
        details: serde_json::json!({"slot": slot.as_str(), "worker": context.shared.worker.as_str()}),
    };
    recorder::tell(context, event);
}

/// Is it about the key rather than about the bot or its token?
fn is_about_the_key(error: &CallError) -> bool {
    matches!(error.class, ErrorClass::SessionDead(_))
}
