//! Any archive is applied or refused; one that is applied is assembled to the same bytes.
#![no_main]

use std::fs::File;
use std::os::fd::AsFd;

libfuzzer_sys::fuzz_target!(|archive: &[u8]| {
    let dir = File::open(fuzz::empty_dir()).expect("it was just made");
    store::layer::fuzz(archive, dir.as_fd());
});
