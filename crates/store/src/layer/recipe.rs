//! The recipe: what an archive holds beside the bodies of its files, and where those bodies are.
//!
//! The format is described in `docs/formats/recipe.md`. It is written front to back while a layer is applied, and read
//! in two passes: one over the chunk heads for what was kept raw, one for the archive.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::LayerError;

pub(super) const MAGIC: &[u8; 8] = b"kistrecp";
pub(super) const FORMAT: u32 = 1;

/// The most bytes a chunk unpacks to.
pub(super) const CHUNK: usize = 1 << 20;

const LEVEL: i32 = 1;
/// Chunk kinds.
const STREAM: u8 = b'S';
const KEPT: u8 = b'K';
const END: u8 = b'E';
/// Record kinds in a stream chunk.
pub(super) const RAW: u8 = 1;
pub(super) const BODY: u8 = 2;

/// kind, ordinal, unpacked length, packed length.
const HEAD: usize = 1 + 3 * 4;

/// One run of body bytes that the archive takes from the directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    /// Its place among all bodies of the archive.
    pub(super) ordinal: u32,
    /// Where it stands in its file.
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// Writes a recipe.
pub(super) struct Recorder<'a> {
    out: &'a mut (dyn Write + Send),
    packer: zstd::bulk::Compressor<'static>,
    chunk: Vec<u8>,
    bodies: u32,
    tar_bytes: u64,
}

fn failed(source: io::Error) -> LayerError {
    LayerError::io("writing", b"the layer's recipe", source)
}

impl<'a> Recorder<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send)) -> Result<Recorder<'a>, LayerError> {
        out.write_all(MAGIC).and_then(|()| out.write_all(&FORMAT.to_le_bytes())).map_err(failed)?;
        let packer = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
        Ok(Recorder { out, packer, chunk: Vec::with_capacity(CHUNK), bodies: 0, tar_bytes: 0 })
    }

    /// Bytes of the archive that stand nowhere else.
    pub(super) fn raw(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        self.tar_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            self.room_for(BLOCK_OF_RAW.min(bytes.len()) + 5)?;
            let most = (CHUNK - self.chunk.len() - 5).min(bytes.len());
            let (now, later) = bytes.split_at(most);
            self.chunk.push(RAW);
            self.push_u32(now.len())?;
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Bytes of the archive that are in the file `path`.
    pub(super) fn body(&mut self, path: &[u8], offset: u64, len: u64) -> Result<Body, LayerError> {
        self.tar_bytes += len;
        self.room_for(path.len() + 21)?;
        self.chunk.push(BODY);
        self.push_u32(path.len())?;
        self.chunk.extend_from_slice(path);
        self.chunk.extend_from_slice(&offset.to_le_bytes());
        self.chunk.extend_from_slice(&len.to_le_bytes());
        let ordinal = self.bodies;
        self.bodies =
            ordinal.checked_add(1).ok_or_else(|| LayerError::TooLarge("more than 4 billion files".to_owned()))?;
        Ok(Body { ordinal, offset, len })
    }

    /// The next bytes of a body that is about to leave the directory.
    pub(super) fn keep(&mut self, ordinal: u32, bytes: &[u8]) -> Result<(), LayerError> {
        for piece in bytes.chunks(CHUNK) {
            self.write_chunk(KEPT, ordinal, piece)?;
        }
        Ok(())
    }

    /// Ends the recipe.
    pub(super) fn finish(mut self) -> Result<(), LayerError> {
        self.flush()?;
        let totals = self.tar_bytes.to_le_bytes();
        self.write_chunk(END, 0, &totals)?;
        self.out.flush().map_err(failed)
    }

    fn push_u32(&mut self, len: usize) -> Result<(), LayerError> {
        let len = u32::try_from(len).map_err(|_large| LayerError::TooLarge("a name of 4 GiB".to_owned()))?;
        self.chunk.extend_from_slice(&len.to_le_bytes());
        Ok(())
    }

    /// Records do not straddle chunks.
    fn room_for(&mut self, bytes: usize) -> Result<(), LayerError> {
        if self.chunk.len() + bytes > CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LayerError> {
        let mut chunk = std::mem::take(&mut self.chunk);
        if !chunk.is_empty() {
            self.write_chunk(STREAM, 0, &chunk)?;
        }
        chunk.clear();
        self.chunk = chunk;
        Ok(())
    }

    fn write_chunk(&mut self, kind: u8, ordinal: u32, bytes: &[u8]) -> Result<(), LayerError> {
        let packed = self.packer.compress(bytes).map_err(failed)?;
        let mut head = vec![kind];
        for number in [Ok(ordinal), u32::try_from(bytes.len()), u32::try_from(packed.len())] {
            head.extend_from_slice(&number.map_err(|large| failed(io::Error::other(large)))?.to_le_bytes());
        }
        self.out.write_all(&head).and_then(|()| self.out.write_all(&packed)).map_err(failed)
    }
}

/// Raw runs shorter than this are not split over two chunks.
const BLOCK_OF_RAW: usize = 4096;

/// Where a chunk stands in the recipe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    at: u64,
    unpacked: usize,
    packed: usize,
}

/// The chunks of a recipe.
#[derive(Debug)]
pub(super) struct Index {
    /// Of the stream, in order.
    pub(super) stream: Vec<Chunk>,
    /// Of bodies that the directory no longer has, by ordinal.
    pub(super) kept: HashMap<u32, Vec<Chunk>>,
    /// Length of the archive.
    pub(super) tar_bytes: u64,
}

/// Reads the heads of all chunks.
pub(super) fn index<R: Read + Seek>(recipe: &mut R) -> Result<Index, LayerError> {
    let mut start = [0; 12];
    recipe.read_exact(&mut start).map_err(damaged)?;
    if start[..8] != *MAGIC {
        return Err(LayerError::Recipe("not a layer recipe".to_owned()));
    }
    let format = number(&start[8..]);
    if format != FORMAT {
        return Err(LayerError::Recipe(format!("format {format} is not known, only {FORMAT}")));
    }
    let mut index = Index { stream: Vec::new(), kept: HashMap::new(), tar_bytes: 0 };
    let mut at = start.len() as u64;
    loop {
        let mut head = [0; HEAD];
        recipe.seek(SeekFrom::Start(at)).and_then(|_at| recipe.read_exact(&mut head)).map_err(damaged)?;
        at += HEAD as u64;
        let chunk = Chunk { at, unpacked: size(&head[5..9])?, packed: size(&head[9..13])? };
        at += chunk.packed as u64;
        match head[0] {
            STREAM => index.stream.push(chunk),
            KEPT => index.kept.entry(number(&head[1..5])).or_default().push(chunk),
            END => {
                let totals = load(recipe, chunk)?;
                let totals = <[u8; 8]>::try_from(&totals[..]);
                index.tar_bytes =
                    totals.map(u64::from_le_bytes).map_err(|_len| LayerError::Recipe("a bad end".to_owned()))?;
                return Ok(index);
            }
            other => return Err(LayerError::Recipe(format!("a chunk of kind {other}"))),
        }
    }
}

/// Reads and unpacks one chunk.
pub(super) fn load<R: Read + Seek>(recipe: &mut R, chunk: Chunk) -> Result<Vec<u8>, LayerError> {
    let mut packed = vec![0; chunk.packed];
    recipe.seek(SeekFrom::Start(chunk.at)).and_then(|_at| recipe.read_exact(&mut packed)).map_err(damaged)?;
    let bytes = zstd::bulk::decompress(&packed, chunk.unpacked).map_err(damaged)?;
    match bytes.len() == chunk.unpacked {
        true => Ok(bytes),
        false => Err(LayerError::Recipe("a chunk of another length than its head says".to_owned())),
    }
}

fn damaged(error: io::Error) -> LayerError {
    let cut_short = error.kind() == io::ErrorKind::UnexpectedEof;
    LayerError::Recipe(if cut_short { "it is cut short".to_owned() } else { error.to_string() })
}

pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u32::from(byte))
}

/// A length within a chunk. zstd may add a little to what it cannot pack.
fn size(bytes: &[u8]) -> Result<usize, LayerError> {
    let size = usize::try_from(number(bytes)).ok().filter(|&size| size <= 2 * CHUNK);
    size.ok_or_else(|| LayerError::Recipe("a chunk of an absurd length".to_owned()))
}
