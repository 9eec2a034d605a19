//! Who may send what to whom, how often, and what comes back.

use grammers_tl_types as tl;
use tl::functions::messages;
use tl::{enums, types};

use crate::world::testing::*;
use crate::world::{
    ChannelKind, ChatRef, Event, Limits, NewMessage, RandomIdScope, Right, RpcError, RpcFault,
    RpcFaultEffect, UserId,
};

fn short(updates: enums::Updates) -> types::UpdateShortSentMessage {
    match updates {
        enums::Updates::UpdateShortSentMessage(short) => short,
        other => panic!("not short: {other:?}"),
    }
}

fn error(result: Result<enums::Updates, String>) -> String {
    result.unwrap_err()
}

#[test]
fn a_bot_cannot_write_first_nor_to_who_blocked_it() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    assert_eq!(error(s.send(bot, to_user(member), "hi")), "PEER_ID_INVALID");
    s.start(member, bot);
    assert!(s.send(bot, to_user(member), "hi").is_ok());
    s.world.member_block(member, bot, true, s.now).unwrap();
    assert_eq!(error(s.send(bot, to_user(member), "hi")), "USER_IS_BLOCKED");
    s.start(member, bot);
    assert!(s.send(bot, to_user(member), "hi").is_ok());
}

#[test]
fn bots_do_not_write_to_bots() {
    let mut s = scene();
    let (one, other) = (s.bot("one_bot"), s.bot("other_bot"));
    let hash = s.world.hashes.user(one, other);
    let peer = types::InputPeerUser {
        user_id: other.0,
        access_hash: hash,
    };
    assert_eq!(
        error(s.send(one, peer.into(), "hi")),
        "USER_BOT_TO_BOT_DISABLED"
    );
}

#[test]
fn both_sides_of_a_private_chat_have_their_own_numbers() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let (first, second) = (s.started(bot), s.started(bot));
    let sent = short(s.send(bot, to_user(second), "hi").unwrap());
    // The bot's third message (two starts before), the second member's second.
    assert_eq!(sent.id, 3);
    let view = s
        .world
        .member_view(second, ChatRef::User(bot), None)
        .unwrap();
    let seen: Vec<(i32, &str, bool)> = view
        .iter()
        .map(|m| (m.id.0, m.text.as_str(), m.out))
        .collect();
    assert_eq!(seen, [(1, "/start", true), (2, "hi", false)]);
    assert_eq!(
        s.world
            .member_view(first, ChatRef::User(bot), None)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_plain_private_text_is_answered_short_and_with_a_keyboard_in_full() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let before = s.pts(bot);
    let sent = short(s.send(bot, to_user(member), "hi").unwrap());
    assert_eq!((sent.out, sent.pts, sent.pts_count), (true, before + 1, 1));
    let mut request = s.text(to_user(member), "choose");
    request.reply_markup = Some(keyboard(&["yes"]));
    let enums::Updates::Updates(full) = s.call(bot, &request).unwrap() else {
        panic!("not in full")
    };
    assert!(
        matches!(&full.updates[0], enums::Update::MessageId(id) if id.random_id == request.random_id)
    );
    assert!(matches!(&full.updates[1], enums::Update::NewMessage(new) if new.pts == before + 2));
    assert_eq!(full.users.len(), 2);
    assert!(
        s.pushed().is_empty(),
        "a bot gets no updates for what it sent"
    );
}

#[test]
fn texts_and_keyboards_are_checked() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    assert_eq!(error(s.send(bot, to_user(member), " ")), "MESSAGE_EMPTY");
    assert_eq!(
        error(s.send(bot, to_user(member), &"x".repeat(4_097))),
        "MESSAGE_TOO_LONG"
    );
    assert!(s.send(bot, to_user(member), &"ж".repeat(4_096)).is_ok());
    let mut with_keyboard = |name: &str| {
        let mut request = s.text(to_user(member), "choose");
        request.reply_markup = Some(keyboard(&[name]));
        s.call(bot, &request).err()
    };
    assert_eq!(
        with_keyboard(&"x".repeat(65)).as_deref(),
        Some("BUTTON_DATA_INVALID")
    );
    assert_eq!(with_keyboard("").as_deref(), Some("BUTTON_TEXT_INVALID"));
    assert_eq!(with_keyboard(&"x".repeat(64)), None);
}

#[test]
fn a_random_id_is_sent_once_per_account_or_per_login() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let request = s.text(to_user(member), "hi");
    s.call(bot, &request).unwrap();
    assert_eq!(error(s.call(bot, &request)), "RANDOM_ID_DUPLICATE");
    assert!(
        s.world
            .drain_events()
            .iter()
            .any(|event| matches!(event, Event::RandomIdDuplicate { .. }))
    );
    let (key, token) = (s.key(), s.token(bot));
    s.login(key, &token).unwrap();
    assert_eq!(error(s.call_with_key(key, &request)), "RANDOM_ID_DUPLICATE");

    let mut doubts = s.world.settings().doubts.clone();
    doubts.random_id_scope = RandomIdScope::Login;
    s.world.set_doubts(doubts);
    assert!(s.call_with_key(key, &request).is_ok());
    assert_eq!(error(s.call_with_key(key, &request)), "RANDOM_ID_DUPLICATE");
    let nothing = messages::SendMessage {
        random_id: 0,
        ..request
    };
    assert_eq!(error(s.call(bot, &nothing)), "RANDOM_ID_EMPTY");
}

#[test]
fn a_refused_send_may_be_repeated_with_its_random_id() {
    let mut s = scene_with(|settings| {
        settings.limits = Limits {
            per_chat_burst: 1,
            ..Limits::default()
        };
    });
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.send(bot, to_user(member), "one").unwrap();
    let request = s.text(to_user(member), "two");
    assert_eq!(error(s.call(bot, &request)), "FLOOD_WAIT_1");
    s.pass(1_000);
    assert!(s.call(bot, &request).is_ok());
    let waits = s
        .world
        .drain_events()
        .into_iter()
        .filter(|event| matches!(event, Event::FloodWait { seconds: 1, .. }));
    assert_eq!(waits.count(), 1);
}

#[test]
fn edits_are_not_counted_with_the_sends() {
    let mut s = scene_with(|settings| {
        settings.limits = Limits {
            per_chat_burst: 1,
            ..Limits::default()
        };
    });
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let sent = short(s.send(bot, to_user(member), "0").unwrap());
    for round in 1..=20 {
        assert!(edit(&mut s, bot, to_user(member), sent.id, &round.to_string()).is_ok());
    }
}

fn edit(
    s: &mut Scene,
    bot: UserId,
    peer: enums::InputPeer,
    id: i32,
    text: &str,
) -> Result<enums::Updates, String> {
    let request = messages::EditMessage {
        no_webpage: false,
        invert_media: false,
        peer,
        id,
        message: Some(text.into()),
        media: None,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        quick_reply_shortcut_id: None,
        rich_message: None,
    };
    s.call(bot, &request)
}

#[test]
fn an_edit_shows_on_both_sides_and_must_change_something() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let sent = short(s.send(bot, to_user(member), "before").unwrap());
    s.pass(2_000);
    assert!(edit(&mut s, bot, to_user(member), sent.id, "after").is_ok());
    let view = s
        .world
        .member_view(member, ChatRef::User(bot), None)
        .unwrap();
    assert_eq!(
        (view[1].text.as_str(), view[1].edited_at_ms),
        ("after", Some(2_000))
    );
    assert_eq!(
        error(edit(&mut s, bot, to_user(member), sent.id, "after")),
        "MESSAGE_NOT_MODIFIED"
    );
    assert_eq!(
        error(edit(&mut s, bot, to_user(member), 99, "x")),
        "MESSAGE_ID_INVALID"
    );
    assert_eq!(
        error(edit(&mut s, bot, to_user(member), 1, "x")),
        "MESSAGE_AUTHOR_REQUIRED"
    );
}

#[test]
fn privacy_hides_what_does_not_concern_a_bot_unless_it_is_admin() {
    let mut s = scene();
    let (plain, admin) = (s.bot("plain_bot"), s.bot("admin_bot"));
    let member = s.member();
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member, plain],
        &[(admin, rights)],
    );
    let chat = ChatRef::Channel(group);
    let mut seen_by = |text: &str| {
        s.say(member, chat, text);
        let mut bots: Vec<UserId> = s.pushed().into_iter().map(|(bot, _)| bot).collect();
        bots.sort_unstable();
        bots
    };
    assert_eq!(seen_by("hello all"), [admin]);
    assert_eq!(seen_by("/help"), [plain, admin]);
    assert_eq!(seen_by("/help@admin_bot"), [admin]);
    assert_eq!(seen_by("ask @Plain_Bot, please"), [plain, admin]);
    s.world.set_privacy(plain, false).unwrap();
    s.say(member, chat, "hello again");
    assert_eq!(s.pushed().len(), 2, "without privacy mode it sees all");
    s.world.set_privacy(plain, true).unwrap();
    let sent = s.send(plain, to_channel(group), "an answer").unwrap();
    assert!(s.pushed().is_empty(), "no bot sees another bot's message");
    let enums::Updates::Updates(sent) = sent else {
        panic!("not in full")
    };
    let Some(enums::Update::MessageId(sent)) = sent.updates.first() else {
        panic!("no id")
    };
    let reply = NewMessage {
        text: "thanks".into(),
        reply_to: Some(crate::world::MessageId(sent.id)),
        ..NewMessage::default()
    };
    s.world.member_send(member, chat, reply, s.now).unwrap();
    assert_eq!(
        s.pushed().len(),
        2,
        "a reply to the plain bot reaches it, and the admin"
    );
}

#[test]
fn posting_in_a_broadcast_channel_needs_the_right() {
    let mut s = scene();
    let (poster, reader) = (s.bot("poster_bot"), s.bot("reader_bot"));
    let channel = s.channel(
        ChannelKind::Broadcast,
        &[],
        &[
            (poster, &[Right::PostMessages]),
            (reader, &[Right::DeleteMessages]),
        ],
    );
    assert_eq!(
        error(s.send(reader, to_channel(channel), "hi")),
        "CHAT_ADMIN_REQUIRED"
    );
    assert!(s.send(poster, to_channel(channel), "hi").is_ok());
    let pushed = s.pushed();
    let [(UserId(to), enums::Update::NewChannelMessage(new))] = pushed.as_slice() else {
        panic!("{pushed:?}")
    };
    let enums::Message::Message(post) = &new.message else {
        panic!("not a message")
    };
    assert_eq!(
        (*to, post.post, post.from_id.is_none()),
        (reader.0, true, true)
    );
}

#[test]
fn a_basic_group_has_other_numbers_for_each() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let (one, other) = (s.started(bot), s.member());
    let group = s.channel(ChannelKind::BasicGroup, &[one, other, bot], &[]);
    s.say(one, ChatRef::Channel(group), "/hello");
    assert_eq!(
        s.world
            .member_view(one, ChatRef::Channel(group), None)
            .unwrap()[0]
            .id
            .0,
        2
    );
    assert_eq!(
        s.world
            .member_view(other, ChatRef::Channel(group), None)
            .unwrap()[0]
            .id
            .0,
        1
    );
    let pushed = s.pushed();
    assert!(
        matches!(pushed.as_slice(), [(_, enums::Update::NewMessage(_))]),
        "{pushed:?}"
    );
}

#[test]
fn forwards_name_their_source_or_do_not() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let store = s.channel(
        ChannelKind::Broadcast,
        &[],
        &[(bot, &[Right::PostMessages])],
    );
    s.send(bot, to_channel(store), "the file").unwrap();
    let mut forward = |drop_author| {
        let request = messages::ForwardMessages {
            silent: false,
            background: false,
            with_my_score: false,
            drop_author,
            drop_media_captions: false,
            noforwards: false,
            allow_paid_floodskip: false,
            from_ephemeral: false,
            from_peer: to_channel(store),
            id: vec![2],
            random_id: vec![s.random_id()],
            to_peer: to_user(member),
            top_msg_id: None,
            reply_to: None,
            schedule_date: None,
            schedule_repeat_period: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            video_timestamp: None,
            allow_paid_stars: None,
            suggested_post: None,
        };
        let enums::Updates::Updates(updates) = s.call(bot, &request).unwrap() else {
            panic!("not in full")
        };
        match updates.updates.into_iter().nth(1) {
            Some(enums::Update::NewMessage(types::UpdateNewMessage {
                message: enums::Message::Message(message),
                ..
            })) => message,
            other => panic!("{other:?}"),
        }
    };
    assert!(forward(false).fwd_from.is_some());
    let copy = forward(true);
    assert_eq!((copy.fwd_from, copy.message.as_str()), (None, "the file"));
}

#[test]
fn an_injected_error_comes_before_anything_else() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let fault = RpcFault {
        account: Some(bot),
        method: Some("messages.sendMessage".into()),
        effect: RpcFaultEffect::Error(RpcError::server("RPC_CALL_FAIL")),
        count: Some(1),
        percent: 100.0,
    };
    s.world.add_rpc_fault(5, fault, s.now);
    let request = s.text(to_user(member), "hi");
    assert_eq!(error(s.call(bot, &request)), "RPC_CALL_FAIL");
    assert!(
        s.world
            .drain_events()
            .iter()
            .any(|event| matches!(event, Event::FaultFired { fault: 5, .. }))
    );
    assert!(s.call(bot, &request).is_ok());
}
