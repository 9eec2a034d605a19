//! Members over MTProto: several devices, the same effects as over the control API, and what only bots may do.

use grammers_tl_types as tl;
use tl::functions::{channels, contacts, messages, updates};
use tl::{enums, types};

use crate::world::testing::*;
use crate::world::{
    Caller, ChannelKind, ChatRef, Event, NewChannel, Outcome, Right, Settings, UserId, World,
};

/// A bot, and a member who has started it, on one device.
fn pair(s: &mut Scene) -> (UserId, UserId) {
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.device(member);
    s.world.drain_events();
    (bot, member)
}

/// As this member names the user.
fn named(world: &World, member: UserId, user: UserId) -> enums::InputPeer {
    types::InputPeerUser {
        user_id: user.0,
        access_hash: world.hashes.user(member, user),
    }
    .into()
}

fn open_group(s: &mut Scene, name: &str) -> (crate::world::ChannelId, UserId) {
    let owner = s.member();
    let new = NewChannel {
        title: "Open".into(),
        kind: ChannelKind::Supergroup,
        username: Some(name.into()),
        members: vec![owner],
        admins: Vec::new(),
    };
    let id = s.world.add_channel(new, s.now).unwrap();
    (id, owner)
}

#[test]
fn every_device_is_told_but_the_one_that_acts() {
    let mut s = scene();
    let (bot, member) = pair(&mut s);
    s.device(member);
    let to = named(&s.world, member, bot);
    s.send(member, to, "from the phone").unwrap();
    let pushes = s.world.drain_pushes();
    let to: Vec<(UserId, Option<u64>)> = pushes
        .iter()
        .map(|push| (push.account, push.except_connection))
        .collect();
    assert_eq!(to, [(bot, None), (member, Some(1))]);
    // Over the control API no connection acts: all of them are told.
    s.say(member, ChatRef::User(bot), "from elsewhere");
    let to: Vec<_> = s.world.drain_pushes();
    assert!(to.iter().all(|push| push.except_connection.is_none()));
    assert_eq!(to.len(), 2);
}

#[test]
fn only_people_get_a_device() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let key = s.key();
    let refused = s.world.log_in_member(key, bot).unwrap_err();
    assert_eq!(refused.message, "USER_INVALID");
    let refused = s.world.log_in_member(key, UserId(1)).unwrap_err();
    assert_eq!(refused.message, "PEER_ID_INVALID");
    assert_eq!(
        s.call_with_key(key, &updates::GetState {}),
        Err("AUTH_KEY_UNREGISTERED".into())
    );
}

#[test]
fn a_message_over_mtproto_is_the_one_that_the_control_api_would_send() {
    let mut s = scene();
    let (bot, member) = pair(&mut s);
    let mut request = s.text(named(&s.world, member, bot), "/help me");
    request.reply_markup = Some(keyboard(&["mine"]));
    s.call(member, &request).unwrap();
    let over_mtproto = s.world.drain_events();
    s.world.drain_pushes();
    s.say(member, ChatRef::User(bot), "/help me");
    let over_control = s.world.drain_events();
    let [
        Event::MessageSent {
            random_id,
            has_keyboard,
            ..
        },
    ] = over_mtproto.as_slice()
    else {
        panic!("{over_mtproto:?}")
    };
    assert_eq!(
        (*random_id, *has_keyboard),
        (Some(request.random_id), false)
    );
    assert_eq!(over_control.len(), 1);
    let enums::updates::Difference::Difference(missed) = s.difference(bot, 2) else {
        panic!("two messages were missed")
    };
    let entities: Vec<_> = missed
        .new_messages
        .iter()
        .map(|message| match message {
            enums::Message::Message(message) => message.entities.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(entities.len(), 2);
    assert_eq!(entities[0], entities[1]);
    assert!(matches!(
        entities[0].as_deref(),
        Some([enums::MessageEntity::BotCommand(_)])
    ));
    assert_eq!(s.call(member, &request), Err("RANDOM_ID_DUPLICATE".into()));
}

#[test]
fn people_name_whom_they_know_and_have_no_send_limits() {
    let mut s = scene_with(|settings: &mut Settings| {
        settings.limits.enabled = true;
        settings.limits.per_chat_burst = 1;
    });
    let (bot, member) = pair(&mut s);
    assert_eq!(
        s.send(member, to_user(bot), "with hash 0"),
        Err("PEER_ID_INVALID".into())
    );
    for _ in 0..5 {
        let to = named(&s.world, member, bot);
        s.send(member, to, "fast").unwrap();
    }
}

#[test]
fn start_needs_a_payload_and_an_unblocked_bot() {
    let mut s = scene();
    let (bot, member) = pair(&mut s);
    let start = |s: &mut Scene, start_param: &str| {
        let access_hash = s.world.hashes.user(member, bot);
        let user_id = bot.0;
        let request = messages::StartBot {
            bot: types::InputUser {
                user_id,
                access_hash,
            }
            .into(),
            peer: named(&s.world, member, bot),
            random_id: s.random_id(),
            start_param: start_param.into(),
        };
        s.call(member, &request).map(drop)
    };
    assert_eq!(start(&mut s, ""), Err("START_PARAM_EMPTY".into()));
    assert_eq!(start(&mut s, "a b"), Err("START_PARAM_INVALID".into()));
    start(&mut s, "abc").unwrap();
    let view = s
        .world
        .member_view(member, ChatRef::User(bot), None)
        .unwrap();
    assert_eq!(view.last().unwrap().text, "/start abc");
    let block = contacts::Block {
        my_stories_from: false,
        id: named(&s.world, member, bot),
    };
    assert_eq!(s.call(member, &block), Ok(true));
    assert_eq!(start(&mut s, "abc"), Err("YOU_BLOCKED_USER".into()));
    assert_eq!(
        s.send(bot, to_user(member), "hello?"),
        Err("USER_IS_BLOCKED".into())
    );
}

#[test]
fn a_press_waits_for_the_bot() {
    let mut s = scene();
    let (bot, member) = pair(&mut s);
    let mut asked = s.text(to_user(member), "choose");
    asked.reply_markup = Some(keyboard(&["yes"]));
    s.call(bot, &asked).unwrap();
    s.pushed();
    let request = messages::GetBotCallbackAnswer {
        game: false,
        peer: named(&s.world, member, bot),
        msg_id: 2,
        data: Some(b"yes".to_vec()),
        password: None,
    };
    let mut caller = Caller {
        connection: 1,
        auth_key_id: s.key_of(member),
        session_id: 1,
        layer: tl::LAYER,
        account: None,
    };
    let body = tl::Serializable::to_bytes(&request);
    let Outcome::Later(id) = s.world.call(&mut caller, &body, s.now) else {
        panic!("answered at once")
    };
    let pushed = s.pushed();
    let [(_, enums::Update::BotCallbackQuery(query))] = pushed.as_slice() else {
        panic!("{pushed:?}")
    };
    let answer = messages::SetBotCallbackAnswer {
        alert: false,
        query_id: query.query_id,
        message: Some("thanks".into()),
        url: None,
        cache_time: 0,
    };
    assert_eq!(s.call(member, &answer), Err("USER_BOT_REQUIRED".into()));
    assert!(s.world.drain_finished(s.now).is_empty());
    s.call(bot, &answer).unwrap();
    let finished = s.world.drain_finished(s.now);
    assert!(matches!(finished.as_slice(), [(one, Ok(_))] if *one == id));
}

#[test]
fn what_is_public_is_joined_and_what_is_not_is_not() {
    let mut s = scene();
    let member = s.member();
    s.device(member);
    let (open, owner) = open_group(&mut s, "open_group");
    let closed = s.channel(ChannelKind::Supergroup, &[owner], &[]);
    let join = |s: &mut Scene, id: crate::world::ChannelId| {
        let access_hash = s.world.hashes.channel(member, id);
        let channel_id = id.0;
        let channel = types::InputChannel {
            channel_id,
            access_hash,
        }
        .into();
        s.call(member, &channels::JoinChannel { channel }).map(drop)
    };
    assert_eq!(join(&mut s, closed), Err("CHANNEL_PRIVATE".into()));
    join(&mut s, open).unwrap();
    assert_eq!(join(&mut s, open), Err("USER_ALREADY_PARTICIPANT".into()));
    let joined = s.world.drain_events();
    let told = |event: &Event| matches!(event, Event::MembershipChanged { channel, user, member: true } if *channel == open && *user == member);
    assert!(joined.iter().any(told), "{joined:?}");
    s.world.set_membership(open, member, false, s.now).unwrap();
    assert_eq!(join(&mut s, open), Err("CHANNEL_PRIVATE".into()));
}

#[test]
fn members_of_a_group_are_told_of_everything_in_it() {
    let mut s = scene();
    let (bot, member) = pair(&mut s);
    let other = s.member();
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member, other, bot],
        &[(bot, rights)],
    );
    let sent = s.say(other, ChatRef::Channel(group), "hello");
    s.world
        .member_edit(other, ChatRef::Channel(group), sent, "hello all", s.now)
        .unwrap();
    s.world
        .member_delete(other, ChatRef::Channel(group), &[sent], s.now)
        .unwrap();
    let kinds: Vec<&str> = s
        .pushed()
        .iter()
        .filter(|(account, _)| *account == member)
        .map(|(_, update)| match update {
            enums::Update::NewChannelMessage(_) => "new",
            enums::Update::EditChannelMessage(_) => "edit",
            enums::Update::DeleteChannelMessages(_) => "delete",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["new", "edit", "delete"]);
}
