//! The pool's board: published when something on it has changed, and once a second at least.
//!
//! Nobody decides by it. A board that could not be published is made anew at the next look.

use shared_core::{
    BoardBot, BoardRedis, BoardState, BoardSwitch, BoardWorker, BootMs, BotId, BotRole, Connection,
    EpochStamp, Holder, Order, Overrides, Phase, PoolBoard,
};
use shared_io::clock;
use shared_io::redis::LeadAnswer;
use shared_io::sql::SwitchRow;
use supervisor_core::{Snapshot, Standing, Verdicts, candidates, preview};

use super::{Pool, Stopped};
use crate::world::World;

const EVERY_MS: u128 = 1000;

/// What makes a new board worth publishing at once.
#[derive(PartialEq)]
pub(super) struct Face {
    state: BoardState,
    epoch: Option<(EpochStamp, Phase, Option<Holder>)>,
    overrides: Overrides,
    bots: Vec<Option<Connection>>,
    last: Option<(shared_core::SwitchId, bool)>,
}

/// The last board that was published.
pub(super) struct Published {
    at: BootMs,
    face: Face,
}

impl Pool {
    pub(super) async fn publish(
        &mut self,
        snapshot: &Snapshot,
        world: &World,
    ) -> Result<(), Stopped> {
        let standing = Standing::of(snapshot, &self.policy, clock::unix_now());
        let last = self.last_switch();
        let face = face(snapshot, &standing, last.as_ref());
        let now = clock::boot_now();
        let Some(held) = &self.held else {
            return Ok(());
        };
        let is_fresh = held.published.as_ref().is_some_and(|published| {
            published.face == face && now.since(published.at).as_millis() < EVERY_MS
        });
        if is_fresh {
            return Ok(());
        }
        self.watch_tail().await;
        self.seq += 1;
        let board = self.board(snapshot, standing, world, last);
        match self
            .state
            .publish_board(&self.shared.leader, &board)
            .await?
        {
            LeadAnswer::NotLeading => return Err(Stopped::NotLeading),
            LeadAnswer::Done => {}
        }
        if let Some(held) = &mut self.held {
            held.published = Some(Published { at: now, face });
        }
        Ok(())
    }

    /// The latest switch that this leader recorded or found recorded.
    fn last_switch(&self) -> Option<SwitchRow> {
        let found = self.held.as_ref().and_then(|held| held.last.clone());
        let ours = self.shared.chronicle.latest(&self.name);
        found.into_iter().chain(ours).max_by_key(|row| row.started)
    }

    fn board(
        &self,
        snapshot: &Snapshot,
        standing: Standing,
        world: &World,
        last: Option<SwitchRow>,
    ) -> PoolBoard {
        let now = clock::unix_now();
        let ready = candidates(snapshot, &self.policy, now);
        let record = snapshot.epoch.as_ref();
        let bots = self.bots.iter();
        PoolBoard {
            pool: self.name.clone(),
            at: now,
            seq: self.seq,
            leader: self.shared.leader.to_string(),
            state: standing.state,
            reasons: standing.reasons,
            epoch: record.map(|record| record.stamp.epoch),
            phase: record.map(|record| record.phase),
            active: snapshot.holder().map(|holder| holder.bot),
            bots: bots
                .map(|bot| {
                    let stands_by = ready.iter().any(|holder| holder.bot == bot.bot);
                    self.board_bot(snapshot, bot.bot, &bot.name, stands_by)
                })
                .collect(),
            workers: board_workers(snapshot, &Verdicts::of(snapshot, &self.policy)),
            redis: BoardRedis {
                ok: true,
                rtt_us: world.rtt_us,
                appendfsync: world.appendfsync.map(str::to_owned),
            },
            database_ok: snapshot.database_ok,
            overrides: snapshot.overrides.clone(),
            last_switch: last.map(board_switch),
            rotate: preview(snapshot, &self.policy, now, &Order::Rotate),
            recover: preview(snapshot, &self.policy, now, &Order::Recover),
        }
    }

    fn board_bot(&self, snapshot: &Snapshot, bot: BotId, name: &str, stands_by: bool) -> BoardBot {
        let given = snapshot.assignment(bot);
        let said = given.and_then(|given| snapshot.health(bot, &given.worker));
        let view = given.and_then(|given| snapshot.worker(&given.worker));
        let active = snapshot.holder().is_some_and(|holder| holder.bot == bot);
        let serves = said.is_some_and(|s| s.connection == Connection::Ready && s.lease_held);
        let username = said.map(|said| said.username.trim_start_matches('@'));
        let username = username.filter(|name| !name.is_empty());
        BoardBot {
            bot,
            name: name.to_owned(),
            username: username
                .or_else(|| self.usernames.get(&bot).map(String::as_str))
                .unwrap_or_default()
                .to_owned(),
            role: match active {
                true => BotRole::Active,
                false => BotRole::Standby,
            },
            connection: said.map_or(Connection::Absent, |said| said.connection),
            worker: given.map(|given| given.worker.clone()),
            ready: if active { serves } else { stands_by },
            reach: said.map_or(0, |said| said.reach),
            resting: snapshot.resting(bot, clock::unix_now()).is_some(),
            age_ms: view.and_then(|view| view.beat.as_ref().map(|(_, age_ms)| *age_ms)),
            error: said.and_then(|said| Some(said.last_error.as_ref()?.name.clone())),
        }
    }
}

fn face(snapshot: &Snapshot, standing: &Standing, last: Option<&SwitchRow>) -> Face {
    let record = snapshot.epoch.as_ref();
    let bots = snapshot.bots.iter().map(|bot| {
        let given = snapshot.assignment(bot.bot)?;
        Some(snapshot.health(bot.bot, &given.worker)?.connection)
    });
    Face {
        state: standing.state,
        epoch: record.map(|record| (record.stamp, record.phase, record.holder.clone())),
        overrides: snapshot.overrides.clone(),
        bots: bots.collect(),
        last: last.map(|row| (row.id, row.timeline.first_reply_at.is_some())),
    }
}

fn board_workers(snapshot: &Snapshot, verdicts: &Verdicts) -> Vec<BoardWorker> {
    let workers = snapshot.workers.iter();
    workers
        .map(|view| BoardWorker {
            worker: view.worker.clone(),
            bots: snapshot.load(&view.worker),
            age_ms: view.beat.as_ref().map(|(_, age_ms)| *age_ms),
            well: verdicts
                .worker(&view.worker)
                .is_some_and(|verdict| verdict.finding.is_none()),
        })
        .collect()
}

fn board_switch(row: SwitchRow) -> BoardSwitch {
    let at = row.timeline.detected_at.unwrap_or(row.started);
    let after = |then: Option<shared_core::UnixMs>| then.map(|then| then.since(at));
    BoardSwitch {
        id: row.id,
        kind: row.kind.as_str().to_owned(),
        from: row.from_bot,
        to: row.to_bot,
        cause: row.cause,
        at,
        took_ms: after(row.timeline.opened_at),
        first_reply_ms: after(row.timeline.first_reply_at),
    }
}
