//! Programs of the user's machine that speak what is not spoken here: git, OpenSSH.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `PATH` has it. Directories named from where the user is are not looked into.
pub(super) fn find(env: &[(String, String)], name: &str) -> Option<PathBuf> {
    let path = env.iter().find(|(name, _)| name == "PATH").map_or("/usr/bin:/bin", |(_, path)| path.as_str());
    let mut places = path.split(':').filter(|dir| dir.starts_with('/')).map(|dir| Path::new(dir).join(name));
    places.find(|place| place.metadata().is_ok_and(|meta| meta.is_file()))
}

/// One to be run, with nothing of our environment, and with no signal blocked: those that interrupt a build end it, too.
pub(super) fn command(program: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "git's protocols are spoken by git, and keys are held by OpenSSH")]
    let mut command = Command::new(program);
    sys::signals::reset_in(command.env_clear());
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn what_we_wait_for_ends_a_program() {
        let _signals = sys::signalfd::Signals::watch(&[15]).unwrap();
        let status = command(Path::new("/bin/sh")).args(["-c", "kill -TERM $$"]).status().unwrap();
        assert_eq!(status.signal(), Some(15));
    }
}
