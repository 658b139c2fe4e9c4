//! Any bytes are an image's config, manifest or index, or refused.
#![no_main]

use spec::image::{ImageConfig, Index, Manifest};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = serde_json::from_slice::<ImageConfig>(bytes) {
        let _ = config.platform();
    }
    let _ = serde_json::from_slice::<Manifest>(bytes);
    let _ = serde_json::from_slice::<Index>(bytes);
});
