//! What a user is told who may not look into the data folder: who may.
//!
//! The name of a user is looked up in /etc/passwd alone: a user of a directory service is named by his number.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One line on `path`, which the kernel did not let us read.
pub fn denied(path: &Path) -> anyhow::Error {
    let me = rustix::process::geteuid().as_raw();
    // What cannot even be looked at is behind a folder that can.
    let seen = path
        .ancestors()
        .find_map(|above| Some((above, std::fs::metadata(above).ok()?)));
    let path = path.display();
    let Some((above, found)) = seen else {
        return anyhow::anyhow!(
            "{path} may not be read by this user: run it as the user that runs the supervisor"
        );
    };
    if found.uid() == me {
        return anyhow::anyhow!(
            "{path} may not be read by this user, who owns {}: run: chmod u+rwX '{}'",
            above.display(),
            above.display()
        );
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    match name_of(&passwd, found.uid()) {
        Some(name) => anyhow::anyhow!(
            "{path} may not be read by this user: run it as {name} (sudo -u {name} understudy ...)"
        ),
        None => anyhow::anyhow!(
            "{path} may not be read by this user: run it as user {uid} (sudo -u '#{uid}' understudy ...)",
            uid = found.uid()
        ),
    }
}

/// passwd(5): `name:password:uid:...`.
fn name_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_his_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n# broken\nunderstudy:x:998:998::/var/lib/understudy:/usr/sbin/nologin\n";
        assert_eq!(name_of(passwd, 998), Some("understudy"));
        assert_eq!(name_of(passwd, 0), Some("root"));
        assert_eq!(name_of(passwd, 1000), None);
    }
}
