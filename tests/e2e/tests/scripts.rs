//! How the scripts install what is missing, with an apt-get of the test's own: nothing is installed here.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A machine whose package lists are missing: the first installation fails, one after an update does not.
const APT_GET: &str = "#!/bin/sh\n\
    echo \"$1 $(cat \"$POLICY\" 2>/dev/null | tail -n 1)\" >>\"$PLACE/calls\"\n\
    case \"$1\" in update) touch \"$PLACE/updated\" ;; install) [ -e \"$PLACE/updated\" ] ;; esac\n";

struct Machine {
    place: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let apt_get = place.path().join("apt-get");
        std::fs::write(&apt_get, APT_GET).unwrap();
        std::fs::set_permissions(&apt_get, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { place }
    }

    fn policy(&self) -> PathBuf {
        self.place.path().join("policy-rc.d")
    }

    /// Runs `command` with the scripts' functions at hand.
    fn run(&self, command: &str) -> Output {
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/lib.sh");
        let path = std::env::var("PATH").unwrap();
        let script = format!(
            "set -euo pipefail; . '{}'; policy=\"$POLICY\"; as_root() {{ \"$@\"; }}; sudo() {{ true; }}; {command}",
            library.display()
        );
        Command::new("bash")
            .args(["-c", &script])
            .env("PATH", format!("{}:{path}", self.place.path().display()))
            .env("PLACE", self.place.path())
            .env("POLICY", self.policy())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.place.path().join("calls")).unwrap();
        calls.lines().map(|line| line.trim().to_owned()).collect()
    }
}

#[test]
fn services_are_forbidden_while_a_package_is_installed_and_not_afterwards() {
    let machine = Machine::new();
    let output = machine.run("install_package thing thing 'a test'");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        machine.calls(),
        ["install exit 101", "update exit 101", "install exit 101"]
    );
    assert!(!machine.policy().exists(), "the policy is left");
}

#[test]
fn a_policy_that_was_there_beforehand_stays() {
    // Word for word what the scripts would write.
    const POLICY: &str = "#!/bin/sh\nexit 101\n";
    let machine = Machine::new();
    std::fs::write(machine.policy(), POLICY).unwrap();
    let output =
        machine.run("install_package thing thing 'a test'; install_package other other 'a test'");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(machine.policy()).unwrap(), POLICY);
}

#[test]
fn a_policy_of_ours_goes_when_the_installation_fails() {
    let machine = Machine::new();
    let output = machine.run("apt_install() { false; }; install_package thing thing 'a test'");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot install the package 'thing'"),
        "{said}"
    );
    assert!(!machine.policy().exists(), "the policy is left");
}

#[test]
fn headers_are_installed_after_an_update_as_everything_else() {
    let machine = Machine::new();
    let output = machine.run("need_headers");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(machine.calls(), ["install", "update", "install"]);
}
