//! A pool as a board shows it, and a worker that looks at it.

use shared_core::{
    BoardBot, BoardRedis, BoardState, BoardSwitch, BoardWorker, BotHealth, BotId, BotRole,
    Connection, Epoch, LatencySummary, LoginSlot, Nonce, OtherLogin, Overrides, Phase, PlanId,
    PoolBoard, PoolId, Preview, SwitchId, UnixMs, WorkerId,
};

use crate::admin::{AdminTexts, Answered, Screen, Sight};

pub const NOW: UnixMs = UnixMs(1_000_000_000);

pub fn ago(ms: i64) -> UnixMs {
    UnixMs(NOW.0 - ms)
}

pub struct Seen {
    pub pool: PoolId,
    pub worker: WorkerId,
    pub board: Option<(PoolBoard, u64)>,
    pub bots: Vec<BotHealth>,
    pub redis: Answered,
    pub sql: Answered,
}

impl Seen {
    /// All is well, and the standby is asked.
    pub fn well() -> Self {
        Self {
            pool: PoolId::new("main").unwrap(),
            worker: worker("w2"),
            board: Some((board(), 400)),
            bots: vec![health(BotId(2), "second_bot")],
            redis: Answered {
                ago_ms: Some(100),
                failing: false,
                took_us: 250,
            },
            sql: Answered {
                ago_ms: Some(1_200),
                failing: false,
                took_us: 0,
            },
        }
    }

    pub fn silent(board_age_ms: u64) -> Self {
        Self {
            board: Some((board(), board_age_ms)),
            ..Self::well()
        }
    }

    pub fn without_redis(silent_ms: u64) -> Self {
        let mut seen = Self::silent(silent_ms);
        seen.redis.ago_ms = Some(silent_ms);
        seen.redis.failing = true;
        seen
    }

    pub fn board(&mut self) -> &mut PoolBoard {
        &mut self.board.as_mut().unwrap().0
    }

    pub fn show(&self, of: impl Fn(&AdminTexts, &Sight<'_>) -> Screen) -> Screen {
        of(&AdminTexts::english().unwrap(), &self.sight())
    }

    pub fn sight(&self) -> Sight<'_> {
        Sight {
            pool: &self.pool,
            worker: &self.worker,
            me: BotId(2),
            board: self.board.as_ref().map(|(board, age)| (board, *age)),
            bots: &self.bots,
            redis: self.redis,
            sql: self.sql,
            now: NOW,
        }
    }
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

pub fn board() -> PoolBoard {
    let bot = |id: i64, name: &str, active: bool| BoardBot {
        bot: BotId(id),
        name: name.into(),
        username: format!("{name}_bot"),
        role: if active {
            BotRole::Active
        } else {
            BotRole::Standby
        },
        connection: Connection::Ready,
        worker: Some(worker(if active { "w1" } else { "w2" })),
        ready: true,
        reach: 12,
        resting: true,
        age_ms: Some(200),
        error: None,
    };
    let tired = BoardBot {
        ready: false,
        connection: Connection::Failed,
        resting: false,
        worker: None,
        age_ms: None,
        error: Some("ACCESS_TOKEN_EXPIRED".into()),
        ..bot(3, "third", false)
    };
    PoolBoard {
        pool: PoolId::new("main").unwrap(),
        at: ago(400),
        seq: 7,
        leader: "host-1:77".into(),
        state: BoardState::Degraded,
        reasons: vec!["b3 is not ready: its token is dead".into()],
        epoch: Some(Epoch(3)),
        phase: Some(Phase::Open),
        active: Some(BotId(1)),
        bots: vec![bot(2, "second", false), bot(1, "first", true), tired],
        workers: vec![
            BoardWorker {
                worker: worker("w1"),
                bots: 1,
                age_ms: Some(150),
                well: true,
            },
            BoardWorker {
                worker: worker("w2"),
                bots: 2,
                age_ms: Some(9_600),
                well: false,
            },
        ],
        redis: BoardRedis {
            ok: true,
            rtt_us: Some(310),
            appendfsync: Some("always".into()),
        },
        database_ok: true,
        overrides: Overrides::default(),
        last_switch: Some(BoardSwitch {
            id: SwitchId([1; 8]),
            kind: "switch".into(),
            from: Some(BotId(3)),
            to: Some(BotId(1)),
            cause: "b3: ACCESS_TOKEN_EXPIRED".into(),
            at: ago(300_000),
            took_ms: Some(430),
            first_reply_ms: Some(1_150),
        }),
        rotate: Preview {
            plan: Some(PlanId(Nonce([1; 8]))),
            text: "switch from b1 to b2 on w2".into(),
            reasons: vec!["b2 is the best standby".into()],
        },
        recover: Preview {
            plan: Some(PlanId(Nonce([2; 8]))),
            text: "switch from b1 to b2 on w2".into(),
            reasons: vec!["nothing else is to be done".into()],
        },
    }
}

pub fn health(bot: BotId, username: &str) -> BotHealth {
    BotHealth {
        pool: PoolId::new("main").unwrap(),
        bot,
        username: username.into(),
        slot: LoginSlot::A,
        role: BotRole::Standby,
        connection: Connection::Ready,
        last_ok_ago_ms: Some(900),
        answered_for_ms: Some(60_000),
        probe: LatencySummary::default(),
        last_error: None,
        flood_wait_s: None,
        lease_held: true,
        settled_ms: None,
        other_login: OtherLogin::Resting,
        channels: vec![],
        reach: 12,
    }
}
