//! Git repositories, by the machine's own git: there is no other way to speak its protocols, and people's keys and agents are set up
//! for it.
//!
//! What it is told is from a Dockerfile and not trusted: it asks nobody anything, runs no hooks and no programs that a repository or a
//! configuration names, reads no configuration, and speaks the protocols of networks alone.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use builder::{Commit, Git, Machine as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::{Tools, program};
use crate::error::Error;

/// What it is called in `PATH`.
pub const GIT: &str = "git";

/// For every word to it.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "protocol.allow=never",
    "advice.detachedHead=false",
    "init.defaultBranch=master",
    "submodule.recurse=false",
    // Nothing of when it was done stays: what is built on a checkout is known by its bytes.
    "core.logAllRefUpdates=false",
];
const PROTOCOLS: [&str; 4] = ["https", "http", "ssh", "git"];

/// What of the user's surroundings it gets.
const HANDED_ON: [&str; 9] = [
    "PATH",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "GIT_SSL_CAINFO",
];

/// How often it is looked whether the build is still wanted.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Checks out a repository into an empty directory.
pub(super) fn git(tools: &Tools<'_>, wanted: &Git, into: &Path, on: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, Error> {
    let program = find(tools.git_env)?;
    let say = Say { program: &program, tools, into, on };
    let reference = wanted.reference.as_deref().filter(|text| !text.is_empty()).unwrap_or("HEAD");
    for text in [wanted.remote.as_str(), reference] {
        if text.starts_with('-') || text.contains('\0') {
            return Err(Error::Invalid(format!("{text:?} is no address or reference of git")));
        }
    }
    let failed =
        |error: Error| Error::Other(format!("failed to fetch remote {}", shown(&wanted.remote)), Box::new(error));
    let is_commit = matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit());
    let (name, digits) = match is_commit {
        true => (reference.to_owned(), reference.len()),
        false => found(reference, &say.words(&["ls-remote", &wanted.remote, reference]).map_err(failed)?)?,
    };
    // Which digests a repository has cannot be changed later.
    let format: &[&str] = if digits == 64 { &["--object-format=sha256"] } else { &[] };
    say.words(&[&["init", "--quiet", "--template="], format].concat())?;
    say.words(&["remote", "add", "origin", &wanted.remote])?;
    match say.shallow(&["fetch", "--quiet", "--no-tags"], &["origin", &name]) {
        Ok(_) => say.words(&["checkout", "--quiet", "--force", "FETCH_HEAD"])?,
        // Not every server gives out a commit by its name: then it is among all there is.
        Err(_) if is_commit => {
            say.words(&["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"])
                .map_err(failed)?;
            say.words(&["checkout", "--quiet", "--force", reference]).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    let id = say.words(&["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
    let committed_s = say.words(&["log", "--max-count=1", "--format=%ct", "HEAD"])?.trim().parse().ok();
    let has_modules = into.join(".gitmodules").symlink_metadata().is_ok();
    if wanted.submodules && has_modules {
        say.shallow(&["submodule", "--quiet", "update", "--init", "--recursive"], &[]).map_err(failed)?;
    }
    if wanted.keep_git_dir {
        // An index without the files' times and inodes.
        say.words(&["read-tree", "HEAD"])?;
    } else {
        disk::remove_tree(&into.join(".git")).map_err(Error::io("removing the repository's .git"))?;
    }
    Ok(Commit { id, committed_s })
}

/// What a branch or tag is called in full, and how many digits its digest has, by what `ls-remote` printed. A branch goes before a
/// tag, as git itself has it.
fn found(reference: &str, printed: &str) -> Result<(String, usize), Error> {
    let below = |dir: &str| format!("{dir}{}", reference.strip_prefix(dir).unwrap_or(reference));
    let names = match reference {
        "HEAD" => vec!["HEAD".to_owned()],
        _ => vec![below("refs/"), below("refs/heads/"), below("refs/tags/")],
    };
    let lines: Vec<(&str, &str)> = printed.lines().filter_map(|line| line.split_once('\t')).collect();
    names
        .into_iter()
        .find_map(|name| lines.iter().find(|(_, its)| *its == name).map(|(digest, _)| (name, digest.len())))
        .ok_or_else(|| Error::Invalid(format!("repository does not contain ref {reference}, output: {printed:?}")))
}

fn find(env: &[(String, String)]) -> Result<PathBuf, Error> {
    program::find(env, GIT).ok_or_else(|| {
        Error::NotFound(
            "git is not installed on this machine, and builds from git repositories need it: install the package git"
                .into(),
        )
    })
}

/// One git, one directory.
struct Say<'a> {
    program: &'a Path,
    tools: &'a Tools<'a>,
    into: &'a Path,
    on: &'a (dyn Fn(&[u8]) + Sync),
}

impl Say<'_> {
    /// Runs it with these words. Answers what it prints; what it complains of is passed on while it comes.
    fn words(&self, words: &[&str]) -> Result<String, Error> {
        let running = |e| Error::Io(format!("running {}", self.program.display()), e);
        let mut child = self.command(words).spawn().map_err(running)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut printed, mut complaint) = (String::new(), Vec::new());
        std::thread::scope(|scope| {
            if let Some(mut stdout) = stdout {
                let printed = &mut printed;
                scope.spawn(move || stdout.read_to_string(printed));
            }
            complaint = stderr.map(|stderr| self.listen(&child, stderr)).unwrap_or_default();
        });
        let status = child.wait().map_err(running)?;
        if self.tools.is_interrupted() {
            return Err(Error::Invalid("context canceled".into()));
        }
        if status.success() {
            return Ok(printed);
        }
        let said = String::from_utf8_lossy(&complaint).trim().to_owned();
        Err(Error::Invalid(format!("git {} failed: {said}", words.first().copied().unwrap_or_default())))
    }

    /// Passes on what it complains of, until it has ended or nobody wants the build any more. Answers the beginning of it.
    fn listen(&self, child: &Child, mut stderr: ChildStderr) -> Vec<u8> {
        let (mut complaint, mut buffer) = (Vec::new(), [0; 4096]);
        while !self.tools.is_interrupted() {
            if let Ok(0) | Err(rustix::io::Errno::INTR) =
                poll(&mut [PollFd::new(&stderr, PollFlags::IN)], Some(&GLANCE))
            {
                continue;
            }
            let Ok(count @ 1..) = stderr.read(&mut buffer) else { return complaint };
            (self.on)(&buffer[..count]);
            if complaint.len() < 4096 {
                complaint.extend_from_slice(&buffer[..count]);
            }
        }
        // It takes its own programs along. That it is gone already is as good.
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
        complaint
    }

    /// The newest commit alone, or all of them from servers that cannot tell a part: those that give out plain files.
    fn shallow(&self, words: &[&str], what: &[&str]) -> Result<String, Error> {
        match self.words(&[words, &["--depth=1"], what].concat()) {
            Err(Error::Invalid(why)) if why.contains("shallow") => self.words(&[words, what].concat()),
            other => other,
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = program::command(self.program);
        command.current_dir(self.into);
        let handed_on = self.tools.git_env.iter().filter(|(name, _)| HANDED_ON.contains(&name.as_str()));
        command.envs(handed_on.map(|(name, value)| (name, value)));
        command.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "/bin/false"),
            ("SSH_ASKPASS", "/bin/false"),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -F /dev/null"),
            ("HOME", "/dev/null"),
            ("LC_ALL", "C"),
        ]);
        command.env("GIT_ALLOW_PROTOCOL", PROTOCOLS.join(":"));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for protocol in PROTOCOLS {
            command.args(["-c", &format!("protocol.{protocol}.allow=always")]);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Without a password.
fn shown(remote: &str) -> String {
    match remote.split_once("://") {
        Some((scheme, rest)) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
            format!("{scheme}://{}", rest.split_once('@').map_or(rest, |(_, rest)| rest))
        }
        Some(_) | None => remote.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn a_branch_goes_before_a_tag_and_what_is_not_there_is_said() {
        let one = |name: &str| format!("{}\t{name}\n", "a".repeat(40));
        let printed = one("refs/heads/v1") + &one("refs/tags/v1") + &one("refs/tags/x") + &one("refs/heads/a/x");
        let name = |reference| found(reference, &printed).map(|(name, _)| name).map_err(|e| e.to_string());
        assert_eq!(name("v1").as_deref(), Ok("refs/heads/v1"));
        assert_eq!(name("refs/tags/v1").as_deref(), Ok("refs/tags/v1"));
        assert_eq!(name("tags/v1").as_deref(), Ok("refs/tags/v1"));
        assert_eq!(name("x").as_deref(), Ok("refs/tags/x"));
        assert!(name("y").is_err_and(|why| why.starts_with("repository does not contain ref y, output: ")));
        assert_eq!(found("HEAD", &format!("{}\tHEAD\n", "b".repeat(64))).ok(), Some(("HEAD".to_owned(), 64)));
    }
}
