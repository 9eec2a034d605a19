//! Redis's own append-only file, read for commits that stand there although their writer did not hold the epoch open.
//!
//! Redis writes what a script changed, in order, so the file shows which epoch it was and in which phase when a conversation was written. Each
//! commit also sets `epoch` in the pool's counters to the epoch that it was made in: that is who wrote. Before
//! the first rewrite of the file (64 MB) it holds the whole run. The format: <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>.

mod boxes;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use boxes::{Boxes, Kept};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalFindings {
    pub commits: u64,
    /// Those that were written while the epoch was not open, or by another epoch.
    pub stale_commits: u64,
    /// Those that say which epoch wrote them: all, else the file cannot be judged by.
    pub signed: u64,
}

/// Where the reading stands.
#[derive(Debug, Default)]
struct Reader {
    open: bool,
    epoch: Option<Vec<u8>>,
    /// The last commit has not been signed yet, and was it stale already?
    unsigned: Option<bool>,
    findings: JournalFindings,
    boxes: Boxes,
}

/// Reads the file under the data folder's `redis`.
pub fn read(state: &Path) -> Result<JournalFindings> {
    let folder = state.join("redis").join("appendonlydir");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cannot read Redis's folder {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".incr.aof"));
    files.sort();
    read_files(&files).map(|(findings, _)| findings)
}

/// Reads these files, in this order, as one history.
pub fn read_files(files: &[PathBuf]) -> Result<(JournalFindings, Boxes)> {
    let mut reader = Reader::default();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        reader.follow(&bytes);
    }
    Ok((reader.findings, reader.boxes))
}

impl Reader {
    fn follow(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(command) = next(&mut rest) {
            self.boxes.take(&command);
            let [name, key, arguments @ ..] = &command[..] else {
                continue;
            };
            let field = |wanted: &[u8]| {
                let mut fields = arguments.chunks_exact(2);
                fields.find(|pair| pair[0] == wanted).map(|pair| pair[1])
            };
            if name.eq_ignore_ascii_case(b"HSET") && key.ends_with(b"}:epoch") {
                if let Some(phase) = field(b"phase") {
                    self.open = phase == b"open";
                }
                if let Some(epoch) = field(b"epoch") {
                    self.epoch = Some(epoch.to_vec());
                }
            } else if name.eq_ignore_ascii_case(b"HSET") && key.ends_with(b"}:counters") {
                if let Some(writer) = field(b"epoch") {
                    self.signed(writer);
                }
            } else if name.eq_ignore_ascii_case(b"SET") && contains(key, b"}:c:") {
                self.findings.commits += 1;
                self.findings.stale_commits += u64::from(!self.open);
                self.unsigned = Some(!self.open);
            }
        }
    }

    /// A commit's last word: the epoch that it was made in.
    fn signed(&mut self, writer: &[u8]) {
        let Some(was_stale) = self.unsigned.take() else {
            return;
        };
        self.findings.signed += 1;
        let is_stale = self.epoch.as_deref() != Some(writer);
        self.findings.stale_commits += u64::from(is_stale && !was_stale);
    }
}

/// One command; `None` at the end, also where the last write was cut off.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Vec<&'a [u8]>> {
    // Redis 7 may note the time between commands.
    while rest.first() == Some(&b'#') {
        line(rest)?;
    }
    let count = number(line(rest)?, b'*')?;
    let mut words = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let length = number(line(rest)?, b'$')?;
        words.push(rest.get(..length)?);
        *rest = rest.get(length + 2..)?;
    }
    Some(words)
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.get(..end)?;
    *rest = rest.get(end + 1..)?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn number(line: &[u8], mark: u8) -> Option<usize> {
    let digits = line.strip_prefix(&[mark])?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(commands: &[&str]) -> Vec<u8> {
        let command = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            let each = words
                .iter()
                .map(|word| format!("${}\r\n{word}\r\n", word.len()));
            format!("*{}\r\n{}", words.len(), each.collect::<String>())
        };
        commands
            .iter()
            .map(command)
            .collect::<String>()
            .into_bytes()
    }

    fn found(bytes: &[u8]) -> (u64, u64) {
        let findings = read_all(bytes);
        (findings.commits, findings.stale_commits)
    }

    fn read_all(bytes: &[u8]) -> JournalFindings {
        let mut reader = Reader::default();
        reader.follow(bytes);
        reader.findings
    }

    const OPEN: &str = "HSET us:{main}:epoch phase open since 5";
    const BY_1: &str = "HSET us:{main}:counters epoch 1";
    const BY_2: &str = "HSET us:{main}:counters epoch 2";
    const FENCED: &str = "HSET us:{main}:epoch epoch 2 nonce aa phase fenced since 6";
    const COMMIT: &str = "SET us:{main}:c:7 1";

    #[test]
    fn a_commit_in_an_open_epoch_is_well_and_one_behind_a_fence_is_stale() {
        let well = file(&["SELECT 0", OPEN, "MULTI", COMMIT, "EXEC", FENCED]);
        assert_eq!(found(&well), (1, 0));
        assert_eq!(found(&file(&[OPEN, FENCED, COMMIT, OPEN, COMMIT])), (2, 1));
    }

    #[test]
    fn a_commit_of_the_fenced_epoch_is_stale_also_when_the_next_one_is_open() {
        let first = "HSET us:{main}:epoch epoch 1 nonce aa phase fenced";
        let mut words = vec![first, OPEN, COMMIT, BY_1, FENCED, OPEN, COMMIT, BY_2];
        assert_eq!(found(&file(&words)), (2, 0));
        words.extend([COMMIT, BY_1]);
        assert_eq!(found(&file(&words)), (3, 1));
        assert_eq!(read_all(&file(&words)).signed, 3);
    }

    #[test]
    fn a_commit_that_breaks_both_rules_counts_once_and_one_without_a_name_is_told_apart() {
        let both = read_all(&file(&[OPEN, FENCED, COMMIT, BY_1, COMMIT]));
        assert_eq!((both.commits, both.stale_commits, both.signed), (2, 2, 1));
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_up_to_there() {
        let whole = file(&[OPEN, COMMIT, COMMIT]);
        assert_eq!(found(&whole[..whole.len() - 3]), (1, 0));
        assert_eq!(found(b"#TS:1\r\n"), (0, 0));
    }
}
