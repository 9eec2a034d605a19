//! `parked.rs`: replies that another bot had to park, and whose members this one can reach, go back into the outbox.

use std::rc::Rc;

use shared_core::MemberId;

use super::tenure::Tenure;
use crate::sim::Away;

const FIRST: u64 = 250;
const AGAIN: u64 = 500;

/// Looks through all of them once.
pub async fn take_up(tenure: Rc<Tenure>) {
    tenure.engine.sleep(FIRST).await;
    while tenure.may_send() {
        match look(&tenure).await {
            Ok(()) => return tenure.parked_known.set(true),
            Err(_) => tenure.engine.sleep(AGAIN).await,
        }
    }
}

async fn look(tenure: &Rc<Tenure>) -> Result<(), Away> {
    let (held, bot) = (tenure.history(), tenure.bot.id());
    let members = tenure.engine.redis(held, |redis, _| {
        redis.live.parked.keys().copied().collect::<Vec<MemberId>>()
    });
    let members = members.await?;
    tenure.parked.borrow_mut().extend(&members);
    let reach = tenure
        .engine
        .redis(held, move |redis, _| redis.live.reach.get(&bot).cloned());
    let reach = reach.await?.unwrap_or_default();
    for member in members.into_iter().filter(|member| reach.contains(member)) {
        // Fenced: the next holder takes it up.
        let _ = tenure.unpark(member).await?;
    }
    Ok(())
}
