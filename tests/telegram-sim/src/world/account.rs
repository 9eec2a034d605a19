//! Accounts: members and bots. Each has one box of its own for private chats and basic groups, with one sequence of message numbers.
//! Bots also have a secondary sequence (`qts`) for who blocked them and who joined their channels.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use grammers_tl_types::types;

use super::boxlog::BoxLog;
use super::channel::Standing;
use super::ids::{ChannelId, ChatRef, MessageId, UserId};
use super::message::ContentId;

#[derive(Debug)]
pub(crate) struct Account {
    pub first_name: String,
    pub username: Option<String>,
    pub bot: Option<Box<Bot>>,
    pub log: BoxLog,
    /// Number of the last container without pts, where the doubt numbers them.
    pub seq: i32,
    pub channels: BTreeSet<ChannelId>,
    /// Channels it was in at some time: the error for those is another one.
    pub known_channels: HashSet<ChannelId>,
    /// Users it has seen in an answer or an update: hash 0 works for them.
    pub met: HashSet<UserId>,
    messages: Vec<Option<ContentId>>,
    dialogs: HashMap<ChatRef, Dialog>,
}

/// One conversation in an account's own box.
#[derive(Debug, Default)]
pub(crate) struct Dialog {
    pub messages: Vec<MessageId>,
    /// On a bot's side: the member has written at least once, the bot may write.
    pub opened: bool,
    /// On a bot's side: the member has blocked it.
    pub blocked: bool,
}

#[derive(Debug)]
pub(crate) struct Bot {
    pub secret: String,
    pub expired: Vec<String>,
    pub deleted: bool,
    pub owner: Option<UserId>,
    /// Sees only commands, replies and mentions in groups where it is no administrator.
    pub privacy: bool,
    pub commands: BTreeMap<CommandKey, Vec<types::BotCommand>>,
    pub about: String,
    pub description: String,
    pub qts: QtsLog,
    /// Times of logins from keys that were not logged in.
    pub logins: VecDeque<u64>,
    pub login_wait_until: u64,
    pub username_lookups: VecDeque<u64>,
}

/// Scope (serialized) and language of a command list.
pub(crate) type CommandKey = (Vec<u8>, String);

/// The secondary sequence; short enough to be kept whole for the retention.
#[derive(Debug, Default)]
pub(crate) struct QtsLog {
    pub qts: i32,
    pub entries: VecDeque<QtsEntry>,
}

#[derive(Clone, Debug)]
pub(crate) struct QtsEntry {
    pub qts: i32,
    pub at_ms: u64,
    pub date: i32,
    pub change: QtsChange,
}

#[derive(Clone, Debug)]
pub(crate) enum QtsChange {
    Stopped {
        member: UserId,
        stopped: bool,
    },
    Participant {
        channel: ChannelId,
        actor: UserId,
        user: UserId,
        before: Standing,
        after: Standing,
    },
}

impl QtsLog {
    pub fn append(&mut self, change: QtsChange, date: i32, at_ms: u64) -> QtsEntry {
        self.qts += 1;
        let entry = QtsEntry {
            qts: self.qts,
            at_ms,
            date,
            change,
        };
        self.entries.push_back(entry.clone());
        entry
    }

    pub fn after(&self, qts: i32) -> impl Iterator<Item = &QtsEntry> {
        let start = self.entries.partition_point(|entry| entry.qts <= qts);
        self.entries.range(start..)
    }

    pub fn expire(&mut self, before_ms: u64) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.at_ms < before_ms)
        {
            self.entries.pop_front();
        }
    }
}

impl Account {
    pub fn member(first_name: String, username: Option<String>) -> Self {
        Self::new(first_name, username, None, BoxLog::counting_only())
    }

    pub fn bot(name: String, username: String, bot: Bot) -> Self {
        Self::new(name, Some(username), Some(Box::new(bot)), BoxLog::new())
    }

    fn new(
        first_name: String,
        username: Option<String>,
        bot: Option<Box<Bot>>,
        log: BoxLog,
    ) -> Self {
        Self {
            first_name,
            username,
            bot,
            log,
            seq: 0,
            channels: BTreeSet::new(),
            known_channels: HashSet::new(),
            met: HashSet::new(),
            messages: Vec::new(),
            dialogs: HashMap::new(),
        }
    }

    pub fn is_bot(&self) -> bool {
        self.bot.is_some()
    }

    /// Puts a message into this box under the next number.
    pub fn store(&mut self, content: ContentId, chat: ChatRef) -> MessageId {
        self.messages.push(Some(content));
        // A box of 2^31 messages does not fit into memory.
        let id = MessageId(i32::try_from(self.messages.len()).unwrap_or(i32::MAX));
        self.dialogs.entry(chat).or_default().messages.push(id);
        id
    }

    pub fn content(&self, id: MessageId) -> Option<ContentId> {
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.messages.get(index).copied().flatten()
    }

    /// Takes a message out of this box; its number is not used again.
    pub fn forget(&mut self, id: MessageId) -> Option<ContentId> {
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.messages.get_mut(index)?.take()
    }

    pub fn dialog(&self, chat: ChatRef) -> Option<&Dialog> {
        self.dialogs.get(&chat)
    }

    pub fn dialogs(&self) -> impl Iterator<Item = (ChatRef, &Dialog)> {
        self.dialogs.iter().map(|(chat, dialog)| (*chat, dialog))
    }

    pub fn dialog_mut(&mut self, chat: ChatRef) -> &mut Dialog {
        self.dialogs.entry(chat).or_default()
    }
}

impl Bot {
    pub fn new(secret: String, owner: Option<UserId>) -> Self {
        Self {
            secret,
            expired: Vec::new(),
            deleted: false,
            owner,
            privacy: true,
            commands: BTreeMap::new(),
            about: String::new(),
            description: String::new(),
            qts: QtsLog::default(),
            logins: VecDeque::new(),
            login_wait_until: 0,
            username_lookups: VecDeque::new(),
        }
    }
}
