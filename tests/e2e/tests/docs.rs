//! What the documents tell a reader to type is there: scripts, programs, options, files.
//!
//! Long runs are not repeated here (the sandbox and the figures have their own tests); what is checked is that nothing in a document
//! has been renamed or removed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::built;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut files = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    files.extend(
        std::fs::read_dir(root().join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    files
        .into_iter()
        .map(|file| (file.clone(), std::fs::read_to_string(&file).unwrap()))
        .collect()
}

/// Commands in `sh` blocks and in back quotes, without their comments.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_shell = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if in_shell {
            let command = line.split('#').next().unwrap().trim();
            let command = command
                .strip_prefix("sudo -u understudy ")
                .unwrap_or(command);
            found.push(command.to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found.retain(|command| command.starts_with("./scripts/") || command.starts_with("understudy "));
    found
}

/// The text that tells which options a program takes.
fn help_of(program: &str, arguments: &[&str]) -> String {
    match program {
        "./scripts/run" if arguments.contains(&"--config") => {
            help(&["understudy"], &["run", "--help"])
        }
        "./scripts/run" => help(&["understudy-sandbox"], &["--help"]),
        "understudy" => {
            // `config check` is a command in a command; what else stands before an option is harmless.
            let is_word = |word: &&&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let words = arguments.iter().take_while(|word| !word.starts_with('-'));
            let mut words: Vec<&str> = words.take_while(is_word).copied().collect();
            words.push("--help");
            help(&["understudy"], &words)
        }
        script => {
            let text = std::fs::read_to_string(root().join(script)).unwrap();
            // The usage stands in the comment that opens it; what its commands pass on is not the script's.
            let header = text.lines().take_while(|line| line.starts_with('#'));
            header.map(|line| format!("{line}\n")).collect()
        }
    }
}

/// The options that a help text names, each as a whole word.
fn options_in(help: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    help.split(|c| !is_part(c))
        .filter(|word| word.starts_with("--"))
        .collect()
}

#[test]
fn an_option_is_a_whole_word() {
    let options = options_in("  -c, --config <FILE>  [--timeout=SECONDS] `--dry-run`, (--to)");
    let wanted = ["--config", "--dry-run", "--timeout", "--to"];
    assert_eq!(options, BTreeSet::from(wanted));
    assert!(!options_in("--timeout").contains("--to"));
}

fn help(program: &[&str], arguments: &[&str]) -> String {
    let output = Command::new(built(program[0]).unwrap())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program:?} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_in_a_document_can_be_typed() {
    let mut seen = 0;
    for (file, text) in documents() {
        for command in commands(&text) {
            let words: Vec<&str> = command.split_whitespace().collect();
            if words[0].starts_with("./") {
                assert!(
                    root().join(words[0]).is_file(),
                    "{}: {command}",
                    file.display()
                );
            }
            let help = help_of(words[0], &words[1..]);
            let known = options_in(&help);
            for option in words[1..].iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap();
                assert!(
                    known.contains(option),
                    "{}: {command}: no {option}",
                    file.display()
                );
            }
            seen += 1;
        }
    }
    assert!(
        seen >= 6,
        "only {seen} commands found: the documents are not read as they are written"
    );
}

/// What leads to a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for (file, text) in documents() {
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = file.parent().unwrap().join(path);
            assert!(target.exists(), "{}: {link} leads nowhere", file.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(anchor);
                let is_there = anchors.any(|anchor| anchor == heading);
                assert!(is_there, "{}: no heading for {link}", file.display());
            }
        }
    }
}

#[test]
fn the_example_configuration_is_one() {
    let text = std::fs::read_to_string(root().join("understudy.example.toml")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let secrets = place.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    for (name, value) in [
        ("api_hash", "0123456789abcdef0123456789abcdef".to_owned()),
        ("first.token", format!("7000001:{}", "A".repeat(35))),
        ("second.token", format!("7000002:{}", "B".repeat(35))),
        ("third.token", format!("7000003:{}", "C".repeat(35))),
    ] {
        use std::os::unix::fs::PermissionsExt;
        let file = secrets.join(name);
        std::fs::write(&file, value).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let file = place.path().join("understudy.toml");
    std::fs::write(&file, text).unwrap();
    let config = shared_io::config::Config::load(&file).unwrap();
    assert_eq!(config.pools[0].bots.len(), 3);
}

/// The code that a developer is shown is the code that is compiled and tested: each line of it stands in the worker's core.
#[test]
fn the_code_that_a_document_shows_is_the_code_that_stands() {
    let mut sources = String::new();
    let mut folders = vec![root().join("bot-worker/core/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let lines: BTreeSet<&str> = sources.lines().map(str::trim).collect();
    let mut seen = 0;
    for (file, text) in documents() {
        for block in text.split("```rust\n").skip(1) {
            for line in block.split("```").next().unwrap().lines() {
                assert!(lines.contains(line.trim()), "{}: {line}", file.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 2, "only {seen} lines found");
}

/// All Rust sources of the repository, one behind the other.
fn sources() -> String {
    let folders = ["shared", "supervisor", "bot-worker", "schema", "tests"];
    let mut folders: Vec<PathBuf> = folders.iter().map(|name| root().join(name)).collect();
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    sources
}

/// A function that is marked as a test, or one that stands in the list of a contract which is run on each database; no helper.
fn is_a_test(sources: &str, name: &str) -> bool {
    let lines: Vec<&str> = sources.lines().map(str::trim).collect();
    let opening = format!("fn {name}(");
    let marked = lines.iter().enumerate().any(|(at, line)| {
        let mut above = lines[..at].iter().rev();
        line.contains(&opening)
            && above
                .by_ref()
                .take_while(|line| line.starts_with("#[") || line.starts_with("///"))
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    });
    let listed = lines.iter().any(|line| {
        let last = line.trim_end_matches(',');
        last == name || last.ends_with(&format!("::{name}"))
    });
    marked || listed && lines.iter().any(|line| line.contains(&opening))
}

#[test]
fn a_helper_is_no_test() {
    let sources = "fn help() {}\n/// Why.\n#[test]\n#[ignore]\nfn one() {}\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\n";
    assert!(is_a_test(sources, "one") && is_a_test(sources, "two"));
    assert!(!is_a_test(sources, "help") && !is_a_test(sources, "three"));
}

/// Comments lead to documents; to those only that everybody has.
#[test]
fn every_document_that_a_comment_names_is_there() {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let mut seen = 0;
    for line in sources()
        .lines()
        .filter(|line| line.trim().starts_with("//"))
    {
        let words = line
            .split(|c| !is_part(c))
            .map(|word| word.trim_matches('.'));
        for word in words.filter(|word| word.ends_with(".md") && !word.contains("//")) {
            assert!(root().join(word).is_file(), "{word}: {line}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} documents are named");
}

/// A test that is renamed must not leave the table of what others have met without its proof.
#[test]
fn every_test_that_the_table_of_scenarios_names_is_there() {
    let sources = sources();
    let scenarios = root().join("supervisor/core/tests/scenarios");
    let files: Vec<String> = std::fs::read_dir(scenarios)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let is_there = |name: &str| match (name.strip_suffix('*'), name.contains('-')) {
        (Some(begin), _) => files.iter().any(|file| file.starts_with(begin)),
        // The model's bugs are tests as well: each is caught.
        (None, true) => sources.contains(&format!("= \"{name}\",")),
        (None, false) => is_a_test(&sources, name) || files.contains(&format!("{name}.txt")),
    };
    let table = std::fs::read_to_string(root().join("docs/scenarios.md")).unwrap();
    let mut seen = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let tests = row.trim_end_matches([' ', '|']).rsplit(" | ").next();
        let names: Vec<&str> = tests.unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(is_there(name), "{name} is no test: {row}");
            seen += 1;
        }
    }
    assert!(seen >= 30, "only {seen} names found");
}
