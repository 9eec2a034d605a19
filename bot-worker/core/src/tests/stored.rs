//! The stored form: its size, and that what older programs wrote is read.

use shared_core::{Admission, BotId, BoxId, Envelope, MessageId, QueryId, UpdateId};

use super::talk::Talk;
use crate::Dialogue;

/// Format 1 of the envelope: whole event ids. Must be read for as long as any conversation may be stored so.
const V1: &str = "9\n{\"f\":1,\"w\":{\"m\":[[\"b7\",41]]},\"s\":{\"v\":1,\"n\":12,\"k\":2,\"o\":{\"u\":{\"s\":\"f\",\"b\":true,\"t\":{\"t\":\"Watercolours\",\"m\":[\"b7\",2]},\"d\":{\"t\":\"How to paint a sky\",\"m\":[\"c800\",3]},\"c\":\"Art\",\"g\":[\"free\"],\"f\":[{\"n\":1,\"t\":\"sky.pdf\",\"b\":1000,\"s\":{\"s\":501}},{\"n\":2,\"t\":\"sea.pdf\",\"b\":9,\"s\":\"p\"},{\"n\":3,\"t\":\"old.pdf\",\"b\":9,\"s\":\"l\"}],\"r\":[\"b7\",4],\"a\":44}},\"w\":{\"n\":\"Anna\",\"m\":[\"c800\",40]}}}";

/// Format 2 of the dialogue, when he was last invited, in format 1 of the envelope.
const V2: &str = "9\n{\"f\":1,\"w\":{\"m\":[[\"b7\",41]]},\"s\":{\"v\":2,\"n\":12,\"k\":2,\"o\":{\"u\":{\"s\":\"f\",\"b\":true,\"t\":{\"t\":\"Watercolours\",\"m\":[\"b7\",2]},\"d\":{\"t\":\"How to paint a sky\",\"m\":[\"c800\",3]},\"c\":\"Art\",\"g\":[\"free\"],\"f\":[{\"n\":1,\"t\":\"sky.pdf\",\"b\":1000,\"s\":{\"s\":501}},{\"n\":2,\"t\":\"sea.pdf\",\"b\":9,\"s\":\"p\"},{\"n\":3,\"t\":\"old.pdf\",\"b\":9,\"s\":\"l\"}],\"r\":[\"b7\",4],\"a\":44}},\"w\":{\"n\":\"Anna\",\"m\":[\"c800\",40]},\"i\":1700000000000}}";

/// The same as this program writes it, format 3 of the dialogue in format 2 of the envelope: texts are pairs, and messages of the box that he last wrote
/// in are numbers.
const PRESENT: &str = "9\n{\"f\":2,\"w\":{\"m\":[[\"b7\",41]]},\"s\":{\"v\":3,\"n\":12,\"k\":2,\"o\":{\"u\":{\"s\":\"f\",\"b\":true,\"t\":[\"Watercolours\",2],\"d\":[\"How to paint a sky\",[\"c800\",3]],\"c\":\"Art\",\"g\":[\"free\"],\"f\":[{\"n\":1,\"t\":\"sky.pdf\",\"b\":1000,\"s\":{\"s\":501}},{\"n\":2,\"t\":\"sea.pdf\",\"b\":9,\"s\":\"p\"},{\"n\":3,\"t\":\"old.pdf\",\"b\":9,\"s\":\"l\"}],\"r\":4,\"a\":44}},\"w\":{\"n\":\"Anna\",\"m\":[\"c800\",40]},\"i\":1700000000000}}";

#[test]
fn every_older_format_is_lifted_and_the_present_one_is_what_is_written() {
    let old = Envelope::<Dialogue>::decode(V2).unwrap();
    assert!(old.state.is_open());
    assert_eq!(old.encode().unwrap(), PRESENT);
    let envelope = Envelope::<Dialogue>::decode(PRESENT).unwrap();
    assert_eq!(envelope, old);
    assert_eq!(
        envelope.encode().unwrap(),
        PRESENT,
        "written back as it was"
    );
}

#[test]
fn format_1_is_lifted_with_nobody_invited() {
    let envelope = Envelope::<Dialogue>::decode(V1).unwrap();
    let written = envelope.encode().unwrap();
    assert_eq!(written, PRESENT.replace(",\"i\":1700000000000", ""));
    assert_eq!(Envelope::<Dialogue>::decode(&written).unwrap(), envelope);
}

#[test]
fn a_format_1_conversation_goes_on() {
    let mut talk = Talk::private();
    talk.dialogue = Envelope::<Dialogue>::decode(V1).unwrap().state;
    let at = MessageId(502);
    let said = talk.event(&crate::Event::FileStored { file: 2, at });
    assert!(said.starts_with("✓ File 2: sea.pdf\n"), "{said}");
    assert!(said.contains("old.pdf"), "{said}");
    let review = talk.press("Done");
    assert!(review.contains("Step 6/6: Review\n"), "{review}");
    assert!(review.contains("\nFiles: sky.pdf; sea.pdf\n"), "{review}");
}

#[test]
fn a_newer_format_is_refused_without_its_content() {
    for version in ["4", "0"] {
        let stored =
            format!("1\n{{\"f\":1,\"w\":{{}},\"s\":{{\"v\":{version},\"n\":1,\"secret\":1}}}}");
        let error = Envelope::<Dialogue>::decode(&stored).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = serde_json::from_str::<Dialogue>("{\"v\":4,\"n\":1}").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the stored dialogue has format 4, this program reads 1 to 3"),
        "{error}"
    );
}

fn size(talk: &Talk) -> usize {
    let mut envelope = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    let message = UpdateId::Message {
        r#box: BoxId::Private(BotId(7_000_000_001)),
        message: MessageId(123_456),
    };
    assert_eq!(envelope.marks.admit(&message), Admission::New);
    envelope.encode().unwrap().len()
}

#[test]
fn a_conversation_is_small() {
    let mut talk = Talk::private();
    talk.bot = BotId(7_000_000_001);
    assert!(size(&talk) < 100, "never talked: {} bytes", size(&talk));
    talk.say("/upload");
    talk.say("#17-1 Watercolours for everybody who has a brush");
    talk.say(&"How to paint a sky. ".repeat(15));
    talk.press("Art");
    for tag in ["free", "video", "text"] {
        talk.press(tag);
    }
    talk.press("Done");
    talk.store("17-5 watercolours part 1.pdf");
    talk.store("17-6 watercolours part 2.pdf");
    talk.press("Done");
    assert!(size(&talk) < 1200, "in the review: {} bytes", size(&talk));
    talk.press("Submit");
    assert!(size(&talk) < 200, "finished: {} bytes", size(&talk));
}

/// With full rings of whatever a tombstone keeps: twenty boxes, the last presses, and what it was told.
#[test]
fn a_finished_member_with_full_rings_stays_below_500_bytes_without_its_boxes() {
    let mut talk = Talk::at("Review");
    talk.now = shared_core::UnixMs(1_764_000_000_000);
    talk.press("Submit");
    let mut envelope = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    for number in 0..40 {
        let event = shared_core::EventId([number; 16]);
        envelope.marks.admit(&UpdateId::Told { event });
        envelope.marks.admit(&UpdateId::Internal { event });
    }
    for query in 0..40 {
        let press = UpdateId::Press {
            query: QueryId(1_234_567_890_123_456_000 + query),
        };
        envelope.marks.admit(&press);
    }
    envelope.marks.rest();
    let size = envelope.encode().unwrap().len();
    assert!(size < 500, "{size} bytes");
}
