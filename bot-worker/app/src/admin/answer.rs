//! Handling one thing that was asked: what is answered, what is recorded, which order is given.
//!
//! An offer is noted in Redis before its button is shown; a confirmation takes it there, once, by its nonce, for this admin and this bot; the
//! order has the same nonce, so that it is one order however often it is submitted.

use std::sync::Arc;
use std::time::Duration;

use bot_worker_core::admin::{Alert, Asked, Command, Happening, Press, Proposal, Screen};
use serde_json::{Value, json};
use shared_core::{
    IncomingKind, MemberId, MessageId, OrderId, Progress, QueryId, Request, Requester, random_id,
};
use shared_io::clock;
use shared_io::redis::{Offer, StateError, Submitted, Taken};
use shared_io::sql::AdminVerdict;
use tokio::time::Instant;

use super::follow::Followed;
use super::intake::{entry, row};
use super::look::Look;
use super::{ANSWERED_WITHIN, Item, Office};

/// Redis' own deadlines are shorter; this is for a line that is being mended.
const REDIS: Duration = Duration::from_secs(2);
/// Recent events that are read from each table.
const EVENTS: u32 = 10;
/// The place of an answer among what follows from an update; members' replies count from 0, a standby's hint has the last one, a record the one
/// before this.
const ANSWER: u32 = u32::MAX - 1;

/// A screen, and why it offers nothing to confirm where it was asked to.
struct Proposed {
    screen: Screen,
    refused: Option<String>,
}

/// Gives the orders that are to be followed from here on.
pub async fn handle(office: Arc<Office>, item: Item) -> Vec<Followed> {
    let asking = Asking {
        office: &office,
        member: item.incoming.member,
        until: Instant::now() + ANSWERED_WITHIN,
        item: &item,
    };
    if let Some(age_ms) = item.old_ms {
        asking.record(AdminVerdict::Expired, json!({"age_ms": age_ms}));
        let texts = &office.shared.admin_texts;
        asking.say(|| texts.old(age_ms)).await;
        return Vec::new();
    }
    match item.asked {
        Asked::Command(command) => asking.command(command).await,
        Asked::Press(press) => {
            if let Some((query, message)) = asking.pressed() {
                return asking.press(press, query, message).await;
            }
        }
        Asked::Forged => {
            asking.record(AdminVerdict::Forged, asking.data());
            if let Some((query, _)) = asking.pressed() {
                asking.alert(query, Alert::Forged).await;
            }
        }
    }
    Vec::new()
}

struct Asking<'a> {
    office: &'a Office,
    item: &'a Item,
    member: MemberId,
    until: Instant,
}

impl Asking<'_> {
    async fn command(&self, command: Command) {
        let texts = &self.office.shared.admin_texts;
        let look = Look::take(self.office);
        match command {
            Command::Help => {
                self.looked(&look, None);
                self.say(|| texts.help()).await;
            }
            Command::Status => {
                self.looked(&look, None);
                self.say(|| self.card()).await;
            }
            Command::Recovery => {
                let proposal = texts.propose_recovery(&look.sight());
                let proposed = self.propose(&look, proposal).await;
                self.looked(&look, proposed.refused);
                self.say(|| proposed.screen.clone()).await;
            }
        }
    }

    async fn press(&self, press: Press, query: QueryId, message: MessageId) -> Vec<Followed> {
        let texts = &self.office.shared.admin_texts;
        let look = Look::take(self.office);
        let (fixed, refused) = match press {
            Press::Refresh => (None, None),
            Press::Events => {
                let events = texts.events(&look.sight(), self.happenings().await);
                (Some(events), None)
            }
            Press::Switch => {
                let proposal = texts.propose_rotation(&look.sight());
                let proposed = self.propose(&look, proposal).await;
                (Some(proposed.screen), proposed.refused)
            }
            Press::Confirm(nonce) => return self.confirm(nonce, query, message).await,
            Press::Drop(nonce) => {
                self.drop_offer(nonce, query, message).await;
                return Vec::new();
            }
        };
        self.looked(&look, refused);
        let compose = || fixed.clone().unwrap_or_else(|| self.card());
        tokio::join!(
            self.office.wire.answer_press(query, None, false),
            self.edit(message, compose),
        );
        Vec::new()
    }

    fn card(&self) -> Screen {
        let look = Look::take(self.office);
        self.office.shared.admin_texts.status(&look.sight())
    }

    /// Notes the offer, then shows it.
    async fn propose(&self, look: &Look<'_>, proposal: Proposal) -> Proposed {
        let texts = &self.office.shared.admin_texts;
        let (order, plan) = match proposal {
            Proposal::Nothing { screen, why } => {
                let refused = Some(why);
                return Proposed { screen, refused };
            }
            Proposal::Offer { order, plan } => (order, plan),
        };
        let nonce = clock::nonce();
        let offer = Offer {
            admin: self.member,
            bot: self.office.bot,
            order,
            plan,
        };
        match bounded(self.office.state.offer(nonce, &offer)).await {
            Ok(()) => Proposed {
                screen: texts.offer(&look.sight(), &offer.order, nonce),
                refused: None,
            },
            Err(why) => Proposed {
                screen: texts.nobody_can(&Look::without_redis(self.office).sight()),
                refused: Some(why),
            },
        }
    }

    async fn confirm(&self, nonce: OrderId, query: QueryId, message: MessageId) -> Vec<Followed> {
        let _one_at_a_time = self.office.confirming.lock().await;
        let Some(offer) = self.take_offer(nonce, query, message).await else {
            return Vec::new();
        };
        let request = Request {
            id: nonce,
            order: offer.order,
            by: Requester::Admin {
                member: self.member,
                bot: self.office.bot,
                message: Some(message),
            },
            plan: Some(offer.plan),
            at: clock::unix_now(),
            progress: Progress::Waiting,
        };
        let details = json!({"order": request.order, "plan": request.plan, "id": nonce});
        let (certain, verdict, alert) = match bounded(self.office.state.submit(&request)).await {
            Ok(Submitted::New | Submitted::Known(_)) => (true, AdminVerdict::Allowed, Alert::Taken),
            Ok(Submitted::Full) => {
                self.record(AdminVerdict::Refused, details);
                self.refuse(query, message, Alert::Full).await;
                return Vec::new();
            }
            Err(_) => (false, AdminVerdict::Failed, Alert::Uncertain),
        };
        self.record(verdict, details);
        let text = self.office.shared.admin_texts.alert(alert);
        let window = !certain;
        self.office
            .wire
            .answer_press(query, Some(&text), window)
            .await;
        vec![Followed {
            id: nonce,
            order: request.order,
            member: self.member,
            message,
            certain,
        }]
    }

    async fn drop_offer(&self, nonce: OrderId, query: QueryId, message: MessageId) {
        if self.take_offer(nonce, query, message).await.is_some() {
            self.record(AdminVerdict::Done, json!({"id": nonce}));
            let texts = &self.office.shared.admin_texts;
            tokio::join!(
                self.office.wire.answer_press(query, None, false),
                self.edit(message, || texts.dropped()),
            );
        }
    }

    /// The offer, if it is his and fresh and unused; else he is told what is wrong with it, and it is recorded.
    async fn take_offer(
        &self,
        nonce: OrderId,
        query: QueryId,
        message: MessageId,
    ) -> Option<Offer> {
        let (state, bot) = (&self.office.state, self.office.bot);
        let taken = bounded(state.take_offer(nonce, self.member, bot)).await;
        let details = |why: &str| json!({"id": nonce, "why": why});
        match taken {
            Ok(Taken::Yours(offer)) => return Some(offer),
            Ok(Taken::Expired) => {
                self.record(AdminVerdict::Expired, details("offered too long ago"));
                let texts = &self.office.shared.admin_texts;
                tokio::join!(
                    self.alert(query, Alert::Expired),
                    self.edit(message, || texts.expired()),
                );
            }
            Ok(Taken::Repeated) => {
                self.record(AdminVerdict::Repeated, details("used before"));
                self.repeated(nonce, query, message).await;
            }
            Ok(Taken::Unknown) => {
                self.record(AdminVerdict::Forged, details("never offered, or long ago"));
                self.alert(query, Alert::Unknown).await;
            }
            Ok(Taken::NotYours) => {
                self.record(AdminVerdict::Forged, details("offered to somebody else"));
                self.alert(query, Alert::Unknown).await;
            }
            Err(error) => {
                self.record(AdminVerdict::Failed, details(&error));
                self.alert(query, Alert::RedisAway).await;
            }
        }
        None
    }

    /// A second press is told so; when the first one came to nothing, because this worker died between taking the offer and giving the
    /// order, the message says that.
    async fn repeated(&self, nonce: OrderId, query: QueryId, message: MessageId) {
        match bounded(self.office.state.order(nonce)).await {
            Ok(None) => {
                self.refuse(query, message, Alert::NothingCame).await;
            }
            Ok(_) => self.alert(query, Alert::Repeated).await,
            Err(_) => self.alert(query, Alert::RedisAway).await,
        }
    }

    /// In a window, and in place of the message, which loses its buttons.
    async fn refuse(&self, query: QueryId, message: MessageId, alert: Alert) {
        let texts = &self.office.shared.admin_texts;
        tokio::join!(
            self.alert(query, alert),
            self.edit(message, || texts.notice(alert)),
        );
    }

    async fn alert(&self, query: QueryId, alert: Alert) {
        let text = self.office.shared.admin_texts.alert(alert);
        self.office
            .wire
            .answer_press(query, Some(&text), true)
            .await;
    }

    async fn say(&self, what: impl Fn() -> Screen + Send + Sync) {
        if let Some(id) = entry(&self.office.pool, &self.item.incoming, ANSWER) {
            let random_id = random_id(id, self.office.bot, 0);
            let wire = &self.office.wire;
            // Who is not answered asks again.
            let _ = wire.say(self.member, &what, random_id, self.until).await;
        }
    }

    async fn edit(&self, message: MessageId, what: impl Fn() -> Screen + Send + Sync) {
        let wire = &self.office.wire;
        let _ = wire.edit(self.member, message, &what, self.until).await;
    }

    async fn happenings(&self) -> Result<Vec<Happening>, String> {
        let (store, pool) = (&self.office.shared.store, &self.office.pool);
        let (switches, events) = (store.switches(), store.events());
        let (switches, events) =
            tokio::try_join!(switches.list(pool, EVENTS), events.list(Some(pool), EVENTS))
                .map_err(|error| error.to_string())?;
        let switches = switches.into_iter().map(|row| Happening::Switch {
            at: row.started,
            kind: row.kind.as_str(),
            from: row.from_bot,
            to: row.to_bot,
            outcome: row.outcome.as_str(),
            took_ms: row.timeline.opened_at.map(|at| at.since(row.started)),
            cause: row.cause,
        });
        let events = events.into_iter().map(|event| Happening::Event {
            at: event.at,
            kind: event.kind.as_str(),
            subject: event.subject,
        });
        Ok(switches.chain(events).collect())
    }

    fn pressed(&self) -> Option<(QueryId, MessageId)> {
        match &self.item.incoming.what {
            IncomingKind::Press { query, message, .. } => Some((*query, *message)),
            _ => None,
        }
    }

    fn data(&self) -> Value {
        match &self.item.incoming.what {
            IncomingKind::Press { data, .. } => json!({"data": data}),
            _ => Value::Null,
        }
    }

    /// Records a look at the pool, with what the answer was made of; `refused`: why something was asked for that was not offered.
    fn looked(&self, look: &Look<'_>, refused: Option<String>) {
        let sight = look.sight();
        let mut seen = json!({
            "board_age_ms": sight.board.map(|(_, age)| age),
            "redis": sight.redis.is_well(),
            "sql": sight.sql.is_well(),
        });
        let verdict = match refused {
            None => AdminVerdict::Allowed,
            Some(why) => {
                seen["why"] = why.into();
                AdminVerdict::Refused
            }
        };
        self.record(verdict, seen);
    }

    fn record(&self, verdict: AdminVerdict, details: Value) {
        let (office, item) = (self.office, self.item);
        let (pool, bot) = (&office.pool, office.bot);
        let now = clock::unix_now();
        let row = row(pool, bot, &item.incoming, item.asked, now, verdict, details);
        office.record(row.into_iter().collect());
    }
}

pub async fn bounded<T>(call: impl Future<Output = Result<T, StateError>>) -> Result<T, String> {
    match tokio::time::timeout(REDIS, call).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("Redis did not answer within {} s", REDIS.as_secs())),
    }
}
