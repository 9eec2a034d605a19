//! Following an order to its end, in the message whose button gave it.
//!
//! What is shown is what stands in Redis, so it does not matter who gave the order: a desk that opens (another worker has the bot,
//! or this process is a fresh one) goes on with the unfinished and the just finished ones of its bot. Invariant: the message is edited at most once
//! a second, and a finished order's message is left alone once it shows the end.

use std::sync::Arc;
use std::time::Duration;

use bot_worker_core::admin::Screen;
use shared_core::{MemberId, MessageId, Order, OrderId, Progress, Requester};
use shared_io::redis::SeenRequest;
use shared_io::retry::{Backoff, RetryPolicy};
use tokio::time::Instant;

use super::Office;
use super::answer::bounded;
use super::line::Shown;
use super::look::Look;
use crate::status::lock;

/// How often Redis is asked.
const POLL: Duration = Duration::from_millis(200);
/// Between two edits of the message, its end excepted.
const EDIT_AGAIN: Duration = Duration::from_secs(1);
/// How long one edit may take; the next one shows more.
const EDIT: Duration = Duration::from_secs(5);
/// After so long without an answer the message says that Redis is away.
const LOST_SIGHT: Duration = Duration::from_secs(2);
/// A submission that nobody confirmed may still arrive for so long.
const DOUBT: Duration = Duration::from_secs(3);
/// A switch takes seconds; whoever is still not through after this looks with /drstatus.
const PATIENCE: Duration = Duration::from_secs(600);
/// An order that ended longer ago than this has been shown by whoever had the bot then (milliseconds since it was submitted).
const JUST_FINISHED_MS: u64 = 120_000;

/// An order and the message that shows it.
#[derive(Debug)]
pub struct Followed {
    pub id: OrderId,
    pub order: Order,
    pub member: MemberId,
    pub message: MessageId,
    /// Redis has said that it has it.
    pub certain: bool,
}

/// Orders that admins gave through this bot and whose end they may not have seen.
pub async fn unfinished(office: Arc<Office>) -> Vec<Followed> {
    let mut backoff = Backoff::new(RetryPolicy::forever(
        Duration::from_millis(200),
        Duration::from_secs(5),
    ));
    loop {
        if let Ok(orders) = bounded(office.state.orders()).await {
            return orders
                .into_iter()
                .filter_map(|seen| mine(&office, seen))
                .collect();
        }
        tokio::time::sleep(backoff.next_delay().unwrap_or(POLL)).await;
    }
}

fn mine(office: &Office, seen: SeenRequest) -> Option<Followed> {
    let SeenRequest { request, age_ms } = seen;
    match request.by {
        Requester::Admin {
            member,
            bot,
            message: Some(message),
        } if bot == office.bot => {
            let wanted = !request.progress.is_over() || age_ms < JUST_FINISHED_MS;
            wanted.then_some(Followed {
                id: request.id,
                order: request.order,
                member,
                message,
                certain: true,
            })
        }
        _ => None,
    }
}

/// Keeps the message true until the order is over and the message says so.
pub async fn follow(office: Arc<Office>, order: Followed) {
    let id = order.id;
    let course = Course {
        office: &office,
        order,
        steps: Vec::new(),
        answered: Instant::now(),
        began: Instant::now(),
    };
    course.follow().await;
    lock(&office.followed).remove(&id);
}

struct Course<'a> {
    office: &'a Office,
    order: Followed,
    steps: Vec<String>,
    /// When Redis last answered.
    answered: Instant,
    began: Instant,
}

impl Course<'_> {
    async fn follow(mut self) {
        let mut shown: Option<(Screen, Instant)> = None;
        while self.began.elapsed() < PATIENCE {
            if let Some((screen, over)) = self.look().await {
                let same = shown.as_ref().is_some_and(|(known, _)| *known == screen);
                let due = shown
                    .as_ref()
                    .is_none_or(|(_, at)| over || at.elapsed() >= EDIT_AGAIN);
                let outcome = match (same, due) {
                    (true, _) => Shown::Yes,
                    (false, true) => self.show(&screen).await,
                    (false, false) => Shown::NotInTime,
                };
                match outcome {
                    Shown::Never => return,
                    Shown::Yes if over => return,
                    Shown::Yes if !same => shown = Some((screen, Instant::now())),
                    Shown::Yes | Shown::NotInTime => {}
                }
            }
            tokio::time::sleep(POLL).await;
        }
        let texts = &self.office.shared.admin_texts;
        let look = Look::take(self.office);
        let given_up = texts.given_up(&look.sight(), &self.order.order, &self.steps);
        // There is nobody left to tell that it could not be shown.
        let _ = self.show(&given_up).await;
    }

    /// How the message is to look, and whether that is its end; `None` when there is nothing to say yet.
    async fn look(&mut self) -> Option<(Screen, bool)> {
        let texts = &self.office.shared.admin_texts;
        let (order, look) = (&self.order.order, Look::take(self.office));
        let sight = look.sight();
        match bounded(self.office.state.order(self.order.id)).await {
            Ok(Some(SeenRequest { request, .. })) => {
                self.answered = Instant::now();
                self.order.certain = true;
                if let Progress::Running { step, .. } = &request.progress
                    && self.steps.last() != Some(step)
                {
                    self.steps.push(step.clone());
                }
                let progress = &request.progress;
                let screen = texts.progress(&sight, order, &self.steps, progress);
                Some((screen, progress.is_over()))
            }
            Ok(None) if self.order.certain => {
                Some((texts.forgotten(&sight, order, &self.steps), true))
            }
            Ok(None) if self.began.elapsed() < DOUBT => None,
            Ok(None) => Some((texts.not_taken(&sight, order), true)),
            Err(_) if self.answered.elapsed() < LOST_SIGHT => None,
            Err(_) => Some((texts.lost_sight(&sight, order, &self.steps), false)),
        }
    }

    async fn show(&self, screen: &Screen) -> Shown {
        let (member, message) = (self.order.member, self.order.message);
        let until = Instant::now() + EDIT;
        let compose = || screen.clone();
        let wire = &self.office.wire;
        wire.edit(member, message, &compose, until).await
    }
}
