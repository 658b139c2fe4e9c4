//! The fault switch: test builds count durable acts, so that a test can fail or kill at each of them in turn.
//!
//! An *act* is a step after which a crash leaves something new for recovery to find: a write, a rename, a link, a mount, a
//! clone. The primitives call [`act`] with a name just before the step. Without the cargo feature `faults` it is nothing.
//!
//! Two ways to arm it, one for each kind of loop (`testkit::faults`):
//!
//! - **in a process, for a thread**: [`fail_at`] makes the n-th act of this thread fail with a given error. Tests of the
//!   rooms run in parallel in one process, hence the thread.
//! - **over whole programs**: `KIST_FAULT_LOG` names a file to which each act of each process (command and monitor alike)
//!   appends one record of [`RECORD`] bytes. The place of the record in the file is the number of the act, so processes
//!   need no shared memory and the log says afterwards which act was hit. `KIST_KILL_AT=n` kills the process that does act
//!   n with SIGKILL; `KIST_FAIL_AT=n` fails it with `KIST_FAIL_WITH` (`EIO`, else `ENOSPC`).
#![cfg_attr(
    feature = "faults",
    expect(clippy::disallowed_methods, reason = "a switch of test builds, read from any process")
)]

use std::io;

/// Size of one record in the log: number of the process, name of the act, padded with spaces, ending in a newline.
pub const RECORD: usize = 64;

/// Announces the act that follows. Fails, or does not return, when a test asked for this one.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn act(_name: &'static str) -> io::Result<()> {
    Ok(())
}

#[cfg(feature = "faults")]
pub use armed::{Armed, act, fail_at, switches};

/// The switch as `NAME=value`, for a program that is started with an environment of its own.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn switches() -> Vec<std::ffi::CString> {
    Vec::new()
}

#[cfg(feature = "faults")]
mod armed {
    use super::{RECORD, io};
    use rustix::io::Errno;
    use std::cell::Cell;
    use std::fs::OpenOptions;
    use std::io::{Seek, Write};
    use std::sync::OnceLock;

    thread_local! {
        static LOCAL: Cell<Option<Local>> = const { Cell::new(None) };
    }

    #[derive(Clone, Copy)]
    struct Local {
        done: u64,
        fail_at: u64,
        errno: Errno,
    }

    /// Announces the act that follows. Fails, or does not return, when a test asked for this one.
    pub fn act(name: &'static str) -> io::Result<()> {
        if let Some(mut local) = LOCAL.get() {
            local.done += 1;
            LOCAL.set(Some(local));
            if local.done == local.fail_at {
                return Err(local.errno.into());
            }
        }
        programs().as_ref().map_or(Ok(()), |programs| programs.act(name))
    }

    /// From now on, until the value is dropped, the `n`-th act of this thread fails with `errno`.
    pub fn fail_at(n: u64, errno: Errno) -> Armed {
        LOCAL.set(Some(Local { done: 0, fail_at: n, errno }));
        Armed { n }
    }

    /// The thread is armed as long as this lives.
    #[derive(Debug)]
    pub struct Armed {
        n: u64,
    }

    impl Armed {
        /// Whether the act was reached: when not, the loop over all acts is over.
        pub fn hit(&self) -> bool {
            LOCAL.get().is_some_and(|local| local.done >= self.n)
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            LOCAL.set(None);
        }
    }

    /// The switch as `NAME=value`, for a program that is started with an environment of its own.
    pub fn switches() -> Vec<std::ffi::CString> {
        let names = ["KIST_FAULT_LOG", "KIST_KILL_AT", "KIST_FAIL_AT", "KIST_FAIL_WITH"];
        let set = names.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
        set.filter_map(|pair| std::ffi::CString::new(pair).ok()).collect()
    }

    struct Programs {
        log: std::ffi::OsString,
        kill_at: Option<u64>,
        fail_at: Option<u64>,
        errno: Errno,
    }

    fn programs() -> &'static Option<Programs> {
        static PROGRAMS: OnceLock<Option<Programs>> = OnceLock::new();
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        PROGRAMS.get_or_init(|| {
            Some(Programs {
                log: std::env::var_os("KIST_FAULT_LOG")?,
                kill_at: number("KIST_KILL_AT"),
                fail_at: number("KIST_FAIL_AT"),
                errno: if std::env::var("KIST_FAIL_WITH").is_ok_and(|e| e == "EIO") { Errno::IO } else { Errno::NOSPC },
            })
        })
    }

    impl Programs {
        fn act(&self, name: &'static str) -> io::Result<()> {
            let number = self.append(name)?;
            if self.kill_at == Some(number) {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
            }
            if self.fail_at == Some(number) { Err(self.errno.into()) } else { Ok(()) }
        }

        /// One write to a file opened for appending lands whole at the end, and leaves the offset behind itself.
        fn append(&self, name: &str) -> io::Result<u64> {
            let mut record = format!("{} {name}", std::process::id());
            record.truncate(RECORD - 1);
            let record = format!("{record:<width$}\n", width = RECORD - 1);
            let mut log = OpenOptions::new().append(true).create(true).open(&self.log)?;
            log.write_all(record.as_bytes())?;
            Ok(log.stream_position()? / RECORD as u64)
        }
    }
}

#[cfg(all(test, feature = "faults"))]
mod tests {
    use super::{act, fail_at};
    use rustix::io::Errno;

    #[test]
    fn the_second_act_of_this_thread_fails() {
        let armed = fail_at(2, Errno::NOSPC);
        assert!(act("one").is_ok());
        assert!(!armed.hit());
        assert_eq!(act("two").map_err(|e| e.raw_os_error()), Err(Some(Errno::NOSPC.raw_os_error())));
        assert!(armed.hit());
        assert!(act("three").is_ok());
    }

    #[test]
    fn a_dropped_switch_is_off() {
        drop(fail_at(1, Errno::IO));
        assert!(act("one").is_ok());
    }
}
