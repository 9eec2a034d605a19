//! What people's clients read: dialogs in pages, histories, differences; and that bots read none of it.

use grammers_tl_types as tl;
use tl::enums;
use tl::functions::{channels, messages, updates};

use crate::world::testing::*;
use crate::world::{ChatRef, UserId};

fn dialogs(offset: Option<(i32, i32, enums::InputPeer)>, limit: i32) -> messages::GetDialogs {
    let (offset_date, offset_id, offset_peer) = offset.unwrap_or((0, 0, enums::InputPeer::Empty));
    messages::GetDialogs {
        exclude_pinned: false,
        folder_id: None,
        offset_date,
        offset_id,
        offset_peer,
        limit,
        hash: 0,
    }
}

fn history(peer: enums::InputPeer, limit: i32) -> messages::GetHistory {
    messages::GetHistory {
        peer,
        offset_id: 0,
        offset_date: 0,
        add_offset: 0,
        limit,
        max_id: 0,
        min_id: 0,
        hash: 0,
    }
}

#[test]
fn dialogs_come_in_pages_that_join_without_gap_or_overlap() {
    let mut s = scene();
    let member = s.member();
    let bots: Vec<UserId> = (0..5).map(|at| s.bot(&format!("n{at}_bot"))).collect();
    for bot in &bots {
        // All within one second: only the chat itself tells where a page ended.
        s.start(member, *bot);
    }
    s.device(member);
    let mut seen = Vec::new();
    let mut offset = None;
    loop {
        let (page, messages, users) = match s.call(member, &dialogs(offset.take(), 2)).unwrap() {
            enums::messages::Dialogs::Slice(slice) => {
                assert_eq!(slice.count, 5);
                (slice.dialogs, slice.messages, slice.users)
            }
            other => panic!("{other:?}"),
        };
        let page: Vec<tl::types::Dialog> = page
            .into_iter()
            .map(|dialog| match dialog {
                enums::Dialog::Dialog(dialog) => dialog,
                other => panic!("{other:?}"),
            })
            .collect();
        let Some(last) = page.last() else { break };
        assert_eq!(
            (page.len(), users.len()),
            (messages.len(), messages.len() + 1)
        );
        let date = messages.last().map(|message| match message {
            enums::Message::Message(message) => message.date,
            other => panic!("{other:?}"),
        });
        seen.extend(page.iter().map(|dialog| dialog.peer.clone()));
        let enums::Peer::User(peer) = &last.peer else {
            panic!("a user")
        };
        let peer = tl::types::InputPeerUser {
            user_id: peer.user_id,
            access_hash: s.world.hashes.user(member, UserId(peer.user_id)),
        };
        offset = Some((date.unwrap(), last.top_message, peer.into()));
    }
    let wanted: Vec<enums::Peer> = bots
        .iter()
        .rev()
        .map(|bot| tl::types::PeerUser { user_id: bot.0 }.into())
        .collect();
    assert_eq!(seen, wanted);
}

#[test]
fn a_box_remembers_from_the_first_login_on() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.device(member);
    let pts = s.pts(member);
    s.send(bot, to_user(member), "one").unwrap();
    s.device(member);
    s.send(bot, to_user(member), "two").unwrap();
    let enums::updates::Difference::Difference(missed) = s.difference(member, pts) else {
        panic!("two messages were missed")
    };
    assert_eq!(texts(&missed.new_messages), ["one", "two"]);
    assert!(matches!(
        s.difference(member, pts - 1),
        enums::updates::Difference::TooLong(_)
    ));
}

#[test]
fn notes_to_oneself_are_there_once() {
    let mut s = scene();
    let member = s.member();
    s.device(member);
    s.send(member, enums::InputPeer::PeerSelf, "remember")
        .unwrap();
    let page = s
        .call(member, &history(enums::InputPeer::PeerSelf, 10))
        .unwrap();
    let enums::messages::Messages::Messages(page) = page else {
        panic!("{page:?}")
    };
    assert_eq!(texts(&page.messages), ["remember"]);
    assert_eq!(
        s.world
            .member_view(member, ChatRef::User(member), None)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_chat_is_cleared_in_bounded_steps_on_one_side_or_on_both() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    s.device(member);
    for at in 1..150 {
        s.send(bot, to_user(member), &format!("{at}")).unwrap();
    }
    let peer: enums::InputPeer = tl::types::InputPeerUser {
        user_id: bot.0,
        access_hash: s.world.hashes.user(member, bot),
    }
    .into();
    let clear = |s: &mut Scene, max_id: i32, revoke: bool| {
        let request = messages::DeleteHistory {
            just_clear: false,
            revoke,
            peer: peer.clone(),
            max_id,
            min_date: None,
            max_date: None,
        };
        let enums::messages::AffectedHistory::History(gone) = s.call(member, &request).unwrap();
        (gone.pts_count, gone.offset)
    };
    assert_eq!(clear(&mut s, 10, true), (10, 0));
    assert_eq!(clear(&mut s, 0, false), (100, 40));
    assert_eq!(clear(&mut s, 0, false), (40, 0));
    assert_eq!(clear(&mut s, 0, false), (0, 0));
    let bots_side = s.call(
        bot,
        &messages::GetMessages {
            id: [10, 11]
                .map(|id| tl::types::InputMessageId { id }.into())
                .to_vec(),
        },
    );
    let enums::messages::Messages::Messages(bots_side) = bots_side.unwrap() else {
        panic!("all of them")
    };
    assert!(matches!(
        bots_side.messages.as_slice(),
        [enums::Message::Empty(_), enums::Message::Message(_)]
    ));
}

#[test]
fn bots_do_not_look_around() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let invalid = Err("BOT_METHOD_INVALID".to_owned());
    assert_eq!(s.call(bot, &dialogs(None, 1)).map(drop), invalid);
    assert_eq!(s.call(bot, &history(to_user(member), 1)).map(drop), invalid);
    let join = channels::JoinChannel {
        channel: enums::InputChannel::Empty,
    };
    assert_eq!(s.call(bot, &join).map(drop), invalid);
    s.call(bot, &updates::GetState {}).unwrap();
}
