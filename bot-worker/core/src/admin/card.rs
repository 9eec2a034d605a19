//! `/drstatus`: one card. With a fresh board it is the supervisor's word; without one it is the last word with its age, and what the worker knows
//! itself; `/drhelp` and the line for an old command are here too.

use shared_core::{
    BoardBot, BoardState, BoardSwitch, BotHealth, BotId, BotRole, Connection, Laid, PoolBoard,
};

use super::words::{Line, foreign, micros, span};
use super::{AdminTexts, Answered, Heard, OLD_MS, Press, Screen, Sight};

/// Workers that are listed; a pool needs few.
const WORKERS: usize = 12;
const REASONS: usize = 8;

const MINUTE_MS: u64 = 60_000;

impl AdminTexts {
    pub fn help(&self) -> Screen {
        let minutes = OLD_MS / MINUTE_MS;
        self.screen(&[self.fill(&Line::Help { minutes: &minutes })], &[])
    }

    /// The answer to a command that came too late to be obeyed.
    pub fn old(&self, age_ms: u64) -> Screen {
        let age = span(age_ms);
        self.screen(&[self.fill(&Line::Old { age: &age })], &[])
    }

    pub fn status(&self, sight: &Sight<'_>) -> Screen {
        let mut lines = Vec::new();
        match sight.heard() {
            Heard::Supervisor { board, age_ms } => self.board(sight, board, age_ms, &mut lines),
            Heard::Silent { board, age_ms } => {
                let age = span(age_ms);
                lines.push(self.fill(&Line::Stale { age: &age }));
                self.board(sight, board, age_ms, &mut lines);
                lines.push(String::new());
                self.own(sight, &mut lines);
            }
            Heard::Never => {
                lines.push(self.fill(&Line::NeverHeard {}));
                self.own(sight, &mut lines);
            }
        }
        lines.push(self.fill(&Line::AnsweredBy {
            bot: &sight.name(sight.me),
            worker: sight.worker,
        }));
        self.screen(
            &lines,
            &[
                &[
                    (Line::Refresh {}, Press::Refresh),
                    (Line::Switch {}, Press::Switch),
                ],
                &[(Line::Events {}, Press::Events)],
            ],
        )
    }

    fn board(&self, sight: &Sight<'_>, board: &PoolBoard, board_age: u64, lines: &mut Vec<String>) {
        let state = self.fill(&state(board.state));
        lines.push(self.fill(&Line::Title {
            pool: &board.pool,
            state: &state,
        }));
        self.reasons(sight, &board.reasons, lines);
        self.bots(sight, board, board_age, lines);
        self.workers(board, board_age, lines);
        lines.extend(self.stores(board, board_age));
        lines.push(match &board.last_switch {
            Some(switch) => self.last_switch(sight, switch),
            None => self.fill(&Line::NoSwitch {}),
        });
        self.overrides(sight, board, lines);
        lines.push(self.fill(&Line::HeardFrom {
            leader: &foreign(&board.leader),
            age: &self.ago(Some(board_age)),
        }));
    }

    pub(super) fn reasons(&self, sight: &Sight<'_>, reasons: &[String], lines: &mut Vec<String>) {
        let shown = reasons.iter().take(REASONS);
        lines.extend(shown.map(|reason| {
            let reason = foreign(sight.in_words(reason));
            self.fill(&Line::Reason { reason: &reason })
        }));
        self.rest(reasons.len(), REASONS, lines);
    }

    fn rest(&self, all: usize, shown: usize, lines: &mut Vec<String>) {
        let count = all.saturating_sub(shown);
        if count > 0 {
            lines.push(self.fill(&Line::More { count: &count }));
        }
    }

    fn bots(&self, sight: &Sight<'_>, board: &PoolBoard, age: u64, lines: &mut Vec<String>) {
        let (active, standbys): (Vec<_>, Vec<_>) = board
            .bots
            .iter()
            .partition(|bot| Some(bot.bot) == board.active);
        lines.push(match active.first() {
            Some(bot) => self.fill(&Line::Active {
                bot: &self.bot(sight, bot, age),
            }),
            None => self.fill(&Line::NobodyActive {}),
        });
        lines.push(match (board.epoch, board.phase) {
            (Some(epoch), Some(phase)) => self.fill(&Line::Epoch {
                epoch: &epoch,
                phase: &phase.as_str(),
                age: &self.ago(Some(age)),
            }),
            _ => self.fill(&Line::NoEpoch {}),
        });
        lines.extend(standbys.into_iter().map(|bot| {
            self.fill(&Line::Standby {
                bot: &self.bot(sight, bot, age),
            })
        }));
    }

    fn bot(&self, sight: &Sight<'_>, bot: &BoardBot, board_age: u64) -> String {
        let connection = self.fill(&connection(bot.connection));
        let readiness = match (&bot.error, bot.ready) {
            (_, true) => self.fill(&Line::Ready {}),
            (None, false) => self.fill(&Line::NotReady {
                connection: &connection,
            }),
            (Some(error), false) => self.fill(&Line::NotReadyBecause {
                connection: &connection,
                error: &foreign(error),
            }),
        };
        let second = match bot.resting {
            true => Line::SecondRests {},
            false => Line::SecondMissing {},
        };
        let worker = match &bot.worker {
            Some(worker) => self.fill(&Line::OnWorker { worker }),
            None => self.fill(&Line::OnNoWorker {}),
        };
        self.fill(&Line::Bot {
            name: &sight.name(bot.bot),
            readiness: &readiness,
            reach: &bot.reach,
            second: &self.fill(&second),
            worker: &worker,
            age: &self.ago(older(bot.age_ms, board_age)),
        })
    }

    fn workers(&self, board: &PoolBoard, board_age: u64, lines: &mut Vec<String>) {
        lines.extend(board.workers.iter().take(WORKERS).map(|it| {
            let (worker, bots) = (&it.worker, &it.bots);
            let age = &self.ago(older(it.age_ms, board_age));
            self.fill(&match it.well {
                true => Line::WorkerWell { worker, bots, age },
                false => Line::WorkerUnwell { worker, bots, age },
            })
        }));
        self.rest(board.workers.len(), WORKERS, lines);
    }

    fn stores(&self, board: &PoolBoard, board_age: u64) -> [String; 2] {
        let age: &String = &self.ago(Some(board_age));
        let redis = match board.redis.ok {
            true => {
                let rtt = board.redis.rtt_us.map_or_else(|| "?".to_owned(), micros);
                let mode = board.redis.appendfsync.as_deref().unwrap_or("?");
                self.fill(&Line::RedisAnswers {
                    rtt: &rtt,
                    mode: &mode,
                    age,
                })
            }
            false => self.fill(&Line::RedisAway { age }),
        };
        let database = match board.database_ok {
            true => Line::DatabaseAnswers { age },
            false => Line::DatabaseAway { age },
        };
        [redis, self.fill(&database)]
    }

    fn last_switch(&self, sight: &Sight<'_>, switch: &BoardSwitch) -> String {
        let first = match switch.first_reply_ms {
            Some(ms) => self.fill(&Line::FirstReply { time: &span(ms) }),
            None => self.fill(&Line::FirstReplyNone {}),
        };
        self.fill(&Line::LastSwitch {
            age: &self.ago(Some(sight.now.since(switch.at))),
            kind: &switch.kind,
            from: &self.bot_or_nobody(sight, switch.from),
            to: &self.bot_or_nobody(sight, switch.to),
            took: &self.took(switch.took_ms),
            first: &first,
            cause: &foreign(sight.in_words(&switch.cause)),
        })
    }

    pub(super) fn took(&self, ms: Option<u64>) -> String {
        match ms {
            Some(ms) => self.fill(&Line::Took { time: &span(ms) }),
            None => self.fill(&Line::TookUnknown {}),
        }
    }

    pub(super) fn bot_or_nobody(&self, sight: &Sight<'_>, bot: Option<BotId>) -> String {
        bot.map_or_else(|| self.fill(&Line::Nobody {}), |bot| sight.name(bot))
    }

    fn overrides(&self, sight: &Sight<'_>, board: &PoolBoard, lines: &mut Vec<String>) {
        let age = |laid: &Laid| self.ago(Some(sight.now.since(laid.at)));
        if let Some(laid) = &board.overrides.paused {
            lines.push(self.fill(&Line::Paused {
                by: &foreign(&laid.by),
                age: &age(laid),
            }));
        }
        if let Some((bot, laid)) = &board.overrides.pinned {
            lines.push(self.fill(&Line::Pinned {
                bot: &sight.name(*bot),
                by: &foreign(&laid.by),
                age: &age(laid),
            }));
        }
        if let Some(scheduled) = &board.overrides.scheduled {
            let (by, left) = (
                foreign(&scheduled.laid.by),
                span(scheduled.due.since(sight.now)),
            );
            lines.push(match scheduled.to {
                Some(bot) => self.fill(&Line::Scheduled {
                    bot: &sight.name(bot),
                    by: &by,
                    left: &left,
                }),
                None => self.fill(&Line::ScheduledAny {
                    by: &by,
                    left: &left,
                }),
            });
        }
    }

    /// What this worker knows without the supervisor.
    pub(super) fn own(&self, sight: &Sight<'_>, lines: &mut Vec<String>) {
        lines.push(self.fill(&Line::OwnHeading {
            worker: sight.worker,
        }));
        for health in sight.bots {
            self.own_bot(sight, health, lines);
        }
        lines.push(self.own_redis(sight.redis));
        lines.push(self.own_database(sight.sql));
    }

    fn own_bot(&self, sight: &Sight<'_>, health: &BotHealth, lines: &mut Vec<String>) {
        let name = sight.name(health.bot);
        let role = match health.role {
            BotRole::Active => Line::RoleActive {},
            BotRole::Standby => Line::RoleStandby {},
        };
        let answered = match health.last_ok_ago_ms {
            Some(ms) => self.fill(&Line::OwnAnswered {
                age: &self.ago(Some(ms)),
            }),
            None => self.fill(&Line::OwnNotAnswered {}),
        };
        let lease = match health.lease_held {
            true => Line::OwnLease {},
            false => Line::OwnNoLease {},
        };
        lines.push(self.fill(&Line::OwnBot {
            name: &name,
            role: &self.fill(&role),
            connection: &self.fill(&connection(health.connection)),
            answered: &answered,
            lease: &self.fill(&lease),
        }));
        if let Some(error) = &health.last_error {
            lines.push(self.fill(&Line::OwnError {
                name: &name,
                error: &foreign(&error.name),
                age: &self.ago(Some(error.ago_ms)),
            }));
        }
    }

    fn own_redis(&self, redis: Answered) -> String {
        match redis.ago_ms {
            Some(ms) if redis.is_well() => self.fill(&Line::OwnRedis {
                rtt: &micros(redis.took_us),
                age: &self.ago(Some(ms)),
            }),
            Some(ms) => self.fill(&Line::OwnRedisAway { age: &span(ms) }),
            None => self.fill(&Line::OwnRedisNever {}),
        }
    }

    fn own_database(&self, sql: Answered) -> String {
        match sql.ago_ms {
            Some(ms) if sql.is_well() => self.fill(&Line::OwnDatabase {
                age: &self.ago(Some(ms)),
            }),
            Some(ms) => self.fill(&Line::OwnDatabaseAway { age: &span(ms) }),
            None => self.fill(&Line::OwnDatabaseNever {}),
        }
    }
}

/// What was old when the board was made is older by the board's own age.
fn older(age_ms: Option<u64>, board_age: u64) -> Option<u64> {
    age_ms.map(|age| age.saturating_add(board_age))
}

fn state(state: BoardState) -> Line<'static> {
    match state {
        BoardState::Ok => Line::StateOk {},
        BoardState::Degraded => Line::StateDegraded {},
        BoardState::Switching => Line::StateSwitching {},
        BoardState::Down => Line::StateDown {},
    }
}

fn connection(connection: Connection) -> Line<'static> {
    match connection {
        Connection::Absent => Line::Absent {},
        Connection::Connecting => Line::Connecting {},
        Connection::Ready => Line::Connected {},
        Connection::Shaky => Line::Shaky {},
        Connection::Failed => Line::Failed {},
    }
}
