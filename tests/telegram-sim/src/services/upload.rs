//! `upload.*`: parts come in, pieces go out. The rules on sizes and offsets are those of core.telegram.org/api/files.

use grammers_tl_types as tl;
use tl::functions::upload;
use tl::{enums, types};

use crate::dispatch::Ctx;
use crate::world::{FileId, RpcError, UserId, World};

const KIB: i64 = 1_024;
const MIB: i64 = 1_024 * KIB;

pub(crate) fn save_file_part(
    world: &mut World,
    ctx: Ctx,
    request: upload::SaveFilePart,
) -> Result<bool, RpcError> {
    let upload::SaveFilePart {
        file_id,
        file_part,
        bytes,
    } = request;
    world
        .uploads
        .save_part(ctx.me, file_id, file_part, None, bytes)
        .map(|()| true)
}

pub(crate) fn save_big_file_part(
    world: &mut World,
    ctx: Ctx,
    request: upload::SaveBigFilePart,
) -> Result<bool, RpcError> {
    let upload::SaveBigFilePart {
        file_id,
        file_part,
        file_total_parts,
        bytes,
    } = request;
    world
        .uploads
        .save_part(ctx.me, file_id, file_part, Some(file_total_parts), bytes)
        .map(|()| true)
}

pub(crate) fn get_file(
    world: &mut World,
    ctx: Ctx,
    request: upload::GetFile,
) -> Result<enums::upload::File, RpcError> {
    check_range(request.offset, request.limit, request.precise)?;
    let file = match &request.location {
        enums::InputFileLocation::InputDocumentFileLocation(at) => {
            world.check_file(ctx.me, at.id, at.access_hash, &at.file_reference)?
        }
        enums::InputFileLocation::InputPhotoFileLocation(at) => {
            world.check_file(ctx.me, at.id, at.access_hash, &at.file_reference)?
        }
        _ => return Err(RpcError::bad_request("LOCATION_INVALID")),
    };
    let stored = world
        .files
        .get(file)
        .ok_or_else(|| RpcError::bad_request("FILE_ID_INVALID"))?;
    // Both are not negative: checked above.
    let bytes = stored.read(
        file,
        request.offset.unsigned_abs(),
        request.limit.unsigned_abs() as usize,
    );
    Ok(types::upload::File {
        r#type: kind(&stored.mime),
        mtime: stored.date,
        bytes,
    }
    .into())
}

impl World {
    /// The file, if hash and reference are the caller's own.
    pub(crate) fn check_file(
        &self,
        me: UserId,
        id: i64,
        access_hash: i64,
        file_reference: &[u8],
    ) -> Result<FileId, RpcError> {
        if self.files.get(FileId(id)).is_none() || access_hash != self.hashes.file(me, id) {
            return Err(RpcError::bad_request("FILE_ID_INVALID"));
        }
        if file_reference != self.hashes.file_reference(me, id) {
            return Err(RpcError::bad_request("FILE_REFERENCE_EXPIRED"));
        }
        Ok(FileId(id))
    }
}

fn check_range(offset: i64, limit: i32, precise: bool) -> Result<(), RpcError> {
    let limit = i64::from(limit);
    let grain = if precise { KIB } else { 4 * KIB };
    if offset < 0 || offset % grain != 0 {
        return Err(RpcError::bad_request("OFFSET_INVALID"));
    }
    let fits = limit > 0 && limit <= MIB && limit % grain == 0 && (precise || MIB % limit == 0);
    // A piece never crosses the border of a mebibyte.
    if !fits || offset / MIB != (offset + limit - 1) / MIB {
        return Err(RpcError::bad_request("LIMIT_INVALID"));
    }
    Ok(())
}

fn kind(mime: &str) -> enums::storage::FileType {
    match mime {
        "image/jpeg" => enums::storage::FileType::FileJpeg,
        "image/png" => enums::storage::FileType::FilePng,
        "image/gif" => enums::storage::FileType::FileGif,
        "image/webp" => enums::storage::FileType::FileWebp,
        "application/pdf" => enums::storage::FileType::FilePdf,
        "audio/mpeg" => enums::storage::FileType::FileMp3,
        "video/mp4" => enums::storage::FileType::FileMp4,
        _ => enums::storage::FileType::FileUnknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_telegrams_grain() {
        let check = |offset, limit, precise| {
            check_range(offset, limit, precise)
                .err()
                .map(|error| error.message)
        };
        assert_eq!(check(0, 524_288, false), None);
        assert_eq!(check(4_096, 4_096, false), None);
        assert_eq!(
            check(1_024, 4_096, false).as_deref(),
            Some("OFFSET_INVALID")
        );
        assert_eq!(check(1_024, 1_024, true), None);
        assert_eq!(check(0, 12_288, false).as_deref(), Some("LIMIT_INVALID"));
        assert_eq!(
            check(0, 2 * 1_048_576, false).as_deref(),
            Some("LIMIT_INVALID")
        );
        assert_eq!(
            check(524_288, 1_048_576, false).as_deref(),
            Some("LIMIT_INVALID")
        );
        assert_eq!(check(0, 0, false).as_deref(), Some("LIMIT_INVALID"));
    }
}
