//! Help and completions; no configuration is needed for them.

use super::{plain, text};

#[test]
fn completions_come_from_the_parser() {
    for (shell, mark) in [
        ("bash", "complete -F _understudy"),
        ("zsh", "#compdef understudy"),
        ("fish", "complete -c understudy"),
    ] {
        let output = plain(&["completions", shell]);
        let script = text(&output, 0);
        assert!(script.contains(mark), "{shell}: {script}");
        for command in ["switch", "doctor", "--dry-run"] {
            let word = command.trim_start_matches('-');
            assert!(script.contains(word), "{shell}: no {command}");
        }
    }
    assert_eq!(plain(&["completions", "tcsh"]).status.code(), Some(2));
}

/// What bash offers after these words, by our script.
fn completed(words: &[&str]) -> Vec<String> {
    let script = text(&plain(&["completions", "bash"]), 0);
    let last = words.last().copied().unwrap_or_default();
    let before = words
        .len()
        .checked_sub(2)
        .map_or("understudy", |at| words[at]);
    let asked = format!(
        "{script}\nCOMP_WORDS=(understudy {}); COMP_CWORD={}\n\
         _understudy understudy '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len(),
    );
    let output = std::process::Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &asked])
        .output()
        .unwrap();
    let offered = text(&output, 0);
    assert!(output.stderr.is_empty(), "{output:?}");
    offered.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options_by_the_script() {
    assert_eq!(completed(&["sw"]), ["switch"]);
    assert_eq!(completed(&["config", "ch"]), ["check"]);
    assert_eq!(completed(&["switch", "--dry"]), ["--dry-run"]);
    assert_eq!(completed(&["nonsense"]).concat(), "");
}

/// The commands that a help text lists.
fn commands_in(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_help_with_an_example_and_its_exit_codes() {
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = Vec::new();
    while let Some(path) = open.pop() {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--help");
        let help = text(&plain(&words), 0);
        assert!(help.contains("Example"), "{words:?}: {help}");
        let has_codes = help.contains("Exit codes: 0") || path == ["completions"];
        assert!(has_codes, "{words:?}: {help}");
        for command in commands_in(&help) {
            open.push(path.iter().cloned().chain([command]).collect());
        }
        seen.push(path.join(" "));
    }
    // Itself, its commands, and theirs.
    assert!(seen.len() >= 20, "{seen:?}");
    for command in [
        "config show",
        "secrets give-up",
        "doctor",
        "conversations quarantine restore",
    ] {
        assert!(seen.iter().any(|it| it == command), "{command}: {seen:?}");
    }
}
