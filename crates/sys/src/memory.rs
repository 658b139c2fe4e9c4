//! What a process that will sleep for days keeps of memory.

use std::ffi::{c_int, c_void};

/// Gives back to the kernel what was freed, the stack below us, and the pages of our own executable that only hold what the file holds:
/// code and constants, 2 MB of them after a start. What is needed again comes back from the page cache, at a microsecond for each fault.
/// Call it right before the long sleep: whatever runs in between comes back.
pub fn rest() {
    // SAFETY: touches only memory that nobody uses.
    unsafe { libc::malloc_trim(0) };
    // SAFETY: `let_go` matches the type, and the argument is not used.
    unsafe { libc::dl_iterate_phdr(Some(let_go), std::ptr::null_mut()) };
    let here = 0_u8;
    let here = (&raw const here).expose_provenance();
    let end = (here - here % PAGE).saturating_sub(2 * PAGE);
    // SAFETY: stacks grow downwards: two pages below our own frame and further there is nothing but what calls that have returned left
    // behind. Where the stack is not mapped, nothing happens (ENOMEM).
    unsafe {
        libc::madvise(std::ptr::with_exposed_provenance_mut(end - STACK), STACK, libc::MADV_DONTNEED);
    }
}

const PAGE: usize = 4096;
/// As deep as starting a container goes, and more.
const STACK: usize = 128 * 1024;

unsafe extern "C" fn let_go(object: *mut libc::dl_phdr_info, _size: usize, _argument: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid description of a loaded object, whose program headers are mapped for its whole life.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    for header in headers {
        // What relocation has changed lies in writable segments, even where it is read-only by now.
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let (Ok(begin), Ok(length)) = (usize::try_from(base + header.p_vaddr), usize::try_from(header.p_memsz)) else {
            continue;
        };
        let (first, end) = (begin - begin % PAGE, (begin + length).next_multiple_of(PAGE));
        // SAFETY: the range is a mapping of our file that was never writable: what is dropped is read from the file again as it was.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(first), end - first, libc::MADV_DONTNEED) };
    }
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_goes_on_after_its_rest() {
        let text = String::from("kept");
        super::rest();
        assert_eq!(text, "kept");
    }
}
