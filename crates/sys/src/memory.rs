//! What a process that will sleep for days keeps of memory.

use std::ffi::{c_int, c_void};

use rustix::event::{PollFd, Timespec};
use rustix::mm::{Advice, madvise};

/// poll(2) for a long time: first gives back to the kernel what was freed, the stack below us, and the pages of our own executable that
/// only hold what the file holds: code and constants, 2 MB of them after a start. What is needed again comes back from the page cache,
/// 64 KB at a fault; hence one function with system calls in line, so that next to nothing runs between the giving back and the sleep.
///
/// # Errors
/// Of poll(2).
pub fn poll_at_rest(fds: &mut [PollFd<'_>], limit: Option<&Timespec>) -> rustix::io::Result<usize> {
    // SAFETY: touches only memory that nobody uses.
    unsafe { libc::malloc_trim(0) };
    let here = 0_u8;
    let here = (&raw const here).expose_provenance();
    let end = (here - here % PAGE).saturating_sub(2 * PAGE);
    // SAFETY: stacks grow downwards: two pages below our own frame and further there is nothing but what calls that have returned left
    // behind. Where the stack is not mapped, nothing happens (ENOMEM).
    let _ = unsafe { madvise(std::ptr::with_exposed_provenance_mut(end - STACK), STACK, Advice::LinuxDontNeed) };
    let mut segments: Segments = [(0, 0); 4];
    // SAFETY: `remember` matches the type, and its argument is what it expects.
    unsafe { libc::dl_iterate_phdr(Some(remember), (&raw mut segments).cast()) };
    for (first, length) in segments {
        // SAFETY: a mapping of our file that was never writable, or nothing: what is dropped is read from the file again as it was.
        let _ = unsafe { madvise(std::ptr::with_exposed_provenance_mut(first), length, Advice::LinuxDontNeed) };
    }
    rustix::event::poll(fds, limit)
}

/// First address and length of the segments that were never writable. There are two or three.
type Segments = [(usize, usize); 4];

const PAGE: usize = 4096;
/// As deep as starting a container goes, and more.
const STACK: usize = 128 * 1024;

unsafe extern "C" fn remember(object: *mut libc::dl_phdr_info, _size: usize, segments: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid description of a loaded object, whose program headers are mapped for its whole life, and
    // our own argument.
    let (base, headers, segments) = unsafe {
        let object = &*object;
        let headers = std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into());
        (object.dlpi_addr, headers, &mut *segments.cast::<Segments>())
    };
    // What relocation has changed lies in writable segments, even where it is read-only by now.
    let constant = headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0);
    for (header, segment) in constant.zip(segments) {
        if let (Ok(begin), Ok(length)) = (usize::try_from(base + header.p_vaddr), usize::try_from(header.p_memsz)) {
            let first = begin - begin % PAGE;
            *segment = (first, (begin + length).next_multiple_of(PAGE) - first);
        }
    }
    // The first object is the program; the rest is the kernel's vdso.
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_goes_on_after_its_rest() {
        let text = String::from("kept");
        assert_eq!(poll_at_rest(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1 })), Ok(0));
        assert_eq!(text, "kept");
    }
}
