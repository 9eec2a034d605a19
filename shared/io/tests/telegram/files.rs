//! Files: copied into a channel, and seen there by another bot.

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
async fn a_members_file_is_copied_to_a_channel_once_and_seen_there_by_another_bot() {
    let telegram = Telegram::start().await;
    let (bot, other) = (telegram.bot("alpha").await, telegram.bot("beta").await);
    let member = telegram.friend("Ann", &bot).await;
    let storage = telegram.supergroup(&[], &[&bot, &other]).await;
    let mut line = telegram.line(&bot).await;
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

    let standby = telegram.line(&other).await;
    let (calls, to) = (standby.calls(), SendTarget::Channel(storage));
    let fetched = calls.message(to, copy).await.unwrap().unwrap();
    assert_eq!(fetched.document, Some(expected));
    let gone = calls
        .copy_message(Source::Channel(storage), MessageId(9_999), storage, 78)
        .await;
    assert_eq!(gone.unwrap_err().class, ErrorClass::Unreachable);
}
