//! Installing a seccomp filter: seccomp(2), which rustix lacks.

use std::io;

/// Flags of SECCOMP_SET_MODE_FILTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(libc::c_ulong);

impl Flags {
    /// None.
    pub const NONE: Flags = Flags(0);
    /// Every action but ALLOW is logged, as far as the sysctl `actions_logged` lets it.
    pub const LOG: Flags = Flags(libc::SECCOMP_FILTER_FLAG_LOG);
    /// Speculative store bypass is not switched off for the process.
    pub const SPEC_ALLOW: Flags = Flags(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW);

    /// Both.
    #[must_use]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Installs `filter` for the calling thread and all it will execute. It cannot be taken off.
///
/// Allocates nothing and takes no lock, so that a child may call it between clone and exec. Without CAP_SYS_ADMIN the kernel refuses
/// (EACCES) unless no_new_privs is set. A filter that is no valid program is EINVAL.
pub fn install(filter: &[libc::sock_filter], flags: Flags) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: seccomp(2) reads `program` and the `len` instructions it points at during the call and writes neither; both outlive it.
    // The kernel checks the instructions. What the filter then forbids may fail, which no memory safety rests on.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags.0, std::ptr::from_ref(&program))
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
        libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k }
    }

    /// ENOTNAM for getppid, everything else allowed.
    fn getppid_refused() -> Vec<libc::sock_filter> {
        vec![
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(libc::SYS_getppid).unwrap()),
            instruction(
                libc::BPF_RET | libc::BPF_K,
                0,
                0,
                libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOTNAM).unwrap(),
            ),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ]
    }

    #[test]
    fn a_filter_holds_for_its_thread_and_no_other() {
        let inside = std::thread::spawn(|| {
            install(&getppid_refused(), Flags::SPEC_ALLOW.union(Flags::LOG)).unwrap();
            // SAFETY: getppid takes nothing and touches no memory.
            let result = unsafe { libc::syscall(libc::SYS_getppid) };
            (result, io::Error::last_os_error().raw_os_error())
        });
        assert_eq!(inside.join().unwrap(), (-1, Some(libc::ENOTNAM)));
        // SAFETY: as above.
        assert!(unsafe { libc::syscall(libc::SYS_getppid) } >= 0);
    }

    #[test]
    fn a_filter_installs_in_a_forked_child() {
        let filter = getppid_refused();
        // SAFETY: the child makes raw system calls only, none of which allocates or takes a lock, and leaves by _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let installed = install(&filter, Flags::NONE).is_ok();
            // SAFETY: getppid touches no memory; _exit runs nothing of the parent's.
            unsafe {
                let refused = libc::syscall(libc::SYS_getppid) == -1;
                libc::_exit(if installed && refused { 7 } else { 1 });
            }
        }
        let mut status = 0;
        // SAFETY: `pid` is our own child and `status` is valid for the call.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(libc::WEXITSTATUS(status), 7);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let without_return = [instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
        assert_eq!(install(&without_return, Flags::NONE).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(install(&[], Flags::NONE).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        let too_long = vec![without_return[0]; 70_000];
        assert_eq!(install(&too_long, Flags::NONE).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
