//! AppArmor: which profile a container gets, and asking for it before exec.
//!
//! The kernel takes compiled policy only, and the one compiler is `apparmor_parser`. So our default profile is loaded by executing it,
//! once after each boot and only where neither our profile nor Docker's equal one is loaded already. Where AppArmor is off or the
//! compiler is missing, containers run unconfined, and the reason is handed to the caller to warn with.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};

/// The profile of a container that asked for none.
pub const DEFAULT_PROFILE: &str = "kist-default";

/// Docker's, which says the same and is there where Docker has run.
const DOCKER_PROFILE: &str = "docker-default";

const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
const POLICY: &str = "/etc/apparmor.d";

/// What a container without a wish gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultConfinement {
    /// This profile, which is loaded.
    Profile(&'static str),
    /// None.
    Unconfined(WhyUnconfined),
}

/// Why there is no default profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnconfined {
    /// The kernel has no AppArmor, or it is switched off. Nothing to warn of.
    Disabled,
    /// AppArmor is on and `apparmor_parser` is not installed: worth a warning.
    NoParser,
}

/// AppArmor is on and our profile could not be brought about.
#[derive(Debug, thiserror::Error)]
pub enum AppArmorError {
    /// The kernel's list of profiles.
    #[error("reading the loaded AppArmor profiles from {LOADED}")]
    Loaded(#[source] io::Error),
    /// The compiler could not be run.
    #[error("running apparmor_parser")]
    Parser(#[source] io::Error),
    /// The compiler ran and refused.
    #[error("apparmor_parser refused the profile {DEFAULT_PROFILE}: {0}")]
    Refused(String),
}

/// Whether the kernel enforces AppArmor.
#[must_use]
pub fn is_enabled() -> bool {
    std::fs::read_to_string(ENABLED).is_ok_and(|answer| answer.starts_with('Y'))
}

/// Whether the kernel knows the profile `name`.
pub fn is_loaded(name: &str) -> Result<bool, AppArmorError> {
    let list = std::fs::read_to_string(LOADED).map_err(AppArmorError::Loaded)?;
    Ok(lists(&list, name))
}

/// The default profile, loaded first if need be. Executes a program at most once after a boot; not for a forked child.
pub fn default_confinement() -> Result<DefaultConfinement, AppArmorError> {
    if !is_enabled() {
        return Ok(DefaultConfinement::Unconfined(WhyUnconfined::Disabled));
    }
    for profile in [DEFAULT_PROFILE, DOCKER_PROFILE] {
        if is_loaded(profile)? {
            return Ok(DefaultConfinement::Profile(profile));
        }
    }
    Ok(match load()? {
        Loading::Done => DefaultConfinement::Profile(DEFAULT_PROFILE),
        Loading::NoParser => DefaultConfinement::Unconfined(WhyUnconfined::NoParser),
    })
}

enum Loading {
    Done,
    NoParser,
}

// Compiling policy is a language of its own; nothing but apparmor_parser does it, and Docker does the same.
#[expect(clippy::disallowed_methods)]
fn load() -> Result<Loading, AppArmorError> {
    let own = std::fs::read_to_string("/proc/self/attr/apparmor/current")
        .or_else(|_| std::fs::read_to_string("/proc/self/attr/current"))
        .unwrap_or_default();
    let text = profile_text(DEFAULT_PROFILE, label(own.trim_end_matches(['\n', '\0'])), |file| {
        rustix::fs::stat(format!("{POLICY}/{file}")).is_ok()
    });
    // Replace; and skip the cache, whose directory may be read-only.
    let mut command = Command::new("apparmor_parser");
    command.args(["--replace", "--skip-cache"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut parser = match command.spawn() {
        Ok(parser) => parser,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loading::NoParser),
        Err(error) => return Err(AppArmorError::Parser(error)),
    };
    if let Some(mut stdin) = parser.stdin.take() {
        // A parser that refuses early closes its end; what it says of that is the better error.
        let written = io::Write::write_all(&mut stdin, text.as_bytes());
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(AppArmorError::Parser(error));
        }
    }
    let output = parser.wait_with_output().map_err(AppArmorError::Parser)?;
    if output.status.success() {
        Ok(Loading::Done)
    } else {
        Err(AppArmorError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// Whether the kernel's list (`name (mode)` a line) has `name`.
fn lists(list: &str, name: &str) -> bool {
    list.lines().any(|line| label(line) == name)
}

/// The name in `name (mode)`. It may itself hold spaces and parentheses.
fn label(line: &str) -> &str {
    match line.rfind(" (") {
        Some(mode) if line.ends_with(')') => &line[..mode],
        _ => line,
    }
}

/// The policy, the same in effect as Docker's: everything the kernel's other walls allow, except mounting, and writing to what steers
/// the host in /proc and /sys. `engine` is the label of this process, from which signals come.
fn profile_text(name: &str, engine: &str, installed: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    // Later ABIs part unix sockets from `network`, and they would be denied.
    if installed("abi/3.0") {
        text.push_str("abi <abi/3.0>,\n");
    }
    text.push_str(if installed("tunables/global") { "include <tunables/global>\n" } else { "@{PROC}=/proc/\n" });
    let _ = writeln!(text, "\nprofile \"{name}\" flags=(attach_disconnected,mediate_deleted) {{");
    if installed("abstractions/base") {
        text.push_str("  include <abstractions/base>\n");
    }
    text.push_str("  file,\n  capability,\n  umount,\n  network,\n  deny network alg,\n  deny mount,\n\n");

    let engine = if engine.is_empty() { "unconfined" } else { engine };
    let mut senders = vec!["unconfined"];
    senders.extend(Some(engine).filter(|engine| *engine != "unconfined"));
    for sender in senders {
        let _ = writeln!(text, "  signal (receive) peer=\"{sender}\",");
    }
    let _ = writeln!(text, "  signal (send,receive) peer=\"{name}\",");
    let _ = writeln!(text, "  ptrace (read,readby,trace,tracedby) peer=\"{name}\",\n");

    for (paths, access) in DENIED {
        for path in *paths {
            let _ = writeln!(text, "  deny {path} {access},");
        }
    }
    text.push_str("}\n");
    text
}

/// AppArmor has no "all but": each pattern cuts off what differs at one more letter.
const DENIED: &[(&[&str], &str)] = &[
    // Below /proc only /proc/<pid>/ and /proc/sys/kernel/shm* may be written.
    (
        &[
            "@{PROC}/*",
            "@{PROC}/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],[^1-9/][^0-9/][^0-9/][^0-9/]*}/**",
            "@{PROC}/sys/[^k]**",
            "@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**}",
        ],
        "w",
    ),
    (&["@{PROC}/sysrq-trigger", "@{PROC}/kcore"], "rwklx"),
    // Below /sys only /sys/fs/cgroup.
    (&["/sys/[^f]*/**", "/sys/f[^s]*/**", "/sys/fs/[^c]*/**", "/sys/fs/c[^g]*/**", "/sys/fs/cg[^r]*/**"], "wklx"),
    (&["/sys/firmware/**", "/sys/devices/virtual/powercap/**", "/sys/kernel/security/**"], "rwklx"),
];

/// A request for a profile from the next exec on, made before clone so that the child allocates nothing.
#[derive(Debug, Clone)]
pub struct OnExec(Vec<u8>);

impl OnExec {
    /// Asks for `profile`; `unconfined` is one too.
    #[must_use]
    pub fn new(profile: &str) -> OnExec {
        OnExec(format!("exec {profile}").into_bytes())
    }

    /// Opens the calling thread's request file below `proc`, a directory descriptor of a /proc of this machine.
    ///
    /// The kernel takes the request from the thread that will exec, so the child itself opens it; before it gives up its view of the
    /// host's /proc, or through a descriptor kept from there. Anything but procfs is refused (EXDEV): a file that an image put in its
    /// place would swallow the request (CVE-2019-16884). Allocates nothing.
    pub fn open(proc: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // The first is AppArmor's own; the other, of kernels before 5.8, is shared by all security modules.
        let file = match rustix::fs::openat(proc, c"thread-self/attr/apparmor/exec", flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => rustix::fs::openat(proc, c"thread-self/attr/exec", flags, Mode::empty()),
            opened => opened,
        }?;
        if rustix::fs::fstatfs(&file)?.f_type != PROC_SUPER_MAGIC {
            return Err(rustix::io::Errno::XDEV.into());
        }
        Ok(file)
    }

    /// Makes the request. Allocates nothing. A profile that is not loaded is ENOENT.
    pub fn apply(&self, file: impl AsFd) -> io::Result<()> {
        // The kernel takes the request in a single write.
        rustix::io::write(file, &self.0)?;
        Ok(())
    }
}

const PROC_SUPER_MAGIC: rustix::fs::FsWord = 0x9fa0;

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use rustix::fs::{CWD, openat};

    use super::*;

    #[test]
    fn the_list_of_profiles_is_read_by_whole_names() {
        let list = "docker-default (enforce)\n/usr/bin/man (x) (complain)\nkist-default (unconfined)\n";
        assert!(lists(list, "docker-default"));
        assert!(lists(list, "/usr/bin/man (x)"));
        assert!(!lists(list, "docker"));
        assert!(!lists("", "docker-default"));
    }

    #[test]
    fn the_policy_with_all_includes() {
        expect![[r#"
            abi <abi/3.0>,
            include <tunables/global>

            profile "kist-default" flags=(attach_disconnected,mediate_deleted) {
              include <abstractions/base>
              file,
              capability,
              umount,
              network,
              deny network alg,
              deny mount,

              signal (receive) peer="unconfined",
              signal (receive) peer="kist (1)",
              signal (send,receive) peer="kist-default",
              ptrace (read,readby,trace,tracedby) peer="kist-default",

              deny @{PROC}/* w,
              deny @{PROC}/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],[^1-9/][^0-9/][^0-9/][^0-9/]*}/** w,
              deny @{PROC}/sys/[^k]** w,
              deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
              deny @{PROC}/sysrq-trigger rwklx,
              deny @{PROC}/kcore rwklx,
              deny /sys/[^f]*/** wklx,
              deny /sys/f[^s]*/** wklx,
              deny /sys/fs/[^c]*/** wklx,
              deny /sys/fs/c[^g]*/** wklx,
              deny /sys/fs/cg[^r]*/** wklx,
              deny /sys/firmware/** rwklx,
              deny /sys/devices/virtual/powercap/** rwklx,
              deny /sys/kernel/security/** rwklx,
            }
        "#]]
        .assert_eq(&profile_text("kist-default", "kist (1)", |_| true));
    }

    #[test]
    fn the_policy_stands_alone_where_no_includes_are_installed() {
        let text = profile_text("p", "", |_| false);
        assert!(text.starts_with("@{PROC}=/proc/\n\nprofile \"p\" "), "{text}");
        assert!(!text.contains("include"));
        assert_eq!(text.matches("signal").count(), 2);
    }

    #[test]
    fn without_apparmor_containers_run_unconfined() {
        if is_enabled() {
            println!("skipped: this kernel has AppArmor on");
            return;
        }
        assert_eq!(default_confinement().unwrap(), DefaultConfinement::Unconfined(WhyUnconfined::Disabled));
    }

    #[test]
    fn a_false_proc_is_refused() {
        let dir = std::env::temp_dir().join(format!("kist-apparmor-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("thread-self/attr/apparmor")).unwrap();
        std::fs::File::create(dir.join("thread-self/attr/apparmor/exec")).unwrap();
        let proc = openat(CWD, &dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let refused = OnExec::open(proc.as_fd()).unwrap_err();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(refused.raw_os_error(), Some(libc::EXDEV));
    }
}
