//! Who exists: bots, members, channels, usernames, and looking them up. What they are to each other is `membership`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::account::{Account, Bot};
use super::api::{ChannelKind, Counts, CreatedBot, CreatedMember, NewBot, NewChannel};
use super::channel::Channel;
use super::error::RpcError;
use super::ids::{ChannelId, ChatRef, UserId};
use super::keys::token;
use super::message::Draft;
use super::{ContentId, CopiedMessage, Now, World};
use grammers_tl_types::{enums, types};

/// Numbers of channels, members and bots do not meet: clients that keep all of them in one table by bare number (Telethon's sessions)
/// would take one for the other. In Telegram that can happen, but never to a whole community.
const FIRST_CHANNEL: i64 = 1_000_000_001;
const FIRST_MEMBER: i64 = 2_000_000_001;
const FIRST_BOT: i64 = 5_000_000_001;
const BOTS_PER_OWNER: usize = 20;
const FIRST_NAMES: [&str; 24] = [
    "Ada", "Bela", "Chidi", "Dana", "Emil", "Farah", "Goran", "Hana", "Ivo", "Jun", "Kira", "Lena",
    "Milo", "Nadia", "Omar", "Petra", "Quinn", "Rosa", "Sami", "Tara", "Umit", "Vera", "Wim",
    "Yara",
];

impl World {
    pub fn add_bot(&mut self, bot: NewBot) -> Result<CreatedBot, RpcError> {
        if !bot.username.to_lowercase().ends_with("bot") {
            return Err(RpcError::bad_request("USERNAME_INVALID"));
        }
        let owned = |account: &&Account| {
            account
                .bot
                .as_ref()
                .is_some_and(|other| other.owner == bot.owner)
        };
        if bot.owner.is_some() && self.accounts.values().filter(owned).count() >= BOTS_PER_OWNER {
            return Err(RpcError::bad_request("BOT_CREATE_LIMIT_EXCEEDED"));
        }
        let id = UserId(FIRST_BOT + self.last_user);
        self.take_username(&bot.username, ChatRef::User(id))?;
        self.last_user += 1;
        let secret = self.draw_secret();
        let data = Bot::new(secret.clone(), bot.owner);
        self.accounts
            .insert(id, Account::bot(bot.name, bot.username.clone(), data));
        Ok(CreatedBot {
            id,
            username: bot.username,
            token: token(id, &secret),
        })
    }

    pub fn add_member(
        &mut self,
        first_name: &str,
        username: Option<&str>,
    ) -> Result<CreatedMember, RpcError> {
        let id = UserId(FIRST_MEMBER + self.last_user);
        if let Some(username) = username {
            self.take_username(username, ChatRef::User(id))?;
        }
        self.last_user += 1;
        let username = username.map(str::to_owned);
        self.accounts
            .insert(id, Account::member(first_name.to_owned(), username.clone()));
        Ok(CreatedMember {
            id,
            first_name: first_name.to_owned(),
            username,
        })
    }

    /// Names are drawn from `seed`, or from the world's own generator.
    pub fn add_members(
        &mut self,
        count: usize,
        seed: Option<u64>,
    ) -> Result<Vec<CreatedMember>, RpcError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.unwrap_or_else(|| self.rng.random()));
        (0..count)
            .map(|_| {
                let name = FIRST_NAMES[rng.random_range(0..FIRST_NAMES.len())];
                self.add_member(&format!("{name} {}", self.last_user + 1), None)
            })
            .collect()
    }

    /// The creator is the first member who is a person; without one an "Owner" is made.
    pub fn add_channel(&mut self, channel: NewChannel, now: Now) -> Result<ChannelId, RpcError> {
        let admins = channel.admins.iter().map(|admin| admin.user);
        for user in channel.members.iter().copied().chain(admins) {
            self.account(user)?;
        }
        let person = |user: &&UserId| self.account(**user).is_ok_and(|account| !account.is_bot());
        let creator = match channel.members.iter().find(person) {
            Some(user) => *user,
            None => self.add_member("Owner", None)?.id,
        };
        let id = ChannelId(FIRST_CHANNEL + self.last_channel);
        if let Some(username) = &channel.username {
            self.take_username(username, ChatRef::Channel(id))?;
        }
        self.last_channel += 1;
        let mut made = Channel::new(id, channel.title.clone(), channel.kind, creator, now.date());
        made.username = channel.username;
        self.channels.insert(id, made);
        self.note_joined(id, creator)?;
        self.post_creation(id, creator, channel.title, channel.kind, now)?;
        for admin in channel.admins {
            self.set_admin(id, admin.user, Some(admin.rights), now)?;
        }
        for user in channel.members {
            self.join_silently(id, user, now)?;
        }
        Ok(id)
    }

    /// Privacy mode, on for every bot at first: in groups that it does not administer it sees commands, replies and
    /// mentions only.
    pub fn set_privacy(&mut self, bot: UserId, privacy: bool) -> Result<(), RpcError> {
        self.bot_mut(bot)?.privacy = privacy;
        Ok(())
    }

    pub fn counts(&self) -> Counts {
        let bots = self
            .accounts
            .values()
            .filter(|account| account.is_bot())
            .count();
        Counts {
            bots,
            members: self.accounts.len() - bots,
            channels: self.channels.len(),
            messages: self.messages_sent,
            auth_keys: self.keys.len(),
            files: self.files.len(),
            presses_pending: self.presses.pending(),
        }
    }

    pub(crate) fn account(&self, id: UserId) -> Result<&Account, RpcError> {
        self.accounts
            .get(&id)
            .ok_or_else(|| RpcError::bad_request("PEER_ID_INVALID"))
    }

    pub(crate) fn account_mut(&mut self, id: UserId) -> Result<&mut Account, RpcError> {
        self.accounts
            .get_mut(&id)
            .ok_or_else(|| RpcError::bad_request("PEER_ID_INVALID"))
    }

    pub(crate) fn bot(&self, id: UserId) -> Result<&Bot, RpcError> {
        self.account(id)?
            .bot
            .as_deref()
            .ok_or_else(|| RpcError::bad_request("BOT_INVALID"))
    }

    pub(crate) fn bot_mut(&mut self, id: UserId) -> Result<&mut Bot, RpcError> {
        self.account_mut(id)?
            .bot
            .as_deref_mut()
            .ok_or_else(|| RpcError::bad_request("BOT_INVALID"))
    }

    /// Not for bots.
    pub fn check_person(&self, id: UserId) -> Result<(), RpcError> {
        if self.account(id)?.is_bot() {
            return Err(RpcError::bad_request("USER_INVALID"));
        }
        Ok(())
    }

    pub(crate) fn bots(&self) -> impl Iterator<Item = UserId> {
        let is_bot = |(_, account): &(&UserId, &Account)| account.is_bot();
        self.accounts.iter().filter(is_bot).map(|(id, _)| *id)
    }

    pub(crate) fn is_bot(&self, id: UserId) -> bool {
        self.accounts.get(&id).is_some_and(Account::is_bot)
    }

    pub(crate) fn channel(&self, id: ChannelId) -> Result<&Channel, RpcError> {
        self.channels
            .get(&id)
            .ok_or_else(|| RpcError::bad_request("CHANNEL_INVALID"))
    }

    pub(crate) fn channel_mut(&mut self, id: ChannelId) -> Result<&mut Channel, RpcError> {
        self.channels
            .get_mut(&id)
            .ok_or_else(|| RpcError::bad_request("CHANNEL_INVALID"))
    }

    pub(crate) fn copied(&self, id: ContentId) -> Option<&CopiedMessage> {
        self.copied.get(id.0)
    }

    /// Whether a part of somebody's name or username is `query`; everybody is named "".
    pub(crate) fn is_named(&self, id: UserId, query: &str) -> bool {
        let query = query.to_lowercase();
        self.account(id).is_ok_and(|account| {
            let username = account.username.as_deref().unwrap_or_default();
            [account.first_name.as_str(), username]
                .iter()
                .any(|name| name.to_lowercase().contains(&query))
        })
    }

    pub(crate) fn by_username(&self, username: &str) -> Option<ChatRef> {
        self.usernames
            .get(&username.trim_start_matches('@').to_lowercase())
            .copied()
    }

    fn take_username(&mut self, username: &str, owner: ChatRef) -> Result<(), RpcError> {
        let valid = username.len() >= 3
            && username
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(RpcError::bad_request("USERNAME_INVALID"));
        }
        let key = username.to_lowercase();
        if self.usernames.contains_key(&key) {
            return Err(RpcError::bad_request("USERNAME_OCCUPIED"));
        }
        self.usernames.insert(key, owner);
        Ok(())
    }

    /// Message 1 of every channel; basic groups have none here, for want of members who could have it.
    fn post_creation(
        &mut self,
        channel: ChannelId,
        creator: UserId,
        title: String,
        kind: ChannelKind,
        now: Now,
    ) -> Result<(), RpcError> {
        if kind == ChannelKind::BasicGroup {
            return Ok(());
        }
        let action =
            enums::MessageAction::ChannelCreate(types::MessageActionChannelCreate { title });
        let draft = Draft {
            action: Some(action),
            ..Draft::default()
        };
        self.post(creator, ChatRef::Channel(channel), draft, now)
            .map(|_| ())
    }
}
