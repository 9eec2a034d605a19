//! Bells: a pub/sub message without content that says *look now*.
//!
//! A bell listens on a connection of its own, makes it anew when it breaks and subscribes again; since something may have been missed
//! in between, a reconnection counts as a ring. Rings that come while nobody waits are remembered as one. Invariant: whoever waits looks at
//! the latest after his own time-out, so a lost ring costs a poll interval and nothing else.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{PubSubSink, PubSubStream};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error::{Op, StateError};
use super::history::History;
use super::link::Link;
use crate::retry::{Backoff, RetryPolicy};

/// Between attempts to connect again; one attempt itself is bounded by the time-outs. The first is made at once and the next ones soon: a private
/// Redis that was killed answers again in some ten milliseconds, and nobody's lease outlives a second.
const RECONNECT: RetryPolicy =
    RetryPolicy::forever(Duration::from_millis(10), Duration::from_millis(100));

/// A quiet line is asked whether it is still there this often, or a silent death would go unnoticed.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Bell {
    rung: Arc<Notify>,
    listener: JoinHandle<()>,
}

impl Bell {
    pub(super) async fn listen(link: &Link, channel: &str) -> Result<Self, StateError> {
        let op = Op {
            doing: "listen to",
            subject: &"the bell",
            pool: None,
        };
        let history = link.histories().current();
        let line = subscribe(link, channel)
            .await
            .map_err(|error| StateError::of(op, &error))?;
        let rung = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(
            link.clone(),
            channel.to_owned(),
            (line, history),
            rung.clone(),
        ));
        Ok(Self { rung, listener })
    }

    /// Waits for a ring, at most this long. True: it rang (or has rung since the last wait). For one waiter at a time.
    pub async fn wait(&self, at_most: Duration) -> bool {
        timeout(at_most, self.rung.notified()).await.is_ok()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Rings; what goes wrong is logged and not said, since nobody could do anything about it.
pub(super) async fn ring(link: &Link, channel: &str) {
    let op = Op {
        doing: "ring",
        subject: &"the bell",
        pool: None,
    };
    let mut command = ::redis::cmd("PUBLISH");
    command.arg(channel).arg("");
    if let Err(error) = link.query::<()>(op, &command).await {
        tracing::debug!(%error, "a bell was not rung");
    }
}

type Line = (PubSubSink, PubSubStream);

async fn subscribe(link: &Link, channel: &str) -> Result<Line, ::redis::RedisError> {
    let timeouts = link.timeouts();
    let connecting = async {
        let client = link.client().await?;
        let (mut sink, stream) = client.get_async_pubsub().await?.split();
        sink.subscribe(channel).await?;
        Ok((sink, stream))
    };
    match timeout(timeouts.connect + timeouts.response, connecting).await {
        Ok(line) => line,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

async fn listen(
    link: Link,
    channel: String,
    (mut line, mut history): (Line, History),
    rung: Arc<Notify>,
) {
    loop {
        follow(&mut line, &link, history, &rung).await;
        let mut pauses = Backoff::new(RECONNECT);
        history = link.histories().current();
        line = loop {
            if let Ok(line) = subscribe(&link, &channel).await {
                break line;
            }
            sleep(pauses.next_delay().unwrap_or(RECONNECT.max)).await;
        };
        rung.notify_one();
    }
}

/// Passes rings on until the line is dead, or leads to a server that is the primary no more.
async fn follow((sink, stream): &mut Line, link: &Link, history: History, rung: &Notify) {
    let response = link.timeouts().response;
    while link.histories().current() == history {
        match timeout(PROBE_EVERY, stream.next()).await {
            Ok(Some(_)) => rung.notify_one(),
            Ok(None) => return,
            Err(_) => match timeout(response, sink.ping::<::redis::Value>()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            },
        }
    }
}
