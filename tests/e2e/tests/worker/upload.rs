//! A whole upload in private, and what is left of it: the file, the row, the post.

use e2e::{CATEGORY, DESCRIPTION, Stage, TITLE, Talk};
use reqwest::Method;
use serde_json::Value;
use sqlx::Row;

const FILE: &str = "bread.pdf";
const BYTES: u64 = 70_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_leaves_a_file_a_row_and_one_post() {
    let stage = Stage::open(1).await.unwrap();
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    for accepted in [
        format!("✓ Title: {TITLE}"),
        format!("✓ Description: {DESCRIPTION}"),
        format!("✓ Category: {CATEGORY}"),
        "✓ Tags: none".to_owned(),
    ] {
        assert_eq!(talk.count(&accepted).await.unwrap(), 1, "{accepted}");
    }
    talk.send_file(FILE, BYTES).await.unwrap();
    talk.see(&format!("✓ File 1: {FILE}")).await.unwrap();
    talk.press("Done").await.unwrap();
    let review = talk.see("Step 6/6").await.unwrap();
    for line in [TITLE, DESCRIPTION, CATEGORY, FILE] {
        assert!(review.text.contains(line), "{line} in {}", review.text);
    }
    talk.press("Submit").await.unwrap();
    talk.see(&format!("✓ Submitted: {TITLE}")).await.unwrap();
    stage.settled().await.unwrap();

    let stored = stored_files(&stage).await;
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(stored[0].1["name"], FILE);
    assert_eq!(stored[0].1["size"], BYTES);
    the_row_is_right(&stage, talk.member, stored[0].0).await;
    let posts = stage.control.posts(stage.scene.broadcast).await.unwrap();
    assert_eq!(posts.len(), 1, "{posts:?}");
    for line in [TITLE, DESCRIPTION, CATEGORY, FILE] {
        assert!(posts[0].text.contains(line), "{line} in {}", posts[0].text);
    }
}

/// (message id, document) of each file in the storage channel.
async fn stored_files(stage: &Stage) -> Vec<(i64, Value)> {
    let path = format!("/messages?channel={}", stage.scene.storage);
    let seen = stage.sim_call(Method::GET, &path, None).await.unwrap();
    let messages = seen["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|it| (it["id"].as_i64().unwrap(), it["document"].clone()))
        .collect()
}

async fn the_row_is_right(stage: &Stage, member: i64, message: i64) {
    let sql = stage.sql().await.unwrap();
    let courses = stage
        .until_stored("a course is in SQL", async || {
            let rows = sqlx::query("SELECT * FROM courses").fetch_all(&sql).await?;
            Ok((!rows.is_empty()).then_some(rows))
        })
        .await
        .unwrap();
    assert_eq!(courses.len(), 1, "one course in SQL");
    let text = |column: &str| courses[0].get::<String, _>(column);
    assert_eq!(text("member"), format!("m{member}"));
    assert_eq!(
        (text("title"), text("description"), text("category")),
        (TITLE.into(), DESCRIPTION.into(), CATEGORY.into())
    );
    assert_eq!(text("tags"), "[]");
    let files = sqlx::query("SELECT * FROM course_files WHERE course = $1")
        .bind(text("id"))
        .fetch_all(&sql)
        .await
        .unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].get::<String, _>("name"), FILE);
    assert_eq!(
        files[0].get::<i64, _>("bytes"),
        i64::try_from(BYTES).unwrap()
    );
    assert_eq!(files[0].get::<i64, _>("message"), message);
}
