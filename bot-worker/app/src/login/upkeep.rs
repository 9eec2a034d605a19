//! Keeps a bot's other login in order beside a session that is well: makes it when it is missing or lost, and says in SQL which one is live.
//!
//! Runs beside active and standby sessions alike and is aborted with them. Invariants: nothing here is waited for by anybody; a login that
//! may still be connected elsewhere is left alone until the assignment's `other_rests_until` is over.

use std::sync::Arc;
use std::time::Duration;

use shared_core::OtherLogin;
use shared_io::clock;
use shared_io::sql::LoginState;
use shared_io::telegram::CallError;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{make, other_login, row, stored};
use crate::context::BotContext;
use crate::epoch_watch::View;
use crate::guard::Tenancy;

/// A session that has been well for so long is not about to be replaced: members come first.
const CALM: Duration = Duration::from_secs(4);
/// How often the other login is looked at once it is there, and the least pause after a failure.
const LOOK: Duration = Duration::from_secs(30);
/// After a failure that Telegram gave no time for.
const AGAIN: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(3600);

pub async fn run(context: Arc<BotContext>, tenancy: Tenancy, view: watch::Receiver<View>) {
    tell_sql(&context).await;
    tokio::time::sleep(CALM).await;
    loop {
        let pause = match mend(&context, tenancy, &view).await {
            Ok(()) => LOOK,
            Err(error) => {
                info!(bot = %context.lease.bot, %error, "the resting login is not there yet");
                let wait = error.wait_s.map(|s| Duration::from_secs(s.into()));
                wait.unwrap_or(AGAIN).clamp(Duration::from_secs(1), LONGEST)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn mend(
    context: &BotContext,
    tenancy: Tenancy,
    view: &watch::Receiver<View>,
) -> Result<(), CallError> {
    let rows = stored(context).await?;
    let slot = context.lease.slot.other();
    if other_login(&rows, slot) == OtherLogin::Resting || !make::can_have_two(context) {
        return Ok(());
    }
    let rests_from = view
        .borrow()
        .assignment(context.lease.bot)
        .and_then(|given| given.other_rests_until);
    let now = clock::unix_now();
    if let Some(until) = rests_from.filter(|until| *until > now) {
        let seconds = u32::try_from(until.since(now).div_ceil(1000)).unwrap_or(u32::MAX);
        return Err(CallError::held_back("login", "OTHER_MAY_BE_LIVE", seconds));
    }
    make::resting(context, tenancy, &rows, slot).await.map(drop)
}

/// The connected one is live, the other one rests.
async fn tell_sql(context: &BotContext) {
    let rows = match stored(context).await {
        Ok(rows) => rows,
        Err(error) => {
            return warn!(bot = %context.lease.bot, %error, "SQL is not told which login is live");
        }
    };
    let vault = &context.shared.logins;
    let slot = context.lease.slot;
    if let Some(row) = row(&rows, slot).filter(|row| row.state == LoginState::Resting) {
        vault.mark(row, LoginState::Live).await;
    }
    if let Some(row) = row(&rows, slot.other()).filter(|row| row.state == LoginState::Live) {
        vault.mark(row, LoginState::Resting).await;
    }
}
