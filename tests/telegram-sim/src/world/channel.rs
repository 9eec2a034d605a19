//! Supergroups, broadcast channels and basic groups: members, administrators, and (but for basic groups, which live in each
//! member's own box) one sequence of messages with its own pts.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::api::{ChannelKind, Right, Rights};
use super::boxlog::BoxLog;
use super::ids::{ChannelId, MessageId, UserId};
use super::message::ChannelMessage;

#[derive(Debug)]
pub(crate) struct Channel {
    pub id: ChannelId,
    pub title: String,
    pub username: Option<String>,
    pub kind: ChannelKind,
    pub creator: UserId,
    pub date: i32,
    /// Everybody in it, with the date of joining; administrators and the creator too.
    pub members: BTreeMap<UserId, i32>,
    pub bots: BTreeSet<UserId>,
    pub admins: BTreeMap<UserId, Admin>,
    pub banned: HashSet<UserId>,
    pub log: BoxLog,
    messages: Vec<Option<ChannelMessage>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admin {
    pub rights: Rights,
    pub promoted_by: UserId,
    pub rank: Option<String>,
    pub date: i32,
}

/// What somebody is in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Creator,
    Admin(Admin),
    Member { since: i32 },
    Banned,
    Left,
}

impl Channel {
    pub fn new(
        id: ChannelId,
        title: String,
        kind: ChannelKind,
        creator: UserId,
        date: i32,
    ) -> Self {
        Self {
            id,
            title,
            username: None,
            kind,
            creator,
            date,
            members: BTreeMap::from([(creator, date)]),
            bots: BTreeSet::new(),
            admins: BTreeMap::new(),
            banned: HashSet::new(),
            log: BoxLog::new(),
            messages: Vec::new(),
        }
    }

    pub fn is_basic(&self) -> bool {
        self.kind == ChannelKind::BasicGroup
    }

    pub fn is_broadcast(&self) -> bool {
        self.kind == ChannelKind::Broadcast
    }

    pub fn has(&self, user: UserId) -> bool {
        self.members.contains_key(&user)
    }

    pub fn is_admin(&self, user: UserId) -> bool {
        self.creator == user || self.admins.contains_key(&user)
    }

    pub fn allows(&self, user: UserId, right: Right) -> bool {
        self.creator == user
            || self
                .admins
                .get(&user)
                .is_some_and(|admin| admin.rights.contains(&right))
    }

    pub fn standing(&self, user: UserId) -> Standing {
        if user == self.creator {
            return Standing::Creator;
        }
        if let Some(admin) = self.admins.get(&user) {
            return Standing::Admin(admin.clone());
        }
        match self.members.get(&user) {
            Some(since) => Standing::Member { since: *since },
            None if self.banned.contains(&user) => Standing::Banned,
            None => Standing::Left,
        }
    }

    /// True when `user` was promoted by `by`, or by somebody whom `by` promoted, and so on.
    pub fn in_promotion_chain(&self, by: UserId, user: UserId) -> bool {
        let mut at = user;
        // The chain is no longer than the list of administrators, unless it is a ring.
        for _ in 0..=self.admins.len() {
            match self.admins.get(&at) {
                Some(admin) if admin.promoted_by == by => return true,
                Some(admin) => at = admin.promoted_by,
                None => return false,
            }
        }
        false
    }

    pub fn store(&mut self, message: ChannelMessage) -> MessageId {
        self.messages.push(Some(message));
        // A channel of 2^31 messages does not fit into memory.
        MessageId(i32::try_from(self.messages.len()).unwrap_or(i32::MAX))
    }

    pub fn message(&self, id: MessageId) -> Option<&ChannelMessage> {
        self.messages.get(slot(id)?)?.as_ref()
    }

    pub fn message_mut(&mut self, id: MessageId) -> Option<&mut ChannelMessage> {
        self.messages.get_mut(slot(id)?)?.as_mut()
    }

    pub fn remove(&mut self, id: MessageId) -> Option<ChannelMessage> {
        self.messages.get_mut(slot(id)?)?.take()
    }

    /// All messages after `after`, oldest first.
    pub fn messages_after(
        &self,
        after: MessageId,
    ) -> impl Iterator<Item = (MessageId, &ChannelMessage)> {
        let start = usize::try_from(after.0)
            .unwrap_or(0)
            .min(self.messages.len());
        self.messages
            .iter()
            .enumerate()
            .skip(start)
            .filter_map(|(index, message)| {
                let id = MessageId(i32::try_from(index + 1).ok()?);
                Some((id, message.as_ref()?))
            })
    }

    /// The last one that is not deleted.
    pub fn newest(&self) -> Option<(MessageId, &ChannelMessage)> {
        let index = self.messages.iter().rposition(Option::is_some)?;
        let id = MessageId(i32::try_from(index + 1).ok()?);
        Some((id, self.message(id)?))
    }

    pub fn last_message_id(&self) -> MessageId {
        MessageId(i32::try_from(self.messages.len()).unwrap_or(i32::MAX))
    }
}

fn slot(id: MessageId) -> Option<usize> {
    usize::try_from(id.0).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(by: i64) -> Admin {
        Admin {
            rights: Rights::new(),
            promoted_by: UserId(by),
            rank: None,
            date: 0,
        }
    }

    #[test]
    fn promotion_chains_are_followed_and_rings_end() {
        let mut channel = Channel::new(
            ChannelId(1),
            "t".into(),
            ChannelKind::Supergroup,
            UserId(1),
            0,
        );
        channel.admins.insert(UserId(2), admin(1));
        channel.admins.insert(UserId(3), admin(2));
        assert!(channel.in_promotion_chain(UserId(1), UserId(3)));
        assert!(channel.in_promotion_chain(UserId(2), UserId(3)));
        assert!(!channel.in_promotion_chain(UserId(3), UserId(2)));
        channel.admins.insert(UserId(2), admin(3));
        assert!(!channel.in_promotion_chain(UserId(9), UserId(2)));
    }

    #[test]
    fn standing_tells_creator_admin_member_banned_and_left() {
        let mut channel = Channel::new(
            ChannelId(1),
            "t".into(),
            ChannelKind::Supergroup,
            UserId(1),
            5,
        );
        channel.members.insert(UserId(2), 7);
        channel.members.insert(UserId(3), 7);
        channel.admins.insert(UserId(3), admin(1));
        channel.banned.insert(UserId(4));
        assert_eq!(channel.standing(UserId(1)), Standing::Creator);
        assert_eq!(channel.standing(UserId(2)), Standing::Member { since: 7 });
        assert_eq!(channel.standing(UserId(3)), Standing::Admin(admin(1)));
        assert_eq!(channel.standing(UserId(4)), Standing::Banned);
        assert_eq!(channel.standing(UserId(5)), Standing::Left);
    }
}
