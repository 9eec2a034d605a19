//! Where Redis is: one server, or the Sentinels that know which server is the primary.
//!
//! ```text
//! redis://[user:password@]host[:port][/db]                    one server; so are redis+unix:///path and unix:///path
//! redis+sentinel://[user:password@]host[:port],...,host[:port]/MASTER[/db][?copies=N&sentinel_user=U&sentinel_password=P]
//! ```
//! `user:password` opens the servers, `sentinel_user` and `sentinel_password` the Sentinels; both percent-encoded, as in any URL. `copies` says
//! how many copies must have a lease or an epoch before anybody acts on it. Invariant: no error repeats a part of the address, since a part of a
//! password may stand anywhere in one that is malformed.

use ::redis::{ConnectionInfo, IntoConnectionInfo};

use super::error::StateError;

pub(crate) const SENTINEL_SCHEME: &str = "redis+sentinel://";
const SENTINEL_PORT: u16 = 26379;
/// As many copies as anybody keeps.
const MOST_COPIES: u32 = 9;

#[derive(Clone)]
pub(super) enum Address {
    Server(Box<ConnectionInfo>),
    Sentinels(Sentinels),
}

/// What a `redis+sentinel://` address says.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub each: Vec<ConnectionInfo>,
    pub master: String,
    /// With what its servers are entered; the address in it means nothing.
    pub server: Box<ConnectionInfo>,
    pub copies: u32,
}

impl Address {
    pub fn parse(url: &str) -> Result<Self, StateError> {
        let wrong = |why| StateError::Address { why };
        if let Some(rest) = url.strip_prefix(SENTINEL_SCHEME) {
            return sentinels(rest).map(Self::Sentinels).map_err(wrong);
        }
        // The library's own error may repeat a part of the URL.
        let server = url.into_connection_info().map_err(|_| {
            wrong("expected redis://host:port/, redis+unix:///path or redis+sentinel://host:port,host:port/MASTER as redis.url")
        })?;
        Ok(Self::Server(Box::new(server)))
    }
}

/// What is wrong with a `redis+sentinel://` address, for the configuration's checks.
pub(crate) fn check_sentinels(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix(SENTINEL_SCHEME).unwrap_or(url);
    sentinels(rest).map(drop)
}

fn sentinels(rest: &str) -> Result<Sentinels, &'static str> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let (master, db) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() || !master.bytes().all(is_name) {
        return Err(
            "names no master; write redis+sentinel://host:port,host:port/MASTER as the Sentinels call it",
        );
    }
    let parameters = Parameters::parse(query)?;
    let sentinel_user = match (&parameters.user, &parameters.password) {
        (None, None) => String::new(),
        (user, password) => format!(
            "{}:{}@",
            user.as_deref().unwrap_or_default(),
            password.as_deref().unwrap_or_default()
        ),
    };
    let each = hosts
        .split(',')
        .map(|host| sentinel(&sentinel_user, host))
        .collect::<Result<Vec<_>, _>>()?;
    let server = format!("redis://{user}primary:6379/{db}")
        .into_connection_info()
        .map_err(|_| "has a user, a password or a database number that cannot be read; percent-encode what is not a letter or a digit")?;
    Ok(Sentinels {
        each,
        master: master.to_owned(),
        server: Box::new(server),
        copies: parameters.copies,
    })
}

fn sentinel(user: &str, host: &str) -> Result<ConnectionInfo, &'static str> {
    const UNREADABLE: &str =
        "has a Sentinel that is not host:port; write them behind each other with commas between";
    let bare = host.trim();
    // What follows the last colon is a port, unless it is a part of an address in brackets.
    let has_port = bare
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    if bare.is_empty() || bare.contains(['/', '@']) {
        return Err(UNREADABLE);
    }
    let url = match has_port {
        true => format!("redis://{user}{bare}"),
        false => format!("redis://{user}{bare}:{SENTINEL_PORT}"),
    };
    url.into_connection_info().map_err(|_| UNREADABLE)
}

struct Parameters {
    copies: u32,
    user: Option<String>,
    password: Option<String>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, &'static str> {
        let mut found = Self {
            copies: 1,
            user: None,
            password: None,
        };
        for parameter in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "copies" => {
                    found.copies = value
                        .parse()
                        .ok()
                        .filter(|copies| (1..=MOST_COPIES).contains(copies))
                        .ok_or("has a `copies` that is not a whole number from 1 to 9")?;
                }
                "sentinel_user" => found.user = Some(value.to_owned()),
                "sentinel_password" => found.password = Some(value.to_owned()),
                _ => {
                    return Err(
                        "has a parameter that is not known; known are copies, sentinel_user, sentinel_password",
                    );
                }
            }
        }
        Ok(found)
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn found(url: &str) -> Sentinels {
        match Address::parse(url).unwrap() {
            Address::Sentinels(sentinels) => sentinels,
            Address::Server(_) => panic!("{url} is one server"),
        }
    }

    #[test]
    fn sentinels_are_named_one_by_one_with_the_master_behind_them() {
        let plain = found("redis+sentinel://10.0.0.1,10.0.0.2:5000,[::1]/understudy");
        let each: Vec<String> = plain.each.iter().map(|it| it.addr().to_string()).collect();
        assert_eq!(each, ["10.0.0.1:26379", "10.0.0.2:5000", "::1:26379"]);
        assert_eq!((plain.master.as_str(), plain.copies), ("understudy", 1));

        let full = "redis+sentinel://app:p%40ss@s1:1,s2:2/main/3?copies=2&sentinel_user=watch&sentinel_password=w";
        let full = found(full);
        let server = full.server.redis_settings();
        assert_eq!((server.username(), server.db()), (Some("app"), 3));
        assert_eq!(server.password(), Some("p@ss"));
        let sentinel = full.each[1].redis_settings();
        assert_eq!(sentinel.username(), Some("watch"));
        assert_eq!(full.copies, 2);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_part_of_it() {
        for (url, said) in [
            ("redis+sentinel://s1:1,s2:2", "names no master"),
            ("redis+sentinel://s1:1/", "names no master"),
            ("redis+sentinel:///hunter2", "has a Sentinel that is not"),
            (
                "redis+sentinel://s1:hunter2/m",
                "has a Sentinel that is not",
            ),
            ("redis+sentinel://s1,,s2/m", "has a Sentinel that is not"),
            (
                "redis+sentinel://a:hunter2@s1/m/x",
                "has a user, a password",
            ),
            ("redis+sentinel://s1/m?copies=0", "has a `copies`"),
            ("redis+sentinel://s1/m?pass=hunter2", "has a parameter"),
        ] {
            let error = check_sentinels(url).unwrap_err();
            assert!(error.starts_with(said), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
