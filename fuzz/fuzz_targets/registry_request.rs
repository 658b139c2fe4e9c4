//! Any path and range of a request to our registry are understood or refused, and no name leads out of a directory.
#![no_main]

use registry::server;

libfuzzer_sys::fuzz_target!(|request: (&str, &str, u64)| {
    let (path, range, size) = request;
    server::fuzz(path, range, size);
});
