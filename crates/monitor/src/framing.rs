//! Docker's frames: two streams over one connection. `[stream, 0, 0, 0, length as 32 bits big-endian] bytes`.

use serde::{Deserialize, Serialize};

/// Where output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, and all of a terminal's.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The head of a frame of `length` bytes.
#[must_use]
pub fn head(stream: Stream, length: u32) -> [u8; 8] {
    let [a, b, c, d] = length.to_be_bytes();
    let number = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    [number, 0, 0, 0, a, b, c, d]
}

/// The connection carries something other than frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream carries a frame of unknown kind {0}")]
pub struct UnknownFrame(u8);

/// Takes frames apart as their bytes arrive, copying none.
#[derive(Debug)]
pub struct Demux {
    head: [u8; 8],
    have: usize,
    stream: Stream,
    left: usize,
}

impl Default for Demux {
    fn default() -> Demux {
        Demux { head: [0; 8], have: 0, stream: Stream::Stdout, left: 0 }
    }
}

impl Demux {
    /// The next piece of output at the beginning of `bytes`, which is shortened to what follows it; none when all is used up.
    ///
    /// # Errors
    /// [`UnknownFrame`].
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<(Stream, &'a [u8])>, UnknownFrame> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= piece.len();
                *bytes = rest;
                return Ok(Some((self.stream, piece)));
            }
            let (piece, rest) = bytes.split_at((8 - self.have).min(bytes.len()));
            self.head[self.have..self.have + piece.len()].copy_from_slice(piece);
            self.have += piece.len();
            *bytes = rest;
            if self.have == 8 {
                let [number, _, _, _, a, b, c, d] = self.head;
                self.stream = match number {
                    0 | 1 => Stream::Stdout,
                    2 => Stream::Stderr,
                    other => return Err(UnknownFrame(other)),
                };
                self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                self.have = 0;
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_framed_is_read_back_however_it_is_cut(
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..20)), 0..10),
            cut in 1_usize..30,
        ) {
            let stream = |err| if err { Stream::Stderr } else { Stream::Stdout };
            let mut wire = Vec::new();
            let mut want: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
            for (err, bytes) in &pieces {
                wire.extend(head(stream(*err), u32::try_from(bytes.len()).unwrap()));
                wire.extend(bytes);
                want[usize::from(*err)].extend(bytes);
            }
            let mut got = [Vec::new(), Vec::new()];
            let mut demux = Demux::default();
            for mut part in wire.chunks(cut) {
                while let Some((from, bytes)) = demux.next(&mut part).unwrap() {
                    got[usize::from(from == Stream::Stderr)].extend_from_slice(bytes);
                }
            }
            prop_assert_eq!(got, want);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut demux = Demux::default();
            let mut rest = &bytes[..];
            while let Ok(Some(_)) = demux.next(&mut rest) {}
        }
    }
}
