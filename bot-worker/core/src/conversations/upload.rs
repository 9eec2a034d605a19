//! `/upload`: a member hands in a course, in six steps.
//!
//! ```text
//! step           takes                            goes to
//! Title          a text, Skip (keeps one)         Description
//! Description    a text, Skip (keeps one)         Category
//! Category       a button                         Tags
//! Tags           toggles, then Done or Skip       Files
//! Files          documents, then Done; or Skip    Review
//! Review         Submit                           the end: a record and a post
//!                Change ..                        that step, and from there back to Review
//!                Cancel                           the end
//! any but the first: Back. Anywhere: an edit of the accepted title or description, and the commands.
//! ```
//! Invariants: a file counts only once it is in the storage channel, and while one is on its way the step is Files; a course may
//! have no files, but none that was sent is left out unless the member says so; what is entered stays when a step is taken again;
//! what cannot be used is answered with the rule and the same step. It does not take files out of the storage channel again when
//! an upload is dropped, and does not notice when a category that was chosen disappears from the catalog.

mod choice;
mod fields;
mod files;
mod prompt;

use serde::{Deserialize, Serialize};
use shared_core::{ConversationKey, MemberId, MessageAt, Priority, Telling};

use super::{Conversation, Desk, Flow, Input, MessageRef, Prompt, Reaction, Reply, cancel};
use crate::texts::Line;
use crate::turn::Turn;
use crate::{Context, Effect, RecordDraft, To};
use choice::Choice;
use fields::{Field, FieldKind};
use files::File;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    #[serde(rename = "s")]
    stage: Stage,
    /// Review is next, because the step was chosen there.
    #[serde(rename = "b", default, skip_serializing_if = "is_false")]
    returning: bool,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    title: Option<Field>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    description: Option<Field>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
    /// The last text that broke a rule: people correct it by editing.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    refused: Option<MessageAt>,
    /// The last album that came at the wrong step: it is refused once, not once an item.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    refused_album: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stage {
    #[serde(rename = "t")]
    Title,
    #[serde(rename = "d")]
    Description,
    #[serde(rename = "c")]
    Category,
    #[serde(rename = "g")]
    Tags,
    #[serde(rename = "f")]
    Files,
    #[serde(rename = "r")]
    Review,
}

impl Stage {
    fn next(self) -> Self {
        match self {
            Self::Title => Self::Description,
            Self::Description => Self::Category,
            Self::Category => Self::Tags,
            Self::Tags => Self::Files,
            Self::Files | Self::Review => Self::Review,
        }
    }

    fn previous(self) -> Self {
        match self {
            Self::Title | Self::Description => Self::Title,
            Self::Category => Self::Description,
            Self::Tags => Self::Category,
            Self::Files => Self::Tags,
            Self::Review => Self::Files,
        }
    }
}

/// `/upload`.
pub(super) fn run(turn: &mut Turn<'_>) {
    if turn.is_open() {
        let lead = turn.text(&Line::AlreadyOpen {});
        turn.prompt(Some(lead));
    } else {
        open(turn, None);
    }
}

/// A course was handed in elsewhere.
pub(super) fn heard_of(from: &ConversationKey, title: &str, turn: &mut Turn<'_>) {
    let line = turn.text(&Line::ToldCourse {
        title: &title,
        member: &from.member.0,
    });
    turn.aside(line, None);
}

/// Opens an upload, with something said in front of its first prompt.
pub(super) fn open(turn: &mut Turn<'_>, lead: Option<String>) {
    turn.open(Flow::Upload(Upload::open()), lead);
}

impl Conversation for Upload {
    const TAG: &'static str = "u";

    fn open() -> Self {
        Self {
            stage: Stage::Title,
            returning: false,
            title: None,
            description: None,
            category: None,
            tags: Vec::new(),
            files: Vec::new(),
            refused: None,
            refused_album: None,
        }
    }

    fn take(self, input: Input<'_>, desk: &mut Desk<'_>) -> Reaction<Self> {
        match input {
            Input::Said {
                message,
                text,
                document,
                album,
            } => match (self.stage, document) {
                (Stage::Files, Some(document)) => self.take_document(document, message, desk),
                (Stage::Files, None) => self.wrong_kind(&Line::FileWanted {}, None, desk.ctx),
                (Stage::Title, None) if !text.is_empty() => {
                    self.take_text(FieldKind::Title, text, message, desk.ctx)
                }
                (Stage::Description, None) if !text.is_empty() => {
                    self.take_text(FieldKind::Description, text, message, desk.ctx)
                }
                (Stage::Title | Stage::Description, _) => {
                    self.wrong_kind(&Line::TextWanted {}, album, desk.ctx)
                }
                _ => self.wrong_kind(&Line::ButtonWanted {}, album, desk.ctx),
            },
            Input::Edited { message, text } => self.take_edit(text, message, desk.ctx),
            Input::Chose(data) => match Choice::parse(data) {
                Some(choice) => self.take_choice(choice, desk.ctx),
                None => self.stale(desk.ctx),
            },
            Input::FileStored { file, at } => self.file_stored(file, at, desk.ctx),
            Input::FileLost { file } => self.file_lost(file, desk.ctx),
        }
    }

    fn prompt(&self, ctx: &Context<'_>) -> Prompt {
        prompt::prompt(self, ctx)
    }

    fn so_far(&self, ctx: &Context<'_>) -> Vec<String> {
        prompt::card(self, ctx)
    }

    fn listens_to_edit(&self, message: MessageRef) -> bool {
        let of = |field: &Option<Field>| field.as_ref().is_some_and(|f| f.message == message);
        of(&self.title) || of(&self.description) || self.has_refused(message)
    }

    fn each_message(&mut self, visit: &mut dyn FnMut(&mut MessageAt)) {
        let fields = [&mut self.title, &mut self.description];
        let fields = fields.into_iter().flatten().map(|f| &mut f.message);
        fields.chain(&mut self.refused).for_each(visit);
    }
}

impl Upload {
    fn take_choice(mut self, choice: Choice, ctx: &Context<'_>) -> Reaction<Self> {
        match (self.stage, choice) {
            (Stage::Title, Choice::Skip) => self.keep_text(FieldKind::Title, ctx),
            (Stage::Description, Choice::Skip) => self.keep_text(FieldKind::Description, ctx),
            (Stage::Category, Choice::Category(hash)) => {
                let found = hash.find(&ctx.catalog.categories).cloned();
                match found {
                    Some(category) => self.choose_category(category, ctx),
                    // It has left the catalog: the prompt is shown with those that are in it.
                    None => Reaction::prompt(self, ctx.texts.fill(&Line::ButtonWanted {})),
                }
            }
            (Stage::Tags, Choice::Tag { name, on }) => {
                let found = name.find(&ctx.catalog.tags).cloned();
                match found {
                    Some(tag) => self.set_tag(tag, on, ctx),
                    None => Reaction::prompt(self, ctx.texts.fill(&Line::ButtonWanted {})),
                }
            }
            (Stage::Tags, Choice::Done) => self.tags_done(ctx),
            (Stage::Tags, Choice::Skip) => {
                self.tags.clear();
                self.tags_done(ctx)
            }
            (Stage::Files, Choice::Done | Choice::Skip) => self.files_done(ctx),
            (Stage::Files, Choice::RemoveLast) => self.remove_last_file(ctx),
            (Stage::Review, Choice::Submit) => self.submit(ctx),
            (Stage::Review, Choice::Change(stage)) => {
                self.stage = stage;
                self.returning = stage != Stage::Review;
                Reaction::prompt(self, None)
            }
            (Stage::Review, Choice::Cancel) => {
                Reaction::end(cancel::farewell(self.so_far(ctx), ctx), Vec::new())
            }
            (_, Choice::Back) => self.back(ctx),
            _ => self.stale(ctx),
        }
    }

    fn choose_category(mut self, category: String, ctx: &Context<'_>) -> Reaction<Self> {
        let category_shown = &category;
        let lead = ctx.texts.fill(&Line::AcceptedCategory {
            category: category_shown,
        });
        let settled = ctx.texts.fill(&Line::ChosenCategory {
            category: category_shown,
        });
        self.category = Some(category);
        self.advance();
        let reply = Reply::Prompt {
            lead: Some(lead),
            settled: Some(settled),
        };
        Reaction::of(self, reply)
    }

    /// Buttons say on or off rather than toggle: a press that comes twice changes nothing the second time.
    fn set_tag(mut self, tag: String, on: bool, ctx: &Context<'_>) -> Reaction<Self> {
        if self.tags.contains(&tag) == on {
            return Reaction::ignore(self);
        }
        if on {
            self.tags.push(tag);
            let order = |tag: &String| ctx.catalog.tags.iter().position(|known| known == tag);
            self.tags.sort_by_key(order);
        } else {
            self.tags.retain(|chosen| *chosen != tag);
        }
        Reaction::of(self, Reply::Redraw)
    }

    fn tags_done(mut self, ctx: &Context<'_>) -> Reaction<Self> {
        let tags = prompt::tag_names(&self.tags, ctx);
        let lead = ctx.texts.fill(&Line::AcceptedTags { tags: &tags });
        self.advance();
        Reaction::prompt(self, lead)
    }

    fn back(mut self, ctx: &Context<'_>) -> Reaction<Self> {
        if self.has_pending() {
            return Reaction::of(self, Reply::Note(ctx.texts.fill(&Line::FilePending {})));
        }
        if self.returning {
            self.advance();
        } else if self.stage == Stage::Title {
            return self.stale(ctx);
        } else {
            self.stage = self.stage.previous();
        }
        Reaction::prompt(self, None)
    }

    /// What is taken is kept; when it could not be, it stays with its member, who is told to try again.
    fn submit(mut self, ctx: &Context<'_>) -> Reaction<Self> {
        let Some(draft) = self.draft() else {
            self.stage = self.first_missing();
            self.returning = false;
            return Reaction::prompt(self, ctx.texts.fill(&Line::Incomplete {}));
        };
        if ctx.records_full {
            return Reaction::of(self, Reply::Note(ctx.texts.fill(&Line::SubmitLater {})));
        }
        let RecordDraft::Course { title, .. } = &draft;
        let closing = ctx.texts.fill(&Line::Submitted { title });
        let what = Telling::CourseSubmitted {
            title: title.clone(),
        };
        let mut also = vec![Effect::Record(draft)];
        let to: Vec<ConversationKey> = others(&ctx.catalog.told_of_courses, ctx).collect();
        if !to.is_empty() {
            also.push(Effect::Tell { to, what });
        }
        if let Some(channel) = ctx.catalog.broadcast {
            also.push(Effect::Say {
                text: prompt::announcement(&self, ctx),
                keyboard: None,
                to: To::Broadcast(channel),
                priority: Priority::Announcement,
                quote: None,
            });
        }
        Reaction::end(closing, also)
    }

    /// The course, if everything is there. It may have no files, but each one that is listed has to be stored.
    fn draft(&self) -> Option<RecordDraft> {
        let files: Option<Vec<_>> = self.files.iter().map(File::stored).collect();
        Some(RecordDraft::Course {
            title: self.title.as_ref()?.text.clone(),
            description: self.description.as_ref()?.text.clone(),
            category: self.category.clone()?,
            tags: self.tags.clone(),
            files: files?,
        })
    }

    fn first_missing(&self) -> Stage {
        if self.title.is_none() {
            Stage::Title
        } else if self.description.is_none() {
            Stage::Description
        } else if self.category.is_none() {
            Stage::Category
        } else {
            Stage::Files
        }
    }

    fn advance(&mut self) {
        self.stage = match self.returning {
            true => Stage::Review,
            false => self.stage.next(),
        };
        self.returning = false;
        self.refused = None;
        self.refused_album = None;
    }

    fn wrong_kind(
        mut self,
        line: &Line<'_>,
        album: Option<i64>,
        ctx: &Context<'_>,
    ) -> Reaction<Self> {
        if album.is_some() && album == self.refused_album {
            return Reaction::ignore(self);
        }
        self.refused_album = album;
        Reaction::prompt(self, ctx.texts.fill(line))
    }

    fn stale(self, ctx: &Context<'_>) -> Reaction<Self> {
        Reaction::of(self, Reply::Note(ctx.texts.fill(&Line::StaleButton {})))
    }
}

/// The private conversations of these members, but for who is doing it himself.
fn others<'a>(
    members: &'a [MemberId],
    ctx: &'a Context<'_>,
) -> impl Iterator<Item = ConversationKey> + 'a {
    let others = members.iter().filter(|member| **member != ctx.key.member);
    others.map(|member| ConversationKey::private(*member))
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
