//! A desk's door: who is let in, who is refused at once, and the rows that say so.
//!
//! Invariants: never waits; a stranger takes no place in the queue; what finds no place in it is recorded as refused. Nothing here talks to
//! anybody: the rows are given to whoever records them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bot_worker_core::admin::{Asked, Judged, judge};
use serde_json::{Value, json};
use shared_core::{BootMs, BotId, EntryId, Incoming, MemberId, Nonce, PoolId, UnixMs, entry_id};
use shared_io::clock;
use shared_io::sql::{AdminAction, AdminVerdict, Via, Who};
use tokio::sync::mpsc;

use super::Item;
use super::gate::{By, Gate, Held, MINUTE, PEOPLE};
use crate::status::lock;

/// The place of a record among what follows from an update; see `answer.rs` for the others.
const RECORD: u32 = u32::MAX - 2;
/// The word under which refusals without a row of their own are recorded.
const HELD_BACK: &str = "held_back";

pub struct Intake {
    desk: (PoolId, BotId),
    admins: BTreeSet<MemberId>,
    items: mpsc::Sender<Item>,
    gate: Mutex<Gate>,
}

impl Intake {
    pub fn new(
        pool: PoolId,
        bot: BotId,
        admins: BTreeSet<MemberId>,
        items: mpsc::Sender<Item>,
    ) -> Self {
        Self {
            desk: (pool, bot),
            admins,
            items,
            gate: Mutex::new(Gate::default()),
        }
    }

    /// Into the queue, or refused; gives what is to be recorded of that.
    pub fn take(
        &self,
        incoming: &Incoming,
        asked: Asked,
        now: UnixMs,
        boot: BootMs,
    ) -> Vec<AdminAction> {
        let is_admin = self.admins.contains(&incoming.member);
        let old_ms = match judge(is_admin, incoming.date, now) {
            Judged::Go => None,
            Judged::Old { age_ms } => Some(age_ms),
            Judged::Stranger => {
                let mut rows = self.held_back(now, boot);
                if lock(&self.gate).has_own_row(incoming.member, boot) {
                    rows.extend(self.refused(incoming, asked, now, "not an admin"));
                }
                return rows;
            }
        };
        let item = Item {
            incoming: incoming.clone(),
            asked,
            old_ms,
        };
        match self.items.try_send(item) {
            Ok(()) => Vec::new(),
            Err(_) => {
                let row = self.refused(incoming, asked, now, "desk full");
                row.into_iter().collect()
            }
        }
    }

    /// What was held back of those whose minute is over.
    pub fn held_back(&self, now: UnixMs, boot: BootMs) -> Vec<AdminAction> {
        let held = lock(&self.gate).over(boot);
        held.into_iter().map(|held| self.count(held, now)).collect()
    }

    /// What was held back, whoever's minute is over.
    pub fn close(&self, now: UnixMs) -> Vec<AdminAction> {
        let held = lock(&self.gate).close();
        held.into_iter().map(|held| self.count(held, now)).collect()
    }

    fn refused(
        &self,
        incoming: &Incoming,
        asked: Asked,
        now: UnixMs,
        why: &str,
    ) -> Option<AdminAction> {
        let (pool, bot) = &self.desk;
        let details = json!({ "why": why });
        row(
            pool,
            *bot,
            incoming,
            asked,
            now,
            AdminVerdict::Refused,
            details,
        )
    }

    fn count(&self, held: Held, now: UnixMs) -> AdminAction {
        let by = match held.by {
            By::One => "one".to_owned(),
            By::Crowd => format!("others, beyond {PEOPLE} at once; this one was the last"),
        };
        let (pool, bot) = &self.desk;
        AdminAction {
            // Follows from no update: what a replay would hold back is not what was held back before.
            id: clock::nonce(),
            pool: pool.clone(),
            at: now,
            who: Who::Member(held.member),
            via: Via::Bot(*bot),
            action: HELD_BACK.to_owned(),
            verdict: AdminVerdict::Refused,
            details: json!({
                "why": "not an admin", "times": held.times, "by": by, "within_s": MINUTE.as_secs(),
            }),
        }
    }
}

/// What is recorded of something that was asked. Its id follows from the update, so that a replay is the same row; messages and presses have
/// identities.
pub fn row(
    pool: &PoolId,
    bot: BotId,
    incoming: &Incoming,
    asked: Asked,
    now: UnixMs,
    verdict: AdminVerdict,
    details: Value,
) -> Option<AdminAction> {
    let EntryId(id) = entry(pool, incoming, RECORD)?;
    let mut short = [0; 8];
    short.copy_from_slice(&id[..8]);
    Some(AdminAction {
        id: Nonce(short),
        pool: pool.clone(),
        at: now,
        who: Who::Member(incoming.member),
        via: Via::Bot(bot),
        action: asked.word().to_owned(),
        verdict,
        details,
    })
}

/// Follows from what is answered, so that a replay is the same.
pub fn entry(pool: &PoolId, incoming: &Incoming, place: u32) -> Option<EntryId> {
    let update = incoming.id()?;
    Some(entry_id(pool, &incoming.conversation(), &update, place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bot_worker_core::admin::Command;
    use shared_core::{BoxId, IncomingKind, MessageId, Place};

    use super::*;

    const ADMIN: MemberId = MemberId(1);
    const NOW: UnixMs = UnixMs(1_000_000);

    fn asks(member: MemberId, message: i32) -> Incoming {
        Incoming {
            r#box: BoxId::Private(BotId(7)),
            place: Place::Private,
            member,
            name: "Ada".into(),
            date: NOW,
            what: IncomingKind::Message {
                message: MessageId(message),
                text: "/drhelp".into(),
                document: None,
                album: None,
                reply_to: None,
                addressed: true,
            },
        }
    }

    fn desk(places: usize) -> (Intake, mpsc::Receiver<Item>) {
        let (items, inbox) = mpsc::channel(places);
        let pool = "main".to_owned().try_into().unwrap();
        let intake = Intake::new(pool, BotId(7), BTreeSet::from([ADMIN]), items);
        (intake, inbox)
    }

    fn take(intake: &Intake, incoming: &Incoming, seconds: u64) -> Vec<AdminAction> {
        let asked = Asked::Command(Command::Help);
        intake.take(incoming, asked, NOW, BootMs(seconds * 1_000))
    }

    #[test]
    fn what_finds_no_place_at_the_desk_is_recorded_as_refused() {
        let (intake, mut inbox) = desk(1);
        assert_eq!(take(&intake, &asks(ADMIN, 1), 0), []);
        let refused = take(&intake, &asks(ADMIN, 2), 0);
        assert_eq!(refused.len(), 1, "{refused:?}");
        let row = &refused[0];
        assert_eq!(
            (row.verdict, &row.who),
            (AdminVerdict::Refused, &Who::Member(ADMIN))
        );
        assert_eq!(
            (row.action.as_str(), &row.details),
            ("drhelp", &json!({"why": "desk full"}))
        );
        assert_eq!(
            take(&intake, &asks(ADMIN, 2), 0)[0].id,
            row.id,
            "a replay is one row"
        );
        assert_ne!(take(&intake, &asks(ADMIN, 3), 0)[0].id, row.id);
        assert!(inbox.try_recv().is_ok());
        assert_eq!(take(&intake, &asks(ADMIN, 4), 0), []);
    }

    #[test]
    fn strangers_take_no_place_and_what_is_held_back_is_recorded_when_the_minute_is_over() {
        let (intake, mut inbox) = desk(1);
        let stranger = MemberId(2);
        let first = take(&intake, &asks(stranger, 1), 0);
        assert_eq!(first[0].details, json!({"why": "not an admin"}));
        for message in 2..5 {
            assert_eq!(take(&intake, &asks(stranger, message), 1), []);
        }
        assert!(inbox.try_recv().is_err(), "nothing waits at the desk");
        assert_eq!(intake.held_back(NOW, BootMs(59_000)), []);
        let rows = take(&intake, &asks(stranger, 5), 61);
        let seen = |row: &AdminAction| {
            (
                row.action.clone(),
                row.verdict,
                row.details["times"].clone(),
            )
        };
        assert_eq!(
            rows.iter().map(seen).collect::<Vec<_>>(),
            [
                ("held_back".to_owned(), AdminVerdict::Refused, json!(3)),
                ("drhelp".to_owned(), AdminVerdict::Refused, Value::Null),
            ]
        );
        assert_eq!(take(&intake, &asks(stranger, 6), 62), []);
        assert_eq!(intake.close(NOW)[0].details["times"], 1);
    }
}
