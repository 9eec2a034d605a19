//! The report as one calm card.

use std::fmt::Write;

use shared_core::{BotRole, Connection, OtherLogin, Progress, WorkerId};
use supervisor_core::PoolState;

use super::report::{
    BotReport, MovedAside, OrderReport, PoolReport, Report, SupervisorRole, SupervisorShown,
    SwitchReport,
};
use crate::cli::when;

/// Two heartbeats and a little.
const OLD_MS: u64 = 600;

/// Plain text; it is read in terminals, tickets and chats alike.
pub fn card(report: &Report) -> String {
    let mut text = String::new();
    for pool in &report.pools {
        pool_card(&mut text, pool);
    }
    line(&mut text, "workers", &workers(report));
    line(&mut text, "redis", &redis(report));
    let database = match report.database.ok {
        true => "ok".to_owned(),
        false => problem(report.database.problem.as_deref()),
    };
    line(&mut text, "database", &database);
    // Who leads is in Redis alone.
    let supervisor = match (report.supervisor.running, &report.supervisor.leader) {
        (true, Some(_)) => "running",
        (true, None) if report.redis.ok => "running, and not leading",
        (true, None) => "running; whether it leads is not known without Redis",
        (false, Some(_)) => "leads on another data folder",
        (false, None) if report.redis.ok => "not running on this data folder; nobody would switch",
        (false, None) => {
            "not running on this data folder; whether another one leads is not known without Redis"
        }
    };
    line(&mut text, "supervisor", supervisor);
    // One alone is what the line above says.
    if report.supervisors.len() > 1 {
        for shown in &report.supervisors {
            line(&mut text, "", &supervisor_line(shown));
        }
    }
    text
}

fn supervisor_line(shown: &SupervisorShown) -> String {
    let role = match shown.role {
        SupervisorRole::Leads => "leads",
        SupervisorRole::Follows => "follows",
        SupervisorRole::Led => "led, and is not heard to have given way",
    };
    let (host, pid, age_ms) = (&shown.host, shown.pid, shown.age_ms);
    let since = when::utc(shown.since);
    let workers: Vec<&str> = shown.workers.iter().map(WorkerId::as_str).collect();
    let workers = match workers.as_slice() {
        [] => "no workers of its own".to_owned(),
        names => format!("workers {}", names.join(" ")),
    };
    format!("{host} (pid {pid}): {role} since {since}, {workers}, {age_ms} ms ago")
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String does not fail.
    let _written = writeln!(text, "{name:<11} {value}");
}

fn pool_card(text: &mut String, pool: &PoolReport) {
    let state = match pool.state {
        PoolState::Ok => "ok",
        PoolState::Degraded => "degraded",
        PoolState::Switching => "switching",
        PoolState::Down => "down",
    };
    let epoch = match (pool.epoch, pool.phase) {
        (Some(epoch), Some(phase)) => format!(", e{epoch} {}", phase.as_str()),
        _ => String::new(),
    };
    line(text, "pool", &format!("{}: {state}{epoch}", pool.name));
    for reason in &pool.reasons {
        line(text, "", reason);
    }
    if let Some(laid) = &pool.paused {
        let since = when::utc(laid.at);
        line(
            text,
            "  paused",
            &format!(
                "since {since} by {}; undo it with `understudy resume`",
                laid.by
            ),
        );
    }
    if let Some(pinned) = &pool.pinned {
        let bot = pool.bots.iter().find(|bot| bot.bot == pinned.bot);
        let name = bot.map_or_else(|| pinned.bot.to_string(), |bot| bot.name.clone());
        let by = &pinned.laid.by;
        line(
            text,
            "  pinned",
            &format!("to {name} by {by}; undo it with `understudy unpin`"),
        );
    }
    if let Some(scheduled) = &pool.scheduled {
        let to = |bot| pool.bots.iter().find(|known| known.bot == bot);
        let what = match scheduled.to {
            Some(bot) => {
                let name = to(bot).map_or_else(|| bot.to_string(), |known| known.name.clone());
                format!("switch to {name}")
            }
            None => "rotation to the best standby".to_owned(),
        };
        let (at, by) = (when::utc(scheduled.due), &scheduled.laid.by);
        line(
            text,
            "  scheduled",
            &format!("{what} at {at} by {by}; undo it with `understudy unschedule`"),
        );
    }
    for order in &pool.orders {
        line(text, "  order", &order_line(order));
    }
    for bot in &pool.bots {
        line(text, "  bot", &bot_line(bot, pool.private_open));
        for trouble in &bot.channels {
            line(text, "", &trouble.what);
        }
    }
    if let (Some(open), Some(outbox)) = (pool.conversations_open, pool.outbox) {
        let work = format!("{open} conversations open, {outbox} replies on their way");
        line(text, "  work", &work);
    }
    if let Some(aside) = pool.conversations_quarantined.filter(|aside| *aside > 0) {
        let look = "look at `understudy conversations quarantine list`";
        line(
            text,
            "  unreadable",
            &format!("{aside} conversations in quarantine; {look}"),
        );
    }
    let copy = match pool.checkpoint_lag_ms {
        Some(lag_ms) => format!("in the database up to {} ago", ago(lag_ms)),
        None => "not yet in the database".to_owned(),
    };
    line(text, "  copy", &copy);
    let counted: Vec<String> = pool
        .counters
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    if !counted.is_empty() {
        line(text, "  counts", &counted.join(", "));
    }
    if let Some(aside) = pool.moved_aside.as_ref().filter(|aside| aside.count > 0) {
        line(text, "  aside", &aside_line(aside));
    }
    if let Some(refused) = pool.records_refused.filter(|refused| *refused > 0) {
        let look = "look with `understudy outbox list`";
        let refused = format!("{refused} records that the database does not take; {look}");
        line(text, "  refused", &refused);
    }
    for switch in pool.switches.iter().take(3) {
        line(text, "  switch", &switch_line(switch));
    }
}

fn ago(ms: u64) -> String {
    match ms {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1000),
    }
}

fn bot_line(bot: &BotReport, private_open: Option<u64>) -> String {
    let username = bot.username.as_deref().unwrap_or("-");
    let role = match (bot.role, bot.ready) {
        (BotRole::Active, _) => "active",
        (BotRole::Standby, true) => "standby, ready",
        (BotRole::Standby, false) => "standby, not ready",
    };
    let connection = match bot.connection {
        Connection::Ready => String::new(),
        Connection::Absent => ", not connected".to_owned(),
        Connection::Connecting => ", connecting".to_owned(),
        Connection::Shaky => ", shaky".to_owned(),
        Connection::Failed => ", failed".to_owned(),
    };
    let worker = bot
        .worker
        .as_ref()
        .map_or(String::new(), |worker| format!(" on {worker}"));
    let reach = match (bot.reach, bot.reach_open, private_open) {
        (Some(reach), Some(open), Some(all)) => {
            format!(", reach {reach} ({open} of {all} open in private)")
        }
        (Some(reach), ..) => format!(", reach {reach}"),
        (None, ..) => String::new(),
    };
    let error = bot
        .last_error
        .as_ref()
        .map_or(String::new(), |error| format!(", {error}"));
    let username = username.trim_start_matches('@');
    let second = match bot.other_login {
        OtherLogin::Resting => ", second login at rest",
        OtherLogin::Missing => ", no second login",
        OtherLogin::Lost => ", second login lost",
        OtherLogin::Unknown => "",
    };
    // A fresh word needs no age.
    let age = match bot.age_ms {
        Some(age_ms) if age_ms >= OLD_MS => format!(", as of {age_ms} ms ago"),
        _ => String::new(),
    };
    format!(
        "{:<12}@{username}: {role}{connection}{worker}{reach}{second}{error}{age}",
        bot.name
    )
}

fn aside_line(aside: &MovedAside) -> String {
    let reasons: Vec<String> = aside
        .reasons
        .iter()
        .take(3)
        .map(|(why, count)| format!("{count} x {why}"))
        .collect();
    format!(
        "{} cannot be sent ({}); look with `understudy outbox list`",
        aside.count,
        reasons.join(", ")
    )
}

fn order_line(order: &OrderReport) -> String {
    let state = match &order.progress {
        Progress::Waiting => "waits for the supervisor".to_owned(),
        Progress::Running { step, .. } => step.clone(),
        // These are over and are not listed.
        Progress::Refused { why } | Progress::Failed { why } => why.clone(),
        Progress::Done { outcome, .. } => outcome.clone(),
    };
    let (name, by, age_ms) = (&order.order, &order.by, order.age_ms);
    format!("{name} by {by}: {state} ({age_ms} ms)")
}

fn switch_line(switch: &SwitchReport) -> String {
    let holder = |bot: Option<shared_core::BotId>, worker: &Option<shared_core::WorkerId>| match (
        bot, worker,
    ) {
        (Some(bot), Some(worker)) => format!("{bot}@{worker}"),
        _ => "nobody".to_owned(),
    };
    let from = holder(switch.from, &switch.from_worker);
    let to = holder(switch.to, &switch.to_worker);
    let took = match (switch.detected_at, switch.opened_at) {
        (Some(detected), Some(opened)) => format!(", open after {} ms", opened.since(detected)),
        _ => String::new(),
    };
    let reply = match (switch.detected_at, switch.first_reply_at) {
        (Some(detected), Some(reply)) => format!(", first reply {} ms", reply.since(detected)),
        _ => String::new(),
    };
    format!(
        "{} {from} -> {to}{took}{reply}; {}",
        switch.kind.as_str(),
        switch.cause
    )
}

fn workers(report: &Report) -> String {
    if report.workers.is_empty() {
        return "none is heard".to_owned();
    }
    let workers: Vec<String> = report
        .workers
        .iter()
        .map(|w| {
            format!(
                "{} (pid {}, {} bots, {} ms ago)",
                w.name,
                w.pid,
                w.bots.len(),
                w.age_ms
            )
        })
        .collect();
    workers.join(", ")
}

fn redis(report: &Report) -> String {
    let redis = &report.redis;
    match redis.rtt_us.filter(|_| redis.ok) {
        Some(rtt_us) => {
            let fsync = redis.appendfsync.unwrap_or("unknown");
            format!("ok, appendfsync {fsync}, {rtt_us} us")
        }
        None => problem(redis.problem.as_deref()),
    }
}

fn problem(line: Option<&str>) -> String {
    line.unwrap_or("cannot be reached").to_owned()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn values_stand_in_one_column_and_never_touch_their_names() {
        let mut text = String::new();
        line(&mut text, "  work", "nothing");
        line(&mut text, "  scheduled", "a switch");
        line(&mut text, "  unreadable", "3 conversations");
        assert_eq!(
            text,
            "  work      nothing\n  scheduled a switch\n  unreadable 3 conversations\n"
        );
    }
}
