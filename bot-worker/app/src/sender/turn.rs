//! Whose turn it is to empty the outbox: a new sender waits until nothing of the one before it can be on its way.
//!
//! ```text
//! who sent before                                        what the next one does
//! nobody, it ended in order, or this bot on this process     begins
//! it ended, with sends whose outcome it does not know        begins, and knows that (`doubt`)
//! its bot's lease is not its own (dead, hung, cut off)       begins: whoever it was sends no more, by its own clock
//! still there                                             waits for its last answers, at most [`PATIENCE`]
//! ```
//! So a switch away from a healthy bot shows nothing twice, however slow its line is. Invariant: waiting holds up nothing but sends; after
//! its bound the next one begins, because a reply that may come twice is better than none.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared_core::BootMs;
use shared_io::clock;
use shared_io::redis::{EpochAnswer, Sending, StateError};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::status::lock;
use crate::tenure::{Left, Tenure};

/// Longer than a sender waits for its last answers ([`WIND_DOWN`]).
const PATIENCE: Duration = Duration::from_millis(2500);
const LOOK: Duration = Duration::from_millis(10);
/// How long a sender whose line is well waits for answers to what has left.
pub const WIND_DOWN: Duration = Duration::from_secs(2);
/// The same where nothing was answered lately: nothing will be.
pub const WIND_DOWN_DEAD: Duration = Duration::from_millis(100);
/// A line that was answered within this time is well.
const WELL: Duration = Duration::from_millis(2500);

enum Turn {
    Ours(Taken),
    Over,
    NotYet,
}

/// The turn, and whose it was before.
pub struct Taken(Option<Sending>);

impl Taken {
    /// A sender that did not say that all it sent is known.
    pub fn before(&self) -> Option<&Sending> {
        self.0.as_ref()
    }
}

impl Tenure {
    fn sending(&self) -> Sending {
        Sending {
            bot: self.context.lease.bot,
            worker: self.context.lease.worker.clone(),
            nonce: self.context.lease.nonce,
            epoch: self.stamp,
            over: false,
            doubtful: Vec::new(),
        }
    }

    /// How long the end of this tenure may wait for Telegram's last answers.
    pub fn wind_down(&self) -> Duration {
        match self.context.status.was_answered_within(WELL) {
            true => WIND_DOWN,
            false => WIND_DOWN_DEAD,
        }
    }

    /// Nothing of ours is on its way any more. Whose sends are in doubt is left for the next sender: ours, or still those of the one before us.
    pub async fn end_sending(&self) {
        if !self.took_turn.load(Ordering::Acquire) {
            return;
        }
        let mine = self.sending();
        let inherited = lock(&self.inherited_doubt).clone();
        let doubtful = match &*lock(&self.left) {
            Left::Nothing => None,
            Left::Something => Some(Vec::new()),
            Left::These(at) => Some(at.iter().map(ToString::to_string).collect()),
        };
        let own = doubtful.map(|doubtful| Sending {
            doubtful,
            ..mine.clone()
        });
        let left = inherited.or(own).map(|whose| Sending {
            over: true,
            ..whose
        });
        let ended = self.context.state.end_sending(&mine, left.as_ref());
        if let Err(error) = ended.await {
            warn!(%error, "the next sender is not told that this one has ended; it waits a moment");
        }
    }
}

/// Waits for the turn. `None`: the epoch is over, or the sender is to stop.
pub async fn take(tenure: &Tenure, stop: &CancellationToken) -> Option<Taken> {
    let since = clock::boot_now();
    let mut told = false;
    loop {
        match look(tenure, since).await {
            Ok(Turn::Ours(taken)) => return Some(taken),
            Ok(Turn::Over) => return None,
            Ok(Turn::NotYet) => {}
            Err(error) if !told => {
                told = true;
                warn!(%error, "whose turn it is to send is not known yet");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(tenure: &Tenure, since: BootMs) -> Result<Turn, StateError> {
    let state = &tenure.context.state;
    let before = state.sending().await?;
    if let Some(other) = &before
        && !can_send_no_more(tenure, other).await?
    {
        let waited = clock::boot_now().since(since);
        if waited < PATIENCE {
            return Ok(Turn::NotYet);
        }
        warn!(bot = %other.bot, worker = %other.worker, "the sender before this one does not end; beginning all the same");
    }
    match state
        .begin_sending(before.as_ref(), &tenure.sending())
        .await?
    {
        EpochAnswer::Done(true) => {
            tenure.took_turn.store(true, Ordering::Release);
            let waited_ms = clock::boot_now().since(since).as_millis();
            info!(epoch = %tenure.stamp, waited_ms, "sending");
            Ok(Turn::Ours(Taken(before)))
        }
        EpochAnswer::Done(false) => Ok(Turn::NotYet),
        EpochAnswer::Fenced { .. } => Ok(Turn::Over),
    }
}

/// A session of this very process and bot ended before this one began. Of anybody else the lease tells.
async fn can_send_no_more(tenure: &Tenure, other: &Sending) -> Result<bool, StateError> {
    if other.over {
        return Ok(true);
    }
    let me = &tenure.context.lease;
    if (other.bot, &other.worker, other.nonce) == (me.bot, &me.worker, me.nonce) {
        return Ok(true);
    }
    let leases = tenure.context.state.leases(&[other.bot]).await?;
    let holds = leases
        .into_iter()
        .flatten()
        .any(|lease| lease.worker == other.worker && lease.nonce == other.nonce);
    Ok(!holds)
}
