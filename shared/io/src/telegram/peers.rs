//! Whom this line has met: access hashes, first names, who is a bot. In memory, bounded, never shared with another line.
//!
//! An access hash belongs to one account; whoever is unknown is addressed with hash 0, which Telegram accepts from a bot for chats it
//! is in and users it has met. So forgetting is harmless and the oldest acquaintance is the one forgotten. Hashes of `min`
//! constructors are not kept: they hold only in the context they came in (<https://core.telegram.org/api/min>).

use std::collections::{HashMap, HashSet, VecDeque};

use grammers_client::tl;
use shared_core::{ChannelId, MemberId, SendTarget};

/// About 10 MB with names; a community larger than that is served with hash 0.
const MAX_USERS: usize = 50_000;
/// Channels come from the configuration; other people's are not worth more.
const MAX_CHANNELS: usize = 1_000;
/// Longer names are cut: they are for addressing people, not for storing text.
const MAX_NAME_CHARS: usize = 64;

#[derive(Debug, Clone, Default)]
pub(super) struct User {
    pub name: String,
    pub is_bot: bool,
    pub usernames: Vec<String>,
    hash: i64,
}

#[derive(Default)]
pub(super) struct Peers {
    users: HashMap<i64, User>,
    user_order: VecDeque<i64>,
    channels: HashMap<i64, i64>,
    channel_order: VecDeque<i64>,
}

impl Peers {
    pub(super) fn learn(&mut self, users: &[tl::enums::User], chats: &[tl::enums::Chat]) {
        for user in users {
            if let tl::enums::User::User(user) = user {
                self.learn_user(user);
            }
        }
        for chat in chats {
            if let tl::enums::Chat::Channel(channel) = chat
                && let (Some(hash), false) = (channel.access_hash, channel.min)
            {
                self.learn_channel(channel.id, hash);
            }
        }
    }

    pub(super) fn user(&self, id: i64) -> Option<&User> {
        self.users.get(&id)
    }

    pub(super) fn input_peer(&self, to: SendTarget) -> tl::enums::InputPeer {
        match to {
            SendTarget::Member(MemberId(user_id)) => tl::types::InputPeerUser {
                user_id,
                access_hash: self.users.get(&user_id).map_or(0, |user| user.hash),
            }
            .into(),
            SendTarget::Channel(ChannelId(channel_id)) => tl::types::InputPeerChannel {
                channel_id,
                access_hash: self.channel_hash(channel_id),
            }
            .into(),
        }
    }

    pub(super) fn input_channel(&self, channel: ChannelId) -> tl::enums::InputChannel {
        tl::types::InputChannel {
            channel_id: channel.0,
            access_hash: self.channel_hash(channel.0),
        }
        .into()
    }

    fn channel_hash(&self, id: i64) -> i64 {
        self.channels.get(&id).copied().unwrap_or(0)
    }

    fn learn_user(&mut self, user: &tl::types::User) {
        if !self.users.contains_key(&user.id) {
            if self.user_order.len() >= MAX_USERS
                && let Some(oldest) = self.user_order.pop_front()
            {
                self.users.remove(&oldest);
            }
            self.user_order.push_back(user.id);
        }
        let known = self.users.entry(user.id).or_default();
        known.is_bot = user.bot;
        if let Some(name) = &user.first_name {
            known.name = name.chars().take(MAX_NAME_CHARS).collect();
        }
        if user.bot {
            known.usernames = usernames(user);
        }
        if let (Some(hash), false) = (user.access_hash, user.min) {
            known.hash = hash;
        }
    }

    fn learn_channel(&mut self, id: i64, hash: i64) {
        if self.channels.insert(id, hash).is_some() {
            return;
        }
        self.channel_order.push_back(id);
        if self.channel_order.len() > MAX_CHANNELS
            && let Some(oldest) = self.channel_order.pop_front()
        {
            self.channels.remove(&oldest);
        }
    }
}

/// All names of a user, in lower case: the plain one and the collectible ones.
pub(super) fn usernames(user: &tl::types::User) -> Vec<String> {
    let extra = user
        .usernames
        .iter()
        .flatten()
        .map(|tl::enums::Username::Username(name)| name)
        .filter(|name| name.active)
        .map(|name| &name.username);
    let names = user.username.iter().chain(extra);
    // Telegram may list the plain name among the others again.
    let distinct: HashSet<_> = names.map(|name| name.to_lowercase()).collect();
    distinct.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: i64, hash: i64) -> Peers {
        let mut peers = Peers::default();
        peers.learn_channel(id, hash);
        peers
    }

    fn hash_of(peers: &Peers, id: i64) -> i64 {
        match peers.input_channel(ChannelId(id)) {
            tl::enums::InputChannel::Channel(it) => it.access_hash,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_unknown_is_addressed_without_a_hash() {
        let peers = channel(5, 55);
        assert_eq!(hash_of(&peers, 5), 55);
        assert_eq!(hash_of(&peers, 6), 0);
        let unknown = peers.input_peer(SendTarget::Member(MemberId(7)));
        assert!(matches!(
            unknown,
            tl::enums::InputPeer::User(it) if it.user_id == 7 && it.access_hash == 0
        ));
    }

    #[test]
    fn the_oldest_acquaintance_is_forgotten() {
        let mut peers = Peers::default();
        for id in 0..=MAX_CHANNELS as i64 {
            peers.learn_channel(id, 1);
        }
        assert_eq!(hash_of(&peers, 0), 0);
        assert_eq!(hash_of(&peers, 1), 1);
        assert_eq!(peers.channels.len(), MAX_CHANNELS);
    }
}
