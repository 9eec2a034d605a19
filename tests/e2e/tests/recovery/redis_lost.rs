//! The private Redis is killed, and what it had stored is gone, or is an older copy.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Stage, TITLE, Talk};
use rustix::process::Signal;
use sandbox::processes::redis_of;

const SERVED: Duration = Duration::from_secs(60);
const COPIED: Duration = Duration::from_secs(30);

fn stored(stage: &Stage) -> PathBuf {
    stage.folder.state().join("redis/appendonlydir")
}

/// Waits until everything that is acknowledged now is in the database.
pub async fn copied(stage: &Stage) {
    stage.delivered().await.unwrap();
    let begun = Instant::now();
    stage
        .wait(
            "a copy that was begun after this is whole",
            COPIED,
            |status| {
                let lag = status["pools"][0]["checkpoint_lag_ms"].as_u64();
                lag.is_some_and(|lag| Duration::from_millis(lag) < begun.elapsed())
            },
        )
        .await
        .unwrap();
}

/// Its end, with what it has stored replaced by what `with` leaves there. The running server keeps its files open, wherever they are moved.
pub fn lose(stage: &Stage, with: impl FnOnce(&Path)) {
    let folder = stored(stage);
    let aside = folder.with_extension("lost");
    if aside.exists() {
        std::fs::remove_dir_all(&aside).unwrap();
    }
    std::fs::rename(&folder, aside).unwrap();
    with(&folder);
    redis_of(&stage.folder.root)
        .unwrap()
        .signal(Signal::KILL)
        .unwrap();
}

pub async fn restored(stage: &Stage, epoch: u64) {
    stage
        .wait("the pool is served under a later epoch", SERVED, |status| {
            let pool = &status["pools"][0];
            pool["phase"] == "open" && pool["epoch"].as_u64() > Some(epoch)
        })
        .await
        .unwrap();
}

pub async fn epoch(stage: &Stage) -> u64 {
    stage.status().await.unwrap()["pools"][0]["epoch"]
        .as_u64()
        .unwrap()
}

/// Up to which number epochs have been given out, as far as the database knows.
async fn ceiling(stage: &Stage) -> u64 {
    let sql = stage.sql().await.unwrap();
    let row: (i64,) = sqlx::query_as("SELECT ceiling FROM epochs WHERE pool = 'main'")
        .fetch_one(&sql)
        .await
        .unwrap();
    u64::try_from(row.0).unwrap()
}

async fn events(stage: &Stage, kind: &str) -> i64 {
    let sql = stage.sql().await.unwrap();
    let count: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM events WHERE kind = $1")
        .bind(kind)
        .fetch_one(&sql)
        .await
        .unwrap();
    count.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_emptied_costs_no_member_anything() {
    let stage = Stage::open(4).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talks: Vec<Talk> = (0..3).map(|at| Talk::private(&stage, at, bot)).collect();
    talks[0].upload_until_files().await.unwrap();
    talks[1].open_upload().await.unwrap();
    talks[1].give_title().await.unwrap();
    talks[2].open_upload().await.unwrap();
    let group = Talk::group(&stage, 3);
    group.say("/upload").await.unwrap();
    let asked = group.see("Step 1/6").await.unwrap();
    copied(&stage).await;
    let open = stage.status().await.unwrap()["pools"][0]["conversations_open"].clone();
    assert_eq!(open, 4);
    let before = epoch(&stage).await;
    let reserved = ceiling(&stage).await;
    assert!(reserved > before, "{reserved}: some are reserved ahead");

    lose(&stage, |_| {});
    // Nobody waits for the bot: what is written while nobody answers is answered.
    talks[2].say(TITLE).await.unwrap();
    group.reply(&asked, TITLE).await.unwrap();
    // Who slept through the loss may hold any epoch that was reserved, and none beyond.
    restored(&stage, reserved).await;
    assert_eq!(stage.active().await.unwrap(), bot, "who answered goes on");
    talks[2].see("Step 2/6").await.unwrap();
    group.see("Step 2/6").await.unwrap();
    talks[1].give_description().await.unwrap();
    talks[0].send_file("bread.pdf", 70_000).await.unwrap();
    talks[0].see("✓ File 1: bread.pdf").await.unwrap();
    talks[0].submit().await.unwrap();
    stage.delivered().await.unwrap();
    for talk in talks.iter().chain([&group]) {
        for (said, times) in [("Step 1/6", 1), ("Step 2/6", 1), ("✓ Title", 1)] {
            let count = talk.count(said).await.unwrap();
            assert!(count <= times, "{said} was said {count} times");
        }
    }
    assert_eq!(talks[0].count("✓ Submitted: ").await.unwrap(), 1);
    stage.has_one_file_and_one_post("bread.pdf").await.unwrap();
    assert_eq!(events(&stage, "conversations_restored").await, 1);
    // And again: what was given back is copied on.
    copied(&stage).await;
    let reserved = ceiling(&stage).await;
    lose(&stage, |_| {});
    restored(&stage, reserved).await;
    talks[1].choose_category().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_in_redis_place_takes_nobody_back() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    talk.give_title().await.unwrap();
    copied(&stage).await;
    let older = stored(&stage).with_extension("older");
    copy(&stored(&stage), &older);
    talk.give_description().await.unwrap();
    talk.choose_category().await.unwrap();
    copied(&stage).await;
    let reserved = ceiling(&stage).await;

    lose(&stage, |folder| copy(&older, folder));
    restored(&stage, reserved).await;
    talk.press("Done").await.unwrap();
    talk.see("Step 5/6").await.unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
    for said in ["Step 3/6", "Step 4/6", "✓ Description"] {
        assert_eq!(talk.count(said).await.unwrap(), 1, "{said}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
