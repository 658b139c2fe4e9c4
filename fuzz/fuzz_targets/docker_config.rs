//! Any text is a `config.json` or refused; what is read is written back, and then stays as it is.
#![no_main]

use registry::credentials::Document;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = Document::parse(text) {
        let written = read.to_string();
        let again = Document::parse(&written).expect("what we write is read");
        assert_eq!(again.to_string(), written);
    }
});
