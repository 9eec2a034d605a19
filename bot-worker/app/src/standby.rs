//! What a standby does with what it hears: it notes who can be reached through it, keeps private messages for its own activation, and
//! tells who writes to it which bot is active. Whoever wrote while nobody answered is told as soon as another bot does.
//!
//! Invariant: the private cursor moves in the same script that keeps the messages before it, so a kill between the two cannot lose
//! one. Group updates are not its business: the pool's cursors belong to the active bot. How members are told: `hints.rs`.

mod hints;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shared_core::{
    BotId, Echo, EpochRecord, EpochStamp, IncomingKind, MemberId, Phase, Place, StartPayload,
    UnixMs,
};
use shared_io::redis::{Counter, LeaseAnswer, PrivateChange, PrivateCursor, StateError};
use shared_io::telegram::{Batch, Calls};
use tracing::{debug, warn};

use crate::context::BotContext;
use crate::echoes;
use crate::guard::Tenancy;
use hints::Hints;

/// A leader's clock and Telegram's differ by no more than this.
const CLOCKS_MS: i64 = 2_000;

#[derive(Debug, thiserror::Error)]
pub enum StandbyError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the login lease is not ours any more ({0:?})")]
    Lease(LeaseAnswer),
    #[error("the epoch has changed meanwhile")]
    EpochChanged,
}

/// How a bot that does not answer stands to the one that does, as far as is known.
pub struct Standing {
    /// Another bot answers, in this epoch: members are told which.
    pub elsewhere: Option<EpochStamp>,
    /// No other bot has answered since this one did, so what waits in the outbox may be what this one is heard to have said. What another one found
    /// in doubt it has said again and settled.
    answered_last: bool,
    /// What this bot said before that may look like what another one has said since.
    said_since: Option<UnixMs>,
    record: Option<EpochRecord>,
}

impl Standing {
    pub fn of(record: Option<&EpochRecord>, me: BotId) -> Self {
        let open = record.filter(|record| record.phase == Phase::Open);
        let holder = open.and_then(|record| record.holder.as_ref());
        // An open epoch's holder has answered in it: this very bot, by a process that was killed, where the epoch has not been left yet.
        let answered = holder.map(|holder| holder.bot);
        let before = record.and_then(|record| record.previous_bot);
        let last = answered.or(before);
        let after_another = before.is_some_and(|before| before != me);
        let opened = open.filter(|_| after_another).map(|record| record.since);
        Self {
            elsewhere: open
                .filter(|_| holder.is_some_and(|holder| holder.bot != me))
                .map(|record| record.stamp),
            answered_last: last.is_none_or(|last| last == me),
            said_since: opened.map(|opened| UnixMs(opened.0.saturating_sub(CLOCKS_MS))),
            record: record.cloned(),
        }
    }

    /// Telegram gives whole seconds.
    fn may_be_ours(&self, echo: &Echo) -> bool {
        self.said_since
            .is_none_or(|since| echo.date.0 + 999 >= since.0)
    }
}

pub struct Standby {
    context: Arc<BotContext>,
    hints: Hints,
}

impl Standby {
    pub fn new(context: Arc<BotContext>, tenancy: Tenancy, calls: Calls) -> Self {
        Self {
            hints: Hints::new(Arc::clone(&context), tenancy, calls),
            context,
        }
    }

    /// Commits the batch under the lease. An error means that nothing of it was committed. Who stands by tells members who answers;
    /// a bot that may be about to answer itself (nobody does, or it is being tested) keeps everything for that moment.
    pub async fn take(&mut self, batch: Batch, standing: &Standing) -> Result<(), StandbyError> {
        let stands_by = standing.elsewhere.is_some();
        let mut change = PrivateChange {
            cursor: batch.private_after.as_ref().map(|after| PrivateCursor {
                pts: after.pts,
                qts: after.qts,
                date: after.date,
            }),
            ..PrivateChange::default()
        };
        if !stands_by && standing.answered_last && !batch.echoes.is_empty() {
            // Before the cursor passes them; while another bot answers, what it has waiting is its own business.
            let record = standing.record.as_ref();
            let said = batch
                .echoes
                .iter()
                .filter(|echo| standing.may_be_ours(echo));
            let said: Vec<Echo> = said.cloned().collect();
            if !echoes::settle(&self.context, &said, record).await? {
                return Err(StandbyError::EpochChanged);
            }
        }
        let mut to_hint = Vec::new();
        for incoming in batch
            .items
            .into_iter()
            .filter(|item| item.place == Place::Private)
        {
            match &incoming.what {
                IncomingKind::Stopped { stopped: true } => stops(&mut change, incoming.member),
                IncomingKind::Stopped { stopped: false } => starts(&mut change, incoming.member),
                // A standby's keyboards are of an earlier epoch: who presses there is told (`presses.rs`).
                IncomingKind::Press { .. } if stands_by => {}
                IncomingKind::Press { .. } => {
                    self.context.presses.keeps(&incoming);
                    change.hold.push(incoming);
                }
                IncomingKind::Message { text, .. } => {
                    starts(&mut change, incoming.member);
                    let payload = StartPayload::of_start(text);
                    if payload == Some(StartPayload::BACKUP) {
                        change.invited.push(incoming.member);
                    }
                    // Who came for an upload asks for something, like any other message does.
                    let asks = payload == Some(StartPayload::UPLOAD);
                    let only_opens_the_chat = stands_by && is_start(text) && !asks;
                    to_hint.push(incoming.clone());
                    if !only_opens_the_chat {
                        change.hold.push(incoming);
                    }
                }
                IncomingKind::Edit { .. } => change.hold.push(incoming),
            }
        }
        let nothing = change.cursor.is_none()
            && change.started.is_empty()
            && change.stopped.is_empty()
            && change.hold.is_empty();
        if !nothing {
            let (state, lease) = (&self.context.state, &self.context.lease);
            let answer = state.commit_private(lease, &change).await?;
            if answer != LeaseAnswer::Held {
                return Err(StandbyError::Lease(answer));
            }
        }
        // Behind the commit: a batch that is tried again is counted once.
        self.count_unknown(batch.unknown);
        if !change.started.is_empty() || !change.stopped.is_empty() {
            let reach = self.context.state.reach(self.context.lease.bot).await?;
            self.context.status.reach(reach);
        }
        to_hint.into_iter().for_each(|to| self.hints.wait(to));
        self.tell(standing);
        Ok(())
    }

    /// Tells whoever waits for it who answers, once somebody does.
    pub fn tell(&mut self, standing: &Standing) {
        if standing.elsewhere.is_some() {
            self.hints.tell();
        }
    }

    /// This bot answers itself: what was kept is answered.
    pub fn ends(&mut self) {
        self.hints.forget();
    }

    /// What Telegram would not give out to a standby is as unknown as what an active bot is not given. A count that does not arrive is missed
    /// by a report, nothing else.
    fn count_unknown(&self, unknown: u64) {
        if unknown == 0 {
            return;
        }
        self.context.missed_some.store(true, Ordering::Release);
        warn!(bot = %self.context.lease.bot, unknown, "Telegram would not give out updates");
        let state = self.context.state.clone();
        tokio::spawn(async move {
            let by = i64::try_from(unknown).unwrap_or(i64::MAX);
            if let Err(error) = state.count(&[(Counter::UpdatesUnknown, by)]).await {
                debug!(%error, "not counted");
            }
        });
    }
}

fn is_start(text: &str) -> bool {
    text.split_whitespace()
        .next()
        .is_some_and(|word| word == "/start")
}

/// The last word counts: one difference may tell that he blocked the bot and that he came back.
fn starts(change: &mut PrivateChange, member: MemberId) {
    change.stopped.retain(|stopped| *stopped != member);
    change.started.push(member);
}

fn stops(change: &mut PrivateChange, member: MemberId) {
    change.started.retain(|started| *started != member);
    change.invited.retain(|invited| *invited != member);
    change.stopped.push(member);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use shared_core::{Epoch, Holder, MessageId, Nonce, Print, SendTarget, WorkerId};

    use super::*;

    #[test]
    fn who_answered_last_is_an_open_epochs_holder_or_who_was_before() {
        let [me, other] = [1, 2].map(BotId);
        let answered_last = |phase, holder: Option<BotId>, previous| {
            let record = EpochRecord {
                stamp: EpochStamp {
                    epoch: Epoch(3),
                    nonce: Nonce([7; 8]),
                },
                phase,
                holder: holder.map(|bot| Holder {
                    bot,
                    worker: WorkerId::new("w0").unwrap(),
                }),
                previous_bot: previous,
                since: UnixMs(1),
            };
            Standing::of(Some(&record), me).answered_last
        };
        assert!(answered_last(Phase::Fenced, None, Some(me)));
        assert!(!answered_last(Phase::Fenced, None, Some(other)));
        assert!(!answered_last(Phase::Smoking, Some(me), Some(other)));
        assert!(answered_last(Phase::Open, Some(me), Some(other)));
        assert!(!answered_last(Phase::Open, Some(other), Some(me)));
        assert!(Standing::of(None, me).answered_last);

        // In its open epoch it has answered since that was opened, and not before where another one came first.
        let echo = |date| Echo {
            chat: SendTarget::Member(MemberId(5)),
            message: MessageId(7),
            date: UnixMs(date),
            print: Print::of("Step 1/6", None),
        };
        let mut record = EpochRecord {
            stamp: EpochStamp {
                epoch: Epoch(3),
                nonce: Nonce([7; 8]),
            },
            phase: Phase::Open,
            holder: Some(Holder {
                bot: me,
                worker: WorkerId::new("w0").unwrap(),
            }),
            previous_bot: Some(other),
            since: UnixMs(100_500),
        };
        let standing = Standing::of(Some(&record), me);
        assert!(standing.may_be_ours(&echo(98_000)) && !standing.may_be_ours(&echo(97_000)));
        record.previous_bot = Some(me);
        assert!(Standing::of(Some(&record), me).may_be_ours(&echo(1_000)));
    }
}
