//! `reprompt.rs`: shows open conversations where they stand after another bot took over, the latest active first.
//!
//! Invariant: that it is done is noted only once the last prompt is committed.

use std::rc::Rc;

use shared_core::{ConversationKey, PlaceKey};

use super::tenure::Tenure;
use crate::bug::Bug;
use crate::sim::Away;

const PORTION: usize = 2;
const BUSY: usize = 40;
const PAUSE: u64 = 50;
const NOTE_TRIES: u32 = 20;
const NOTE_AGAIN: u64 = 1_000;

pub async fn run(tenure: Rc<Tenure>) {
    show_all(&tenure).await;
    tenure.bot.worker.showed.set(Some(tenure.stamp));
}

async fn show_all(tenure: &Rc<Tenure>) {
    let ctx = tenure.engine.clone();
    if !tenure.owes() {
        return note_done(tenure).await;
    }
    if ctx.sim.has(Bug::ResumedTooSoon) {
        note_done(tenure).await;
    }
    // Whatever the sender before this one still sends brings that bot's buttons.
    while !tenure.has_turn.get() {
        ctx.sleep(PAUSE).await;
    }
    let mut looked: Vec<ConversationKey> = Vec::new();
    let mut finished = false;
    while !finished || tenure.doubts_itself.get() || !tenure.left_out.borrow().is_empty() {
        if tenure.waiting.get() <= BUSY {
            left_out(tenure).await;
            // What could not be listed is asked for again.
            if !finished && let Ok((page, shown)) = portion(tenure, &looked).await {
                tenure.reprompt(shown);
                finished = page.is_empty();
                looked.extend(page);
            }
        }
        ctx.sleep(PAUSE).await;
    }
    note_done(tenure).await;
}

/// Prompts that another bot has shown after all.
async fn left_out(tenure: &Rc<Tenure>) {
    let mut left_out = std::mem::take(&mut *tenure.left_out.borrow_mut());
    if left_out.is_empty() {
        return;
    }
    match reached(tenure, &left_out).await {
        Ok(reached) => tenure.reprompt(reached),
        Err(_) => tenure.left_out.borrow_mut().append(&mut left_out),
    }
}

/// Those who are written to unasked.
async fn reached(
    tenure: &Rc<Tenure>,
    keys: &[ConversationKey],
) -> Result<Vec<ConversationKey>, Away> {
    let (held, bot) = (tenure.history(), tenure.bot.id());
    let reach = tenure
        .engine
        .redis(held, move |redis, _| redis.live.reach.get(&bot).cloned())
        .await?;
    let reach = reach.unwrap_or_default();
    let is_shown =
        |key: &&ConversationKey| key.place != PlaceKey::Private || reach.contains(&key.member);
    Ok(keys.iter().filter(is_shown).copied().collect())
}

/// The next of them, and those of them who are written to unasked.
async fn portion(
    tenure: &Rc<Tenure>,
    looked: &[ConversationKey],
) -> Result<(Vec<ConversationKey>, Vec<ConversationKey>), Away> {
    let held = tenure.history();
    let open = tenure
        .engine
        .redis(held, |redis, _| redis.live.open.clone())
        .await?;
    let mut page: Vec<(ConversationKey, i64)> = open
        .into_iter()
        .filter(|(key, _)| !looked.contains(key))
        .map(|(key, at)| (key, at.0))
        .collect();
    page.sort_by_key(|(key, at)| (-at, *key));
    page.truncate(PORTION);
    let page: Vec<ConversationKey> = page.into_iter().map(|(key, _)| key).collect();
    let shown = reached(tenure, &page).await?;
    Ok((page, shown))
}

async fn note_done(tenure: &Rc<Tenure>) {
    let ctx = &tenure.engine;
    while !tenure.is_idle() && !ctx.sim.has(Bug::ResumedTooSoon) {
        tenure.idle_bell.rung().await;
    }
    let (stamp, bot, held) = (tenure.stamp, tenure.bot.id(), tenure.history());
    for _ in 0..NOTE_TRIES {
        if ctx
            .redis(held, move |redis, _| redis.note_resumed(stamp, bot))
            .await
            .is_ok()
        {
            return;
        }
        ctx.sleep(NOTE_AGAIN).await;
    }
}
