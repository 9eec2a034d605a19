//! What the buttons of an upload choose, and its short form in their data.

use std::fmt;

use super::Stage;
use crate::button::NameHash;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Category(NameHash),
    Tag { name: NameHash, on: bool },
    Done,
    Skip,
    Back,
    RemoveLast,
    Submit,
    Change(Stage),
    Cancel,
}

impl Choice {
    pub fn parse(text: &str) -> Option<Self> {
        let plain = match text {
            "d" => Some(Self::Done),
            "s" => Some(Self::Skip),
            "b" => Some(Self::Back),
            "l" => Some(Self::RemoveLast),
            "ok" => Some(Self::Submit),
            "x" => Some(Self::Cancel),
            "=t" => Some(Self::Change(Stage::Title)),
            "=d" => Some(Self::Change(Stage::Description)),
            "=c" => Some(Self::Change(Stage::Category)),
            "=g" => Some(Self::Change(Stage::Tags)),
            "=f" => Some(Self::Change(Stage::Files)),
            _ => None,
        };
        plain.or_else(|| {
            let tag = |name, on| Self::Tag { name, on };
            let (kind, hash) = text.split_at_checked(1)?;
            let hash = NameHash::parse(hash)?;
            match kind {
                "c" => Some(Self::Category(hash)),
                "+" => Some(tag(hash, true)),
                "-" => Some(tag(hash, false)),
                _ => None,
            }
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Category(name) => write!(f, "c{name}"),
            Self::Tag { name, on: true } => write!(f, "+{name}"),
            Self::Tag { name, on: false } => write!(f, "-{name}"),
            Self::Done => f.write_str("d"),
            Self::Skip => f.write_str("s"),
            Self::Back => f.write_str("b"),
            Self::RemoveLast => f.write_str("l"),
            Self::Submit => f.write_str("ok"),
            Self::Cancel => f.write_str("x"),
            Self::Change(Stage::Title) => f.write_str("=t"),
            Self::Change(Stage::Description) => f.write_str("=d"),
            Self::Change(Stage::Category) => f.write_str("=c"),
            Self::Change(Stage::Tags) => f.write_str("=g"),
            // Review has no button of its own; from Review it would lead nowhere.
            Self::Change(Stage::Files | Stage::Review) => f.write_str("=f"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_reads_back() {
        let name = NameHash::of("Music");
        for choice in [
            Choice::Category(name),
            Choice::Tag { name, on: true },
            Choice::Tag { name, on: false },
            Choice::Done,
            Choice::Skip,
            Choice::Back,
            Choice::RemoveLast,
            Choice::Submit,
            Choice::Cancel,
            Choice::Change(Stage::Title),
            Choice::Change(Stage::Description),
            Choice::Change(Stage::Category),
            Choice::Change(Stage::Tags),
            Choice::Change(Stage::Files),
        ] {
            assert_eq!(Choice::parse(&choice.to_string()), Some(choice));
        }
        for other in ["", "c", "c123", "=z", "é", "+zzzzzzzz"] {
            assert_eq!(Choice::parse(other), None, "{other:?}");
        }
    }
}
