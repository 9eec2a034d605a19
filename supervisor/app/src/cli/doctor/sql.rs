//! SQL: there, of this program's schema, on time; and the key that seals what is secret in it.

use shared_core::LoginSlot;
use shared_io::clock;
use shared_io::config::Config;
use shared_io::secrets::{SealContext, SealError, Sealer};
use shared_io::sql::{Store, StoreError};

use super::super::open::{self, Database};
use super::finding::Finding;
use super::{Report, clock as wall, narrow, out};

const NAME: &str = "database";
const KEY: &str = "sealing key";
const SEALED: &str = "sealed secrets";

/// The store, if it can be used.
pub async fn check(config: &Config, report: &mut Report) -> Option<Store> {
    let sealer = sealing_key(config, report);
    let store = database(config, report).await?;
    if let Some(sealer) = sealer {
        report.add(sealed(config, &store, &sealer).await);
    }
    Some(store)
}

async fn database(config: &Config, report: &mut Report) -> Option<Store> {
    let name = open::database_name(config);
    match open::database(config).await {
        Ok(Database::NotYet) => {
            let line = format!("{name} is not there yet");
            report.add(Finding::unknown(NAME, line, "the first start makes it"));
            None
        }
        Ok(Database::Other(schema)) if schema.is_newer() => {
            let line = open::other_schema(config, schema);
            report.add(Finding::fail(NAME, line, "this program leaves it alone"));
            None
        }
        Ok(Database::Other(schema)) => {
            let line = open::other_schema(config, schema);
            report.add(Finding::warn(NAME, line, "back it up before"));
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
                    report.add(Finding::warn(
                        "database's clock",
                        line,
                        "look at the database",
                    ));
                }
            }
            let took = store.ping().await.map_or(0, |took| took.as_micros());
            report.add(Finding::ok(NAME, format!("{name}, answers in {took} us")));
            Some(store)
        }
        Err(error) => {
            let line = out::one_line(&format!("{error:#}"));
            report.add(Finding::fail(
                NAME,
                line,
                "look at [database] in the configuration",
            ));
            None
        }
    }
}

/// Opens it without making one.
fn sealing_key(config: &Config, report: &mut Report) -> Option<Sealer> {
    let path = config.sealing_key();
    if !path.exists() {
        let line = format!("{} is not there yet", path.display());
        report.add(Finding::unknown(
            KEY,
            line,
            "the first start makes it; if there was one, put it back before: stored logins are lost without it",
        ));
        return None;
    }
    let mut opened = Sealer::open_or_create_at(path);
    if let Err(SealError::KeyExposed { path, .. }) = &opened
        && report.fix
        && narrow(path, 0o600).is_ok()
    {
        report.add(Finding::fixed(
            KEY,
            format!("{} has mode 600 now", path.display()),
        ));
        opened = Sealer::open_or_create_at(path);
    }
    match opened {
        Ok(sealer) => {
            report.add(Finding::ok(KEY, path.display().to_string()));
            Some(sealer)
        }
        Err(error) => {
            let line = out::one_line(&format!("{:#}", anyhow::Error::from(error)));
            report.add(Finding::fail(KEY, line, "nothing is overwritten"));
            None
        }
    }
}

/// Can the key open what is there?
async fn sealed(config: &Config, store: &Store, sealer: &Sealer) -> Finding {
    match count(config, store, sealer).await {
        Ok((opened, 0)) => Finding::ok(SEALED, format!("{opened} can be opened")),
        Ok((opened, closed)) => Finding::fail(
            SEALED,
            format!(
                "{closed} of {} cannot be opened with {}",
                opened + closed,
                sealer_name(config)
            ),
            "put the key back that was there before; without it tokens are sealed anew from the configuration and logins are made anew",
        ),
        Err(error) => {
            let line = out::one_line(&format!("{:#}", anyhow::Error::from(error)));
            Finding::unknown(SEALED, line, "look at the database")
        }
    }
}

/// How many can be opened, and how many not.
async fn count(
    config: &Config,
    store: &Store,
    sealer: &Sealer,
) -> Result<(usize, usize), StoreError> {
    let (mut opened, mut closed) = (0, 0);
    let mut look = |sealed: &str, context: &SealContext| match sealer.open(sealed, context) {
        Ok(_) => opened += 1,
        Err(_) => closed += 1,
    };
    for pool in &config.pools {
        for row in store.bots().list(&pool.name).await? {
            look(&row.sealed_token, &SealContext::token(&pool.name, row.bot));
            for slot in LoginSlot::ALL {
                if let Some(login) = store.logins().get(&pool.name, row.bot, slot).await? {
                    look(
                        &login.sealed_key,
                        &SealContext::login(&pool.name, row.bot, slot),
                    );
                }
            }
        }
    }
    Ok((opened, closed))
}

fn sealer_name(config: &Config) -> String {
    config.sealing_key().display().to_string()
}
