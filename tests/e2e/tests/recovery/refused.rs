//! A record that the database never takes: it is kept aside with the reason, and those behind it are stored.

use e2e::{Stage, Talk};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_for_good_blocks_nobody() {
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
            let titles: Vec<(String,)> = sqlx::query_as("SELECT title FROM courses ORDER BY title")
                .fetch_all(&sql)
                .await?;
            let titles: Vec<&str> = titles.iter().map(|(title,)| title.as_str()).collect();
            Ok((titles == ["One", "Two"]).then_some(()))
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
}
