//! Any bytes are a list of packages of every kind, and a program of Go.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| builder::attest::sbom::fuzz(bytes));
