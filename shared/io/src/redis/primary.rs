//! Finding the server to talk to: the configured one, or the primary that the Sentinels name.
//!
//! All Sentinels are asked at once and the first valid answer counts, so one that is dead, hangs or is cut off costs nothing. Valid means
//! (`redis::sentinel` sees to it): the Sentinel does not hold the server for down, and the server itself says that it is a primary. Who learns
//! of a failover last may still name the server before; that one has no copies any more, so it confirms no lease and no epoch
//! ([`super::link::Link::copied`]) and refuses writes (`min-replicas-to-write`), and whoever is refused asks again.
//! Invariant: an attempt ends within the connection's and the response's time-out.

use std::time::Duration;

use ::redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use ::redis::{Client, ConnectionInfo, RedisError};
use futures_util::future::select_ok;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::{Address, Sentinels};
use super::error::StateError;
use super::link::RedisTimeouts;

pub(super) enum Primary {
    Server(Client),
    Sentinels {
        /// One a Sentinel, so that none waits for another.
        each: Vec<Mutex<SentinelClient>>,
        /// What they were made of.
        from: Box<Sentinels>,
    },
}

impl Primary {
    pub fn of(address: Address) -> Result<Self, StateError> {
        let unusable = |_| StateError::Address {
            why: "redis.url is not usable",
        };
        match address {
            Address::Server(server) => Client::open(*server).map(Self::Server).map_err(unusable),
            Address::Sentinels(sentinels) => {
                let each = clients(&sentinels).map_err(unusable)?;
                let from = Box::new(sentinels);
                Ok(Self::Sentinels { each, from })
            }
        }
    }

    /// How many copies must have a lease or an epoch; zero for a single server.
    pub fn copies(&self) -> u32 {
        match self {
            Self::Server(_) => 0,
            Self::Sentinels { from, .. } => from.copies,
        }
    }

    /// The Sentinels that are configured, and what they call the primary.
    pub fn sentinels(&self) -> (&[ConnectionInfo], &str) {
        match self {
            Self::Server(_) => (&[], ""),
            Self::Sentinels { from, .. } => (&from.each, &from.master),
        }
    }

    pub fn may_be_replaced(&self) -> bool {
        matches!(self, Self::Sentinels { .. })
    }

    pub async fn client(&self, timeouts: RedisTimeouts) -> Result<Client, RedisError> {
        let each = match self {
            Self::Server(client) => return Ok(client.clone()),
            Self::Sentinels { each, .. } => each,
        };
        let asked = each.iter().map(|sentinel| {
            Box::pin(async move {
                let mut sentinel = sentinel.lock().await;
                sentinel.async_get_client().await
            })
        });
        match timeout(ask_for(timeouts), select_ok(asked)).await {
            Ok(first) => first.map(|(client, _)| client),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
}

fn ask_for(timeouts: RedisTimeouts) -> Duration {
    timeouts.connect + timeouts.response
}

fn clients(sentinels: &Sentinels) -> Result<Vec<Mutex<SentinelClient>>, RedisError> {
    let entered = sentinels.server.redis_settings().clone();
    let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(entered);
    let one = |sentinel: &ConnectionInfo| {
        let master = sentinels.master.clone();
        let wanted = SentinelServerType::Master;
        SentinelClient::build(vec![sentinel.clone()], master, Some(node.clone()), wanted)
            .map(Mutex::new)
    };
    sentinels.each.iter().map(one).collect()
}
