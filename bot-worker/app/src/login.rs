//! A bot's login: the stored one, or one that is made and sealed into SQL before it is used.
//!
//! Invariant: a key is in SQL before anything is done with it, so a kill cannot leave a login that nobody has. A login that Telegram
//! calls dead is marked as lost, and the next session logs in with the token; never on the path of a switch.

use shared_core::{AuthKey, ErrorClass};
use shared_io::clock;
use shared_io::secrets::SealContext;
use shared_io::sql::{LoginRow, LoginState};
use shared_io::telegram::{CallError, DcAddress, Line, LineParams, LineTimeouts};
use tracing::warn;

use crate::context::BotContext;

/// Connects with the stored login, or makes one.
pub async fn connect(context: &BotContext) -> Result<Line, CallError> {
    let shared = &context.shared;
    let stored = load_login(context).await;
    let known = stored.is_some();
    let configured = shared.config.telegram.dc.map(|dc| DcAddress {
        id: dc.id,
        addr: dc.addr,
    });
    let (key, home) = match stored {
        Some((key, home)) => (Some(key), home.or(configured)),
        None => (context.bot.preset_key.clone(), configured),
    };
    let line = Line::connect(LineParams {
        dc: home,
        api_id: shared.config.telegram.api_id,
        api_hash: shared.config.telegram.api_hash.clone(),
        key,
        timeouts: LineTimeouts {
            connect: shared.config.timing.connect_timeout,
            call: shared.config.timing.call_timeout,
        },
        updates_capacity: 10_000,
    })
    .await?;
    let identity = if known {
        match line.identity().await {
            Err(error) if matches!(error.class, ErrorClass::SessionDead(_)) => {
                forget_login(context).await;
                return Err(error);
            }
            identity => identity?,
        }
    } else {
        save_login(context, &line).await;
        let identity = line.log_in(context.token()).await?;
        // A login can move to another data centre and get another key there.
        save_login(context, &line).await;
        identity
    };
    context.status.identity(&identity.username);
    remember_name(context, &identity.username).await;
    let reach = context.state.reach(context.lease.bot).await.unwrap_or(0);
    context.status.reach(reach);
    Ok(line)
}

/// The next session logs in again, with the token.
async fn forget_login(context: &BotContext) {
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

/// A login that is stored and good, as far as is known, and where its data centre is.
async fn load_login(context: &BotContext) -> Option<(AuthKey, Option<DcAddress>)> {
    let shared = &context.shared;
    let (bot, slot) = (context.lease.bot, context.lease.slot);
    let login = match shared.store.logins().get(&context.pool, bot, slot).await {
        Ok(login) => login.filter(|login| login.state != LoginState::Lost)?,
        Err(error) => {
            warn!(%bot, %error, "the stored login could not be read");
            return None;
        }
    };
    match open_login(context, &login) {
        Ok(key) => Some((
            key,
            login.dc_addr.map(|addr| DcAddress {
                id: login.dc_id,
                addr,
            }),
        )),
        Err(error) => {
            warn!(%bot, error, "the stored login could not be unsealed");
            None
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
