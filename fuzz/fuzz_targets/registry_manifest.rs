//! Any bytes are a manifest that our registry takes, or refused; what is taken is one kind of thing.
#![no_main]

use registry::server::Document;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = Document::read("", bytes) {
        assert!(document.blobs().next().is_none() || document.members().next().is_none());
    }
});
