//! Files and their upload. A file has one number for everybody; its access hash and its file reference belong to one account. Content
//! is kept as it came, or generated from the file's number when a member "sends" so many bytes that nobody needs to store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grammers_tl_types::enums;

use super::error::RpcError;
use super::hash::Hashes;
use super::ids::UserId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId(pub i64);

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub name: String,
    pub mime: String,
    pub attributes: Vec<enums::DocumentAttribute>,
    pub content: Content,
    pub date: i32,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Arc<[u8]>),
    Generated { size: u64 },
}

impl File {
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Generated { size } => *size,
        }
    }

    /// Up to `limit` bytes from `offset`; fewer, or none, at the end.
    pub fn read(&self, id: FileId, offset: u64, limit: usize) -> Vec<u8> {
        let end = self.size().min(offset.saturating_add(limit as u64));
        if offset >= end {
            return Vec::new();
        }
        match &self.content {
            // Both fit: they are within the length of a slice.
            Content::Bytes(bytes) => bytes[offset as usize..end as usize].to_vec(),
            Content::Generated { .. } => (offset / 8..=(end - 1) / 8)
                .flat_map(|block| Hashes::content(id.0, block))
                .skip((offset % 8) as usize)
                .take((end - offset) as usize)
                .collect(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Files {
    all: HashMap<FileId, File>,
    last: i64,
}

impl Files {
    pub fn add(&mut self, file: File) -> FileId {
        self.last += 1;
        // Spread, as real ids are, so that nobody counts on neighbours.
        let id = FileId(5_000_000_000_000_000_000_i64.wrapping_add(self.last * 7_919));
        self.all.insert(id, file);
        id
    }

    pub fn get(&self, id: FileId) -> Option<&File> {
        self.all.get(&id)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }
}

/// Parts that were saved and not yet made into a file.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    open: HashMap<(UserId, i64), Upload>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Upload {
    parts: BTreeMap<i32, Vec<u8>>,
    big: bool,
}

/// Bytes of unfinished uploads; beyond it the simulator answers like a storage that is full.
const OPEN_BYTES_MAX: usize = 2 * 1_024 * 1_024 * 1_024;
const PART_MAX: usize = 512 * 1_024;
const PARTS_MAX: i32 = 4_000;

impl Uploads {
    pub fn save_part(
        &mut self,
        owner: UserId,
        file: i64,
        part: i32,
        total: Option<i32>,
        bytes: Vec<u8>,
    ) -> Result<(), RpcError> {
        check_part(part, total, &bytes)?;
        if self.bytes + bytes.len() > OPEN_BYTES_MAX {
            return Err(RpcError::server("FILE_WRITE_EMPTY"));
        }
        let upload = self.open.entry((owner, file)).or_default();
        upload.big = total.is_some();
        self.bytes += bytes.len();
        if let Some(old) = upload.parts.insert(part, bytes) {
            self.bytes -= old.len();
        }
        Ok(())
    }

    /// Joins the parts and forgets them. Small files and big ones must not be mixed.
    pub fn finish(
        &mut self,
        owner: UserId,
        file: i64,
        parts: i32,
        big: bool,
    ) -> Result<Vec<u8>, RpcError> {
        if !(1..=PARTS_MAX).contains(&parts) {
            return Err(RpcError::bad_request("FILE_PARTS_INVALID"));
        }
        let Some(upload) = self.open.get(&(owner, file)) else {
            return Err(RpcError::bad_request("FILE_PART_0_MISSING"));
        };
        if upload.big != big {
            return Err(RpcError::bad_request("FILE_PARTS_INVALID"));
        }
        if let Some(missing) = (0..parts).find(|part| !upload.parts.contains_key(part)) {
            return Err(RpcError::bad_request(format!(
                "FILE_PART_{missing}_MISSING"
            )));
        }
        if upload.parts.len() != parts.unsigned_abs() as usize {
            return Err(RpcError::bad_request("FILE_PARTS_INVALID"));
        }
        let lengths: Vec<usize> = upload.parts.values().map(Vec::len).collect();
        let (first, last) = (lengths[0], lengths.len() - 1);
        // All parts are of one size but the last, which may be shorter.
        if lengths
            .iter()
            .enumerate()
            .any(|(at, len)| *len > first || (at < last && *len != first))
        {
            return Err(RpcError::bad_request("FILE_PART_LENGTH_INVALID"));
        }
        let Some(upload) = self.open.remove(&(owner, file)) else {
            return Err(RpcError::bad_request("FILE_ID_INVALID"));
        };
        self.bytes -= lengths.iter().sum::<usize>();
        Ok(upload.parts.into_values().flatten().collect())
    }
}

fn check_part(part: i32, total: Option<i32>, bytes: &[u8]) -> Result<(), RpcError> {
    if !(0..PARTS_MAX).contains(&part) {
        return Err(RpcError::bad_request("FILE_PART_INVALID"));
    }
    if total.is_some_and(|total| total != -1 && !(1..=PARTS_MAX).contains(&total)) {
        return Err(RpcError::bad_request("FILE_PARTS_INVALID"));
    }
    if bytes.is_empty() {
        return Err(RpcError::bad_request("FILE_PART_EMPTY"));
    }
    if bytes.len() > PART_MAX {
        return Err(RpcError::bad_request("FILE_PART_TOO_BIG"));
    }
    let is_last = total.is_none_or(|total| part + 1 == total);
    if !is_last && (!bytes.len().is_multiple_of(1_024) || !PART_MAX.is_multiple_of(bytes.len())) {
        return Err(RpcError::bad_request("FILE_PART_SIZE_INVALID"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const BOT: UserId = UserId(1);

    fn error(result: Result<Vec<u8>, RpcError>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn parts_are_joined_in_order_and_forgotten() {
        let mut uploads = Uploads::default();
        uploads.save_part(BOT, 9, 1, None, vec![2; 10]).unwrap();
        assert_eq!(
            error(uploads.finish(BOT, 9, 2, false)),
            "FILE_PART_0_MISSING"
        );
        uploads.save_part(BOT, 9, 0, None, vec![1; 1_024]).unwrap();
        let file = uploads.finish(BOT, 9, 2, false).unwrap();
        assert_eq!((file.len(), file[0], file[1_024]), (1_034, 1, 2));
        assert_eq!(
            error(uploads.finish(BOT, 9, 2, false)),
            "FILE_PART_0_MISSING"
        );
        assert_eq!(uploads.bytes, 0);
    }

    #[test]
    fn an_upload_belongs_to_one_account_and_one_kind() {
        let mut uploads = Uploads::default();
        uploads.save_part(BOT, 9, 0, Some(1), vec![1]).unwrap();
        assert_eq!(
            error(uploads.finish(UserId(2), 9, 1, true)),
            "FILE_PART_0_MISSING"
        );
        assert_eq!(
            error(uploads.finish(BOT, 9, 1, false)),
            "FILE_PARTS_INVALID"
        );
        assert!(uploads.finish(BOT, 9, 1, true).is_ok());
    }

    #[test]
    fn part_rules_are_telegrams() {
        let mut uploads = Uploads::default();
        let mut save = |part, total, len| {
            uploads
                .save_part(BOT, 1, part, total, vec![0; len])
                .err()
                .map(|error| error.message)
        };
        assert_eq!(save(0, None, 0).as_deref(), Some("FILE_PART_EMPTY"));
        assert_eq!(
            save(0, None, PART_MAX + 1).as_deref(),
            Some("FILE_PART_TOO_BIG")
        );
        assert_eq!(save(4_000, None, 1).as_deref(), Some("FILE_PART_INVALID"));
        assert_eq!(
            save(0, Some(3), 1_000).as_deref(),
            Some("FILE_PART_SIZE_INVALID")
        );
        assert_eq!(save(2, Some(3), 1_000), None);
    }

    #[test]
    fn generated_content_is_the_same_in_any_slicing() {
        let file = File {
            name: "f".into(),
            mime: "m".into(),
            attributes: Vec::new(),
            content: Content::Generated { size: 1_001 },
            date: 0,
        };
        let id = FileId(3);
        let whole = file.read(id, 0, 5_000);
        assert_eq!(whole.len(), 1_001);
        let sliced: Vec<u8> = (0..11)
            .flat_map(|at| file.read(id, at * 100, 100))
            .collect();
        assert_eq!(whole, sliced);
        assert!(file.read(id, 1_001, 10).is_empty());
    }
}
