//! Presses: they reach the bot that sent the button, are answered once, and time out.

use grammers_tl_types as tl;
use tl::functions::{messages, updates};
use tl::{Deserializable, enums};

use crate::world::testing::*;
use crate::world::{Button, ChannelKind, ChatRef, MessageId, PendingId, Right, UserId};

/// A member in front of a bot's message with buttons "yes" and "no".
fn asked(s: &mut Scene) -> (UserId, UserId) {
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let mut request = s.text(to_user(member), "choose");
    request.reply_markup = Some(keyboard(&["yes", "no"]));
    s.call(bot, &request).unwrap();
    (bot, member)
}

fn press(s: &mut Scene, member: UserId, bot: UserId, button: Button) -> Result<PendingId, String> {
    let chat = ChatRef::User(bot);
    s.world
        .member_press(member, chat, MessageId(2), button, s.now)
        .map_err(|error| error.message)
}

fn data(text: &str) -> Button {
    Button::Data(text.as_bytes().to_vec())
}

fn query_of(pushed: &[(UserId, enums::Update)]) -> i64 {
    match pushed {
        [(_, enums::Update::BotCallbackQuery(query))] => query.query_id,
        other => panic!("{other:?}"),
    }
}

fn answer(s: &mut Scene, bot: UserId, query_id: i64, cache_time: i32) -> Result<bool, String> {
    let message = Some("done".to_owned());
    let request = messages::SetBotCallbackAnswer {
        alert: true,
        query_id,
        message,
        url: None,
        cache_time,
    };
    s.call(bot, &request)
}

#[test]
fn an_answer_reaches_the_member_once() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    let id = press(&mut s, member, bot, data("no")).unwrap();
    let pushed = s.pushed();
    let query_id = query_of(&pushed);
    let enums::Update::BotCallbackQuery(query) = &pushed[0].1 else {
        panic!("no query")
    };
    assert_eq!(
        (query.msg_id, query.data.as_deref(), query.user_id),
        (2, Some(&b"no"[..]), member.0)
    );
    assert_eq!(answer(&mut s, bot, query_id, 0), Ok(true));
    let finished = s.world.drain_finished(s.now);
    let [(finished_id, Ok(bytes))] = finished.as_slice() else {
        panic!("{finished:?}")
    };
    let enums::messages::BotCallbackAnswer::Answer(got) =
        enums::messages::BotCallbackAnswer::from_bytes(bytes).unwrap();
    assert_eq!(
        (*finished_id, got.alert, got.message.as_deref()),
        (id, true, Some("done"))
    );
    assert_eq!(
        answer(&mut s, bot, query_id, 0),
        Err("QUERY_ID_INVALID".into())
    );
}

#[test]
fn nobody_answers_for_another_bot() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    let thief = s.bot("thief_bot");
    press(&mut s, member, bot, Button::At { row: 0, col: 0 }).unwrap();
    let query_id = query_of(&s.pushed());
    assert_eq!(
        answer(&mut s, thief, query_id, 0),
        Err("QUERY_ID_INVALID".into())
    );
}

#[test]
fn an_unanswered_press_times_out_at_its_deadline() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    let id = press(&mut s, member, bot, data("yes")).unwrap();
    let query_id = query_of(&s.pushed());
    assert_eq!(s.world.next_deadline(), Some(15_000));
    s.pass(14_999);
    assert!(s.world.drain_finished(s.now).is_empty());
    s.pass(1);
    let finished = s.world.drain_finished(s.now);
    assert!(
        matches!(finished.as_slice(), [(got, Err(error))] if *got == id && error.message == "BOT_RESPONSE_TIMEOUT")
    );
    assert_eq!(
        answer(&mut s, bot, query_id, 0),
        Err("QUERY_ID_INVALID".into())
    );
    assert_eq!(s.world.next_deadline(), None);
}

#[test]
fn a_dead_bots_button_times_out_and_is_not_pushed() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    s.world.delete_bot(bot).unwrap();
    press(&mut s, member, bot, data("yes")).unwrap();
    assert!(s.pushed().is_empty());
    s.pass(15_000);
    assert!(matches!(
        s.world.drain_finished(s.now).as_slice(),
        [(_, Err(_))]
    ));
}

#[test]
fn only_buttons_that_are_there_can_be_pressed() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    assert_eq!(
        press(&mut s, member, bot, data("maybe")),
        Err("DATA_INVALID".into())
    );
    assert_eq!(
        press(&mut s, member, bot, Button::At { row: 1, col: 0 }),
        Err("DATA_INVALID".into())
    );
    assert!(press(&mut s, member, bot, Button::Forged(b"maybe".to_vec())).is_ok());
    let own = s
        .world
        .member_press(member, ChatRef::User(bot), MessageId(1), data("yes"), s.now);
    assert_eq!(own.unwrap_err().message, "MESSAGE_ID_INVALID");
}

#[test]
fn a_cached_answer_needs_no_bot() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    press(&mut s, member, bot, data("yes")).unwrap();
    let query_id = query_of(&s.pushed());
    answer(&mut s, bot, query_id, 60).unwrap();
    s.world.drain_finished(s.now);
    s.pass(59_000);
    press(&mut s, member, bot, data("yes")).unwrap();
    assert!(s.pushed().is_empty());
    assert_eq!(s.world.next_deadline(), Some(0));
    assert!(matches!(
        s.world.drain_finished(s.now).as_slice(),
        [(_, Ok(_))]
    ));
    s.pass(1_000);
    press(&mut s, member, bot, data("yes")).unwrap();
    assert_eq!(s.pushed().len(), 1);
}

#[test]
fn a_press_in_a_group_goes_to_the_bot_that_sent_the_button_only() {
    let mut s = scene();
    let (one, other) = (s.bot("one_bot"), s.bot("other_bot"));
    let member = s.member();
    let rights: &[Right] = &[Right::DeleteMessages];
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member],
        &[(one, rights), (other, rights)],
    );
    let mut request = s.text(to_channel(group), "choose");
    request.reply_markup = Some(keyboard(&["yes"]));
    s.call(one, &request).unwrap();
    s.pushed();
    s.world
        .member_press(
            member,
            ChatRef::Channel(group),
            MessageId(2),
            data("yes"),
            s.now,
        )
        .unwrap();
    let pushed = s.pushed();
    assert!(
        matches!(pushed.as_slice(), [(bot, enums::Update::BotCallbackQuery(_))] if *bot == one),
        "{pushed:?}"
    );
}

#[test]
fn a_difference_replays_presses_by_doubt_only() {
    let mut s = scene();
    let (bot, member) = asked(&mut s);
    press(&mut s, member, bot, data("yes")).unwrap();
    let pts = s.pts(bot);
    assert!(matches!(
        s.difference(bot, pts),
        enums::updates::Difference::Empty(_)
    ));
    let mut doubts = s.world.settings().doubts.clone();
    doubts.difference_replays_presses = true;
    doubts.seq_on_presses = true;
    s.world.set_doubts(doubts);
    let enums::updates::Difference::Difference(difference) = s.difference(bot, pts) else {
        panic!("empty")
    };
    assert!(matches!(
        difference.other_updates.as_slice(),
        [enums::Update::BotCallbackQuery(_)]
    ));
    press(&mut s, member, bot, data("no")).unwrap();
    let enums::updates::State::State(state) = s.call(bot, &updates::GetState {}).unwrap();
    assert_eq!(state.seq, 1);
}
