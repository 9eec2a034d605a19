//! The whole system on a Redis under Sentinels: the primary dies, hangs and wakes up, loses what it acknowledged, and a bot is replaced meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use e2e::{DESCRIPTION, Stage, TITLE, Talk, built};
use redis_servers::{Settings, Watched};

/// A failover, a new session and what follows from them.
const SERVED: Duration = Duration::from_secs(60);

/// A stage whose Redis is there. The address is a secret like any other: a file of mode 600.
async fn stage_on(watched: &Watched, members: usize, timing: &str) -> (Stage, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("redis_url");
    std::fs::write(&file, watched.url()).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let redis = format!(
        "[redis]\nurl = \"file:{}\"\n\n{timing}\n[workers]\n",
        file.display()
    );
    let edit = |config: &str| config.replace("[workers]\n", &redis);
    let stage = Stage::open_with(members, edit, &[]).await.unwrap();
    (stage, place)
}

/// How often something of this kind was written down.
async fn events(stage: &Stage, kind: &str) -> i64 {
    let sql = stage.sql().await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE kind = $1").bind(kind);
    count.fetch_one(&sql).await.unwrap()
}

async fn happened(stage: &Stage, kind: &str) {
    stage
        .until_stored(kind, async || {
            Ok((events(stage, kind).await > 0).then_some(()))
        })
        .await
        .unwrap();
}

/// Until a pool is served whose leader has noticed the failover.
async fn served(stage: &Stage) {
    stage
        .wait("members are served again", SERVED, |status| {
            let pool = &status["pools"][0];
            // One of its bots may be dead.
            let serves = pool["state"] == "ok" || pool["state"] == "degraded";
            status["redis"]["ok"] == true && pool["phase"] == "open" && serves
        })
        .await
        .unwrap();
}

/// Everybody is at the step that asks for a title, in the group too.
async fn opened(talks: &[Talk<'_>]) {
    for talk in talks {
        talk.say("/upload").await.unwrap();
        talk.see("Step 1/6").await.unwrap();
    }
}

/// Answers the prompt of this step: in a group only a reply counts.
async fn gives(talk: &Talk<'_>, step: &str, text: &str) {
    let prompt = talk.see(step).await.unwrap();
    talk.reply(&prompt, text).await.unwrap();
}

/// Longer than a failover lasts, so that answers are waited for and not for a status.
async fn sees(talk: &Talk<'_>, part: &str) {
    let until = Instant::now() + SERVED;
    while talk.see(part).await.is_err() {
        assert!(Instant::now() < until, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_go_on_when_the_primary_is_killed() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let (stage, _place) = stage_on(&watched, 3, "").await;
    let bot = stage.active().await.unwrap();
    let talks: Vec<Talk<'_>> = (0..2)
        .map(|member| Talk::private(&stage, member, bot))
        .chain([Talk::group(&stage, 2)])
        .collect();
    opened(&talks).await;
    stage.settled().await.unwrap();
    let primary = watched.primary().unwrap();
    watched.server_mut(primary).kill().unwrap();
    for talk in &talks {
        gives(talk, "Step 1/6", TITLE).await;
    }
    watched.failed_over_from(primary).unwrap();
    for talk in &talks {
        sees(talk, "✓ Title: ").await;
        gives(talk, "Step 2/6", DESCRIPTION).await;
        talk.see("✓ Description: ").await.unwrap();
    }
    served(&stage).await;
    stage.delivered().await.unwrap();
    for talk in &talks {
        assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
        assert_eq!(talk.count("✓ Description: ").await.unwrap(), 1);
    }
    assert_eq!(stage.active().await.unwrap(), bot, "no reason to switch");
    happened(&stage, "redis_failed_over").await;

    // It comes back as a copy, and the next one that dies is followed as well.
    watched.server_mut(primary).start_again().unwrap();
    watched.is_copy(primary).unwrap();
    let second = watched.primary().unwrap();
    watched.server_mut(second).kill().unwrap();
    watched.failed_over_from(second).unwrap();
    for talk in &talks {
        // A press that nobody answers is pressed again.
        let until = Instant::now() + SERVED;
        while talk.choose_category().await.is_err() {
            assert!(Instant::now() < until, "nobody answers a press");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hangs_is_replaced_and_does_no_harm_when_it_wakes_up() {
    let watched = Watched::start(&Settings::default()).unwrap();
    let (stage, _place) = stage_on(&watched, 2, "").await;
    let bot = stage.active().await.unwrap();
    let talks: Vec<Talk<'_>> = (0..2)
        .map(|member| Talk::private(&stage, member, bot))
        .collect();
    for talk in &talks {
        talk.open_upload().await.unwrap();
    }
    stage.settled().await.unwrap();
    let primary = watched.primary().unwrap();
    watched.server(primary).stop_clock();
    for talk in &talks {
        talk.say(TITLE).await.unwrap();
    }
    watched.failed_over_from(primary).unwrap();
    sees(&talks[0], "✓ Title: ").await;
    watched.server(primary).go_on();
    for talk in &talks {
        sees(talk, "✓ Title: ").await;
        talk.give_description().await.unwrap();
    }
    watched.is_copy(primary).unwrap();
    served(&stage).await;
    stage.delivered().await.unwrap();
    for talk in &talks {
        assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1);
        assert_eq!(talk.count("✓ Description: ").await.unwrap(), 1);
    }
    let duplicated = stage.events_since(0, "auth_key_duplicated").await.unwrap();
    assert!(duplicated.is_empty(), "{duplicated:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_dies_during_the_failover_is_replaced_after_it() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let (stage, _place) = stage_on(&watched, 2, "").await;
    let bot = stage.active().await.unwrap();
    let group = Talk::group(&stage, 0);
    opened(&[group, Talk::private(&stage, 1, bot)]).await;
    stage.settled().await.unwrap();
    let primary = watched.primary().unwrap();
    watched.server_mut(primary).kill().unwrap();
    let group = Talk::group(&stage, 0);
    gives(&group, "Step 1/6", TITLE).await;
    stage.revoke(bot).await.unwrap();
    watched.failed_over_from(primary).unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    sees(&group, "✓ Title: ").await;
    gives(&group, "Step 2/6", DESCRIPTION).await;
    group.see("✓ Description: ").await.unwrap();
    let private = Talk::private(&stage, 1, next);
    private.start(None).await.unwrap();
    private.give_title().await.unwrap();
    served(&stage).await;
    stage.delivered().await.unwrap();
    assert_eq!(group.count("✓ Title: ").await.unwrap(), 1);
    assert_eq!(private.count("✓ Title: ").await.unwrap(), 1);
}

/// No copy has what the primary goes on acknowledging because nobody asks it for copies any more, and one of them takes over.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_commits_that_a_failover_loses_are_taken_in_again_and_counted() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    // A lease that outlives the failover: the sessions end because another server has become the primary.
    let timing = "[timing]\nlease_ttl_ms = 20000\nlease_renew_ms = 500\nlease_margin_ms = 500\n";
    let (stage, _place) = stage_on(&watched, 1, timing).await;
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.open_upload().await.unwrap();
    stage.settled().await.unwrap();
    let primary = watched.primary().unwrap();
    watched.cut_copies(primary).unwrap();
    talk.say(TITLE).await.unwrap();
    talk.see("✓ Title: ").await.unwrap();
    watched.server_mut(primary).kill().unwrap();
    watched.mend_copies(primary).unwrap();
    watched.failed_over_from(primary).unwrap();
    served(&stage).await;
    // What the title was is known again, though no copy had it.
    sees(&talk, "Step 2/6").await;
    talk.say(DESCRIPTION).await.unwrap();
    sees(&talk, "✓ Description: ").await;
    stage.delivered().await.unwrap();
    assert_eq!(talk.count("✓ Title: ").await.unwrap(), 1, "sent once");
    assert_eq!(talk.count("✓ Description: ").await.unwrap(), 1);
    let member = stage.stored_conversation(talk.member).await.unwrap();
    assert!(member.unwrap().contains(TITLE));
    assert!(stage.counter("lost_tail").await.unwrap() >= 1);
    happened(&stage, "tail_lost").await;
    let restored = events(&stage, "conversations_restored").await;
    assert_eq!(restored, 0, "a short tail is no lost Redis");
    let status = stage.status().await.unwrap();
    assert!(status["pools"][0]["counters"]["lost_tail"].as_i64() >= Some(1));
}

/// `understudy doctor`, by its lines.
async fn doctor(stage: &Stage) -> String {
    let output = tokio::process::Command::new(built("understudy").unwrap())
        .args(["doctor", "--config"])
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reads_the_sentinels_and_refuses_a_primary_without_a_minimum() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let (mut stage, _place) = stage_on(&watched, 1, "").await;
    let well = doctor(&stage).await;
    for part in [
        "3 Sentinels agree on the primary",
        "leases and epochs count once 1 of 2 copies have them",
    ] {
        assert!(well.contains(part), "{part:?} is not in {well}");
    }
    for sentinel in 1..3 {
        watched.sentinel_mut(sentinel).kill().unwrap();
    }
    let ill = doctor(&stage).await;
    assert!(ill.contains("1 of 3 Sentinels answer"), "{ill}");

    let primary = watched.server(0);
    primary
        .ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"])
        .unwrap();
    let unsafe_ = doctor(&stage).await;
    assert!(unsafe_.contains("FAIL  redis copies"), "{unsafe_}");
    stage.stop().unwrap();
    let refused = tokio::process::Command::new(built("understudy").unwrap())
        .args(["run", "--config"])
        .arg(stage.folder.config())
        .output()
        .await
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains("min-replicas-to-write 0"), "{line}");
}
