//! What is an admin's business, and what may be done with it.

use shared_core::{
    BotId, BoxId, ChannelId, Incoming, IncomingKind, MemberId, MessageId, Nonce, Place, QueryId,
    UnixMs,
};

use crate::admin::{Asked, Command, Judged, Press, asked, is_command, judge};

fn heard(place: Place, what: IncomingKind) -> Incoming {
    Incoming {
        r#box: BoxId::Private(BotId(1)),
        place,
        member: MemberId(5),
        name: "Ada".into(),
        date: UnixMs(0),
        what,
    }
}

fn said(place: Place, text: &str) -> Incoming {
    let what = IncomingKind::Message {
        message: MessageId(9),
        text: text.into(),
        document: None,
        album: None,
        reply_to: None,
        addressed: true,
    };
    heard(place, what)
}

fn pressed(place: Place, data: &str) -> Incoming {
    let what = IncomingKind::Press {
        query: QueryId(3),
        message: MessageId(9),
        data: data.into(),
    };
    heard(place, what)
}

#[test]
fn commands_are_taken_in_private_in_any_spelling_and_nowhere_else() {
    for (text, command) in [
        ("/drstatus", Command::Status),
        (" /DrStatus@any_bot now", Command::Status),
        ("/emergency_recovery", Command::Recovery),
        ("/drhelp\n", Command::Help),
    ] {
        let taken = asked(&said(Place::Private, text));
        assert_eq!(taken, Some(Asked::Command(command)), "{text}");
        let group = Place::Group(ChannelId(8));
        assert_eq!(asked(&said(group, text)), None, "{text} in a group");
    }
    for text in [
        "drstatus",
        "/drstatusx",
        "/status",
        "/",
        "",
        "/start drstatus",
    ] {
        assert_eq!(asked(&said(Place::Private, text)), None, "{text:?}");
    }
    assert!(is_command("DRHELP") && !is_command("help"));
}

#[test]
fn an_edit_is_never_a_command() {
    let edit = IncomingKind::Edit {
        message: MessageId(9),
        text: "/emergency_recovery".into(),
        edit_date: 1,
    };
    assert_eq!(asked(&heard(Place::Private, edit)), None);
}

#[test]
fn buttons_read_back_fit_and_the_conversations_keep_theirs() {
    let nonce = Nonce([0xfe; 8]);
    for press in [
        Press::Refresh,
        Press::Events,
        Press::Switch,
        Press::Confirm(nonce),
        Press::Drop(nonce),
    ] {
        let data = press.to_string();
        assert!(data.len() <= crate::bound::CALLBACK_DATA, "{data}");
        let taken = asked(&pressed(Place::Private, &data));
        assert_eq!(taken, Some(Asked::Press(press)), "{data}");
        assert_eq!(asked(&pressed(Place::Group(ChannelId(8)), &data)), None);
    }
    for data in [
        "dr:",
        "dr:q",
        "dr:c:",
        "dr:c:xyz",
        "dr:c:fefe",
        "dr:c:fefefefefefefefe0",
        "dr:y:fefefefefefefefe",
    ] {
        let taken = asked(&pressed(Place::Private, data));
        assert_eq!(taken, Some(Asked::Forged), "{data}");
    }
    for data in ["u:1:5:d", "", "Dr:s", "drs"] {
        assert_eq!(asked(&pressed(Place::Private, data)), None, "{data}");
    }
}

#[test]
fn strangers_are_nobody_and_old_commands_are_not_obeyed() {
    let now = UnixMs(10_000_000);
    let at = |seconds: i64| UnixMs(now.0 - seconds * 1_000);
    assert_eq!(judge(true, at(120), now), Judged::Go);
    assert_eq!(judge(true, at(121), now), Judged::Old { age_ms: 121_000 });
    assert_eq!(judge(true, at(-30), now), Judged::Go, "clocks differ");
    assert_eq!(judge(false, at(0), now), Judged::Stranger);
    assert_eq!(judge(false, at(500), now), Judged::Stranger);
}
