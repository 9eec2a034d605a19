//! The smoke test of a bot that is about to become active. Members see nothing of it.
//!
//! Four kinds of checks on the connection that will serve: Telegram answers and knows the bot as who it is, Redis takes a write under the
//! bot's lease, SQL has the bot and its login, and each channel grants the wanted rights. Each has a deadline; a check that cannot be run has
//! failed. The same checks answer whoever asks how a bot is, and change nothing then.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{
    ChannelId, Epoch, EpochStamp, ErrorClass, MilestoneKind, Nonce, SmokeCheck, SmokeReport,
    SmokeResult,
};
use shared_io::clock;
use shared_io::redis::{LeaseAnswer, StateError};
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::sql::StoreError;
use shared_io::telegram::{CallError, Calls};
use tracing::{info, warn};

use crate::context::BotContext;
use crate::{channels, login};

/// For whoever asked; a healthy check takes a few round trips.
const ASKED_DEADLINE: Duration = Duration::from_millis(1500);
/// How many of the configured time-outs a takeover's test may last. How long silence may last is the supervisor's to judge (`supervisor-core`: three
/// of them for a pool's only bot): who reported it as a failure before that would hide that it is silence, against which another connection may help.
const TAKEOVER_TIMEOUTS: u32 = 4;
/// One answer that is lost, or one refusal that passes, says nothing of the bot.
const AGAIN: RetryPolicy = RetryPolicy {
    initial: Duration::from_millis(50),
    max: Duration::from_millis(200),
    give_up_after: Some(Duration::from_millis(600)),
};
/// A report that Redis did not take is given again for as long as somebody may wait for it.
const REPORT_AGAIN: RetryPolicy = RetryPolicy {
    initial: Duration::from_millis(50),
    max: Duration::from_millis(500),
    give_up_after: Some(Duration::from_secs(5)),
};
/// Above a slow disk's pause, below the supervisor's time-outs.
const SQL_ANSWERS: Duration = Duration::from_millis(500);

/// Tests, publishes the report and rings the supervisor.
pub async fn run(context: Arc<BotContext>, calls: Calls, stamp: EpochStamp) {
    publish_milestone(&context, stamp, MilestoneKind::Activated).await;
    let report = test(&context, &calls, stamp.epoch, Occasion::Takeover).await;
    let mut backoff = Backoff::new(REPORT_AGAIN);
    while let Err(error) = context.state.put_smoke(&report).await {
        warn!(%error, "the smoke test's report did not reach Redis");
        match backoff.next_delay().filter(|_| error.is_connection()) {
            Some(delay) => tokio::time::sleep(delay).await,
            None => break,
        }
    }
    publish_milestone(&context, stamp, MilestoneKind::Smoked).await;
}

/// Tests because somebody asked; the pool's epoch is shown and not touched.
pub async fn run_asked(context: Arc<BotContext>, calls: Calls, epoch: Epoch, nonce: Nonce) {
    let report = test(&context, &calls, epoch, Occasion::Asked).await;
    if let Err(error) = context.state.put_smoke_asked(nonce, &report).await {
        warn!(%error, "the report that was asked for did not reach Redis");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// A database that is away is so for every bot alike: with the login at hand in memory, it is no reason against this one.
    Takeover,
    /// Then it is a failure like any other.
    Asked,
}

impl Occasion {
    fn deadline(self, context: &BotContext) -> Duration {
        match self {
            Self::Takeover => {
                let timeout = context.shared.config.policy.smoke_timeout;
                timeout.saturating_mul(TAKEOVER_TIMEOUTS)
            }
            Self::Asked => ASKED_DEADLINE,
        }
    }
}

/// Why a check did not pass.
struct Refusal {
    why: String,
    again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Never,
    /// It may have been a moment's trouble.
    Soon,
    /// Nobody answered: until somebody judges that.
    Silent,
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let again = match error.class {
            ErrorClass::Network if error.name == "TIMEOUT" => Again::Silent,
            ErrorClass::Network | ErrorClass::Server | ErrorClass::Wait(0 | 1) => Again::Soon,
            _ => Again::Never,
        };
        let why = error.to_string();
        Self { why, again }
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        let again = match error.is_connection() {
            true => Again::Soon,
            false => Again::Never,
        };
        let why = error.to_string();
        Self { why, again }
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        let again = Again::Never;
        Self { why, again }
    }
}

/// Repeats a check that may pass a moment later. The caller's deadline ends it.
async fn insist<T, F>(mut check: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, Refusal>>,
{
    let mut backoff = Backoff::new(AGAIN);
    loop {
        let Refusal { why, again } = match check().await {
            Ok(passed) => return Ok(passed),
            Err(refusal) => refusal,
        };
        let delay = match again {
            Again::Never => None,
            Again::Soon => backoff.next_delay(),
            Again::Silent => Some(AGAIN.max),
        };
        match delay {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(why),
        }
    }
}

async fn test(
    context: &BotContext,
    calls: &Calls,
    epoch: Epoch,
    occasion: Occasion,
) -> SmokeReport {
    let deadline = occasion.deadline(context);
    let (rpc, redis, sql, rights) = tokio::join!(
        timed(
            SmokeCheck::Rpc,
            deadline,
            insist(|| check_rpc(context, calls))
        ),
        timed(SmokeCheck::Redis, deadline, insist(|| check_redis(context))),
        timed(SmokeCheck::Sql, deadline, check_sql(context, occasion)),
        check_rights(context, calls, occasion),
    );
    let mut results = vec![rpc, redis, sql];
    results.extend(rights);
    let report = SmokeReport {
        epoch,
        bot: context.lease.bot,
        worker: context.shared.worker.clone(),
        results,
    };
    if report.passed() {
        info!(bot = %report.bot, %epoch, "smoke test passed");
    } else {
        warn!(bot = %report.bot, %epoch, failures = report.failures(), "smoke test failed");
    }
    report
}

async fn publish_milestone(context: &BotContext, stamp: EpochStamp, kind: MilestoneKind) {
    let milestone = shared_core::Milestone {
        epoch: stamp.epoch,
        kind,
        worker: context.shared.worker.clone(),
        at: clock::unix_now(),
    };
    if let Err(error) = context.state.milestone(&milestone).await {
        warn!(%error, "milestone not published");
    }
    context.shared.redis.ring_supervisor().await;
}

async fn timed(
    check: SmokeCheck,
    deadline: Duration,
    run: impl Future<Output = Result<(), String>>,
) -> SmokeResult {
    let started = clock::boot_now();
    let failed = match tokio::time::timeout(deadline, run).await {
        Ok(result) => result.err(),
        Err(_) => Some(format!("no answer within {} ms", deadline.as_millis())),
    };
    let took = clock::boot_now().since(started).as_millis();
    SmokeResult {
        check,
        failed,
        took_ms: u64::try_from(took).unwrap_or(u64::MAX),
    }
}

async fn check_rpc(context: &BotContext, calls: &Calls) -> Result<(), Refusal> {
    let (state, identity) = tokio::join!(calls.state(), calls.identity());
    state?;
    let known = identity?.bot;
    if known != context.lease.bot {
        return Err(format!("Telegram knows this login as {known}").into());
    }
    Ok(())
}

async fn check_redis(context: &BotContext) -> Result<(), Refusal> {
    match context.state.probe_write(&context.lease).await? {
        LeaseAnswer::Held => Ok(()),
        other => Err(format!("the login lease is not ours: {other:?}").into()),
    }
}

async fn check_sql(context: &BotContext, occasion: Occasion) -> Result<(), String> {
    let store = &context.shared.store;
    let (bot, slot) = (context.lease.bot, context.lease.slot);
    let asked = async {
        let row = store.bots().get(&context.pool, bot).await?;
        let login = store.logins().get(&context.pool, bot, slot).await?;
        Ok::<_, StoreError>((row, login))
    };
    let answer = match tokio::time::timeout(SQL_ANSWERS, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "the database did not answer within {} ms",
            SQL_ANSWERS.as_millis()
        )),
    };
    let (row, login) = match answer {
        Ok(found) => found,
        Err(error) if occasion == Occasion::Takeover && login::is_in_memory(context) => {
            warn!(%bot, error, "the database is away; the login in memory is good");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    row.ok_or_else(|| format!("{bot} is not in the database"))?;
    let login = login.ok_or_else(|| format!("no login {slot} of {bot} is stored"))?;
    login::open_login(context, &login).map(drop)
}

/// A bot that Telegram slows down is no worse at answering members: what cannot be asked now is taken for what it was, where a switch waits for it.
async fn check_rights(context: &BotContext, calls: &Calls, occasion: Occasion) -> Vec<SmokeResult> {
    let deadline = occasion.deadline(context);
    let started = clock::boot_now();
    let troubles = insist(|| async {
        match channels::troubles(context, calls).await {
            Err(error)
                if occasion == Occasion::Takeover
                    && matches!(error.class, ErrorClass::Wait(2..)) =>
            {
                warn!(bot = %context.lease.bot, %error, "its rights could not be asked for");
                Ok(None)
            }
            asked => Ok(Some(asked?)),
        }
    });
    let answer = tokio::time::timeout(deadline, troubles).await;
    let took = u64::try_from(clock::boot_now().since(started).as_millis()).unwrap_or(u64::MAX);
    if let Ok(Ok(Some(troubles))) = &answer {
        context.status.channels(troubles.clone());
    }
    let failed = |channel: ChannelId| match &answer {
        Err(_) => Some(format!("no answer within {} ms", deadline.as_millis())),
        Ok(Err(error)) => Some(error.clone()),
        Ok(Ok(None)) => None,
        Ok(Ok(Some(troubles))) => {
            let trouble = troubles.iter().find(|trouble| trouble.channel == channel);
            trouble.map(|trouble| trouble.what.clone())
        }
    };
    let configured = context.config.channels.iter().map(|channel| channel.id);
    configured
        .map(|channel| SmokeResult {
            check: SmokeCheck::Rights { channel },
            failed: failed(channel),
            took_ms: took,
        })
        .collect()
}
