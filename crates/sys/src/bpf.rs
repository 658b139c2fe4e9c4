//! bpf(2): programs are loaded; those that are device filters of cgroup v2 are attached to a group, found again and replaced.
//! linux/bpf.h names the fields.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// One instruction, as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Destination register in the low half, source register in the high half (little-endian machines).
    pub registers: u8,
    /// Distance of a jump, or of a load.
    pub offset: i16,
    /// The constant.
    pub immediate: i32,
}

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_DETACH: libc::c_long = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
const BPF_F_REPLACE: u32 = 1 << 2;
/// BPF_CGROUP_MAX_PROGS: a group has no more.
const MAX_PROGRAMS: u32 = 64;

#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
    prog_attach_flags: u64,
    // Kernels from 6.17 to 7.1 write `revision` whatever size they are told: the fields up to it must be there.
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Loads a program that decides about device accesses in a group.
///
/// # Errors
/// Of bpf(2); EINVAL or EACCES when the verifier refuses the program.
pub fn load_cgroup_device(program: &[Insn]) -> io::Result<OwnedFd> {
    load(program, BPF_PROG_TYPE_CGROUP_DEVICE, 0, [0; 16])
}

/// Loads a program. An attach type and a name of zeros are those of kernels that know neither: they take what is zero.
pub(crate) fn load(
    program: &[Insn],
    prog_type: u32,
    expected_attach_type: u32,
    prog_name: [u8; 16],
) -> io::Result<OwnedFd> {
    let mut attr = Load {
        prog_type,
        prog_name,
        expected_attach_type,
        insn_cnt: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        insns: program.as_ptr() as u64,
        license: c"Apache".as_ptr() as u64,
        ..Load::default()
    };
    loop {
        // SAFETY: `Load` is the head of bpf_attr for BPF_PROG_LOAD; `insns` points to `insn_cnt` instructions and `license` to a C string,
        // both alive until the call returns.
        let result = unsafe { bpf(BPF_PROG_LOAD, &mut attr) };
        match result {
            // A signal interrupted the verifier.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            other => return own(other?),
        }
    }
}

/// Attaches a program to a group, beside those of its ancestors and of others.
///
/// # Errors
/// Of bpf(2).
pub fn attach(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    attach_with(group, program, BPF_F_ALLOW_MULTI, 0)
}

/// Puts `program` in the place of `old`, in one step (Linux 5.6).
///
/// # Errors
/// Of bpf(2).
pub fn replace(group: BorrowedFd<'_>, program: BorrowedFd<'_>, old: BorrowedFd<'_>) -> io::Result<()> {
    attach_with(group, program, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, raw(old))
}

fn attach_with(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    attach_flags: u32,
    replace_bpf_fd: u32,
) -> io::Result<()> {
    let mut attr = Attach {
        target_fd: raw(group),
        attach_bpf_fd: raw(program),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags,
        replace_bpf_fd,
    };
    // SAFETY: `Attach` is the head of bpf_attr for BPF_PROG_ATTACH and holds no pointer.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

/// Takes a program off a group.
///
/// # Errors
/// Of bpf(2).
pub fn detach(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = Attach {
        target_fd: raw(group),
        attach_bpf_fd: raw(program),
        attach_type: BPF_CGROUP_DEVICE,
        ..Attach::default()
    };
    // SAFETY: `Attach` is the head of bpf_attr for BPF_PROG_DETACH and holds no pointer.
    unsafe { bpf(BPF_PROG_DETACH, &mut attr) }.map(drop)
}

/// The device programs attached to a group itself.
///
/// # Errors
/// Of bpf(2).
pub fn attached(group: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut ids = [0_u32; MAX_PROGRAMS as usize];
    let mut attr = Query {
        target_fd: raw(group),
        attach_type: BPF_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MAX_PROGRAMS,
        ..Query::default()
    };
    // SAFETY: `Query` is bpf_attr for BPF_PROG_QUERY; `prog_ids` has room for `prog_cnt` numbers and outlives the call.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr) }?;
    let count = usize::try_from(attr.prog_cnt).map_err(|_| io::ErrorKind::InvalidData)?;
    ids.iter().take(count).map(|id| by_id(*id)).collect()
}

fn by_id(prog_id: u32) -> io::Result<OwnedFd> {
    let mut attr = ById { prog_id, ..ById::default() };
    // SAFETY: `ById` is the head of bpf_attr for BPF_PROG_GET_FD_BY_ID and holds no pointer.
    own(unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr) }?)
}

/// bpf(2).
///
/// # Safety
/// `A` is the layout of bpf_attr for `command`, and its pointers are good for what the command does with them.
pub(crate) unsafe fn bpf<A>(command: libc::c_long, attr: &mut A) -> io::Result<RawFd> {
    // SAFETY: the pointer and the size are those of `attr`; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<A>()) };
    match RawFd::try_from(result) {
        Ok(fd) if fd >= 0 => Ok(fd),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(crate) fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made this descriptor for us (close-on-exec, as all of bpf's) and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // bpf(2) reads a descriptor 0 as "none".
    if fd.as_raw_fd() == 0 { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 1)?) } else { Ok(fd) }
}

pub(crate) fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}
