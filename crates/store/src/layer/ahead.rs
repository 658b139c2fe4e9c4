//! Reading ahead in a thread of its own: what inflates and what unpacks share a layer, where processors would be idle otherwise.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

/// Large enough that handing it over costs nothing beside filling it, small enough to stay in a processor's cache.
const PIECE: usize = 256 << 10;
/// Pieces on their way.
const DEPTH: usize = 4;

/// Lets `work` read what another thread reads from `from`. Bytes and errors come in the same order; what `work` leaves is not read.
pub(crate) fn read_ahead<R: Read + Send, T>(mut from: R, work: impl FnOnce(&mut dyn Read) -> T) -> T {
    let (full, filled) = sync_channel(DEPTH);
    let (emptied, empty) = channel::<Vec<u8>>();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let piece = fill(&mut from, empty.try_recv().unwrap_or_default());
                let ended = piece.as_ref().map_or(true, Vec::is_empty);
                // Nobody wants more.
                if full.send(piece).is_err() || ended {
                    return;
                }
            }
        });
        work(&mut Ahead { filled, emptied, piece: Vec::new(), at: 0 })
    })
}

/// A piece; an empty one at the end.
fn fill(from: &mut impl Read, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
    piece.clear();
    piece.reserve_exact(PIECE);
    from.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

struct Ahead {
    filled: Receiver<io::Result<Vec<u8>>>,
    emptied: Sender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            // The other side ended after an error or an empty piece: nothing more comes.
            let Ok(next) = self.filled.recv() else { return Ok(0) };
            // It may have left already.
            let _ = self.emptied.send(std::mem::replace(&mut self.piece, next?));
            self.at = 0;
        }
        let given = buffer.len().min(self.piece.len() - self.at);
        buffer[..given].copy_from_slice(&self.piece[self.at..self.at + given]);
        self.at += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_come() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 11 * PIECE + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let mut read = Vec::new();
            read_ahead(&bytes[..], |ahead| ahead.read_to_end(&mut read)).unwrap();
            assert!(read == bytes, "{len}");
        }
    }

    #[test]
    fn an_error_comes_in_its_place() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(buffer.len()).ok_or_else(|| io::Error::other("broken"))?;
                Ok(buffer.len())
            }
        }
        let mut read = Vec::new();
        let error = read_ahead(Broken(9 * PIECE), |ahead| ahead.read_to_end(&mut read)).unwrap_err();
        assert_eq!((error.to_string().as_str(), read.len()), ("broken", 9 * PIECE));
    }

    #[test]
    fn who_has_enough_leaves() {
        let mut first = [0; 3];
        read_ahead(io::repeat(7), |ahead| ahead.read_exact(&mut first)).unwrap();
        assert_eq!(first, [7; 3]);
    }
}
