//! A data folder that is another user's: it is not taken for one that is not there.

use std::os::unix::fs::PermissionsExt;

use crate::folder::Folder;

/// The commands that look into it, and those that would reach the stores in it.
const COMMANDS: [&[&str]; 7] = [
    &["status"],
    &["events"],
    &["doctor"],
    &["smoke"],
    &["rotate"],
    &["pause"],
    &["secrets", "status"],
];

#[test]
fn whoever_may_not_look_is_told_as_whom_to_look() {
    let folder = Folder::new().without_rights();
    let data = folder.path("data");
    std::fs::create_dir(&data).unwrap();
    // Root has made it for itself, and somebody else looks; without root it is our own and closed to ourselves.
    let (mode, way) = if rustix::process::geteuid().is_root() {
        (0o700, "run it as root (sudo -u root understudy ...)")
    } else {
        (0o000, "who owns")
    };
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
    for words in COMMANDS {
        let said = folder.run(words);
        said.refused(&["data", "may not be read by this user", way]);
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
    }
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn one_file_that_may_not_be_read_is_enough() {
    let folder = Folder::new();
    folder.write("data/understudy.db", "");
    let (data, file) = (folder.path("data"), folder.path("data/understudy.db"));
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // Root reads what it likes: there the program runs as somebody else. Whoever is not root is refused by the mode alone.
    let folder = match rustix::process::geteuid().is_root() {
        true => folder.without_rights(),
        false => {
            mode(&file, 0o000);
            folder
        }
    };
    mode(&data, 0o755);
    folder
        .run(&["status"])
        .refused(&["data/understudy.db may not be read by this user"]);
}

#[test]
fn before_the_first_start_there_is_no_key_to_copy() {
    let folder = Folder::new();
    let said = folder.run(&["secrets", "status"]);
    said.refused_in_one_line(&["yet: the first start of `understudy run` makes it"]);
    assert!(!said.err.contains("another host"), "{said:?}");
    assert!(!folder.path("data").exists(), "looking makes nothing");
}
