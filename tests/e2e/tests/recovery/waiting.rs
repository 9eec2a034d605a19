//! Courses that wait for the database are bounded: one that could not be kept is not taken, and its member hands it in later.

use e2e::{Stage, Talk};

#[tokio::test(flavor = "multi_thread")]
async fn a_course_beyond_what_may_wait_is_handed_in_when_the_database_is_back() {
    let one = |config: &str| {
        config.replace(
            "[workers]\n",
            "[database]\nmax_waiting_records = 1\n\n[workers]\n",
        )
    };
    let stage = Stage::open_with(2, one, &[]).await.unwrap();
    let bot = stage.active().await.unwrap();
    let [first, second] = [0, 1].map(|member| Talk::private(&stage, member, bot));
    for talk in [&first, &second] {
        talk.upload_until_files().await.unwrap();
        talk.press("Skip").await.unwrap();
        talk.see("Step 6/6").await.unwrap();
    }
    stage
        .until_stored("nothing else waits", async || {
            Ok((stage.records().await? == 0).then_some(()))
        })
        .await
        .unwrap();
    let sql = stage.sql().await.unwrap();
    let mut held = sql.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *held)
        .await
        .unwrap();
    first.press("Submit").await.unwrap();
    first.see("✓ Submitted: ").await.unwrap();
    let answer = second.press("Submit").await.unwrap();
    let said = answer.message.unwrap_or_default();
    assert!(said.starts_with("Not handed in yet"), "{said}");
    assert_eq!(second.count("✓ Submitted: ").await.unwrap(), 0);
    sqlx::query("ROLLBACK").execute(&mut *held).await.unwrap();

    let stored = async |courses: i64| {
        stage
            .until_stored("what waited is in the database", async || {
                let count: (i64,) = sqlx::query_as("SELECT count(*) FROM courses")
                    .fetch_one(&sql)
                    .await?;
                Ok((count.0 == courses).then_some(()))
            })
            .await
            .unwrap();
    };
    stored(1).await;
    second.press("Submit").await.unwrap();
    second.see("✓ Submitted: ").await.unwrap();
    stored(2).await;
}
