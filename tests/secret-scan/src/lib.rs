//! Looks for secrets where none may be: logs, dumps, databases, Redis values. For tests.
//!
//! A secret is found raw, as hex in both cases, as base64 (standard and URL alphabet) at whichever of the three alignments it sits
//! in a longer encoded text, and URL-encoded. Invariant: a finding names the needle by the name it was given, never by its
//! content. What is compressed or encrypted is not looked into.
//! Source of the alignments: RFC 4648, three bytes are four characters.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// Shorter needles turn up by chance.
pub const SHORTEST: usize = 8;

/// How much of a file is in memory at once.
const CHUNK: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    Raw,
    Hex,
    Base64,
    UrlEncoded,
}

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name that the needle was given.
    pub needle: String,
    pub form: Form,
    /// `None` for bytes in memory.
    pub file: Option<PathBuf>,
    pub offset: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.file {
            Some(file) => file.display().to_string(),
            None => "memory".to_owned(),
        };
        write!(
            f,
            "{place}: {} as {:?} at byte {}",
            self.needle, self.form, self.offset
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a needle of {length} bytes would be found everywhere; {SHORTEST} is the least")]
pub struct TooShort {
    length: usize,
}

/// The secrets to look for.
#[derive(Default)]
pub struct Scanner {
    patterns: Vec<Pattern>,
}

impl Scanner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret under a name that may be printed.
    pub fn add(&mut self, name: &str, secret: &[u8]) -> Result<(), TooShort> {
        if secret.len() < SHORTEST {
            let length = secret.len();
            return Err(TooShort { length });
        }
        let mut forms = vec![
            (Form::Raw, secret.to_vec()),
            (Form::Hex, hex::encode(secret).into_bytes()),
            (Form::Hex, hex::encode_upper(secret).into_bytes()),
        ];
        for shift in 0..3 {
            forms.push((
                Form::Base64,
                base64_core(&BASE64_STANDARD_NO_PAD, secret, shift),
            ));
            forms.push((
                Form::Base64,
                base64_core(&BASE64_URL_SAFE_NO_PAD, secret, shift),
            ));
        }
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            forms.push((Form::UrlEncoded, url_encoded(secret, digits)));
        }
        for (form, bytes) in forms {
            // A token without special characters is the same URL-encoded and raw; the first form names it.
            if !self
                .patterns
                .iter()
                .any(|known| known.needle == name && known.bytes == bytes)
            {
                self.patterns.push(Pattern::new(name, form, bytes));
            }
        }
        Ok(())
    }

    /// The first occurrence of each form of each secret.
    pub fn bytes(&self, haystack: &[u8]) -> Vec<Finding> {
        let found = self.patterns.iter().filter_map(|pattern| {
            let offset = pattern.find(haystack)?;
            Some(pattern.finding(None, offset as u64))
        });
        found.collect()
    }

    /// The same for a file of any size.
    pub fn file(&self, path: &Path) -> io::Result<Vec<Finding>> {
        let overlap = self
            .patterns
            .iter()
            .map(|pattern| pattern.bytes.len())
            .max()
            .unwrap_or(1)
            - 1;
        let mut file = std::fs::File::open(path)?;
        let mut found: Vec<Option<u64>> = vec![None; self.patterns.len()];
        let mut window = Vec::with_capacity(CHUNK + overlap);
        let mut start = 0_u64;
        loop {
            let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
            if read == 0 {
                break;
            }
            for (pattern, found) in self.patterns.iter().zip(&mut found) {
                if found.is_none() {
                    *found = pattern.find(&window).map(|offset| start + offset as u64);
                }
            }
            // What straddles two chunks is whole in the next window.
            let gone = window.len().saturating_sub(overlap);
            window.drain(..gone);
            start += gone as u64;
        }
        let findings = self
            .patterns
            .iter()
            .zip(found)
            .filter_map(|(pattern, offset)| {
                offset.map(|offset| pattern.finding(Some(path.to_owned()), offset))
            });
        Ok(findings.collect())
    }

    /// Every regular file below `folder`; links are not followed. A file that vanishes meanwhile has nothing to show.
    pub fn tree(&self, folder: &Path) -> io::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    match self.file(&entry.path()) {
                        Ok(more) => findings.extend(more),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(findings)
    }
}

/// One form of one secret, with Horspool's table of how far a mismatch lets the search skip.
struct Pattern {
    needle: String,
    form: Form,
    bytes: Vec<u8>,
    skip: Box<[usize; 256]>,
}

impl Pattern {
    fn new(needle: &str, form: Form, bytes: Vec<u8>) -> Self {
        let mut skip = Box::new([bytes.len(); 256]);
        for (at, byte) in bytes.iter().enumerate().take(bytes.len() - 1) {
            skip[usize::from(*byte)] = bytes.len() - 1 - at;
        }
        Self {
            needle: needle.to_owned(),
            form,
            bytes,
            skip,
        }
    }

    fn find(&self, haystack: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(window) = haystack.get(at..at + self.bytes.len()) {
            if window == self.bytes {
                return Some(at);
            }
            at += self.skip[usize::from(window[window.len() - 1])];
        }
        None
    }

    fn finding(&self, file: Option<PathBuf>, offset: u64) -> Finding {
        Finding {
            needle: self.needle.clone(),
            form: self.form,
            file,
            offset,
        }
    }
}

/// The characters that depend on the secret alone when `shift` unknown bytes (modulo three) stand before it and any after it.
fn base64_core(engine: &impl Engine, secret: &[u8], shift: usize) -> Vec<u8> {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(secret);
    let encoded = engine.encode(&shifted).into_bytes();
    // `shift` bytes reach into their own characters and one more; the last whole character ends at a multiple of six bits.
    let first = if shift == 0 { 0 } else { shift + 1 };
    let end = shifted.len() * 8 / 6;
    encoded[first..end].to_vec()
}

/// Every byte but unreserved ones as `%xx`: RFC 3986, section 2.3.
fn url_encoded(secret: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(secret.len() * 3);
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            encoded.extend_from_slice(&[b'%', digits[high], digits[low]]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
