//! Docker's default profile, in our own arrangement: by what the calls are for, so that a reader sees what a container may do.
//!
//! The set of calls and conditions is that of moby/profiles (state of June 2026, first shipped with Docker 29): everything not named
//! fails with EPERM. Conditions on architectures we do not build for (ppc64le, s390, riscv64) are left out.

use std::borrow::Cow;
use std::sync::LazyLock;

use spec::seccomp::{Action, Arch, ArchFamily, Arg, Filter, KernelVersion, Op, Profile, Rule};

/// Allowed to every container.
const ALWAYS: &[&str] = &[
    // Open, close, read, write.
    "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
     lseek _llseek dup dup2 dup3 fcntl fcntl64 ioctl flock pipe pipe2 readahead fadvise64 fadvise64_64
     sendfile sendfile64 splice tee vmsplice copy_file_range",
    // Files and directories by name.
    "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
     getdents getdents64 getcwd chdir fchdir readlink readlinkat link linkat symlink symlinkat unlink unlinkat
     rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat umask name_to_handle_at
     chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat
     utime utimes futimesat utimensat utimensat_time64 listmount statmount",
    // Size and durability.
    "truncate truncate64 ftruncate ftruncate64 fallocate sync syncfs fsync fdatasync sync_file_range",
    // Extended attributes.
    "getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat
     removexattr lremovexattr fremovexattr removexattrat",
    // Waiting for descriptors.
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
     epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
     timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64
     inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
     io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
    // Sockets; making one is conditional, below.
    "socketcall socketpair bind connect listen accept accept4 shutdown getsockname getpeername getsockopt setsockopt
     send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
    // Memory.
    "brk mmap mmap2 munmap mprotect mremap remap_file_pages madvise mincore msync mlock mlock2 mlockall munlock munlockall
     mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect memfd_create memfd_secret membarrier cachestat process_mrelease",
    // System V and POSIX message passing.
    "ipc msgget msgsnd msgrcv msgctl semget semop semctl semtimedop semtimedop_time64 shmget shmat shmdt shmctl
     mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify mq_getsetattr",
    // Processes and threads; clone is conditional, below.
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid pidfd_open pidfd_send_signal set_tid_address restart_syscall
     set_thread_area get_thread_area set_robust_list get_robust_list rseq uretprobe riscv_hwprobe
     futex futex_time64 futex_wait futex_wake futex_waitv futex_requeue
     getpid getppid gettid getpgid getpgrp setpgid getsid setsid prctl seccomp
     landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    // Who one is.
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
     getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
     setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset",
    // Signals.
    "kill tkill tgkill pause alarm sigaltstack sigreturn sigprocmask rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending
     rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_sigqueueinfo rt_tgsigqueueinfo",
    // Time.
    "time times gettimeofday nanosleep clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
     clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex getitimer setitimer timer_create timer_delete timer_settime
     timer_settime64 timer_gettime timer_gettime64 timer_getoverrun",
    // Scheduling and limits.
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler
     sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64
     getpriority setpriority ioprio_get ioprio_set getcpu getrlimit ugetrlimit setrlimit prlimit64 getrusage",
    // The machine.
    "uname sysinfo getrandom",
];

/// Allowed to whoever holds the capability.
const WITH_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 unshare setns mount mount_setattr umount umount2 move_mount open_tree fsopen fsconfig fsmount fspick
         fanotify_init lookup_dcookie lsm_get_self_attr lsm_set_self_attr lsm_list_modules perf_event_open quotactl quotactl_fd
         sethostname setdomainname syslog",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "init_module finit_module delete_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy set_mempolicy set_mempolicy_home_node mbind"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// Allowed where the native architecture is one of these.
const ON_ARCH: &[(&[&str], &str)] = &[
    (&["arm", "arm64"], "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"),
    (&["amd64", "x32"], "arch_prctl"),
    (&["amd64", "x32", "x86"], "modify_ldt"),
];

/// Any socket but AF_ALG (38) and AF_VSOCK (40): the kernel's crypto had too many holes, and the other leads to the hypervisor.
const SOCKET_FAMILIES: &[(Op, u64)] = &[(Op::Lt, 38), (Op::Eq, 39), (Op::Gt, 40)];

/// PER_LINUX, PER_LINUX32, either with UNAME26, and the question what it is.
const PERSONALITIES: &[u64] = &[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The CLONE_NEW* flags of namespaces (CLONE_NEWTIME is not clone's).
const NEW_NAMESPACES: u64 = 0x7e02_0000;

static PROFILE: LazyLock<Profile> = LazyLock::new(build);

/// The profile of a container that asked for none. Built at the first call (a few microseconds).
#[must_use]
pub fn docker_profile() -> &'static Profile {
    &PROFILE
}

fn build() -> Profile {
    let mut syscalls = vec![Rule { names: ALWAYS.iter().flat_map(|group| words(group)).collect(), ..allow("") }];

    // Before 4.8 a tracer could change the call after the filter had seen it.
    let since_4_8 = Filter { min_kernel: Some(KernelVersion(4, 8)), ..Filter::default() };
    syscalls.push(Rule { includes: since_4_8, ..allow("ptrace process_vm_readv process_vm_writev") });

    syscalls
        .extend(SOCKET_FAMILIES.iter().map(|(op, family)| Rule { args: vec![first(*op, *family)], ..allow("socket") }));
    syscalls
        .extend(PERSONALITIES.iter().map(|value| Rule { args: vec![first(Op::Eq, *value)], ..allow("personality") }));
    syscalls.extend(ON_ARCH.iter().map(|(arches, names)| Rule {
        includes: Filter { arches: arches.iter().map(|arch| Cow::Borrowed(*arch)).collect(), ..Filter::default() },
        ..allow(names)
    }));
    syscalls.extend(WITH_CAPABILITY.iter().map(|(cap, names)| Rule { includes: holding(cap), ..allow(names) }));

    // Without CAP_SYS_ADMIN no namespaces. clone3 has its flags in memory, where a filter cannot look: ENOSYS makes libc use clone.
    let unprivileged = holding("CAP_SYS_ADMIN");
    let no_namespaces = first(Op::MaskedEq, NEW_NAMESPACES);
    syscalls.push(Rule { args: vec![no_namespaces], excludes: unprivileged.clone(), ..allow("clone") });
    let enosys = linux_errno(libc::ENOSYS);
    syscalls.push(Rule { action: Action::Errno, errno: Some(enosys), excludes: unprivileged, ..allow("clone3") });

    let family = |architecture, sub_architectures| ArchFamily { architecture, sub_architectures };
    Profile {
        default_action: Action::Errno,
        default_errno: Some(linux_errno(libc::EPERM)),
        architectures: Vec::new(),
        arch_map: vec![family(Arch::X86_64, vec![Arch::X86, Arch::X32]), family(Arch::Aarch64, vec![Arch::Arm])],
        flags: None,
        listener_path: None,
        syscalls,
    }
}

fn allow(names: &'static str) -> Rule {
    Rule {
        names: words(names).collect(),
        action: Action::Allow,
        errno: None,
        args: Vec::new(),
        includes: Filter::default(),
        excludes: Filter::default(),
    }
}

fn words(text: &'static str) -> impl Iterator<Item = Cow<'static, str>> {
    text.split_ascii_whitespace().map(Cow::Borrowed)
}

fn holding(cap: &'static str) -> Filter {
    Filter { caps: vec![Cow::Borrowed(cap)], ..Filter::default() }
}

fn first(op: Op, value: u64) -> Arg {
    Arg { index: 0, value, value_two: 0, op }
}

fn linux_errno(errno: i32) -> u32 {
    errno.unsigned_abs()
}
