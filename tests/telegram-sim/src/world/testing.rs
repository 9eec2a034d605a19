//! Builders for tests: a [`Scene`] is a world with bots that are logged in, called the way the wire side calls it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use grammers_tl_types as tl;
use tl::functions::{auth, messages, updates};
use tl::{Deserializable, RemoteCall, enums, types};

use super::*;

pub(crate) struct Scene {
    pub world: World,
    pub now: Now,
    tokens: BTreeMap<UserId, String>,
    keys: BTreeMap<UserId, i64>,
    last_key: i64,
    last_random_id: i64,
}

pub(crate) fn scene() -> Scene {
    scene_with(|_| {})
}

/// Without send limits unless the test sets them.
pub(crate) fn scene_with(change: impl FnOnce(&mut Settings)) -> Scene {
    let dc = DcAddress {
        id: 2,
        ip: "127.0.0.1".into(),
        port: 4_443,
        media_port: None,
    };
    let mut settings = Settings::new(dc);
    settings.limits.enabled = false;
    change(&mut settings);
    Scene {
        world: World::new(settings, 1),
        now: Now {
            unix_ms: 1_800_000_000_000,
            mono_ms: 0,
        },
        tokens: BTreeMap::new(),
        keys: BTreeMap::new(),
        last_key: 0,
        last_random_id: 0,
    }
}

impl Scene {
    /// A bot that is logged in.
    pub fn bot(&mut self, username: &str) -> UserId {
        let new = NewBot {
            name: username.into(),
            username: username.into(),
            owner: None,
        };
        let bot = self.world.add_bot(new).unwrap();
        self.tokens.insert(bot.id, bot.token.clone());
        let key = self.key();
        self.login(key, &bot.token).unwrap();
        self.keys.insert(bot.id, key);
        bot.id
    }

    pub fn member(&mut self) -> UserId {
        self.world.add_member("Ada", None).unwrap().id
    }

    /// A member on one (more) device; calls as that member use the latest.
    pub fn device(&mut self, member: UserId) -> i64 {
        let key = self.key();
        self.world.log_in_member(key, member).unwrap();
        self.keys.insert(member, key);
        key
    }

    /// A member who has started the bot; pushes and events of that are gone.
    pub fn started(&mut self, bot: UserId) -> UserId {
        let member = self.member();
        self.start(member, bot);
        self.world.drain_pushes();
        self.world.drain_events();
        member
    }

    pub fn start(&mut self, member: UserId, bot: UserId) -> MessageId {
        let sent = self
            .world
            .member_start(member, bot, None, self.now)
            .unwrap();
        sent.message_ids[0]
    }

    pub fn channel(
        &mut self,
        kind: ChannelKind,
        members: &[UserId],
        admins: &[(UserId, &[Right])],
    ) -> ChannelId {
        let admins = admins.iter().map(|(user, rights)| NewAdmin {
            user: *user,
            rights: rights.iter().copied().collect(),
        });
        let new = NewChannel {
            title: "Chat".into(),
            kind,
            username: None,
            members: members.to_vec(),
            admins: admins.collect(),
        };
        let id = self.world.add_channel(new, self.now).unwrap();
        self.world.drain_pushes();
        self.world.drain_events();
        id
    }

    pub fn key(&mut self) -> i64 {
        self.last_key += 1;
        self.world.register_key(self.last_key);
        self.last_key
    }

    pub fn token(&self, bot: UserId) -> String {
        self.tokens[&bot].clone()
    }

    pub fn key_of(&self, bot: UserId) -> i64 {
        self.keys[&bot]
    }

    pub fn login(&mut self, key: i64, token: &str) -> Result<(), String> {
        let request = auth::ImportBotAuthorization {
            flags: 0,
            api_id: 1,
            api_hash: "hash".into(),
            bot_auth_token: token.into(),
        };
        self.call_with_key(key, &request).map(|_| ())
    }

    /// The error is shown as its name.
    pub fn call<F: RemoteCall>(&mut self, bot: UserId, request: &F) -> Result<F::Return, String> {
        self.call_with_key(self.keys[&bot], request)
    }

    pub fn call_with_key<F: RemoteCall>(
        &mut self,
        key: i64,
        request: &F,
    ) -> Result<F::Return, String> {
        let mut caller = Caller {
            connection: 1,
            auth_key_id: key,
            session_id: 1,
            layer: tl::LAYER,
            account: None,
        };
        match self.world.call(&mut caller, &request.to_bytes(), self.now) {
            Outcome::Reply(Ok(bytes)) => Ok(F::Return::from_bytes(&bytes).unwrap()),
            Outcome::Reply(Err(error)) => Err(error.message),
            Outcome::Later(id) => panic!("call is pending as {id}"),
        }
    }

    pub fn say(&mut self, member: UserId, to: ChatRef, text: &str) -> MessageId {
        let message = NewMessage {
            text: text.into(),
            ..NewMessage::default()
        };
        let sent = self
            .world
            .member_send(member, to, message, self.now)
            .unwrap();
        sent.message_ids[0]
    }

    pub fn random_id(&mut self) -> i64 {
        self.last_random_id += 1;
        self.last_random_id
    }

    /// Addressed with hash 0.
    pub fn text(&mut self, to: enums::InputPeer, text: &str) -> messages::SendMessage {
        messages::SendMessage {
            no_webpage: false,
            silent: false,
            background: false,
            clear_draft: false,
            noforwards: false,
            update_stickersets_order: false,
            invert_media: false,
            allow_paid_floodskip: false,
            peer: to,
            reply_to: None,
            message: text.into(),
            random_id: self.random_id(),
            reply_markup: None,
            entities: None,
            schedule_date: None,
            schedule_repeat_period: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            allow_paid_stars: None,
            suggested_post: None,
            rich_message: None,
        }
    }

    pub fn send(
        &mut self,
        bot: UserId,
        to: enums::InputPeer,
        text: &str,
    ) -> Result<enums::Updates, String> {
        let request = self.text(to, text);
        self.call(bot, &request)
    }

    pub fn difference(&mut self, bot: UserId, pts: i32) -> enums::updates::Difference {
        let request = updates::GetDifference {
            pts,
            pts_limit: None,
            pts_total_limit: None,
            // Far enough in the future that no channel has changed since.
            date: i32::MAX,
            qts: i32::MAX,
            qts_limit: None,
        };
        self.call(bot, &request).unwrap()
    }

    pub fn channel_difference(
        &mut self,
        bot: UserId,
        channel: ChannelId,
        pts: i32,
        limit: i32,
    ) -> Result<enums::updates::ChannelDifference, String> {
        let request = updates::GetChannelDifference {
            force: false,
            channel: input_channel(channel),
            filter: enums::ChannelMessagesFilter::Empty,
            pts,
            limit,
        };
        self.call(bot, &request)
    }

    pub fn pts(&mut self, bot: UserId) -> i32 {
        let enums::updates::State::State(state) = self.call(bot, &updates::GetState {}).unwrap();
        state.pts
    }

    /// Pushed updates since the last look: who, and what.
    pub fn pushed(&mut self) -> Vec<(UserId, enums::Update)> {
        let pushes = self.world.drain_pushes();
        let opened = pushes.into_iter().map(|push| {
            let updates = match enums::Updates::from_bytes(&push.updates).unwrap() {
                enums::Updates::Updates(updates) => updates.updates,
                other => panic!("not a container: {other:?}"),
            };
            updates
                .into_iter()
                .map(move |update| (push.account, update))
        });
        opened.flatten().collect()
    }

    pub fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.unix_ms += i64::try_from(ms).unwrap();
    }
}

pub(crate) fn to_user(user: UserId) -> enums::InputPeer {
    types::InputPeerUser {
        user_id: user.0,
        access_hash: 0,
    }
    .into()
}

pub(crate) fn to_channel(channel: ChannelId) -> enums::InputPeer {
    types::InputPeerChannel {
        channel_id: channel.0,
        access_hash: 0,
    }
    .into()
}

pub(crate) fn input_channel(channel: ChannelId) -> enums::InputChannel {
    types::InputChannel {
        channel_id: channel.0,
        access_hash: 0,
    }
    .into()
}

/// One row of buttons, each with its name as data.
pub(crate) fn keyboard(names: &[&str]) -> enums::ReplyMarkup {
    let button = |name: &&str| {
        let data = name.as_bytes().to_vec();
        types::KeyboardInlineButton {
            style: None,
            text: (*name).into(),
            r#type: types::InlineButtonTypeCallback {
                requires_password: false,
                data,
            }
            .into(),
        }
        .into()
    };
    let buttons = names.iter().map(button).collect();
    types::ReplyInlineMarkup {
        force_reply: false,
        rows: vec![types::KeyboardInlineButtonRow { buttons }.into()],
    }
    .into()
}

/// Texts of messages, in order; service messages are left out.
pub(crate) fn texts(messages: &[enums::Message]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| match message {
            enums::Message::Message(message) => Some(message.message.as_str()),
            enums::Message::Empty(_) | enums::Message::Service(_) => None,
        })
        .collect()
}
