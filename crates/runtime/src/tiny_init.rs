//! `--init`: process 1 that does what a kernel expects of one. It passes signals on, reaps whatever ends up below it, and ends with
//! the command, with its exit code (128 + n for signal n).
//!
//! It is the very process that set the container up, which stays instead of executing: nothing is brought into the image.

use std::io;

use rustix::process::{Pid, WaitOptions, set_child_subreaper, wait};

/// Returns in the command's process, which is to execute; the caller stays above it and never returns.
pub(crate) fn stay_above() -> io::Result<()> {
    // Before there is a child, so that none of its signals is lost.
    sys::signals::block_all()?;
    // Process 1 of a shared pid namespace is another's.
    let _ = set_child_subreaper(rustix::process::getpid().into());
    match sys::clone::fork()? {
        None => own_group(),
        Some(pid) => {
            // The words of our command line are paths of the host, and everybody in the container may read them.
            let _ = sys::title::set("kist-init");
            // The launcher takes the end of the handshake for a success: the command's copy must be the last.
            let _ = sys::fds::close_others(&[0, 1, 2]);
            sys::exec::exit(supervise(pid))
        }
    }
}

/// A group of its own, in the foreground: a ^C at the terminal goes to the command once, not again through us.
fn own_group() -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    match rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid()) {
        Ok(()) | Err(_) => Ok(()),
    }
}

fn supervise(command: Pid) -> i32 {
    loop {
        match sys::signals::wait_any() {
            Ok(libc::SIGCHLD) => {
                if let Some(code) = reap(command) {
                    return code;
                }
            }
            Ok(signal) => {
                // It may have ended just now; the next SIGCHLD says so.
                let _ = sys::signals::send(command, signal);
            }
            Err(_) => {}
        }
    }
}

/// The command's exit code, if it was among those that ended.
fn reap(command: Pid) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == command {
            code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
        }
    }
    code
}
