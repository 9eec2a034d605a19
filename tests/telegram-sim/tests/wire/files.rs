//! Documents: uploaded, sent, downloaded, of the right size and content.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use grammers_client::media::Media;
use grammers_client::tl;
use grammers_client::update::Update;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::support::{PATIENCE, Telegram, user};

/// Not a multiple of any chunk.
const SIZE: usize = 700_001;

#[tokio::test]
async fn a_members_document_arrives_whole() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let (mut stream, client) = telegram.login(&bot).await.stream(false).await;
    telegram.starts(member, &bot).await;
    timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
    let document = json!({"name": "report.pdf", "mime": "application/pdf", "size": SIZE});
    let sent = telegram
        .post(
            &format!("/v1/members/{member}/send"),
            json!({"to": {"user": bot.id}, "document": document}),
        )
        .await;
    let update = timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
    let Update::NewMessage(message) = update else {
        panic!("{update:?}")
    };
    let Some(Media::Document(document)) = message.media() else {
        panic!("no document")
    };
    assert_eq!(
        (document.name(), document.size()),
        (Some("report.pdf"), Some(SIZE))
    );

    let mut content = Vec::new();
    let mut download = client.iter_download(&document);
    while let Some(chunk) = download.next().await.unwrap() {
        content.extend(chunk);
    }
    assert_eq!(content.len(), SIZE);
    let id = sent["message_ids"][0].as_i64().unwrap();
    let url = format!(
        "{}/v1/members/{member}/file?user={}&message_id={id}",
        telegram.sim.control_url(),
        bot.id
    );
    let original = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::digest(&content), Sha256::digest(&original));
}

#[tokio::test]
async fn a_bots_upload_arrives_whole() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    let content: Vec<u8> = (0..SIZE).map(|at| (at * 7 + at / 251) as u8).collect();
    let uploaded = login
        .client
        .upload_stream(&mut &content[..], SIZE, "answer.bin".to_owned())
        .await
        .unwrap();
    let media = tl::types::InputMediaUploadedDocument {
        nosound_video: false,
        force_file: true,
        spoiler: false,
        file: uploaded.raw,
        thumb: None,
        mime_type: "application/octet-stream".to_owned(),
        attributes: vec![
            tl::types::DocumentAttributeFilename {
                file_name: "answer.bin".to_owned(),
            }
            .into(),
        ],
        stickers: None,
        video_cover: None,
        video_timestamp: None,
        ttl_seconds: None,
    };
    login
        .invoke(&send_media(member, media.into()))
        .await
        .unwrap();
    let seen = telegram.seen(member, &bot).await;
    let document = &seen[1]["document"];
    assert_eq!(document["name"], "answer.bin");
    assert_eq!(document["size"], SIZE);
    let url = format!(
        "{}/v1/members/{member}/file?user={}&message_id={}",
        telegram.sim.control_url(),
        bot.id,
        seen[1]["id"]
    );
    let stored = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::digest(&stored), Sha256::digest(&content));
}

#[tokio::test]
async fn an_album_is_one_group_of_separate_messages() {
    let telegram = Telegram::start().await;
    let bot = telegram.bot("alpha").await;
    let member = telegram.member("Ann").await;
    let mut login = telegram.login(&bot).await;
    telegram.starts(member, &bot).await;
    assert_eq!(login.message().await.message, "/start");
    let album: Vec<_> = (1..=3)
        .map(|n| json!({"name": format!("{n}.pdf"), "mime": "application/pdf", "size": 100 * n}))
        .collect();
    telegram
        .post(
            &format!("/v1/members/{member}/send"),
            json!({"to": {"user": bot.id}, "text": "three", "album": album}),
        )
        .await;
    let mut groups = Vec::new();
    for caption in ["three", "", ""] {
        let message = login.message().await;
        assert_eq!(message.message, caption);
        groups.push(message.grouped_id.unwrap());
    }
    assert!(groups.iter().all(|group| *group == groups[0]));
}

fn send_media(member: i64, media: tl::enums::InputMedia) -> tl::functions::messages::SendMedia {
    tl::functions::messages::SendMedia {
        silent: false,
        background: false,
        clear_draft: false,
        noforwards: false,
        update_stickersets_order: false,
        invert_media: false,
        allow_paid_floodskip: false,
        peer: user(member),
        reply_to: None,
        media,
        message: String::new(),
        random_id: 99,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        allow_paid_stars: None,
        suggested_post: None,
    }
}
