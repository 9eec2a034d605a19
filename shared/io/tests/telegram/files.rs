//! Files: copied into a channel, sent, and read back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use shared_core::{Document, ErrorClass, IncomingKind, MemberId, MessageId, SendTarget};
use shared_io::telegram::{Line, Source};

use super::support::{Bot, Telegram, caught_up, items, start};

/// The message with a file as the bot sees it: private ids are each account's own.
async fn received_file(
    telegram: &Telegram,
    bot: &Bot,
    line: &mut Line,
    member: MemberId,
    document: serde_json::Value,
) -> (MessageId, Document) {
    let (mut feed, _) = caught_up(line, start(bot)).await;
    let body = json!({"to": {"user": bot.id.0}, "text": "my file", "document": document});
    telegram
        .post(&format!("/v1/members/{}/send", member.0), body)
        .await;
    match items(&mut feed, 1).await.remove(0).what {
        IncomingKind::Message {
            message, document, ..
        } => (message, document.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_members_file_is_copied_to_a_channel_and_read_there_by_another_bot() {
    let telegram = Telegram::start().await;
    let (bot, other) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let member = telegram.friend("Ann", &bot).await;
    let storage = telegram.supergroup(&[], &[&bot, &other]).await;
    let mut line = telegram.line(&bot).await;
    // Three parts, the last one short.
    let sent = json!({"name": "Lesson.pdf", "mime": "application/pdf", "size": 1_200_000});
    let (message, document) = received_file(&telegram, &bot, &mut line, member, sent).await;
    let expected = Document {
        name: "Lesson.pdf".into(),
        mime: "application/pdf".into(),
        bytes: 1_200_000,
    };
    assert_eq!(document, expected);

    let calls = line.calls();
    let copy = calls
        .copy_message(Source::Private(member), message, storage, 77)
        .await
        .unwrap();
    let again = calls
        .copy_message(Source::Private(member), message, storage, 77)
        .await;
    assert_eq!(again.unwrap_err().class, ErrorClass::SentAlready);
    let original = calls
        .download(SendTarget::Member(member), message, 2_000_000)
        .await
        .unwrap();
    assert_eq!(original.len(), 1_200_000);

    let standby = telegram.line(&other).await;
    let (calls, to) = (standby.calls(), SendTarget::Channel(storage));
    let fetched = calls.message(to, copy).await.unwrap().unwrap();
    assert_eq!(fetched.document, Some(expected));
    assert!(calls.download(to, copy, 2_000_000).await.unwrap() == original);
    let refused = calls.download(to, copy, 1_000).await.unwrap_err();
    assert_eq!(refused.name, "FILE_TOO_BIG");
    let gone = calls
        .copy_message(Source::Channel(storage), MessageId(9_999), storage, 78)
        .await;
    assert_eq!(gone.unwrap_err().class, ErrorClass::Unreachable);
}

#[tokio::test]
async fn a_document_is_sent_and_read_back() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let storage = telegram.supergroup(&[], &[&bot]).await;
    let line = telegram.line(&bot).await;
    let (calls, to) = (line.calls(), SendTarget::Channel(storage));
    // More than one part, and more than what the small calls take.
    for (random_id, size) in [(1, 700_000), (2, 11 * 1024 * 1024)] {
        let bytes: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        let sent = calls
            .send_document(
                to,
                "backup.bin",
                "application/octet-stream",
                &bytes,
                "today's",
                random_id,
            )
            .await
            .unwrap()
            .unwrap();
        let fetched = calls.message(to, sent).await.unwrap().unwrap();
        assert_eq!(
            (fetched.text.as_str(), fetched.document.unwrap().bytes),
            ("today's", size as u64)
        );
        assert!(calls.download(to, sent, u64::MAX).await.unwrap() == bytes);
    }
}
