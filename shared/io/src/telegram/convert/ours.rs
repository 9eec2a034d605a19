//! Which accounts are the pool's: the bot of this line, and the others.

use std::collections::HashSet;

use shared_core::BotId;

pub(in crate::telegram) struct Ours {
    me: BotId,
    own_bots: HashSet<BotId>,
}

impl Ours {
    /// `own_bots` may name this bot or not.
    pub(in crate::telegram) fn new(me: BotId, own_bots: HashSet<BotId>) -> Self {
        Self { me, own_bots }
    }

    pub(in crate::telegram) fn me(&self) -> BotId {
        self.me
    }

    pub(in crate::telegram) fn has(&self, user: i64) -> bool {
        user == self.me.0 || self.own_bots.contains(&BotId(user))
    }

    pub(in crate::telegram) fn all(&self) -> impl Iterator<Item = BotId> {
        self.own_bots.iter().copied().chain([self.me])
    }
}
