//! Any text is a reference or refused; what is printed is read back as the same.
#![no_main]

use spec::reference::Reference;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = text.parse::<Reference>() {
        assert_eq!(read.to_string().parse::<Reference>().as_ref(), Ok(&read));
    }
});
