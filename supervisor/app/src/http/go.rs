//! `GET /go/<pool>`: a redirection to the active bot's chat, or a page that says to come again in a moment.
//!
//! A `?start=` that Telegram would take is handed on; it is a hint and nothing here looks into it. Invariant: no answer may be kept by
//! anybody, since the next switch makes it wrong.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use shared_core::{BootMs, PoolId, StartPayload, deep_link};
use shared_io::clock;

use super::known::{Known, Seen};

/// Seconds since Redis was last read, on answers from memory.
const STALE: HeaderName = HeaderName::from_static("x-understudy-stale");
/// Seconds until it is worth asking again.
const AGAIN: &str = "3";

const NOBODY: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
<meta http-equiv=\"refresh\" content=\"3\"><title>One moment</title></head>\n\
<body><h1>One moment</h1><p>No bot answers right now; another one is being brought in. This page tries again by itself.</p></body></html>\n";
const NOWHERE: &str = "There is nothing here.\n";

pub async fn answer(
    State(known): State<Arc<Known>>,
    pool: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let pool = pool.ok().and_then(|Path(name)| PoolId::new(&name).ok());
    let seen = match &pool {
        Some(pool) => known.of(pool).await,
        None => None,
    };
    match seen {
        Some(seen) => lead(&seen, query.as_deref(), clock::boot_now()),
        None => nowhere().await,
    }
}

pub async fn nowhere() -> Response {
    let headers = plain("text/plain; charset=utf-8");
    (StatusCode::NOT_FOUND, headers, NOWHERE).into_response()
}

fn lead(seen: &Seen, query: Option<&str>, now: BootMs) -> Response {
    let link = seen
        .active
        .as_deref()
        .and_then(|bot| deep_link(bot, payload(query)))
        .and_then(|link| HeaderValue::try_from(link).ok());
    let mut headers = plain("text/html; charset=utf-8");
    if let Some(seconds) = seen.stale_for(now) {
        headers.insert(STALE, HeaderValue::from(seconds));
    }
    match link {
        Some(link) => {
            headers.insert(LOCATION, link);
            (StatusCode::FOUND, headers).into_response()
        }
        None => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(AGAIN));
            (StatusCode::SERVICE_UNAVAILABLE, headers, NOBODY).into_response()
        }
    }
}

/// The `start` of a query, if Telegram would take it.
fn payload(query: Option<&str>) -> Option<StartPayload<'_>> {
    let mut fields = query?.split('&');
    let value = fields.find_map(|field| field.strip_prefix("start="))?;
    StartPayload::parse(value)
}

fn plain(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn led(active: Option<&str>, query: Option<&str>, read_at: u64) -> String {
        let seen = Seen {
            active: active.map(str::to_owned),
            at: Some(BootMs(read_at)),
        };
        let answer = lead(&seen, query, BootMs(10_000));
        let mut text = answer.status().as_u16().to_string();
        for name in [LOCATION, RETRY_AFTER, STALE] {
            if let Some(value) = answer.headers().get(&name) {
                text += &format!(" {name}={}", value.to_str().unwrap());
            }
        }
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        text
    }

    #[test]
    fn it_leads_to_the_active_bot_with_what_telegram_would_take() {
        let to = |query| led(Some("first_bot"), query, 9_900);
        let plain = "302 location=https://t.me/first_bot";
        assert_eq!(to(None), plain);
        assert_eq!(to(Some("start=go")), format!("{plain}?start=go"));
        assert_eq!(
            to(Some("a=1&start=x-Y_9&b")),
            format!("{plain}?start=x-Y_9")
        );
        let too_long = format!("start={}", "a".repeat(65));
        for dropped in [
            "",
            "start=",
            "start=a%20b",
            "start=a/../b",
            "xstart=go",
            too_long.as_str(),
        ] {
            assert_eq!(to(Some(dropped)), plain, "{dropped}");
        }
    }

    #[test]
    fn nobody_and_old_knowledge_are_said_to_be() {
        assert_eq!(led(None, None, 9_900), "503 retry-after=3");
        assert_eq!(
            led(Some("first_bot"), None, 2_000),
            "302 location=https://t.me/first_bot x-understudy-stale=8"
        );
        assert_eq!(led(Some("no name\r\n"), None, 9_900), "503 retry-after=3");
    }
}
