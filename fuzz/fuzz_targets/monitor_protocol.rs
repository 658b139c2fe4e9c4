//! Any datagram is a message or refused; a message that was read is written and read again as the same bytes.
#![no_main]

use monitor::protocol::{Ask, Tell, decode, encode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(ask) = decode::<Ask>(bytes) {
        if let Ok(written) = encode(&ask) {
            let again = decode::<Ask>(&written).expect("what we write is understood");
            assert_eq!(encode(&again).ok(), Some(written));
        }
    }
    if let Ok(tell) = decode::<Tell>(bytes) {
        if let Ok(written) = encode(&tell) {
            let again = decode::<Tell>(&written).expect("what we write is understood");
            assert_eq!(encode(&again).ok(), Some(written));
        }
    }
});
