//! Any bytes in a log's file are read to their end, whole and from the tail.
#![no_main]

use std::fs;

use monitor::log::{Query, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let dir = fuzz::empty_dir();
    fs::write(dir.join("log"), bytes).expect("the directory is writable");
    for tail in [None, Some(3)] {
        let mut reader = Reader::open(&dir, Query { tail, ..Query::ALL }).expect("the file is there");
        while let Ok(Some(_)) = reader.next() {}
    }
});
