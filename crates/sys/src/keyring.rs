//! keyctl(2), which rustix lacks.

use std::io;
use std::ptr;

/// A new, empty session keyring: a container must not find the keys of whoever started it, as key rings know no namespaces.
pub fn new_session() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
