//! What a bot's message says, read the way a member reads it.
//!
//! The worker's texts keep a small contract (confirmations start with `✓`, prompts carry `Step n/6: Name`, a message after a switch starts
//! with `↻`, the review card has one line a field); everything else is decoration and is not looked at. Nothing is shared with the
//! worker's code: what a member cannot see does not exist here.

/// The six steps of a course upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Title,
    Description,
    Category,
    Tags,
    Files,
    Review,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::Title,
        Self::Description,
        Self::Category,
        Self::Tags,
        Self::Files,
        Self::Review,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "Title",
            Self::Description => "Description",
            Self::Category => "Category",
            Self::Tags => "Tags",
            Self::Files => "Files",
            Self::Review => "Review",
        }
    }
}

/// One `✓` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    Title(String),
    /// The first 200 characters of it.
    Description(String),
    Category(String),
    Tags(Vec<String>),
    File(String),
    Submitted(String),
}

/// The fields of a course that a message lists; `None` where it has no such line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub tags: Option<Vec<String>>,
    pub files: Option<Vec<String>>,
}

/// A bot's message, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Another bot goes on: the first line starts with `↻`.
    pub resumed: bool,
    /// The bot kept something that he wrote to it and does not act on it; it shows where he stands.
    pub not_taken: bool,
    pub confirmed: Vec<Confirmed>,
    pub prompt: Option<Step>,
    pub card: Card,
    /// The upload was dropped.
    pub cancelled: bool,
    /// It tells all that is known, as it does when it is asked to.
    pub so_far: bool,
}

impl Said {
    /// Part of the conversation, as opposed to a greeting or a standby's pointer to the active bot.
    pub fn is_conversation(&self) -> bool {
        !self.confirmed.is_empty() || self.prompt.is_some() || self.cancelled
    }

    /// Where he stands, unasked and whatever he did last.
    pub fn shows_where_he_stands(&self) -> bool {
        self.resumed || self.not_taken
    }
}

/// What answers `/resume` and `/cancel` where no upload is open.
pub fn is_nothing_open(text: &str) -> bool {
    text.starts_with("Nothing is open.")
}

/// The list of commands, which answers `/help`.
pub fn is_help(text: &str) -> bool {
    text.contains("/upload –") && text.contains("/help –")
}

/// What pops up over a press that changes nothing, because its prompt has been left behind.
pub const STALE_PRESS: &str = "That button is from an earlier step. Please use the latest message.";

/// What a bot says, and what pops up over a press of its buttons, while another one answers.
pub fn is_of_a_backup(word: &str) -> bool {
    word.starts_with("I am a backup and listen only.")
}

/// How a bot begins that takes up again what it kept while another one answered, and does not act on it.
pub const NOT_TAKEN: &str = "Something that you wrote here earlier was not taken";

/// What a bot says to who presses Start with nothing open.
pub const WELCOME: &str = "Welcome!";

/// How much of a description a confirmation repeats.
pub const DESCRIPTION_SHOWN: usize = 200;

pub fn read(text: &str) -> Said {
    let mut said = Said {
        resumed: text.starts_with("↻ "),
        not_taken: text.starts_with(NOT_TAKEN),
        cancelled: text.starts_with("Cancelled"),
        ..Said::default()
    };
    for line in text.lines().map(str::trim) {
        if let Some(at) = line.find("✓ ") {
            said.confirmed
                .extend(confirmation(&line[at + "✓ ".len()..]));
        } else if line == "So far:" {
            said.so_far = true;
        } else if let Some(step) = prompt(line) {
            said.prompt = Some(step);
        } else {
            field(line, &mut said.card);
        }
    }
    said
}

fn confirmation(rest: &str) -> Option<Confirmed> {
    if let Some(numbered) = rest.strip_prefix("File ") {
        let (_, name) = numbered.split_once(": ")?;
        return Some(Confirmed::File(name.to_owned()));
    }
    let (what, value) = rest.split_once(": ")?;
    let value = value.to_owned();
    match what {
        "Title" => Some(Confirmed::Title(value)),
        "Description" => Some(Confirmed::Description(value)),
        "Category" => Some(Confirmed::Category(value)),
        "Tags" => Some(Confirmed::Tags(list(&value, ", "))),
        "Submitted" => Some(Confirmed::Submitted(value)),
        _ => None,
    }
}

fn prompt(line: &str) -> Option<Step> {
    let rest = &line[line.find("Step ")?..];
    Step::ALL
        .into_iter()
        .zip(1..)
        .find(|(step, number)| rest.starts_with(&format!("Step {number}/6: {}", step.name())))
        .map(|(step, _)| step)
}

fn field(line: &str, card: &mut Card) {
    let Some((name, value)) = line.split_once(": ") else {
        return;
    };
    let value = value.trim().to_owned();
    match name {
        "Title" => card.title = Some(value),
        "Description" => card.description = Some(value),
        "Category" => card.category = Some(value),
        "Tags" => card.tags = Some(list(&value, ", ")),
        "Files" => card.files = Some(list(&value, "; ")),
        _ => {}
    }
}

/// `none` and the like stand for an empty list.
fn list(text: &str, separator: &str) -> Vec<String> {
    if matches!(text, "none" | "-" | "–" | "—" | "") {
        return Vec::new();
    }
    text.split(separator)
        .map(|item| item.trim().to_owned())
        .collect()
}

/// A link that starts a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    pub username: &'a str,
    pub payload: Option<&'a str>,
}

/// Reads `https://t.me/<bot>?start=<payload>`.
pub fn link(url: &str) -> Option<Link<'_>> {
    let rest = url.strip_prefix("https://t.me/")?;
    let (username, payload) = match rest.split_once("?start=") {
        Some((username, payload)) => (username, Some(payload)),
        None => (rest, None),
    };
    Some(Link { username, payload })
}

/// The members whose numbered texts are in this one: `#17-3` is member 17's third.
pub fn authors(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.split('#').skip(1).filter_map(|rest| {
        let (number, after) = rest.split_once('-')?;
        let is_label = after.starts_with(|c: char| c.is_ascii_digit());
        is_label.then(|| number.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_and_the_next_prompt_are_read() {
        let said = read(
            "✓ Title: #17-2 Rust: a start\n\nStep 2/6: Description\nSay in 10 to 2000 characters what it is about.",
        );
        assert!(!said.resumed);
        assert_eq!(
            said.confirmed,
            [Confirmed::Title("#17-2 Rust: a start".into())]
        );
        assert_eq!(said.prompt, Some(Step::Description));
        assert_eq!(said.card, Card::default());
        assert!(said.is_conversation());
    }

    #[test]
    fn a_stored_file_is_read_by_its_name() {
        let said = read("✓ File 2: #17-6 notes.pdf\n\nFor Ada-17\nStep 5/6: Files");
        assert_eq!(said.confirmed, [Confirmed::File("#17-6 notes.pdf".into())]);
        assert_eq!(said.prompt, Some(Step::Files));
    }

    #[test]
    fn what_a_new_bot_says_is_read_whole() {
        let said = read(
            "↻ @second goes on for @first.\nSo far:\nTitle: #3-2 T\nDescription: #3-3 D\nCategory: Science\nTags: none\nFiles: a; b\n\nStep 6/6: Review",
        );
        assert!(said.resumed);
        assert_eq!(said.prompt, Some(Step::Review));
        assert_eq!(said.card.title.as_deref(), Some("#3-2 T"));
        assert_eq!(said.card.tags, Some(vec![]));
        assert_eq!(said.card.files, Some(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_dropped_upload_lists_what_was_dropped() {
        let said = read("Cancelled. This was dropped:\nTitle: #3-2 T\nFor Ada-3");
        assert!(said.cancelled && said.is_conversation());
        assert_eq!(said.card.title.as_deref(), Some("#3-2 T"));
    }

    #[test]
    fn a_pointer_to_the_active_bot_is_no_part_of_the_conversation() {
        assert!(!read("I am a stand-in. Please write to @first.").is_conversation());
        assert!(!read("↻ @second answers from here on.\nTo go on, press Start.").is_conversation());
        let welcome = "Welcome! /upload starts a course, /help shows what else I know.";
        assert!(!read(welcome).is_conversation() && !is_help(welcome));
    }

    #[test]
    fn tags_are_a_list_also_when_there_are_none() {
        assert_eq!(read("✓ Tags: none").confirmed, [Confirmed::Tags(vec![])]);
        assert_eq!(
            read("✓ Tags: a, b").confirmed,
            [Confirmed::Tags(vec!["a".into(), "b".into()])]
        );
    }

    #[test]
    fn links_and_authors_are_read() {
        let go = Link {
            username: "second_bot",
            payload: Some("go"),
        };
        assert_eq!(link("https://t.me/second_bot?start=go"), Some(go));
        assert_eq!(link("https://t.me/a").map(|it| it.payload), Some(None));
        assert_eq!(link("https://example.org/a?start=go"), None);
        let of = |text| authors(text).collect::<Vec<_>>();
        assert_eq!(
            of("✓ Title: #17-2 Rust #1\nFiles: #4-5 a; b#-1 #x-2"),
            [17, 4]
        );
        assert!(of("Step 3/6 - #").is_empty());
    }
}
