//! The HTTP listener's address, and the time between invitations.

use std::net::TcpListener;

use super::folder::Folder;

fn with(section: &str) -> Folder {
    let folder = Folder::new();
    folder.replace("[workers]", &format!("{section}\n\n[workers]"));
    folder
}

fn refused(section: &str, parts: &[&str]) {
    let folder = with(section);
    for words in [&["config", "check"][..], &["run"], &["status"]] {
        folder.run(words).refused_in_one_line(parts);
    }
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named() {
    for bad in ["8080", "localhost:8080", "127.0.0.1", "127.0.0.1:99999", ""] {
        let section = format!("[http]\nlisten = \"{bad}\"");
        refused(
            &section,
            &[
                "http.listen",
                "is not an address to listen on",
                "127.0.0.1:8080",
            ],
        );
    }
    refused(
        "[http]\nport = 1",
        &[
            "http.port",
            "there is no such setting",
            "listen, public_url",
        ],
    );
}

#[test]
fn a_public_address_that_cannot_stand_in_a_message_is_named() {
    let long = format!("https://{}", "a".repeat(300));
    for bad in [
        "go.example.org",
        "ftp://go.example.org",
        "https://",
        "https://u:p@go.example.org",
        "https://go.example.org/?a=1",
        "https://go.example.org/a b",
        long.as_str(),
    ] {
        let section = format!("[http]\npublic_url = \"{bad}\"");
        refused(
            &section,
            &[
                "http.public_url",
                "can stand in a message",
                "write https://HOST",
            ],
        );
    }
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = with(&format!("[http]\nlisten = \"{address}\""));
    let said = folder.run(&["run"]);
    said.refused(&[
        "http.listen",
        &address.to_string(),
        "another program listens there",
        "choose another address",
    ]);
    let elsewhere = with("[http]\nlisten = \"192.0.2.1:8080\"");
    elsewhere.run(&["run"]).refused(&[
        "http.listen",
        "192.0.2.1:8080",
        "this machine has no such address",
    ]);
    let socket = folder.path("data/redis/redis.sock");
    assert!(!socket.exists(), "nothing was started");
}

#[test]
fn a_time_between_invitations_that_is_none_is_named() {
    for bad in ["7", "\"7\"", "\"soon\"", "\"-1d\"", "1.5", "true"] {
        let folder = with(&format!("[reach]\ninvite_again = {bad}"));
        let said = folder.run(&["config", "check"]);
        said.refused_in_one_line(&["reach.invite_again"]);
        assert!(said.err.contains("7d"), "{said:?}");
    }
    refused(
        "[reach]\ninvite_again = \"400d\"",
        &["reach.invite_again", "longer than a year"],
    );
    let shown = with("[reach]\ninvite_again = \"12h\"").run(&["config", "show"]);
    assert!(
        shown.out.contains("reach.invite_again_s = 43200"),
        "{shown:?}"
    );
    let never = with("[reach]\ninvite_again = 0").run(&["config", "show"]);
    assert!(never.out.contains("reach.invite_again_s = 0"), "{never:?}");
}
