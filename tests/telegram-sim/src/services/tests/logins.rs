//! Tokens, keys and sessions: what is valid, what is dead, and for how long.

use grammers_tl_types as tl;
use tl::functions::{auth, help, updates, users};

use crate::world::testing::*;
use crate::world::{KeyState, LiveSessions, LoginFlood, RpcError};

#[test]
fn a_token_is_valid_expired_or_unknown() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let old = s.token(bot);
    let key = s.key();
    assert_eq!(
        s.login(key, "12:nonsense").unwrap_err(),
        "ACCESS_TOKEN_INVALID"
    );
    assert_eq!(
        s.login(key, &format!("{}:wrong", bot.0)).unwrap_err(),
        "ACCESS_TOKEN_INVALID"
    );
    let fresh = s.world.revoke(bot, None).unwrap();
    assert_eq!(s.login(key, &old).unwrap_err(), "ACCESS_TOKEN_EXPIRED");
    assert_eq!(s.login(key, &fresh), Ok(()));
    assert_eq!(s.world.account_of_key(key), KeyState::Account(bot));
}

#[test]
fn an_api_id_must_be_positive() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let (key, bot_auth_token) = (s.key(), s.token(bot));
    let request = auth::ImportBotAuthorization {
        flags: 0,
        api_id: 0,
        api_hash: String::new(),
        bot_auth_token,
    };
    assert_eq!(
        s.call_with_key(key, &request).unwrap_err(),
        "API_ID_INVALID"
    );
}

#[test]
fn a_revoked_token_kills_its_sessions_or_lets_them_live() {
    let mut s = scene();
    let (killed, living) = (s.bot("killed_bot"), s.bot("living_bot"));
    let fresh = s.world.revoke(killed, None).unwrap();
    s.world.revoke(living, Some(LiveSessions::LiveOn)).unwrap();
    assert_eq!(
        s.call(killed, &updates::GetState {}).unwrap_err(),
        "SESSION_REVOKED"
    );
    assert!(s.call(living, &updates::GetState {}).is_ok());
    let key = s.key_of(killed);
    assert_eq!(s.login(key, &fresh), Ok(()));
    assert!(s.call(killed, &updates::GetState {}).is_ok());
}

#[test]
fn a_duplicated_key_is_dead_for_good() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let (key, token) = (s.key_of(bot), s.token(bot));
    s.world
        .kill_key(key, RpcError::not_acceptable("AUTH_KEY_DUPLICATED"));
    assert_eq!(
        s.call(bot, &updates::GetState {}).unwrap_err(),
        "AUTH_KEY_DUPLICATED"
    );
    assert_eq!(s.login(key, &token).unwrap_err(), "AUTH_KEY_DUPLICATED");
}

#[test]
fn a_deleted_bot_is_deactivated_until_it_returns_with_its_backlog() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let pts = s.pts(bot);
    s.world.delete_bot(bot).unwrap();
    assert_eq!(
        s.call(bot, &updates::GetState {}).unwrap_err(),
        "USER_DEACTIVATED"
    );
    let (key, token) = (s.key(), s.token(bot));
    assert_eq!(s.login(key, &token).unwrap_err(), "USER_DEACTIVATED");
    s.start(member, bot);
    assert!(s.pushed().is_empty());
    s.world.undelete_bot(bot).unwrap();
    assert_eq!(s.pts(bot), pts + 1);
}

#[test]
fn a_fresh_key_can_only_ask_for_the_configuration() {
    let mut s = scene();
    let key = s.key();
    assert!(s.call_with_key(key, &help::GetConfig {}).is_ok());
    let request = users::GetUsers { id: Vec::new() };
    assert_eq!(
        s.call_with_key(key, &request).unwrap_err(),
        "AUTH_KEY_UNREGISTERED"
    );
    assert_eq!(
        s.call_with_key(99, &help::GetConfig {}).unwrap_err(),
        "AUTH_KEY_UNREGISTERED"
    );
}

#[test]
fn logging_out_frees_the_key() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let key = s.key_of(bot);
    s.call(bot, &auth::LogOut {}).unwrap();
    assert_eq!(s.world.account_of_key(key), KeyState::Fresh);
    assert_eq!(
        s.call(bot, &auth::LogOut {}).unwrap_err(),
        "AUTH_KEY_UNREGISTERED"
    );
}

#[test]
fn too_many_logins_from_new_keys_must_wait_long_but_known_keys_need_none() {
    let mut s = scene_with(|settings| {
        settings.login_flood = LoginFlood {
            logins: 3,
            window_ms: 3_600_000,
            wait_min_s: 1_057,
            wait_max_s: 1_057,
        };
    });
    let bot = s.bot("a_bot");
    let token = s.token(bot);
    for _ in 0..2 {
        let key = s.key();
        s.login(key, &token).unwrap();
    }
    let key = s.key();
    assert_eq!(s.login(key, &token).unwrap_err(), "FLOOD_WAIT_1057");
    s.pass(57_000);
    assert_eq!(s.login(key, &token).unwrap_err(), "FLOOD_WAIT_1000");
    let known = s.key_of(bot);
    assert_eq!(s.login(known, &token), Ok(()));
    s.pass(3_600_000);
    assert_eq!(s.login(key, &token), Ok(()));
}
