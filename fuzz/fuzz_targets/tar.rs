//! Any archive is read to its end or its first error, in bounded memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|archive: &[u8]| store::tar::fuzz(archive));
