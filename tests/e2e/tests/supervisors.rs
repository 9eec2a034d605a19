//! Two supervisors of one deployment on a shared Redis and PostgreSQL: who leads, who follows, and what a leader leaves behind that is killed, stopped
//! or cut off.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "supervisors/cut_off.rs"]
mod cut_off;
#[path = "supervisors/leading.rs"]
mod leading;
#[path = "supervisors/names.rs"]
mod names;
#[path = "supervisors/racing.rs"]
mod racing;
#[path = "supervisors/steps.rs"]
mod steps;

use std::time::Duration;

use e2e::{Duo, Talk};

/// Longest wait for what the status is to show.
const SEEN: Duration = Duration::from_secs(30);
const HELP: &str = "What I know:";

/// The member asks the active bot something, and is answered once.
async fn is_answered(duo: &Duo, member: usize) {
    let bot = duo.stage.active().await.unwrap();
    let talk = Talk::private(&duo.stage, member, bot);
    let before = talk.count(HELP).await.unwrap();
    talk.say("/help").await.unwrap();
    talk.see_times(HELP, before + 1).await.unwrap();
    duo.stage.settled().await.unwrap();
    assert_eq!(talk.count(HELP).await.unwrap(), before + 1);
}

/// Every bot may write to the member.
async fn knows_all_bots(duo: &Duo, member: usize) {
    let active = duo.stage.active().await.unwrap();
    for bot in &duo.stage.scene.bots {
        let talk = Talk::private(&duo.stage, member, bot.id);
        match bot.id == active {
            true => talk.start(None).await.unwrap(),
            false => drop(talk.meet_standby().await.unwrap()),
        }
    }
    duo.stage.settled().await.unwrap();
}

/// No key in two connections, and nothing written by who was not the leader.
async fn nothing_was_done_twice(duo: &Duo) {
    let duplicated = duo
        .stage
        .events_since(0, "auth_key_duplicated")
        .await
        .unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}
