//! A bot's login: the stored one, or one that is made and sealed into SQL before it is used.
//!
//! Invariant: a key is in SQL before anything is done with it, so a kill cannot leave a login that nobody has. A login that Telegram
//! calls dead is marked as lost, and the next session logs in with the token; never on the path of a switch.

use shared_core::{AuthKey, ErrorClass};
use shared_io::clock;
use shared_io::secrets::SealContext;
use shared_io::sql::{LoginRow, LoginState};
use shared_io::telegram::{CallError, DcAddress, Identity, Line, LineParams, LineTimeouts};
use tracing::warn;

use crate::context::BotContext;

/// Connects with the stored login, or makes one.
pub async fn connect(context: &BotContext) -> Result<Line, CallError> {
    let stored = load_login(context).await?;
    let known = stored.is_some();
    let connected = match open_line(context, stored).await {
        Ok(line) => identify(context, line, known).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &connected
        && known
        && matches!(error.class, ErrorClass::SessionDead(_))
    {
        forget(context).await;
    }
    let (line, identity) = connected?;
    context.status.identity(&identity.username);
    remember_name(context, &identity.username).await;
    let reach = context.state.reach(context.lease.bot).await.unwrap_or(0);
    context.status.reach(reach);
    Ok(line)
}

async fn open_line(
    context: &BotContext,
    stored: Option<(AuthKey, Option<DcAddress>)>,
) -> Result<Line, CallError> {
    let config = &context.shared.config;
    let configured = config.telegram.dc.map(|dc| DcAddress {
        id: dc.id,
        addr: dc.addr,
    });
    let (key, home) = match stored {
        Some((key, home)) => (Some(key), home.or(configured)),
        None => (context.bot.preset_keys.first().cloned(), configured),
    };
    Line::connect(LineParams {
        dc: home,
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

/// Asks a known login who it is; makes one of a new key.
async fn identify(
    context: &BotContext,
    line: Line,
    known: bool,
) -> Result<(Line, Identity), CallError> {
    if known {
        let identity = line.identity().await?;
        return Ok((line, identity));
    }
    save_login(context, &line).await;
    let identity = line.log_in(context.token()).await?;
    // A login can move to another data centre and get another key there.
    save_login(context, &line).await;
    Ok((line, identity))
}

/// The next session logs in again, with the token.
pub async fn forget(context: &BotContext) {
    let (bot, slot) = (context.lease.bot, context.lease.slot);
    let logins = context.shared.store.logins();
    if let Err(error) = logins
        .set_state(&context.pool, bot, slot, LoginState::Lost)
        .await
    {
        warn!(%bot, %error, "a dead login could not be marked as lost");
    }
}

async fn remember_name(context: &BotContext, username: &str) {
    let bots = context.shared.store.bots();
    if let Err(error) = bots
        .set_username(&context.pool, context.lease.bot, username)
        .await
    {
        warn!(bot = %context.lease.bot, %error, "the bot's name could not be stored");
    }
}

/// A login that is stored and good, as far as is known, and where its data centre is. One that is there and cannot be read is an
/// error: logging in anew would overwrite it and is limited by Telegram.
async fn load_login(
    context: &BotContext,
) -> Result<Option<(AuthKey, Option<DcAddress>)>, CallError> {
    let (bot, slot) = (context.lease.bot, context.lease.slot);
    let logins = context.shared.store.logins();
    let login = match logins.get(&context.pool, bot, slot).await {
        Ok(login) => login.filter(|login| login.state != LoginState::Lost),
        Err(error) => {
            warn!(%bot, %error, "the stored login could not be read");
            return Err(CallError::not_made("login", "LOGIN_NOT_READ"));
        }
    };
    let Some(login) = login else { return Ok(None) };
    match open_login(context, &login) {
        Ok(key) => {
            let home = login.dc_addr.map(|addr| DcAddress {
                id: login.dc_id,
                addr,
            });
            Ok(Some((key, home)))
        }
        Err(error) => {
            warn!(%bot, error, "the stored login could not be unsealed");
            Err(CallError::not_made("login", "LOGIN_NOT_UNSEALED"))
        }
    }
}

/// What a sealed login is bound to, so that one bot's cannot be put in another's place.
fn login_label(context: &BotContext) -> SealContext {
    SealContext::login(&context.pool, context.lease.bot, context.lease.slot)
}

pub fn open_login(context: &BotContext, login: &LoginRow) -> Result<AuthKey, String> {
    let key = context
        .shared
        .sealer
        .open(&login.sealed_key, &login_label(context))
        .map_err(|error| error.to_string())?;
    AuthKey::from_slice(&key).ok_or_else(|| "the sealed login has the wrong length".to_owned())
}

async fn save_login(context: &BotContext, line: &Line) {
    let (Some(key), Some(home)) = (line.auth_key(), line.home()) else {
        return;
    };
    let shared = &context.shared;
    let sealed = match shared.sealer.seal(&key.expose(), &login_label(context)) {
        Ok(sealed) => sealed,
        Err(error) => {
            return warn!(bot = %context.lease.bot, %error, "the login could not be sealed");
        }
    };
    let row = LoginRow {
        pool: context.pool.clone(),
        bot: context.lease.bot,
        slot: context.lease.slot,
        sealed_key: sealed,
        dc_id: home.id,
        dc_addr: Some(home.addr),
        made: clock::unix_now(),
        state: LoginState::Live,
    };
    if let Err(error) = shared.store.logins().put(&row).await {
        warn!(bot = %row.bot, %error, "the login could not be stored; the next start logs in again");
    }
}
