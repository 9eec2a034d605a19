# What the scripts share: where the checkout is, and how a missing program comes onto the machine. Sourced by bash, not run.
#
# Installs only what is missing, only by apt-get, and says so. Never leaves a service running: Understudy starts its own
# redis-server, and a second one on the distribution's port helps nobody.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 2
}

# as_root COMMAND...: runs it as root, or fails.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Debian's package scripts ask this program whether a service may be started. It is put in place for one installation only.
# One that was there beforehand is somebody else's, whatever is in it, and stays.
policy=/usr/sbin/policy-rc.d
policy_is_ours=

forbid_services() {
    [ ! -e "$policy" ] || return 0
    policy_is_ours=1
    trap allow_services EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_services() {
    [ -n "$policy_is_ours" ] || return 0
    as_root rm -f "$policy"
    policy_is_ours=
    trap - EXIT
}

# need PROGRAM PACKAGE WHY: installs the package when the program is missing.
need() {
    local program="$1" package="$2" why="$3"
    if command -v "$program" >/dev/null 2>&1; then
        return 0
    fi
    install_package "$program" "$package" "$why"
    command -v "$program" >/dev/null 2>&1 || fail "the package '$package' is installed and brought no $program"
}

# install_package PROGRAM PACKAGE WHY: installs the package that brings the program.
install_package() {
    local program="$1" package="$2" why="$3"
    command -v apt-get >/dev/null 2>&1 ||
        fail "$program is missing ($why) and there is no apt-get: install the package '$package'"
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        fail "$program is missing ($why) and this is not root: run 'sudo apt-get install $package'"
    say "installing $package: $why"
    forbid_services
    apt_install "$package" || fail "cannot install the package '$package' ($why)"
    allow_services
}

# apt_install PACKAGE: once more after an update, because a fresh machine has no lists of packages, or old ones.
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 || {
        as_root apt-get update -qq >/dev/null 2>&1 || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
    }
}

# What the tests need besides: a PostgreSQL that they start themselves, each one of its own. Debian keeps its programs outside of PATH.
need_postgres() {
    has_postgres || install_package postgres postgresql "the tests run the store against a real server of their own"
    has_postgres || fail "the package 'postgresql' is installed and brought no /usr/lib/postgresql/*/bin/initdb"
    need openssl openssl "the tests' PostgreSQL gets a certificate from it"
    if [ "$(id -u)" = 0 ]; then
        getent passwd postgres >/dev/null || fail "there is no user 'postgres', as whom the tests start PostgreSQL: install the package 'postgresql'"
    fi
}

has_postgres() {
    local bin
    for bin in /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -x "$bin/psql" ] && return 0
    done
    command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && command -v psql >/dev/null 2>&1
}

# Everything that building and running needs.
need_all() {
    # rustup installs here and tells only new shells.
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: install Rust from https://rustup.rs"
    need cc gcc "Rust links with it, and SQLite is compiled by it"
    [ -e /usr/include/stdio.h ] || need_headers
    need redis-server redis-server "the live state of a deployment; Understudy starts a private one"
}

need_headers() {
    command -v apt-get >/dev/null 2>&1 || return 0
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        fail "the C headers are missing and this is not root: run 'sudo apt-get install libc6-dev'"
    say "installing libc6-dev: SQLite is compiled with its headers"
    apt_install libc6-dev || fail "cannot install the package 'libc6-dev'"
}

# need_clients TARGET: the Python clients that the simulator is proved with, in an environment of their own below TARGET. An
# environment that TELEGRAM_CLIENTS_VENV names is the caller's, and is left as it is.
need_clients() {
    [ -z "${TELEGRAM_CLIENTS_VENV:-}" ] || return 0
    local venv="$1/telegram-clients" wanted="$root/tests/telegram-sim/clients/requirements.txt"
    # The list is put beside the environment last: one that was cut off in the middle is made again.
    ! cmp -s "$wanted" "$venv/requirements.txt" || return 0
    need python3 python3 "clients in Python prove the Telegram simulator"
    python3 -c 'import ensurepip' 2>/dev/null || need_venv
    say "installing the Python clients of tests/telegram-sim/clients/requirements.txt"
    mkdir -p "$1"
    python3 -m venv --clear "$venv" || fail "cannot make a Python environment in $venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted" ||
        fail "cannot install the packages of $wanted"
    cp "$wanted" "$venv/requirements.txt"
}

# Debian keeps what a new environment needs in a package of its own.
need_venv() {
    command -v apt-get >/dev/null 2>&1 || fail "python3 lacks ensurepip: install it"
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        fail "python3-venv is missing and this is not root: run 'sudo apt-get install python3-venv'"
    say "installing python3-venv: the Python clients get an environment of their own"
    apt_install python3-venv || fail "cannot install the package 'python3-venv'"
}

# Where cargo puts the binaries.
target_dir() {
    local dir="${CARGO_TARGET_DIR:-}"
    case "$dir" in
        "") dir="$root/target" ;;
        /*) ;;
        *) dir="$PWD/$dir" ;;
    esac
    printf '%s\n' "$dir"
}
