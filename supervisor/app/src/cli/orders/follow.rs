//! Following an order: the bell of the pool, and a look every quarter of a second because bells may be lost.

use std::time::Duration;

use anyhow::bail;
use shared_core::{Progress, Request};
use shared_io::redis::{PoolState, StateError, Submitted};
use tokio::time::Instant;

use super::super::out;

const LOOK: Duration = Duration::from_millis(250);

/// Submits it; returns how it stands when it is over, or when patience is.
pub(super) async fn follow(
    state: &PoolState,
    request: Request,
    patience: Duration,
    quiet: bool,
) -> anyhow::Result<Request> {
    // Listened to before the order is submitted, so that nothing is missed.
    let bell = state.bell().await.ok();
    let until = Instant::now() + patience;
    submit(state, &request).await?;
    let mut last = request;
    loop {
        match state.order(last.id).await {
            Ok(Some(seen)) => {
                if !quiet {
                    show(&last.progress, &seen.request.progress);
                }
                last = seen.request;
            }
            Ok(None) => bail!(
                "order {} is not in Redis any more; `understudy events` shows what became of it",
                last.id
            ),
            // A Redis that is restarted comes back with the order in it.
            Err(error) if error.is_connection() => {}
            Err(error) => return Err(error.into()),
        }
        let now = Instant::now();
        if last.progress.is_over() || now >= until {
            return Ok(last);
        }
        let pause = LOOK.min(until - now);
        match &bell {
            Some(bell) => {
                bell.wait(pause).await;
            }
            None => tokio::time::sleep(pause).await,
        }
    }
}

/// An order without an answer may have arrived: submitting it again under its id is harmless.
async fn submit(state: &PoolState, request: &Request) -> anyhow::Result<()> {
    let mut tried: Result<Submitted, StateError> = state.submit(request).await;
    if tried.as_ref().is_err_and(StateError::is_connection) {
        tried = state.submit(request).await;
    }
    match tried? {
        Submitted::New | Submitted::Known(_) => Ok(()),
        Submitted::Full => bail!(
            "too many orders wait already: look at `understudy status`, they are refused or done within 30 s; nothing was changed"
        ),
    }
}

fn show(before: &Progress, now: &Progress) {
    if let Progress::Running { step, .. } = now
        && before != now
    {
        out::progress_for_a_person(&format!("  {step}"));
    }
}
