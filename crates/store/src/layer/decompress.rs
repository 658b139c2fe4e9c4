//! Compressed layer bytes become tar bytes.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::LayerError;

const BUFFER: usize = 128 << 10;

/// How the bytes of a layer are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain tar.
    None,
    /// gzip, of one member or many.
    Gzip,
    /// zstd, of one frame or many.
    Zstd,
    /// bzip2, of one stream or many.
    Bzip2,
    /// xz, of one stream or many.
    Xz,
}

/// How many times larger a layer may become by decompressing: a guard against bombs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Bytes that may come out for each that went in.
    pub most: u64,
    /// Below so many bytes the ratio does not count: small archives are mostly zeros.
    pub free_bytes: u64,
}

impl Ratio {
    /// No bound.
    pub const UNBOUNDED: Ratio = Ratio { most: u64::MAX, free_bytes: u64::MAX };
    /// gzip reaches 1,032 at most, and only on nothing but zeros; a gigabyte is let through in any case.
    pub const GUARDED: Ratio = Ratio { most: 500, free_bytes: 1 << 30 };
}

/// Finds out by the first bytes how `input` is packed, and unpacks it while it is read. A crossed [`Ratio`] is a read
/// error that holds [`LayerError::TooLarge`].
pub fn decompress<'a, R: Read + Send + 'a>(
    input: R,
    ratio: Ratio,
) -> Result<(Compression, Box<dyn Read + Send + 'a>), LayerError> {
    let taken = Arc::new(AtomicU64::new(0));
    let mut input = BufReader::with_capacity(BUFFER, Counted { inner: input, taken: Arc::clone(&taken) });
    let failed = |source| LayerError::io("reading", b"the layer", source);
    // A short first read may hold less than the longest mark: then the few bytes are put before the rest.
    let mut first = Vec::with_capacity(6);
    while first.len() < 6 {
        let have = input.fill_buf().map_err(failed)?;
        if have.is_empty() {
            break;
        }
        let take = have.len().min(6 - first.len());
        first.extend_from_slice(&have[..take]);
        input.consume(take);
    }
    let compression = sniff(&first);
    let input = io::Cursor::new(first).chain(input);
    let bytes: Box<dyn Read + Send + 'a> = match compression {
        Compression::None => return Ok((compression, Box::new(input))),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(input).map_err(failed)?),
        Compression::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        Compression::Xz => Box::new(lzma_rust2::XzReader::new(input, true)),
    };
    Ok((compression, Box::new(Guarded { inner: bytes, ratio, taken, given: 0 })))
}

fn sniff(first: &[u8]) -> Compression {
    // A zstd stream may begin with a skippable frame (zstd:chunked, seekable).
    let skippable = matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    match first {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _skippable if skippable => Compression::Zstd,
        [b'B', b'Z', b'h', ..] => Compression::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Compression::Xz,
        _plain => Compression::None,
    }
}

/// Counts what went in.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

/// Compares it with what came out.
struct Guarded<'a> {
    inner: Box<dyn Read + Send + 'a>,
    ratio: Ratio,
    taken: Arc<AtomicU64>,
    given: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        let taken = self.taken.load(Relaxed);
        if self.given > self.ratio.free_bytes && self.given > taken.saturating_mul(self.ratio.most) {
            let what = format!("{} bytes came out of {taken}, more than {} times as many", self.given, self.ratio.most);
            return Err(io::Error::other(LayerError::TooLarge(what)));
        }
        Ok(read)
    }
}
