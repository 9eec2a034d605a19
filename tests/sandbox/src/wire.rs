//! What the simulator's log tells about who was fenced: sends of theirs that were accepted, and auth keys that were used twice.
//!
//! A send is *stale* when it goes over a connection of the fenced holder after the fence and a slack for what was under way: the holder hears
//! of a fence by a bell or, when that is lost, within a quarter of a second. Only the conversation's words count: as a standby the
//! same bot may tell members who answers. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::control::Event;
use crate::status::Switch;
use crate::texts;

/// The kinds of the log that this reads.
pub const KINDS: &str =
    "rpc,message_sent,message_edited,connection_closed,auth_key_duplicated,flood_wait";

/// From a fence to the last send of somebody who learns of it in time.
pub const SLACK_MS: i64 = 400;

const SENDS: [&str; 6] = [
    "messages.sendMessage",
    "messages.editMessage",
    "messages.sendMedia",
    "messages.sendMultiMedia",
    "messages.forwardMessages",
    "messages.uploadMedia",
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WireFindings {
    /// One line each.
    pub stale_sends: Vec<String>,
    pub auth_key_duplicated: usize,
    /// How often Telegram told a bot to wait.
    pub flood_waits: usize,
}

/// A send that Telegram took.
#[derive(Debug)]
struct Sent {
    account: i64,
    connection: i64,
    at_ms: i64,
    method: &'static str,
    /// The first line of what was said, and whether it is part of a conversation.
    line: String,
    is_conversation: bool,
}

/// A connection as the log tells of it.
#[derive(Debug, Default)]
struct Used {
    account: i64,
    /// When it was called on.
    calls: Vec<i64>,
    closed_ms: Option<i64>,
}

/// The log, read entry by entry and kept as far as the judgement needs it: a run of an hour has millions of entries.
#[derive(Debug, Default)]
pub struct WireLog {
    /// What an account said, until the call that said it is logged.
    said: HashMap<i64, String>,
    sends: Vec<Sent>,
    connections: HashMap<i64, Used>,
    auth_key_duplicated: usize,
    flood_waits: usize,
}

pub fn inspect(events: &[Event], switches: &[&Switch]) -> WireFindings {
    let mut log = WireLog::default();
    events.iter().for_each(|event| log.take(event));
    log.judge(switches)
}

impl WireLog {
    /// An entry of one of [`KINDS`].
    pub fn take(&mut self, event: &Event) {
        match event.kind.as_str() {
            "auth_key_duplicated" => self.auth_key_duplicated += 1,
            "flood_wait" => self.flood_waits += 1,
            _ => {}
        }
        let Some(account) = event.number("account") else {
            return;
        };
        if event.kind.starts_with("message_") {
            if event.flag("bot") {
                let text = event.text("text").unwrap_or_default();
                self.said.insert(account, text.to_owned());
            }
            return;
        }
        let Some(connection) = event.number("connection") else {
            return;
        };
        match event.kind.as_str() {
            "rpc" => {
                self.used(connection, account).calls.push(event.unix_ms);
                self.take_send(event, account, connection);
            }
            "connection_closed" => {
                self.used(connection, account).closed_ms = Some(event.unix_ms);
            }
            _ => {}
        }
    }

    /// A send's text is the one of the message that was logged just before it, by the same account.
    fn take_send(&mut self, event: &Event, account: i64, connection: i64) {
        let text = self.said.remove(&account);
        let method = event.text("method").unwrap_or_default();
        let method = SENDS.into_iter().find(|known| *known == method);
        let Some((method, text)) = method.zip(text) else {
            return;
        };
        if event.text("error").is_some() {
            return;
        }
        self.sends.push(Sent {
            account,
            connection,
            at_ms: event.unix_ms,
            method,
            line: text.lines().next().unwrap_or_default().to_owned(),
            is_conversation: texts::read(&text).is_conversation(),
        });
    }

    fn used(&mut self, connection: i64, account: i64) -> &mut Used {
        let used = self.connections.entry(connection).or_default();
        used.account = account;
        used
    }

    pub fn judge(&self, switches: &[&Switch]) -> WireFindings {
        let mut stale_sends = Vec::new();
        for switch in switches {
            let (Some(bot), Some(fenced_ms)) = (switch.from_id(), switch.fenced_at) else {
                continue;
            };
            let until_ms = back_at(switch, switches).unwrap_or(i64::MAX);
            let earlier = switches.iter().filter_map(|other| other.fenced_at);
            let since_ms = earlier.filter(|at| *at < fenced_ms).max().unwrap_or(0);
            let held = self.connections_of(bot, since_ms..=fenced_ms);
            let late = self.sends.iter().filter(|sent| {
                sent.account == bot
                    && held.contains(&sent.connection)
                    && sent.at_ms > fenced_ms + SLACK_MS
                    && sent.at_ms < until_ms
                    && sent.is_conversation
            });
            stale_sends.extend(late.map(|sent| {
                format!(
                    "{} of bot {bot} on connection {}, {} ms after the fence: {:?}",
                    sent.method,
                    sent.connection,
                    sent.at_ms - fenced_ms,
                    sent.line
                )
            }));
        }
        WireFindings {
            stale_sends,
            auth_key_duplicated: self.auth_key_duplicated,
            flood_waits: self.flood_waits,
        }
    }

    /// The fenced holder's, from the fence before: those on which the bot had sent something, or the only one that it called on; not those
    /// that were closed.
    fn connections_of(&self, bot: i64, tenure: RangeInclusive<i64>) -> HashSet<i64> {
        let is_held = |used: &Used| {
            used.account == bot
                && used.closed_ms.is_none_or(|at| at > *tenure.end())
                && used.calls.iter().any(|at| tenure.contains(at))
        };
        let held = self.connections.iter().filter(|(_, used)| is_held(used));
        let mut held: HashSet<i64> = held.map(|(connection, _)| *connection).collect();
        if held.len() > 1 {
            let wrote = |connection: &i64| {
                let mut during = self
                    .sends
                    .iter()
                    .filter(|sent| tenure.contains(&sent.at_ms));
                during.any(|sent| sent.account == bot && sent.connection == *connection)
            };
            held.retain(wrote);
        }
        held
    }
}

/// When a later switch made the same bot on the same worker the holder again.
fn back_at(lost: &Switch, switches: &[&Switch]) -> Option<i64> {
    let again = switches.iter().filter(|switch| {
        switch.to_id() == lost.from_id()
            && switch.to_worker == lost.from_worker
            && switch.fenced_at >= lost.fenced_at
    });
    again.filter_map(|switch| switch.activated_at).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn log(entries: &[Value]) -> Vec<Event> {
        let entries = entries.iter().zip(1..);
        entries
            .map(|(entry, seq)| {
                let mut entry = entry.clone();
                entry["seq"] = json!(seq);
                entry["at_ms"] = entry["unix_ms"].clone();
                serde_json::from_value(entry).unwrap()
            })
            .collect()
    }

    fn said(at: i64, text: &str) -> Value {
        json!({"unix_ms": at, "kind": "message_sent", "account": 1, "bot": true, "text": text})
    }

    fn rpc(at: i64, connection: i64, method: &str) -> Value {
        json!({"unix_ms": at, "kind": "rpc", "account": 1, "connection": connection, "method": method})
    }

    fn switch(from_worker: &str, to: i64, to_worker: &str, fenced: i64) -> Switch {
        serde_json::from_value(json!({
            "kind": "switch", "from": 1, "to": to, "from_worker": from_worker, "to_worker": to_worker,
            "fenced_at": fenced, "activated_at": fenced + 10,
        }))
        .unwrap()
    }

    const WORDS: &str = "✓ Title: T\n\nStep 2/6: Description";
    const SEND: &str = "messages.sendMessage";

    fn stale(entries: &[Value], switches: &[Switch]) -> usize {
        let switches: Vec<&Switch> = switches.iter().collect();
        inspect(&log(entries), &switches).stale_sends.len()
    }

    #[test]
    fn a_send_over_the_fenced_holders_connection_is_stale() {
        let entries = [
            said(900, WORDS),
            rpc(900, 4, SEND),
            said(2_000, WORDS),
            rpc(2_000, 4, SEND),
        ];
        assert_eq!(stale(&entries, &[switch("w1", 2, "w2", 1_000)]), 1);
        assert_eq!(
            stale(&entries, &[switch("w1", 2, "w2", 1_700)]),
            0,
            "it was under way"
        );
        let back = [switch("w1", 2, "w2", 1_000), switch("w2", 1, "w1", 1_500)];
        assert_eq!(stale(&entries, &back), 0, "it holds the epoch again");
    }

    #[test]
    fn a_takeover_sends_over_a_connection_of_its_own() {
        let takeover = [switch("w1", 1, "w2", 1_000)];
        let entries = [
            said(900, WORDS),
            rpc(900, 4, SEND),
            rpc(950, 5, "updates.getState"),
            said(2_000, WORDS),
            rpc(2_000, 5, SEND),
        ];
        assert_eq!(stale(&entries, &takeover), 0);
    }

    #[test]
    fn a_standbys_pointer_and_a_refused_send_are_not_stale() {
        let mut refused = rpc(2_100, 4, SEND);
        refused["error"] = json!("401 SESSION_REVOKED");
        let entries = [
            rpc(900, 4, "updates.getState"),
            said(2_000, "@second answers here."),
            rpc(2_000, 4, SEND),
            refused,
        ];
        assert_eq!(stale(&entries, &[switch("w1", 2, "w2", 1_000)]), 0);
    }

    #[test]
    fn a_key_that_was_used_twice_is_counted() {
        let entries = [
            json!({"unix_ms": 5, "kind": "auth_key_duplicated", "account": 1, "connections": [1, 2]}),
        ];
        assert_eq!(inspect(&log(&entries), &[]).auth_key_duplicated, 1);
    }
}
