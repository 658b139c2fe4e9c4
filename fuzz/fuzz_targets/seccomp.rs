//! Any profile compiles or is refused.
#![no_main]

use spec::capability::CapabilitySet;
use spec::seccomp::{Arch, KernelVersion, Profile};

libfuzzer_sys::fuzz_target!(|json: &[u8]| {
    if let Ok(profile) = Profile::parse(json) {
        let _ = runtime::seccomp::compile(&profile, CapabilitySet::EMPTY, KernelVersion(6, 12), &Arch::X86_64);
    }
});
