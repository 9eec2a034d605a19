//! `GET /v1/events`: pages of the event log, with a long poll.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::error::query;
use crate::server::Shared;
use crate::server::log::Page;

const MAX_LIMIT: usize = 10_000;
const MAX_WAIT_MS: u64 = 60_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    after: u64,
    #[serde(default = "default_limit")]
    limit: usize,
    #[serde(default)]
    wait_ms: u64,
    /// Kinds, separated by commas; all when empty.
    #[serde(default)]
    kind: String,
}

pub async fn read(State(shared): State<Arc<Shared>>, uri: Uri) -> Api<Json<Page>> {
    let params: Params = query(&uri)?;
    let kinds: Vec<String> = params
        .kind
        .split(',')
        .filter(|kind| !kind.is_empty())
        .map(str::to_owned)
        .collect();
    let limit = params.limit.clamp(1, MAX_LIMIT);
    let deadline = Instant::now() + Duration::from_millis(params.wait_ms.min(MAX_WAIT_MS));
    let mut news = shared.look(|core, _| core.log.subscribe());
    let mut after = params.after;
    let mut missed = 0;
    loop {
        news.mark_unchanged();
        let (mut page, last) =
            shared.look(|core, _| (core.log.read(after, limit, &kinds), core.log.last_seq()));
        missed += page.missed;
        page.missed = missed;
        if !page.events.is_empty() || Instant::now() >= deadline {
            return Ok(Json(page));
        }
        after = page.next;
        if after < last {
            // More is there already than one read looks at.
            continue;
        }
        let changed = tokio::select! {
            changed = timeout_at(deadline, news.changed()) => changed,
            () = shared.shutdown().cancelled() => return Ok(Json(page)),
        };
        if changed.is_err() {
            return Ok(Json(page));
        }
    }
}

fn default_limit() -> usize {
    1_000
}
