//! What the process table shows of this process.

use std::ffi::{CString, c_char};
use std::fs::read;
use std::io;

unsafe extern "C" {
    /// glibc: the first word of the command line, where the kernel put it (error(3)).
    static program_invocation_name: *mut c_char;
}

/// Makes /proc/PID/cmdline say `title` instead of the words this process was started with, or as much of it as fits into their place.
///
/// # Errors
/// /proc is not there.
pub fn set(title: &str) -> io::Result<()> {
    let length = read("/proc/self/cmdline")?.len();
    let title = CString::new(title)?;
    let bytes = title.as_bytes_with_nul();
    let kept = bytes.len().min(length);
    // SAFETY: the kernel lays the words of the command line out in one piece that begins with the first and has `length` bytes, and
    // glibc points at the first. The single thread that calls this holds no reference into it.
    unsafe {
        let place = program_invocation_name;
        std::ptr::write_bytes(place, 0, length);
        std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), place, kept);
    }
    Ok(())
}
