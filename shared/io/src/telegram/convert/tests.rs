//! Telegram's updates in the project's own words, one kind after the other.

#![allow(clippy::unwrap_used)]

use grammers_client::tl;
use shared_core::BotId;

use super::*;

const ME: i64 = 7_000_001;
const OTHER_BOT: i64 = 7_000_002;
const MEMBER: i64 = 42;
const GROUP: i64 = 50;
const POSTS: i64 = 60;

/// Everything that a conversion may look at.
struct World {
    ours: Ours,
    groups: HashSet<ChannelId>,
    posts: HashSet<ChannelId>,
    addressees: Addressees,
    peers: Peers,
}

impl World {
    fn new() -> Self {
        let mut peers = Peers::default();
        peers.learn(&[user(MEMBER, "Ann", false), user(99, "Stray", true)], &[]);
        let mut addressees = Addressees::default();
        addressees.add_username("course_bot");
        Self {
            ours: Ours::new(BotId(ME), HashSet::from([BotId(OTHER_BOT)])),
            groups: HashSet::from([ChannelId(GROUP)]),
            posts: HashSet::from([ChannelId(POSTS)]),
            addressees,
            peers,
        }
    }

    fn convert(&self, update: impl Into<tl::enums::Update>) -> Option<Incoming> {
        self.context().update(&update.into())
    }

    fn context(&self) -> Context<'_> {
        Context {
            ours: &self.ours,
            groups: &self.groups,
            posts: &self.posts,
            addressees: &self.addressees,
            peers: &self.peers,
            received: UnixMs(777),
        }
    }

    /// Is this group message addressed? `None`: it is no item.
    fn addressed(&self, message: tl::types::Message) -> Option<bool> {
        match self.convert(new_in_group(message))?.what {
            IncomingKind::Message { addressed, .. } => Some(addressed),
            other => panic!("{other:?}"),
        }
    }
}

fn user(id: i64, name: &str, bot: bool) -> tl::enums::User {
    // Read rather than written out: the constructor has fifty fields.
    let mut bytes = Vec::new();
    use tl::Serializable;
    0xb1b8_cc83_u32.serialize(&mut bytes);
    let flags: u32 = 1 | 1 << 1 | if bot { 1 << 14 } else { 0 };
    flags.serialize(&mut bytes);
    0_u32.serialize(&mut bytes);
    id.serialize(&mut bytes);
    (id * 10).serialize(&mut bytes);
    name.to_owned().serialize(&mut bytes);
    if bot {
        1_i32.serialize(&mut bytes);
    }
    use tl::Deserializable;
    tl::enums::User::from_bytes(&bytes).unwrap()
}

fn peer_user(user_id: i64) -> tl::enums::Peer {
    tl::types::PeerUser { user_id }.into()
}

fn peer_group() -> tl::enums::Peer {
    tl::types::PeerChannel { channel_id: GROUP }.into()
}

fn message(peer_id: tl::enums::Peer, from: Option<i64>, text: &str) -> tl::types::Message {
    let short = tl::types::UpdateShortMessage {
        out: false,
        mentioned: false,
        media_unread: false,
        silent: false,
        id: 5,
        user_id: MEMBER,
        message: text.into(),
        pts: 1,
        pts_count: 1,
        date: 1_700_000_000,
        fwd_from: None,
        via_bot_id: None,
        reply_to: None,
        entities: None,
        ttl_period: None,
    };
    let received = grammers_client::session::updates::UpdatesLike::Updates(short.into());
    let crate::telegram::boxes::Received::Updates { events, .. } =
        crate::telegram::boxes::unpack(received)
    else {
        panic!("updates");
    };
    let Some(tl::enums::Update::NewMessage(new)) = &events[0].update else {
        panic!("a message");
    };
    let tl::enums::Message::Message(written_out) = new.message.clone() else {
        panic!("a message");
    };
    tl::types::Message {
        peer_id,
        from_id: from.map(peer_user),
        ..written_out
    }
}

fn new_private(message: tl::types::Message) -> tl::types::UpdateNewMessage {
    tl::types::UpdateNewMessage {
        message: message.into(),
        pts: 1,
        pts_count: 1,
    }
}

fn new_in_group(message: tl::types::Message) -> tl::types::UpdateNewChannelMessage {
    tl::types::UpdateNewChannelMessage {
        message: message.into(),
        pts: 1,
        pts_count: 1,
    }
}

fn reply_to(id: i32) -> tl::types::MessageReplyHeader {
    tl::types::MessageReplyHeader {
        reply_to_scheduled: false,
        forum_topic: false,
        quote: false,
        reply_to_ephemeral: false,
        reply_to_msg_id: Some(id),
        reply_to_peer_id: None,
        reply_from: None,
        reply_media: None,
        reply_to_top_id: None,
        quote_text: None,
        quote_entities: None,
        quote_offset: None,
        todo_item_id: None,
        poll_option: None,
    }
}

#[test]
fn a_private_message_is_the_members_and_always_addressed() {
    let item = World::new()
        .convert(new_private(message(peer_user(MEMBER), None, "hello")))
        .unwrap();
    assert_eq!(item.r#box, BoxId::Private(BotId(ME)));
    assert_eq!(item.place, Place::Private);
    assert_eq!((item.member, item.name.as_str()), (MemberId(MEMBER), "Ann"));
    assert_eq!(item.date, UnixMs(1_700_000_000_000));
    assert_eq!(
        item.what,
        IncomingKind::Message {
            message: MessageId(5),
            text: "hello".into(),
            document: None,
            album: None,
            reply_to: None,
            addressed: true,
        }
    );
}

/// Only what this bot posted tells whether a post that is in doubt was made.
#[test]
fn our_own_posts_are_heard_where_we_post() {
    let world = World::new();
    let post = |channel_id: i64, out: bool| {
        let peer = tl::types::PeerChannel { channel_id }.into();
        let mut post = message(peer, None, "New course: Bread");
        (post.post, post.out) = (true, out);
        world.context().echo(&post.into()).map(|echo| echo.chat)
    };
    assert_eq!(
        post(POSTS, true),
        Some(SendTarget::Channel(ChannelId(POSTS)))
    );
    assert_eq!(post(POSTS, false), None, "another bot's, or a person's");
    assert_eq!(post(61, true), None, "a channel that is none of ours");
}

#[test]
fn what_is_no_members_word_is_no_item() {
    let world = World::new();
    let in_group = |from, edit: fn(&mut tl::types::Message)| {
        let mut message = message(peer_group(), from, "/start");
        edit(&mut message);
        world.convert(new_in_group(message))
    };
    assert!(in_group(Some(MEMBER), |_| {}).is_some());
    for (what, item) in [
        ("ours", in_group(Some(ME), |m| m.out = true)),
        ("another bot of the pool", in_group(Some(OTHER_BOT), |_| {})),
        ("a stranger's bot", in_group(Some(99), |_| {})),
        ("a channel's post", in_group(None, |m| m.post = true)),
        (
            "an anonymous administrator",
            in_group(None, |m| m.from_id = Some(peer_group())),
        ),
        (
            "another channel",
            in_group(Some(MEMBER), |m| {
                m.peer_id = tl::types::PeerChannel { channel_id: 51 }.into();
            }),
        ),
        (
            "a basic group",
            in_group(Some(MEMBER), |m| {
                m.peer_id = tl::types::PeerChat { chat_id: 51 }.into();
            }),
        ),
    ] {
        assert_eq!(item, None, "{what}");
    }
}

#[test]
fn in_a_group_one_has_to_be_addressed() {
    let mut world = World::new();
    world
        .addressees
        .add_message(ChannelId(GROUP), MessageId(30));
    let say = |text: &str| message(peer_group(), Some(MEMBER), text);
    let reply = |id| tl::types::Message {
        reply_to: Some(reply_to(id).into()),
        ..say("yes")
    };
    assert_eq!(world.addressed(say("hello all")), Some(false));
    assert_eq!(world.addressed(say("/submit")), Some(true));
    assert_eq!(world.addressed(say("hello @Course_Bot")), Some(true));
    assert_eq!(world.addressed(reply(30)), Some(true), "a reply to ours");
    assert_eq!(
        world.addressed(reply(31)),
        Some(false),
        "a reply to somebody"
    );
    let mut mentioned = say("hello");
    mentioned.mentioned = true;
    assert_eq!(world.addressed(mentioned), Some(true));
    let named = tl::types::MessageEntityMentionName {
        offset: 0,
        length: 5,
        user_id: OTHER_BOT,
    };
    let mut by_name = say("Helen");
    by_name.entities = Some(vec![named.into()]);
    assert_eq!(world.addressed(by_name), Some(true));
}

#[test]
fn a_reply_is_one_within_this_chat_only() {
    let target = |edit: fn(&mut tl::types::MessageReplyHeader)| {
        let mut header = reply_to(30);
        edit(&mut header);
        let mut message = message(peer_group(), Some(MEMBER), "yes");
        message.reply_to = Some(header.into());
        reply_target(&message)
    };
    assert_eq!(target(|_| {}), Some(MessageId(30)));
    assert_eq!(
        target(|reply| reply.forum_topic = true),
        None,
        "the topic's root"
    );
    assert_eq!(
        target(|reply| {
            reply.forum_topic = true;
            reply.reply_to_top_id = Some(2);
        }),
        Some(MessageId(30))
    );
    assert_eq!(
        target(|reply| reply.reply_to_peer_id = Some(peer_user(1))),
        None
    );
}

#[test]
fn an_edit_is_told_by_its_date_and_only_when_it_can_be_seen() {
    let world = World::new();
    let edit = |date, hidden| {
        let mut message = message(peer_user(MEMBER), None, "better");
        message.edit_date = date;
        message.edit_hide = hidden;
        world.convert(tl::types::UpdateEditMessage {
            message: message.into(),
            pts: 1,
            pts_count: 1,
        })
    };
    let item = edit(Some(1_700_000_060), false).unwrap();
    assert_eq!(item.date, UnixMs(1_700_000_060_000));
    assert_eq!(
        item.what,
        IncomingKind::Edit {
            message: MessageId(5),
            text: "better".into(),
            edit_date: 1_700_000_060,
        }
    );
    assert_eq!(
        edit(Some(1_700_000_060), true),
        None,
        "a reaction, a link's preview"
    );
    assert_eq!(edit(None, false), None);
}

#[test]
fn a_press_says_where_by_its_peer() {
    let world = World::new();
    let press = |peer, data: Option<&[u8]>| {
        world.convert(tl::types::UpdateBotCallbackQuery {
            query_id: 8,
            user_id: MEMBER,
            peer,
            msg_id: 30,
            chat_instance: 0,
            data: data.map(<[u8]>::to_vec),
            game_short_name: None,
        })
    };
    let item = press(peer_group(), Some(b"y:1")).unwrap();
    assert_eq!(item.place, Place::Group(ChannelId(GROUP)));
    assert_eq!(item.date, UnixMs(777), "Telegram gives a press no date");
    assert_eq!(
        item.what,
        IncomingKind::Press {
            query: QueryId(8),
            message: MessageId(30),
            data: "y:1".into(),
        }
    );
    assert_eq!(
        press(peer_user(MEMBER), Some(b"x")).unwrap().place,
        Place::Private
    );
    assert_eq!(press(peer_user(MEMBER), None), None, "a game");
    assert_eq!(press(peer_user(MEMBER), Some(&[0xff])), None, "not of ours");
}

#[test]
fn a_stop_carries_its_date() {
    let item = World::new()
        .convert(tl::types::UpdateBotStopped {
            user_id: MEMBER,
            date: 5,
            stopped: true,
            qts: 3,
        })
        .unwrap();
    assert_eq!(item.date, UnixMs(5_000));
    assert_eq!(item.what, IncomingKind::Stopped { stopped: true });
}

#[test]
fn a_file_keeps_its_name_and_a_photo_gets_one() {
    let file = |attributes| tl::types::Document {
        id: 1,
        access_hash: 2,
        file_reference: vec![],
        date: 0,
        mime_type: "application/pdf".into(),
        size: 900,
        thumbs: None,
        video_thumbs: None,
        dc_id: 2,
        attributes,
    };
    let media = |attributes| tl::types::MessageMediaDocument {
        nopremium: false,
        spoiler: false,
        video: false,
        round: false,
        voice: false,
        document: Some(file(attributes).into()),
        alt_documents: None,
        video_cover: None,
        video_timestamp: None,
        ttl_seconds: None,
    };
    let named = tl::types::DocumentAttributeFilename {
        file_name: "Lesson 1.pdf".into(),
    };
    let expected = |name: &str| {
        Some(Document {
            name: name.into(),
            mime: "application/pdf".into(),
            bytes: 900,
        })
    };
    assert_eq!(
        document(&media(vec![named.into()]).into()),
        expected("Lesson 1.pdf")
    );
    assert_eq!(document(&media(vec![]).into()), expected("file"));

    let size = |kind: &str, size| {
        tl::types::PhotoSize {
            r#type: kind.into(),
            w: 1,
            h: 1,
            size,
        }
        .into()
    };
    assert_eq!(
        largest(&[size("s", 10), size("y", 90), size("m", 40)]),
        Some(90)
    );
}
