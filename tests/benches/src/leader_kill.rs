//! Of two supervisors the one that leads is killed again and again: in the middle of switches by order, and at rest, while members talk.
//!
//! ```text
//! of eight kills   when
//! one              at rest
//! one              at a random moment after the order, which a switch takes a few dozen milliseconds to carry out
//! six              right after a step was carried out and before the leader heard of it: a line to Redis stops there. The steps are the order
//!                  taken, the epoch fenced, the holder activated, the epoch opened, the switch cleared, the order ended
//! ```
//! Measured is, from the kill and by our own looking: until the other supervisor has the lead's key; until the order is over, the epoch open and nothing
//! of the switch left; and, by the simulator's log, until a member is answered, who asks at once where nothing moves, else, once the switch
//! is over, the bot that it ended with. A switch counts as finished if that is the bot that was ordered, as undone if it is the one before and the order
//! says so; anything else fails the measurement.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Trap, When};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::control::Chat;
use serde_json::{Value, json};
use shared_core::{BotId, OrderId, Phase, Progress};
use shared_io::clock;

use crate::Measured;
use crate::figures::{Summary, summary};
use crate::kill_worker::since;
use crate::pair::{Pair, Roles};
use crate::people::{Talkers, ask, parted};

/// Requirement: from a leader's death to another one's lead, and to the end of the switch that it was carrying out.
const TARGET_MS: f64 = 3_000.0;
const ASKING: usize = 20;
const TALKING: usize = 20;
/// Longer than a switch by order takes.
const RANDOM_MS: u64 = 60;
/// Longest wait for a step.
const SPRUNG: Duration = Duration::from_secs(30);
/// Beyond this a switch is neither finished nor undone.
const OVER: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(1);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often the leader is killed
    #[arg(long, default_value_t = 60)]
    kills: usize,
    /// Draws the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// When the leader is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Rest,
    /// So long after the order.
    Random(Duration),
    After(Step),
}

/// What a script does, its name in the report, and what it has in it.
type Step = (&'static str, &'static [&'static str]);

const STEPS: [Step; 6] = [
    (
        "order taken",
        &["us:{main}:orders", "\"progress\":{\"state\":\"running\""],
    ),
    ("fenced", &["\"state\":{\"state\":\"fenced\""]),
    ("activated", &["\"state\":{\"state\":\"activated\""]),
    ("opened", &["\"state\":{\"state\":\"opened\""]),
    ("switch cleared", &["us:{main}:saga", "\r\nDEL\r\n"]),
    (
        "order ended",
        &["us:{main}:orders", "\"progress\":{\"state\":\"done\""],
    ),
];

impl Moment {
    fn of(kill: usize, rng: &mut ChaCha8Rng) -> Self {
        match kill % (STEPS.len() + 2) {
            0 => Self::Rest,
            1 => Self::Random(Duration::from_millis(rng.random_range(0..RANDOM_MS))),
            step => Self::After(STEPS[step - 2]),
        }
    }
}

/// How a switch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Undone,
    /// Not over, or over and the pool is not as the order says.
    Neither,
}

#[derive(Default)]
struct Times {
    led: Vec<f64>,
    over: Vec<f64>,
    answered_at_rest: Vec<f64>,
    answered_after_switch: Vec<f64>,
    /// How far the switch had come, and how often.
    killed: BTreeMap<String, u32>,
    finished: u32,
    undone: u32,
    neither: u32,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(options.kills > 0, "--kills 0 measures nothing");
    let mut pair = Pair::open(ASKING + TALKING).await?;
    know_all_scripts(&pair).await?;
    let bot = pair.system.whole(3).await?.bot;
    let talking = parted(&pair.system, ASKING)?;
    let talkers = Talkers::start(&pair.system.control, &talking, bot.0, options.seed);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut times = Times::default();
    for kill in 0..options.kills {
        let moment = Moment::of(kill, &mut rng);
        one(&mut pair, &mut times, moment, kill, &talkers).await?;
        if (kill + 1) % 10 == 0 {
            eprintln!("leader-kill: {} of {}", kill + 1, options.kills);
        }
        if times.neither > 0 {
            eprintln!("leader-kill: ended early: {}", pair.last_words());
            break;
        }
    }
    drop(talkers);
    Ok(times.measured(options))
}

/// A script that Redis does not know is sent twice, and the first time does nothing: one switch without a kill, so that a step is a step.
async fn know_all_scripts(pair: &Pair) -> Result<()> {
    let from = pair.system.whole(3).await?.bot;
    let to = pair.system.next_bot(from)?;
    let order = pair.system.order(to).await?;
    let (_, end) = over(pair, order, from, to).await?;
    ensure!(
        end == End::Finished,
        "a switch that nothing disturbs: {end:?}"
    );
    Ok(())
}

/// One kill and what comes of it; afterwards both run again.
async fn one(
    pair: &mut Pair,
    times: &mut Times,
    moment: Moment,
    kill: usize,
    talkers: &Talkers,
) -> Result<()> {
    let serving = pair.system.whole(3).await?;
    let roles = pair.roles().await?;
    let member = kill % ASKING;
    if matches!(moment, Moment::Rest) {
        let at = pair.kill(roles.leader).await?;
        let chat = Chat::Bot(serving.bot.0);
        let (led, answered) = tokio::join!(leads(pair, &roles), ask(&pair.system, member, chat));
        times.led.push(since(at, led?));
        times.answered_at_rest.push(since(at, answered?));
        times.count("at rest");
        return pair.start(roles.leader);
    }
    let to = pair.system.next_bot(serving.bot)?;
    let (order, at) = kill_amid(pair, roles.leader, to, moment).await?;
    match moment {
        Moment::After((step, _)) => times.count(step),
        _ => times.count(&format!("at random: {}", reached(pair, order).await?)),
    }
    let (led, over) = tokio::join!(leads(pair, &roles), over(pair, order, serving.bot, to));
    times.led.push(since(at, led?));
    let (moment, end) = over?;
    times.ended(end, since(at, moment));
    if end != End::Neither {
        let bot = if end == End::Finished {
            to
        } else {
            serving.bot
        };
        talkers.turn_to(bot.0);
        let answered = ask(&pair.system, member, Chat::Bot(bot.0)).await?;
        times.answered_after_switch.push(since(at, answered));
    }
    pair.start(roles.leader)
}

/// Orders a move and kills the leader at that moment of it; gives when.
async fn kill_amid(
    pair: &mut Pair,
    leader: usize,
    to: BotId,
    moment: Moment,
) -> Result<(OrderId, i64)> {
    if let Moment::After((_, has)) = moment {
        pair.lines[leader].set_trap(Trap {
            has: has.iter().map(|text| (*text).to_owned()).collect(),
            when: When::After,
        });
    }
    let order = pair.system.order(to).await?;
    match moment {
        Moment::Rest => {}
        Moment::Random(pause) => tokio::time::sleep(pause).await,
        Moment::After((step, _)) => {
            let sprung = pair.lines[leader].sprung(SPRUNG).await;
            sprung.with_context(|| format!("{step}: {}", pair.last_words()))?;
        }
    }
    Ok((order, pair.kill(leader).await?))
}

/// How far the order had come when its leader was killed.
async fn reached(pair: &Pair, order: OrderId) -> Result<String> {
    if let Some(saga) = pair.system.state.saga().await? {
        let saga: Value = serde_json::from_str(&saga)?;
        let state = saga["state"]["state"].as_str();
        return Ok(state.context("a switch without a state")?.to_owned());
    }
    let seen = pair.system.state.order(order).await?;
    Ok(match seen.map(|seen| seen.request.progress) {
        Some(Progress::Waiting) => "not taken",
        Some(Progress::Running { .. }) => "order taken, or switch cleared",
        _ => "over",
    }
    .to_owned())
}

/// When the other one has the lead's key, in unix milliseconds.
async fn leads(pair: &Pair, roles: &Roles) -> Result<i64> {
    let until = clock::boot_now().plus(OVER);
    while clock::boot_now() < until {
        if pair.system.redis.leader().await?.as_deref() == Some(&roles.follower_id) {
            return Ok(clock::unix_now().0);
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("nobody else leads: {}", pair.last_words())
}

/// When nothing of the order is left to be done, and how it ended.
async fn over(pair: &Pair, order: OrderId, from: BotId, to: BotId) -> Result<(i64, End)> {
    let state = &pair.system.state;
    let until = clock::boot_now().plus(OVER);
    while clock::boot_now() < until {
        let progress = state.order(order).await?.map(|seen| seen.request.progress);
        let record = state.epoch().await?;
        let saga = state.saga().await?;
        let is_over = progress.as_ref().is_none_or(Progress::is_over);
        if let Some(record) = record.filter(|it| it.phase == Phase::Open)
            && is_over
            && saga.is_none()
        {
            let bot = record.holder.map(|holder| holder.bot);
            let is_done = matches!(progress, Some(Progress::Done { .. }));
            let end = match bot {
                Some(bot) if bot == to && is_done => End::Finished,
                Some(bot) if bot == from && !is_done => End::Undone,
                _ => End::Neither,
            };
            return Ok((clock::unix_now().0, end));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok((clock::unix_now().0, End::Neither))
}

impl Times {
    fn count(&mut self, killed: &str) {
        *self.killed.entry(killed.to_owned()).or_default() += 1;
    }

    fn ended(&mut self, end: End, ms: f64) {
        self.over.push(ms);
        match end {
            End::Finished => self.finished += 1,
            End::Undone => self.undone += 1,
            End::Neither => self.neither += 1,
        }
    }

    fn measured(&self, options: &Options) -> Measured {
        let (led, over) = (summary(&self.led), summary(&self.over));
        let is_soon = |it: &Summary| it.p99 <= TARGET_MS;
        // A single kill is one at rest.
        let is_over = over.as_ref().is_none_or(is_soon) && self.neither == 0;
        let within = led.as_ref().is_some_and(is_soon) && is_over;
        Measured {
            report: json!({
                "kills": options.kills,
                "seed": options.seed,
                "killed": self.killed,
                "led_ms": led,
                "switch_over_ms": over,
                "first_reply_at_rest_ms": summary(&self.answered_at_rest),
                "first_reply_after_switch_ms": summary(&self.answered_after_switch),
                "finished": self.finished,
                "undone": self.undone,
                "neither": self.neither,
                "target_p99_ms": TARGET_MS,
                "within": within,
            }),
            within,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn eight_kills_are_at_rest_at_random_and_after_each_step() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let moments: Vec<String> = (0..8)
            .map(|kill| match Moment::of(kill, &mut rng) {
                Moment::Rest => "rest".to_owned(),
                Moment::Random(_) => "random".to_owned(),
                Moment::After((step, _)) => step.to_owned(),
            })
            .collect();
        let steps = STEPS.map(|(step, _)| step);
        assert_eq!(moments[..2], ["rest", "random"]);
        assert_eq!(moments[2..], steps);
    }

    #[test]
    fn a_late_lead_and_a_switch_left_halfway_are_outside() {
        let options = Options { kills: 1, seed: 1 };
        let within = |led: f64, end: End, over: f64| {
            let mut times = Times::default();
            times.led.push(led);
            times.ended(end, over);
            times.measured(&options).within
        };
        assert!(within(TARGET_MS, End::Finished, TARGET_MS));
        assert!(within(1.0, End::Undone, 1.0));
        assert!(!within(TARGET_MS + 1.0, End::Finished, 1.0), "led late");
        assert!(!within(1.0, End::Finished, TARGET_MS + 1.0), "over late");
        assert!(!within(1.0, End::Neither, 1.0));
        assert!(!Times::default().measured(&options).within, "nothing");
    }
}
