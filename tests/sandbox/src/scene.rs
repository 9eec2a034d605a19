//! The community in the simulator: three bots, a supergroup, a storage channel, a broadcast channel, members.
//!
//! The bots are administrators from the start, as the configuration's rights want it: a bot cannot join by itself.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::control::{Control, ControlError, NewBot};
use crate::course::Intention;
use crate::doubts::Doubts;
use crate::member::{Member, Place};

/// Rights that each bot has, by the channel's role; the configuration asks for the same ones.
pub const GROUP_RIGHTS: [&str; 1] = ["delete_messages"];
pub const CHANNEL_RIGHTS: [&str; 3] = ["post_messages", "edit_messages", "delete_messages"];

/// A member presses again after so long; the simulator's default is Telegram's patience, which is too much for a short run.
const PRESS_TIMEOUT_MS: u64 = 3_000;

const BOTS: [(&str, &str); 3] = [
    ("first", "understudy_first_bot"),
    ("second", "understudy_second_bot"),
    ("third", "understudy_third_bot"),
];

const NAMES: [&str; 20] = [
    "Ada", "Bela", "Cleo", "Dara", "Edo", "Fenna", "Gil", "Hana", "Ivo", "Jun", "Kaja", "Levi",
    "Mira", "Nino", "Olga", "Pau", "Rosa", "Sami", "Tove", "Vera",
];

#[derive(Debug, Clone)]
pub struct SceneBot {
    pub name: &'static str,
    pub id: i64,
    pub username: String,
    pub token: String,
    /// One for each login that it may make; never two logins with one key.
    pub auth_keys: Vec<String>,
}

/// Two logins, and one more for when both are gone.
const KEYS_PER_BOT: usize = 3;

#[derive(Debug, Clone)]
pub struct Scene {
    pub bots: Vec<SceneBot>,
    pub group: i64,
    pub storage: i64,
    pub broadcast: i64,
    pub members: Vec<Member>,
}

/// Who plays.
#[derive(Debug, Clone, Copy)]
pub struct Cast<'a> {
    /// Their names in the configuration, and for Telegram.
    pub bots: &'a [(&'static str, &'static str)],
    pub keys_per_bot: usize,
    pub members: usize,
    /// The first so many talk in the group.
    pub in_group: usize,
    /// The first so many submit.
    pub finishers: usize,
}

impl Scene {
    pub async fn make(
        control: &Control,
        members: usize,
        seed: u64,
        doubts: &Doubts,
    ) -> Result<Self, ControlError> {
        let mut settings = doubts.settings();
        settings["press_timeout_ms"] = PRESS_TIMEOUT_MS.into();
        control.set_doubts(settings).await?;
        let cast = Cast {
            bots: &BOTS,
            keys_per_bot: KEYS_PER_BOT,
            members,
            in_group: members_in_group(members),
            finishers: finishers(members),
        };
        Self::with(control, cast, seed).await
    }

    pub async fn with(control: &Control, cast: Cast<'_>, seed: u64) -> Result<Self, ControlError> {
        let members = cast.members;
        let mut bots = Vec::new();
        for (name, username) in cast.bots.iter().copied() {
            let NewBot {
                id,
                username,
                token,
            } = control.bot(name, username).await?;
            let mut auth_keys = Vec::with_capacity(cast.keys_per_bot);
            for _ in 0..cast.keys_per_bot {
                auth_keys.push(control.auth_key().await?);
            }
            bots.push(SceneBot {
                name,
                id,
                username,
                token,
                auth_keys,
            });
        }
        let mut people = Vec::new();
        for number in 1..=members {
            let name = format!("{}-{number}", NAMES[number % NAMES.len()]);
            people.push((number, control.member(&name).await?));
        }
        let ids: Vec<i64> = people.iter().map(|(_, member)| member.id).collect();
        let admins: Vec<i64> = bots.iter().map(|bot| bot.id).collect();
        let group = control
            .channel("Course makers", "supergroup", &ids, &admins, &GROUP_RIGHTS)
            .await?;
        let storage = control
            .channel("Course files", "broadcast", &[], &admins, &CHANNEL_RIGHTS)
            .await?;
        let broadcast = control
            .channel("Courses", "broadcast", &ids, &admins, &CHANNEL_RIGHTS)
            .await?;
        let first = bots.first().map_or(0, |bot| bot.id);
        let members = people
            .into_iter()
            .map(|(number, made)| {
                let place = if number <= cast.in_group {
                    Place::Group(group)
                } else {
                    Place::Private
                };
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (number as u64).rotate_left(40));
                let intention = Intention::draw(&mut rng, number <= cast.finishers);
                Member::new(number, made.id, made.first_name, place, first, intention)
            })
            .collect();
        Ok(Self {
            bots,
            group,
            storage,
            broadcast,
            members,
        })
    }

    pub fn username(&self, bot: i64) -> String {
        let known = self.bots.iter().find(|one| one.id == bot);
        known.map_or_else(|| format!("b{bot}"), |one| format!("@{}", one.username))
    }
}

/// A group takes 20 messages a minute from a bot and an upload needs about nine, so more than this would be most of the run.
fn members_in_group(members: usize) -> usize {
    (1 + members / 75).min(4)
}

/// Files go into one channel and submissions are posted in another, and each takes 20 messages a minute: so many as fit
/// into the time that the others need. The others end at the review card, which shows all of it but the files.
fn finishers(members: usize) -> usize {
    (4 + members / 10).min(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_members_talk_in_the_group() {
        let of = |members| members_in_group(members);
        assert_eq!([of(2), of(50), of(200), of(2_000)], [1, 1, 3, 4]);
    }
}
