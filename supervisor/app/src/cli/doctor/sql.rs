//! SQL: there, of this program's schema, on time; and the key that seals what is secret in it.

use shared_io::clock;
use shared_io::config::Config;
use shared_io::secrets::{SealError, Sealer, survey};
use shared_io::sql::Store;

use super::super::open::{self, Database};
use super::result::CheckResult;
use super::{Report, clock as wall, narrow, out};

const NAME: &str = "database";
const KEY: &str = "sealing key";
const SEALED: &str = "sealed secrets";

/// The store, if it can be used.
pub async fn check(config: &Config, report: &mut Report) -> Option<Store> {
    let store = database(config, report).await;
    let sealer = sealing_key(config, store.as_ref(), report).await;
    if let (Some(store), Some(sealer)) = (&store, sealer) {
        report.add(sealed(config, store, &sealer).await);
    }
    store
}

async fn database(config: &Config, report: &mut Report) -> Option<Store> {
    let name = open::database_name(config);
    match open::database(config).await {
        Ok(Database::NotYet) => {
            let line = format!("{name} is not there yet");
            report.add(CheckResult::unknown(NAME, line, "the first start makes it"));
            None
        }
        Ok(Database::Other(schema)) if schema.is_newer() => {
            let line = open::other_schema(config, schema);
            report.add(CheckResult::fail(
                NAME,
                line,
                "this program leaves it alone",
            ));
            None
        }
        Ok(Database::Other(schema)) if schema.found == 0 => {
            let line = open::other_schema(config, schema);
            report.add(CheckResult::unknown(
                NAME,
                line,
                "nothing is wrong with that",
            ));
            None
        }
        Ok(Database::Other(schema)) => {
            let line = open::other_schema(config, schema);
            report.add(CheckResult::warn(NAME, line, "back it up before"));
            None
        }
        Ok(Database::Open(store)) => {
            let before = clock::unix_now();
            match store.time().await {
                Ok(Some(theirs)) => {
                    let after = clock::unix_now();
                    report.add(wall::against("database's clock", before, theirs, after));
                }
                Ok(None) => {}
                Err(error) => {
                    let line = out::one_line(&format!("{:#}", anyhow::Error::from(error)));
                    report.add(CheckResult::warn(
                        "database's clock",
                        line,
                        "look at the database",
                    ));
                }
            }
            let took = store.ping().await.map_or(0, |took| took.as_micros());
            report.add(CheckResult::ok(
                NAME,
                format!("{name}, answers in {took} us"),
            ));
            Some(store)
        }
        Err(error) => {
            let line = out::one_line(&format!("{error:#}"));
            report.add(CheckResult::fail(
                NAME,
                line,
                "look at [database] in the configuration",
            ));
            None
        }
    }
}

/// Opens it without making one.
async fn sealing_key(
    config: &Config,
    store: Option<&Store>,
    report: &mut Report,
) -> Option<Sealer> {
    let path = config.sealing_key();
    let mut opened = Sealer::open_existing_at(path);
    if let Err(SealError::KeyExposed { path, .. }) = &opened
        && report.fix
        && narrow(path, 0o600).is_ok()
    {
        let line = format!("{} has mode 600 now", path.display());
        report.add(CheckResult::fixed(KEY, line));
        opened = Sealer::open_existing_at(path);
    }
    let error = match opened {
        Ok(sealer) => {
            let line = format!("{}, keys {}", path.display(), sealer.keys());
            report.add(CheckResult::ok(KEY, line));
            return Some(sealer);
        }
        Err(error) => error,
    };
    let is_missing = matches!(error, SealError::KeyMissing { .. });
    let line = out::one_line(&format!("{:#}", anyhow::Error::from(error)));
    report.add(if is_missing && !has_secrets(config, store).await {
        let line = format!("{} is not there yet", path.display());
        let remedy = "the first start makes it; keep a copy of it elsewhere then";
        CheckResult::unknown(KEY, line, remedy)
    } else {
        CheckResult::fail(KEY, line, "nothing is overwritten (docs/sealing-key.md)")
    });
    None
}

/// Was anything ever sealed here?
async fn has_secrets(config: &Config, store: Option<&Store>) -> bool {
    let Some(store) = store else {
        return false;
    };
    for pool in &config.pools {
        if store
            .bots()
            .list(&pool.name)
            .await
            .is_ok_and(|rows| !rows.is_empty())
        {
            return true;
        }
    }
    false
}

/// Can the key open what is there?
async fn sealed(config: &Config, store: &Store, sealer: &Sealer) -> CheckResult {
    let survey = match survey(store, sealer).await {
        Ok(survey) => survey,
        Err(error) => {
            let line = out::one_line(&format!("{:#}", anyhow::Error::from(error)));
            return CheckResult::unknown(SEALED, line, "look at the database");
        }
    };
    let total = survey.tokens.total() + survey.logins.total();
    match survey.unreadable() {
        0 if survey.is_current() => CheckResult::ok(SEALED, format!("{total} can be opened")),
        0 => CheckResult::warn(
            SEALED,
            format!("{total} can be opened, some with an older key only"),
            "run `understudy secrets reseal`",
        ),
        closed => CheckResult::fail(
            SEALED,
            format!(
                "{closed} of {total} cannot be opened with {}",
                config.sealing_key().display()
            ),
            "put the key back that was there before (docs/sealing-key.md)",
        ),
    }
}
