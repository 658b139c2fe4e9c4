//! Finding the detach keys in what a user types.

use crate::protocol::DetachKeys;

/// Looks at one visitor's input. What may be the beginning of the keys is held back until it is known, as Docker does.
#[derive(Debug)]
pub(crate) struct Scanner {
    keys: DetachKeys,
    matched: usize,
}

impl Scanner {
    pub(crate) fn new(keys: DetachKeys) -> Scanner {
        Scanner { keys, matched: 0 }
    }

    /// Appends to `out` what is not the keys. True: the keys are complete, and what follows them is not looked at.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let keys = self.keys.bytes();
        for byte in bytes {
            if keys.get(self.matched) != Some(byte) {
                out.extend_from_slice(&keys[..self.matched]);
                self.matched = 0;
            }
            if keys.get(self.matched) == Some(byte) {
                self.matched += 1;
                if self.matched == keys.len() {
                    self.matched = 0;
                    return true;
                }
            } else {
                out.push(*byte);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(keys: &str, typed: &[&str], expected: (&str, bool)) {
        let mut scanner = Scanner::new(keys.parse().unwrap());
        let mut out = Vec::new();
        let detached = typed.iter().any(|part| scanner.feed(part.as_bytes(), &mut out));
        assert_eq!((std::str::from_utf8(&out).unwrap(), detached), expected);
    }

    #[test]
    fn the_keys_are_found_wherever_the_input_is_cut() {
        check("ctrl-p,ctrl-q", &["ab\x10\x11cd"], ("ab", true));
        check("ctrl-p,ctrl-q", &["ab\x10", "\x11"], ("ab", true));
        check("ctrl-p,ctrl-q", &["\x10x\x11"], ("\x10x\x11", false));
        check("ctrl-p,ctrl-q", &["\x10\x10\x11"], ("\x10", true));
        check("ctrl-a,d", &["\x01"], ("", false));
        check("", &["\x10\x11"], ("\x10\x11", false));
    }

    #[test]
    fn keys_are_named_as_in_docker() {
        let bytes =
            |text: &str| text.parse::<DetachKeys>().map(|keys| keys.bytes().to_vec()).map_err(|e| e.to_string());
        assert_eq!(bytes("ctrl-@,ctrl-z,ctrl-[,ctrl-_,a"), Ok(vec![0, 26, 27, 31, b'a']));
        assert_eq!(bytes("ctrl-A"), Err("invalid detach keys (ctrl-A) provided: Unknown character: 'ctrl-A'".into()));
        assert_eq!(bytes("a,,b").unwrap_err(), "invalid detach keys (a,,b) provided: Unknown character: ''");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_moved(parts in prop::collection::vec(prop::collection::vec(0_u8..3, 0..6), 0..8)) {
            let mut scanner = Scanner::new(serde_json::from_str("[1,2]").unwrap());
            let mut out = Vec::new();
            let all = parts.concat();
            let found = parts.iter().any(|part| scanner.feed(part, &mut out));
            let at = all.windows(2).position(|pair| pair == [1, 2]);
            prop_assert_eq!(found, at.is_some());
            let held = usize::from(!found && all.last() == Some(&1));
            prop_assert_eq!(&out[..], &all[..at.unwrap_or(all.len() - held)]);
        }
    }
}
