//! The course upload, step by step: what goes in, and the text that comes out.

use shared_core::{ConversationKey, MessageId, Priority, Telling};

use super::talk::{BROADCAST, MEMBER, Talk};
use crate::{Effect, Event, RecordDraft, To, event_of_letter};

#[test]
fn a_course_that_cannot_be_kept_is_not_taken_and_stays_with_its_member() {
    let mut talk = Talk::at("Review");
    talk.records_full = true;
    let before = talk.dialogue.clone();
    talk.press("Submit");
    let told = talk.answer().unwrap();
    assert!(told.starts_with("Not handed in yet"), "{told}");
    assert_eq!(talk.dialogue, before);
    assert_eq!((talk.records_files(), talk.post()), (None, None));
    talk.records_full = false;
    assert!(talk.press("Submit").starts_with("✓ Submitted"));
}

#[test]
fn every_step_confirms_what_it_took_and_asks_for_the_next() {
    let mut talk = Talk::private();
    assert_eq!(
        talk.say("/upload"),
        "Step 1/6: Title\nPlease send the title of the course, 3 to 120 characters."
    );
    assert!(talk.labels().is_empty(), "the first step has no buttons");
    assert_eq!(
        talk.say("  Watercolours\n for all "),
        "✓ Title: Watercolours for all\n\nStep 2/6: Description\nPlease describe the course in 10 to 2000 characters."
    );
    assert_eq!(talk.labels(), ["Back"]);
    assert_eq!(
        talk.say("How to paint\na sky"),
        "✓ Description: How to paint a sky\n\nStep 3/6: Category\nPlease choose a category."
    );
    assert_eq!(talk.labels(), ["Art", "Music", "Science", "Back"]);
    assert_eq!(
        talk.press("Music"),
        "✓ Category: Music\n\nStep 4/6: Tags\nChoose the tags that fit, then press Done. Skip leaves them out."
    );
    assert_eq!(
        talk.edited(),
        Some(("Chosen category: Music".into(), None)),
        "the pressed message loses its buttons"
    );
    assert_eq!(
        talk.labels(),
        ["free", "video", "text", "Done", "Skip", "Back"]
    );
    assert_eq!(talk.press("text"), "", "a tag is toggled in place");
    assert_eq!(talk.press("free"), "");
    assert_eq!(talk.labels()[..3], ["✓ free", "video", "✓ text"]);
    assert_eq!(
        talk.press("Done"),
        "✓ Tags: free, text\n\nStep 5/6: Files\nPlease send the files of the course as documents, at most 3, each up to 5 MB.\nSkip leaves them out."
    );
    assert_eq!(
        talk.labels(),
        ["Skip", "Back"],
        "Done comes with the first file"
    );
    let stored = talk.store("sky.pdf");
    assert!(
        stored.starts_with("✓ File 1: sky.pdf\n\nStep 5/6: Files\n"),
        "{stored}"
    );
    assert!(stored.ends_with("\nStored: 1 of 3."), "{stored}");
    assert_eq!(talk.labels(), ["Done", "Back", "Remove last"]);
    assert!(talk.store("sea.pdf").starts_with("✓ File 2: sea.pdf\n\n"));
    assert_eq!(
        talk.press("Done"),
        "Step 6/6: Review\nTitle: Watercolours for all\nDescription: How to paint a sky\nCategory: Music\nTags: free, text\nFiles: sky.pdf; sea.pdf\nIs everything right? Submit hands the course in."
    );
}

#[test]
fn submitting_records_the_course_posts_it_and_says_so() {
    let mut talk = Talk::at("Review");
    let said = talk.press("Submit");
    assert_eq!(said.lines().next(), Some("✓ Submitted: Watercolours"));
    assert!(!talk.dialogue.is_open());
    let drafts = talk.effects.iter().filter_map(|effect| match effect {
        Effect::Record(draft) => Some(draft.clone()),
        _ => None,
    });
    assert_eq!(
        drafts.collect::<Vec<_>>(),
        [RecordDraft::Course {
            title: "Watercolours".into(),
            description: "How to paint a sky".into(),
            category: "Art".into(),
            tags: vec!["free".into()],
            files: vec![("sky.pdf".into(), 1000, MessageId(501))],
        }]
    );
    let posts = talk.effects.iter().filter_map(|effect| match effect {
        Effect::Say {
            text,
            to: To::Broadcast(BROADCAST),
            priority: Priority::Announcement,
            keyboard: None,
            quote: None,
        } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(
        posts.collect::<Vec<_>>(),
        ["New course: Watercolours\nHow to paint a sky\nCategory: Art\nTags: free\nFiles: sky.pdf"]
    );
}

#[test]
fn without_a_broadcast_channel_nothing_is_posted() {
    let mut talk = Talk::at("Review");
    talk.catalog.broadcast = None;
    talk.press("Submit");
    assert_eq!(talk.effects.len(), 3, "{:?}", talk.effects);
}

#[test]
fn skipping_the_tags_leaves_none() {
    let mut talk = Talk::at("Tags");
    talk.press("video");
    assert!(talk.press("Skip").starts_with("✓ Tags: none\n\nStep 5/6"));
    let mut talk = Talk::at("Tags");
    assert!(talk.press("Done").starts_with("✓ Tags: none\n\nStep 5/6"));
    talk.store("sky.pdf");
    assert!(talk.press("Done").contains("\nTags: none\n"));
}

#[test]
fn a_course_may_have_no_files() {
    let mut talk = Talk::at("Files");
    assert_eq!(
        talk.press("Skip"),
        "Step 6/6: Review\nTitle: Watercolours\nDescription: How to paint a sky\nCategory: Art\nTags: free\nFiles: none\nIs everything right? Submit hands the course in."
    );
    let said = talk.press("Submit");
    assert_eq!(said.lines().next(), Some("✓ Submitted: Watercolours"));
    assert!(!talk.dialogue.is_open());
    assert_eq!(talk.records_files(), Some(vec![]));
    assert_eq!(
        talk.post().as_deref(),
        Some(
            "New course: Watercolours\nHow to paint a sky\nCategory: Art\nTags: free\nFiles: none"
        )
    );
}

#[test]
fn files_are_named_none_only_after_they_were_asked_for() {
    let mut talk = Talk::at("Files");
    assert!(!talk.say("/resume").contains("\nFiles: "));
    talk.press("Skip");
    talk.press("Change title");
    assert!(talk.say("/resume").contains("\nFiles: none\n"));
}

#[test]
fn files_can_be_added_to_a_course_without_and_taken_from_one_with() {
    let mut talk = Talk::at("Files");
    talk.press("Skip");
    talk.press("Change files");
    assert_eq!(talk.labels(), ["Skip", "Back"]);
    talk.store("sky.pdf");
    assert!(talk.press("Done").contains("\nFiles: sky.pdf\n"));
    talk.press("Change files");
    talk.press("Remove last");
    assert!(talk.press("Skip").contains("\nFiles: none\n"));
}

#[test]
fn skip_goes_on_without_what_is_lost_when_nothing_is_stored() {
    let mut talk = Talk::at("Files");
    talk.send_file("a.pdf", 9);
    let a = talk.file_on_its_way();
    let said = talk.event(&Event::FileLost { file: a });
    assert!(said.ends_with("(Skip goes on without): a.pdf"), "{said}");
    assert_eq!(talk.labels(), ["Skip", "Back", "Remove last"]);
    assert!(talk.press("Skip").contains("\nFiles: none\n"));
    let at = MessageId(9);
    assert_eq!(talk.event(&Event::FileStored { file: a, at }), "");
    talk.press("Submit");
    assert_eq!(talk.records_files(), Some(vec![]));
}

#[test]
fn a_lost_file_is_not_left_out_of_a_submission_unasked() {
    let mut talk = Talk::at("Files");
    talk.press("Skip");
    talk.press("Change files");
    talk.send_file("a.pdf", 9);
    let file = talk.file_on_its_way();
    talk.event(&Event::FileLost { file });
    assert!(talk.press("Back").starts_with("Step 6/6: Review\n"));
    let said = talk.press("Submit");
    assert!(
        said.starts_with("Something is missing; it is asked for here.\n\nStep 5/6: Files\n"),
        "{said}"
    );
    assert!(said.ends_with("(Skip goes on without): a.pdf"), "{said}");
}

#[test]
fn back_goes_one_step_back_and_keeps_what_was_entered() {
    let mut talk = Talk::at("Review");
    for heading in [
        "Step 5/6: Files",
        "Step 4/6: Tags",
        "Step 3/6: Category",
        "Step 2/6: Description",
        "Step 1/6: Title",
    ] {
        let said = talk.press("Back");
        assert_eq!(said.lines().next(), Some(heading));
    }
    assert_eq!(talk.labels(), ["Skip"], "the title is there to be kept");
    assert!(
        talk.press("Skip")
            .starts_with("✓ Title: Watercolours\n\nStep 2/6")
    );
    assert_eq!(talk.labels(), ["Skip", "Back"]);
    assert!(
        talk.press("Skip")
            .starts_with("✓ Description: How to paint a sky\n\nStep 3/6")
    );
    assert_eq!(talk.labels(), ["✓ Art", "Music", "Science", "Back"]);
    assert!(
        talk.press("✓ Art")
            .starts_with("✓ Category: Art\n\nStep 4/6")
    );
    assert!(talk.press("Done").starts_with("✓ Tags: free\n\nStep 5/6"));
    assert!(talk.press("Done").contains("\nFiles: sky.pdf\n"));
}

#[test]
fn each_field_can_be_changed_from_the_review() {
    type Act = fn(&mut Talk) -> String;
    let change: [(&str, &str, Act, &str); 5] = [
        (
            "Change title",
            "Step 1/6",
            |t| t.say("Oil paint"),
            "Title: Oil paint",
        ),
        (
            "Change description",
            "Step 2/6",
            |t| t.say("How to paint the sea"),
            "Description: How to paint the sea",
        ),
        (
            "Change category",
            "Step 3/6",
            |t| t.press("Music"),
            "Category: Music",
        ),
        (
            "Change tags",
            "Step 4/6",
            |t| {
                t.press("✓ free");
                t.press("video");
                t.press("Done")
            },
            "Tags: video",
        ),
        (
            "Change files",
            "Step 5/6",
            |t| {
                t.press("Remove last");
                t.store("sea.pdf");
                t.press("Done")
            },
            "Files: sea.pdf",
        ),
    ];
    for (button, heading, act, line) in change {
        let mut talk = Talk::at("Review");
        let asked = talk.press(button);
        assert!(asked.starts_with(heading), "{button}: {asked}");
        assert!(talk.labels().contains(&"Back".into()), "{button}");
        let review = act(&mut talk);
        assert!(review.contains("Step 6/6: Review"), "{button}: {review}");
        assert!(review.lines().any(|l| l == line), "{button}: {review}");

        let mut talk = Talk::at("Review");
        talk.press(button);
        let review = talk.press("Back");
        assert!(review.starts_with("Step 6/6: Review"), "{button}: {review}");
    }
}

#[test]
fn a_file_counts_once_it_is_stored() {
    let mut talk = Talk::at("Files");
    assert_eq!(talk.send_file("sky.pdf", 1000), "", "nothing is said yet");
    let file = talk.file_on_its_way();
    assert_eq!(
        talk.effects,
        [Effect::StoreFile {
            from: talk.r#box(),
            message: talk.last_message(),
            to: super::talk::STORAGE,
            file,
        }]
    );
    talk.say("hello?");
    assert_eq!(
        talk.labels(),
        ["Back"],
        "no way on while a file is on its way"
    );
    let at = MessageId(9);
    let stored = Event::FileStored { file, at };
    assert!(talk.event(&stored).starts_with("✓ File 1: sky.pdf\n\n"));
    assert_eq!(talk.event(&stored), "", "it is confirmed once");
    let lost = Event::FileLost { file };
    assert_eq!(talk.event(&lost), "", "what is stored is not lost any more");
}

#[test]
fn an_album_is_a_file_a_step() {
    let mut talk = Talk::at("Files");
    let mut numbers = Vec::new();
    for name in ["a.pdf", "b.pdf", "c.pdf"] {
        assert_eq!(talk.send_album_item(name, 44), "");
        numbers.push(talk.file_on_its_way());
    }
    for (file, line) in
        numbers
            .iter()
            .zip(["✓ File 1: a.pdf", "✓ File 2: b.pdf", "✓ File 3: c.pdf"])
    {
        let at = MessageId(9);
        let said = talk.event(&Event::FileStored { file: *file, at });
        assert_eq!(said.lines().next(), Some(line));
        let last = *file == numbers[2];
        assert_eq!(talk.labels().contains(&"Done".into()), last);
        assert_eq!(said.contains("On the way: "), !last, "{said}");
    }
}

#[test]
fn a_lost_file_is_asked_for_by_name_and_takes_its_place_again() {
    let mut talk = Talk::at("Files");
    talk.send_file("a.pdf", 9);
    let a = talk.file_on_its_way();
    talk.store("b.pdf");
    let said = talk.event(&Event::FileLost { file: a });
    assert!(
        said.starts_with("File 1 did not arrive. Please send it again: a.pdf\n\nStep 5/6: Files\n"),
        "{said}"
    );
    assert!(said.ends_with("(Done goes on without): a.pdf"), "{said}");
    assert_eq!(talk.event(&Event::FileLost { file: a }), "");
    assert!(talk.store("a.pdf").starts_with("✓ File 1: a.pdf\n\n"));
    assert!(talk.press("Done").contains("\nFiles: a.pdf; b.pdf\n"));
}

/// The storage channel refused it until it was given up: nothing waits for it any more, and what an operator sends on again is taken all the same.
#[test]
fn a_file_that_was_given_up_holds_up_nothing_and_is_taken_when_it_comes_after_all() {
    let mut talk = Talk::at("Files");
    talk.store("a.pdf");
    talk.send_file("b.pdf", 9);
    let file = talk.file_on_its_way();
    let own = ConversationKey::private(MEMBER);
    let given_up = || event_of_letter(own, Telling::FileLost { file });
    let said = talk.event(&given_up());
    assert!(
        said.starts_with("File 2 did not arrive. Please send it again: b.pdf\n"),
        "{said}"
    );
    assert_eq!(talk.labels(), ["Done", "Back", "Remove last"]);
    assert_eq!(talk.event(&given_up()), "", "once");
    let at = MessageId(9);
    let said = talk.event(&Event::FileStored { file, at });
    assert!(said.starts_with("✓ File 2: b.pdf\n"), "{said}");
    assert_eq!(talk.event(&given_up()), "", "it is there");
    assert!(talk.press("Done").contains("\nFiles: a.pdf; b.pdf\n"));
}

#[test]
fn done_goes_on_without_what_is_lost() {
    let mut talk = Talk::at("Files");
    talk.store("b.pdf");
    talk.send_file("a.pdf", 9);
    let a = talk.file_on_its_way();
    talk.event(&Event::FileLost { file: a });
    assert!(talk.press("Done").contains("\nFiles: b.pdf\n"));
    let at = MessageId(9);
    assert_eq!(talk.event(&Event::FileStored { file: a, at }), "");
}

#[test]
fn a_file_of_a_dropped_upload_never_meets_the_next_one() {
    let mut talk = Talk::at("Files");
    talk.send_file("old.pdf", 9);
    let old = talk.file_on_its_way();
    talk.say("/cancel");
    talk.walk_to("Files");
    talk.send_file("new.pdf", 9);
    assert_ne!(talk.file_on_its_way(), old);
    let at = MessageId(9);
    assert_eq!(talk.event(&Event::FileStored { file: old, at }), "");
    assert_eq!(talk.json()["o"]["u"]["f"][0]["s"], "p");
}

#[test]
fn an_edit_of_the_accepted_message_corrects_the_field() {
    let mut talk = Talk::at("Title");
    talk.say("Watercolors");
    let title = talk.last_message();
    talk.say("How to paint a sky");
    let description = talk.last_message();
    assert!(
        talk.edit(title, "Watercolours")
            .starts_with("✓ Title: Watercolours\n\nStep 3/6: Category\n")
    );
    assert!(
        talk.edit(description, "How to paint the sea")
            .starts_with("✓ Description: How to paint the sea\n\nStep 3/6: Category\n")
    );
    assert_eq!(talk.edit(title, "Watercolours "), "", "it says the same");
    let other = MessageId(title.0 - 1);
    assert_eq!(
        talk.edit(other, "/uploaded"),
        "",
        "no answer came from there"
    );
    assert_eq!(
        talk.edit(title, "W").lines().next(),
        Some("Your edit was not taken. A title has 3 to 120 characters; this one has 1.")
    );
    talk.press("Art");
    talk.press("Done");
    talk.store("sky.pdf");
    let review = talk.press("Done");
    assert!(review.contains("\nTitle: Watercolours\nDescription: How to paint the sea\n"));
    talk.press("Submit");
    assert_eq!(talk.edit(title, "Too late"), "");
}

#[test]
fn an_edit_of_the_message_that_broke_a_rule_is_the_answer() {
    let mut talk = Talk::at("Title");
    talk.say("W");
    let refused = talk.last_message();
    assert!(
        talk.edit(refused, "Watercolours")
            .starts_with("✓ Title: Watercolours\n\nStep 2/6")
    );
}
