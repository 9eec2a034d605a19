//! What an upload shows: the prompt of each step, the card, the post in the broadcast channel.
//!
//! Each part has a bound of its own, so that the whole keeps Telegram's and the question at the end is never what is cut off.

use super::choice::Choice;
use super::fields::{FieldKind, excerpt};
use super::files::{File, FileState, megabytes};
use super::{Prompt, Stage, Upload};
use crate::Context;
use crate::bound::{self, clip, one_line};
use crate::button::NameHash;
use crate::texts::Line;

/// Bounds of the card's parts, in UTF-16 units: a description of 2,000 plain characters stands in full.
const DESCRIPTION: usize = 2000;
const TAGS: usize = 300;
const FILES: usize = 500;
const FILE_NAME: usize = 100;

/// Buttons beside each other.
const COLUMNS: usize = 2;

type Rows = Vec<Vec<(String, String)>>;

pub(super) fn prompt(upload: &Upload, ctx: &Context<'_>) -> Prompt {
    let card = match upload.stage {
        Stage::Review => card(upload, ctx),
        _ => Vec::new(),
    };
    Prompt {
        heading: heading(upload.stage, ctx),
        card,
        text: question(upload, ctx),
        buttons: buttons(upload, ctx),
    }
}

/// What is known, a line each.
pub(super) fn card(upload: &Upload, ctx: &Context<'_>) -> Vec<String> {
    let texts = ctx.texts;
    let mut lines = Vec::new();
    if let Some(field) = &upload.title {
        let title = &field.text;
        lines.push(texts.fill(&Line::CardTitle { title }));
    }
    if let Some(field) = &upload.description {
        let description = clip(&one_line(&field.text), DESCRIPTION);
        lines.push(texts.fill(&Line::CardDescription {
            description: &description,
        }));
    }
    lines.extend(choices(upload, ctx));
    lines
}

/// A file's name as it is shown.
pub(super) fn file_name(name: &str) -> String {
    clip(name, FILE_NAME)
}

/// The tags as they are shown, `none` if there are none.
pub(super) fn tag_names(tags: &[String], ctx: &Context<'_>) -> String {
    match tags {
        [] => ctx.texts.fill(&Line::NoTags {}),
        tags => clip(&tags.join(", "), TAGS),
    }
}

/// The post in the broadcast channel.
pub(super) fn announcement(upload: &Upload, ctx: &Context<'_>) -> String {
    let title = upload.title.as_ref().map_or("", |field| &field.text);
    let mut lines = vec![ctx.texts.fill(&Line::Announced { title: &title })];
    if let Some(field) = &upload.description {
        lines.push(clip(&field.text, DESCRIPTION));
    }
    lines.extend(choices(upload, ctx));
    clip(&lines.join("\n"), bound::MESSAGE)
}

/// The card's lines about what was chosen and sent.
fn choices(upload: &Upload, ctx: &Context<'_>) -> Vec<String> {
    let texts = ctx.texts;
    let mut lines = Vec::new();
    if let Some(category) = &upload.category {
        lines.push(texts.fill(&Line::CardCategory { category }));
    }
    let tags_asked = upload.stage > Stage::Tags || upload.returning;
    if tags_asked || !upload.tags.is_empty() {
        let tags = tag_names(&upload.tags, ctx);
        lines.push(texts.fill(&Line::CardTags { tags: &tags }));
    }
    let files_asked = upload.stage > Stage::Files || upload.returning;
    if files_asked || upload.files.iter().any(File::is_stored) {
        let files = stored_names(upload, ctx);
        lines.push(texts.fill(&Line::CardFiles { files: &files }));
    }
    lines
}

fn heading(stage: Stage, ctx: &Context<'_>) -> String {
    let (number, name) = match stage {
        Stage::Title => (1, Line::StepTitle {}),
        Stage::Description => (2, Line::StepDescription {}),
        Stage::Category => (3, Line::StepCategory {}),
        Stage::Tags => (4, Line::StepTags {}),
        Stage::Files => (5, Line::StepFiles {}),
        Stage::Review => (6, Line::StepReview {}),
    };
    let name = ctx.texts.fill(&name);
    ctx.texts.fill(&Line::StepHeading {
        number: &number,
        name: &name,
    })
}

fn question(upload: &Upload, ctx: &Context<'_>) -> String {
    let texts = ctx.texts;
    let keep = |known: Option<&super::Field>| {
        known.map(|field| {
            let value = excerpt(&field.text);
            texts.fill(&Line::KeepBySkip { value: &value })
        })
    };
    let mut lines = Vec::new();
    match upload.stage {
        Stage::Title => {
            let (min, max) = FieldKind::Title.bounds();
            let (min, max) = (&min, &max);
            lines.push(texts.fill(&Line::AskTitle { min, max }));
            lines.extend(keep(upload.title.as_ref()));
        }
        Stage::Description => {
            let (min, max) = FieldKind::Description.bounds();
            let (min, max) = (&min, &max);
            lines.push(texts.fill(&Line::AskDescription { min, max }));
            lines.extend(keep(upload.description.as_ref()));
        }
        Stage::Category => lines.push(texts.fill(&Line::AskCategory {})),
        Stage::Tags => lines.push(texts.fill(&Line::AskTags {})),
        Stage::Files => lines.extend(files_question(upload, ctx)),
        Stage::Review => lines.push(texts.fill(&Line::AskReview {})),
    }
    lines.join("\n")
}

fn files_question(upload: &Upload, ctx: &Context<'_>) -> Vec<String> {
    let texts = ctx.texts;
    let max = &ctx.catalog.max_files;
    let mut lines = vec![texts.fill(&Line::AskFiles {
        max,
        megabytes: &megabytes(ctx.catalog.max_file_bytes),
    })];
    let count = |wanted: fn(&File) -> bool| upload.files.iter().filter(|f| wanted(f)).count();
    let stored = count(File::is_stored);
    if stored > 0 {
        lines.push(texts.fill(&Line::FilesStored {
            count: &stored,
            max,
        }));
    }
    let pending = count(|file| file.state == FileState::Pending);
    if pending > 0 {
        lines.push(texts.fill(&Line::FilesPending { count: &pending }));
    }
    let lost = names(upload, |file| file.state == FileState::Lost);
    if !lost.is_empty() {
        let button = match upload.way_on() {
            Some(Choice::Skip) => texts.fill(&Line::Skip {}),
            _ => texts.fill(&Line::Done {}),
        };
        lines.push(texts.fill(&Line::FilesMissing {
            button: &button,
            names: &lost,
        }));
    } else if upload.way_on() == Some(Choice::Skip) {
        lines.push(texts.fill(&Line::FilesBySkip {}));
    }
    lines
}

fn buttons(upload: &Upload, ctx: &Context<'_>) -> Rows {
    let button = |line: &Line<'_>, choice: Choice| (ctx.texts.fill(line), choice.to_string());
    let skip = || button(&Line::Skip {}, Choice::Skip);
    let done = || button(&Line::Done {}, Choice::Done);
    let back = || button(&Line::Back {}, Choice::Back);
    match upload.stage {
        Stage::Title => {
            let mut row = Vec::new();
            row.extend(upload.title.is_some().then(skip));
            row.extend(upload.returning.then(back));
            vec![row]
        }
        Stage::Description => {
            let mut row = Vec::new();
            row.extend(upload.description.is_some().then(skip));
            row.push(back());
            vec![row]
        }
        Stage::Category => {
            let mut rows = categories(upload, ctx);
            rows.push(vec![back()]);
            rows
        }
        Stage::Tags => {
            let mut rows = tags(upload, ctx);
            rows.push(vec![done(), skip()]);
            rows.push(vec![back()]);
            rows
        }
        Stage::Files => {
            let removable = !upload.files.is_empty() && !upload.has_pending();
            let mut row = Vec::new();
            row.extend(upload.way_on().map(|choice| match choice {
                Choice::Skip => skip(),
                _ => done(),
            }));
            row.push(back());
            row.extend(removable.then(|| button(&Line::RemoveLast {}, Choice::RemoveLast)));
            vec![row]
        }
        Stage::Review => review_buttons(&button),
    }
}

fn review_buttons(button: &dyn Fn(&Line<'_>, Choice) -> (String, String)) -> Rows {
    let change = |line: Line<'_>, stage| button(&line, Choice::Change(stage));
    vec![
        vec![button(&Line::Submit {}, Choice::Submit)],
        vec![
            change(Line::ChangeTitle {}, Stage::Title),
            change(Line::ChangeDescription {}, Stage::Description),
        ],
        vec![
            change(Line::ChangeCategory {}, Stage::Category),
            change(Line::ChangeTags {}, Stage::Tags),
        ],
        vec![change(Line::ChangeFiles {}, Stage::Files)],
        vec![
            button(&Line::Back {}, Choice::Back),
            button(&Line::Cancel {}, Choice::Cancel),
        ],
    ]
}

fn categories(upload: &Upload, ctx: &Context<'_>) -> Rows {
    let buttons = ctx.catalog.categories.iter().map(|name| {
        let label = label(name, upload.category.as_ref() == Some(name), ctx);
        (label, Choice::Category(NameHash::of(name)).to_string())
    });
    in_columns(buttons)
}

fn tags(upload: &Upload, ctx: &Context<'_>) -> Rows {
    let buttons = ctx.catalog.tags.iter().map(|tag| {
        let chosen = upload.tags.contains(tag);
        let choice = Choice::Tag {
            name: NameHash::of(tag),
            on: !chosen,
        };
        (label(tag, chosen, ctx), choice.to_string())
    });
    in_columns(buttons)
}

fn label(name: &str, chosen: bool, ctx: &Context<'_>) -> String {
    match chosen {
        true => ctx.texts.fill(&Line::Chosen { name: &name }),
        false => name.to_owned(),
    }
}

fn in_columns(buttons: impl Iterator<Item = (String, String)>) -> Rows {
    let buttons: Vec<_> = buttons.collect();
    buttons.chunks(COLUMNS).map(<[_]>::to_vec).collect()
}

/// The stored files as they are shown, `none` if there are none.
fn stored_names(upload: &Upload, ctx: &Context<'_>) -> String {
    match names(upload, File::is_stored) {
        none if none.is_empty() => ctx.texts.fill(&Line::NoFiles {}),
        names => names,
    }
}

fn names(upload: &Upload, wanted: impl Fn(&File) -> bool) -> String {
    let files = upload.files.iter().filter(|file| wanted(file));
    let names: Vec<String> = files.map(|file| file_name(&file.name)).collect();
    clip(&names.join("; "), FILES)
}
