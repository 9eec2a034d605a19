//! grammers' `Session` over memory: which data centre is home, its address, and the auth key.
//!
//! Invariant: the home key is set once. grammers answers transport error -404 at connect by making another key and storing it over
//! the known one, which would turn a lost login into an empty session without a word; here that store is refused and the connection
//! fails with [`KeyRefused`]. Update state is ignored: cursors belong to the feed and to Redis, and `bot_sign_in`'s `getState` must
//! never move them. Peers are ignored too, see `peers.rs`.

use std::collections::HashMap;
use std::net::{SocketAddrV4, SocketAddrV6};
use std::sync::{Mutex, MutexGuard, PoisonError};

use grammers_client::session::types::{
    DcOption, PeerAuth, PeerId, PeerInfo, PeerKind, UpdateState, UpdatesState,
};
use grammers_client::session::{BoxFuture, Session, SessionData};
use shared_core::AuthKey;

use super::line::DcAddress;

/// grammers wanted to replace the home key: Telegram does not know the one we have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the auth key was refused")]
pub(super) struct KeyRefused;

pub(super) struct LineSession(Mutex<Inner>);

struct Inner {
    home: i32,
    /// Whose address was given by the operator and stays, whatever `help.getConfig` says.
    pinned: Option<i32>,
    options: HashMap<i32, DcOption>,
}

impl LineSession {
    pub(super) fn new(dc: Option<DcAddress>, key: Option<&AuthKey>) -> Self {
        let known = SessionData::default();
        let mut inner = Inner {
            home: dc.map_or(known.home_dc, |dc| dc.id),
            pinned: dc.map(|dc| dc.id),
            options: known.dc_options,
        };
        if let Some(dc) = dc {
            inner.options.insert(dc.id, option_at(dc));
        }
        let home = inner.home;
        if let (Some(key), Some(option)) = (key, inner.options.get_mut(&home)) {
            option.auth_key = Some(key.expose());
        }
        Self(Mutex::new(inner))
    }

    pub(super) fn home(&self) -> i32 {
        self.inner().home
    }

    pub(super) fn move_home(&self, dc: i32) {
        self.inner().home = dc;
    }

    /// The home data centre as it has to be kept with the key.
    pub(super) fn home_address(&self) -> Option<DcAddress> {
        let inner = self.inner();
        inner.options.get(&inner.home).map(|option| DcAddress {
            id: option.id,
            addr: option.ipv4,
        })
    }

    pub(super) fn home_key(&self) -> Option<AuthKey> {
        let inner = self.inner();
        let key = inner.options.get(&inner.home)?.auth_key?;
        Some(AuthKey::new(key))
    }

    /// The data is replaced whole, so it is sound even after a panic elsewhere.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn store(&mut self, offered: &DcOption) -> Result<(), KeyRefused> {
        let is_home = offered.id == self.home;
        let known = self.options.get(&offered.id);
        let known_key = known.and_then(|known| known.auth_key);
        let auth_key = match (known_key, offered.auth_key) {
            (Some(ours), Some(other)) if ours != other && is_home => return Err(KeyRefused),
            (ours, other) => other.or(ours),
        };
        let mut kept = match known {
            Some(known) if self.pinned == Some(offered.id) => known.clone(),
            _ => offered.clone(),
        };
        kept.auth_key = auth_key;
        self.options.insert(kept.id, kept);
        Ok(())
    }
}

fn option_at(dc: DcAddress) -> DcOption {
    DcOption {
        id: dc.id,
        ipv4: dc.addr,
        ipv6: mapped(dc.addr),
        auth_key: None,
    }
}

fn mapped(addr: SocketAddrV4) -> SocketAddrV6 {
    SocketAddrV6::new(addr.ip().to_ipv6_mapped(), addr.port(), 0, 0)
}

impl Session for LineSession {
    type Error = KeyRefused;

    fn home_dc_id(&self) -> Result<i32, KeyRefused> {
        Ok(self.home())
    }

    fn set_home_dc_id(&self, dc_id: i32) -> BoxFuture<'_, Result<(), KeyRefused>> {
        self.move_home(dc_id);
        Box::pin(async { Ok(()) })
    }

    fn dc_option(&self, dc_id: i32) -> Result<Option<DcOption>, KeyRefused> {
        Ok(self.inner().options.get(&dc_id).cloned())
    }

    fn set_dc_option(&self, dc_option: &DcOption) -> BoxFuture<'_, Result<(), KeyRefused>> {
        let stored = self.inner().store(dc_option);
        Box::pin(async move { stored })
    }

    /// A channel is always answered, with hash 0 where there is no other: without an answer grammers drops its difference.
    fn peer(&self, peer: PeerId) -> BoxFuture<'_, Result<Option<PeerInfo>, KeyRefused>> {
        let info = (peer.kind() == PeerKind::Channel)
            .then(|| peer.bare_id())
            .flatten()
            .map(|id| PeerInfo::Channel {
                id,
                auth: Some(PeerAuth::default()),
                kind: None,
            });
        Box::pin(async move { Ok(info) })
    }

    fn cache_peer(&self, _: PeerInfo) -> BoxFuture<'_, Result<(), KeyRefused>> {
        Box::pin(async { Ok(()) })
    }

    fn updates_state(&self) -> BoxFuture<'_, Result<UpdatesState, KeyRefused>> {
        Box::pin(async { Ok(UpdatesState::default()) })
    }

    fn set_update_state(&self, _: UpdateState) -> BoxFuture<'_, Result<(), KeyRefused>> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use super::*;

    const DC: DcAddress = DcAddress {
        id: 2,
        addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4430),
    };

    fn offer(session: &LineSession, id: i32, port: u16, key: Option<[u8; 256]>) -> bool {
        let mut option = option_at(DcAddress {
            id,
            addr: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port),
        });
        option.auth_key = key;
        session.inner().store(&option).is_ok()
    }

    #[test]
    fn another_home_key_is_refused_and_the_known_one_stays() {
        let session = LineSession::new(Some(DC), Some(&AuthKey::new([7; 256])));
        assert!(!offer(&session, 2, 1, Some([8; 256])));
        assert!(offer(&session, 2, 1, Some([7; 256])));
        assert!(offer(&session, 2, 1, None), "a config carries no key");
        assert_eq!(session.home_key().unwrap().expose(), [7; 256]);
    }

    #[test]
    fn a_first_key_is_taken_and_the_given_address_stays() {
        let session = LineSession::new(Some(DC), None);
        assert!(session.home_key().is_none());
        assert!(offer(&session, 2, 9, Some([8; 256])));
        assert_eq!(session.home_key().unwrap().expose(), [8; 256]);
        assert_eq!(session.home_address(), Some(DC));
        assert!(
            !offer(&session, 2, 9, Some([9; 256])),
            "it is ours from then on"
        );
    }

    #[test]
    fn other_data_centres_are_learned() {
        let session = LineSession::new(None, None);
        assert_eq!(session.home(), 2);
        assert!(offer(&session, 4, 77, None));
        session.move_home(4);
        assert_eq!(session.home_address().unwrap().addr.port(), 77);
    }
}
