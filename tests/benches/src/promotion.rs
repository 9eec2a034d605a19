//! Does promotion depend on how many conversations there are?
//!
//! One system a size, all at once, so that whatever else the machine does hits them alike; in each round every system's active worker is killed
//! once, in an order that turns. At the end two tokens are revoked in each, which is as many as three bots allow. Measured is the time from the
//! fault to the epoch being open again and to the first reply (in private after a kill, in the group after a revocation), and compared are the medians with the smallest size's.
//! Each system's conversations were written by the product's own commit; one of twenty has a reply parked, every other member is reached.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sandbox::control::Chat;
use serde_json::{Value, json};
use shared_io::clock;

use crate::Measured;
use crate::figures::summary;
use crate::kill_worker::since;
use crate::people::ask;
use crate::sessions::{Maker, Writer};
use crate::system::{Serving, System};

/// Requirement: no size's median is further than this from the smallest one's.
const WITHIN: f64 = 0.10;
/// Between rounds: a chat takes one message a second, a group 20 a minute.
const CHATS_REST: Duration = Duration::from_millis(3_200);
const MEMBERS: usize = 4;
const WORKERS: u32 = 3;
const REVOKES: usize = 2;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Conversations in Redis, one system each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    sizes: Vec<usize>,
    /// Kills of the active worker in each system
    #[arg(long, default_value_t = 45)]
    rounds: usize,
}

struct Sized {
    conversations: usize,
    system: System,
    killed: Times,
    revoked: Times,
}

#[derive(Default)]
struct Times {
    opened: Vec<f64>,
    answered: Vec<f64>,
}

pub async fn run(options: &Options) -> Result<Measured> {
    ensure!(!options.sizes.is_empty(), "--sizes names none");
    ensure!(options.rounds > 0, "--rounds 0 measures nothing");
    let mut all = Vec::new();
    for size in &options.sizes {
        all.push(filled(*size).await?);
    }
    for round in 0..options.rounds {
        for place in 0..all.len() {
            let turn = (place + round) % all.len();
            all[turn].kill(round).await?;
        }
        eprintln!("promotion: round {} of {}", round + 1, options.rounds);
        tokio::time::sleep(CHATS_REST).await;
    }
    for round in 0..REVOKES {
        for place in 0..all.len() {
            let turn = (place + round) % all.len();
            all[turn].revoke(round).await?;
        }
        eprintln!("promotion: revoke {} of {REVOKES}", round + 1);
        tokio::time::sleep(CHATS_REST).await;
    }
    report(all).await
}

async fn filled(conversations: usize) -> Result<Sized> {
    let sections = "[policy]\ntakeovers_per_hour = 3600\nswitches_per_hour = 3600\n";
    let system = System::open(MEMBERS, WORKERS, sections).await?;
    let serving = system.whole(3).await?;
    let maker = Maker::new(
        system.state.id().clone(),
        serving.bot,
        clock::unix_now(),
        false,
    )?;
    let writer = Writer {
        state: &system.state,
        stamp: serving.record.stamp,
        maker: &maker,
    };
    let told = |done| eprintln!("promotion: {done} of {conversations} conversations written");
    writer.write(conversations, true, told).await?;
    for bot in &system.scene.bots {
        let lease = system.lease(shared_core::BotId(bot.id)).await?;
        writer.reach(&lease, conversations).await?;
    }
    let open = system.state.open_count().await?;
    ensure!(open >= u64::try_from(conversations)?, "{open} are open");
    Ok(Sized {
        conversations,
        system,
        killed: Times::default(),
        revoked: Times::default(),
    })
}

impl Sized {
    async fn kill(&mut self, round: usize) -> Result<()> {
        let serving = self.system.whole(3).await?;
        let at = self.system.kill(&serving)?;
        let chat = Chat::Bot(serving.bot.0);
        let measured = self.measure(&serving, round, chat, at).await?;
        self.killed.take(measured);
        Ok(())
    }

    async fn revoke(&mut self, round: usize) -> Result<()> {
        let serving = self.system.whole(3 - round).await?;
        let at = clock::unix_now().0;
        let fault = json!({"kind": "revoke", "bot": serving.bot.0, "live_sessions": "killed"});
        self.system.control.fault(fault).await?;
        // Who answers next is not known yet.
        let chat = Chat::Channel(self.system.scene.group);
        let measured = self.measure(&serving, round, chat, at).await?;
        self.revoked.take(measured);
        Ok(())
    }

    async fn measure(
        &self,
        serving: &Serving,
        round: usize,
        chat: Chat,
        at: i64,
    ) -> Result<(f64, f64)> {
        let (epoch, answer) = tokio::join!(
            self.system.reopened(serving),
            ask(&self.system, round % MEMBERS, chat)
        );
        let with = || format!("with {} conversations", self.conversations);
        let (_, opened) = epoch.with_context(with)?;
        let answered = answer.with_context(with)?;
        Ok((since(at, opened), since(at, answered)))
    }
}

impl Times {
    fn take(&mut self, (opened, answered): (f64, f64)) {
        self.opened.push(opened);
        self.answered.push(answered);
    }

    fn report(&self) -> Value {
        json!({
            "opened_ms": summary(&self.opened),
            "first_reply_ms": summary(&self.answered),
        })
    }
}

async fn report(all: Vec<Sized>) -> Result<Measured> {
    let median = |values: &[f64]| summary(values).map(|it| it.p50);
    let smallest = all.iter().min_by_key(|it| it.conversations);
    let smallest = smallest.and_then(|it| median(&it.killed.answered));
    let base = smallest.context("nothing was measured")?;
    let mut sizes = Vec::new();
    let mut within = true;
    for sized in all {
        let ratio = median(&sized.killed.answered).map(|it| it / base);
        within &= ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= WITHIN);
        sizes.push(json!({
            "conversations": sized.conversations,
            "ratio": ratio,
            "kill_worker": sized.killed.report(),
            "revoke": sized.revoked.report(),
        }));
        sized.system.stop().await?;
    }
    Ok(Measured {
        report: json!({ "sizes": sizes, "target_ratio_within": WITHIN, "within": within }),
        within,
    })
}
