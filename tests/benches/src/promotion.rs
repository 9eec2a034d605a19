//! Does promotion depend on how many conversations there are?
//!
//! One system a size, all at once, so that whatever else the machine does hits them alike; in each round every system's active worker is killed
//! once, in an order that turns. Then, as often as asked for, each is ordered to another bot, and at the end two tokens are revoked in each, which is
//! as many as three bots allow. Measured is the time from the fault or the order to the epoch being open again and to the first reply (in private; in the
//! group after a revocation), and the medians are compared with the smallest size's. A switch of a few dozen milliseconds varies more than a
//! takeover, so its bound is widened by the medians' own uncertainty ([`notch`]).
//! Each system's conversations were written by the product's own commit; one of twenty has a reply parked, every other member is reached. All have been
//! idle for an hour, so nobody is owed anything.
//!
//! Two more systems have members who were active just now, few and many, and take part in the switches alone: there whoever takes over owes each of them
//! his prompt, at 28 a second, which is half a minute and most of an hour. A member who asks must not wait for that: at the opening not longer with
//! many than with few, and amid the prompts not longer than the few that may leave before an answer take.

mod sized;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Measured;
use crate::figures::{notch, summary};
use sized::{Activity, Sized};

/// Requirement: no size's median is further than this from the smallest one's.
const WITHIN: f64 = 0.10;
/// Longest wait of a member who asks amid the prompts: an answer passes those that came within the second before it, so it waits for a second of
/// older ones at most; and as much again for a loaded machine.
const AMID_MS: f64 = 2_000.0;
/// Between rounds: a chat takes one message a second, a group 20 a minute.
const CHATS_REST: Duration = Duration::from_millis(3_200);
/// The same where nobody is asked in the group.
const PRIVATE_REST: Duration = Duration::from_millis(1_100);
const REVOKES: usize = 2;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Conversations in Redis, one system each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    sizes: Vec<usize>,
    /// Kills of the active worker in each system
    #[arg(long, default_value_t = 45)]
    rounds: usize,
    /// Switches to another bot in each system
    #[arg(long, default_value_t = 20)]
    switches: usize,
    /// Conversations whose members were active just now, one more system each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000])]
    lately: Vec<usize>,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(!options.sizes.is_empty(), "--sizes names none");
    ensure!(options.rounds > 0, "--rounds 0 measures nothing");
    ensure!(options.switches > 0, "--switches 0 measures nothing");
    let owes = !options.lately.is_empty() && !options.lately.contains(&0);
    ensure!(owes, "--lately 0 measures nothing");
    let mut all = Vec::new();
    for size in &options.sizes {
        all.push(Sized::filled(*size, Activity::Idle).await?);
    }
    let idle = all.len();
    for round in 0..options.rounds {
        for turn in turns(idle, round) {
            all[turn].kill(round).await?;
        }
        eprintln!("promotion: round {} of {}", round + 1, options.rounds);
        tokio::time::sleep(CHATS_REST).await;
    }
    for size in &options.lately {
        all.push(Sized::filled(*size, Activity::Lately).await?);
    }
    for round in 0..options.switches {
        for turn in turns(all.len(), round) {
            all[turn].switch(round).await?;
        }
        eprintln!("promotion: switch {} of {}", round + 1, options.switches);
        tokio::time::sleep(PRIVATE_REST).await;
    }
    for round in 0..REVOKES {
        for turn in turns(idle, round) {
            all[turn].revoke(round).await?;
        }
        eprintln!("promotion: revoke {} of {REVOKES}", round + 1);
        tokio::time::sleep(CHATS_REST).await;
    }
    let lately = all.split_off(idle);
    report(all, lately).await
}

/// All of them, beginning with another one each round.
fn turns(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

/// A median beside the smallest size's.
struct Beside {
    ratio: Option<f64>,
    noise_ms: f64,
    within: bool,
}

impl Beside {
    fn of(values: &[f64], smallest: &[f64], noise_ms: f64) -> Self {
        let median = |values: &[f64]| summary(values).map(|it| it.p50);
        let both = median(values).zip(median(smallest));
        Self {
            ratio: both.map(|(median, base)| median / base),
            noise_ms,
            within: both
                .is_some_and(|(median, base)| (median - base).abs() <= WITHIN * base + noise_ms),
        }
    }

    /// As far as the two medians are known.
    fn with_noise(values: &[f64], smallest: &[f64]) -> Self {
        Self::of(values, smallest, notch(values) + notch(smallest))
    }
}

async fn report(idle: Vec<Sized>, lately: Vec<Sized>) -> Result<Measured> {
    let (sizes, is_same) = idling(&idle)?;
    let (owed, is_soon) = owing(&lately)?;
    for sized in idle.into_iter().chain(lately) {
        sized.stop().await?;
    }
    let within = is_same && is_soon;
    Ok(Measured {
        report: json!({
            "sizes": sizes,
            "active_lately": owed,
            "target_ratio_within": WITHIN,
            "target_reply_amid_prompts_max_ms": AMID_MS,
            "within": within,
        }),
        within,
    })
}

fn smallest(all: &[Sized]) -> Result<&Sized> {
    let smallest = all.iter().min_by_key(|it| it.conversations);
    smallest.context("nothing was measured")
}

/// Those in which nobody is owed anything.
fn idling(all: &[Sized]) -> Result<(Vec<Value>, bool)> {
    let smallest = smallest(all)?;
    let (mut rows, mut within) = (Vec::new(), true);
    for sized in all {
        let kill = Beside::of(&sized.killed.answered, &smallest.killed.answered, 0.0);
        let switch = Beside::with_noise(&sized.switched.answered, &smallest.switched.answered);
        within &= kill.within && switch.within;
        rows.push(json!({
            "conversations": sized.conversations,
            "ratio": kill.ratio,
            "kill_worker": sized.killed.report(),
            "switch_ratio": switch.ratio,
            "switch_noise_ms": switch.noise_ms,
            "switch": sized.switched.report(),
            "revoke": sized.revoked.report(),
        }));
    }
    Ok((rows, within))
}

/// Those whose members are owed their prompts.
fn owing(all: &[Sized]) -> Result<(Vec<Value>, bool)> {
    let smallest = smallest(all)?;
    let (mut rows, mut within) = (Vec::new(), true);
    for sized in all {
        // Without prompts there was nothing to wait for.
        ensure!(sized.shown > 0, "nobody was shown where he stands");
        let switch = Beside::with_noise(&sized.switched.answered, &smallest.switched.answered);
        let amid = summary(&sized.later);
        within &= switch.within && amid.as_ref().is_some_and(|it| it.max <= AMID_MS);
        rows.push(json!({
            "conversations": sized.conversations,
            "switch_ratio": switch.ratio,
            "switch_noise_ms": switch.noise_ms,
            "switch": sized.switched.report(),
            "reply_amid_prompts_ms": amid,
            "prompts_sent_meanwhile": sized.shown,
        }));
    }
    Ok((rows, within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_within_a_tenth_or_within_what_is_not_known_of_it() {
        let within = |value: f64, noise: f64| Beside::of(&[value], &[40.0], noise).within;
        assert!(within(44.0, 0.0) && within(36.0, 0.0));
        assert!(!within(44.5, 0.0) && !within(35.5, 0.0));
        assert!(within(46.0, 2.0) && !within(46.5, 2.0));
        assert!(
            !Beside::of(&[], &[40.0], 9.0).within,
            "nothing was measured"
        );
    }
}
