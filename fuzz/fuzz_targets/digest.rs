//! Any text is a digest or refused; what is printed is read back as the same.
#![no_main]

use spec::digest::Digest;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = text.parse::<Digest>() {
        assert_eq!(read.to_string().parse::<Digest>().as_ref(), Ok(&read));
    }
});
