//! What a member means to upload, and the reference model of how far he got.
//!
//! [`Upload`] is the model that the bots' messages are compared with: it moves only by inputs that were acknowledged. [`Intention`] is
//! fixed by the seed; each text that is sent carries a number of its own, so a value names the message that brought it.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::texts::{Card, DESCRIPTION_SHOWN, Step};

pub const CATEGORIES: [&str; 4] = ["Science", "Languages", "Crafts", "Computing"];
pub const TAGS: [&str; 5] = ["beginner", "advanced", "video", "text", "exercises"];

/// What a member wants in the end, apart from the numbered texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intention {
    pub subject: &'static str,
    pub category: &'static str,
    pub tags: Vec<&'static str>,
    pub files: usize,
    /// Sends files and submits; the others leave the files out, compare the review card and cancel.
    pub finishes: bool,
}

const SUBJECTS: [&str; 8] = [
    "Sourdough from scratch",
    "Reading the night sky",
    "Italian for travellers",
    "Binding a book",
    "Rust, one evening at a time",
    "Bicycle repair",
    "Statistics without tears",
    "Drawing trees",
];

impl Intention {
    pub fn draw(rng: &mut ChaCha8Rng, finishes: bool) -> Self {
        let tags = rng.random_range(0..=2);
        let chosen = TAGS.choose_multiple(rng, tags).copied().collect();
        Self {
            subject: SUBJECTS.choose(rng).copied().unwrap_or(SUBJECTS[0]),
            category: CATEGORIES.choose(rng).copied().unwrap_or(CATEGORIES[0]),
            tags: chosen,
            files: match (finishes, rng.random_range(0..4)) {
                (false, _) => 0,
                (true, 0) => 2,
                (true, _) => 1,
            },
            finishes,
        }
    }
}

/// One thing that a member does in the upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `/start upload`, or `/upload` in the group.
    Open,
    Title(String),
    Description(String),
    Category(String),
    ToggleTag(String),
    /// `Done`, or `Skip` when no tag is chosen.
    TagsDone,
    File(String),
    FilesDone,
    Submit,
    /// `/resume`: shows all that is known, and the prompt again.
    Resume,
    /// The end for those who do not submit: the review card's own button.
    Cancel,
    /// `/cancel`, typed at any step.
    Quit,
    /// `/help`, which changes nothing.
    Help,
}

impl Input {
    pub fn is_press(&self) -> bool {
        matches!(
            self,
            Self::Category(_)
                | Self::ToggleTag(_)
                | Self::TagsDone
                | Self::FilesDone
                | Self::Submit
                | Self::Cancel
        )
    }

    /// Does its answer wait for a channel? A file is acknowledged once it is stored, a submission once it is posted; channels take 20 messages a
    /// minute, whoever serves the member.
    pub fn goes_through_a_channel(&self) -> bool {
        matches!(self, Self::File(_) | Self::Submit)
    }
}

/// How far an upload got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    NotOpen,
    At(Step),
    Submitted,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub stage: Stage,
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    /// Chosen so far, in no particular order until `Done`.
    pub tags: Vec<String>,
    pub files: Vec<String>,
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            stage: Stage::NotOpen,
            title: None,
            description: None,
            category: None,
            tags: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Upload {
    pub fn step(&self) -> Option<Step> {
        match self.stage {
            Stage::At(step) => Some(step),
            Stage::NotOpen | Stage::Submitted | Stage::Cancelled => None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.step().is_some()
    }

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Submitted | Stage::Cancelled)
    }

    /// The upload after this input was taken.
    pub fn after(&self, input: &Input) -> Self {
        let mut next = self.clone();
        match input {
            Input::Open => next.stage = Stage::At(Step::Title),
            Input::Title(text) => {
                next.title = Some(text.clone());
                next.stage = Stage::At(Step::Description);
            }
            Input::Description(text) => {
                next.description = Some(text.clone());
                next.stage = Stage::At(Step::Category);
            }
            Input::Category(name) => {
                next.category = Some(name.clone());
                next.stage = Stage::At(Step::Tags);
            }
            Input::ToggleTag(tag) => match next.tags.iter().position(|one| one == tag) {
                Some(at) => {
                    next.tags.remove(at);
                }
                None => next.tags.push(tag.clone()),
            },
            Input::TagsDone => next.stage = Stage::At(Step::Files),
            Input::File(name) => next.files.push(name.clone()),
            Input::FilesDone => next.stage = Stage::At(Step::Review),
            Input::Submit => next.stage = Stage::Submitted,
            Input::Cancel | Input::Quit => next.stage = Stage::Cancelled,
            Input::Resume | Input::Help => {}
        }
        next
    }

    /// How a card that lists fields differs from the model: (field, expected, seen). What the model does not know must not be shown.
    pub fn differences(&self, card: &Card) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        let mut compare = |field, expected: Option<String>, seen: Option<String>| {
            if expected != seen {
                found.push((
                    field,
                    expected.unwrap_or_default(),
                    seen.unwrap_or_default(),
                ));
            }
        };
        let cut = |text: &String| text.chars().take(DESCRIPTION_SHOWN).collect::<String>();
        compare("title", self.title.clone(), card.title.clone());
        compare(
            "description",
            self.description.as_ref().map(cut),
            card.description.as_ref().map(cut),
        );
        compare("category", self.category.clone(), card.category.clone());
        if self.step() > Some(Step::Tags) {
            compare("tags", Some(set(&self.tags)), card.tags.as_deref().map(set));
        }
        let files = (!self.files.is_empty()).then(|| set(&self.files));
        let seen = card
            .files
            .as_deref()
            .filter(|files| !files.is_empty())
            .map(set);
        compare("files", files, seen);
        found
    }
}

/// A list as a set, in words: the order in which tags and files are shown is not part of the contract.
pub fn set(items: &[String]) -> String {
    let mut sorted = items.to_vec();
    sorted.sort();
    sorted.join(" | ")
}

/// Where a member is to stand when the warm-up ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub step: Step,
    /// At `Tags` and `Files`: after so many of them.
    pub items: usize,
}

impl Hold {
    pub fn draw(rng: &mut ChaCha8Rng, intention: &Intention) -> Self {
        let step = Step::ALL.choose(rng).copied().unwrap_or(Step::Title);
        let items = match step {
            Step::Tags => rng.random_range(0..=intention.tags.len()),
            Step::Files => rng.random_range(0..=intention.files),
            _ => 0,
        };
        Self { step, items }
    }

    pub fn reached(&self, upload: &Upload) -> bool {
        let items = match self.step {
            Step::Tags => upload.tags.len(),
            Step::Files => upload.files.len(),
            _ => 0,
        };
        upload.step() > Some(self.step) || (upload.step() == Some(self.step) && items >= self.items)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn at_review() -> Upload {
        [
            Input::Open,
            Input::Title("#1-2 T".into()),
            Input::Description("#1-3 D".into()),
            Input::Category("Science".into()),
            Input::ToggleTag("video".into()),
            Input::ToggleTag("text".into()),
            Input::ToggleTag("video".into()),
            Input::TagsDone,
            Input::File("#1-9 a.pdf".into()),
            Input::FilesDone,
        ]
        .iter()
        .fold(Upload::default(), |upload, input| upload.after(input))
    }

    #[test]
    fn the_model_walks_the_six_steps() {
        let upload = at_review();
        assert_eq!(upload.stage, Stage::At(Step::Review));
        assert_eq!(upload.tags, ["text"]);
        assert_eq!(upload.after(&Input::Submit).stage, Stage::Submitted);
    }

    #[test]
    fn a_card_is_compared_field_by_field() {
        let upload = at_review();
        let mut card = Card {
            title: Some("#1-2 T".into()),
            description: Some("#1-3 D".into()),
            category: Some("Science".into()),
            tags: Some(vec!["text".into()]),
            files: Some(vec!["#1-9 a.pdf".into()]),
        };
        assert_eq!(upload.differences(&card), []);
        card.category = Some("Crafts".into());
        card.files = None;
        assert_eq!(
            upload.differences(&card),
            [
                ("category", "Science".to_owned(), "Crafts".to_owned()),
                ("files", "#1-9 a.pdf".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn a_hold_is_reached_at_its_step_and_beyond() {
        let hold = Hold {
            step: Step::Tags,
            items: 1,
        };
        let tags = Upload {
            stage: Stage::At(Step::Tags),
            ..Upload::default()
        };
        assert!(!hold.reached(&tags));
        assert!(hold.reached(&tags.after(&Input::ToggleTag("video".into()))));
        assert!(hold.reached(&at_review()));
        assert!(
            !Hold {
                step: Step::Title,
                items: 0
            }
            .reached(&Upload::default())
        );
    }

    #[test]
    fn one_seed_gives_one_intention() {
        let draw = |seed| Intention::draw(&mut ChaCha8Rng::seed_from_u64(seed), true);
        assert_eq!(draw(5), draw(5));
        assert!((0..20).any(|seed| draw(seed) != draw(5)));
    }
}
