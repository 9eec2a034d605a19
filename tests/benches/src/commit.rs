//! How fast conversations are committed, by how many are under way at once, and how many bytes typical states take: real steps, the real
//! script, a redis-server with the append-only file at `always`.
//!
//! Commits of different conversations share one connection; that the rate grows with those in flight shows that none waits for another's
//! answer. Bytes are of the stored form, and of all that Redis keeps for the key (`MEMORY USAGE`).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bot_worker_core::{Catalog, Context, Dialogue, Event, Intake, Said, Taken, Texts, take};
use redis_servers::Server;
use serde_json::{Value, json};
use shared_core::{
    BotId, BoxId, Button, ChannelId, ConversationKey, Document, Envelope, EpochStamp, EventId,
    MemberId, MessageId, OutboxKind, PoolId, QueryId, Secret, TOMBSTONE_KEPT, Telling, UnixMs,
    UpdateId,
};
use shared_io::redis::{Commit, Committed, PoolState, RedisState, RedisTimeouts};

use crate::Measured;
use crate::session_bytes::open;

const ME: BotId = BotId(7_000_001);
const IN_FLIGHT: [usize; 5] = [1, 16, 64, 256, 1024];
/// Requirement: bytes a session on average, with duplicate protection.
const TARGET: u64 = 500;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long each rate is measured
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(options.seconds > 0, "--seconds 0 measures nothing");
    let server = Server::start(&[])?;
    let url = Secret::new(format!("redis://127.0.0.1:{}/", server.port()));
    let timeouts = RedisTimeouts {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(10),
    };
    let redis = RedisState::connect(&url, "us", timeouts).await?;
    let pool = redis.pool(&PoolId::new("main")?);
    let stamp = open(&pool).await?;
    let mut rates = serde_json::Map::new();
    for in_flight in IN_FLIGHT {
        let rate = rate(
            &pool,
            stamp,
            in_flight,
            Duration::from_secs(options.seconds),
        )
        .await?;
        eprintln!("commit: {rate} a second with {in_flight} in flight");
        rates.insert(in_flight.to_string(), json!(rate));
    }
    let (states, average) = sizes(&pool, stamp, &server).await?;
    let within = average <= TARGET;
    Ok(Measured {
        report: json!({
            "appendfsync": "always",
            "commits_per_second_by_in_flight": rates,
            "bytes_by_state": states,
            "bytes_on_average": average,
            "target": TARGET,
            "within": within,
        }),
        within,
    })
}

/// Commits of an opened upload, each member's in order, so many at once.
async fn rate(
    pool: &PoolState,
    stamp: EpochStamp,
    in_flight: usize,
    time: Duration,
) -> Result<u64> {
    let until = Instant::now() + time;
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..in_flight {
        let pool = pool.clone();
        let member = i64::try_from(in_flight * 10_000 + lane)?;
        tasks.spawn(async move {
            let mut member = Member::new(member)?;
            let mut done: u64 = 0;
            while Instant::now() < until {
                let event = match done % 2 {
                    0 => member.said("/upload"),
                    _ => member.said("/cancel"),
                };
                member.take(event, &pool, stamp).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += task??;
    }
    Ok(done / time.as_secs().max(1))
}

/// Typical states and what they take, and the average of a community in bytes of Redis.
async fn sizes(pool: &PoolState, stamp: EpochStamp, server: &Server) -> Result<(Value, u64)> {
    let mut report = serde_json::Map::new();
    let mut of = |name: &str, member: &Member| -> Result<u64> {
        let key = format!("us:{{main}}:c:{}", member.key);
        let kept: u64 = server.ask(&["MEMORY", "USAGE", &key, "SAMPLES", "0"])?;
        let stored = member.envelope.encode()?.len();
        report.insert(name.to_owned(), json!({"stored": stored, "redis": kept}));
        Ok(kept)
    };
    let mut member = Member::new(1)?;
    member.take(member.said("/help"), pool, stamp).await?;
    let asked = of("asked for help", &member)?;
    member.upload(pool, stamp).await?;
    let open = of("in the review, with two files", &member)?;
    member.press("Submit", pool, stamp).await?;
    let finished = of("finished", &member)?;
    let mut admin = Member::new(2)?;
    for number in 0..40 {
        admin.hear_of(number, pool, stamp).await?;
    }
    let told = of("an admin who was told of forty courses", &admin)?;
    // Of a hundred: five in the review, seventy who finished a course, the others asked for help, one admin.
    let average = (5 * open + 70 * finished + 24 * asked + told) / 100;
    Ok((report.into(), average))
}

/// A member with his conversation.
struct Member {
    key: ConversationKey,
    envelope: Envelope<Dialogue>,
    keyboard: Vec<(String, String)>,
    texts: Texts,
    pool: PoolId,
    catalog: Catalog,
    next: i32,
}

impl Member {
    fn new(member: i64) -> Result<Self> {
        Ok(Self {
            key: ConversationKey::private(MemberId(5_000_000_000 + member)),
            envelope: Envelope::default(),
            keyboard: Vec::new(),
            texts: Texts::english()?,
            pool: PoolId::new("main")?,
            catalog: Catalog {
                categories: ["Art", "Music"].map(String::from).to_vec(),
                tags: ["free", "video"].map(String::from).to_vec(),
                max_files: 10,
                max_file_bytes: 1 << 30,
                storage: ChannelId(1),
                broadcast: None,
                remind_after: Some(Duration::from_secs(3600)),
                told_of_courses: Vec::new(),
            },
            next: 1_234_567,
        })
    }

    fn said(&self, text: &str) -> Event {
        Event::Said(Said {
            r#box: BoxId::Private(ME),
            message: MessageId(self.next),
            text: text.to_owned(),
            document: None,
            album: None,
            name: "Anna".to_owned(),
        })
    }

    async fn upload(&mut self, pool: &PoolState, stamp: EpochStamp) -> Result<()> {
        let description = "How to paint a sky with a wide brush and little water. ".repeat(4);
        for text in ["/upload", "Watercolours for beginners", &description] {
            self.take(self.said(text), pool, stamp).await?;
        }
        for label in ["Art", "free", "video", "Done"] {
            self.press(label, pool, stamp).await?;
        }
        for name in ["watercolours part 1.pdf", "watercolours part 2.pdf"] {
            let Event::Said(said) = self.said("") else {
                bail!("what is said is said");
            };
            let document = Document {
                name: name.to_owned(),
                mime: "application/pdf".to_owned(),
                bytes: 5_000_000,
            };
            let document = Some(document);
            let taken = self
                .take(Event::Said(Said { document, ..said }), pool, stamp)
                .await?;
            let mut entries = taken.outbox.entries.iter();
            let file = entries.find_map(|entry| match entry.kind {
                OutboxKind::StoreFile { file, .. } => Some(file),
                _ => None,
            });
            let file = file.context("the file is not stored")?;
            let at = MessageId(self.next);
            self.take(Event::FileStored { file, at }, pool, stamp)
                .await?;
        }
        self.press("Done", pool, stamp).await
    }

    async fn press(&mut self, label: &str, pool: &PoolState, stamp: EpochStamp) -> Result<()> {
        let button = self.keyboard.iter().find(|(text, _)| text == label);
        let (_, data) = button.with_context(|| format!("no button {label}"))?;
        let event = Event::Pressed {
            query: QueryId(1_234_567_890_123_456_000 + i64::from(self.next)),
            r#box: BoxId::Private(ME),
            message: MessageId(self.next),
            data: data.clone(),
        };
        self.take(event, pool, stamp).await.map(drop)
    }

    async fn hear_of(&mut self, number: u8, pool: &PoolState, stamp: EpochStamp) -> Result<()> {
        let from = ConversationKey::private(MemberId(number.into()));
        let what = Telling::CourseSubmitted {
            title: "Bread".to_owned(),
        };
        self.next = number.into();
        self.take(Event::Told { from, what }, pool, stamp)
            .await
            .map(drop)
    }

    /// One step and its commit.
    async fn take(&mut self, event: Event, pool: &PoolState, stamp: EpochStamp) -> Result<Taken> {
        self.next += 1;
        let mut id = [0; 16];
        id[..4].copy_from_slice(&self.next.to_be_bytes());
        let id = EventId(id);
        let update = match &event {
            Event::Said(said) => UpdateId::Message {
                r#box: said.r#box,
                message: said.message,
            },
            Event::Pressed { query, .. } => UpdateId::Press { query: *query },
            Event::Told { .. } => UpdateId::Told { event: id },
            _ => UpdateId::Internal { event: id },
        };
        let ctx = Context {
            pool: &self.pool,
            me_username: "first_bot",
            previous_username: None,
            pool_usernames: &[],
            texts: &self.texts,
            catalog: &self.catalog,
            now: UnixMs(1_764_000_000_000),
            invite_again_ms: 0,
            records_full: false,
            key: self.key,
        };
        let taken = match take(&self.envelope, &update, &event, &ctx, ME, false)? {
            Intake::Taken(taken) => *taken,
            Intake::Known => bail!("{update} is taken for a duplicate"),
        };
        let commit = Commit {
            stamp,
            conversation: &self.key,
            expected_version: self.envelope.version,
            stored: &taken.stored,
            open: taken.open,
            active: taken.active,
            keep: TOMBSTONE_KEPT,
            outbox: &taken.outbox.entries,
            records: &taken.outbox.records,
            records_at_most: u64::MAX,
            told: &taken.outbox.told,
            settles: None,
            counters: &[],
        };
        match pool.commit(&commit).await? {
            Committed::Done { positions } => {
                let sent: Vec<_> = positions.into_iter().map(|at| (at, None)).collect();
                pool.outbox_settle(ME, &sent).await?;
            }
            refused => bail!("{refused:?}"),
        }
        self.envelope = taken.envelope.clone();
        for entry in &taken.outbox.entries {
            if let OutboxKind::Say {
                keyboard: Some(keyboard),
                ..
            }
            | OutboxKind::Edit {
                keyboard: Some(keyboard),
                ..
            } = &entry.kind
            {
                let buttons = keyboard
                    .0
                    .iter()
                    .flatten()
                    .filter_map(|button| match button {
                        Button::Press { text, data } => Some((text.clone(), data.clone())),
                        Button::Link { .. } => None,
                    });
                self.keyboard = buttons.collect();
            }
        }
        Ok(taken)
    }
}
