//! Shows open conversations where they stand after another bot took over, the latest active first.
//!
//! Only who was active lately is written to unasked, and in private only who has started this bot; for the others replies are parked when they cannot be
//! delivered. Asked for in small portions while the outbox is short, so that answers are never behind a long tail of prompts and
//! promotion does not depend on how many conversations there are.
//! Members go on meanwhile; that nobody is passed over is `bot-worker-core`'s `looks`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::looks::{Follows, Looks, Room};
use shared_core::{ConversationKey, PlaceKey};
use shared_io::clock;
use shared_io::redis::{Counter, OpenCursor, StateError};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::engine::Input;
use crate::status::lock;
use crate::tenure::Tenure;

/// With those that may wait before it ([`Room`]) no more than an answer may pass in the queue (`send_queue`, `head_start`): nobody's answer waits behind them.
const PORTION: usize = 12;
/// So many of the others a second where the bot is busy all the time: a seventh of what it may send. Whose reply was left out is not asked to wait for that.
const LITTLE: usize = 4;
/// Looked at once more, most have been handed over before: more than do something within a second, so that one portion is all.
const ONCE_MORE: usize = 2_000;
/// Who was active within this time is shown his prompt unasked.
const LATELY: Duration = Duration::from_secs(30 * 60);
/// How often, and how far apart, the end is noted; when it never is, the next holder looks through everything once more.
const NOTE_TRIES: u32 = 20;
const NOTE_AGAIN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

pub struct Reprompts {
    tenure: Arc<Tenure>,
    cursor: OpenCursor,
    finished: bool,
    looks: Looks<ConversationKey>,
}

impl Reprompts {
    pub fn new(tenure: Arc<Tenure>) -> Self {
        // Whoever showed them last was this bot: its keyboards are alive, nobody needs to be told anything.
        let finished = tenure.owed.is_none();
        Self {
            tenure,
            cursor: OpenCursor::default(),
            finished,
            looks: Looks::new(LATELY, clock::unix_now()),
        }
    }

    /// Hands portions to the engine until everyone was looked at, and then whoever's reply is left out late: of a long backlog, it is read late.
    pub async fn run(mut self, engine: mpsc::Sender<Input>) {
        // Whatever the sender before this one still sends brings that bot's buttons.
        while !self.finished && !self.tenure.has_turn.load(Ordering::Acquire) {
            tokio::time::sleep(PAUSE).await;
        }
        let mut last = clock::boot_now();
        let mut is_noted = false;
        loop {
            if !is_noted && self.is_over() {
                self.note_done(&engine).await;
                is_noted = true;
            }
            if self.tenure.owed.is_none() {
                return;
            }
            let now = clock::boot_now();
            let waiting = self.tenure.waiting.load(Ordering::Relaxed);
            let most = match Room::now(waiting, now.since(last)) {
                Room::None => 0,
                Room::Little => LITTLE,
                Room::Portion => PORTION,
            };
            let mut shown = Vec::new();
            if most > 0 {
                last = now;
                shown = self.left_out().await;
                if shown.is_empty() && !self.finished {
                    shown = self.portion(most).await;
                }
            }
            if !shown.is_empty() && engine.send(Input::Reprompt(shown)).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Everyone was looked at, and nobody is to be shown any more because of what this bot said before: of that, it finds out meanwhile.
    fn is_over(&self) -> bool {
        let doubts = self.tenure.doubts_itself.load(Ordering::Acquire);
        let is_owed = self.tenure.owed.is_some();
        self.finished && !(is_owed && (doubts || !lock(&self.tenure.left_out).is_empty()))
    }

    /// Once the last prompt is committed: nobody owes it any more.
    async fn note_done(&self, engine: &mpsc::Sender<Input>) {
        let (done, committed) = oneshot::channel();
        if engine.send(Input::Drain(done)).await.is_err() || committed.await.is_err() {
            return;
        }
        let (stamp, bot) = (self.tenure.stamp, self.tenure.context.lease.bot);
        for _ in 0..NOTE_TRIES {
            match self.tenure.context.state.set_resumed(stamp, bot).await {
                Ok(_) => return,
                Err(error) => warn!(%error, "the resumption is not noted yet"),
            }
            tokio::time::sleep(NOTE_AGAIN).await;
        }
    }

    /// Whose replies were left out because he is shown where he stands anyhow: he waits for that, so he comes first. Whoever cannot be written to is shown
    /// it when he comes.
    async fn left_out(&self) -> Vec<ConversationKey> {
        let mut left_out = std::mem::take(&mut *lock(&self.tenure.left_out));
        left_out.dedup();
        let rest = left_out.split_off(left_out.len().min(PORTION));
        lock(&self.tenure.left_out).extend(rest);
        if left_out.is_empty() {
            return left_out;
        }
        match self.are_reached(&left_out).await {
            Ok(reached) => {
                let mut reached = reached.into_iter();
                left_out.retain(|_| reached.next().unwrap_or_default());
                left_out
            }
            Err(error) => {
                warn!(%error, "reach could not be looked up yet");
                lock(&self.tenure.left_out).extend(left_out);
                Vec::new()
            }
        }
    }

    /// Can this bot write there?
    async fn are_reached(&self, keys: &[ConversationKey]) -> Result<Vec<bool>, StateError> {
        let members: Vec<_> = keys.iter().map(|key| key.member).collect();
        let (state, bot) = (&self.tenure.context.state, self.tenure.context.lease.bot);
        let reached = state.reaches(bot, &members).await?;
        let is_there =
            |(key, reached): (&ConversationKey, bool)| reached || key.place != PlaceKey::Private;
        Ok(keys.iter().zip(reached).map(is_there).collect())
    }

    async fn portion(&mut self, most: usize) -> Vec<ConversationKey> {
        let state = &self.tenure.context.state;
        let first = self.looks.is_first();
        let limit = if first { most } else { ONCE_MORE };
        let page = match state.open_conversations(&self.cursor, limit).await {
            Ok(page) => page,
            Err(error) => {
                warn!(%error, "open conversations could not be listed yet");
                return Vec::new();
            }
        };
        let fresh = self.looks.fresh(&page);
        let reached = match self.are_reached(&fresh).await {
            Ok(reached) => reached,
            Err(error) => {
                warn!(%error, "reach could not be looked up yet");
                return Vec::new();
            }
        };
        self.cursor.advance(&page);
        match self.looks.had(&fresh, &page, limit, clock::unix_now()) {
            Follows::Next => {}
            Follows::Again => self.cursor = OpenCursor::default(),
            Follows::Over => {
                self.finished = true;
                info!("everyone who was active lately has been shown where he stands");
            }
        }
        let (shown, parked): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .zip(reached)
            .partition(|(_, reached)| *reached);
        if !parked.is_empty() {
            let count = u64::try_from(parked.len()).unwrap_or(u64::MAX);
            let counter = Counter::ConversationsParked;
            self.tenure.work.count(&self.tenure, counter, count);
        }
        shown.into_iter().map(|(key, _)| key).collect()
    }
}
