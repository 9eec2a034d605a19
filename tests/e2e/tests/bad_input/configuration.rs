//! What is wrong in the configuration or in a file that it refers to: the same line from every command, and nothing is made.

use crate::folder::{Folder, TOKEN};

/// Every command that needs the configuration says the same, and none of them makes anything.
#[track_caller]
fn refused_everywhere(folder: &Folder, parts: &[&str]) {
    for words in [
        ["run"].as_slice(),
        &["config", "check"],
        &["status"],
        &["rotate", "--dry-run"],
        &["events"],
        &["smoke"],
    ] {
        folder.run(words).refused_in_one_line(parts);
    }
    folder.run(&["doctor"]).diagnosed(parts);
    assert!(!folder.path("data").exists(), "something was made");
}

#[test]
fn an_unknown_key_is_named_with_those_that_exist() {
    let folder = Folder::new();
    folder.replace("api_id", "app_id");
    let parts = [
        "understudy.toml: telegram.app_id: there is no such setting",
        "write one of these: api_id, api_hash, dc",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_wrong_type_is_named_with_what_is_expected() {
    let folder = Folder::new();
    folder.replace("local = 1", "local = \"many\"");
    let parts = [
        "understudy.toml: workers.local: is a text and has to be",
        "a whole number; write digits only",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_number_in_quotes_and_an_empty_folder_are_refused() {
    let folder = Folder::new();
    folder.replace("local = 1", "local = \"1\"");
    let parts = [
        "workers.local: is a text",
        "write digits only, without quotes",
    ];
    refused_everywhere(&folder, &parts);
    folder.replace("local = \"1\"", "local = 1");
    folder.replace("data_dir = \"data\"", "data_dir = \"\"");
    refused_everywhere(&folder, &["data_dir: is empty; write a folder"]);
}

#[test]
fn values_of_the_example_that_stand_unchanged_are_named() {
    let folder = Folder::new();
    let left = "the example's values stand unchanged";
    assert!(!folder.run(&["config", "check"]).out.contains(left));
    folder.replace("api_id = 17", "api_id = 1");
    folder.replace("id = 500", "id = 1000000002");
    let values = "telegram.api_id = 1, pool[0].channel[0].id = 1000000002";
    let said = folder.run(&["config", "check"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = said.out.lines().find(|line| line.contains(left)).unwrap();
    assert!(
        line.starts_with("warning: ") && line.ends_with(values),
        "{line}"
    );
    folder.run(&["doctor"]).diagnosed(&[left, values]);
}

#[test]
fn what_is_not_toml_is_named_by_its_line() {
    let folder = Folder::new();
    folder.replace("api_id = 17", "api_id = ");
    refused_everywhere(
        &folder,
        &["understudy.toml: line 4, column", "mend that line"],
    );
}

#[test]
fn a_missing_file_is_named_with_the_way_to_one() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path("understudy.toml")).unwrap();
    let parts = [
        "cannot be read (entity not found)",
        "copy understudy.example.toml there",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_malformed_token_is_refused_and_not_repeated() {
    let folder = Folder::new();
    folder.write("second.token", "7000002-AAHk3b_0123456789");
    let parts = [
        "pool[0].bot[1].token: the bot token is malformed",
        "copy it again, in one line",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn two_bots_with_one_token_are_told_apart() {
    let folder = Folder::new();
    folder.write("second.token", TOKEN);
    let parts = [
        "pool[0].bot[1].token: is of the same bot (b7000001) as `first` of pool `main`",
        "give each entry the token of another bot",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let folder = Folder::new();
    folder.replace("file:first.token", TOKEN);
    let parts = [
        "pool[0].bot[0].token: a secret may not stand here",
        "mode 600",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_basic_group_is_refused_with_the_step_that_converts_it() {
    let folder = Folder::new();
    folder.replace("id = 500", "id = -500");
    let parts = [
        "pool[0].channel[0].id: -500 is no channel and no supergroup",
        "convert a basic group into a supergroup and write its new id",
    ];
    refused_everywhere(&folder, &parts);
}

#[test]
fn a_secret_that_everybody_may_read_is_refused_and_mended_when_asked() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let token = folder.path("first.token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let parts = [
        "first.token` is open to every user of this machine (mode 644)",
        "chmod o-rwx",
    ];
    refused_everywhere(&folder, &parts);

    let said = folder.run(&["doctor", "--fix"]);
    assert!(said.out.contains("fixed secret file"), "{said:?}");
    let mode = std::fs::metadata(&token).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "others are shut out, nothing else has changed");
    assert_eq!(folder.run(&["config", "check"]).code, Some(0));
}

#[test]
fn what_is_in_effect_is_shown_without_a_secret() {
    let folder = Folder::new().environment("UNDERSTUDY__TIMING__PROBE_MS", "1500");
    let shown = folder.run(&["config", "show"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for line in [
        "timing.probe_ms = 1500",
        "timing.lease_ttl_ms = 1000",
        "redis.url = \"private\"",
        "pool[0].bot[1].name = \"second\"",
        "pool[0].bot[1].token = \"(secret)\"",
        "pool[0].channel[0].rights = [\"post_messages\"]",
    ] {
        assert!(
            shown.out.lines().any(|it| it == line),
            "{line} is not in {}",
            shown.out
        );
    }
    let json = folder.run(&["config", "show", "--json"]);
    for said in [shown, json] {
        assert!(
            !said.out.contains("AAHk3b") && !said.out.contains("0123456789abcdef"),
            "{said:?}"
        );
    }
}
