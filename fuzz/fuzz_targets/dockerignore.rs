//! Any bytes are patterns or refused; a path, taken from them too, is matched. Nothing below a directory that is left out whole is seen.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| builder::ignore::fuzz(text));
