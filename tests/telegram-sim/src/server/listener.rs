//! Accepts MTProto connections. Accept errors (out of descriptors, say) are survived: the next client tries again.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::connection;
use super::shared::Shared;
use crate::hub::Line;

/// Between an accept error and the next try, so that a lack of descriptors does not become a busy loop.
const AFTER_ERROR: Duration = Duration::from_millis(50);

pub async fn run(shared: Arc<Shared>, listener: TcpListener, line: Line) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.shutdown().cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                shared
                    .tasks()
                    .spawn(connection::run(Arc::clone(&shared), stream, line));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}
