//! `understudy secrets`: with which key of the key file what is at rest is sealed, and the steps of a key's rotation and of its loss.
//!
//! Invariant: nothing here shows a secret or a key; what no key opens is overwritten by nothing but `give-up`, which has to be told twice.

use anyhow::{Context, bail};
use serde::Serialize;
use shared_io::config::Config;
use shared_io::secrets::{self as sealed, SealError, Sealer, Survey, Tally};
use shared_io::sql::Store;

use super::open::Database;
use super::{Ended, Source, open, out};
use crate::folder::Folder;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Count what is sealed with which key of the key file.
    #[command(
        after_help = "Example:\n  understudy secrets status --json\n\nExit codes: 0 every secret can be opened; 1 some cannot; 2 bad input, or it could not be found out."
    )]
    Status(Common),
    /// Put a fresh key before the others in this machine's key file; it seals from the next start on, all of them open.
    #[command(
        after_help = "Example:\n  understudy secrets add-key\n\nExit codes: 0 done; 2 bad input, or it could not be done."
    )]
    AddKey {
        #[command(flatten)]
        source: Source,
    },
    /// Seal everything with the first key of the key file.
    ///
    /// May be stopped anywhere and run again, also while everything runs.
    #[command(
        after_help = "Example:\n  understudy secrets reseal\n\nExit codes: 0 everything is sealed with the first key; 1 some is not, run it again or look at `understudy secrets status`; 2 bad input, or it could not be done."
    )]
    Reseal(Common),
    /// After the key is lost for good: give up the logins that no key opens, so that they are made anew.
    #[command(
        after_help = "Example:\n  understudy secrets give-up --yes\n\nExit codes: 0 done; 1 not told --yes; 2 bad input, or it could not be done."
    )]
    GiveUp {
        #[command(flatten)]
        common: Common,
        /// The key is lost for good, on every host and in every copy.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Common {
    #[command(flatten)]
    source: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: &Command) -> anyhow::Result<Ended> {
    match command {
        Command::Status(common) => status(common).await,
        Command::AddKey { source } => add_key(&source.load()?),
        Command::Reseal(common) => reseal(common).await,
        Command::GiveUp { common, yes } => give_up(common, *yes).await,
    }
}

/// The store, and the key that is there; none is made.
async fn both(config: &Config) -> anyhow::Result<(Store, Sealer)> {
    if config.sealing_key().starts_with(config.data_dir()) {
        Folder::new(config.data_dir()).may_be_read()?;
    }
    let sealer = match Sealer::open_existing_at(config.sealing_key()) {
        Err(SealError::KeyMissing { path }) if is_before_the_first_start(config).await? => bail!(
            "there is no sealing key `{}` yet: the first start of `understudy run` makes it; keep a copy of it elsewhere then",
            path.display()
        ),
        opened => opened?,
    };
    Ok((open::store(config).await?, sealer))
}

/// Then nothing is sealed yet, and no other host has a key.
async fn is_before_the_first_start(config: &Config) -> anyhow::Result<bool> {
    Ok(match open::database(config).await? {
        Database::NotYet => true,
        Database::Other(schema) => schema.found == 0,
        Database::Open(_) => false,
    })
}

#[derive(Serialize)]
struct Status {
    key_file: String,
    /// How many keys are in it.
    keys: usize,
    /// Everything is sealed with the first one.
    current: bool,
    unreadable: u64,
    tokens: Count,
    logins: Count,
}

#[derive(Serialize)]
struct Count {
    /// By the key's place in the file.
    by_key: Vec<u64>,
    unknown_key: u64,
    damaged: u64,
}

impl From<Tally> for Count {
    fn from(tally: Tally) -> Self {
        Self {
            by_key: tally.by_key,
            unknown_key: tally.unknown_key,
            damaged: tally.damaged,
        }
    }
}

async fn status(common: &Common) -> anyhow::Result<Ended> {
    let config = common.source.load()?;
    let (store, sealer) = both(&config).await?;
    out::progress_for_a_person("opening every sealed secret once ...");
    let survey = sealed::survey(&store, &sealer).await?;
    let well = survey.unreadable() == 0;
    if !common.json {
        for line in card(&config, &sealer, &survey) {
            let _read = out::say(&line);
        }
        return Ok(Ended::of(well));
    }
    out::json(&Status {
        key_file: config.sealing_key().display().to_string(),
        keys: sealer.keys(),
        current: survey.is_current(),
        unreadable: survey.unreadable(),
        tokens: survey.tokens.into(),
        logins: survey.logins.into(),
    })?;
    Ok(Ended::of(well))
}

fn card(config: &Config, sealer: &Sealer, survey: &Survey) -> Vec<String> {
    let keys = sealer.keys();
    let mut lines = vec![format!("{}: keys {keys}", config.sealing_key().display())];
    for at in 0..keys {
        let role = if at == 0 { "seals and opens" } else { "opens" };
        lines.push(format!(
            "  key {}  {role:<16}{} secrets",
            at + 1,
            survey.with_key(at)
        ));
    }
    lines.push(match (survey.unreadable(), survey.is_current(), keys) {
        (0, true, 1) => "everything is sealed with the one key".to_owned(),
        (0, true, _) => {
            "everything is sealed with the first key: once every host has it, the others may go".to_owned()
        }
        (0, false, _) => {
            "some is sealed with an older key: run `understudy secrets reseal`".to_owned()
        }
        (closed, ..) => format!(
            "{closed} cannot be opened with any of them: put the key back that was there before (docs/sealing-key.md)"
        ),
    });
    lines
}

fn add_key(config: &Config) -> anyhow::Result<Ended> {
    let path = config.sealing_key();
    Sealer::add_key_at(path)?;
    let keys = Sealer::open_existing_at(path)?.keys();
    let _read = out::say(&format!(
        "{}: keys {keys}; copy the file to every host, restart each in turn, then run `understudy secrets reseal`",
        path.display()
    ));
    Ok(Ended::Well)
}

async fn reseal(common: &Common) -> anyhow::Result<Ended> {
    let config = common.source.load()?;
    let (store, sealer) = both(&config).await?;
    out::progress_for_a_person("sealing anew; it may be stopped and run again ...");
    let done = sealed::reseal(&store, &sealer).await?;
    let well = done.unreadable == 0 && done.raced == 0;
    if common.json {
        out::json(&serde_json::json!({
            "tokens": done.tokens, "logins": done.logins, "already": done.already,
            "raced": done.raced, "unreadable": done.unreadable,
        }))?;
    } else {
        let _read = out::say(&format!(
            "sealed anew: {} tokens, {} logins; {} were already",
            done.tokens, done.logins, done.already
        ));
    }
    if done.raced > 0 {
        out::refuse(&format!(
            "{} were changed meanwhile: run `understudy secrets reseal` again",
            done.raced
        ));
    }
    if done.unreadable > 0 {
        out::refuse(&format!(
            "{} cannot be opened with any key of {} and are as they were: put the key back that was there before",
            done.unreadable,
            config.sealing_key().display()
        ));
    }
    Ok(Ended::of(well))
}

async fn give_up(common: &Common, yes: bool) -> anyhow::Result<Ended> {
    let config = common.source.load()?;
    let store = open::store(&config).await?;
    if !yes {
        out::refuse(
            "logins that no key opens would be made anew, within Telegram's limits; if the key is lost on every host and in every copy, say so with --yes; nothing was changed",
        );
        return Ok(Ended::NotWell);
    }
    // The lost key's place is taken by a fresh one: it is what this order is about.
    let sealer =
        Sealer::open_or_create(config.sealing_key()).context("the key that seals from now on")?;
    let given = sealed::give_up(&store, &sealer).await?;
    if common.json {
        out::json(&serde_json::json!({ "logins": given.logins, "tokens": given.tokens }))?;
    } else {
        let _read = out::say(&format!(
            "given up: {} logins, which are made anew; {} tokens are sealed anew at the next start of `understudy run`",
            given.logins, given.tokens
        ));
    }
    Ok(Ended::Well)
}
