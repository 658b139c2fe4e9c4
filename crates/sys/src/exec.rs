//! Executing: starting a program from a descriptor without copying this process, and becoming a program.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use rustix::process::Pid;

use crate::fds::close_others_at_exec;

/// Starts the executable `exe` (which may be O_PATH) in a session of its own and returns its process id; it is our child.
///
/// It has the descriptors in `fds`, each under the number beside it, and no others; no signal is blocked or ignored. The child
/// borrows our memory until it executes (CLONE_VM | CLONE_VFORK): in a process of 200 MB a fork takes 10 ms, this takes 0.1.
/// An execution that fails is our error.
pub fn spawn(exe: BorrowedFd<'_>, argv: &[&CStr], env: &[&CStr], fds: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Pid> {
    let argv = pointers(argv);
    let env = pointers(env);
    let mut kept: Vec<RawFd> = fds.iter().map(|(_, target)| *target).collect();
    kept.sort_unstable();
    // Above every target, so that no copy is overwritten by another.
    let above = kept.last().map_or(0, |highest| highest + 1);
    let mut copies = vec![-1; fds.len()];
    let mut child =
        Child { exe: exe.as_raw_fd(), argv: &argv, env: &env, fds, above, copies: &mut copies, kept: &kept, errno: 0 };
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end;

    let mut every = empty_set();
    let mut before = empty_set();
    // SAFETY: both sets are valid for the calls, which only write to them. Blocked, so that no handler of ours runs in the child.
    unsafe {
        libc::sigfillset(&raw mut every);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const every, &raw mut before);
    }
    // SAFETY: `top` is the upper, 16-aligned end of memory that outlives the child's use of it: CLONE_VFORK suspends this thread
    // until the child has executed or ended. `start` only makes system calls on memory prepared above and never returns.
    let pid = unsafe {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(start, top.cast::<c_void>(), flags, (&raw mut child).cast::<c_void>())
    };
    let failed = io::Error::last_os_error();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    if pid < 0 {
        return Err(failed);
    }
    // SAFETY: `child` is ours and initialised; volatile because another process wrote it.
    let errno = unsafe { ptr::read_volatile(&raw const child.errno) };
    if errno != 0 {
        // SAFETY: waits for our own child, which has ended or is about to; no status is asked for.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        return Err(io::Error::from_raw_os_error(errno));
    }
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::Other.into())
}

/// What the child of [`spawn`] needs, all of it made before.
struct Child<'a> {
    exe: RawFd,
    argv: &'a [*const c_char],
    env: &'a [*const c_char],
    fds: &'a [(BorrowedFd<'a>, RawFd)],
    above: RawFd,
    copies: &'a mut [RawFd],
    kept: &'a [RawFd],
    errno: c_int,
}

extern "C" fn start(child: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a valid `Child` and stays suspended while we use it.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    let failed = match become_program(child) {
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        Ok(never) => match never {},
    };
    // SAFETY: `errno` is a valid c_int; volatile because it is read by the parent.
    unsafe { ptr::write_volatile(&raw mut child.errno, failed) };
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// Never returns but in failure. No allocation and no lock: the memory is our parent's.
fn become_program(child: &mut Child<'_>) -> io::Result<std::convert::Infallible> {
    // SAFETY: setsid takes nothing.
    check(unsafe { libc::setsid() })?;
    // SAFETY: fcntl and dup3 touch descriptors of this process only, whose table is its own (no CLONE_FILES).
    unsafe {
        let exe = check(libc::fcntl(child.exe, libc::F_DUPFD_CLOEXEC, child.above))?;
        for (copy, (source, _)) in child.copies.iter_mut().zip(child.fds) {
            *copy = check(libc::fcntl(source.as_raw_fd(), libc::F_DUPFD_CLOEXEC, child.above))?;
        }
        for (copy, (_, target)) in child.copies.iter().zip(child.fds) {
            check(libc::dup3(*copy, *target, 0))?;
        }
        close_others_at_exec(child.kept)?;
        crate::signals::reset()?;
        libc::syscall(
            libc::SYS_execveat,
            exe,
            c"".as_ptr(),
            child.argv.as_ptr(),
            child.env.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(io::Error::last_os_error())
}

/// Becomes the program `exe` (execveat(2) by descriptor). Returns only in failure. A script's interpreter gets `/dev/fd/N` as its
/// file, so scripts are executed by [`execve`].
pub fn execve(path: &CStr, argv: &[&CStr], env: &[&CStr]) -> io::Error {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: all strings are NUL-terminated and both arrays end with a null pointer; they live until the call returns.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process at once: nothing of a parent's that was copied by a fork (buffers, destructors) runs.
pub fn exit(code: c_int) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(code) }
}

fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn empty_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set it is given.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;

    fn open(path: &str) -> std::os::fd::OwnedFd {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    fn output(script: &CStr) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let shell = open("/bin/sh");
        let pid = spawn(
            shell.as_fd(),
            &[c"sh", c"-c", script],
            &[c"PATH=/usr/bin:/bin"],
            &[(writer.as_fd(), 1), (open("/dev/null").as_fd(), 0), (writer.as_fd(), 5)],
        );
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        rustix::process::waitpid(Some(pid.unwrap()), rustix::process::WaitOptions::empty()).unwrap();
        text
    }

    #[test]
    fn a_program_gets_the_named_descriptors_and_no_others() {
        assert_eq!(output(c"cd /proc/self/fd; for n in *; do [ -e /proc/$$/fd/$n ] && echo -n $n.; done"), "0.1.5.");
    }

    #[test]
    fn a_program_starts_with_no_signal_blocked_or_ignored_in_its_own_session() {
        assert_eq!(
            output(c"grep -E 'Sig(Blk|Ign)' /proc/self/status; read p c s pp pg sid r </proc/$$/stat; [ $sid = $$ ] && echo leader"),
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nleader\n"
        );
    }

    #[test]
    fn what_cannot_be_executed_is_our_error() {
        let error = spawn(open("/etc/passwd").as_fd(), &[c"x"], &[], &[]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn our_own_read_only_executable_can_be_executed() {
        let exe = crate::exe::read_only().unwrap();
        let sink = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let pid = spawn(exe.as_fd(), &[c"test", c"--list"], &[], &[(sink.as_fd(), 1), (sink.as_fd(), 2)]).unwrap();
        let (_, status) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
    }
}
