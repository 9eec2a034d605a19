//! What a leader reads before it acts on a pool whose history is settled: epochs reserved, the switch under way, past moves.
//!
//! Invariant: an epoch is minted only inside a block that SQL has reserved for this leader, and the block lies above everything
//! that Redis or SQL ever knew.

use shared_core::{Epoch, EpochBlock, Nonce};
use shared_io::clock;
use shared_io::redis::LeadAnswer;
use shared_io::sql::LoginState;
use supervisor_core::Saga;

use super::checkpoint::Copying;
use super::drive::Running;
use super::{Held, Pool, Stopped, epoch_of};
use crate::chronicle::{Note, overrides_row, past_moves};

/// One that led before us may write its own name once more, between our reading and our writing.
const SIGNATURES: u32 = 3;

impl Pool {
    /// Epochs of our own, and our name in SQL: what comes before anything is changed there.
    pub(super) async fn reserve_and_sign(&self, remembered: Epoch) -> Result<EpochBlock, Stopped> {
        let seen = epoch_of(self.state.epoch().await?.as_ref()).max(remembered);
        let epochs = self.shared.store.epochs();
        let block = epochs
            .reserve_above(&self.name, EpochBlock::SIZE, seen)
            .await
            .map_err(Stopped::NoEpoch)?;
        self.sign().await?;
        Ok(block)
    }

    pub(super) async fn take_over(
        &mut self,
        lineage: String,
        block: EpochBlock,
        tenure: Nonce,
    ) -> Result<Held, Stopped> {
        let view = self.state.look().await?;
        let seen = epoch_of(view.epoch.as_ref());
        self.drop_unknown_bots(&view.assignments).await?;
        self.read_logins(&view.assignments).await;
        let overrides = self.read_overrides().await?;
        // Laid down while SQL was away, and noted by a leader that died before SQL was back: Redis' word counts.
        self.shared
            .chronicle
            .note(Note::Overrides(overrides_row(&self.name, &overrides)));
        let moves = self.shared.store.switches().list(&self.name, 200).await?;
        let saga = self.read_saga().await?;
        let copying = Copying::start(
            self.state.clone(),
            self.shared.store.clone(),
            self.shared.leader.clone(),
            lineage.clone(),
            self.bots.iter().map(|bot| bot.bot).collect(),
            block.next.0,
        );
        tracing::info!(pool = %self.name, epoch = %seen, first = %block.next, "leading the pool");
        Ok(Held {
            tenure,
            block,
            seen,
            lineage,
            saga,
            past: past_moves(&moves),
            opened: None,
            failed: Vec::new(),
            overrides,
            last: moves.into_iter().next(),
            published: None,
            swept: clock::boot_now(),
            copying,
        })
    }

    /// Writes down in SQL that we lead, so that a leader before us changes nothing there any more (`shared-io`, `sql/epochs.rs`).
    async fn sign(&self) -> Result<(), Stopped> {
        let epochs = self.shared.store.epochs();
        let leader = &self.shared.leader;
        for _ in 0..SIGNATURES {
            let known = epochs.leader(&self.name).await?;
            if !self.state.is_led_by(leader).await? {
                return Err(Stopped::NotLeading);
            }
            let (known, me) = (known.as_deref(), leader.as_str());
            if known == Some(me) || epochs.replace_leader(&self.name, known, me).await? {
                return Ok(());
            }
        }
        Err(Stopped::NotLeading)
    }

    /// The switch that the leader before us left, if it left one that can be read.
    async fn read_saga(&self) -> Result<Option<Running>, Stopped> {
        let Some(text) = self.state.saga().await? else {
            return Ok(None);
        };
        match serde_json::from_str::<Saga>(&text) {
            Ok(saga) => {
                tracing::info!(pool = %self.name, id = %saga.id, "going on with a switch: {}", saga.state);
                Ok(Some(Running::found(saga)))
            }
            Err(error) => {
                // Whoever was to be the holder is not trusted: the record is not open, so somebody will be activated.
                tracing::error!(pool = %self.name, line = error.line(), "the switch under way cannot be read and is dropped");
                Ok(None)
            }
        }
    }

    /// Bots that the configuration does not name any more are to be held by nobody.
    async fn drop_unknown_bots(
        &self,
        assignments: &[shared_core::Assignment],
    ) -> Result<(), Stopped> {
        let unknown: Vec<_> = assignments
            .iter()
            .map(|given| given.bot)
            .filter(|bot| self.bots.iter().all(|known| known.bot != *bot))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        match self.state.unassign(&self.shared.leader, &unknown).await? {
            LeadAnswer::Done => Ok(()),
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    /// What SQL knows of the bots' names and of the logins that are not assigned. Without it a takeover uses the live login until a
    /// heartbeat says better; SQL being slow is no reason not to lead.
    async fn read_logins(&mut self, assignments: &[shared_core::Assignment]) {
        if let Ok(rows) = self.shared.store.bots().list(&self.name).await {
            let named = rows.into_iter();
            self.usernames = named
                .filter_map(|row| Some((row.bot, row.username?)))
                .collect();
        }
        for bot in &mut self.bots {
            let given = assignments.iter().find(|given| given.bot == bot.bot);
            let logins = self.shared.store.logins().list(&self.name, bot.bot).await;
            bot.resting_known = given.is_some_and(|given| {
                let mut logins = logins.iter().flatten();
                logins.any(|login| {
                    login.slot == given.slot.other() && login.state == LoginState::Resting
                })
            });
        }
    }

    /// Reserves the next block well before this one is used up, when nobody waits.
    pub(super) async fn refill(&mut self) -> Result<(), Stopped> {
        let Some(held) = &self.held else {
            return Ok(());
        };
        // Whatever was seen is passed over.
        let next = held.block.next.max(held.seen);
        let left = held.block.ceiling.0.saturating_sub(next.0);
        if left > EpochBlock::SIZE / 2 || !self.shared.chronicle.database_ok() {
            return Ok(());
        }
        self.reserve().await
    }

    pub(super) async fn reserve(&mut self) -> Result<(), Stopped> {
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        let epochs = self.shared.store.epochs();
        held.block = epochs
            .reserve_above(&self.name, EpochBlock::SIZE, held.seen)
            .await
            .map_err(Stopped::NoEpoch)?;
        Ok(())
    }
}
