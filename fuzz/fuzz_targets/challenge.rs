//! Any `WWW-Authenticate` is challenges or nothing; their schemes are words in lower case.
#![no_main]

use registry::client::challenge::parse;

libfuzzer_sys::fuzz_target!(|header: &str| {
    for challenge in parse(header) {
        assert!(!challenge.scheme.is_empty() && challenge.scheme == challenge.scheme.to_ascii_lowercase());
    }
});
