//! Files: sending one, and reading one back by the message that holds it.
//!
//! A file's reference belongs to the bot that saw it and expires, so a file is named by (chat, message id) and its message is fetched
//! anew each time (`telegram.md`, Identity). Parts stay below the packet size that ends a connection.
//! Source: <https://core.telegram.org/api/files>.

use grammers_client::tl;
use shared_core::{ErrorClass, MessageId, SendTarget};

use super::messages::sent_id;
use super::{Calls, random_long};
use crate::telegram::error::CallError;

/// The largest part that Telegram takes and gives; a packet above 1,032 KiB would end the connection.
const PART: usize = 512 * 1024;
/// From here on Telegram wants the calls for big files.
const BIG: usize = 10 * 1024 * 1024;
/// Telegram's bound on parts (2 GB).
const MAX_PARTS: usize = 4_000;

const GET_FILE: &str = "upload.getFile";

/// A file as it can be asked for, good until its reference expires.
struct Location {
    dc: i32,
    bytes: u64,
    input: tl::enums::InputFileLocation,
}

impl Calls {
    /// Sends a file with a caption. `None`: it was sent, and Telegram did not say under which id.
    pub async fn send_document(
        &self,
        to: SendTarget,
        name: &str,
        mime: &str,
        bytes: &[u8],
        caption: &str,
        random_id: i64,
    ) -> Result<Option<MessageId>, CallError> {
        let file = self.upload(name, bytes).await?;
        let media = tl::types::InputMediaUploadedDocument {
            nosound_video: false,
            force_file: true,
            spoiler: false,
            file,
            thumb: None,
            mime_type: mime.into(),
            attributes: vec![
                tl::types::DocumentAttributeFilename {
                    file_name: name.into(),
                }
                .into(),
            ],
            stickers: None,
            video_cover: None,
            video_timestamp: None,
            ttl_seconds: None,
        };
        let request = tl::functions::messages::SendMedia {
            silent: false,
            background: false,
            clear_draft: false,
            noforwards: false,
            update_stickersets_order: false,
            invert_media: false,
            allow_paid_floodskip: false,
            peer: self.peers().input_peer(to),
            reply_to: None,
            media: media.into(),
            message: caption.into(),
            random_id,
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
        let answer = self.call("messages.sendMedia", &request).await?;
        Ok(sent_id(&answer, random_id))
    }

    /// Reads the file of a message, at most `limit` bytes; a larger one is refused before anything is fetched.
    pub async fn download(
        &self,
        to: SendTarget,
        message: MessageId,
        limit: u64,
    ) -> Result<Vec<u8>, CallError> {
        match self.download_once(to, message, limit).await {
            // It expired between the two calls; the message has a fresh one.
            Err(error) if error.name.starts_with("FILE_REFERENCE_") => {
                self.download_once(to, message, limit).await
            }
            settled => settled,
        }
    }

    async fn upload(&self, name: &str, bytes: &[u8]) -> Result<tl::enums::InputFile, CallError> {
        let too_big = || CallError::new("upload", ErrorClass::Ours, "FILE_TOO_BIG", 0);
        let count = bytes.len().div_ceil(PART);
        let parts = i32::try_from(count).map_err(|_| too_big())?;
        if count > MAX_PARTS {
            return Err(too_big());
        }
        let id = random_long("upload")?;
        let big = bytes.len() > BIG;
        for (file_part, part) in (0..).zip(bytes.chunks(PART)) {
            if big {
                let request = tl::functions::upload::SaveBigFilePart {
                    file_id: id,
                    file_part,
                    file_total_parts: parts,
                    bytes: part.to_vec(),
                };
                self.call("upload.saveBigFilePart", &request).await?;
            } else {
                let request = tl::functions::upload::SaveFilePart {
                    file_id: id,
                    file_part,
                    bytes: part.to_vec(),
                };
                self.call("upload.saveFilePart", &request).await?;
            }
        }
        let name = name.to_owned();
        Ok(match big {
            true => tl::types::InputFileBig { id, parts, name }.into(),
            // The checksum may stay empty; TCP and MTProto have checked the parts.
            false => tl::types::InputFile {
                id,
                parts,
                name,
                md5_checksum: String::new(),
            }
            .into(),
        })
    }

    async fn download_once(
        &self,
        to: SendTarget,
        message: MessageId,
        limit: u64,
    ) -> Result<Vec<u8>, CallError> {
        let found = self.raw_message(to, message).await?;
        let location = found
            .and_then(|message| message.media)
            .and_then(location)
            .ok_or_else(|| CallError::new(GET_FILE, ErrorClass::Unreachable, "NO_FILE", 0))?;
        if location.bytes > limit {
            return Err(CallError::new(
                GET_FILE,
                ErrorClass::Other,
                "FILE_TOO_BIG",
                0,
            ));
        }
        let mut dc = self.0.session.home();
        let mut content = Vec::new();
        loop {
            match self.part(dc, &location, content.len()).await {
                Ok(part) => {
                    content.extend_from_slice(&part);
                    if part.len() < PART || content.len() as u64 >= location.bytes {
                        return Ok(content);
                    }
                }
                // Files may lie in another data centre; once there, there is nowhere else to go.
                Err(error) if dc != location.dc && matches!(error.class, ErrorClass::Moved(_)) => {
                    dc = location.dc;
                    self.authorise_in(dc).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn part(
        &self,
        dc: i32,
        location: &Location,
        offset: usize,
    ) -> Result<Vec<u8>, CallError> {
        let request = tl::functions::upload::GetFile {
            precise: false,
            cdn_supported: false,
            location: location.input.clone(),
            offset: offset as i64,
            limit: PART as i32,
        };
        match self
            .call_in(dc, self.0.deadline, GET_FILE, &request)
            .await?
        {
            tl::enums::upload::File::File(file) => Ok(file.bytes),
            tl::enums::upload::File::CdnRedirect(_) => Err(CallError::malformed(GET_FILE)),
        }
    }

    /// Lends the login to another data centre, for fetching files there.
    async fn authorise_in(&self, dc: i32) -> Result<(), CallError> {
        let export = tl::functions::auth::ExportAuthorization { dc_id: dc };
        let tl::enums::auth::ExportedAuthorization::Authorization(exported) =
            self.call("auth.exportAuthorization", &export).await?;
        let import = tl::functions::auth::ImportAuthorization {
            id: exported.id,
            bytes: exported.bytes,
        };
        self.call_in(dc, self.0.deadline, "auth.importAuthorization", &import)
            .await?;
        Ok(())
    }
}

fn location(media: tl::enums::MessageMedia) -> Option<Location> {
    match media {
        tl::enums::MessageMedia::Document(media) => match media.document? {
            tl::enums::Document::Document(it) => Some(Location {
                dc: it.dc_id,
                bytes: u64::try_from(it.size).ok()?,
                input: tl::types::InputDocumentFileLocation {
                    id: it.id,
                    access_hash: it.access_hash,
                    file_reference: it.file_reference,
                    thumb_size: String::new(),
                }
                .into(),
            }),
            tl::enums::Document::Empty(_) => None,
        },
        tl::enums::MessageMedia::Photo(media) => match media.photo? {
            tl::enums::Photo::Photo(it) => {
                let (bytes, thumb_size) = crate::telegram::convert::largest(&it.sizes)?;
                Some(Location {
                    dc: it.dc_id,
                    bytes,
                    input: tl::types::InputPhotoFileLocation {
                        id: it.id,
                        access_hash: it.access_hash,
                        file_reference: it.file_reference,
                        thumb_size,
                    }
                    .into(),
                })
            }
            tl::enums::Photo::Empty(_) => None,
        },
        _ => None,
    }
}
