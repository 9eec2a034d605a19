//! The configuration as an operator meets it: layers, references, and one line for each thing that can be wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "config/errors.rs"]
mod errors;
#[path = "config/folder.rs"]
mod folder;

use std::path::Path;
use std::time::Duration;

use folder::{Folder, HASH};
use shared_core::{BotId, ChannelId, PoolId};
use shared_io::config::{
    AppendFsync, ChannelRole, Config, LogFormat, LogLevel, Right, Surroundings,
};

#[test]
fn the_example_loads_once_its_secrets_are_there() {
    let folder = Folder::empty();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../understudy.example.toml");
    folder.write(
        "understudy.toml",
        &std::fs::read_to_string(example).unwrap(),
    );
    folder.secret("secrets/api_hash", HASH);
    folder.secret("secrets/first.token", &folder::token(1));
    folder.secret("secrets/second.token", &folder::token(2));
    folder.secret("secrets/third.token", &folder::token(3));
    let config = folder.load().unwrap();

    let pool = config.pool(&PoolId::new("main").unwrap()).unwrap();
    assert_eq!(pool.bots.len(), 3);
    assert_eq!(pool.storage(), Some(ChannelId(1_000_000_002)));
    assert_eq!(
        config.left_as_in_the_example(),
        [
            "telegram.api_id = 1",
            "pool[0].channel[0].id = 1000000001",
            "pool[0].channel[1].id = 1000000002",
            "pool[0].channel[2].id = 1000000003",
        ]
    );
    // Every line that is not commented out shows the default.
    let minimal = Folder::minimal().load().unwrap();
    assert_eq!(config.timing, minimal.timing);
    assert_eq!(config.rates, minimal.rates);
    assert_eq!(config.policy, minimal.policy);
    assert_eq!(config.log, minimal.log);
    assert_eq!(config.workers, minimal.workers);
    assert_eq!(config.redis.prefix, minimal.redis.prefix);
}

#[test]
fn the_least_file_gives_an_embedded_deployment() {
    let folder = Folder::minimal();
    let config = folder.load().unwrap();
    assert_eq!(config.left_as_in_the_example(), [""; 0]);
    assert_eq!(config.data_dir(), folder.path("data"));
    assert!(config.redis_is_private());
    let socket = folder.path("data/redis/redis.sock");
    assert_eq!(
        config.redis_url().expose(),
        format!("redis+unix://{}", socket.display())
    );
    let database = folder.path("data/understudy.db");
    assert_eq!(
        config.database_url().expose(),
        format!("sqlite://{}?mode=rwc", database.display())
    );
    assert_eq!(config.sealing_key(), folder.path("data/sealing.key"));
    assert_eq!(config.redis.appendfsync, AppendFsync::Always);
    assert_eq!(config.timing.lease().ttl, Duration::from_secs(1));
    assert_eq!(config.telegram.api_hash.expose(), HASH);
    let pool = &config.pools[0];
    assert_eq!(pool.bots[0].bot(), BotId(7_000_001));
    assert_eq!(pool.channels[0].role, ChannelRole::Storage);
    assert_eq!(
        pool.channels[0].rights,
        [Right::PostMessages],
        "a storage channel wants at least that"
    );
    assert_eq!(pool.upload.max_file_bytes(), 2_000_000_000);
}

#[test]
fn the_environment_stands_over_the_file_and_the_file_over_the_defaults() {
    let folder = Folder::minimal();
    folder.append("[log]\nlevel = \"warn\"\n[workers]\nlocal = 3\n[timing]\nprobe_ms = 700\n");
    let config = folder.load().unwrap();
    assert_eq!(
        (config.log.level, config.log.format),
        (LogLevel::Warn, LogFormat::Text)
    );
    assert_eq!(config.workers.local, 3);

    let over = Surroundings::empty()
        .with("UNDERSTUDY__LOG__LEVEL", "debug")
        .with("UNDERSTUDY__WORKERS__LOCAL", "5")
        .with("UNDERSTUDY__TIMING__LEASE_TTL_MS", "2000")
        .with("UNDERSTUDY__LOG__FORMAT", "")
        .with("UNDERSTUDY_LOG_LEVEL", "not a setting, one underscore")
        .with("HOME", "/root");
    let config = folder.load_in(&over).unwrap();
    assert_eq!(
        (config.log.level, config.log.format),
        (LogLevel::Debug, LogFormat::Text)
    );
    assert_eq!(config.workers.local, 5);
    assert_eq!(config.workers.name, None);
    let named = Surroundings::empty().with("UNDERSTUDY__WORKERS__NAME", "alpha-w");
    let named = folder.load_in(&named).unwrap();
    assert_eq!(named.workers.name.as_deref(), Some("alpha-w"));
    assert_eq!(config.timing.lease_ttl, Duration::from_secs(2));
    assert_eq!(config.timing.probe, Duration::from_millis(700));
}

#[test]
fn a_variable_that_says_a_number_is_a_text_where_one_is_wanted() {
    let folder = Folder::minimal();
    let over = Surroundings::empty()
        .with("UNDERSTUDY__REDIS__PREFIX", "7")
        .with("UNDERSTUDY__DATA_DIR", "42")
        .with("UNDERSTUDY__WORKERS__LOCAL", " 3 ");
    let config = folder.load_in(&over).unwrap();
    assert_eq!(config.redis.prefix, "7");
    assert_eq!(config.data_dir(), folder.path("42"));
    assert_eq!(config.workers.local, 3);
}

#[test]
fn secrets_come_from_files_variables_and_credentials() {
    let folder = Folder::minimal();
    folder.replace("file:first.token", "env:FIRST_TOKEN");
    folder.replace("file:api_hash", "credential:api-hash");
    folder.secret("run/credentials/api-hash", &format!("{HASH}\n"));
    let token = folder::token(9);
    let surroundings = Surroundings::empty().with("FIRST_TOKEN", &token).with(
        "CREDENTIALS_DIRECTORY",
        folder.path("run/credentials").to_str().unwrap(),
    );
    let config = folder.load_in(&surroundings).unwrap();
    assert_eq!(config.pools[0].bots[0].token.expose(), token);
    assert_eq!(config.telegram.api_hash.expose(), HASH);

    let shown = format!("{config:?} {surroundings:?}");
    assert!(!shown.contains(HASH) && !shown.contains(&token), "{shown}");
}

#[test]
fn a_group_may_read_a_secret_and_an_absolute_path_is_taken_as_it_is() {
    let folder = Folder::minimal();
    folder.secret("elsewhere/token", &folder::token(3));
    folder.chmod("elsewhere/token", 0o640);
    folder.replace(
        "file:first.token",
        &format!("file:{}", folder.path("elsewhere/token").display()),
    );
    assert_eq!(
        folder.load().unwrap().pools[0].bots[0].bot(),
        BotId(7_000_003)
    );
}

#[test]
fn addresses_are_plain_without_a_password_and_referred_to_with_one() {
    let folder = Folder::minimal();
    folder.append("[redis]\nurl = \"redis://10.0.0.7:6379/1\"\n[database]\nurl = \"env:DB\"\n");
    let surroundings = Surroundings::empty().with("DB", "sqlite:///srv/u.db?mode=rwc");
    let config = folder.load_in(&surroundings).unwrap();
    assert!(!config.redis_is_private());
    assert_eq!(config.redis_url().expose(), "redis://10.0.0.7:6379/1");
    assert_eq!(
        config.database_url().expose(),
        "sqlite:///srv/u.db?mode=rwc"
    );
}

#[test]
fn a_folder_with_spaces_and_question_marks_stays_whole_in_the_addresses() {
    let folder = Folder::minimal();
    folder.replace("[telegram]", "data_dir = \"my data?\"\n[telegram]");
    let config = folder.load().unwrap();
    assert_eq!(config.data_dir(), folder.path("my data?"));
    assert!(
        config
            .database_url()
            .expose()
            .ends_with("/my%20data%3F/understudy.db?mode=rwc")
    );
    assert!(
        config
            .redis_url()
            .expose()
            .ends_with("/my%20data%3F/redis/redis.sock")
    );
}

#[test]
fn the_sandbox_differs_by_two_settings() {
    let folder = Folder::minimal();
    folder.replace("[telegram]", "[telegram]\ndc = \"2@127.0.0.1:4430\"");
    folder.replace(
        "name = \"first\"",
        "name = \"first\"\npreset_key = \"file:first.key\"",
    );
    let keys = format!("{}\n{}\n", "ab".repeat(256), "cd".repeat(256));
    folder.secret("first.key", &keys);
    let config = folder.load().unwrap();
    let dc = config.telegram.dc.unwrap();
    assert_eq!((dc.id, dc.addr.to_string().as_str()), (2, "127.0.0.1:4430"));
    let keys = &config.pools[0].bots[0].preset_keys;
    let first_bytes: Vec<u8> = keys.iter().map(|key| key.expose()[0]).collect();
    assert_eq!(first_bytes, [0xab, 0xcd]);
}

#[test]
fn a_relative_path_of_the_file_gives_absolute_paths() {
    let folder = Folder::minimal();
    let here = std::env::current_dir().unwrap();
    let up = here
        .components()
        .skip(1)
        .map(|_| "..")
        .collect::<Vec<_>>()
        .join("/");
    let file = folder.path("understudy.toml");
    let relative = format!("{up}{}", file.display());
    let config = Config::load_with(relative, &Surroundings::empty()).unwrap();
    assert!(config.data_dir().is_absolute());
    assert!(config.file.is_absolute());
}
