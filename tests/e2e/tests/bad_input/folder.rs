//! A folder with the least configuration that loads, changed one thing at a time, and the real binary run on it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::built;

/// Longest that bad input may take to be refused: a store that does not answer is waited for a moment.
const PATIENCE: Duration = Duration::from_secs(20);

pub const TOKEN: &str = "7000001:AAHk3b_0123456789-abcdefghijklmnop";
const MINIMAL: &str = r#"data_dir = "data"

[telegram]
api_id = 17
api_hash = "file:api_hash"

[workers]
local = 1

[[pool]]
name = "main"

[[pool.bot]]
name = "first"
token = "file:first.token"

[[pool.bot]]
name = "second"
token = "file:second.token"

[[pool.channel]]
id = 500
role = "storage"
"#;

pub struct Folder {
    place: tempfile::TempDir,
    environment: BTreeMap<&'static str, String>,
    user: Option<u32>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    program: &'static str,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new() -> Self {
        let folder = Self {
            place: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
            user: None,
        };
        folder.write("understudy.toml", MINIMAL);
        folder.write("api_hash", "0123456789abcdef0123456789abcdef");
        folder.write("first.token", TOKEN);
        folder.write("second.token", "7000002:AAHk3b_0123456789-abcdefghijklmnop");
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A file that only we may read.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Changes the configuration.
    pub fn replace(&self, from: &str, to: &str) {
        let text = String::from_utf8(self.read("understudy.toml")).unwrap();
        assert!(text.contains(from), "{from:?} is not in the configuration");
        self.write("understudy.toml", &text.replacen(from, to, 1));
    }

    pub fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.insert(name, value.to_owned());
        self
    }

    /// Root may write anywhere: where rights are what matters, a user without any runs the command, and has the folder.
    pub fn without_rights(mut self) -> Self {
        const NOBODY: u32 = 65534;
        if rustix::process::geteuid().is_root() {
            for entry in std::fs::read_dir(self.place.path()).unwrap() {
                let path = entry.unwrap().path();
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            std::os::unix::fs::chown(self.place.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            self.user = Some(NOBODY);
        }
        self
    }

    pub fn run(&self, words: &[&str]) -> Said {
        self.run_program("understudy", words)
    }

    /// A worker, as a service manager starts it.
    pub fn run_worker(&self) -> Said {
        self.run_program("understudy-worker", &["--name", "w1"])
    }

    fn run_program(&self, program: &'static str, words: &[&str]) -> Said {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(built(program).unwrap());
        command
            .args(words)
            .arg("--config")
            .arg(self.path("understudy.toml"))
            .envs(&self.environment)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().unwrap();
        // What a command says here fits into a pipe: it is read when the command has ended.
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{program} {words:?} was still running after {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let (mut out, mut err) = (String::new(), String::new());
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        Said {
            program,
            code: status.code(),
            out,
            err,
        }
    }

    /// Everything in the data folder, by name.
    pub fn data(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("data"), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.is_file() {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
}

impl Said {
    /// Refused with one line on stderr that has all of `parts`, and nothing else there but log lines before it.
    #[track_caller]
    pub fn refused(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        let line = self.complaint();
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in: {line}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
        assert!(!self.err.contains("AAHk3b"), "a token is in: {self:?}");
    }

    /// The same, and it is all that was said.
    #[track_caller]
    pub fn refused_in_one_line(&self, parts: &[&str]) {
        self.refused(parts);
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
    }

    /// The one line that is for the operator.
    #[track_caller]
    fn complaint(&self) -> &str {
        let ours: Vec<&str> = self
            .err
            .lines()
            .filter(|line| line.starts_with(&format!("{}: ", self.program)))
            .collect();
        assert_eq!(ours.len(), 1, "not one line: {self:?}");
        assert_eq!(
            self.err.lines().last(),
            Some(ours[0]),
            "not the last: {self:?}"
        );
        ours[0]
    }

    /// `doctor` found it: exit code 1 and a failure with all of `parts`.
    #[track_caller]
    pub fn diagnosed(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let failed = self.out.lines().filter(|line| line.starts_with("FAIL"));
        assert!(
            failed
                .clone()
                .any(|line| parts.iter().all(|part| line.contains(part))),
            "no failure with {parts:?}: {}",
            self.out
        );
    }
}
