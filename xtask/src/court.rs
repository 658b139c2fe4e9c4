//! Checks, tests and the release build: cargo's words in the order of the house.

use crate::run::{cargo, install, release_program, succeed, target_dir, workspace};
use crate::tidy;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;

pub(crate) fn check() -> Result<()> {
    succeed(&mut cargo(&["fmt", "--all", "--check"]))?;
    succeed(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    tidy::tidy()
}

/// What the tests run beside kist, and the package of Debian that has it. Docker and Podman, with what they need, are 85 MB of packages
/// and 320 MB on the disk: the clients that people point at a registry are worth the half minute.
const TOOLS: [(&str, &str); 15] = [
    ("attr", "/usr/bin/setfattr"),
    ("busybox-static", "/bin/busybox"),
    ("curl", "/usr/bin/curl"),
    ("dbus-daemon", "/usr/bin/dbus-daemon"),
    ("debootstrap", "/usr/sbin/debootstrap"),
    ("docker-registry", "/usr/bin/docker-registry"),
    ("docker.io", "/usr/sbin/dockerd"),
    ("git", "/usr/bin/git"),
    ("iproute2", "/usr/sbin/ip"),
    ("libcap2-bin", "/sbin/setcap"),
    ("nftables", "/usr/sbin/nft"),
    ("podman", "/usr/bin/podman"),
    ("skopeo", "/usr/bin/skopeo"),
    ("tar", "/bin/tar"),
    ("util-linux", "/usr/bin/setpriv"),
];

/// Both courts. Everywhere `--workspace`, so that one set of features is built once.
pub(crate) fn test() -> Result<()> {
    install(&TOOLS)?;
    let skips = target_dir().join("test-skips");
    let _ = fs::remove_file(&skips);
    let mut pure = cargo(&["test", "--workspace", "--locked", "--lib", "--bins", "--no-fail-fast"]);
    let pure = succeed(pure.env("KIST_TEST_SKIPS", &skips));
    let host = host(&[]);
    let skips = compare_skips(&fs::read_to_string(&skips).unwrap_or_default());
    pure.and(host).and(skips)
}

/// The integration binaries: the real program, as root, with private roots.
pub(crate) fn host(args: &[&str]) -> Result<()> {
    let mut command = cargo(&["test", "--workspace", "--locked", "--test", "*", "--no-fail-fast", "--"]);
    succeed(command.args(args).env("KIST_TEST_SKIPS", target_dir().join("test-skips")))
}

/// Every skip is printed. On the build machine the tests that may skip are listed in `.ci/skips`, one name a line: neither may a test
/// fall silent there unseen, nor the list outlive its reasons.
fn compare_skips(skips: &str) -> Result<()> {
    let skipped: BTreeSet<_> = skips.lines().filter_map(|line| line.split_once(": ")).map(|(test, _)| test).collect();
    println!("{} tests skipped\n{skips}", skipped.len());
    if std::env::var_os("CI").is_none() {
        return Ok(());
    }
    let listed = fs::read_to_string(workspace().join(".ci/skips")).context(".ci/skips")?;
    let listed: BTreeSet<_> = listed.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let unlisted: Vec<_> = skipped.difference(&listed).collect();
    let unneeded: Vec<_> = listed.difference(&skipped).collect();
    ensure!(unlisted.is_empty(), "skipped, but not in .ci/skips: {unlisted:?}");
    ensure!(unneeded.is_empty(), "in .ci/skips, but not skipped: {unneeded:?}");
    Ok(())
}

pub(crate) fn release() -> Result<()> {
    succeed(&mut cargo(&["build", "--release", "--locked", "-p", "kist"]))?;
    let program = release_program();
    let size_bytes = fs::metadata(&program).with_context(|| program.display().to_string())?.len();
    println!("{} {} bytes", program.display(), size_bytes);
    Ok(())
}
