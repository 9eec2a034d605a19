//! Access hashes, who is known to whom, ids of users and channels.

use grammers_tl_types as tl;
use tl::functions::{channels, contacts, messages, users};
use tl::{enums, types};

use crate::world::testing::*;
use crate::world::{Caller, ChannelKind, ChatRef, Event, Outcome, RpcError, UserId};

fn by_hash(user: UserId, access_hash: i64) -> enums::InputPeer {
    types::InputPeerUser {
        user_id: user.0,
        access_hash,
    }
    .into()
}

#[test]
fn a_hash_is_good_for_its_own_bot_only() {
    let mut s = scene();
    let (one, other) = (s.bot("one_bot"), s.bot("other_bot"));
    let member = s.started(one);
    s.start(member, other);
    let hash = s.world.hashes.user(one, member);
    assert!(s.send(one, by_hash(member, hash), "hi").is_ok());
    assert_eq!(
        s.send(other, by_hash(member, hash), "hi").unwrap_err(),
        "PEER_ID_INVALID"
    );
    assert!(s.send(other, by_hash(member, 0), "hi").is_ok());
}

#[test]
fn hash_zero_names_only_whom_a_bot_has_met() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let input = types::InputUser {
        user_id: member.0,
        access_hash: 0,
    };
    let request = users::GetUsers {
        id: vec![input.into()],
    };
    assert!(matches!(
        s.call(bot, &request).unwrap().as_slice(),
        [enums::User::Empty(_)]
    ));
    let group = s.channel(ChannelKind::Supergroup, &[member, bot], &[]);
    s.say(member, ChatRef::Channel(group), "/seen");
    assert!(matches!(
        s.call(bot, &request).unwrap().as_slice(),
        [enums::User::User(_)]
    ));
}

#[test]
fn hash_zero_names_only_channels_that_a_bot_is_in() {
    let mut s = scene();
    let (inside, outside) = (s.bot("inside_bot"), s.bot("outside_bot"));
    let member = s.member();
    let group = s.channel(ChannelKind::Supergroup, &[member, inside], &[]);
    let request = channels::GetChannels {
        id: vec![input_channel(group)],
    };
    let enums::messages::Chats::Chats(chats) = s.call(inside, &request).unwrap() else {
        panic!("a slice")
    };
    assert!(matches!(chats.chats.as_slice(), [enums::Chat::Channel(_)]));
    assert_eq!(s.call(outside, &request).unwrap_err(), "CHANNEL_INVALID");
    let stolen = types::InputChannel {
        channel_id: group.0,
        access_hash: s.world.hashes.channel(inside, group),
    };
    let request = channels::GetChannels {
        id: vec![stolen.into()],
    };
    assert_eq!(s.call(outside, &request).unwrap_err(), "CHANNEL_INVALID");
}

#[test]
fn a_removed_bot_sees_a_forbidden_channel() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let group = s.channel(ChannelKind::Supergroup, &[member, bot], &[]);
    s.world.set_membership(group, bot, false, s.now).unwrap();
    let request = channels::GetChannels {
        id: vec![input_channel(group)],
    };
    let enums::messages::Chats::Chats(chats) = s.call(bot, &request).unwrap() else {
        panic!("a slice")
    };
    assert!(matches!(
        chats.chats.as_slice(),
        [enums::Chat::ChannelForbidden(_)]
    ));
    assert_eq!(
        s.send(bot, to_channel(group), "hi").unwrap_err(),
        "CHANNEL_PRIVATE"
    );
}

#[test]
fn bots_cannot_look_around() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let group = s.channel(ChannelKind::Supergroup, &[bot], &[]);
    let join = channels::JoinChannel {
        channel: input_channel(group),
    };
    assert_eq!(s.call(bot, &join).unwrap_err(), "BOT_METHOD_INVALID");
    let history = messages::GetHistory {
        peer: to_channel(group),
        offset_id: 0,
        offset_date: 0,
        add_offset: 0,
        limit: 10,
        max_id: 0,
        min_id: 0,
        hash: 0,
    };
    assert_eq!(s.call(bot, &history).unwrap_err(), "BOT_METHOD_INVALID");
}

#[test]
fn usernames_resolve_two_hundred_times_a_day() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.world.add_member("Ada", Some("ada_l")).unwrap().id;
    let request = contacts::ResolveUsername {
        username: "ADA_L".into(),
        referer: None,
    };
    let enums::contacts::ResolvedPeer::Peer(found) = s.call(bot, &request).unwrap();
    assert!(matches!(found.peer, enums::Peer::User(user) if user.user_id == member.0));
    for _ in 1..200 {
        s.call(bot, &request).unwrap();
    }
    assert_eq!(s.call(bot, &request).unwrap_err(), "FLOOD_WAIT_86400");
}

#[test]
fn a_start_link_carries_a_checked_payload() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let mut start = |payload: &str| {
        s.world
            .member_start(member, bot, Some(payload), s.now)
            .err()
    };
    assert_eq!(start("dGhpcyBpcw_-9"), None);
    assert_eq!(
        start("no spaces").map(|error| error.message).as_deref(),
        Some("START_PARAM_INVALID")
    );
    assert_eq!(
        start(&"a".repeat(65)).map(|error| error.message).as_deref(),
        Some("START_PARAM_INVALID")
    );
    let view = s
        .world
        .member_view(member, ChatRef::User(bot), None)
        .unwrap();
    assert_eq!(view[0].text, "/start dGhpcyBpcw_-9");
}

#[test]
fn what_the_simulator_does_not_speak_is_said_aloud() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let refused = s
        .call(bot, &tl::functions::help::GetCdnConfig {})
        .unwrap_err();
    assert!(refused.starts_with("INPUT_METHOD_INVALID_"), "{refused}");
    let events = s.world.drain_events();
    let told = events
        .iter()
        .any(|event| matches!(event, Event::UnknownMethod { method, .. } if method == "help.getCdnConfig"));
    assert!(told, "{events:?}");
}

#[test]
fn a_call_that_cannot_be_read_is_refused() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let mut caller = Caller {
        connection: 1,
        auth_key_id: s.key_of(bot),
        session_id: 1,
        layer: 230,
        account: None,
    };
    let request = s.text(to_user(bot), "cut off");
    let whole = tl::Serializable::to_bytes(&request);
    let mut refusal = |body: &[u8]| s.world.call(&mut caller, body, s.now);
    let fetch_error = Outcome::Reply(Err(RpcError::bad_request("INPUT_FETCH_ERROR")));
    assert_eq!(refusal(&whole[..whole.len() - 8]), fetch_error);
    assert_eq!(refusal(&[1, 2]), fetch_error);
}
