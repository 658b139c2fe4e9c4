//! Sockets that are found at an address they are not bound to: a program that the kernel asks for each new packet of a network namespace
//! (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9). Whoever lives there may bind the port on all addresses, and has it on all but that one.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::bpf::{Insn, bpf, load, own, raw};

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_MAP_TYPE_SOCKMAP: u32 = 15;
const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
const BPF_SK_LOOKUP: u32 = 36;

/// Places in the map.
const UDP: u32 = 0;
const TCP: u32 = 1;

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct MapUpdate {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// Leads what comes to `address` in `namespace` to these sockets. It ends when the descriptor that is returned is closed.
///
/// # Errors
/// Of bpf(2): EPERM without CAP_BPF or under lockdown, EINVAL on older kernels.
pub fn steer(
    namespace: BorrowedFd<'_>,
    address: SocketAddrV4,
    datagrams: BorrowedFd<'_>,
    listener: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let mut attr =
        MapCreate { map_type: BPF_MAP_TYPE_SOCKMAP, key_size: 4, value_size: 4, max_entries: 2, map_flags: 0 };
    // SAFETY: `MapCreate` is the head of bpf_attr for BPF_MAP_CREATE and holds no pointer.
    let map = own(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?)?;
    for (key, socket) in [(UDP, datagrams), (TCP, listener)] {
        let value = raw(socket);
        let (key, value) = ((&raw const key) as u64, (&raw const value) as u64);
        let mut attr = MapUpdate { map_fd: raw(map.as_fd()), key, value, ..MapUpdate::default() };
        // SAFETY: `MapUpdate` is the head of bpf_attr for BPF_MAP_UPDATE_ELEM; key and value point to four bytes each, as the map was
        // made for, alive until the call returns.
        unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }?;
    }
    let program =
        load(&program(address, map.as_raw_fd()), BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, *b"kist_dns\0\0\0\0\0\0\0\0")?;
    let mut attr =
        LinkCreate { prog_fd: raw(program.as_fd()), target_fd: raw(namespace), attach_type: BPF_SK_LOOKUP, flags: 0 };
    // SAFETY: `LinkCreate` is the head of bpf_attr for BPF_LINK_CREATE and holds no pointer. The link keeps the program, and that the map.
    own(unsafe { bpf(BPF_LINK_CREATE, &mut attr) }?)
}

/// `if (port == 53 && address == 127.0.0.11) sk_assign(map[protocol != UDP]); return PASS`
fn program(address: SocketAddrV4, map: i32) -> [Insn; 25] {
    // Fields of struct bpf_sk_lookup (linux/bpf.h).
    const PROTOCOL: i16 = 12;
    const LOCAL_IP4: i16 = 40;
    const LOCAL_PORT: i16 = 60;
    const LOAD_WORD: u8 = 0x61;
    const STORE_WORD: u8 = 0x63;
    const MOVE: u8 = 0xb7;
    const MOVE_REGISTER: u8 = 0xbf;
    const ADD: u8 = 0x07;
    const IF_EQUAL: u8 = 0x15;
    const UNLESS_EQUAL: u8 = 0x55;
    const LOAD_MAP: u8 = 0x18;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    const LOOKUP: i32 = 1;
    const RELEASE: i32 = 86;
    const ASSIGN: i32 = 124;
    const PASS: i32 = 1;
    let step = |code, to: u8, from: u8, offset, immediate| Insn { code, registers: from << 4 | to, offset, immediate };
    // As the kernel reads it: in the network's order, as a number of this machine.
    let wanted = u32::from_ne_bytes(Ipv4Addr::octets(address.ip())).cast_signed();
    [
        step(MOVE_REGISTER, 6, 1, 0, 0),
        step(LOAD_WORD, 2, 1, LOCAL_PORT, 0),
        step(UNLESS_EQUAL, 2, 0, 20, address.port().into()),
        step(LOAD_WORD, 2, 1, LOCAL_IP4, 0),
        step(UNLESS_EQUAL, 2, 0, 18, wanted),
        step(MOVE, 3, 0, 0, UDP.cast_signed()),
        step(LOAD_WORD, 2, 1, PROTOCOL, 0),
        step(IF_EQUAL, 2, 0, 1, libc::IPPROTO_UDP),
        step(MOVE, 3, 0, 0, TCP.cast_signed()),
        step(STORE_WORD, 10, 3, -4, 0),
        // Register 1 is the map: an instruction of two, whose source register 1 says that the number is a descriptor.
        step(LOAD_MAP, 1, 1, 0, map),
        step(0, 0, 0, 0, 0),
        step(MOVE_REGISTER, 2, 10, 0, 0),
        step(ADD, 2, 0, 0, -4),
        step(CALL, 0, 0, 0, LOOKUP),
        step(IF_EQUAL, 0, 0, 7, 0),
        step(MOVE_REGISTER, 7, 0, 0, 0),
        step(MOVE_REGISTER, 1, 6, 0, 0),
        step(MOVE_REGISTER, 2, 7, 0, 0),
        step(MOVE, 3, 0, 0, 0),
        step(CALL, 0, 0, 0, ASSIGN),
        step(MOVE_REGISTER, 1, 7, 0, 0),
        step(CALL, 0, 0, 0, RELEASE),
        step(MOVE, 0, 0, 0, PASS),
        step(EXIT, 0, 0, 0, 0),
    ]
}
