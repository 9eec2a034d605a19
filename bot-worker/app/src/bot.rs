//! One assigned bot: waits for its lease, leads sessions one after the other, and waits longer after each one that failed.
//!
//! ```text
//! no lease ──held──▶ session ──stopped──▶ end
//!    ▲                 │ lease ended or regained, demoted, line lost: again at once (line lost: with backoff)
//!    └─────────────────┘ fatal error: reported at once; tried again with a long backoff, in case the bot comes back
//! ```
//! A dead session's next try makes its login anew, unless the supervisor has assigned the resting one before.
//! Invariant: when a session is over its socket is closed before the lease is given back.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{Assignment, Connection, EpochStamp, ErrorClass, LoginLease, PoolId};
use shared_io::retry::{Backoff, RetryPolicy};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::Desk;
use crate::context::{BotContext, Shared, catalog_of};
use crate::epoch_watch::View;
use crate::login;
use crate::session::{Ended, Session};
use crate::status::Unbroken;
use crate::tail;

/// An orderly end waits so long for what is in flight.
const END: Duration = Duration::from_secs(1);
/// Telegram's waits can be an hour; what else may change is looked at meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub struct BotTask {
    context: Arc<BotContext>,
    view: watch::Receiver<View>,
}

impl BotTask {
    /// `None` when the configuration has no such bot.
    pub fn new(
        shared: &Arc<Shared>,
        pool: &PoolId,
        assignment: &Assignment,
        view: watch::Receiver<View>,
        inherited: Option<EpochStamp>,
    ) -> Option<Self> {
        let config = shared
            .config
            .pools
            .iter()
            .find(|config| config.name == *pool)?;
        let bot = config
            .bots
            .iter()
            .find(|bot| bot.token.bot() == assignment.bot)?;
        let state = shared.redis.pool(pool);
        let lease = LoginLease {
            bot: assignment.bot,
            slot: assignment.slot,
            worker: shared.worker.clone(),
            nonce: shared.nonce,
        };
        let cell = shared
            .guard
            .want(pool, &state, lease.clone(), assignment.grant);
        let (timing, policy) = (&shared.config.timing, &shared.config.policy);
        let unbroken = Unbroken::new(timing.standby_probe, policy.line_silent);
        let status = shared
            .status
            .add_bot(pool, assignment.bot, assignment.slot, unbroken);
        let desk = Desk::open(shared, config, &state, assignment.bot, view.clone());
        Some(Self {
            context: Arc::new(BotContext {
                shared: Arc::clone(shared),
                pool: pool.clone(),
                state,
                config: config.clone(),
                bot: bot.clone(),
                catalog: catalog_of(config)?,
                lease,
                cell,
                status,
                desk: Arc::new(desk),
                barred: watch::Sender::default(),
                inherited,
                tail: Arc::default(),
                missed_some: Arc::default(),
                presses: Arc::default(),
            }),
            view,
        })
    }

    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.lead_sessions(&stop) => {}
            () = overdue(&stop) => warn!(bot = %self.context.lease.bot, "the session took too long to end"),
        }
        let context = &self.context;
        context
            .shared
            .guard
            .drop_lease(&context.pool, context.lease.bot, &context.cell);
        if let Err(error) = context.state.release_lease(&context.lease).await {
            info!(bot = %context.lease.bot, %error, "the lease was not given back and will run out");
        }
        context.shared.status.remove_bot(&context.status);
    }

    async fn lead_sessions(&self, stop: &CancellationToken) {
        let context = &self.context;
        let mut line_lost = Backoff::new(RetryPolicy::forever(
            Duration::from_millis(50),
            Duration::from_secs(5),
        ));
        let mut fatal = Backoff::new(RetryPolicy::forever(
            Duration::from_secs(5),
            Duration::from_secs(900),
        ));
        loop {
            context.status.lease(false);
            let tenancy = tokio::select! {
                () = stop.cancelled() => return,
                tenancy = context.cell.held() => tenancy,
            };
            context.status.lease(true);
            let session = Arc::new(context.held_to(tenancy.history));
            tail::count_lost(&session, tenancy.history).await;
            let ended = Session::lead(session, tenancy, self.view.clone(), stop.clone()).await;
            let bot = context.lease.bot;
            let pause = match ended {
                Ended::Stopped => return,
                Ended::LeaseOver => {
                    warn!(%bot, "login lease ended, connection closed");
                    context.status.connection(Connection::Absent);
                    None
                }
                Ended::Regained => {
                    info!(%bot, "login lease regained; connecting anew");
                    context.status.connection(Connection::Connecting);
                    None
                }
                Ended::Demoted => {
                    info!(%bot, "no longer active");
                    line_lost.reset();
                    fatal.reset();
                    None
                }
                Ended::LineLost { was_ready, error } => {
                    warn!(%bot, %error, "connection lost");
                    context.status.connection(Connection::Shaky);
                    if was_ready {
                        line_lost.reset();
                    }
                    let told = error.wait_s.map(|s| Duration::from_secs(s.into()));
                    line_lost
                        .next_delay()
                        .max(told.map(|told| told.min(LONGEST_WAIT)))
                }
                Ended::Fatal(error) => {
                    warn!(%bot, %error, "the bot's session is over");
                    context.status.connection(Connection::Failed);
                    if matches!(error.class, ErrorClass::SessionDead(_)) {
                        login::lose(context).await;
                    }
                    fatal.next_delay()
                }
            };
            if let Some(pause) = pause {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}

async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(END).await;
}
