//! Auth keys, logins and tokens: which key speaks for whom, what a revoked token or a deleted bot does to them.
//!
//! A bot logs in with its token; a member is logged in by the control API, without a phone number and codes. A key is fresh, logged in, or dead. A 401 leaves a key that can log in again (it is only not authorised any more); any other
//! death is for good.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;

use super::channel::Channel;
use super::error::RpcError;
use super::event::Event;
use super::ids::UserId;
use super::settings::LiveSessions;
use super::{KeyState, Now, World};

#[derive(Clone, Debug)]
enum Key {
    Fresh,
    LoggedIn(UserId),
    Dead {
        error: RpcError,
        was: Option<UserId>,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Keys {
    by_id: BTreeMap<i64, Key>,
    of_account: BTreeMap<UserId, BTreeSet<i64>>,
}

impl Keys {
    fn set(&mut self, id: i64, key: Key) -> Option<UserId> {
        let before = self.account(id);
        if let Some(account) = before
            && let Some(keys) = self.of_account.get_mut(&account)
        {
            keys.remove(&id);
        }
        if let Key::LoggedIn(account) = key {
            self.of_account.entry(account).or_default().insert(id);
        }
        self.by_id.insert(id, key);
        before
    }

    fn account(&self, id: i64) -> Option<UserId> {
        match self.by_id.get(&id) {
            Some(Key::LoggedIn(account)) => Some(*account),
            Some(Key::Fresh | Key::Dead { .. }) | None => None,
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Accounts with at least one login.
    pub fn logged_in(&self) -> impl Iterator<Item = UserId> {
        self.of_account
            .iter()
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(account, _)| *account)
    }
}

/// Where a token's owner stands with it.
enum Token {
    Valid(UserId),
    Expired(UserId),
    Unknown,
}

impl World {
    pub fn account_of_key(&self, auth_key_id: i64) -> KeyState {
        match self.keys.by_id.get(&auth_key_id) {
            None => KeyState::Unknown,
            Some(Key::Fresh) => KeyState::Fresh,
            Some(Key::LoggedIn(account)) if self.is_deleted(*account) => {
                KeyState::Dead(deactivated())
            }
            Some(Key::LoggedIn(account)) => KeyState::Account(*account),
            Some(Key::Dead { error, .. }) => KeyState::Dead(error.clone()),
        }
    }

    /// A key that the control API hands out. Known keys stay as they are.
    pub fn register_key(&mut self, auth_key_id: i64) {
        self.keys.by_id.entry(auth_key_id).or_insert(Key::Fresh);
    }

    /// E.g. 406 `AUTH_KEY_DUPLICATED`, which the wire side judges.
    pub fn kill_key(&mut self, auth_key_id: i64, why: RpcError) {
        let account = self.owner_of_key(auth_key_id);
        let dead = Key::Dead {
            error: why.clone(),
            was: account,
        };
        self.keys.set(auth_key_id, dead);
        self.record(Event::KeyKilled {
            auth_key_id,
            account,
            error: why,
        });
    }

    /// Who speaks, or spoke, with this key: a dead one's too, for logs and for faults aimed at an account.
    pub fn owner_of_key(&self, auth_key_id: i64) -> Option<UserId> {
        match self.keys.by_id.get(&auth_key_id)? {
            Key::Fresh => None,
            Key::LoggedIn(account) => Some(*account),
            Key::Dead { was, .. } => *was,
        }
    }

    /// True when an update for this account can reach anybody.
    pub(crate) fn has_listener(&self, account: UserId) -> bool {
        self.keys
            .of_account
            .get(&account)
            .is_some_and(|keys| !keys.is_empty())
            && !self.is_deleted(account)
    }

    /// A member on one more device: the control API binds a fresh key to the person. From here on the box remembers its changes.
    pub fn log_in_member(&mut self, auth_key_id: i64, member: UserId) -> Result<(), RpcError> {
        self.check_person(member)?;
        self.account_mut(member)?.log.keep();
        self.keys.set(auth_key_id, Key::LoggedIn(member));
        self.record(Event::LoggedIn {
            account: member,
            auth_key_id,
        });
        Ok(())
    }

    /// People (not bots) in a channel who are logged in somewhere.
    pub(crate) fn listening_people(&self, place: &Channel) -> Vec<UserId> {
        let there = |user: &UserId| !self.is_bot(*user) && place.has(*user);
        self.keys.logged_in().filter(there).collect()
    }

    /// `auth.importBotAuthorization`.
    pub(crate) fn log_in(
        &mut self,
        auth_key_id: i64,
        token: &str,
        now: Now,
    ) -> Result<UserId, RpcError> {
        let (account, verdict) = match self.judge_token(token) {
            Token::Valid(account) if self.is_deleted(account) => {
                (Some(account), Err(deactivated()))
            }
            Token::Valid(account) => (Some(account), self.take_login(auth_key_id, account, now)),
            Token::Expired(account) => (
                Some(account),
                Err(RpcError::bad_request("ACCESS_TOKEN_EXPIRED")),
            ),
            Token::Unknown => (None, Err(RpcError::bad_request("ACCESS_TOKEN_INVALID"))),
        };
        match (account, verdict) {
            (Some(account), Ok(())) => {
                self.keys.set(auth_key_id, Key::LoggedIn(account));
                self.record(Event::LoggedIn {
                    account,
                    auth_key_id,
                });
                Ok(account)
            }
            (account, verdict) => {
                let error = verdict
                    .err()
                    .unwrap_or_else(|| RpcError::bad_request("ACCESS_TOKEN_INVALID"));
                self.record(Event::LoginRefused {
                    account,
                    error: error.message.clone(),
                });
                Err(error)
            }
        }
    }

    pub(crate) fn log_out(&mut self, auth_key_id: i64) {
        if let Some(account) = self.keys.set(auth_key_id, Key::Fresh) {
            self.record(Event::LoggedOut {
                account,
                auth_key_id,
            });
        }
    }

    /// A dead key may log in again only if it merely lost its authorisation.
    pub(crate) fn check_can_log_in(&self, auth_key_id: i64) -> Result<(), RpcError> {
        match self.keys.by_id.get(&auth_key_id) {
            Some(Key::Fresh | Key::LoggedIn(_)) => Ok(()),
            Some(Key::Dead { error, .. })
                if error.code == 401 && error.message != "AUTH_KEY_INVALID" =>
            {
                Ok(())
            }
            Some(Key::Dead { error, .. }) => Err(error.clone()),
            None => Err(RpcError::unauthorized("AUTH_KEY_UNREGISTERED")),
        }
    }

    /// The token expires; returns the one that replaces it. `sessions` overrides the doubt.
    pub fn revoke(
        &mut self,
        bot: UserId,
        sessions: Option<LiveSessions>,
    ) -> Result<String, RpcError> {
        let secret = self.draw_secret();
        let data = self.bot_mut(bot)?;
        let old = std::mem::replace(&mut data.secret, secret.clone());
        data.expired.push(old);
        let sessions =
            sessions.unwrap_or_else(|| self.settings.doubts.revoke_live_sessions.clone());
        let sessions_killed = matches!(sessions, LiveSessions::Killed(_));
        if let LiveSessions::Killed(error) = sessions {
            let keys = self.keys.of_account.get(&bot).cloned().unwrap_or_default();
            for key in keys {
                self.kill_key(key, error.clone());
            }
        }
        self.record(Event::Revoked {
            bot,
            sessions_killed,
        });
        Ok(token(bot, &secret))
    }

    /// The token that is good at this moment.
    pub fn token_of(&self, bot: UserId) -> Result<String, RpcError> {
        Ok(token(bot, &self.bot(bot)?.secret))
    }

    /// Every call and every login is `USER_DEACTIVATED` until it is undeleted.
    pub fn delete_bot(&mut self, bot: UserId) -> Result<(), RpcError> {
        self.set_deleted(bot, true)
    }

    pub fn undelete_bot(&mut self, bot: UserId) -> Result<(), RpcError> {
        self.set_deleted(bot, false)
    }

    pub(crate) fn draw_secret(&mut self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        let tail: String = (0..33)
            .map(|_| char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())]))
            .collect();
        format!("AA{tail}")
    }

    fn set_deleted(&mut self, bot: UserId, deleted: bool) -> Result<(), RpcError> {
        self.bot_mut(bot)?.deleted = deleted;
        self.record(Event::BotDeleted { bot, deleted });
        Ok(())
    }

    fn is_deleted(&self, account: UserId) -> bool {
        self.account(account)
            .ok()
            .and_then(|account| account.bot.as_ref())
            .is_some_and(|bot| bot.deleted)
    }

    fn judge_token(&self, token: &str) -> Token {
        let Some((account, secret)) = split_token(token) else {
            return Token::Unknown;
        };
        let Some(bot) = self
            .account(account)
            .ok()
            .and_then(|account| account.bot.as_ref())
        else {
            return Token::Unknown;
        };
        if bot.secret == secret {
            Token::Valid(account)
        } else if bot.expired.iter().any(|expired| expired == secret) {
            Token::Expired(account)
        } else {
            Token::Unknown
        }
    }

    /// Logins from keys that are not logged in to this account count against its flood limit.
    fn take_login(&mut self, auth_key_id: i64, account: UserId, now: Now) -> Result<(), RpcError> {
        if self.keys.account(auth_key_id) == Some(account) {
            return Ok(());
        }
        let flood = self.settings.login_flood;
        let wait_s = self
            .rng
            .random_range(flood.wait_min_s..=flood.wait_max_s.max(flood.wait_min_s));
        let bot = self.bot_mut(account)?;
        if bot.login_wait_until > now.mono_ms {
            return Err(RpcError::flood_wait(bot.login_wait_until - now.mono_ms));
        }
        while bot
            .logins
            .front()
            .is_some_and(|at| at + flood.window_ms <= now.mono_ms)
        {
            bot.logins.pop_front();
        }
        if bot.logins.len() >= flood.logins as usize {
            bot.login_wait_until = now.mono_ms + wait_s * 1_000;
            return Err(RpcError::flood_wait(wait_s * 1_000));
        }
        bot.logins.push_back(now.mono_ms);
        Ok(())
    }
}

pub(crate) fn token(bot: UserId, secret: &str) -> String {
    format!("{}:{secret}", bot.0)
}

pub(crate) fn split_token(token: &str) -> Option<(UserId, &str)> {
    let (id, secret) = token.split_once(':')?;
    Some((UserId(id.parse().ok()?), secret))
}

fn deactivated() -> RpcError {
    RpcError::unauthorized("USER_DEACTIVATED")
}
