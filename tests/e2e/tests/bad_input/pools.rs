//! Which pool a command is about: a name that is not there, none where one is needed, and one of several.

use crate::folder::Folder;

#[test]
fn a_pool_or_bot_that_is_not_there_is_answered_with_those_that_are() {
    let folder = Folder::new();
    folder
        .run(&["rotate", "--pool", "other"])
        .refused_in_one_line(&["there is no pool `other`", "--pool is one of: main"]);
    folder
        .run(&["switch", "--to", "third"])
        .refused_in_one_line(&[
            "pool `main` has no bot `third`",
            "write one of: first, second",
        ]);
}

/// `second` beside `main`.
fn two_pools() -> Folder {
    let folder = Folder::new();
    folder.replace("[[pool]]", "[[pool]]\nname = \"second\"\n[[pool.bot]]\nname = \"x\"\ntoken = \"file:third.token\"\n[[pool.channel]]\nid = 501\nrole = \"storage\"\n[[pool]]");
    folder.write("third.token", "7000003:AAHk3b_0123456789-abcdefghijklmnop");
    folder
}

#[test]
fn an_order_asks_which_of_several_pools_is_meant() {
    for words in [["pause"].as_slice(), &["rotate"], &["pin", "first"]] {
        two_pools()
            .run(words)
            .refused_in_one_line(&["which pool? add --pool with one of: second, main"]);
    }
}

#[test]
fn looking_shows_all_pools_or_the_named_one() {
    let folder = two_pools();
    let pools = |words: &[&str]| -> Vec<String> {
        let said = folder.run(words);
        assert_eq!(said.code, Some(1), "nothing runs: {said:?}");
        let status: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let pools = status["pools"].as_array().unwrap();
        let names = pools.iter().map(|pool| pool["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(pools(&["status", "--json"]), ["second", "main"]);
    assert_eq!(pools(&["status", "--json", "--pool", "main"]), ["main"]);
    assert_eq!(folder.run(&["doctor", "--pool", "main"]).code, Some(0));
    for command in ["status", "events", "smoke", "doctor"] {
        let said = folder.run(&[command, "--pool", "other"]);
        said.refused(&["there is no pool `other`", "--pool is one of: second, main"]);
    }
}
