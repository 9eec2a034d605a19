//! Telling members who wrote to a standby which bot answers: once a member and change of bots, by the last thing that he wrote.
//!
//! Best effort, and paced: a bot that has just been left may have hundreds to tell, and is the most likely one to be needed next. Invariants: nobody is told
//! whose last message was taken in; whoever could not be told for now waits for the next time; a hint that is repeated has the random id that it had.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use shared_core::{
    BootMs, BotId, Epoch, ErrorClass, Incoming, MemberId, SendTarget, UpdateId, entry_id, random_id,
};
use shared_io::clock;
use shared_io::redis::StateError;
use shared_io::telegram::{CallError, Calls, Say};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use crate::announce;
use crate::context::BotContext;
use crate::guard::Tenancy;
use crate::presses;

/// At once, and not more in [`PACE`]: below the 30 a second that Telegram gives a bot.
const AT_ONCE: usize = 16;
const PACE: Duration = Duration::from_millis(800);
/// Rounds side by side: who writes while many are being told does not wait for them.
const ROUNDS: usize = 4;
/// Members who wait to be told; more are not, they ask again.
const WAITING: usize = 512;
/// So long a hint that Redis does not remember is not given again.
const AGAIN: Duration = Duration::from_secs(30);

/// Why he was not told.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Untold {
    fn is_retryable(&self) -> bool {
        match self {
            Self::State(_) => true,
            Self::Call(error) => error.class.is_retryable(),
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Call(error) => error.wait_s.map(|wait| Duration::from_secs(wait.into())),
            Self::State(_) => None,
        }
    }
}

/// What became of a round.
#[derive(Default)]
struct Round {
    members: Vec<MemberId>,
    /// Told, and Redis does not remember it.
    unremembered: Vec<MemberId>,
    again: Vec<Incoming>,
    wait: Option<Duration>,
}

pub(super) struct Hints {
    context: Arc<BotContext>,
    tenancy: Tenancy,
    calls: Calls,
    /// Each member's last message.
    waiting: Vec<Incoming>,
    running: JoinSet<Round>,
    /// The members of what is running: nobody is in two rounds.
    under_way: Vec<MemberId>,
    told: Vec<(MemberId, BootMs)>,
    not_before: BootMs,
}

impl Hints {
    pub fn new(context: Arc<BotContext>, tenancy: Tenancy, calls: Calls) -> Self {
        Self {
            context,
            tenancy,
            calls,
            waiting: Vec::new(),
            running: JoinSet::new(),
            under_way: Vec::new(),
            told: Vec::new(),
            not_before: BootMs(0),
        }
    }

    /// He wrote this, and is to be told once somebody answers.
    pub fn wait(&mut self, wrote: Incoming) {
        queue(&mut self.waiting, wrote, WAITING);
    }

    /// Tells those who wait.
    pub fn tell(&mut self) {
        while let Some(round) = self.running.try_join_next() {
            self.over(round.unwrap_or_default());
        }
        let now = clock::boot_now();
        if self.running.is_empty() {
            self.under_way.clear();
        }
        let may = now >= self.not_before && self.context.cell.holds(self.tenancy);
        if self.running.len() >= ROUNDS || !may {
            return;
        }
        self.told.retain(|(_, at)| now.since(*at) < AGAIN);
        let told = &self.told;
        self.waiting
            .retain(|to| told.iter().all(|(member, _)| *member != to.member));
        let under_way = &self.under_way;
        let next: Vec<Incoming> = self
            .waiting
            .extract_if(.., |to| !under_way.contains(&to.member))
            .collect();
        if next.is_empty() {
            return;
        }
        self.under_way.extend(next.iter().map(|to| to.member));
        let (context, calls) = (Arc::clone(&self.context), self.calls.clone());
        self.running.spawn(round(context, calls, next));
    }

    /// Nobody waits any more, and whom this bot told something, it told of another time.
    pub fn forget(&mut self) {
        self.running.abort_all();
        self.waiting.clear();
        self.told.clear();
    }

    fn over(&mut self, round: Round) {
        let now = clock::boot_now();
        self.under_way
            .retain(|member| !round.members.contains(member));
        let told = round.unremembered.into_iter();
        self.told.extend(told.map(|member| (member, now)));
        if let Some(wait) = round.wait {
            self.not_before = now.plus(wait);
        }
        for earlier in round.again {
            // What he has written since is the last.
            if self.waiting.iter().all(|it| it.member != earlier.member) {
                self.wait(earlier);
            }
        }
    }
}

fn queue(waiting: &mut Vec<Incoming>, wrote: Incoming, at_most: usize) {
    waiting.retain(|it| it.member != wrote.member);
    if waiting.len() < at_most {
        waiting.push(wrote);
    }
}

async fn round(context: Arc<BotContext>, calls: Calls, waiting: Vec<Incoming>) -> Round {
    let mut round = Round {
        members: waiting.iter().map(|to| to.member).collect(),
        ..Round::default()
    };
    let mut waiting = waiting.into_iter();
    loop {
        let some: Vec<Incoming> = waiting.by_ref().take(AT_ONCE).collect();
        let (began, is_last) = (Instant::now(), some.len() < AT_ONCE);
        let said = join_all(some.iter().map(|to| say_who_answers(&context, &calls, to))).await;
        for (to, said) in some.into_iter().zip(said) {
            match said {
                Ok(true) => {}
                Ok(false) => round.unremembered.push(to.member),
                Err(error) => {
                    debug!(bot = %context.lease.bot, member = %to.member, %error, "no hint given");
                    round.wait = round.wait.max(error.wait());
                    if error.is_retryable() {
                        round.again.push(to);
                    }
                }
            }
        }
        if is_last || round.wait.is_some() {
            round.again.extend(waiting);
            return round;
        }
        tokio::time::sleep_until(began + PACE).await;
    }
}

/// True when Redis remembers that he was told, or there is nothing to tell him.
async fn say_who_answers(
    context: &BotContext,
    calls: &Calls,
    to: &Incoming,
) -> Result<bool, Untold> {
    // Taken in before this bot became a standby: then its member is answered, or shown where he stands with it.
    if presses::was_taken(context, to).await? {
        return Ok(true);
    }
    let (me, now) = (context.lease.bot, clock::unix_now());
    let active = active(context).await?;
    let username = match active {
        Some((bot, _)) if bot == me => return Ok(true),
        Some((bot, change)) => {
            let told = context.state.was_hinted(me, to.member, change, now);
            if told.await? {
                return Ok(true);
            }
            announce::username(context, bot).await
        }
        None => None,
    };
    // Whatever is kept has an identity.
    let Some(update) = to.id() else {
        return Ok(true);
    };
    say(context, calls, to, &update, username.as_deref()).await?;
    // Who answers was not known: told again when it is.
    let Some((_, change)) = active.filter(|_| username.is_some()) else {
        return Ok(false);
    };
    context.state.note_hint(me, to.member, change, now).await?;
    Ok(true)
}

/// Who answers, and the epoch in which the bots changed to it: the present one, where it has only just been opened.
async fn active(context: &BotContext) -> Result<Option<(BotId, Epoch)>, StateError> {
    let (record, resumption) = tokio::try_join!(context.state.epoch(), context.state.resumption())?;
    let held = record.and_then(|record| Some((record.holder?.bot, record.stamp.epoch)));
    Ok(held.map(|(bot, epoch)| {
        let followed = resumption.filter(|it| it.bot == bot);
        (bot, followed.map_or(epoch, |it| it.epoch))
    }))
}

async fn say(
    context: &BotContext,
    calls: &Calls,
    to: &Incoming,
    update: &UpdateId,
    username: Option<&str>,
) -> Result<(), CallError> {
    let link = username.map(|name| context.link_to(name));
    let text = context.shared.texts.standby(username.zip(link.as_deref()));
    let keyboard = username.and_then(|name| context.go_on_keyboard(name));
    let entry = entry_id(&context.pool, &to.conversation(), update, u32::MAX);
    let say = Say {
        text: &text,
        keyboard: keyboard.as_ref(),
        reply_to: None,
        random_id: random_id(entry, context.lease.bot, 0),
        silent: true,
    };
    match calls.say(SendTarget::Member(to.member), &say).await {
        Ok(_) => Ok(()),
        Err(error) if error.class == ErrorClass::SentAlready => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use shared_core::{BoxId, IncomingKind, MessageId, Place, UnixMs};

    use super::*;

    fn wrote(member: i64, message: i32) -> Incoming {
        Incoming {
            r#box: BoxId::Private(BotId(1)),
            place: Place::Private,
            member: MemberId(member),
            name: "Ada".into(),
            date: UnixMs(1),
            what: IncomingKind::Message {
                message: MessageId(message),
                text: "Bread".into(),
                document: None,
                album: None,
                reply_to: None,
                addressed: true,
            },
        }
    }

    /// His last message tells whether all before it were taken in; and one who writes much does not crowd out the others.
    #[test]
    fn each_member_waits_once_by_what_he_wrote_last() {
        let mut waiting = Vec::new();
        for message in 1..=5 {
            queue(&mut waiting, wrote(7, message), 2);
        }
        queue(&mut waiting, wrote(8, 6), 2);
        queue(&mut waiting, wrote(9, 7), 2);
        assert_eq!(waiting, [wrote(7, 5), wrote(8, 6)]);
    }
}
