//! A stage's logins as SQL has them, opened, and raw lines on their keys.

use e2e::Stage;
use shared_core::{AuthKey, BotId};
use shared_io::config::Config;
use shared_io::secrets::{SealContext, Sealer};
use shared_io::sql::{LoginAttempt, LoginRow, LoginState, Store, SwitchRow};
use shared_io::telegram::{DcAddress, Line, LineParams, LineTimeouts};

pub struct Logins {
    config: Config,
    store: Store,
    sealer: Sealer,
}

impl Logins {
    pub async fn of(stage: &Stage) -> Self {
        let config = Config::load(stage.folder.config()).unwrap();
        let store = Store::open(&config.database_url(), config.data_dir())
            .await
            .unwrap();
        let sealer = Sealer::open_or_create(config.sealing_key()).unwrap();
        Self {
            config,
            store,
            sealer,
        }
    }

    pub async fn rows(&self, bot: i64) -> Vec<LoginRow> {
        let pool = &self.config.pools[0].name;
        self.store.logins().list(pool, BotId(bot)).await.unwrap()
    }

    /// The states in the order of the slots.
    pub async fn states(&self, bot: i64) -> Vec<LoginState> {
        self.rows(bot).await.iter().map(|row| row.state).collect()
    }

    pub async fn attempts(&self, bot: i64) -> Vec<LoginAttempt> {
        let pool = &self.config.pools[0].name;
        let attempts = self.store.login_attempts();
        let all = attempts.since(pool, BotId(bot), shared_core::UnixMs(0));
        all.await.unwrap()
    }

    /// Kinds of the pool's events, the latest first.
    pub async fn events(&self) -> Vec<&'static str> {
        let pool = &self.config.pools[0].name;
        let events = self.store.events().list(Some(pool), 200).await.unwrap();
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    /// The latest switch, takeover or relogin.
    pub async fn last_move(&self) -> SwitchRow {
        let pool = &self.config.pools[0].name;
        let mut latest = self.store.switches().list(pool, 1).await.unwrap();
        latest.pop().unwrap()
    }

    pub async fn key(&self, bot: i64, state: LoginState) -> AuthKey {
        let rows = self.rows(bot).await;
        let row = rows.iter().find(|row| row.state == state).unwrap();
        self.opened(row)
    }

    /// The key as it is sealed there.
    pub fn opened(&self, row: &LoginRow) -> AuthKey {
        let label = SealContext::login(&row.pool, row.bot, row.slot);
        let key = self.sealer.open(&row.sealed_key, &label).unwrap();
        AuthKey::from_slice(&key).unwrap()
    }

    /// One more connection with this key, which nobody should ever make.
    pub async fn second_line(&self, key: &AuthKey) -> Line {
        let dc = self.config.telegram.dc.unwrap();
        let params = LineParams {
            dc: Some(DcAddress {
                id: dc.id,
                addr: dc.addr,
            }),
            api_id: self.config.telegram.api_id,
            api_hash: self.config.telegram.api_hash.clone(),
            key: Some(key.clone()),
            timeouts: LineTimeouts::default(),
            updates_capacity: 0,
        };
        Line::connect(params).await.unwrap()
    }
}
