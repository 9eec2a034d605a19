//! The files of an upload.
//!
//! ```text
//! pending   sent on to the storage channel       FileStored -> stored, FileLost -> lost
//! stored    acknowledged to the member
//! lost      out of everybody's reach, or the     the member sends it again -> pending
//!           storage channel does not take it     FileStored -> stored: somebody sent it on again
//! ```
//! A file has a number that no other file of the dialogue ever has, by which answers from the storage channel find it, and a place in
//! the list, which is what the member sees. Invariant: while a file is pending the step is Files.

use serde::{Deserialize, Serialize};
use shared_core::{Document, MessageId};

use super::choice::Choice;
use super::{Desk, MessageRef, Reaction, Reply, Upload};
use crate::bound::{clip, one_line};
use crate::texts::Line;
use crate::{Context, Effect};

/// A file's name as it is kept, at most; file systems end here too.
const NAME: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    #[serde(rename = "n")]
    number: u32,
    #[serde(rename = "t")]
    pub name: String,
    #[serde(rename = "b")]
    bytes: u64,
    #[serde(rename = "s")]
    pub state: FileState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FileState {
    #[serde(rename = "p")]
    Pending,
    #[serde(rename = "l")]
    Lost,
    /// As this message of the storage channel.
    #[serde(rename = "s")]
    Stored(MessageId),
}

impl File {
    /// Name, size and message of a stored file.
    pub fn stored(&self) -> Option<(String, u64, MessageId)> {
        match self.state {
            FileState::Stored(at) => Some((self.name.clone(), self.bytes, at)),
            FileState::Pending | FileState::Lost => None,
        }
    }

    pub fn is_stored(&self) -> bool {
        matches!(self.state, FileState::Stored(_))
    }
}

/// Whole megabytes, as members are told.
pub(super) fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl Upload {
    pub(super) fn has_pending(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|file| file.state == FileState::Pending)
    }

    /// The button that leaves the step Files: Done if a file is stored, Skip if none is, neither while one is on its way.
    pub(super) fn way_on(&self) -> Option<Choice> {
        if self.has_pending() {
            return None;
        }
        match self.files.iter().any(File::is_stored) {
            true => Some(Choice::Done),
            false => Some(Choice::Skip),
        }
    }

    /// A document at the step Files. Nothing is said yet: it counts once it is stored.
    pub(super) fn take_document(
        mut self,
        document: &Document,
        message: MessageRef,
        desk: &mut Desk<'_>,
    ) -> Reaction<Self> {
        let (ctx, texts) = (desk.ctx, desk.ctx.texts);
        let name = match one_line(&document.name) {
            name if name.is_empty() => texts.fill(&Line::UnnamedFile {}),
            name => clip(&name, NAME),
        };
        let shown = super::prompt::file_name(&name);
        if document.bytes > ctx.catalog.max_file_bytes {
            let lead = texts.fill(&Line::FileTooLarge {
                name: &shown,
                megabytes: &megabytes(ctx.catalog.max_file_bytes),
            });
            return Reaction::prompt(self, lead);
        }
        let Some(place) = self.place_for(&name, ctx) else {
            let lead = texts.fill(&Line::NoMoreFiles {
                name: &shown,
                max: &ctx.catalog.max_files,
            });
            return Reaction::prompt(self, lead);
        };
        let number = desk.number_file();
        let file = File {
            number,
            name,
            bytes: document.bytes,
            state: FileState::Pending,
        };
        match self.files.get_mut(place) {
            Some(lost) => *lost = file,
            None => self.files.push(file),
        }
        let (from, message) = message;
        let store = Effect::StoreFile {
            from,
            message,
            to: ctx.catalog.storage,
            file: number,
        };
        Reaction {
            also: vec![store],
            ..Reaction::ignore(self)
        }
    }

    /// Where a file with this name goes: the place of a lost one with the same name, the end, or the place of any lost one.
    fn place_for(&self, name: &str, ctx: &Context<'_>) -> Option<usize> {
        let lost = |file: &&File| file.state == FileState::Lost;
        let place = |wanted: &dyn Fn(&&File) -> bool| {
            let mut files = self.files.iter();
            files.position(|file| lost(&file) && wanted(&file))
        };
        let room = self.files.len() < usize::try_from(ctx.catalog.max_files).unwrap_or(usize::MAX);
        place(&|file| file.name == name)
            .or(room.then_some(self.files.len()))
            .or_else(|| place(&|_| true))
    }

    pub(super) fn file_stored(
        mut self,
        number: u32,
        at: MessageId,
        ctx: &Context<'_>,
    ) -> Reaction<Self> {
        let Some((place, file)) = self.waiting_for(number) else {
            return Reaction::ignore(self);
        };
        file.state = FileState::Stored(at);
        let lead = ctx.texts.fill(&Line::AcceptedFile {
            number: &(place + 1),
            name: &super::prompt::file_name(&file.name),
        });
        Reaction::prompt(self, lead)
    }

    pub(super) fn file_lost(mut self, number: u32, ctx: &Context<'_>) -> Reaction<Self> {
        let Some((place, file)) = self.waiting_for(number) else {
            return Reaction::ignore(self);
        };
        if file.state == FileState::Lost {
            return Reaction::ignore(self);
        }
        file.state = FileState::Lost;
        let lead = ctx.texts.fill(&Line::LostFile {
            number: &(place + 1),
            name: &super::prompt::file_name(&file.name),
        });
        Reaction::prompt(self, lead)
    }

    /// The file with this number, if it is not stored. A lost one may turn up after all.
    fn waiting_for(&mut self, number: u32) -> Option<(usize, &mut File)> {
        let mut files = self.files.iter_mut().enumerate();
        files.find(|(_, file)| file.number == number && !file.is_stored())
    }

    /// Done, and Skip where nothing is stored: goes on with the files that are stored, which may be none.
    pub(super) fn files_done(mut self, ctx: &Context<'_>) -> Reaction<Self> {
        if self.has_pending() {
            return Reaction::of(self, Reply::Note(ctx.texts.fill(&Line::FilePending {})));
        }
        // The prompt says that the button goes on without those that are missing.
        self.files.retain(File::is_stored);
        self.advance();
        Reaction::prompt(self, None)
    }

    pub(super) fn remove_last_file(mut self, ctx: &Context<'_>) -> Reaction<Self> {
        if self.has_pending() {
            return Reaction::of(self, Reply::Note(ctx.texts.fill(&Line::FilePending {})));
        }
        match self.files.pop() {
            Some(file) => {
                let name = super::prompt::file_name(&file.name);
                let lead = ctx.texts.fill(&Line::RemovedFile { name: &name });
                Reaction::prompt(self, lead)
            }
            None => self.stale(ctx),
        }
    }
}
