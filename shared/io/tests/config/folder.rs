//! A folder with a configuration in it, changed one thing at a time.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use shared_io::config::{Config, ConfigError, Surroundings};

pub const HASH: &str = "0123456789abcdef0123456789abcdef";

/// The least that loads.
const MINIMAL: &str = r#"[telegram]
api_id = 17
api_hash = "file:api_hash"

[[pool]]
name = "main"

[[pool.bot]]
name = "first"
token = "file:first.token"

[[pool.channel]]
id = 500
role = "storage"

"#;

/// The token of bot 7000000 + `n`.
pub fn token(n: u32) -> String {
    format!("{}:AAHk3b_0123456789-abcdefghijklmnop", 7_000_000 + n)
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn minimal() -> Self {
        let folder = Self::empty();
        folder.write("understudy.toml", MINIMAL);
        folder.secret("api_hash", HASH);
        folder.secret("first.token", &token(1));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn secret(&self, name: &str, text: &str) {
        self.write(name, text);
        self.chmod(name, 0o600);
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Sections after the pool's would belong to it, so they go first.
    pub fn append(&self, sections: &str) {
        self.replace("[telegram]", &format!("{sections}[telegram]"));
    }

    pub fn replace(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("understudy.toml")).unwrap();
        assert!(text.contains(from), "{from:?} is not in the file");
        self.write("understudy.toml", &text.replacen(from, to, 1));
    }

    pub fn load(&self) -> Result<Config, ConfigError> {
        self.load_in(&Surroundings::empty())
    }

    pub fn load_in(&self, surroundings: &Surroundings) -> Result<Config, ConfigError> {
        Config::load_with(self.path("understudy.toml"), surroundings)
    }

    /// The error's line with this folder's name taken out.
    pub fn complaint(&self, surroundings: &Surroundings) -> String {
        let error = self.load_in(surroundings).expect_err("must be refused");
        error
            .to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
    }
}
