//! What the allocator keeps.

/// Gives memory that was freed back to the kernel: a process that will sleep for days keeps none for later.
pub fn trim() {
    // SAFETY: touches only memory that nobody uses.
    unsafe { libc::malloc_trim(0) };
}
