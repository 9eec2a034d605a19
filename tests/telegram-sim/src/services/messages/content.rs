//! What a message may contain: texts of bounded length, keyboards with valid buttons, media that are the sender's own. Errors are
//! those of `messages.sendMessage` and `messages.sendMedia`.

use std::sync::Arc;

use grammers_tl_types as tl;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::world::{
    CAPTION_MAX, ChatRef, Content, File, Media, MessageId, RpcError, TEXT_MAX, World, marked,
};

const BUTTONS_MAX: usize = 100;
const BUTTONS_PER_ROW_MAX: usize = 8;
const CALLBACK_DATA_MAX: usize = 64;
const CALLBACK_ANSWER_MAX: usize = 200;

fn invalid(message: &str) -> RpcError {
    RpcError::bad_request(message)
}

pub(crate) fn check_text(text: &str) -> Result<(), RpcError> {
    if text.trim().is_empty() {
        return Err(invalid("MESSAGE_EMPTY"));
    }
    if text.chars().count() > TEXT_MAX {
        return Err(invalid("MESSAGE_TOO_LONG"));
    }
    Ok(())
}

pub(crate) fn check_caption(text: &str) -> Result<(), RpcError> {
    if text.chars().count() > CAPTION_MAX {
        return Err(invalid("MEDIA_CAPTION_TOO_LONG"));
    }
    Ok(())
}

pub(crate) fn check_press_answer(message: Option<&str>) -> Result<(), RpcError> {
    if message.is_some_and(|message| message.chars().count() > CALLBACK_ANSWER_MAX) {
        return Err(invalid("MESSAGE_TOO_LONG"));
    }
    Ok(())
}

/// What people write gets its commands and mentions marked; bots mark for themselves.
pub(crate) fn entities(
    world: &World,
    ctx: Ctx,
    text: &str,
    given: Option<Vec<enums::MessageEntity>>,
) -> Option<Vec<enums::MessageEntity>> {
    if world.is_bot(ctx.me) {
        given
    } else {
        marked(text, given)
    }
}

/// `None` for a keyboard without buttons: it means none at all. Keyboards of people are dropped without a word, as by Telegram.
pub(crate) fn check_markup(
    world: &World,
    ctx: Ctx,
    chat: ChatRef,
    markup: Option<enums::ReplyMarkup>,
) -> Result<Option<enums::ReplyMarkup>, RpcError> {
    if !world.is_bot(ctx.me) {
        return Ok(None);
    }
    let in_broadcast = match chat {
        ChatRef::Channel(id) => world.channel(id)?.is_broadcast(),
        ChatRef::User(_) => false,
    };
    match markup {
        None => Ok(None),
        Some(enums::ReplyMarkup::ReplyInlineMarkup(inline)) => check_inline(inline),
        Some(_) if in_broadcast => Err(invalid("REPLY_MARKUP_INVALID")),
        Some(enums::ReplyMarkup::ReplyKeyboardMarkup(keyboard)) => {
            check_keyboard(keyboard).map(Some)
        }
        Some(other) => Ok(Some(other)),
    }
}

fn check_inline(inline: types::ReplyInlineMarkup) -> Result<Option<enums::ReplyMarkup>, RpcError> {
    let lengths: Vec<usize> = inline
        .rows
        .iter()
        .map(|enums::KeyboardInlineButtonRow::Row(row)| row.buttons.len())
        .collect();
    check_shape(&lengths)?;
    for enums::KeyboardInlineButtonRow::Row(row) in &inline.rows {
        for enums::KeyboardInlineButton::Button(button) in &row.buttons {
            check_inline_button(button)?;
        }
    }
    let is_empty = lengths.iter().all(|length| *length == 0);
    Ok((!is_empty).then(|| inline.into()))
}

fn check_keyboard(keyboard: types::ReplyKeyboardMarkup) -> Result<enums::ReplyMarkup, RpcError> {
    let lengths: Vec<usize> = keyboard
        .rows
        .iter()
        .map(|enums::KeyboardButtonRow::Row(row)| row.buttons.len())
        .collect();
    check_shape(&lengths)?;
    let has_blank = keyboard
        .rows
        .iter()
        .any(|enums::KeyboardButtonRow::Row(row)| {
            row.buttons
                .iter()
                .any(|enums::KeyboardButton::Button(button)| button.text.trim().is_empty())
        });
    if lengths.is_empty() || has_blank {
        return Err(invalid("BUTTON_TEXT_INVALID"));
    }
    Ok(keyboard.into())
}

fn check_shape(rows: &[usize]) -> Result<(), RpcError> {
    let too_wide = rows.iter().any(|length| *length > BUTTONS_PER_ROW_MAX);
    if too_wide || rows.iter().sum::<usize>() > BUTTONS_MAX {
        return Err(invalid("REPLY_MARKUP_TOO_LONG"));
    }
    Ok(())
}

fn check_inline_button(button: &types::KeyboardInlineButton) -> Result<(), RpcError> {
    if button.text.trim().is_empty() {
        return Err(invalid("BUTTON_TEXT_INVALID"));
    }
    match &button.r#type {
        enums::InlineButtonType::Callback(callback) => {
            let fits = (1..=CALLBACK_DATA_MAX).contains(&callback.data.len());
            if fits {
                Ok(())
            } else {
                Err(invalid("BUTTON_DATA_INVALID"))
            }
        }
        enums::InlineButtonType::Url(link) => {
            let is_link = ["http://", "https://", "tg://"]
                .iter()
                .any(|scheme| link.url.starts_with(scheme));
            if is_link {
                Ok(())
            } else {
                Err(invalid("BUTTON_URL_INVALID"))
            }
        }
        enums::InlineButtonType::Copy(copy) => {
            let fits = (1..=256).contains(&copy.copy_text.chars().count());
            if fits {
                Ok(())
            } else {
                Err(invalid("BUTTON_COPY_TEXT_INVALID"))
            }
        }
        enums::InlineButtonType::SwitchInline(_) => Ok(()),
        _ => Err(invalid("BUTTON_TYPE_INVALID")),
    }
}

/// Plain replies only: stories and other chats are not simulated.
pub(crate) fn reply_target(
    reply_to: Option<&enums::InputReplyTo>,
) -> Result<Option<MessageId>, RpcError> {
    match reply_to {
        None => Ok(None),
        Some(enums::InputReplyTo::Message(reply)) if reply.reply_to_peer_id.is_none() => {
            Ok(Some(MessageId(reply.reply_to_msg_id)))
        }
        Some(_) => Err(invalid("REPLY_TO_INVALID")),
    }
}

/// Whether fresh uploads may be used, or only what `messages.uploadMedia` has made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uploads {
    Taken,
    Refused,
}

/// Makes a file of an upload, or finds the sender's own.
pub(crate) fn take_media(
    world: &mut World,
    ctx: Ctx,
    media: enums::InputMedia,
    uploads: Uploads,
) -> Result<Media, RpcError> {
    match media {
        enums::InputMedia::UploadedDocument(document) if uploads == Uploads::Taken => {
            let (name, bytes) = take_upload(world, ctx, &document.file)?;
            let (mime, attributes) = (document.mime_type, with_name(document.attributes, &name));
            Ok(Media::Document(add_file(
                world, ctx, name, mime, attributes, bytes,
            )))
        }
        enums::InputMedia::UploadedPhoto(photo) if uploads == Uploads::Taken => {
            let (name, bytes) = take_upload(world, ctx, &photo.file)?;
            Ok(Media::Photo(add_file(
                world,
                ctx,
                name,
                "image/jpeg".to_owned(),
                Vec::new(),
                bytes,
            )))
        }
        enums::InputMedia::Document(document) => {
            let enums::InputDocument::Document(id) = document.id else {
                return Err(invalid("MEDIA_EMPTY"));
            };
            world
                .check_file(ctx.me, id.id, id.access_hash, &id.file_reference)
                .map(Media::Document)
        }
        enums::InputMedia::Photo(photo) => {
            let enums::InputPhoto::Photo(id) = photo.id else {
                return Err(invalid("MEDIA_EMPTY"));
            };
            world
                .check_file(ctx.me, id.id, id.access_hash, &id.file_reference)
                .map(Media::Photo)
        }
        enums::InputMedia::Contact(contact) => Ok(Media::Contact(types::MessageMediaContact {
            phone_number: contact.phone_number,
            first_name: contact.first_name,
            last_name: contact.last_name,
            vcard: contact.vcard,
            user_id: 0,
        })),
        enums::InputMedia::Empty => Err(invalid("MEDIA_EMPTY")),
        _ => Err(invalid("MEDIA_INVALID")),
    }
}

fn take_upload(
    world: &mut World,
    ctx: Ctx,
    file: &enums::InputFile,
) -> Result<(String, Vec<u8>), RpcError> {
    match file {
        enums::InputFile::File(file) => {
            let bytes = world.uploads.finish(ctx.me, file.id, file.parts, false)?;
            Ok((file.name.clone(), bytes))
        }
        enums::InputFile::Big(file) => {
            let bytes = world.uploads.finish(ctx.me, file.id, file.parts, true)?;
            Ok((file.name.clone(), bytes))
        }
        enums::InputFile::StoryDocument(_) => Err(invalid("MEDIA_INVALID")),
    }
}

fn add_file(
    world: &mut World,
    ctx: Ctx,
    name: String,
    mime: String,
    attributes: Vec<enums::DocumentAttribute>,
    bytes: Vec<u8>,
) -> crate::world::FileId {
    let content = Content::Bytes(Arc::from(bytes));
    world.files.add(File {
        name,
        mime,
        attributes,
        content,
        date: ctx.now.date(),
    })
}

/// A document has a file name, whether the sender says so or not.
fn with_name(
    mut attributes: Vec<enums::DocumentAttribute>,
    name: &str,
) -> Vec<enums::DocumentAttribute> {
    let is_named = attributes
        .iter()
        .any(|attribute| matches!(attribute, enums::DocumentAttribute::Filename(_)));
    if !is_named {
        attributes.push(
            types::DocumentAttributeFilename {
                file_name: name.to_owned(),
            }
            .into(),
        );
    }
    attributes
}
