//! Any bytes are a Dockerfile or refused with places within them; what is read is expanded, checked and outlined in bounded memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    builder::dockerfile::fuzz(text);
    builder::check::fuzz(text);
});
