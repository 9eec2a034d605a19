//! Whose turn it is to empty the outbox: a new sender waits until nothing of the one before it can be on its way.
//!
//! ```text
//! who sent before                                        what the next one does
//! nobody, it ended in order, or this bot on this process     begins
//! it ended, with sends whose outcome it does not know        begins, and knows that (`doubt`)
//! its bot's lease is not its own (dead, hung, cut off)       begins: whoever it was sends no more, by its own clock
//! still there                                             waits for its last answers, at most [`PATIENCE`]; longer than that only where its lease may last longer
//! ```
//! So a switch away from a healthy bot shows nothing twice, however slow its line is. Invariant: waiting holds up nothing but sends; after
//! its bound the next one begins, because a reply that may come twice is better than none.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared_core::{BootMs, BotId};
use shared_io::clock;
use shared_io::redis::{
    Begun, EpochAnswer, OutboxPosition, SeenSending, Sending, SendsInDoubt, StateError,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::status::lock;
use crate::tenure::{Left, Tenure};

/// Longer than a sender waits for its last answers ([`WIND_DOWN`]).
const PATIENCE: Duration = Duration::from_millis(2500);
/// After the lease of one that is cut off from Redis has run out by everybody's clock.
const LEASE_IS_OVER: Duration = Duration::from_millis(500);
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

/// The turn, and what those before left in doubt, of each bot at most once.
pub struct Taken {
    doubts: Vec<SendsInDoubt>,
}

impl Taken {
    /// `unended`: a sender that did not say that it has ended. `stood`: it has sent nothing behind that; nothing at all where the outbox was empty. An
    /// end that is not known must never be taken for that: it would cover what this bot has committed itself.
    fn new(
        unended: Option<&SeenSending>,
        left: Vec<SendsInDoubt>,
        stood: Option<OutboxPosition>,
    ) -> Self {
        let Some(stood) = stood else {
            return Self { doubts: Vec::new() };
        };
        let mut doubts = left;
        if let Some(unended) = unended
            && doubts.iter().all(|doubt| doubt.bot != unended.bot())
        {
            doubts.push(SendsInDoubt {
                bot: unended.bot(),
                entries: Vec::new(),
                up_to: Some(stood.to_string()),
            });
        }
        Self { doubts }
    }

    /// Did this bot leave something in doubt? It can hear what it was.
    pub fn is_of(&self, me: BotId) -> bool {
        self.doubts.iter().any(|doubt| doubt.bot == me)
    }

    /// What other bots left, which this one cannot hear.
    pub fn of_others(&self, me: BotId) -> Vec<SendsInDoubt> {
        let others = self.doubts.iter().filter(|doubt| doubt.bot != me);
        others.cloned().collect()
    }
}

impl Tenure {
    fn sending(&self) -> Sending {
        Sending {
            bot: self.context.lease.bot,
            worker: self.context.lease.worker.clone(),
            nonce: self.context.lease.nonce,
            epoch: self.stamp,
            tenure: Some(self.nonce),
        }
    }

    /// How long the end of this tenure may wait for Telegram's last answers.
    pub fn wind_down(&self) -> Duration {
        match self.context.status.was_answered_within(WELL) {
            true => WIND_DOWN,
            false => WIND_DOWN_DEAD,
        }
    }

    /// Nothing of ours is on its way any more. Whose sends are in doubt is left for the next sender: ours, and
    /// still those of other bots while we have not looked at them.
    pub async fn end_sending(&self) {
        if !self.took_turn.load(Ordering::Acquire) {
            return;
        }
        let mine = self.sending();
        let entries = match &*lock(&self.left) {
            Left::Nothing => None,
            Left::Something => Some(Vec::new()),
            Left::These(at) => Some(at.iter().map(ToString::to_string).collect()),
        };
        let bot = mine.bot;
        let read_to = lock(&self.read_to).or(self.stood);
        let own = entries.map(|entries| SendsInDoubt {
            bot,
            entries,
            up_to: read_to.map(|at| at.to_string()),
        });
        let mut left = lock(&self.inherited_doubt).clone();
        left.extend(own);
        let ended = self.context.state.end_sending(&mine, &left);
        if let Err(error) = ended.await {
            warn!(%error, "the next sender is not told that this one has ended; it waits a moment");
        }
    }
}

/// Waits for the turn. `None`: the epoch is over, or the sender is to stop.
pub async fn take(tenure: &Tenure, stop: &CancellationToken) -> Option<Taken> {
    let since = clock::boot_now();
    let mut told = false;
    let mut seen = None;
    loop {
        match look(tenure, since, &mut seen).await {
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

/// `seen`: who was found in the place. When it is taken and the answer is lost, the next look finds ourselves there.
async fn look(
    tenure: &Tenure,
    since: BootMs,
    seen: &mut Option<SeenSending>,
) -> Result<Turn, StateError> {
    let state = &tenure.context.state;
    let mine = tenure.sending();
    let before = state.sending().await?;
    let is_mine = |it: &SeenSending| it.who.as_ref() == Some(&mine);
    if !before.as_ref().is_some_and(is_mine) || seen.is_none() {
        seen.clone_from(&before);
    }
    if let Some(other) = &before
        && !can_send_no_more(tenure, other.who.as_ref()).await?
    {
        let waited = clock::boot_now().since(since);
        if waited < patience(tenure.context.shared.config.timing.lease_ttl) {
            return Ok(Turn::NotYet);
        }
        warn!(before = ?other.who, "the sender before this one does not end; beginning all the same");
    }
    let stood = tenure.stood.as_ref();
    match state.begin_sending(before.as_ref(), &mine, stood).await? {
        EpochAnswer::Done(Begun::Ours { left }) => {
            tenure.took_turn.store(true, Ordering::Release);
            let waited_ms = clock::boot_now().since(since).as_millis();
            info!(epoch = %tenure.stamp, waited_ms, "sending");
            let taken = Taken::new(seen.take().as_ref(), left, tenure.stood);
            Ok(Turn::Ours(taken))
        }
        EpochAnswer::Done(Begun::Anothers) => Ok(Turn::NotYet),
        EpochAnswer::Fenced { .. } => Ok(Turn::Over),
    }
}

/// Whoever is cut off from Redis alone does not hear of the next epoch and sends on until its own lease is over: to begin before that would be to send
/// beside it.
fn patience(lease_ttl: Duration) -> Duration {
    PATIENCE.max(lease_ttl + LEASE_IS_OVER)
}

/// A session of this very process and bot ended before this one began. Of anybody else the lease tells; of whom nobody can read, time.
async fn can_send_no_more(tenure: &Tenure, other: Option<&Sending>) -> Result<bool, StateError> {
    let Some(other) = other else {
        return Ok(false);
    };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use shared_core::{Epoch, EpochStamp, Nonce, WorkerId};

    use super::*;

    fn unended() -> SeenSending {
        let who = Sending {
            bot: BotId(7),
            worker: WorkerId::new("w1").unwrap(),
            nonce: Nonce([1; 8]),
            epoch: EpochStamp {
                epoch: Epoch(3),
                nonce: Nonce([2; 8]),
            },
            tenure: None,
        };
        SeenSending::of(serde_json::to_vec(&who).unwrap())
    }

    #[test]
    fn whoever_did_not_end_may_have_sent_what_stood_and_nothing_behind_it() {
        let stood: OutboxPosition = "9-0".parse().unwrap();
        let taken = Taken::new(Some(&unended()), Vec::new(), Some(stood));
        assert_eq!(taken.doubts[0].up_to.as_deref(), Some("9-0"));
        assert_eq!(taken.of_others(BotId(8)), taken.doubts);
        // What is committed from here on is the next one's: an end that is not known would cover it.
        let taken = Taken::new(Some(&unended()), Vec::new(), None);
        assert!(taken.of_others(BotId(8)).is_empty());
    }

    #[test]
    fn a_sender_waits_for_as_long_as_the_one_before_it_may_believe_in_its_lease() {
        assert_eq!(patience(Duration::from_millis(1500)), PATIENCE);
        let long = Duration::from_secs(10);
        assert!(patience(long) > long);
    }
}
