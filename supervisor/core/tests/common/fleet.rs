//! A fleet as text, for scenarios: facts above the line `---`, what is decided below it.
//!
//! ```text
//! redis down | redis up MS
//! database down
//! epoch open b1@w1 [open=MS] | epoch fenced prev=b1
//! worker w1 running|dead|elsewhere [age=MS] [up=MS] [sql=no] [process=N]     no `age`: no heartbeat yet; `up` also counts for the process;
//!     `process`: another one than the first of that name, to which bots were given
//! bot b1 on w1 ready|connecting|absent|shaky|failed [ok=MS] [reach=N] [lease=no] [error=NAME] [wait=S] [prio=N] [promote=no]
//!     [settled=MS] [works=EPOCH] [slot=b] [said=b] [other=resting|missing|lost|unknown] [sql_rests=yes] [rests_in=MS]     `said`: the report is about this login;
//!     `rests_in`: its other login may be connected for so long
//! bot b2 homeless
//! past switch|takeover|relogin ago=MS
//! paused by=NAME ago=MS
//! pinned b1 by=NAME ago=MS
//! scheduled b2|best in=MS by=NAME ago=MS
//! order switch b2 | order rotate|recover|pause|resume|pin b1|unpin|schedule b2|best in=MS|unschedule     by the user ann; see `order`
//! failed b2@w2 ago=MS
//! saga activated b2@w2
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::collections::BTreeMap;

use shared_core::*;
use supervisor_core::*;

pub const NOW: UnixMs = UnixMs(1_700_000_000_000);

pub fn ago(ms: i64) -> UnixMs {
    UnixMs(NOW.0 - ms)
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

pub fn pool() -> PoolId {
    PoolId::new("main").unwrap()
}

pub fn holder(text: &str) -> Holder {
    let (bot, at) = text.split_once('@').expect("bot@worker");
    Holder {
        bot: bot.parse().unwrap(),
        worker: worker(at),
    }
}

pub fn stamp(epoch: u64) -> EpochStamp {
    EpochStamp {
        epoch: Epoch(epoch),
        nonce: Nonce([epoch as u8; 8]),
    }
}

pub fn empty() -> Snapshot {
    Snapshot {
        pool: pool(),
        redis: RedisView::Up { for_ms: 600_000 },
        database_ok: true,
        epoch: None,
        open_for_ms: 0,
        bots: Vec::new(),
        workers: Vec::new(),
        assignments: Vec::new(),
        leases: Vec::new(),
        orphaned: Vec::new(),
        saga: None,
        past: Vec::new(),
        failed: Vec::new(),
        overrides: Overrides::default(),
    }
}

/// `key=value` words of a line.
fn options<'a>(words: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    words.iter().filter_map(|w| w.split_once('=')).collect()
}

pub fn parse(text: &str) -> Snapshot {
    let mut snapshot = empty();
    for line in text
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let opts = options(&words);
        let number = |key: &str| opts.get(key).map(|n| n.parse::<i64>().expect(line));
        match words[0] {
            "redis" if words[1] == "down" => snapshot.redis = RedisView::Down,
            "redis" => {
                let for_ms = words[2].parse().unwrap();
                snapshot.redis = RedisView::Up { for_ms };
            }
            "database" => snapshot.database_ok = false,
            "epoch" => {
                let open_ms = number("open").unwrap_or(600_000);
                snapshot.open_for_ms = open_ms.unsigned_abs();
                snapshot.epoch = Some(epoch(&words, &opts));
            }
            "worker" => snapshot.workers.push(worker_view(&words, &opts)),
            "bot" => add_bot(&mut snapshot, &words, &opts),
            "past" => snapshot.past.push(PastMove {
                kind: match words[1] {
                    "switch" => SwitchKind::Switch,
                    "takeover" => SwitchKind::Takeover,
                    "relogin" => SwitchKind::Relogin,
                    _ => SwitchKind::First,
                },
                at: ago(number("ago").unwrap()),
                on_a_guess: words.contains(&"guess"),
            }),
            "failed" => snapshot.failed.push(FailedAttempt {
                holder: holder(words[1]),
                at: ago(number("ago").unwrap()),
            }),
            "paused" => snapshot.overrides.paused = Some(laid(&opts)),
            "pinned" => {
                let bot = words[1].parse().unwrap();
                snapshot.overrides.pinned = Some((bot, laid(&opts)));
            }
            "order" => {}
            "scheduled" => {
                let to = (words[1] != "best").then(|| words[1].parse().unwrap());
                snapshot.overrides.scheduled = Some(Scheduled {
                    to,
                    due: ago(-number("in").unwrap()),
                    fires: Nonce([7; 8]),
                    laid: laid(&opts),
                });
            }
            "saga" => snapshot.saga = Some(saga(holder(words[2]))),
            other => panic!("unknown line `{other}`"),
        }
    }
    snapshot.orphaned = snapshot.find_orphaned(|_| false);
    snapshot
}

fn laid(opts: &BTreeMap<&str, &str>) -> Laid {
    Laid {
        at: ago(opts.get("ago").map_or(0, |ago| ago.parse().unwrap())),
        by: opts["by"].to_owned(),
    }
}

/// The order of a fleet's text, if there is one.
pub fn order(text: &str) -> Option<Order> {
    let line = text.lines().find_map(|line| line.strip_prefix("order "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let bot = || words[1].parse().unwrap();
    Some(match words[0] {
        "switch" => Order::Switch { to: bot() },
        "rotate" => Order::Rotate,
        "recover" => Order::Recover,
        "pause" => Order::Pause,
        "resume" => Order::Resume,
        "pin" => Order::Pin { bot: bot() },
        "unpin" => Order::Unpin,
        "schedule" => Order::Schedule {
            to: (words[1] != "best").then(bot),
            due: ago(-options(&words)["in"].parse::<i64>().unwrap()),
            fires: Nonce([7; 8]),
        },
        "unschedule" => Order::Unschedule,
        other => panic!("unknown order `{other}`"),
    })
}

fn slot(opts: &BTreeMap<&str, &str>, key: &str) -> Option<LoginSlot> {
    opts.get(key).map(|slot| slot.parse().unwrap())
}

fn epoch(words: &[&str], opts: &BTreeMap<&str, &str>) -> EpochRecord {
    let phase = Phase::parse(words[1]).expect("a phase");
    EpochRecord {
        stamp: stamp(3),
        phase,
        holder: words.get(2).filter(|w| w.contains('@')).map(|w| holder(w)),
        previous_bot: opts.get("prev").map(|b| b.parse().unwrap()),
        since: ago(600_000),
    }
}

fn saga(to: Holder) -> Saga {
    let seed = seed(to, &[]);
    let saga = Saga::start(seed).saga;
    saga.advance(Observation::Fenced { stamp: stamp(4) }, NOW)
        .saga
        .advance(Observation::Activated, NOW)
        .saga
}

pub fn seed(to: Holder, then: &[&str]) -> SagaSeed {
    SagaSeed {
        id: SwitchId([1; 8]),
        from: Some(holder("b1@w1")),
        previous_bot: Some(BotId(1)),
        to,
        then: then.iter().map(|t| holder(t)).collect(),
        cause: Cause::BotFatal {
            class: ErrorClass::TokenDead,
            error: "ACCESS_TOKEN_EXPIRED".into(),
        },
        reasons: Vec::new(),
        assign: None,
        smoke_timeout_ms: 2000,
        detected_at: NOW,
    }
}

fn worker_view(words: &[&str], opts: &BTreeMap<&str, &str>) -> WorkerView {
    let up: u64 = opts.get("up").map_or(60_000, |up| up.parse().unwrap());
    let process = match words[2] {
        "running" => Process::Running { for_ms: up },
        "dead" => Process::Dead,
        "elsewhere" => Process::Elsewhere,
        other => panic!("unknown process `{other}`"),
    };
    let beat = opts.get("age").map(|age| {
        let age: u64 = age.parse().unwrap();
        let sent = ago(age as i64);
        let beat = Heartbeat {
            worker: worker(words[1]),
            nonce: Nonce(
                [match opts.get("process") {
                    Some(number) => number.parse().unwrap(),
                    None => 1,
                }; 8],
            ),
            pid: 1,
            seq: 1,
            sent,
            started: ago(up as i64),
            version: "test".into(),
            bots: Vec::new(),
            pools: Vec::new(),
            seen: std::collections::BTreeMap::new(),
            redis_us: 100,
            sql_ok: opts.get("sql") != Some(&"no"),
        };
        (beat, age)
    });
    WorkerView {
        worker: worker(words[1]),
        process,
        beat,
    }
}

fn work(bot: BotId, epoch: u64) -> PoolWork {
    PoolWork {
        pool: pool(),
        bot,
        epoch: stamp(epoch),
        phase: Phase::Open,
        conversations_open: 0,
        outbox: 0,
        commits: 0,
        commits_refused: 0,
        duplicates: 0,
        sent: 0,
        updates_unknown: 0,
        files_to_resend: 0,
        maybe_repeated: 0,
        parked: 0,
    }
}

fn add_bot(snapshot: &mut Snapshot, words: &[&str], opts: &BTreeMap<&str, &str>) {
    let bot: BotId = words[1].parse().unwrap();
    let priority = opts
        .get("prio")
        .map_or(snapshot.bots.len() as u32, |p| p.parse().unwrap());
    snapshot.bots.push(PoolBot {
        bot,
        name: words[1].to_owned(),
        priority,
        promotable: opts.get("promote") != Some(&"no"),
        resting_known: opts.get("sql_rests") == Some(&"yes"),
    });
    if words[2] == "homeless" {
        return;
    }
    let at = worker(words[3]);
    snapshot.assignments.push(Assignment {
        bot,
        worker: at.clone(),
        slot: slot(opts, "slot").unwrap_or(LoginSlot::A),
        grant: Nonce([9; 8]),
        other_rests_until: opts
            .get("rests_in")
            .map(|ms| ago(-ms.parse::<i64>().unwrap())),
        process: Some(Nonce([1; 8])),
        other_process: opts.get("rests_for").map(|name| ProcessId {
            worker: worker(name),
            nonce: Nonce([1; 8]),
        }),
    });
    let connection = match words.get(4).copied().filter(|w| !w.contains('=')) {
        None => return,
        Some("ready") => Connection::Ready,
        Some("connecting") => Connection::Connecting,
        Some("absent") => Connection::Absent,
        Some("shaky") => Connection::Shaky,
        Some("failed") => Connection::Failed,
        Some(other) => panic!("unknown connection `{other}`"),
    };
    let number = |key: &str| opts.get(key).map(|n| n.parse::<u64>().unwrap());
    let health = BotHealth {
        pool: pool(),
        bot,
        username: format!("{bot}_bot"),
        slot: slot(opts, "said")
            .or(slot(opts, "slot"))
            .unwrap_or(LoginSlot::A),
        role: BotRole::Standby,
        connection,
        last_ok_ago_ms: number("ok").or((connection == Connection::Ready).then_some(100)),
        answered_for_ms: number("for").or(Some(60_000)),
        probe: LatencySummary {
            count: 10,
            last_us: number("probe").unwrap_or(500),
            max_us: 900,
        },
        last_error: opts.get("error").map(|name| ErrorSeen {
            class: match *name {
                "TIMEOUT" => ErrorClass::Network,
                "ACCESS_TOKEN_EXPIRED" => ErrorClass::TokenDead,
                name => classify(401, name, None),
            },
            name: (*name).to_owned(),
            ago_ms: 50,
        }),
        flood_wait_s: number("wait").map(|s| s as u32),
        lease_held: opts.get("lease") != Some(&"no"),
        settled_ms: number("settled"),
        reach: number("reach").unwrap_or(0),
        other_login: match opts.get("other").copied().unwrap_or("missing") {
            "resting" => OtherLogin::Resting,
            "missing" => OtherLogin::Missing,
            "lost" => OtherLogin::Lost,
            "unknown" => OtherLogin::Unknown,
            other => panic!("unknown other login `{other}`"),
        },
        channels: Vec::new(),
    };
    let view = snapshot.workers.iter_mut().find(|view| view.worker == at);
    let (beat, _) = view
        .expect("the worker stands above its bots")
        .beat
        .as_mut()
        .expect("the worker beats");
    if health.settled_ms.is_some() && health.lease_held {
        snapshot.leases.push(LoginLease {
            bot,
            slot: health.slot,
            worker: at,
            nonce: Nonce([1; 8]),
        });
    }
    if let Some(epoch) = number("works") {
        beat.pools.push(work(bot, epoch));
    }
    beat.bots.push(health);
}
