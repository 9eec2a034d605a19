//! Whatever happens, in whatever order: no panic, and the invariants that `talk.rs` holds every step against.

use proptest::prelude::*;
use shared_core::{IncomingKind, MessageId};

use super::talk::{Talk, document};
use crate::Event;

#[derive(Debug, Clone)]
enum Act {
    Say(String),
    File {
        name: String,
        bytes: u64,
        album: Option<i64>,
    },
    /// A button of the latest keyboard.
    Press(usize),
    /// A button of some earlier keyboard, or made up.
    PressData(String),
    PressOld(usize),
    Edit(i32, String),
    Stored(u32),
    Lost(u32),
    Resumed,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z 🎓]{0,30}",
        2 => Just("🎓".repeat(2000)),
        1 => Just("x".repeat(4096)),
        1 => Just("How to paint\n\na sky".to_owned()),
        1 => any::<String>(),
        1 => prop::sample::select(vec![
            "/start", "/start upload", "/help", "/cancel", "/resume", "/upload", "/what", "/",
            "@second_bot", "/upload@other_bot", "/ban",
        ])
        .prop_map(str::to_owned),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => text().prop_map(Act::Say),
        4 => ("[a-z]{0,300}", 0..(6u64 << 20), prop::option::of(0..3i64))
            .prop_map(|(name, bytes, album)| Act::File { name, bytes, album }),
        12 => (0..20usize).prop_map(Act::Press),
        1 => any::<String>().prop_map(Act::PressData),
        2 => (0..200usize).prop_map(Act::PressOld),
        2 => (1..30i32, text()).prop_map(|(message, text)| Act::Edit(message, text)),
        5 => (1..6u32).prop_map(Act::Stored),
        2 => (1..6u32).prop_map(Act::Lost),
        2 => Just(Act::Resumed),
    ]
}

fn perform(talk: &mut Talk, seen: &mut Vec<String>, act: Act) {
    match act {
        Act::Say(text) => drop(talk.say(&text)),
        Act::File { name, bytes, album } => {
            let mut what = talk.message("", Some(document(&name, bytes)));
            if let IncomingKind::Message { album: id, .. } = &mut what {
                *id = album;
            }
            talk.happen(what);
        }
        Act::Press(at) => {
            let labels = talk.labels();
            if let Some(label) = labels.get(at % labels.len().max(1)) {
                talk.press(label);
            }
        }
        Act::PressData(data) => drop(talk.press_data(&data)),
        Act::PressOld(at) => {
            if let Some(data) = seen.get(at % seen.len().max(1)).cloned() {
                talk.press_data(&data);
            }
        }
        Act::Edit(message, text) => drop(talk.edit(MessageId(message), &text)),
        Act::Stored(file) => {
            let at = MessageId(500);
            talk.event(&Event::FileStored { file, at });
        }
        Act::Lost(file) => drop(talk.event(&Event::FileLost { file })),
        Act::Resumed => drop(talk.event(&Event::Resumed)),
    }
    seen.extend(talk.labels().iter().map(|label| talk.data(label)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_an_invariant(
        group in any::<bool>(),
        start in prop::sample::select(vec!["", "Title", "Category", "Files", "Review"]),
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut talk = if group { Talk::group() } else { Talk::private() };
        if !start.is_empty() {
            talk.walk_to(start);
        }
        let mut seen = Vec::new();
        for act in acts {
            perform(&mut talk, &mut seen, act);
        }
    }

    #[test]
    fn a_press_of_an_earlier_prompt_never_changes_anything(
        acts in prop::collection::vec(act(), 1..40),
        at in 0..1000usize,
    ) {
        let mut talk = Talk::at("Category");
        let mut seen = Vec::new();
        for act in acts {
            perform(&mut talk, &mut seen, act);
        }
        let alive: Vec<String> = talk.labels().iter().map(|label| talk.data(label)).collect();
        let nonce = |data: &str| data.split(':').nth(1).map(str::to_owned);
        let live = talk.json()["n"].as_u64().map(|n| format!("{n:x}"));
        let dead: Vec<&String> = seen.iter().filter(|data| nonce(data) != live).collect();
        if let Some(data) = dead.get(at % dead.len().max(1)) {
            let before = talk.dialogue.clone();
            prop_assert_eq!(talk.press_data(data), "");
            prop_assert_eq!(&talk.dialogue, &before);
            prop_assert!(!alive.contains(data));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever became of the files: while one is on its way neither Done nor Skip does anything, and else both lead to a review of
    /// just those that are stored, and to a record of them.
    #[test]
    fn the_files_step_is_left_with_what_is_stored(
        acts in prop::collection::vec((0..4u8, 1..8u32), 0..12),
        skip in any::<bool>(),
    ) {
        let mut talk = Talk::at("Files");
        for (act, file) in acts {
            let at = MessageId(500);
            match act {
                0 | 1 => drop(talk.send_file(&format!("{file}.pdf"), 9)),
                2 => drop(talk.event(&Event::FileStored { file, at })),
                _ => drop(talk.event(&Event::FileLost { file })),
            }
        }
        let files = talk.json()["o"]["u"]["f"].as_array().cloned().unwrap_or_default();
        let pending = files.iter().any(|file| file["s"] == "p");
        let stored: Vec<String> = files
            .iter()
            .filter(|file| file["s"].is_object())
            .map(|file| file["t"].as_str().unwrap().to_owned())
            .collect();
        let back = talk.data("Back");
        let (head, _) = back.rsplit_once(':').unwrap();
        let before = talk.dialogue.clone();
        let said = talk.press_data(&format!("{head}:{}", if skip { "s" } else { "d" }));
        if pending {
            prop_assert_eq!(said, "");
            prop_assert_eq!(&talk.dialogue, &before);
            let answer = talk.answer();
            prop_assert_eq!(answer.as_deref(), Some("A file is still on its way. One moment, please."));
        } else {
            let shown = if stored.is_empty() { "none".to_owned() } else { stored.join("; ") };
            let line = format!("Files: {shown}");
            prop_assert!(said.starts_with("Step 6/6: Review\n") && said.lines().any(|l| l == line), "{}", said);
            talk.press("Submit");
            prop_assert_eq!(talk.records_files(), Some(stored));
        }
    }

    /// The prompt of the step offers Done if a file is stored, Skip if none is, neither while one is on its way.
    #[test]
    fn the_files_step_offers_one_way_on(acts in prop::collection::vec(act(), 0..30)) {
        let mut talk = Talk::at("Files");
        let mut seen = Vec::new();
        for act in acts {
            perform(&mut talk, &mut seen, act);
        }
        talk.say("/resume");
        let upload = talk.json()["o"]["u"].clone();
        if upload["s"] == "f" {
            let files = upload["f"].as_array().cloned().unwrap_or_default();
            let pending = files.iter().any(|file| file["s"] == "p");
            let stored = files.iter().any(|file| file["s"].is_object());
            let labels = talk.labels();
            prop_assert_eq!(labels.contains(&"Done".into()), stored && !pending);
            prop_assert_eq!(labels.contains(&"Skip".into()), !stored && !pending);
        }
    }
}

/// The widest card that the rules allow: the question at the end is still there.
#[test]
fn the_longest_review_keeps_its_question() {
    let mut talk = Talk::private();
    talk.catalog.tags = (0..90)
        .map(|n| format!("{n:02}{}", "🎓".repeat(38)))
        .collect();
    talk.catalog.categories = vec!["🎓".repeat(40)];
    talk.catalog.max_files = 50;
    talk.catalog.validate().unwrap();
    talk.say("/upload");
    talk.say(&"🎓".repeat(120));
    talk.say(&"🎓".repeat(2000));
    let title = talk.last_message();
    talk.press(
        &"🎓"
            .repeat(40)
            .chars()
            .take(31)
            .chain(['…'])
            .collect::<String>(),
    );
    for tag in talk.labels().into_iter().take(90) {
        talk.press(&tag);
    }
    talk.press("Done");
    for n in 0..50 {
        talk.store(&format!("{n}{}", "x".repeat(250)));
    }
    let review = talk.press("Done");
    assert!(review.ends_with("Submit hands the course in."), "{review}");
    let corrected = talk.edit(title, &"🎓".repeat(1999));
    assert!(
        corrected.ends_with("Submit hands the course in."),
        "{corrected}"
    );
    talk.previous = Some("first_bot");
    let resumed = talk.event(&Event::Resumed);
    assert!(
        resumed.ends_with("Submit hands the course in."),
        "{resumed}"
    );
    talk.press("Submit");
    assert!(!talk.dialogue.is_open());
}
