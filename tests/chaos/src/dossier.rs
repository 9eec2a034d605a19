//! What is written into a segment's folder: a page for each member whom a violation concerns, and for those who waited longest; the timeline.
//!
//! For people who look for the cause. Members' words are the harness's own inventions and hold no secret.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use sandbox::status::Switch;

use crate::judge::Violation;
use crate::person::Person;
use crate::strike::Strike;

/// Pages of so many members; who wants more runs the seed again.
const PAGES: usize = 40;
/// And of those who waited longest.
const SLOWEST: usize = 6;

pub fn write(
    folder: &Path,
    people: &[Person],
    strikes: &[Strike],
    switches: &[Switch],
    violations: &[Violation],
) -> Result<()> {
    let place = folder.join("dossier");
    std::fs::create_dir_all(&place).context("the dossier's folder")?;
    let put = |name: &str, text: String| {
        std::fs::write(place.join(name), text).with_context(|| format!("the dossier's {name}"))
    };
    put("timeline.txt", timeline(strikes, switches))?;
    put("violations.json", serde_json::to_string_pretty(violations)?)?;
    let concerned: BTreeSet<&str> = violations.iter().map(|one| one.member.as_str()).collect();
    let slow = slowest(people);
    let is_concerned = |one: &&Person| {
        concerned
            .iter()
            .any(|name| name.starts_with(&format!("{} (", one.member.name)))
    };
    for person in people.iter().filter(is_concerned).take(PAGES) {
        put(&format!("{}.txt", person.member.name), page(person))?;
    }
    let mut list = String::new();
    for (waited_ms, person, words) in slow.into_iter().take(SLOWEST) {
        let _ = writeln!(list, "{waited_ms} ms {} {words}", person.member.name);
        put(&format!("slow-{}.txt", person.member.name), page(person))?;
    }
    put("slowest.txt", list)
}

/// Who waited longest for an answer, and for which.
fn slowest(people: &[Person]) -> Vec<(i64, &Person, String)> {
    let waits = people.iter().flat_map(|person| {
        let entries = person.member.ledger.entries.iter();
        entries.filter_map(move |entry| {
            let waited = entry.answered_ms? - entry.sent_ms;
            Some((waited, person, format!("{} {:?}", entry.label, entry.input)))
        })
    });
    let mut all: Vec<(i64, &Person, String)> = waits.collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.0));
    all
}

fn timeline(strikes: &[Strike], switches: &[Switch]) -> String {
    let mut lines: Vec<(i64, String)> = strikes
        .iter()
        .map(|one| (one.at_ms, one.words(one.at_ms)))
        .collect();
    lines.extend(switches.iter().filter_map(|one| {
        let (from, to) = (one.from_name(), one.to_name());
        let workers = (one.from_worker.as_deref(), one.to_worker.as_deref());
        let words = format!(
            "{} {from:?} {to:?} {workers:?} {}: fenced {:?}, active {:?}, verified {:?}",
            one.kind, one.cause, one.fenced_at, one.activated_at, one.verified_at
        );
        Some((one.fenced_at?, words))
    }));
    lines.sort();
    let all = lines
        .into_iter()
        .map(|(at, words)| format!("{at} {words}\n"));
    all.collect()
}

fn page(person: &Person) -> String {
    let member = &person.member;
    let mut lines: Vec<(i64, String)> = Vec::new();
    for entry in &member.ledger.entries {
        let received = entry.received;
        let received =
            received.map(|it| format!(", the bot's {} at pts {}", it.message_id, it.pts));
        let words = format!(
            "sends {} {:?} to {:?}, message {:?}{}: {:?}, answered {:?}, {:?}{}",
            entry.label,
            entry.input,
            entry.to,
            entry.message,
            received.unwrap_or_default(),
            entry.fate,
            entry.answered_ms.map(|at| at - entry.sent_ms),
            entry.confirmed_by,
            if entry.shown { ", shown" } else { "" },
        );
        lines.push((entry.sent_ms, words));
    }
    for note in &person.heard {
        let heard = &note.heard;
        let words = format!(
            "    hears bot {} message {}: {:?}",
            heard.bot, heard.message, heard.text
        );
        lines.push((heard.at_ms, words));
    }
    lines.sort();
    let mut text = String::new();
    for (at, words) in lines {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{at} {words}");
    }
    for problem in &member.problems {
        let _ = writeln!(text, "{problem:?}");
    }
    text
}
