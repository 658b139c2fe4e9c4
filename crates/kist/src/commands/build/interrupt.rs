//! Ctrl-C: the build ends what goes on, says so, and leaves nothing. What cannot be ended soon is left to the next command, as after a kill.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::signalfd::Signals;

use crate::cli::note;
use crate::report::{Code, Report};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
/// How long a build may take to end; a second signal ends it at once.
const GRACE: Duration = Duration::from_secs(3);
/// buildx'.
const CODE: u8 = 130;
/// What buildx says.
const TEXT: &str = "ERROR: failed to build: failed to solve: Canceled: context canceled";

/// From now on, whether somebody interrupted. For before there are other threads: they would be interrupted in its place.
pub(super) fn watch() -> std::io::Result<Arc<AtomicBool>> {
    let signals = Signals::watch(&[SIGINT, SIGTERM])?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&interrupted);
    thread::Builder::new().name("interrupt".into()).spawn(move || {
        let _ = wait(&signals, None);
        told.store(true, Ordering::Relaxed);
        let _ = wait(&signals, Timespec::try_from(GRACE).ok().as_ref());
        note(TEXT);
        exit(i32::from(CODE));
    })?;
    Ok(interrupted)
}

/// What is said when all has ended.
pub(super) fn report() -> Report {
    Report { text: TEXT.into(), code: Code::Exactly(CODE) }
}

fn wait(signals: &Signals, timeout: Option<&Timespec>) -> rustix::io::Result<usize> {
    let came = poll(&mut [PollFd::new(signals, PollFlags::IN)], timeout);
    // The next one is another.
    let _ = signals.next();
    came
}
