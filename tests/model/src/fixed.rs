//! What is the same in all histories: names, texts, the catalog, the policy. Made once a thread.

use std::rc::Rc;

use bot_worker_core::{Catalog, Texts};
use shared_core::{BotId, ChannelId, MemberId, PoolId, WorkerId};
use supervisor_core::Policy;

pub const GROUP: ChannelId = ChannelId(500);
pub const STORAGE: ChannelId = ChannelId(600);
pub const BOTS: [BotId; 3] = [BotId(101), BotId(102), BotId(103)];
pub const WORKERS: usize = 3;
pub const MEMBERS: usize = 4;

/// Supervisors' hosts come after the workers'.
pub const SUPERVISORS: usize = 2;

pub fn member(number: usize) -> MemberId {
    MemberId(1 + i64::try_from(number).unwrap_or(0))
}

pub fn bot_index(bot: BotId) -> usize {
    BOTS.iter().position(|known| *known == bot).unwrap_or(0)
}

pub struct Fixed {
    pub pool: PoolId,
    pub texts: Texts,
    pub catalog: Catalog,
    pub usernames: Vec<String>,
    pub workers: Vec<WorkerId>,
    pub policy: Policy,
}

impl Fixed {
    /// # Errors
    /// When the names or the texts that come with the product are none.
    pub fn new() -> Result<Rc<Self>, String> {
        let name = |number: usize| WorkerId::new(format!("w{number}"));
        let workers: Result<Vec<_>, _> = (0..WORKERS).map(name).collect();
        Ok(Rc::new(Self {
            pool: PoolId::new("p").map_err(|error| error.to_string())?,
            texts: Texts::english().map_err(|error| error.to_string())?,
            catalog: Catalog {
                categories: vec!["Art".into(), "Music".into()],
                tags: vec!["free".into()],
                max_files: 3,
                max_file_bytes: 1 << 20,
                storage: STORAGE,
                broadcast: None,
                remind_after: None,
                told_of_courses: Vec::new(),
            },
            usernames: BOTS.iter().map(|bot| format!("bot{}", bot.0)).collect(),
            workers: workers.map_err(|error| error.to_string())?,
            policy: Policy::default(),
        }))
    }
}
