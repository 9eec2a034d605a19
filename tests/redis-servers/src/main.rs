//! Runs a primary, two copies and three Sentinels until standard input ends; prints the address that `redis.url` takes, then each process. For
//! trying things by hand, and for the test that kills it.

use std::io::{Read, Write};

use redis_servers::{Settings, Watched};

fn main() -> anyhow::Result<()> {
    let watched = Watched::start(&Settings::default())?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", watched.url())?;
    for which in 0..3 {
        writeln!(out, "{}", watched.server(which).pid())?;
        writeln!(out, "{}", watched.sentinel(which).pid())?;
    }
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
