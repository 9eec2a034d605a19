//! What the local workers are called: on a shared Redis every supervisor's are called otherwise.

use anyhow::Context;
use shared_core::WorkerId;
use shared_io::config::Config;

/// A worker's name has 32 characters; this leaves room for `-w` and a number.
const HOST: usize = 24;

/// `workers.name` and a number; without it `w1`, `w2`, ... where nobody else's workers can be, and with the host before it on a shared Redis.
pub fn local(config: &Config) -> anyhow::Result<Vec<WorkerId>> {
    let stem = match (&config.workers.name, config.redis_is_private()) {
        (Some(name), _) => name.clone(),
        (None, true) => "w".to_owned(),
        (None, false) => format!("{}-w", fit(&host())),
    };
    let numbers = 1..=config.workers.local;
    numbers
        .map(|number| WorkerId::new(format!("{stem}{number}")).context("naming a worker"))
        .collect()
}

/// This machine's name, as the kernel has it: proc_sys_kernel(5).
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "host".to_owned(),
        name => name.to_owned(),
    }
}

/// The first label of a host's name, in the characters that a worker's name may have.
fn fit(host: &str) -> String {
    let label = host.split('.').next().unwrap_or_default();
    let fits = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => c,
        _ => '-',
    };
    let name: String = label.chars().take(HOST).map(fits).collect();
    if name.is_empty() {
        "host".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_becomes_a_part_of_a_workers() {
        let cases = [
            ("alpha", "alpha"),
            ("Alpha.example.org", "alpha"),
            ("größe", "gr--e"),
            ("", "host"),
            (
                "a-very-long-name-of-a-host-in-some-cloud",
                "a-very-long-name-of-a-ho",
            ),
        ];
        for (host, part) in cases {
            assert_eq!(fit(host), part, "{host}");
        }
    }
}
