//! The host court: the real program with roots of its own, as root, in parallel. Each test states a fact about the product, and
//! leaves nothing behind: the driver looks for mounts, processes, control groups, namespaces and open files when it is dropped.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests read files and processes of the machine, and stop at the first surprise"
)]

mod attestations;
mod build;
mod build_cache;
mod crash;
mod errors;
mod events;
mod exec;
mod files;
mod health;
mod images;
mod life;
mod limits;
mod login;
mod logs;
mod mounts;
mod namespaces;
mod net;
mod networks;
mod registry;
mod registry_faults;
mod remote;
mod restart;
mod review;
mod run;
mod security;
mod serve;
mod stats;
mod storm;
mod top;
mod tty;
mod volumes;

use std::fs;
use std::path::PathBuf;

use testkit::{Kist, Machine, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kist");

/// An engine without images on a host of its own: devices and rules of its networks are nowhere else.
fn empty() -> Kist {
    Machine::new().kist(PROGRAM)
}

/// The same with the image `busybox`.
fn busybox() -> Kist {
    let kist = empty();
    kist.load(&testkit::busybox_image());
    kist
}

/// An engine without images on this computer itself, where the registries of tests listen.
fn on_this_computer() -> Kist {
    Kist::new(PROGRAM)
}

/// The same with the image `busybox`.
fn busybox_on_this_computer() -> Kist {
    Kist::with_busybox(PROGRAM)
}

/// `head`, the flags (parted by blanks), the image, and a shell's script.
fn shell<'a>(head: &[&'a str], flags: &'a str, script: &'a str) -> Vec<&'a str> {
    let mut args = head.to_vec();
    args.extend(flags.split_whitespace());
    args.extend(["busybox", "sh", "-c", script]);
    args
}

/// What a script prints in a container with these flags; it must succeed.
#[track_caller]
fn sh(kist: &Kist, flags: &str, script: &str) -> String {
    kist.ok(&shell(&["run", "--rm"], flags, script))
}

/// What becomes of a script in a container with these flags.
fn try_sh(kist: &Kist, flags: &str, script: &str) -> Output {
    kist.run(&shell(&["run", "--rm"], flags, script))
}

/// Starts a script in the background and answers the container's ID.
#[track_caller]
fn background(kist: &Kist, flags: &str, script: &str) -> String {
    kist.ok(&shell(&["run", "-d"], flags, script))
}

/// A container that does nothing until it is told to end.
#[track_caller]
fn idle(kist: &Kist, flags: &str) -> String {
    background(kist, flags, "trap 'exit 0' TERM; sleep 1000 & wait")
}

#[track_caller]
fn inspect(kist: &Kist, container: &str, format: &str) -> String {
    kist.ok(&["inspect", "--format", format, container])
}

/// The container's first process, as the host numbers it.
#[track_caller]
fn pid(kist: &Kist, container: &str) -> u32 {
    inspect(kist, container, "{{.State.Pid}}").parse().unwrap()
}

/// Where the container's control group of this controller is mounted: v1's own hierarchy, else the unified one.
#[track_caller]
fn cgroup(pid: u32, controller: &str) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let of = |wanted: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (names, path) = (fields.next()?, fields.next()?);
            names.split(',').any(|name| name == wanted).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let own = of(controller).filter(|_| !controller.is_empty());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let after: Vec<_> = after.split(' ').collect();
        let fits = match own {
            Some(_) => after[0] == "cgroup" && after[2].split(',').any(|option| option == controller),
            None => after[0] == "cgroup2",
        };
        fits.then(|| PathBuf::from(before.split(' ').nth(4).unwrap()))
    });
    point.expect("control groups are mounted").join(own.or_else(|| of("")).unwrap())
}

/// Whether this machine gives containers their limits by control groups v2.
fn is_v2() -> bool {
    fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").is_ok()
}

/// The field of a `/proc/*/status` that stands behind `name:`.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}
