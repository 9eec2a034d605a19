//! What nobody can have heard: messages in the private box of a bot that nobody can read any more.
//!
//! That is a bot whose token was revoked, or one whose every connection is silent while another one answers. After any other fault the
//! same bot comes back and fetches what was said to it, so nothing is out of reach. Pure.

use super::{Blow, Blows, Details, FaultKind};
use crate::ledger::Entry;
use crate::member::Member;

/// What was sent to a bot so shortly before it was cut off may not have been delivered, or not committed, when it was; the way
/// to a commit takes a few milliseconds. What is older must have been served.
pub const IN_FLIGHT_MS: i64 = 100;
/// A bot that was cut off so shortly after it came back from another fault had not yet worked off what had gathered.
const SETTLED_MS: i64 = 1_000;

/// The active bot changed, as the supervisor recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub from: Option<i64>,
    pub to: i64,
    pub fenced_ms: i64,
    pub activated_ms: i64,
}

/// Who answered at that time.
pub fn active_at(at_ms: i64, moves: &[Move]) -> Option<i64> {
    let before = moves.iter().filter(|one| one.activated_ms <= at_ms);
    let last = before.max_by_key(|one| one.activated_ms);
    let first = moves.iter().min_by_key(|one| one.fenced_ms);
    last.map(|one| one.to).or(first.and_then(|one| one.from))
}

/// Did another bot answer at some time between a press and the word that it does?
pub fn stood_by(press: &Entry, moves: &[Move]) -> bool {
    let (Some(bot), Some(told_ms)) = (press.pressed, press.answered_ms) else {
        return false;
    };
    let between = press.sent_ms..=told_ms;
    let mut moves_between = moves
        .iter()
        .filter(|one| between.contains(&one.activated_ms));
    let begins = active_at(press.sent_ms, moves);
    begins.is_some_and(|active| active != bot) || moves_between.any(|one| one.to != bot)
}

/// What was sent to `bot` from then on until it was active again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfReach {
    pub bot: i64,
    pub from_ms: i64,
    pub until_ms: i64,
}

impl OutOfReach {
    pub fn covers(&self, entry: &Entry) -> bool {
        entry.to == Some(self.bot) && (self.from_ms..self.until_ms).contains(&entry.sent_ms)
    }
}

/// Nothing, where nobody else took over: then the same bot goes on and has to fetch what was said to it.
pub fn out_of_reach(blows: &Blows, members: &[Member], moves: &[Move]) -> Vec<OutOfReach> {
    let cut = blows.iter().filter(|blow| cuts_off(blow));
    let found = cut.filter_map(|blow| {
        let earlier = blows.first;
        let disturbed = earlier != *blow && stops(&earlier, blow.bot);
        let unserved = disturbed
            && came_back(&earlier, blow, members).is_none_or(|back| blow.at_ms - back < SETTLED_MS);
        let from = if unserved { earlier.at_ms } else { blow.at_ms };
        let from_ms = from - IN_FLIGHT_MS;
        let mut away = moves.iter().filter(|one| one.from == Some(blow.bot));
        let away = away.find(|one| one.fenced_ms >= from_ms)?;
        let back = moves
            .iter()
            .filter(|one| one.to == blow.bot && one.activated_ms >= away.fenced_ms);
        Some(OutOfReach {
            bot: blow.bot,
            from_ms,
            until_ms: back.map(|one| one.activated_ms).min().unwrap_or(i64::MAX),
        })
    });
    found.collect()
}

fn cuts_off(blow: &Blow) -> bool {
    match blow.details {
        Details::Silence { live_only, .. } => !live_only,
        Details::LivesOn => false,
        Details::None | Details::Hang { .. } | Details::Down { .. } => {
            blow.kind == FaultKind::Revoke
        }
    }
}

/// Whether this bot's messages were not committed for a while.
fn stops(blow: &Blow, bot: i64) -> bool {
    match blow.kind {
        FaultKind::KillRedis => true,
        FaultKind::KillSupervisor => false,
        FaultKind::Revoke | FaultKind::KillWorker | FaultKind::HangWorker | FaultKind::Silent => {
            blow.bot == bot
        }
    }
}

/// When the bot first answered something that was sent to it after the earlier fault.
fn came_back(earlier: &Blow, blow: &Blow, members: &[Member]) -> Option<i64> {
    let entries = members.iter().flat_map(|member| &member.ledger.entries);
    let after = entries.filter(|entry| {
        entry.to == Some(blow.bot) && entry.sent_ms > earlier.quiet_ms && entry.confirmations > 0
    });
    let answered = after.filter_map(|entry| entry.answered_ms);
    answered.filter(|at| *at <= blow.at_ms).min()
}

#[cfg(test)]
mod tests {
    use super::super::Moment;
    use super::*;
    use crate::course::{Input, Intention};
    use crate::ledger::Fate;
    use crate::member::Place;

    fn blow(kind: FaultKind, at_ms: i64) -> Blow {
        Blow {
            kind,
            moment: Moment::AnyTime,
            details: Details::None,
            bot: 1,
            at_ms,
            seq: None,
            quiet_ms: at_ms,
        }
    }

    const AWAY: Move = Move {
        from: Some(1),
        to: 2,
        fenced_ms: 3_100,
        activated_ms: 3_110,
    };

    #[test]
    fn it_ends_when_the_bot_is_back_and_is_nothing_without_a_switch() {
        let revoked = Blows {
            first: blow(FaultKind::Revoke, 3_000),
            then: None,
        };
        assert_eq!(out_of_reach(&revoked, &[], &[]), []);
        let back = Move {
            from: Some(2),
            to: 1,
            fenced_ms: 5_000,
            activated_ms: 5_010,
        };
        assert_eq!(out_of_reach(&revoked, &[], &[back]), []);
        let [found] = out_of_reach(&revoked, &[], &[AWAY, back])[..] else {
            panic!("one bot was cut off")
        };
        assert_eq!((found.from_ms, found.until_ms), (2_900, 5_010));
        let mut member = answered(5_020);
        assert!(found.covers(&member.ledger.entries[0]), "sent at 5,000");
        member.ledger.entries[0].sent_ms = 5_010;
        assert!(!found.covers(&member.ledger.entries[0]));
        let lives_on = Blow {
            details: Details::LivesOn,
            ..revoked.first
        };
        let alive = Blows {
            first: lives_on,
            then: None,
        };
        assert_eq!(out_of_reach(&alive, &[], &[AWAY]), []);
    }

    fn from(first: Blow, then: Option<Blow>, members: &[Member]) -> Vec<i64> {
        let found = out_of_reach(&Blows { first, then }, members, &[AWAY]);
        found.into_iter().map(|one| one.from_ms).collect()
    }

    /// Who got an answer of bot 1 at this time.
    fn answered(at_ms: i64) -> Member {
        let intention = Intention {
            subject: "Bread",
            category: "Science",
            tags: vec![],
            files: 0,
            finishes: false,
        };
        let mut member = Member::new(1, 100, "Ada-1".into(), Place::Private, 1, intention);
        let entry = member.begin(Input::Title("T".into()), at_ms - 20);
        let entry = &mut member.ledger.entries[entry];
        entry.fate = Fate::Answered;
        entry.confirmations = 1;
        entry.answered_ms = Some(at_ms);
        member
    }

    #[test]
    fn only_a_bot_that_nobody_can_read_is_out_of_reach() {
        assert_eq!(from(blow(FaultKind::Revoke, 1_000), None, &[]), [900]);
        for kind in [
            FaultKind::KillWorker,
            FaultKind::HangWorker,
            FaultKind::KillSupervisor,
            FaultKind::KillRedis,
        ] {
            assert_eq!(from(blow(kind, 1_000), None, &[]), [0; 0], "{kind:?}");
        }
        let silence = |live_only| Blow {
            details: Details::Silence {
                live_only,
                clears_after_ms: None,
            },
            ..blow(FaultKind::Silent, 1_000)
        };
        assert_eq!(from(silence(false), None, &[]), [900]);
        assert_eq!(from(silence(true), None, &[]), [0; 0]);
    }

    #[test]
    fn a_bot_that_was_down_when_it_was_revoked_is_out_of_reach_since_then() {
        let revoke = Some(blow(FaultKind::Revoke, 3_000));
        let kill = blow(FaultKind::KillWorker, 1_000);
        assert_eq!(from(kill, revoke, &[]), [900]);
        assert_eq!(from(kill, revoke, &[answered(2_500)]), [900], "just back");
        assert_eq!(
            from(kill, revoke, &[answered(1_500)]),
            [2_900],
            "back in time"
        );
        let supervisor = blow(FaultKind::KillSupervisor, 1_000);
        assert_eq!(from(supervisor, revoke, &[]), [2_900]);
        let other = Blow { bot: 2, ..kill };
        assert_eq!(from(other, revoke, &[]), [2_900]);
    }

    #[test]
    fn the_group_and_other_bots_are_never_out_of_reach() {
        let one = OutOfReach {
            bot: 1,
            from_ms: 900,
            until_ms: i64::MAX,
        };
        let mut member = answered(2_000);
        assert!(one.covers(&member.ledger.entries[0]));
        for to in [None, Some(2)] {
            member.ledger.entries[0].to = to;
            assert!(!one.covers(&member.ledger.entries[0]));
        }
    }
}
