//! Any text is a platform or refused; what is printed is read back as the same.
#![no_main]

use spec::platform::Platform;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = text.parse::<Platform>() {
        assert_eq!(read.to_string().parse::<Platform>().as_ref(), Ok(&read));
    }
});
