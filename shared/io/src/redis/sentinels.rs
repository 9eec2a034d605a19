//! The Sentinels as an operator has to know them: who answers, whom they name, and whether they could agree on a failover.
//!
//! Invariant: looking changes nothing; what a Sentinel says of itself is passed on, not judged.
//! Source: <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>, "Sentinel commands".

use ::redis::{AsyncConnectionConfig, Client, ConnectionInfo};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::RedisState;
use super::error::{Op, StateError};
use super::link::RedisTimeouts;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelSeen {
    /// Its address as it is configured.
    pub at: String,
    pub says: Result<SentinelSays, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelSays {
    /// `None`: it knows no master of that name.
    pub primary: Option<String>,
    /// In its own words, why it could not bring a failover about.
    pub no_quorum: Option<String>,
}

impl RedisState {
    /// All that are configured, in their order; none with a single server.
    pub async fn sentinels(&self) -> Vec<SentinelSeen> {
        let (each, master) = self.link.sentinels();
        let timeouts = self.link.timeouts();
        let asked = each.iter().map(|sentinel| async move {
            let op = Op {
                doing: "ask",
                subject: &"a Sentinel",
                pool: None,
            };
            let says = ask(op, sentinel, master, timeouts).await;
            SentinelSeen {
                at: sentinel.addr().to_string(),
                says: says.map_err(|error| match error {
                    StateError::Unreachable { why, .. } => why,
                    error => error.to_string(),
                }),
            }
        });
        join_all(asked).await
    }

    /// How many copies must have a lease or an epoch before anybody acts on it; zero with a single server.
    pub fn copies(&self) -> u32 {
        self.link.copies()
    }
}

async fn ask(
    op: Op<'_>,
    sentinel: &ConnectionInfo,
    master: &str,
    timeouts: RedisTimeouts,
) -> Result<SentinelSays, StateError> {
    let failed = |error| StateError::of(op, &error);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeouts.connect))
        .set_response_timeout(Some(timeouts.response));
    let asked = async {
        let client = Client::open(sentinel.clone())?;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut named = ::redis::cmd("SENTINEL");
        named.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        let named: Option<(String, u16)> = named.query_async(&mut connection).await?;
        let mut quorum = ::redis::cmd("SENTINEL");
        quorum.arg("CKQUORUM").arg(master);
        let quorum = quorum.query_async::<String>(&mut connection).await;
        Ok((named, quorum.err()))
    };
    let (named, no_quorum) = match timeout(timeouts.connect + timeouts.response, asked).await {
        Ok(answer) => answer.map_err(failed)?,
        Err(_) => {
            return Err(failed(
                std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            ));
        }
    };
    Ok(SentinelSays {
        primary: named.map(|(host, port)| format!("{host}:{port}")),
        no_quorum: no_quorum.map(|error| {
            let words = error.detail().unwrap_or("it does not say why");
            words.chars().take(160).collect()
        }),
    })
}
