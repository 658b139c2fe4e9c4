//! Credential helpers: programs `docker-credential-NAME` that keep secrets for Docker (docker/docker-credential-helpers).
//!
//! ```text
//! get    stdin: the key                                 stdout: {"ServerURL","Username","Secret"}
//! store  stdin: {"ServerURL","Username","Secret"}       the user `<token>` marks an identity token
//! erase  stdin: the key                                 failed: exit status, and the reason on stdout
//! ```

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::client::Login;

/// Longer than a person needs to unlock a keychain's dialogue, or to see that nobody will.
const TIME_LIMIT: Duration = Duration::from_secs(60);
const NOT_FOUND: &str = "credentials not found in native keychain";
const TOKEN_USER: &str = "<token>";
/// Of what a helper says when it fails.
const SHOWN_MAX: usize = 200;

/// Why a credential helper was no help.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// A name that would lead out of `PATH`.
    #[error("invalid credential helper {0:?}: only letters, digits, '.', '_' and '-' are allowed")]
    Name(String),
    /// Docker's words.
    #[error("exec: \"docker-credential-{0}\": executable file not found in $PATH")]
    Missing(String),
    /// It did not start, or its pipes broke.
    #[error("running {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    /// It said no; Docker's words.
    #[error("error {doing} credentials - err: {status}, out: `{said}`")]
    Failed {
        /// `getting`, `storing`, `erasing`.
        doing: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its reason.
        said: String,
    },
    /// It was ended.
    #[error("{} did not answer within {} s", .0.display(), TIME_LIMIT.as_secs())]
    TimeLimit(PathBuf),
    /// Its answer is not the protocol's.
    #[error("{} answered with something else than credentials", .0.display())]
    Answer(PathBuf),
}

/// One helper, found.
pub(super) struct Keychain {
    program: PathBuf,
    limit: Duration,
}

/// The protocol's document.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    secret: String,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Store,
    Erase,
}

impl Action {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Action::Get => ("get", "getting"),
            Action::Store => ("store", "storing"),
            Action::Erase => ("erase", "erasing"),
        }
    }
}

impl Keychain {
    /// Looks a helper up in `path`. Relative directories do not count: what runs must not depend on where the user is.
    pub(super) fn find(name: &str, path: &str) -> Result<Keychain, KeychainError> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(KeychainError::Name(name.to_owned()));
        }
        let program = format!("docker-credential-{name}");
        let executable = |file: &PathBuf| {
            fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
        let found = dirs.map(|dir| dir.join(&program)).find(executable);
        let program = found.ok_or_else(|| KeychainError::Missing(name.to_owned()))?;
        Ok(Keychain { program, limit: TIME_LIMIT })
    }

    /// The login it keeps under a key.
    pub(super) fn get(&self, key: &str) -> Result<Option<Login>, KeychainError> {
        let answer = match self.run(Action::Get, key.as_bytes()) {
            Err(KeychainError::Failed { said, .. }) if said == NOT_FOUND => return Ok(None),
            other => other?,
        };
        let Secret { username, secret, .. } =
            serde_json::from_slice(&answer).map_err(|_| KeychainError::Answer(self.program.clone()))?;
        Ok(match username.as_str() {
            TOKEN_USER => Some(Login::Identity { token: secret }),
            "" if secret.is_empty() => None,
            _ => Some(Login::Password { user: username, password: secret }),
        })
    }

    /// Gives it a login to keep.
    pub(super) fn store(&self, key: &str, login: &Login) -> Result<(), KeychainError> {
        let (username, secret) = match login.clone() {
            Login::Password { user, password } => (user, password),
            Login::Identity { token } => (TOKEN_USER.to_owned(), token),
        };
        let document = serde_json::json!(Secret { server: key.to_owned(), username, secret });
        self.run(Action::Store, format!("{document}\n").as_bytes()).map(|_| ())
    }

    /// Makes it forget one.
    pub(super) fn erase(&self, key: &str) -> Result<(), KeychainError> {
        match self.run(Action::Erase, key.as_bytes()) {
            Err(KeychainError::Failed { said, .. }) if said == NOT_FOUND => Ok(()),
            other => other.map(|_| ()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the user's config.json names this program")]
    fn run(&self, action: Action, input: &[u8]) -> Result<Vec<u8>, KeychainError> {
        let (word, doing) = action.words();
        let failed = |e: io::Error| KeychainError::Run(self.program.clone(), e);
        // Its messages for people go where ours go.
        let mut command = Command::new(&self.program);
        command.arg(word).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = sys::signals::reset_in(&mut command).spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper may end without reading: its exit says why. What is written fits into any pipe.
            let _ = stdin.write_all(input);
        }
        let output = output(&mut child, Instant::now() + self.limit);
        if !matches!(output, Ok(Some(_))) {
            // It is ended and waited for, whatever went wrong; that it is gone already is as good.
            let _ = child.kill();
        }
        let status = child.wait().map_err(failed)?;
        let output = output.map_err(failed)?.ok_or_else(|| KeychainError::TimeLimit(self.program.clone()))?;
        if status.success() {
            return Ok(output);
        }
        Err(KeychainError::Failed { doing, status, said: reason(&output) })
    }
}

/// Everything a child writes until it exits; none if that is not before `deadline`. A process it leaves behind may hold the pipe open:
/// that the child itself is gone is what counts.
fn output(child: &mut Child, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut stdout = child.stdout.take();
    let mut output = Vec::new();
    loop {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Ok(None) };
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut ready = vec![PollFd::new(&process, PollFlags::IN)];
        ready.extend(stdout.as_ref().map(|stdout| PollFd::new(stdout, PollFlags::IN)));
        match poll(&mut ready, Some(&left)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let [exited, readable] = [0, 1].map(|n| ready.get(n).is_some_and(|fd| !fd.revents().is_empty()));
        match &mut stdout {
            Some(pipe) if readable => {
                let mut buffer = [0; 4096];
                match pipe.read(&mut buffer)? {
                    0 => stdout = None,
                    count => output.extend_from_slice(&buffer[..count]),
                }
            }
            Some(_) | None if exited => return Ok(Some(output)),
            Some(_) | None => {}
        }
    }
}

/// A helper's reason, on one line; nothing of what might be a secret: a document.
fn reason(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    if text.contains('{') {
        return String::new();
    }
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Mutex, PoisonError};

    use expect_test::{Expect, expect};
    use testkit::Root;

    use super::*;

    /// Held while programs are written and run: what another thread starts in between has the file open for writing for a moment, and
    /// then it cannot be executed (ETXTBSY).
    pub(crate) static PROGRAMS: Mutex<()> = Mutex::new(());

    /// A helper that is this script.
    fn keychain(root: &Root, script: &str) -> Keychain {
        let file = root.write("docker-credential-x", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        Keychain::find("x", &format!("relative::{}", root.path().display())).unwrap()
    }

    fn check(script: &str, expected: Expect) {
        let root = Root::new();
        let got = match keychain(&root, script).get("ghcr.io") {
            Ok(login) => format!("{login:?}"),
            Err(error) => error.to_string().replace(&root.path().display().to_string(), "DIR"),
        };
        expected.assert_eq(&got);
    }

    #[test]
    fn a_helper_answers_or_says_why_not() {
        let _alone = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        check(
            r#"read key; echo "{\"ServerURL\":\"$key\",\"Username\":\"$1 $key\",\"Secret\":\"s\"}""#,
            expect![[r#"Some(Password { user: "get ghcr.io", .. })"#]],
        );
        check(r#"echo '{"Username":"<token>","Secret":"s"}'"#, expect!["Some(Identity { .. })"]);
        check("echo credentials not found in native keychain; exit 1", expect!["None"]);
        check(
            "echo no keychain; exit 3",
            expect!["error getting credentials - err: exit status: 3, out: `no keychain`"],
        );
        check(r#"echo '{"Secret":"s"}'; exit 1"#, expect!["error getting credentials - err: exit status: 1, out: ``"]);
        check("echo secret", expect!["DIR/docker-credential-x answered with something else than credentials"]);
        // What it leaves behind holds its output open.
        check(r#"sleep 7 & echo '{"Username":"a","Secret":"s"}'"#, expect![[r#"Some(Password { user: "a", .. })"#]]);
    }

    #[test]
    fn a_helper_that_hangs_is_ended() {
        let _alone = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        let root = Root::new();
        let hanging = Keychain { limit: Duration::from_millis(50), ..keychain(&root, "exec sleep 60") };
        assert!(matches!(hanging.get("x"), Err(KeychainError::TimeLimit(_))));
    }

    #[test]
    fn a_secret_goes_by_the_pipe() {
        let _alone = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        let root = Root::new();
        let kept = root.join("kept");
        let keychain = keychain(&root, &format!("echo \"$@\" > {0}; cat >> {0}", kept.display()));
        keychain.store("k", &Login::Password { user: "a".to_owned(), password: "s".to_owned() }).unwrap();
        let text = fs::read_to_string(&kept).unwrap();
        assert_eq!(text, "store\n{\"Secret\":\"s\",\"ServerURL\":\"k\",\"Username\":\"a\"}\n");
        keychain.store("k", &Login::Identity { token: "t".to_owned() }).unwrap();
        assert!(fs::read_to_string(&kept).unwrap().contains(r#""Secret":"t","ServerURL":"k","Username":"<token>""#));
        keychain.erase("k").unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "erase\nk");
    }

    #[test]
    fn a_name_does_not_lead_out_of_path() {
        let refused = |name| Keychain::find(name, "/usr/bin").map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            refused("../x"),
            r#"invalid credential helper "../x": only letters, digits, '.', '_' and '-' are allowed"#
        );
        assert_eq!(refused("nope"), r#"exec: "docker-credential-nope": executable file not found in $PATH"#);
    }
}
