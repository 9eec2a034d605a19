//! Making a login. Limited by Telegram, five round trips and more: never on the path of a switch.
//!
//! ```text
//! budget ─▶ key (given, or by a key exchange) ─▶ sealed in SQL, as lost ─▶ counted ─▶ logged in with the token ─▶ live or resting
//! ```
//! A kill between any two leaves a sealed key that nobody uses, and at most one attempt counted.

use std::time::Duration;

use shared_core::{LoginSlot, UnixMs};
use shared_io::clock;
use shared_io::secrets::SealContext;
use shared_io::sql::{EventKind, LoginAttempt, LoginOutcome, LoginRow, LoginState};
use shared_io::telegram::{CallError, Identity, Line};
use tracing::{info, warn};

use super::{budget, good, is_about_the_key, keys, note, open_line, open_login, row};
use crate::context::BotContext;
use crate::guard::Tenancy;

/// How long a connection that has served its purpose may take to close.
const CLOSE: Duration = Duration::from_millis(500);
/// Attempts are remembered for a week; the budget looks at a day.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// The assigned login, because it is not there or is lost; on the very first start the other one before it.
pub async fn assigned(
    context: &BotContext,
    tenancy: Tenancy,
    rows: &[LoginRow],
) -> Result<(Line, Identity), CallError> {
    let slot = context.lease.slot;
    let mut rows = rows.to_vec();
    if rows.is_empty() && can_have_two(context) {
        match resting(context, tenancy, &rows, slot.other()).await {
            Ok(made) => rows.push(made),
            // The key that was to rest is spoilt; the one that is to work may be good.
            Err(error) if is_about_the_key(&error) => {
                warn!(bot = %context.lease.bot, %error, "the resting login could not be made");
            }
            Err(error) => return Err(error),
        }
    }
    let (line, identity, _) = make(context, tenancy, &rows, slot, LoginState::Live).await?;
    Ok((line, identity))
}

/// Each login needs a key of its own; a configuration that hands out a single one gets a single login.
pub fn can_have_two(context: &BotContext) -> bool {
    context.bot.preset_keys.len() != 1
}

/// A login that is closed once it is made.
pub async fn resting(
    context: &BotContext,
    tenancy: Tenancy,
    rows: &[LoginRow],
    slot: LoginSlot,
) -> Result<LoginRow, CallError> {
    let (line, _, made) = make(context, tenancy, rows, slot, LoginState::Resting).await?;
    let closed = line.closed();
    line.close();
    if tokio::time::timeout(CLOSE, closed).await.is_err() {
        warn!(bot = %context.lease.bot, "the resting login's connection took too long to close");
    }
    context.status.other_login(shared_core::OtherLogin::Resting);
    Ok(made)
}

async fn make(
    context: &BotContext,
    tenancy: Tenancy,
    rows: &[LoginRow],
    slot: LoginSlot,
    state: LoginState,
) -> Result<(Line, Identity, LoginRow), CallError> {
    budget::check(context).await?;
    let bot = context.lease.bot;
    let before = row(rows, slot);
    debug_assert!(good(rows, slot).is_none(), "a good login is not replaced");
    let unsealed = |slot| row(rows, slot).and_then(|row| open_login(context, row).ok());
    let (own, other) = (unsealed(slot), unsealed(slot.other()));
    let preset = &context.bot.preset_keys;
    let key = keys::next(preset, own.as_ref(), other.as_ref());
    if key.is_none() && !preset.is_empty() {
        warn!(%bot, %slot, "every preset key is in use; a login needs one of its own");
        return Err(CallError::not_made("login", "NO_PRESET_KEY_LEFT"));
    }
    let line = open_line(context, key, None).await?;
    still_ours(context, tenancy)?;
    seal(context, &line, slot, LoginState::Lost).await?;
    count(context, slot, LoginOutcome::Made, None)
        .await
        .map_err(|()| CallError::not_made("login", "LOGIN_NOT_COUNTED"))?;
    still_ours(context, tenancy)?;
    let logged_in = match state {
        LoginState::Live => line.log_in(context.token()).await,
        LoginState::Resting | LoginState::Lost => line.log_in_for_later(context.token()).await,
    };
    let identity = match logged_in {
        Ok(identity) => identity,
        Err(error) => {
            warn!(%bot, %slot, %error, "Telegram refuses a login");
            refused(context, slot, &error).await;
            return Err(error);
        }
    };
    // A login can have moved to another data centre and got another key there.
    let made = seal(context, &line, slot, state).await?;
    let kind = match before {
        None => EventKind::LoginMade,
        Some(_) => EventKind::LoginReplaced,
    };
    note(context, kind, slot);
    info!(%bot, %slot, state = state.as_str(), "logged in");
    Ok((line, identity, made))
}

/// Who lost the bot meanwhile, or slept, makes no login of it: another worker may be doing so.
fn still_ours(context: &BotContext, tenancy: Tenancy) -> Result<(), CallError> {
    match context.cell.holds(tenancy) {
        true => Ok(()),
        false => Err(CallError::not_made("login", "LEASE_OVER")),
    }
}

async fn refused(context: &BotContext, slot: LoginSlot, error: &CallError) {
    let now = clock::unix_now();
    let wait = error.wait_s.map(|s| UnixMs(now.0 + i64::from(s) * 1000));
    if error.class.is_retryable() && wait.is_none() {
        // The line: Telegram has said nothing.
        return;
    }
    // When it is not stored, the attempt is; and Telegram says it again.
    let _ = count(context, slot, LoginOutcome::Refused, wait).await;
}

async fn count(
    context: &BotContext,
    slot: LoginSlot,
    outcome: LoginOutcome,
    not_before: Option<UnixMs>,
) -> Result<(), ()> {
    let attempt = LoginAttempt {
        id: clock::nonce(),
        pool: context.pool.clone(),
        bot: context.lease.bot,
        slot,
        at: clock::unix_now(),
        outcome,
        not_before,
    };
    let attempts = context.shared.store.login_attempts();
    attempts.add(&attempt).await.map_err(|error| {
        warn!(bot = %attempt.bot, %error, "a login attempt could not be stored");
    })?;
    let old = UnixMs(attempt.at.0 - KEPT_MS);
    if let Err(error) = attempts.prune(old).await {
        warn!(%error, "old login attempts could not be forgotten");
    }
    Ok(())
}

async fn seal(
    context: &BotContext,
    line: &Line,
    slot: LoginSlot,
    state: LoginState,
) -> Result<LoginRow, CallError> {
    let not_sealed = || CallError::not_made("login", "LOGIN_NOT_SEALED");
    let (Some(key), Some(home)) = (line.auth_key(), line.home()) else {
        return Err(not_sealed());
    };
    let (pool, bot) = (&context.pool, context.lease.bot);
    let label = SealContext::login(pool, bot, slot);
    let sealed = context.shared.sealer.seal(&key.expose(), &label);
    let sealed_key = sealed.map_err(|error| {
        warn!(%bot, %error, "a login could not be sealed");
        not_sealed()
    })?;
    let row = LoginRow {
        pool: pool.clone(),
        bot,
        slot,
        sealed_key,
        dc_id: home.id,
        dc_addr: Some(home.addr),
        made: clock::unix_now(),
        state,
    };
    context.shared.logins.put(&row).await.map_err(|error| {
        warn!(%bot, %slot, %error, "a login could not be stored");
        not_sealed()
    })?;
    Ok(row)
}
