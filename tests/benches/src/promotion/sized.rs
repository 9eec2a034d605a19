//! One system with so many conversations in Redis, and what is done to it: a kill, a switch by order, a revocation.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sandbox::control::Chat;
use serde_json::{Value, json};
use shared_core::{BotId, MemberId};
use shared_io::clock;

use crate::figures::summary;
use crate::kill_worker::since;
use crate::people::ask;
use crate::sessions::{Maker, Writer};
use crate::system::{Ground, Serving, System};

const MEMBERS: usize = 4;
const SECTIONS: &str =
    "[policy]\ntakeovers_per_hour = 3600\nswitches_per_hour = 3600\n\n[workers]\nlocal = 3\n";
/// Of those who were active lately the simulator has the latest: more than are shown where they stand before the next switch, at 28 a second.
const KNOWN: usize = 1_000;
/// After a switch, when prompts leave as fast as they may.
const LATER: Duration = Duration::from_millis(1_500);

/// When its members were last active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// An hour ago: nobody is shown where he stands unasked.
    Idle,
    /// Within the last half hour: whoever takes over owes all of them their prompts.
    Lately,
}

pub struct Sized {
    pub conversations: usize,
    pub killed: Times,
    pub switched: Times,
    pub revoked: Times,
    /// From a question in the middle of the prompts to its answer.
    pub later: Vec<f64>,
    /// Prompts that were sent between an opening and the answer to that question, over all switches.
    pub shown: usize,
    system: System,
    known: HashSet<i64>,
}

#[derive(Default)]
pub struct Times {
    pub opened: Vec<f64>,
    pub answered: Vec<f64>,
}

impl Sized {
    pub async fn filled(conversations: usize, activity: Activity) -> Result<Self> {
        let ground = Ground::lay(MEMBERS, SECTIONS).await?;
        let known = match activity {
            Activity::Idle => Vec::new(),
            Activity::Lately => acquainted(&ground, conversations.min(KNOWN)).await?,
        };
        let sized = Self {
            conversations,
            killed: Times::default(),
            switched: Times::default(),
            revoked: Times::default(),
            later: Vec::new(),
            shown: 0,
            system: System::run(ground).await?,
            known: known.iter().map(|member| member.0).collect(),
        };
        sized.fill(activity, known).await?;
        Ok(sized)
    }

    async fn fill(&self, activity: Activity, known: Vec<MemberId>) -> Result<()> {
        let (system, conversations) = (&self.system, self.conversations);
        let serving = system.whole(3).await?;
        let now = clock::unix_now();
        let mut maker = Maker::new(system.state.id().clone(), serving.bot, now)?;
        if activity == Activity::Lately {
            maker = maker.lately(known);
        }
        let writer = Writer {
            state: &system.state,
            stamp: serving.record.stamp,
            maker: &maker,
            active: false,
        };
        let told = |done| eprintln!("promotion: {done} of {conversations} conversations written");
        writer.write(conversations, true, told).await?;
        for bot in &system.scene.bots {
            let lease = system.lease(BotId(bot.id)).await?;
            writer.reach(&lease, conversations).await?;
        }
        let open = system.state.open_count().await?;
        ensure!(open >= u64::try_from(conversations)?, "{open} are open");
        Ok(())
    }

    /// Kills the active worker; a member asks at that instant.
    pub async fn kill(&mut self, round: usize) -> Result<()> {
        let serving = self.system.whole(3).await?;
        let at = self.system.kill(&serving)?;
        let chat = Chat::Bot(serving.bot.0);
        let measured = self.measure(&serving, round, chat, at).await?;
        self.killed.take(measured);
        Ok(())
    }

    /// Orders a move to another bot; a member asks that one as soon as it answers. Where prompts are owed another one asks in the middle of them.
    pub async fn switch(&mut self, round: usize) -> Result<()> {
        let serving = self.system.whole(3).await?;
        let to = self.system.next_bot(serving.bot)?;
        let log = self.system.control.last_event().await?;
        let at = clock::unix_now().0;
        self.system.order(to).await?;
        let (_, opened) = self.system.reopened(&serving).await?;
        let chat = Chat::Bot(to.0);
        let answered = ask(&self.system, round % MEMBERS, chat).await;
        let answered = answered.with_context(|| self.with())?;
        self.switched.take((since(at, opened), since(at, answered)));
        if self.known.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LATER).await;
        let at = clock::unix_now().0;
        let answered = ask(&self.system, (round + 1) % MEMBERS, chat).await?;
        self.later.push(since(at, answered));
        self.shown += self.shown_since(log, to).await?;
        Ok(())
    }

    /// Prompts that this bot has sent since.
    async fn shown_since(&self, mut after: u64, bot: BotId) -> Result<usize> {
        let (mut shown, last) = (0, self.system.control.last_event().await?);
        while after < last {
            let page = self.system.control.events(after, 0, "message_sent").await?;
            after = page.next;
            let sent = page.events.iter();
            shown += sent
                .filter(|event| event.number("account") == Some(bot.0))
                .filter_map(|event| event.chat("user"))
                .filter(|member| self.known.contains(member))
                .count();
        }
        Ok(shown)
    }

    /// Revokes the active bot's token; a member asks in the group, because who answers next is not known yet.
    pub async fn revoke(&mut self, round: usize) -> Result<()> {
        let serving = self.system.whole(3 - round).await?;
        let at = clock::unix_now().0;
        let fault = json!({"kind": "revoke", "bot": serving.bot.0, "live_sessions": "killed"});
        self.system.control.fault(fault).await?;
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
        let (_, opened) = epoch.with_context(|| self.with())?;
        let answered = answer.with_context(|| self.with())?;
        Ok((since(at, opened), since(at, answered)))
    }

    fn with(&self) -> String {
        format!("with {} conversations", self.conversations)
    }

    pub async fn stop(self) -> Result<()> {
        self.system.stop().await
    }
}

/// Members of the simulator who have started every bot, before anything of ours runs.
async fn acquainted(ground: &Ground, count: usize) -> Result<Vec<MemberId>> {
    let mut members = Vec::with_capacity(count);
    for number in 0..count {
        let member = ground.control.member(&format!("Lately-{number}")).await?.id;
        for bot in &ground.scene.bots {
            ground.control.start(member, bot.id, None).await?;
        }
        members.push(MemberId(member));
    }
    Ok(members)
}

impl Times {
    fn take(&mut self, (opened, answered): (f64, f64)) {
        self.opened.push(opened);
        self.answered.push(answered);
    }

    pub fn report(&self) -> Value {
        json!({
            "opened_ms": summary(&self.opened),
            "first_reply_ms": summary(&self.answered),
        })
    }
}
