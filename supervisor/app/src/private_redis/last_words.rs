//! What a server that ended has written into its log.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What the server said last that was a warning or an error, and what helps where that is known.
pub(super) fn last_words(log: &Path) -> String {
    let Some(line) = last_warning(log) else {
        return String::new();
    };
    let remedy = if line.contains("append only file") {
        " (make a copy of its folder, then mend the file with redis-check-aof --fix)"
    } else {
        ""
    };
    format!(": \"{line}\"{remedy}")
}

/// Redis marks them: `123:M 21 Nov 2026 01:02:03.456 # words`.
fn last_warning(log: &Path) -> Option<String> {
    const TAIL: u64 = 8192;
    let mut file = std::fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    let words = tail.lines().rev().find_map(|line| line.split_once(" # "));
    words.map(|(_, words)| words.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failed_start_is_told_in_redis_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("redis.log");
        assert_eq!(last_words(&log), "");
        let before = "7:M 21 Nov 2026 01:02:03.456 * Ready to accept connections\n";
        std::fs::write(&log, before).unwrap();
        assert_eq!(last_words(&log), "");
        let bad = "7:M 21 Nov 2026 01:02:04.000 # Bad file format reading the append only file x.aof: see the log\n";
        std::fs::write(&log, format!("{before}{bad}")).unwrap();
        let said = last_words(&log);
        assert!(
            said.starts_with(": \"Bad file format reading the append only file"),
            "{said}"
        );
        assert!(said.contains("redis-check-aof --fix"), "{said}");
    }
}
