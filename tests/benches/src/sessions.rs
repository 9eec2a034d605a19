//! Conversations as members leave them, made by the product's own steps and written by its own commit.
//!
//! Nobody behind them exists in the simulator, but for those who are named; they are there to be many. Of five members one has just begun, one has given a title, one a description
//! too, one has chosen a category, one has a tag as well. Invariant: what is stored is what a worker would have stored: watermarks, envelope, open index.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bot_worker_core::{Catalog, Context, Dialogue, Intake, Outbox, Texts, event_of, take};
use futures_util::{StreamExt, TryStreamExt, stream};
use sandbox::course::{CATEGORIES, TAGS};
use shared_core::{
    BotId, BoxId, Button, ChannelId, ConversationKey, Envelope, EpochStamp, Incoming, IncomingKind,
    LoginLease, MemberId, MessageId, OutboxKind, Place, PoolId, QueryId, TOMBSTONE_KEPT, UnixMs,
};
use shared_io::redis::{Commit, Committed, EpochAnswer, LeaseAnswer, PoolState, PrivateChange};

/// Members whom the simulator does not have.
const FIRST_MEMBER: i64 = 50_000_000_000;
/// Commits on their way at once.
const AT_ONCE: usize = 200;
/// How far one of so many has come.
pub const STAGES: usize = 5;
/// One of so many has a reply that waits for his Start.
pub const PARKED_EACH: usize = 20;
/// Longer ago than anybody is shown his prompt unasked for.
const IDLE_MS: i64 = 3_600_000;
const REACH_PORTION: usize = 5_000;
/// As it is configured by default.
pub const REMIND_AFTER: Duration = Duration::from_secs(6 * 3_600);

/// One member's conversation.
pub struct Made {
    pub key: ConversationKey,
    pub stored: String,
    pub at: UnixMs,
    pub outbox: Outbox,
}

pub struct Maker {
    pool: PoolId,
    bot: BotId,
    texts: Texts,
    catalog: Catalog,
    /// When the first of them was last active; each one more is a millisecond before.
    latest: UnixMs,
    /// The first so many are these members, of the simulator's.
    known: Vec<MemberId>,
}

impl Maker {
    pub fn new(pool: PoolId, bot: BotId, now: UnixMs) -> Result<Self> {
        Ok(Self {
            pool,
            bot,
            texts: Texts::english().context("the texts")?,
            catalog: Catalog {
                categories: CATEGORIES.map(str::to_owned).to_vec(),
                tags: TAGS.map(str::to_owned).to_vec(),
                max_files: 10,
                max_file_bytes: 2_000 << 20,
                storage: ChannelId(12),
                broadcast: Some(ChannelId(13)),
                remind_after: Some(REMIND_AFTER),
                told_of_courses: Vec::new(),
            },
            latest: UnixMs(now.0 - IDLE_MS),
            known: Vec::new(),
        })
    }

    /// They were active lately, and the latest of them are these members, whom every bot reaches: whoever takes over owes them their prompts.
    pub fn lately(mut self, known: Vec<MemberId>) -> Self {
        self.latest = UnixMs(self.latest.0 + IDLE_MS);
        self.known = known;
        self
    }

    fn member(&self, number: usize) -> Result<MemberId> {
        match self.known.get(number) {
            Some(known) => Ok(*known),
            None => Ok(MemberId(FIRST_MEMBER + i64::try_from(number)?)),
        }
    }

    /// Half of them are reached by each bot.
    fn is_reached(&self, number: usize) -> bool {
        number < self.known.len() || number.is_multiple_of(2)
    }

    /// The conversation of the member with this number.
    pub fn make(&self, number: usize) -> Result<Made> {
        let member = self.member(number)?;
        let at = UnixMs(self.latest.0 - i64::try_from(number)?);
        let mut talk = Talk {
            maker: self,
            member,
            at,
            messages: 1_000 + i32::try_from(number % 1_000_000)?,
            envelope: Envelope::default(),
            last: None,
        };
        talk.say("/upload")?;
        let stage = number % STAGES;
        if stage >= 1 {
            talk.say(&format!("Sourdough from scratch, part {number}"))?;
        }
        if stage >= 2 {
            talk.say("Flour, water, salt and a long night: what happens in the dough, and when.")?;
        }
        if stage >= 3 {
            talk.press(CATEGORIES[number % CATEGORIES.len()])?;
        }
        if stage >= 4 {
            talk.press(TAGS[number % TAGS.len()])?;
        }
        let Some(outbox) = talk.last else {
            bail!("nothing was said");
        };
        Ok(Made {
            key: ConversationKey::private(member),
            stored: talk.envelope.encode()?,
            at,
            outbox,
        })
    }
}

struct Talk<'a> {
    maker: &'a Maker,
    member: MemberId,
    at: UnixMs,
    messages: i32,
    envelope: Envelope<Dialogue>,
    /// What the last step led to.
    last: Option<Outbox>,
}

impl Talk<'_> {
    fn say(&mut self, text: &str) -> Result<()> {
        self.messages += 2;
        self.take(IncomingKind::Message {
            message: MessageId(self.messages),
            text: text.to_owned(),
            document: None,
            album: None,
            reply_to: None,
            addressed: true,
        })
    }

    /// Presses the button of the last prompt that says this.
    fn press(&mut self, label: &str) -> Result<()> {
        let data = self
            .button(label)
            .with_context(|| format!("no button {label}"))?;
        let query = QueryId(self.member.0.wrapping_mul(31) + i64::from(self.messages));
        self.messages += 2;
        self.take(IncomingKind::Press {
            query,
            message: MessageId(self.messages - 1),
            data,
        })
    }

    fn button(&self, label: &str) -> Option<String> {
        let outbox = self.last.as_ref()?;
        let keyboards = outbox.entries.iter().filter_map(|entry| match &entry.kind {
            OutboxKind::Say { keyboard, .. } | OutboxKind::Edit { keyboard, .. } => {
                keyboard.as_ref()
            }
            OutboxKind::StoreFile { .. } => None,
        });
        keyboards
            .flat_map(|keyboard| keyboard.0.iter().flatten())
            .find_map(|button| match button {
                Button::Press { text, data } if text.contains(label) => Some(data.clone()),
                _ => None,
            })
    }

    fn take(&mut self, what: IncomingKind) -> Result<()> {
        let incoming = Incoming {
            r#box: BoxId::Private(self.maker.bot),
            place: Place::Private,
            member: self.member,
            name: "Ada".to_owned(),
            date: self.at,
            what,
        };
        let id = incoming.id().context("an update without an identity")?;
        let event = event_of(&incoming, &self.envelope.state).context("it means nothing here")?;
        let key = incoming.conversation();
        let maker = self.maker;
        let ctx = Context {
            pool: &maker.pool,
            me_username: "understudy_first_bot",
            previous_username: None,
            pool_usernames: &[],
            texts: &maker.texts,
            catalog: &maker.catalog,
            now: self.at,
            invite_again_ms: 0,
            records_full: false,
            key,
        };
        let Intake::Taken(taken) = take(&self.envelope, &id, &event, &ctx, maker.bot, false)?
        else {
            bail!("{id} is taken for a duplicate");
        };
        self.last = Some(taken.outbox);
        self.envelope = taken.envelope;
        Ok(())
    }
}

/// How a conversation gets into Redis.
pub struct Writer<'a> {
    pub state: &'a PoolState,
    pub stamp: EpochStamp,
    pub maker: &'a Maker,
    /// They do it now; else they did it when they were made, however long ago that is by the pool's own reckoning.
    pub active: bool,
}

impl Writer<'_> {
    /// Writes `count` of them; `parks`: one of [`PARKED_EACH`] has a reply parked.
    pub async fn write(&self, count: usize, parks: bool, told: impl Fn(usize)) -> Result<()> {
        let writes = stream::iter(0..count).map(|number| self.one(number, parks));
        let mut done = 0;
        let mut writes = writes.buffer_unordered(AT_ONCE);
        while let Some(()) = writes.try_next().await? {
            done += 1;
            if done % 50_000 == 0 {
                told(done);
            }
        }
        Ok(())
    }

    async fn one(&self, number: usize, parks: bool) -> Result<()> {
        let made = self.maker.make(number)?;
        // A stored value follows on the version before it, and there is none: the first commit is this one.
        let (_, json) = made.stored.split_once('\n').context("a version line")?;
        let stored = format!("1\n{json}");
        // One whom no bot reaches: the others would have been taken up.
        let parked = parks && number % PARKED_EACH == 1 && !self.maker.is_reached(number);
        let outbox = match parked {
            true => &made.outbox.entries[..],
            false => &[],
        };
        let committed = self
            .state
            .commit(&Commit {
                stamp: self.stamp,
                conversation: &made.key,
                expected_version: 0,
                stored: &stored,
                open: Some(made.at),
                active: self.active,
                keep: TOMBSTONE_KEPT,
                outbox,
                records: &[],
                records_at_most: u64::MAX,
                told: &[],
                settles: None,
                counters: &[],
            })
            .await?;
        let Committed::Done { positions } = committed else {
            bail!("a commit was refused: {committed:?}");
        };
        for position in positions {
            let parked = self
                .state
                .park(self.stamp, position, made.key.member)
                .await?;
            if let EpochAnswer::Fenced { .. } = parked {
                bail!("the epoch is over");
            }
        }
        Ok(())
    }

    /// Every other one of `count` members has started this bot, and all who are named.
    pub async fn reach(&self, lease: &LoginLease, count: usize) -> Result<()> {
        let members = (0..count).filter(|number| self.maker.is_reached(*number));
        let members = members.map(|number| self.maker.member(number));
        let members: Vec<MemberId> = members.collect::<Result<_>>()?;
        for portion in members.chunks(REACH_PORTION) {
            let change = PrivateChange {
                started: portion.to_vec(),
                ..PrivateChange::default()
            };
            let answer = self.state.commit_private(lease, &change).await?;
            anyhow::ensure!(
                answer == LeaseAnswer::Held,
                "the lease is not held: {answer:?}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn those_who_were_active_lately_begin_with_the_named_ones() {
        let pool = PoolId::new("main").unwrap();
        let now = UnixMs(10_000_000_000);
        let maker = Maker::new(pool, BotId(7), now).unwrap();
        let idle = maker.make(0).unwrap();
        assert_eq!(idle.at, UnixMs(now.0 - IDLE_MS));
        let maker = maker.lately(vec![MemberId(5), MemberId(6)]);
        let made = [0, 1, 2, 3].map(|number| maker.make(number).unwrap());
        let members = made.each_ref().map(|made| made.key.member.0);
        assert_eq!(members, [5, 6, FIRST_MEMBER + 2, FIRST_MEMBER + 3]);
        assert_eq!(made.map(|made| now.0 - made.at.0), [0, 1, 2, 3]);
        let reached = [0, 1, 2, 3].map(|number| maker.is_reached(number));
        assert_eq!(reached, [true, true, true, false]);
    }

    #[test]
    fn made_conversations_are_open_and_read_back() {
        let pool = PoolId::new("main").unwrap();
        let maker = Maker::new(pool, BotId(7), UnixMs(10_000_000_000)).unwrap();
        let mut lengths = Vec::new();
        for number in 0..10 {
            let made = maker.make(number).unwrap();
            let envelope = Envelope::<Dialogue>::decode(&made.stored).unwrap();
            assert!(envelope.state.is_open());
            assert_eq!(envelope.at, made.at);
            assert!(!made.outbox.entries.is_empty(), "it was answered");
            lengths.push(made.stored.len());
        }
        assert!(
            lengths[4] > lengths[0],
            "the further, the longer: {lengths:?}"
        );
    }
}
