//! `auth.*`: bots log in with their token. People and their codes are not simulated.

use grammers_tl_types as tl;
use tl::functions::auth;
use tl::{enums, types};

use crate::dispatch::Guest;
use crate::world::{RpcError, World};

pub(crate) fn import_bot_authorization(
    world: &mut World,
    guest: &mut Guest<'_>,
    request: auth::ImportBotAuthorization,
) -> Result<enums::auth::Authorization, RpcError> {
    if request.api_id <= 0 {
        return Err(RpcError::bad_request("API_ID_INVALID"));
    }
    let key = guest.caller.auth_key_id;
    world.check_can_log_in(key)?;
    let account = world.log_in(key, &request.bot_auth_token, guest.now)?;
    guest.caller.account = Some(account);
    Ok(types::auth::Authorization {
        setup_password_required: false,
        otherwise_relogin_days: None,
        tmp_sessions: None,
        future_auth_token: None,
        user: world.tl_user(account, account),
    }
    .into())
}

pub(crate) fn log_out(
    world: &mut World,
    guest: &mut Guest<'_>,
    _: auth::LogOut,
) -> Result<enums::auth::LoggedOut, RpcError> {
    if guest.caller.account.take().is_none() {
        return Err(RpcError::unauthorized("AUTH_KEY_UNREGISTERED"));
    }
    world.log_out(guest.caller.auth_key_id);
    Ok(types::auth::LoggedOut {
        future_auth_token: None,
    }
    .into())
}
