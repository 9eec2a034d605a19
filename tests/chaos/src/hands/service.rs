//! Strikes at the supervisors, and orders to them.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use sandbox::clock::unix_ms;
use sandbox::processes::Held;
use tokio::time::sleep;

use super::{Aim, Hands, Landed, Release};
use crate::fault::{Drawn, Kind, Moment};

/// A leader that hangs is woken when another one leads: at most two seconds later, or once that one, the database and Redis are there again.
const LED_WITHIN: Duration = Duration::from_secs(12);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Hands {
    pub(super) async fn at_supervisor(&self, drawn: Drawn, aim: Aim) -> Result<Option<Landed>> {
        let before = self.orders.pids();
        let leader = match before.len() {
            0 | 1 => None,
            _ => self.stage.cli.leader().await,
        };
        let (which, leads) = which_supervisor(&before, leader, drawn.bystander);
        let words = match leads {
            Some(true) => "the leader",
            Some(false) => "a follower",
            None => "",
        };
        let met = self.moment(drawn, aim.bot).await;
        if drawn.kind == Kind::KillSupervisor {
            let down = Duration::from_millis(drawn.lasts_ms);
            let at_ms = self.orders.kill(which, down).await?;
            return Ok(Some(Landed::new(at_ms, met, words, Release::Expires)));
        }
        let pid = self.orders.pids().get(which).copied().flatten();
        let held = pid.and_then(|pid| Some((pid, Held::open(pid, &self.stage.folder.root)?)));
        let Some((pid, process)) = held else {
            return Ok(None);
        };
        let at_ms = unix_ms();
        if process.signal(Signal::STOP).is_err() {
            return Ok(None);
        }
        let release = match leads {
            Some(true) if !drawn.mild => Release::WakeFollower(process, pid),
            _ => Release::Wake(process),
        };
        Ok(Some(Landed::new(at_ms, met, words, release)))
    }

    /// False when nobody took the lead in time.
    pub(super) async fn another_leads(&self, than: i32) -> bool {
        let until = tokio::time::Instant::now() + LED_WITHIN;
        while tokio::time::Instant::now() < until {
            let leader = self.stage.cli.leader().await;
            if leader.is_some_and(|pid| pid != than) {
                return true;
            }
            sleep(LOOK_AGAIN).await;
        }
        false
    }

    /// An operator's order, while everything else goes on. It does no harm, so it is no bot's and no worker's strike: it excuses nothing.
    pub(super) fn order(&self, drawn: Drawn, aim: Aim) -> Result<Landed> {
        let to = self.stage.name_of(aim.bot)?;
        let words: &[&str] = match drawn.mild {
            true => &["rotate"],
            false => &["switch", "--to", to],
        };
        let at_ms = unix_ms();
        let order = self.stage.cli.order(words)?;
        let (any, words) = (Moment::AnyTime, words.join(" "));
        Ok(Landed::new(at_ms, any, words, Release::Ordered(order)))
    }
}

/// Which of the supervisors a fault is for, the leader or, for bystanders, another one; and whether that one leads, as far as there are several and it
/// is known.
fn which_supervisor(
    pids: &[Option<i32>],
    leader: Option<i32>,
    bystander: bool,
) -> (usize, Option<bool>) {
    let leads = leader.and_then(|pid| pids.iter().position(|one| *one == Some(pid)));
    let Some(leads) = leads else {
        return (usize::from(bystander && pids.len() > 1), None);
    };
    match (0..pids.len()).find(|which| *which != leads) {
        Some(other) if bystander => (other, Some(false)),
        _ => (leads, Some(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_struck_unless_a_bystander_is_meant() {
        let (one, two) = (Some(71), Some(72));
        let of = |pids: &[Option<i32>], leader| {
            [false, true].map(|bystander| which_supervisor(pids, leader, bystander))
        };
        assert_eq!(of(&[one, two], two), [(1, Some(true)), (0, Some(false))]);
        assert_eq!(of(&[one, two], one), [(0, Some(true)), (1, Some(false))]);
        assert_eq!(of(&[one, two], None), [(0, None), (1, None)]);
        // It was started again since.
        assert_eq!(of(&[one, None], two), [(0, None), (1, None)]);
        assert_eq!(of(&[one], None), [(0, None), (0, None)], "a single one");
        assert_eq!(of(&[one], one), [(0, Some(true)), (0, Some(true))]);
    }
}
