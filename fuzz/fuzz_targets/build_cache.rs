//! Any bytes are a build cache of another machine or refused; what is read is written the same way each time.
#![no_main]

use builder::exchange::{Cache, inline};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Cache::parse(bytes) {
        let written = read.to_bytes();
        assert_eq!(Cache::parse(&written).expect("what we write is read"), read);
    }
    let _ = inline::read(bytes, &[]);
});
