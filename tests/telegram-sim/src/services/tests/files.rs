//! Files through the API: upload, send, fetch, albums; and that they belong to the bot that saw them.

use grammers_tl_types as tl;
use tl::functions::{channels, messages, upload};
use tl::{enums, types};

use crate::world::testing::*;
use crate::world::{
    ChannelId, ChannelKind, ChatRef, MessageId, NewContent, NewDocument, NewMessage, Right, UserId,
};

fn uploaded(s: &mut Scene, bot: UserId, bytes: &[u8]) -> enums::InputMedia {
    let file_id = s.random_id();
    let request = upload::SaveFilePart {
        file_id,
        file_part: 0,
        bytes: bytes.to_vec(),
    };
    assert!(s.call(bot, &request).unwrap());
    types::InputMediaUploadedDocument {
        nosound_video: false,
        force_file: false,
        spoiler: false,
        file: types::InputFile {
            id: file_id,
            parts: 1,
            name: "a.txt".into(),
            md5_checksum: String::new(),
        }
        .into(),
        thumb: None,
        mime_type: "text/plain".into(),
        attributes: Vec::new(),
        stickers: None,
        video_cover: None,
        video_timestamp: None,
        ttl_seconds: None,
    }
    .into()
}

fn send_media(
    s: &mut Scene,
    bot: UserId,
    peer: enums::InputPeer,
    media: enums::InputMedia,
) -> Result<enums::Updates, String> {
    let request = messages::SendMedia {
        silent: false,
        background: false,
        clear_draft: false,
        noforwards: false,
        update_stickersets_order: false,
        invert_media: false,
        allow_paid_floodskip: false,
        peer,
        reply_to: None,
        media,
        message: "caption".into(),
        random_id: s.random_id(),
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        allow_paid_stars: None,
        suggested_post: None,
    };
    s.call(bot, &request)
}

fn document_of(message: &enums::Message) -> types::Document {
    match message {
        enums::Message::Message(types::Message {
            media:
                Some(enums::MessageMedia::Document(types::MessageMediaDocument {
                    document: Some(enums::Document::Document(document)),
                    ..
                })),
            ..
        }) => document.clone(),
        other => panic!("no document: {other:?}"),
    }
}

fn fetch(s: &mut Scene, bot: UserId, channel: ChannelId, id: i32) -> types::Document {
    let input = types::InputMessageId { id };
    let request = channels::GetMessages {
        channel: input_channel(channel),
        id: vec![input.into()],
    };
    match s.call(bot, &request).unwrap() {
        enums::messages::Messages::ChannelMessages(found) => document_of(&found.messages[0]),
        other => panic!("{other:?}"),
    }
}

fn as_input(document: &types::Document) -> enums::InputMedia {
    let id = types::InputDocument {
        id: document.id,
        access_hash: document.access_hash,
        file_reference: document.file_reference.clone(),
    };
    types::InputMediaDocument {
        spoiler: false,
        id: id.into(),
        video_cover: None,
        video_timestamp: None,
        ttl_seconds: None,
        query: None,
    }
    .into()
}

fn get_file(
    s: &mut Scene,
    bot: UserId,
    document: &types::Document,
    offset: i64,
) -> Result<Vec<u8>, String> {
    let location = types::InputDocumentFileLocation {
        id: document.id,
        access_hash: document.access_hash,
        file_reference: document.file_reference.clone(),
        thumb_size: String::new(),
    };
    let request = upload::GetFile {
        precise: false,
        cdn_supported: false,
        location: location.into(),
        offset,
        limit: 4_096,
    };
    match s.call(bot, &request)? {
        enums::upload::File::File(file) => Ok(file.bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_upload_becomes_a_document_that_the_member_can_download() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let media = uploaded(&mut s, bot, b"hello");
    send_media(&mut s, bot, to_user(member), media).unwrap();
    let chat = ChatRef::User(bot);
    let view = s
        .world
        .member_view(member, chat, Some(MessageId(1)))
        .unwrap();
    let document = view[0].document.clone().unwrap();
    assert_eq!(
        (
            document.name.as_str(),
            document.mime.as_str(),
            document.size
        ),
        ("a.txt", "text/plain", 5)
    );
    let file = s.world.fetch_file(member, chat, view[0].id).unwrap();
    assert_eq!(file.content, b"hello");
}

#[test]
fn another_bots_hash_or_reference_is_worth_nothing() {
    let mut s = scene();
    let (one, other) = (s.bot("one_bot"), s.bot("other_bot"));
    let member = s.started(other);
    let rights: &[Right] = &[Right::PostMessages];
    let store = s.channel(
        ChannelKind::Broadcast,
        &[],
        &[(one, rights), (other, rights)],
    );
    let media = uploaded(&mut s, one, b"hello");
    send_media(&mut s, one, to_channel(store), media).unwrap();
    let (mine, theirs) = (fetch(&mut s, one, store, 2), fetch(&mut s, other, store, 2));
    assert_eq!(mine.id, theirs.id);
    let refused = send_media(&mut s, other, to_user(member), as_input(&mine)).unwrap_err();
    assert_eq!(refused, "FILE_ID_INVALID");
    let mixed = types::Document {
        file_reference: mine.file_reference.clone(),
        ..theirs.clone()
    };
    let refused = send_media(&mut s, other, to_user(member), as_input(&mixed)).unwrap_err();
    assert_eq!(refused, "FILE_REFERENCE_EXPIRED");
    assert!(send_media(&mut s, other, to_user(member), as_input(&theirs)).is_ok());
    assert_eq!(
        get_file(&mut s, other, &mine, 0).unwrap_err(),
        "FILE_ID_INVALID"
    );
    assert_eq!(get_file(&mut s, other, &theirs, 0).unwrap(), b"hello");
}

#[test]
fn a_members_album_is_separate_messages_with_one_group() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let document = |size| NewDocument {
        name: "big.bin".into(),
        mime: "application/octet-stream".into(),
        content: NewContent::Generated { size },
    };
    let album = NewMessage {
        text: "three".into(),
        documents: vec![document(10), document(5_000), document(30)],
        ..NewMessage::default()
    };
    s.world
        .member_send(member, ChatRef::User(bot), album, s.now)
        .unwrap();
    let messages: Vec<enums::Message> = s
        .pushed()
        .into_iter()
        .map(|(_, update)| match update {
            enums::Update::NewMessage(new) => new.message,
            other => panic!("{other:?}"),
        })
        .collect();
    let groups: Vec<Option<i64>> = messages
        .iter()
        .map(|message| match message {
            enums::Message::Message(message) => message.grouped_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        groups[0].is_some() && groups.iter().all(|group| *group == groups[0]) && groups.len() == 3
    );
    let big = document_of(&messages[1]);
    assert_eq!(big.size, 5_000);
    let (first, rest) = (
        get_file(&mut s, bot, &big, 0).unwrap(),
        get_file(&mut s, bot, &big, 4_096).unwrap(),
    );
    assert_eq!((first.len(), rest.len()), (4_096, 904));
    let whole = s
        .world
        .fetch_file(member, ChatRef::User(bot), MessageId(3))
        .unwrap()
        .content;
    assert_eq!(whole, [first, rest].concat());
}

#[test]
fn albums_of_bots_take_only_what_was_uploaded_as_media_before() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let member = s.started(bot);
    let fresh = uploaded(&mut s, bot, b"1");
    let made: Vec<enums::InputMedia> = (0..2)
        .map(|number| {
            let media = uploaded(&mut s, bot, &[number]);
            let request = messages::UploadMedia {
                business_connection_id: None,
                peer: to_user(member),
                media,
            };
            match s.call(bot, &request).unwrap() {
                enums::MessageMedia::Document(types::MessageMediaDocument {
                    document: Some(enums::Document::Document(document)),
                    ..
                }) => as_input(&document),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let mut send = |media: Vec<enums::InputMedia>| {
        let items = media.into_iter().map(|media| {
            types::InputSingleMedia {
                media,
                random_id: s.random_id(),
                message: String::new(),
                entities: None,
            }
            .into()
        });
        let request = messages::SendMultiMedia {
            silent: false,
            background: false,
            clear_draft: false,
            noforwards: false,
            update_stickersets_order: false,
            invert_media: false,
            allow_paid_floodskip: false,
            peer: to_user(member),
            reply_to: None,
            multi_media: items.collect(),
            schedule_date: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            allow_paid_stars: None,
        };
        s.call(bot, &request)
    };
    assert_eq!(send(vec![fresh]).unwrap_err(), "MEDIA_INVALID");
    let enums::Updates::Updates(sent) = send(made).unwrap() else {
        panic!("not in full")
    };
    assert_eq!(sent.updates.len(), 4);
}
