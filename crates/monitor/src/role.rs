//! The executable in its other role.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use disk::Home;
use rustix::net::RecvFlags;
use spec::id::ContainerId;
use std::os::fd::{AsFd, OwnedFd};

use crate::client::{Ahead, Whose};
use crate::owner::Owner;
use crate::prepare::{StartError, chain};
use crate::protocol::{self, Failure, FailureKind, Tell};
use crate::{recovery, wire};

/// What the process table calls us.
const NAME: &std::ffi::CStr = c"kist-monitor";
/// The connection of whoever spawned us.
const FIRST_VISITOR: i32 = 3;
/// The run directory's lock, held already.
const LOCK: i32 = 4;
/// The mount of our executable.
const EXECUTABLE: i32 = 5;

/// HUP, INT, QUIT, USR1, USR2, ALRM, TERM, TSTP, TTIN, TTOU, XCPU, XFSZ (signal(7)); Rust ignores PIPE.
const IGNORED: [i32; 12] = [1, 2, 3, 10, 12, 14, 15, 20, 21, 22, 24, 25];

/// Is a container's monitor until the container has ended. `words` are the command line after its first word: root directory, run
/// directory, identifier, whose it is, what to make ahead.
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    stay_alive();
    // Taken before anything else is opened.
    let [Ok(first), Ok(lock), Ok(_executable)] = [FIRST_VISITOR, LOCK, EXECUTABLE].map(sys::inherit::inherited) else {
        return ExitCode::FAILURE;
    };
    // Executed by descriptor, it would be called by the executable's name, or on older kernels by the descriptor's number.
    let _ = rustix::thread::set_name(NAME);
    let words: Vec<OsString> = words.collect();
    let [root, run, id, whose, ahead] = words.as_slice() else { return ExitCode::FAILURE };
    let Some(id) = id.to_str().and_then(|id| id.parse::<ContainerId>().ok()) else { return ExitCode::FAILURE };
    let home = Home::open(&PathBuf::from(root), &PathBuf::from(run));
    // No directory is kept from being unmounted.
    let _ = rustix::process::chdir("/");
    let sandbox = PathBuf::from(run).join(id.as_str());
    // One that cannot be made ahead is made, or fails, with the container.
    let network = (ahead == Ahead::Network.word()).then(runtime::new_network).and_then(Result::ok);
    // Until somebody asks, the container's records are still being written.
    if !wire::wait(first.as_fd()) {
        let _ = recovery::remove_sandbox(&sandbox);
        return ExitCode::SUCCESS;
    }
    let owner = first.try_clone().map_err(|e| StartError::Io("duplicating a descriptor", e)).and_then(|visitor| {
        let home = home.map_err(|e| StartError::Io("opening the directories", std::io::Error::other(e)))?;
        let whose = if *whose == Whose::Errand.word() { Whose::Errand } else { Whose::Container };
        Owner::new(home, id, whose, visitor, lock)
    });
    match owner {
        Ok(mut owner) => {
            drop(first);
            owner.network = network;
            match owner.serve() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            explain(&first, &chain(&error));
            let _ = recovery::remove_sandbox(&sandbox);
            ExitCode::FAILURE
        }
    }
}

/// A monitor ends when its container does, not with the session, the service or the limits of whoever happened to start it: what a
/// terminal, a logout, a shutdown or a resource limit sends it is ignored. The container's processes begin with every signal reset.
/// And nobody of the same user looks into it, nor into its copies on their way into a container.
fn stay_alive() {
    // Neither can fail: all of these may be ignored, and the flag may always be cleared.
    let _ = sys::signals::ignore(&IGNORED);
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// There is no monitor to be: whoever asks first hears why.
fn explain(first: &OwnedFd, why: &str) {
    let asked = wire::receive(first.as_fd(), protocol::MAX_BYTES, RecvFlags::empty());
    let tell = Tell::Failed(Failure::new(FailureKind::System, why, 125));
    if let (Ok(wire::Received::Datagram(..)), Ok(bytes)) = (asked, protocol::encode(&tell)) {
        // Gone meanwhile: nobody to tell.
        let _ = wire::send(first.as_fd(), &bytes, &[]);
    }
}
