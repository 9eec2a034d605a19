//! What is refused for good: a record that the database never takes is kept aside with the reason, and those behind it are stored; a file that the storage
//! channel does not take keeps nobody waiting.

use e2e::{Stage, Talk};
use serde_json::{Value, json};

async fn submit(talk: &Talk<'_>, title: &str) {
    talk.open_upload().await.unwrap();
    talk.say(title).await.unwrap();
    talk.see("Step 2/6").await.unwrap();
    talk.give_description().await.unwrap();
    talk.choose_category().await.unwrap();
    talk.press("Done").await.unwrap();
    talk.see("Step 5/6").await.unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
}

/// `understudy outbox ...`: what it prints, in JSON.
async fn outbox(stage: &Stage, words: &[&str]) -> Value {
    let words = [&["outbox"], words, &["--json"]].concat();
    let printed = stage.run(&words).await.unwrap();
    serde_json::from_str(&printed).unwrap()
}

async fn titles(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let sql = stage.sql().await?;
    let titles: Vec<(String,)> = sqlx::query_as("SELECT title FROM courses ORDER BY title")
        .fetch_all(&sql)
        .await?;
    Ok(titles.into_iter().map(|(title,)| title).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_for_good_blocks_nobody_and_is_stored_in_the_end() {
    let stage = Stage::open(3).await.unwrap();
    let bot = stage.active().await.unwrap();
    let sql = stage.sql().await.unwrap();
    sqlx::query("CREATE UNIQUE INDEX one_course_a_title ON courses (title)")
        .execute(&sql)
        .await
        .unwrap();
    for (member, title) in [(0, "One"), (1, "One"), (2, "Two")] {
        submit(&Talk::private(&stage, member, bot), title).await;
    }
    stage
        .until_stored("the other two are stored", async || {
            Ok((titles(&stage).await? == ["One", "Two"]).then_some(()))
        })
        .await
        .unwrap();
    stage
        .until_stored("somebody is told", async || {
            let told: Vec<(String,)> =
                sqlx::query_as("SELECT details FROM events WHERE kind = 'record_refused'")
                    .fetch_all(&sql)
                    .await?;
            Ok((told.len() == 1 && told[0].0.contains("refused")).then_some(()))
        })
        .await
        .unwrap();
    assert_eq!(stage.counter("poisoned").await.unwrap(), 1);

    let listed = outbox(&stage, &["list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(
        (&listed[0]["from"], &listed[0]["kind"]),
        (&json!("records"), &json!("course"))
    );
    let why = listed[0]["why"].as_str().unwrap();
    assert!(why.contains("refused"), "{why}");
    let status = stage.status().await.unwrap();
    assert_eq!(status["pools"][0]["records_refused"], 1);

    let dropped = outbox(&stage, &["drop", "--all"]).await;
    assert_eq!(
        (&dropped["moved"], &dropped["records_kept"]),
        (&json!(0), &json!(1)),
        "its member was told that it is kept"
    );
    sqlx::query("DROP INDEX one_course_a_title")
        .execute(&sql)
        .await
        .unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(outbox(&stage, &["retry", id]).await["moved"], 1);
    stage
        .until_stored("it is stored", async || {
            Ok((titles(&stage).await? == ["One", "One", "Two"]).then_some(()))
        })
        .await
        .unwrap();
    assert_eq!(outbox(&stage, &["list"]).await, json!([]));
}

/// The bot has lost its rights in the storage channel: nothing but time passes until it is given up, a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_storage_channel_refuses_is_asked_for_again_and_keeps_nobody_waiting() {
    const ASKED: &str = "File 1 did not arrive. Please send it again: bread.pdf";
    let stage = Stage::open(2).await.unwrap();
    let bot = stage.active().await.unwrap();
    let [first, second] = [0, 1].map(|member| Talk::private(&stage, member, bot));
    for talk in [&first, &second] {
        talk.upload_until_files().await.unwrap();
    }
    let fault = json!({
        "kind": "rpc_error", "bot": bot, "method": "messages.forwardMessages",
        "code": 403, "message": "CHAT_WRITE_FORBIDDEN",
    });
    let fault = stage.fault(fault).await.unwrap();
    for talk in [&first, &second] {
        talk.send_file("bread.pdf", 4_000).await.unwrap();
    }
    let mut asked = first.see(ASKED).await;
    for _ in 0..4 {
        if asked.is_err() {
            asked = first.see(ASKED).await;
        }
    }
    asked.unwrap();
    assert_eq!(
        first.labels().await.unwrap(),
        ["Skip", "Back", "Remove last"]
    );
    // Behind it, he does not wait for another minute.
    second.see(ASKED).await.unwrap();
    stage.delivered().await.unwrap();
    let listed = outbox(&stage, &["list"]).await;
    for one in 0..2 {
        assert_eq!(listed[one]["kind"], "store_file", "{listed}");
        let why = "the chat cannot be written to: CHAT_WRITE_FORBIDDEN";
        assert_eq!(listed[one]["why"], why);
    }
    assert_eq!(stage.counter("files_to_resend").await.unwrap(), 2);

    // Its rights are back: one sends the file again, for the other one somebody sends it on.
    stage.clear_fault(fault).await.unwrap();
    first.send_file("bread.pdf", 4_000).await.unwrap();
    first.see("✓ File 1: bread.pdf").await.unwrap();
    assert_eq!(outbox(&stage, &["retry", "--all"]).await["moved"], 2);
    second.see("✓ File 1: bread.pdf").await.unwrap();
    for talk in [&first, &second] {
        talk.submit().await.unwrap();
    }
    stage.settled().await.unwrap();
    assert_eq!(first.count("✓ File 1: ").await.unwrap(), 1);
}
