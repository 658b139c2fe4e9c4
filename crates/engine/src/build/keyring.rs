//! `--ssh id=FILE`: keys in files, held for the length of a build by an agent of its own. The machine's own OpenSSH reads them and signs with
//! them: it knows all their formats, and keys are nothing to be learned twice.
//!
//! ```text
//! kist ── pipe ──> sh ── its end, however kist ended: kill ──> ssh-agent, at a socket in a directory of the build
//! ```

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use builder::cache::Session;

use super::program;
use crate::error::Error;
use crate::host::Host;

const AGENT: &str = "ssh-agent";
const ADD: &str = "ssh-add";
/// Where it listens, below the build's directory.
const SOCKET: &str = "agent";
/// Tells that the agent listens, waits for the end of its input, and takes the agent along.
const WATCH: &str = r#"echo; read -r _; kill "$SSH_AGENT_PID""#;

/// An agent with keys. Dropped, it is gone.
pub struct Keyring {
    watch: Child,
    /// Its end is the agent's.
    held: Option<ChildStdin>,
    /// Ends when the agent has ended.
    alive: Option<UnixStream>,
    dir: File,
    _session: Session,
}

/// A key, as it is in its file.
pub struct Key<'a> {
    /// What the user calls the file.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a [u8],
}

impl Keyring {
    /// Starts an agent and gives it the keys.
    ///
    /// # Errors
    /// OpenSSH is not installed, or does not take a key.
    pub fn start(host: &Host, env: &[(String, String)], keys: &[Key<'_>]) -> Result<Keyring, Error> {
        let find = |name| {
            program::find(env, name).ok_or_else(|| {
                let why = "is not installed on this machine, and --ssh with files of keys needs it: install openssh-client, or give the socket of an agent";
                Error::NotFound(format!("{name} {why}"))
            })
        };
        let (agent, add) = (find(AGENT)?, find(ADD)?);
        let session = Session::open(&host.home, &host.store).map_err(Error::other("beginning an agent for keys"))?;
        let place = session.temporary().map_err(Error::other("making a directory for an agent"))?;
        let dir = File::open(&place).map_err(Error::io("opening the directory of an agent"))?;
        let mut watch = command(&agent, env, &place)
            .args(["-a", SOCKET, "/bin/sh", "-c", WATCH])
            // A key pressed at the terminal is for kist.
            .process_group(0)
            .spawn()
            .map_err(Error::io("running ssh-agent"))?;
        let (held, told) = (watch.stdin.take(), watch.stdout.take());
        let mut keyring = Keyring { watch, held, alive: None, dir, _session: session };
        let mut line = String::new();
        let read = told.map(|told| BufReader::new(told).read_line(&mut line));
        if !matches!(read, Some(Ok(1..))) {
            return Err(Error::Invalid("ssh-agent did not start".into()));
        }
        keyring.alive = Some(UnixStream::connect(keyring.socket()).map_err(Error::io("speaking to ssh-agent"))?);
        keys.iter().try_for_each(|key| keyring.add(&add, env, &place, key))?;
        Ok(keyring)
    }

    /// Where it listens as long as it lives, in few letters: the path of a directory may be longer than an address can be.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        format!("/proc/{}/fd/{}/{SOCKET}", std::process::id(), self.dir.as_raw_fd()).into()
    }

    fn add(&self, program: &Path, env: &[(String, String)], place: &Path, key: &Key<'_>) -> Result<(), Error> {
        let running = || Error::io("running ssh-add");
        // Read by us: ssh-add refuses files that others may read, which BuildKit takes.
        let mut child = command(program, env, place)
            .args(["-q", "-"])
            .envs([("SSH_AUTH_SOCK", SOCKET), ("SSH_ASKPASS", "/bin/false"), ("SSH_ASKPASS_REQUIRE", "force")])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(running())?;
        // One that reads no further says why.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(key.text));
        let done = child.wait_with_output().map_err(running())?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(Error::Invalid(match said.trim() {
            // It would have asked, and there was nobody: BuildKit's words for that.
            "" => format!("failed to parse {}: ssh: this private key is passphrase protected", key.name),
            said => format!("failed to parse {}: {}", key.name, said.replace("(stdin)", key.name)),
        }))
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.held = None;
        let _ = self.watch.wait();
        let _ = self.alive.take().map(|mut alive| alive.read(&mut [0]));
    }
}

fn command(program: &Path, env: &[(String, String)], place: &Path) -> Command {
    let mut command = program::command(program);
    command.envs(env.iter().filter(|(name, _)| name == "PATH").map(|(name, value)| (name, value)));
    command.env("LC_ALL", "C").current_dir(place);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
