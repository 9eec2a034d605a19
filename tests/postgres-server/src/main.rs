//! Runs a server until its standard input ends; prints the server's process id, folder and address first. For trying things by hand, and for
//! the test that kills it.

use std::io::{Read, Write};

fn main() -> anyhow::Result<()> {
    let server = postgres_server::Server::start()?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.pid())?;
    writeln!(out, "{}", server.folder().display())?;
    writeln!(out, "{}", server.url("postgres"))?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
