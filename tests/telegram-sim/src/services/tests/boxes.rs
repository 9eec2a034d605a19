//! Boxes: pts in updates, answers and differences agree; slices and "too long"; who shares which sequence.

use grammers_tl_types as tl;
use tl::functions::{messages, updates};
use tl::{enums, types};

use crate::world::testing::*;
use crate::world::{Bounds, ChannelKind, ChatRef, MessageId, Right};

#[test]
fn every_change_of_a_private_chat_is_one_pts_and_comes_in_order() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let from = s.pts(bot);
    let chat = ChatRef::User(bot);
    let first = s.say(member, chat, "one");
    let second = s.say(member, chat, "two");
    s.world
        .member_edit(member, chat, first, "one!", s.now)
        .unwrap();
    s.world
        .member_delete(member, chat, &[second], s.now)
        .unwrap();
    let pts: Vec<i32> = s
        .pushed()
        .into_iter()
        .map(|(_, update)| match update {
            enums::Update::NewMessage(update) => update.pts,
            enums::Update::EditMessage(update) => update.pts,
            enums::Update::DeleteMessages(update) => update.pts,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pts, [from + 1, from + 2, from + 3, from + 4]);
    assert_eq!(s.pts(bot), from + 4);
}

#[test]
fn who_writes_to_a_bot_is_told_where_it_has_that() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.send(bot, to_user(member), "own").unwrap();
    s.pushed();
    let words = || crate::world::NewMessage {
        text: "two".into(),
        ..crate::world::NewMessage::default()
    };
    let sent = s
        .world
        .member_send(member, ChatRef::User(bot), words(), s.now);
    let received = sent.unwrap().received;
    let pushed = s.pushed();
    let [(_, enums::Update::NewMessage(pushed))] = pushed.as_slice() else {
        panic!("{pushed:?}")
    };
    assert_eq!(
        received
            .iter()
            .map(|it| (it.message_id.0, it.pts))
            .collect::<Vec<_>>(),
        [(pushed.message.id(), pushed.pts)]
    );
    let group = s.channel(ChannelKind::Supergroup, &[member], &[]);
    let sent = s
        .world
        .member_send(member, ChatRef::Channel(group), words(), s.now);
    assert_eq!(sent.unwrap().received, []);
}

#[test]
fn a_difference_shows_the_present_and_leaves_out_the_deleted() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let from = s.pts(bot);
    let chat = ChatRef::User(bot);
    let first = s.say(member, chat, "one");
    let second = s.say(member, chat, "two");
    s.send(bot, to_user(member), "own").unwrap();
    s.world
        .member_edit(member, chat, first, "one!", s.now)
        .unwrap();
    s.world
        .member_delete(member, chat, &[second], s.now)
        .unwrap();
    let enums::updates::Difference::Difference(difference) = s.difference(bot, from) else {
        panic!("not all")
    };
    assert_eq!(texts(&difference.new_messages), ["one!", "own"]);
    let own = &difference.new_messages[1];
    assert!(matches!(own, enums::Message::Message(message) if message.out));
    assert!(matches!(
        difference.other_updates.as_slice(),
        [enums::Update::EditMessage(_), enums::Update::DeleteMessages(gone)] if gone.messages == [3]
    ));
    let enums::updates::State::State(state) = difference.state;
    assert_eq!(state.pts, from + 5);
    assert!(matches!(
        s.difference(bot, from + 5),
        enums::updates::Difference::Empty(_)
    ));
}

#[test]
fn a_long_difference_is_sliced_and_the_slices_add_up() {
    let mut s = scene_with(|settings| {
        settings.bounds = Bounds {
            difference_slice: 4,
            ..Bounds::default()
        };
    });
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let mut pts = s.pts(bot);
    for number in 0..10 {
        s.say(member, ChatRef::User(bot), &number.to_string());
    }
    let mut got = Vec::new();
    let mut slices = 0;
    loop {
        match s.difference(bot, pts) {
            enums::updates::Difference::Slice(slice) => {
                let enums::updates::State::State(state) = slice.intermediate_state;
                got.extend(texts(&slice.new_messages).into_iter().map(str::to_owned));
                assert_eq!(state.pts, pts + 4);
                pts = state.pts;
                slices += 1;
            }
            enums::updates::Difference::Difference(rest) => {
                got.extend(texts(&rest.new_messages).into_iter().map(str::to_owned));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(slices, 2);
    assert_eq!(got.concat(), "0123456789");
}

#[test]
fn updates_are_kept_for_a_day() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let from = s.pts(bot);
    s.say(member, ChatRef::User(bot), "old");
    s.pass(24 * 3_600 * 1_000 + 1);
    s.say(member, ChatRef::User(bot), "fresh");
    assert!(matches!(
        s.difference(bot, from),
        enums::updates::Difference::TooLong(types::updates::DifferenceTooLong { pts }) if pts == from + 2
    ));
    assert!(matches!(
        s.difference(bot, from + 1),
        enums::updates::Difference::Difference(_)
    ));
}

#[test]
fn bots_of_one_channel_share_its_pts_and_continue_for_each_other() {
    let mut s = scene();
    let (one, other) = (s.bot("one_bot"), s.bot("other_bot"));
    let member = s.member();
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member],
        &[(one, rights), (other, rights)],
    );
    let from = s.world.channel_view(group).unwrap().pts;
    s.say(member, ChatRef::Channel(group), "first");
    let pushed = s.pushed();
    let pts: Vec<(i64, i32)> = pushed
        .iter()
        .map(|(bot, update)| match update {
            enums::Update::NewChannelMessage(new) => (bot.0, new.pts),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pts, [(one.0, from + 1), (other.0, from + 1)]);
    s.say(member, ChatRef::Channel(group), "second");
    let rest = s.channel_difference(other, group, from + 1, 100).unwrap();
    let enums::updates::ChannelDifference::Difference(rest) = rest else {
        panic!("{rest:?}")
    };
    assert_eq!(
        (texts(&rest.new_messages), rest.pts, rest.r#final),
        (vec!["second"], from + 2, true)
    );
}

#[test]
fn a_channel_difference_is_sliced_by_limit() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member],
        &[(bot, &[Right::DeleteMessages])],
    );
    let from = s.world.channel_view(group).unwrap().pts;
    for number in 0..5 {
        s.say(member, ChatRef::Channel(group), &number.to_string());
    }
    let first = s.channel_difference(bot, group, from, 3).unwrap();
    let enums::updates::ChannelDifference::Difference(first) = first else {
        panic!("{first:?}")
    };
    assert_eq!(
        (
            texts(&first.new_messages).concat(),
            first.pts,
            first.r#final
        ),
        ("012".into(), from + 3, false)
    );
    let rest = s.channel_difference(bot, group, first.pts, 3).unwrap();
    let enums::updates::ChannelDifference::Difference(rest) = rest else {
        panic!("{rest:?}")
    };
    assert_eq!(
        (texts(&rest.new_messages).concat(), rest.r#final),
        ("34".into(), true)
    );
    assert!(matches!(
        s.channel_difference(bot, group, rest.pts, 3).unwrap(),
        enums::updates::ChannelDifference::Empty(_)
    ));
}

#[test]
fn too_far_behind_a_channel_is_too_long() {
    let mut s = scene_with(|settings| {
        settings.bounds = Bounds {
            channel_too_long: 3,
            ..Bounds::default()
        };
    });
    let bot = s.bot("a_bot");
    let member = s.member();
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member],
        &[(bot, &[Right::DeleteMessages])],
    );
    let from = s.world.channel_view(group).unwrap().pts;
    for number in 0..4 {
        s.say(member, ChatRef::Channel(group), &number.to_string());
    }
    let difference = s.channel_difference(bot, group, from, 100).unwrap();
    let enums::updates::ChannelDifference::TooLong(too_long) = difference else {
        panic!("{difference:?}")
    };
    let enums::Dialog::Dialog(dialog) = too_long.dialog else {
        panic!("no dialog")
    };
    assert_eq!(dialog.pts, Some(from + 4));
}

#[test]
fn who_is_not_in_a_channel_gets_no_difference() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let group = s.channel(ChannelKind::Supergroup, &[member, bot], &[]);
    assert!(s.channel_difference(bot, group, 1, 10).is_ok());
    s.world.set_membership(group, bot, false, s.now).unwrap();
    assert_eq!(
        s.channel_difference(bot, group, 1, 10).unwrap_err(),
        "CHANNEL_PRIVATE"
    );
    let stranger = s.bot("stranger_bot");
    assert_eq!(
        s.channel_difference(stranger, group, 1, 10).unwrap_err(),
        "CHANNEL_INVALID"
    );
}

#[test]
fn an_unseen_message_moves_the_channels_pts_without_a_message() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.member();
    let group = s.channel(ChannelKind::Supergroup, &[member, bot], &[]);
    let from = s.world.channel_view(group).unwrap().pts;
    s.say(member, ChatRef::Channel(group), "between people");
    let difference = s.channel_difference(bot, group, from, 10).unwrap();
    assert!(matches!(
        difference,
        enums::updates::ChannelDifference::Empty(types::updates::ChannelDifferenceEmpty { pts, .. })
            if pts == from + 1
    ));
}

#[test]
fn a_difference_names_the_channels_that_changed_meanwhile() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(ChannelKind::Supergroup, &[member], &[(bot, rights)]);
    s.channel(ChannelKind::Supergroup, &[member], &[(bot, rights)]);
    s.pass(10_000);
    let date = s.now.date();
    let pts = s.pts(bot);
    s.pass(10_000);
    s.say(member, ChatRef::Channel(group), "news");
    let request = updates::GetDifference {
        pts,
        pts_limit: None,
        pts_total_limit: None,
        date,
        qts: i32::MAX,
        qts_limit: None,
    };
    let difference = s.call(bot, &request).unwrap();
    let enums::updates::Difference::Difference(difference) = difference else {
        panic!("{difference:?}")
    };
    assert!(matches!(
        difference.other_updates.as_slice(),
        [enums::Update::ChannelTooLong(named)] if named.channel_id == group.0
    ));
}

#[test]
fn blocking_a_bot_comes_in_the_secondary_sequence() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.world.member_block(member, bot, true, s.now).unwrap();
    let pushed = s.pushed();
    let [(_, enums::Update::BotStopped(stopped))] = pushed.as_slice() else {
        panic!("{pushed:?}")
    };
    assert_eq!(
        (stopped.user_id, stopped.stopped, stopped.qts),
        (member.0, true, 1)
    );
    let request = updates::GetDifference {
        pts: s.pts(bot),
        pts_limit: None,
        pts_total_limit: None,
        date: i32::MAX,
        qts: 0,
        qts_limit: None,
    };
    let difference = s.call(bot, &request).unwrap();
    let enums::updates::Difference::Difference(difference) = difference else {
        panic!("{difference:?}")
    };
    assert!(matches!(
        difference.other_updates.as_slice(),
        [enums::Update::BotStopped(_)]
    ));
}

#[test]
fn deleting_counts_what_was_there_once() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.send(bot, to_user(member), "one").unwrap();
    let before = s.pts(bot);
    let mut delete = |ids: &[i32]| {
        let request = messages::DeleteMessages {
            revoke: true,
            id: ids.to_vec(),
        };
        let enums::messages::AffectedMessages::Messages(affected) = s.call(bot, &request).unwrap();
        (affected.pts, affected.pts_count)
    };
    assert_eq!(delete(&[1, 2, 2, 77]), (before + 2, 2));
    assert_eq!(delete(&[1, 2]), (before + 2, 0));
    assert!(
        s.world
            .member_view(member, ChatRef::User(bot), None)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_member_sees_only_what_is_after() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.send(bot, to_user(member), "one").unwrap();
    s.send(bot, to_user(member), "two").unwrap();
    let view = s
        .world
        .member_view(member, ChatRef::User(bot), Some(MessageId(2)))
        .unwrap();
    assert_eq!(
        view.iter()
            .map(|message| message.text.as_str())
            .collect::<Vec<_>>(),
        ["two"]
    );
}

#[test]
fn a_heavy_difference_is_sliced_by_weight() {
    let mut s = scene_with(|settings| {
        settings.bounds = Bounds {
            slice_bytes: 10_000,
            ..Bounds::default()
        };
    });
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(ChannelKind::Supergroup, &[member], &[(bot, rights)]);
    let (own, shared) = (s.pts(bot), s.world.channel_view(group).unwrap().pts);
    for _ in 0..3 {
        s.say(member, ChatRef::User(bot), &"x".repeat(4_000));
        s.say(member, ChatRef::Channel(group), &"x".repeat(4_000));
    }
    let enums::updates::Difference::Slice(slice) = s.difference(bot, own) else {
        panic!("not sliced")
    };
    let enums::updates::State::State(state) = slice.intermediate_state;
    assert_eq!((slice.new_messages.len(), state.pts), (2, own + 2));
    let difference = s.channel_difference(bot, group, shared, 100).unwrap();
    let enums::updates::ChannelDifference::Difference(slice) = difference else {
        panic!("{difference:?}")
    };
    assert_eq!(
        (slice.new_messages.len(), slice.pts, slice.r#final),
        (2, shared + 2, false)
    );
}
