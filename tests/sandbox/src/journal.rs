//! Redis's own append-only file, read for commits that stand there although nobody held the epoch open.
//!
//! Redis writes what a script changed, in order, so the file shows which phase the epoch was in when a conversation was written. It
//! does not show who wrote: a commit of a fenced worker after the next one was opened would have to pass as that one's. Before
//! the first rewrite of the file (64 MB) it holds the whole run. The format: <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalFindings {
    pub commits: u64,
    /// Those that were written while the epoch was not open.
    pub stale_commits: u64,
}

/// Reads the file under the data folder's `redis`.
pub fn read(state: &Path) -> Result<JournalFindings> {
    let folder = state.join("redis").join("appendonlydir");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cannot read Redis's folder {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".incr.aof"));
    files.sort();
    let mut findings = JournalFindings::default();
    let mut open = false;
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        follow(&bytes, &mut open, &mut findings);
    }
    Ok(findings)
}

fn follow(bytes: &[u8], open: &mut bool, findings: &mut JournalFindings) {
    let mut rest = bytes;
    while let Some(command) = next(&mut rest) {
        let [name, key, arguments @ ..] = &command[..] else {
            continue;
        };
        if name.eq_ignore_ascii_case(b"HSET") && key.ends_with(b"}:epoch") {
            let mut fields = arguments.chunks_exact(2);
            if let Some([_, phase]) = fields.find(|pair| pair[0] == b"phase") {
                *open = *phase == b"open";
            }
        } else if name.eq_ignore_ascii_case(b"SET") && contains(key, b"}:c:") {
            findings.commits += 1;
            findings.stale_commits += u64::from(!*open);
        }
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
        let mut findings = JournalFindings::default();
        follow(bytes, &mut false, &mut findings);
        (findings.commits, findings.stale_commits)
    }

    const OPEN: &str = "HSET us:{main}:epoch phase open since 5";
    const FENCED: &str = "HSET us:{main}:epoch epoch 2 nonce aa phase fenced since 6";
    const COMMIT: &str = "SET us:{main}:c:7 1";

    #[test]
    fn a_commit_in_an_open_epoch_is_well_and_one_behind_a_fence_is_stale() {
        let well = file(&["SELECT 0", OPEN, "MULTI", COMMIT, "EXEC", FENCED]);
        assert_eq!(found(&well), (1, 0));
        assert_eq!(found(&file(&[OPEN, FENCED, COMMIT, OPEN, COMMIT])), (2, 1));
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_up_to_there() {
        let whole = file(&[OPEN, COMMIT, COMMIT]);
        assert_eq!(found(&whole[..whole.len() - 3]), (1, 0));
        assert_eq!(found(b"#TS:1\r\n"), (0, 0));
    }
}
