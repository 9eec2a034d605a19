//! What is wrong, and the line that says so. Each line is the whole output, so a change of a word shows here.

use super::folder::{Folder, token};
use shared_io::config::Surroundings;

/// A change of the least file, and the line it gives. `S3CRET` stands for content that no line may repeat.
fn check(from: &str, to: &str, line: &str) {
    let folder = Folder::minimal();
    folder.replace(from, to);
    let complaint = folder.complaint(&Surroundings::empty());
    assert_eq!(complaint, line, "after replacing {from:?} by {to:?}");
    assert_eq!(complaint.lines().count(), 1);
    assert!(!complaint.contains("S3CRET"), "{complaint}");
}

#[test]
fn the_file_itself() {
    let folder = Folder::empty();
    assert_eq!(
        folder.complaint(&Surroundings::empty()),
        "understudy.toml: cannot be read (entity not found); copy understudy.example.toml there, or name another file with --config"
    );
    check(
        "api_id = 17",
        "api_id = \napi_hash2 = \"S3CRET\"",
        "understudy.toml: line 2, column 10: string values must be quoted, expected literal string; mend that line",
    );
    check(
        "token = \"file:first.token\"",
        "token = \"7000001:S3CRET",
        "understudy.toml: line 10, column 24: invalid basic string, expected `\"`; mend that line",
    );
    check(
        "api_id = 17",
        "api_id = 17\napi_id = 18",
        "understudy.toml: line 3, column 1: duplicate key; mend that line",
    );
}

#[test]
fn unknown_settings_at_every_level() {
    check(
        "[telegram]",
        "[telegrams]",
        "understudy.toml: telegrams: there is no such setting; remove it, or write one of these: data_dir, telegram, redis, database, workers, secrets, timing, rates, policy, reach, http, log, pool",
    );
    check(
        "api_id = 17",
        "app_id = 17",
        "understudy.toml: telegram.app_id: there is no such setting; remove it, or write one of these: api_id, api_hash, dc",
    );
    check(
        "token = \"file:first.token\"",
        "tokn = \"S3CRET\"",
        "understudy.toml: pool[0].bot[0].tokn: there is no such setting; remove it, or write one of these: name, token, preset_key, promote",
    );
    check(
        "[telegram]",
        "[workers]\ncount = 2\n[telegram]",
        "understudy.toml: workers.count: there is no such setting; remove it, or write one of these: local, name",
    );
}

#[test]
fn missing_settings() {
    check(
        "api_id = 17\n",
        "",
        "understudy.toml: telegram.api_id: is missing; add it as understudy.example.toml shows",
    );
    check(
        "token = \"file:first.token\"\n",
        "",
        "understudy.toml: pool[0].bot[0].token: is missing; add it as understudy.example.toml shows",
    );
    let folder = Folder::empty();
    folder.write("understudy.toml", "");
    assert_eq!(
        folder.complaint(&Surroundings::empty()),
        "understudy.toml: telegram: is missing; add it as understudy.example.toml shows"
    );
}

#[test]
fn values_of_another_kind() {
    check(
        "api_id = 17",
        "api_id = \"S3CRET\"",
        "understudy.toml: telegram.api_id: is a text and has to be a whole number; write digits only, without quotes",
    );
    check(
        "[telegram]",
        "[workers]\nlocal = \"2\"\n[telegram]",
        "understudy.toml: workers.local: is a text and has to be a whole number; write digits only, without quotes",
    );
    check(
        "[telegram]",
        "[timing]\nprobe_ms = \"700\"\n[telegram]",
        "understudy.toml: timing.probe_ms: is a text and has to be a whole number; write digits only, without quotes",
    );
    check(
        "[telegram]",
        "data_dir = \"\"\n[telegram]",
        "understudy.toml: data_dir: is empty; write a folder, as understudy.example.toml shows",
    );
    check(
        "api_id = 17",
        "api_id = 1.5",
        "understudy.toml: telegram.api_id: is a number with a fraction and has to be a whole number; understudy.example.toml shows it",
    );
    check(
        "api_id = 17",
        "api_id = [\"S3CRET\"]",
        "understudy.toml: telegram.api_id: is a list and has to be a whole number; understudy.example.toml shows it",
    );
    check(
        "[telegram]",
        "redis = \"S3CRET\"\n[telegram]",
        "understudy.toml: redis: is a text and has to be a table; understudy.example.toml shows it",
    );
    check(
        "role = \"storage\"",
        "role = \"stroage\"",
        "understudy.toml: pool[0].channel[0].role: is not one of the words for it; write one of group, storage, broadcast",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\nrights = [\"post_messages\", \"fly\"]",
        "understudy.toml: pool[0].channel[0].rights[1]: is not one of the words for it; write one of change_info, post_messages, edit_messages, delete_messages, ban_users, invite_users, pin_messages, add_admins, anonymous, manage_call, other, manage_topics, post_stories, edit_stories, delete_stories, manage_direct_messages",
    );
    check(
        "name = \"main\"",
        "name = \"Main Pool\"",
        "understudy.toml: pool[0].name: a pool's name `Main Pool` may only have a-z, 0-9, '-' and '_', at most 32 of them",
    );
}

#[test]
fn secrets_written_into_the_file_are_refused_and_not_repeated() {
    const LITERAL: &str = "a secret may not stand here; put it into a file of mode 600 and write \"file:PATH\", or write \"env:NAME\" or \"credential:NAME\"";
    check(
        "file:first.token",
        "7000001:S3CRET0123456789-abcdefghijkl",
        &format!("understudy.toml: pool[0].bot[0].token: {LITERAL}"),
    );
    check(
        "file:api_hash",
        "S3CRETS3CRETS3CRETS3CRETS3CRET01",
        &format!("understudy.toml: telegram.api_hash: {LITERAL}"),
    );
    check(
        "[telegram]",
        "[redis]\nurl = \"redis://:S3CRET@host:6379\"\n[telegram]",
        &format!("understudy.toml: redis.url: {LITERAL}"),
    );
    check(
        "[telegram]",
        "[redis]\nurl = \"redis+unix:///run/redis.sock?pass=S3CRET\"\n[telegram]",
        &format!("understudy.toml: redis.url: {LITERAL}"),
    );
    check(
        "file:first.token",
        "env:",
        "understudy.toml: pool[0].bot[0].token: refers to nothing; write \"env:NAME\", \"credential:NAME\" or \"file:PATH\"",
    );
}

#[test]
fn references_that_lead_nowhere() {
    check(
        "file:first.token",
        "env:NO_SUCH_TOKEN",
        "understudy.toml: pool[0].bot[0].token: `env:NO_SUCH_TOKEN`: that environment variable is not set; set it, or refer to `file:PATH`",
    );
    check(
        "file:first.token",
        "file:secrets/none",
        "understudy.toml: pool[0].bot[0].token: `secrets/none` cannot be read (entity not found); write the secret into that file, mode 600",
    );
    check(
        "file:first.token",
        "credential:first",
        "understudy.toml: pool[0].bot[0].token: `credential:first`: $CREDENTIALS_DIRECTORY is not set; start under systemd with LoadCredential=first:PATH, or refer to `file:PATH`",
    );
    check(
        "[telegram]",
        "[secrets]\nsealing_key = \"env:KEY\"\n[telegram]",
        "understudy.toml: secrets.sealing_key: the sealing key is not taken from the environment, which children and crash dumps inherit; write \"file:PATH\" or \"credential:NAME\"",
    );
}

#[test]
fn secret_files_that_others_can_read_or_that_hold_no_secret() {
    let none = Surroundings::empty();
    let folder = Folder::minimal();
    folder.chmod("first.token", 0o644);
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[0].token: `first.token` is open to every user of this machine (mode 644); run: chmod o-rwx 'first.token'"
    );
    folder.secret("first.token", " \n");
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[0].token: `file:first.token` is empty; write the secret there"
    );
    folder.secret("first.token", "S3CRET");
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[0].token: the bot token is malformed: expected `123456789:AA...` as @BotFather shows it; copy it again, in one line"
    );
    folder.secret("first.token", &"x".repeat(20_000));
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[0].token: `file:first.token` is longer than 16384 bytes; that is not a secret, look at what it refers to"
    );
    let folder = Folder::minimal();
    folder.secret("api_hash", "S3CRET");
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: telegram.api_hash: what it refers to is not an api_hash; it has 32 hex digits, copy it from https://my.telegram.org/apps"
    );
    let folder = Folder::minimal();
    folder.replace(
        "name = \"first\"",
        "name = \"first\"\npreset_key = \"file:api_hash\"",
    );
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[0].preset_key: what it refers to is not an auth key; write its 512 hex digits there, one key a line, or remove the setting: without it a key is made"
    );
}

#[test]
fn numbers_out_of_range_and_out_of_step() {
    let section = |text: &str| format!("{text}\n[telegram]");
    let cases = [
        (
            "[workers]\nlocal = 65",
            "workers.local: 65 is out of range; write a number from 0 to 64",
        ),
        (
            "[workers]\nlocal = -1",
            "workers.local: is out of range; write a smaller number, not below zero",
        ),
        (
            "[workers]\nname = \"Alpha W\"",
            "workers.name: is not fit for a worker's name; write 1 to 30 of a-z, 0-9, '-' and '_'",
        ),
        (
            "[workers]\nname = \"\"",
            "workers.name: is not fit for a worker's name; write 1 to 30 of a-z, 0-9, '-' and '_'",
        ),
        (
            "[redis]\nhung_ms = 10",
            "redis.hung_ms: 10 is out of range; write a number from 1000 to 600000",
        ),
        (
            "[rates]\nbulk_per_second = 0",
            "rates.bulk_per_second: 0 is out of range; write a number from 1 to 1000",
        ),
        (
            "[rates]\nbulk_burst = 0",
            "rates.bulk_burst: 0 is out of range; write a number from 1 to 1000",
        ),
        (
            "[timing]\nlease_ttl_ms = 600",
            "timing.lease_ttl_ms: is too short: one lost renewal would lose the lease; make it more than two lease_renew_ms and one lease_margin_ms",
        ),
        (
            "[timing]\nprobe_ms = 5",
            "timing.probe_ms: 5 is out of range; write a number from 100 to 60000",
        ),
        (
            "[policy]\nworker_silent_ms = 700",
            "policy.worker_silent_ms: is so short that a late heartbeat would look like a dead worker; make it at least three timing.heartbeat_ms",
        ),
        (
            "[timing]\nprobe_ms = 1800",
            "policy.line_silent_ms: is so short that one late probe would look like a silent line; make it at least two timing.probe_ms",
        ),
        (
            "[timing]\nstandby_probe_ms = 1800",
            "policy.line_silent_ms: is so short that one late probe would look like a silent line; make it at least two timing.standby_probe_ms",
        ),
        (
            "[redis]\nprefix = \"a{b}\"",
            "redis.prefix: is not fit for a key; write 1 to 16 of a-z, 0-9 and '-'",
        ),
        (
            "[redis]\nurl = \"rediss://host:6379\"",
            "redis.url: is not an address of a Redis; it starts with one of redis://, redis+unix://, unix://, redis+sentinel://",
        ),
        (
            "[redis]\nurl = \"redis+sentinel://s1:26379,s2:26379\"",
            "redis.url: names no master; write redis+sentinel://host:port,host:port/MASTER as the Sentinels call it",
        ),
        (
            "[redis]\nurl = \"redis+sentinel://s1,s2/main?copies=none\"",
            "redis.url: has a `copies` that is not a whole number from 1 to 9",
        ),
        (
            "[policy]\ntakeovers_per_hour = 0",
            "policy.takeovers_per_hour: 0 is out of range; write a number from 1 to 3600",
        ),
        (
            "[database]\nurl = \"mysql://host/db\"",
            "database.url: is not an address of a database that this program has a driver for; it starts with sqlite:, postgres:// or postgresql://",
        ),
    ];
    for (text, line) in cases {
        check(
            "[telegram]",
            &section(text),
            &format!("understudy.toml: {line}"),
        );
    }
    check(
        "api_id = 17",
        "api_id = 0",
        "understudy.toml: telegram.api_id: is not an api_id; copy the number from https://my.telegram.org/apps",
    );
    check(
        "api_id = 17",
        "api_id = 17\ndc = \"127.0.0.1:4430\"",
        "understudy.toml: telegram.dc: is not a data centre; write it as \"2@127.0.0.1:4430\" (number 1 to 5, IPv4 address, port)",
    );
}

#[test]
fn pools_that_could_not_work() {
    let folder = Folder::minimal();
    folder.write(
        "understudy.toml",
        "[telegram]\napi_id = 17\napi_hash = \"file:api_hash\"\n",
    );
    assert_eq!(
        folder.complaint(&Surroundings::empty()),
        "understudy.toml: pool: there is no pool; add a [[pool]] with its bots and channels as understudy.example.toml shows"
    );
    check(
        "[[pool.bot]]\nname = \"first\"\ntoken = \"file:first.token\"\n",
        "",
        "understudy.toml: pool[0].bot: pool `main` has no bot; add a [[pool.bot]] with `name` and `token`; two or more, or there is no standby",
    );
    check(
        "token = \"file:first.token\"",
        "token = \"file:first.token\"\npromote = false",
        "understudy.toml: pool[0].bot: no bot of pool `main` may be active; take `promote = false` out of one of them at least",
    );
    check(
        "role = \"storage\"",
        "role = \"group\"",
        "understudy.toml: pool[0].channel: pool `main` has no storage channel, files of members would have no place; make a channel, make every bot its administrator, and add it with role = \"storage\"",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[[pool.channel]]\nid = 501\nrole = \"storage\"",
        "understudy.toml: pool[0].channel: pool `main` has 2 storage channels, files would be in any of them; keep role = \"storage\" at one",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[[pool.channel]]\nid = 500\nrole = \"group\"",
        "understudy.toml: pool[0].channel[1].id: channel 500 is in pool `main` twice; keep one entry with one role",
    );
    check(
        "id = 500",
        "id = -1000000000500",
        "understudy.toml: pool[0].channel[0].id: -1000000000500 is the Bot API's form of a channel's id; write 500",
    );
    check(
        "id = 500",
        "id = -500",
        "understudy.toml: pool[0].channel[0].id: -500 is no channel and no supergroup; convert a basic group into a supergroup and write its new id",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[pool.upload]\ncategories = []",
        "understudy.toml: pool[0].upload.categories: is empty, nobody could choose one; name at least one category",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[pool.upload]\ntags = [\"a\", \"b\", \"a\"]",
        "understudy.toml: pool[0].upload.tags: `a` is there twice; keep one",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[pool.upload]\nremind_after = \"8d\"",
        "understudy.toml: pool[0].upload.remind_after: is longer than a week; write a time like \"6h\", or 0 so that nobody is reminded",
    );
    check(
        "role = \"storage\"",
        "role = \"storage\"\n[pool.upload]\nremind_after = \"soon\"",
        "understudy.toml: pool[0].upload.remind_after: is not a time; write one like \"7d\", \"12h\", \"30m\" or \"45s\", or 0",
    );
}

#[test]
fn bots_and_pools_that_are_there_twice() {
    let second = "[[pool.bot]]\nname = \"second\"\ntoken = \"file:second.token\"\n[[pool.channel]]";
    let folder = Folder::minimal();
    folder.replace("[[pool.channel]]", second);
    folder.secret("second.token", &token(1));
    let none = Surroundings::empty();
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[1].token: is of the same bot (b7000001) as `first` of pool `main`; give each entry the token of another bot"
    );
    folder.secret("second.token", &token(2));
    folder.load().expect("two bots are fine");
    folder.replace("name = \"second\"", "name = \"first\"");
    assert_eq!(
        folder.complaint(&none),
        "understudy.toml: pool[0].bot[1].name: a second bot of pool `main` is named `first`; give each bot a name of its own"
    );

    let pool = |name: &str, role: &str| {
        format!(
            "role = \"storage\"\n[[pool.channel]]\nid = 8\nrole = \"group\"\n[[pool]]\nname = \"{name}\"\n[[pool.bot]]\nname = \"first\"\ntoken = \"file:first.token\"\n[[pool.channel]]\nid = 9\nrole = \"storage\"\n[[pool.channel]]\nid = 8\nrole = \"{role}\""
        )
    };
    check(
        "role = \"storage\"",
        &pool("main", "broadcast"),
        "understudy.toml: pool[1].name: a second pool is named `main`; give each pool a name of its own",
    );
    check(
        "role = \"storage\"",
        &pool("other", "group"),
        "understudy.toml: pool[1].channel[1].id: group 8 is in pool `main` already, both would answer there; keep it in one pool",
    );
    check(
        "role = \"storage\"",
        &pool("other", "broadcast"),
        "understudy.toml: pool[1].bot[0].token: is of the same bot (b7000001) as `first` of pool `main`; give each entry the token of another bot",
    );
}

#[test]
fn a_setting_from_the_environment_is_complained_about_by_its_variable() {
    let folder = Folder::minimal();
    let cases = [
        (
            "UNDERSTUDY__WORKERS__LOCAL",
            "S3CRET",
            "workers.local: is a text and has to be a whole number; write digits only, without quotes",
        ),
        (
            "UNDERSTUDY__LOG__COLOUR",
            "S3CRET",
            "log.colour: there is no such setting; remove it, or write one of these: level, format",
        ),
        (
            "UNDERSTUDY__TELEGRAM__API_HASH",
            "S3CRET",
            "telegram.api_hash: a secret may not stand here; put it into a file of mode 600 and write \"file:PATH\", or write \"env:NAME\" or \"credential:NAME\"",
        ),
    ];
    for (variable, value, line) in cases {
        let complaint = folder.complaint(&Surroundings::empty().with(variable, value));
        assert_eq!(
            complaint,
            format!("environment variable {variable}: {line}")
        );
    }
}

#[test]
fn a_data_folder_whose_socket_would_not_fit_is_refused() {
    let folder = Folder::minimal();
    folder.replace(
        "[telegram]",
        &format!("data_dir = \"{}\"\n[telegram]", "d".repeat(120)),
    );
    let complaint = folder.complaint(&Surroundings::empty());
    let expected =
        "understudy.toml: data_dir: is so long that the private Redis' socket in it has ";
    assert!(complaint.starts_with(expected), "{complaint}");
    assert!(complaint.ends_with("; choose a folder with a shorter path, or set redis.url"));
    folder.append("[redis]\nurl = \"redis://127.0.0.1\"\n");
    // Top-level keys must stay above the first table.
    folder.replace(&format!("data_dir = \"{}\"\n", "d".repeat(120)), "");
    let text = std::fs::read_to_string(folder.path("understudy.toml")).unwrap();
    folder.write(
        "understudy.toml",
        &format!("data_dir = \"{}\"\n{text}", "d".repeat(120)),
    );
    folder
        .load()
        .expect("without a private Redis there is no socket");
}
