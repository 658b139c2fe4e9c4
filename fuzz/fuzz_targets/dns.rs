//! Any bytes are read as a question to the resolver, and as a server's answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| network::dns::fuzz(bytes));
