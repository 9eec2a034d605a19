//! The HTTP side: what a test author, a sandbox driver or a member's phone does. JSON on loopback, base path `/v1`.
//!
//! Every request is one step of the core (reads included), so that its effects stand in the event log when its answer
//! arrives. The contract for other languages is README.md. There is no authentication: it listens on loopback.

mod chats;
mod error;
mod events;
mod faults;
mod people;
mod tuning;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use tokio::net::TcpListener;

pub use error::ApiError;

use crate::server::Shared;

/// The largest request: a document in base64.
const MAX_BODY: usize = 64 * 1024 * 1024;

type Api<T> = Result<T, ApiError>;

pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let shutdown = shared.shutdown().clone();
    let served = axum::serve(listener, router(shared)).with_graceful_shutdown({
        let shutdown = shutdown.clone();
        async move { shutdown.cancelled().await }
    });
    // Long polls end by themselves on shutdown; connections that clients merely keep open are not waited for.
    let grace = async {
        shutdown.cancelled().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    tokio::select! {
        result = served => if let Err(error) = result {
            tracing::error!(%error, "the control API stopped");
        },
        () = grace => {}
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/dc", get(tuning::dc))
        .route("/v1/state", get(tuning::state))
        .route("/v1/limits", get(tuning::limits).put(tuning::set_limits))
        .route("/v1/doubts", get(tuning::doubts).put(tuning::set_doubts))
        .route("/v1/shutdown", post(tuning::shutdown))
        .route("/v1/auth_keys", post(people::create_key))
        .route("/v1/bots", post(people::create_bot))
        .route("/v1/bots/{id}/token", get(people::token))
        .route("/v1/members", post(people::create_members))
        .route("/v1/channels", post(people::create_channel))
        .route("/v1/channels/{id}", get(people::channel))
        .route(
            "/v1/channels/{id}/admins/{user}",
            put(people::set_admin).delete(people::remove_admin),
        )
        .route("/v1/channels/{id}/members", post(people::add_to_channel))
        .route(
            "/v1/channels/{id}/members/{user}",
            delete(people::remove_from_channel),
        )
        .route("/v1/members/{id}/login", post(people::log_in))
        .route("/v1/members/{id}/join", post(people::join))
        .route("/v1/members/{id}/send", post(chats::send))
        .route("/v1/members/{id}/edit", post(chats::edit))
        .route("/v1/members/{id}/delete", post(chats::delete))
        .route("/v1/members/{id}/start", post(chats::start))
        .route("/v1/members/{id}/block", post(chats::block))
        .route("/v1/members/{id}/unblock", post(chats::unblock))
        .route("/v1/members/{id}/press", post(chats::press))
        .route("/v1/members/{id}/chat", get(chats::view))
        .route("/v1/members/{id}/file", get(chats::file))
        .route("/v1/messages", get(chats::channel_messages))
        .route("/v1/events", get(events::read))
        .route("/v1/faults", get(faults::list).post(faults::set))
        .route("/v1/faults/{id}", delete(faults::clear))
        .fallback(|| async { ApiError::not_found("ROUTE_UNKNOWN", "no such endpoint") })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}
