//! The data folder, and the configuration in it: what production would have, plus two values.
//!
//! `telegram.dc` (where the data centre is) and each bot's `preset_key` (auth keys that it knows already, one a line) are the only differences
//! from a configuration for real tokens. Secrets are in files of mode 0600, referred to by the configuration.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::course::{CATEGORIES, TAGS};
use crate::scene::{CHANNEL_RIGHTS, GROUP_RIGHTS, Scene};

#[derive(Debug, Clone)]
pub struct Folder {
    pub root: PathBuf,
}

impl Folder {
    /// A fresh folder, or the given one when it is empty or absent.
    pub fn make(wanted: Option<&Path>, seed: u64) -> Result<Self> {
        let root = match wanted {
            Some(path) => path.to_owned(),
            None => fresh_name(seed),
        };
        let root =
            std::path::absolute(&root).with_context(|| format!("the folder {}", root.display()))?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&root)
            .with_context(|| format!("cannot make the folder {}", root.display()))?;
        let mut entries = fs::read_dir(&root)
            .with_context(|| format!("cannot read the folder {}", root.display()))?;
        if entries.next().is_some() {
            bail!(
                "the folder {} is not empty: give another one with --data",
                root.display()
            );
        }
        builder
            .create(root.join("secrets"))
            .context("cannot make the folder of secrets")?;
        Ok(Self { root })
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("understudy.toml")
    }

    /// The configuration's `data_dir`.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("understudy.log")
    }

    pub fn write_config(&self, scene: &Scene, dc: SocketAddr) -> Result<()> {
        self.write_config_with(scene, dc, "")
    }

    /// With further tables at its end.
    pub fn write_config_with(&self, scene: &Scene, dc: SocketAddr, more: &str) -> Result<()> {
        self.secret("api_hash", "0123456789abcdef0123456789abcdef")?;
        for bot in &scene.bots {
            self.secret(&format!("{}.token", bot.name), &bot.token)?;
            self.secret(&format!("{}.key", bot.name), &bot.auth_keys.join("\n"))?;
        }
        let text = config_text(scene, dc) + more;
        fs::write(self.config(), text).context("cannot write understudy.toml")
    }

    /// A new file, only the owner may read it.
    pub fn secret(&self, name: &str, value: &str) -> Result<()> {
        let path = self.root.join("secrets").join(name);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(value.as_bytes()));
        written.with_context(|| format!("cannot write the secret {name}"))
    }
}

/// Under the folder that the start script names, else under the current one.
fn fresh_name(seed: u64) -> PathBuf {
    let base = std::env::var_os("UNDERSTUDY_SANDBOX_DATA")
        .map_or_else(|| PathBuf::from("data/sandbox"), PathBuf::from);
    base.join(format!("{}-s{seed}", crate::clock::unix_ms()))
}

fn config_text(scene: &Scene, dc: SocketAddr) -> String {
    let mut text = format!(
        "# Written by the sandbox. For real tokens: drop `dc` and the `preset_key`s, put your own secrets into the files.\n\
         data_dir = \"state\"\n\n\
         [telegram]\n\
         api_id = 1\n\
         api_hash = \"file:secrets/api_hash\"\n\
         dc = \"2@{dc}\"\n\n\
         [workers]\n\
         local = 2\n\n\
         [[pool]]\n\
         name = \"main\"\n"
    );
    for bot in &scene.bots {
        let name = bot.name;
        text += &format!(
            "\n[[pool.bot]]\nname = \"{name}\"\ntoken = \"file:secrets/{name}.token\"\npreset_key = \"file:secrets/{name}.key\"\n"
        );
    }
    let channels = [
        (scene.group, "group", &GROUP_RIGHTS[..]),
        (scene.storage, "storage", &CHANNEL_RIGHTS[..]),
        (scene.broadcast, "broadcast", &CHANNEL_RIGHTS[..]),
    ];
    for (id, role, rights) in channels {
        text += &format!("\n[[pool.channel]]\nid = {id}\nrole = \"{role}\"\nrights = {rights:?}\n");
    }
    text + &format!(
        "\n[pool.upload]\ncategories = {CATEGORIES:?}\ntags = {TAGS:?}\nmax_files = 10\n"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::scene::SceneBot;

    fn scene() -> Scene {
        let bot = SceneBot {
            name: "first",
            id: 7,
            username: "first_bot".into(),
            token: "7:canary-token".into(),
            auth_keys: vec!["ca".repeat(256), "cb".repeat(256)],
        };
        Scene {
            bots: vec![bot],
            group: 11,
            storage: 12,
            broadcast: 13,
            members: vec![],
        }
    }

    #[test]
    fn the_configuration_names_secrets_and_holds_none() {
        let place = std::env::temp_dir().join(format!("understudy sandbox {}", std::process::id()));
        let folder = Folder::make(Some(&place), 1).unwrap();
        folder
            .write_config(&scene(), "127.0.0.1:4430".parse().unwrap())
            .unwrap();
        let text = fs::read_to_string(folder.config()).unwrap();
        assert!(text.contains("dc = \"2@127.0.0.1:4430\""), "{text}");
        assert!(
            text.contains("rights = [\"post_messages\", \"edit_messages\", \"delete_messages\"]"),
            "{text}"
        );
        assert!(!text.contains("canary") && !text.contains("caca"), "{text}");
        let token = place.join("secrets/first.token");
        assert_eq!(
            fs::metadata(&token).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_to_string(token).unwrap(), "7:canary-token");
        let keys = fs::read_to_string(place.join("secrets/first.key")).unwrap();
        assert_eq!(keys.lines().count(), 2, "one a line");
        let again = Folder::make(Some(&place), 1).unwrap_err().to_string();
        assert!(again.contains("is not empty"), "{again}");
        fs::remove_dir_all(place).unwrap();
    }
}
