//! What public sources do not settle about Telegram, drawn from the seed: the product has to be right either way.
//!
//! Drawn apart from everything else, so that a seed's moments and members do not depend on it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::{Value, json};

use crate::fault::FaultKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatesTo {
    NewestLogin,
    AllLogins,
}

/// What a revocation does to the sessions that are logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveSessions {
    Killed,
    LiveOn,
}

/// Who is known to have used a `random_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomIdScope {
    Account,
    Login,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Doubts {
    pub updates_to: UpdatesTo,
    pub random_id_scope: RandomIdScope,
    /// How long it is known: a day, or not even as long as the longest silence lasts.
    pub random_id_memory_s: u64,
    pub difference_replays_presses: bool,
    pub bots_see_bots: bool,
    /// Of the run's own revocations; `killed` where there is none.
    pub revoke_live_sessions: LiveSessions,
}

const APART: u64 = 0x00d0_0b75;
const LIVE_ON: f64 = 0.25;
const LONG_MEMORY_S: u64 = 24 * 3_600;
const SHORT_MEMORY_S: u64 = 60;

impl Doubts {
    /// As the simulator has them when nobody says otherwise.
    pub fn usual() -> Self {
        Self {
            updates_to: UpdatesTo::NewestLogin,
            random_id_scope: RandomIdScope::Account,
            random_id_memory_s: LONG_MEMORY_S,
            difference_replays_presses: false,
            bots_see_bots: false,
            revoke_live_sessions: LiveSessions::Killed,
        }
    }

    /// A token that is revoked twice would not be struck by the second time if its sessions lived on: there they are killed.
    pub fn draw(seed: u64, first: FaultKind, then: Option<FaultKind>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ APART.rotate_left(32));
        let all_logins = rng.random_bool(0.5);
        let difference_replays_presses = rng.random_bool(0.5);
        let bots_see_bots = rng.random_bool(0.5);
        let lives_on = rng.random_bool(LIVE_ON);
        let by_login = rng.random_bool(0.5);
        let short_memory = rng.random_bool(0.5);
        let revocations = std::iter::once(first).chain(then);
        let once = revocations
            .filter(|kind| *kind == FaultKind::Revoke)
            .count()
            == 1;
        Self {
            updates_to: if all_logins {
                UpdatesTo::AllLogins
            } else {
                UpdatesTo::NewestLogin
            },
            random_id_scope: if by_login {
                RandomIdScope::Login
            } else {
                RandomIdScope::Account
            },
            random_id_memory_s: if short_memory {
                SHORT_MEMORY_S
            } else {
                LONG_MEMORY_S
            },
            difference_replays_presses,
            bots_see_bots,
            revoke_live_sessions: if lives_on && once {
                LiveSessions::LiveOn
            } else {
                LiveSessions::Killed
            },
        }
    }

    /// As the simulator takes them.
    pub fn settings(&self) -> Value {
        json!({
            "updates_to": self.updates_to,
            "random_id_scope": self.random_id_scope,
            "random_id_memory_s": self.random_id_memory_s,
            "difference_replays_presses": self.difference_replays_presses,
            "bots_see_bots": self.bots_see_bots,
        })
    }

    pub fn words(&self) -> String {
        let (to, sessions) = match (self.updates_to, self.revoke_live_sessions) {
            (UpdatesTo::NewestLogin, sessions) => ("the newest login", sessions),
            (UpdatesTo::AllLogins, sessions) => ("all logins", sessions),
        };
        let presses = if self.difference_replays_presses {
            "replay presses"
        } else {
            "replay no presses"
        };
        let bots = if self.bots_see_bots {
            "bots see bots"
        } else {
            "bots see no bots"
        };
        let revoked = match sessions {
            LiveSessions::Killed => "",
            LiveSessions::LiveOn => ", a revoked token's sessions live on",
        };
        let ids = match self.random_id_scope {
            RandomIdScope::Account => "account",
            RandomIdScope::Login => "login",
        };
        let memory_s = self.random_id_memory_s;
        format!(
            "updates go to {to}, random ids are known per {ids} for {memory_s} s, differences {presses}, {bots}{revoked}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seeds_have_each_value_of_each_doubt() {
        let all: Vec<Doubts> = (1..=10)
            .map(|seed| Doubts::draw(seed, FaultKind::Revoke, None))
            .collect();
        let both = |of: fn(&Doubts) -> bool| {
            let count = all.iter().filter(|one| of(one)).count();
            (1..all.len()).contains(&count)
        };
        assert!(both(|one| one.updates_to == UpdatesTo::AllLogins));
        assert!(both(|one| one.random_id_scope == RandomIdScope::Login));
        assert!(both(|one| one.random_id_memory_s == SHORT_MEMORY_S));
        assert!(both(|one| one.difference_replays_presses));
        assert!(both(|one| one.bots_see_bots));
        assert!(
            both(|one| one.revoke_live_sessions == LiveSessions::LiveOn),
            "{all:?}"
        );
    }

    #[test]
    fn a_second_revocation_kills() {
        for seed in 1..=50 {
            let twice = Doubts::draw(seed, FaultKind::Revoke, Some(FaultKind::Revoke));
            let never = Doubts::draw(seed, FaultKind::KillRedis, None);
            for one in [twice, never] {
                assert_eq!(one.revoke_live_sessions, LiveSessions::Killed);
            }
        }
    }
}
