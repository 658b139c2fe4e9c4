//! A layer's directory and its recipe become the archive that the layer came as.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::LayerError;
use super::recipe::{self, Index};
use crate::tar::show;

/// The archive, read from front to back.
///
/// Errors are [`LayerError`] within [`io::Error`]. Compare the digest of what is read with the layer's DiffID: the
/// directory's files are not checked otherwise, but for their presence and length.
#[derive(Debug)]
pub struct Assembly<D, R> {
    dir: D,
    recipe: R,
    index: Index,
    next_stream: usize,
    /// Records not yet read.
    chunk: Vec<u8>,
    at: usize,
    next_body: u32,
    source: Source,
    given: u64,
}

/// Where the next bytes come from.
#[derive(Debug)]
enum Source {
    /// The next record says.
    Record,
    /// The chunk at hand.
    Raw { left: usize },
    /// A file of the directory.
    File { file: File, path: Vec<u8>, offset: u64, left: u64 },
    /// Chunks of a body that was kept: which one is next, the one at hand.
    Kept { ordinal: u32, next: usize, bytes: io::Cursor<Vec<u8>> },
}

/// Begins to rebuild the archive of the layer in `dir` from what [`super::apply`] recorded.
pub fn assemble<D: AsFd, R: Read + Seek>(dir: D, mut recipe: R) -> Result<Assembly<D, R>, LayerError> {
    let index = recipe::index(&mut recipe)?;
    Ok(Assembly {
        dir,
        recipe,
        index,
        next_stream: 0,
        chunk: Vec::new(),
        at: 0,
        next_body: 0,
        source: Source::Record,
        given: 0,
    })
}

impl<D: AsFd, R: Read + Seek> Assembly<D, R> {
    /// How long the archive is.
    pub fn tar_bytes(&self) -> u64 {
        self.index.tar_bytes
    }

    /// Passes over bytes, without reading the files they are in but for their beginnings.
    ///
    /// # Errors
    /// Of the recipe and the directory, as for reading.
    pub fn skip(&mut self, mut bytes: u64) -> Result<(), LayerError> {
        let mut scratch = [0; 4096];
        while bytes > 0 {
            let passed = match &mut self.source {
                Source::File { offset, left, .. } if *left > 0 => {
                    let now = bytes.min(*left);
                    *offset += now;
                    *left -= now;
                    self.given += now;
                    now
                }
                Source::Record | Source::Raw { .. } | Source::File { .. } | Source::Kept { .. } => {
                    let most = usize::try_from(bytes).map_or(scratch.len(), |bytes| bytes.min(scratch.len()));
                    match self.give(&mut scratch[..most])? {
                        0 => return Ok(()),
                        given => given as u64,
                    }
                }
            };
            bytes -= passed;
        }
        Ok(())
    }

    fn give(&mut self, buffer: &mut [u8]) -> Result<usize, LayerError> {
        loop {
            let given = match &mut self.source {
                Source::Record => match self.record()? {
                    Some(source) => {
                        self.source = source;
                        continue;
                    }
                    None => return self.end(),
                },
                Source::Raw { left } => {
                    let given = buffer.len().min(*left);
                    buffer[..given].copy_from_slice(&self.chunk[self.at..self.at + given]);
                    self.at += given;
                    *left -= given;
                    given
                }
                Source::File { left: 0, .. } => 0,
                Source::File { file, path, offset, left } => {
                    let most = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    let given =
                        file.read_at(&mut buffer[..most], *offset).map_err(|e| LayerError::io("reading", path, e))?;
                    if given == 0 {
                        return Err(LayerError::Changed { entry: show(path), what: "it is shorter".to_owned() });
                    }
                    *offset += given as u64;
                    *left -= given as u64;
                    given
                }
                Source::Kept { ordinal, next, bytes } => {
                    let given = bytes.read(buffer).unwrap_or_default();
                    if given == 0
                        && let Some(chunk) = self.index.kept.get(ordinal).and_then(|chunks| chunks.get(*next))
                    {
                        *bytes = io::Cursor::new(recipe::load(&mut self.recipe, *chunk)?);
                        *next += 1;
                        continue;
                    }
                    given
                }
            };
            if given > 0 {
                self.given += given as u64;
                return Ok(given);
            }
            self.source = Source::Record;
        }
    }

    fn end(&self) -> Result<usize, LayerError> {
        match self.given == self.index.tar_bytes {
            true => Ok(0),
            false => Err(LayerError::Recipe(format!("it makes {} bytes of {}", self.given, self.index.tar_bytes))),
        }
    }

    /// The next record.
    fn record(&mut self) -> Result<Option<Source>, LayerError> {
        if self.at == self.chunk.len() {
            let Some(&next) = self.index.stream.get(self.next_stream) else {
                return Ok(None);
            };
            self.chunk = recipe::load(&mut self.recipe, next)?;
            self.at = 0;
            self.next_stream += 1;
        }
        let kind = self.take(1)?[0];
        let len = usize::try_from(recipe::number(self.take(4)?)).unwrap_or(usize::MAX);
        match kind {
            recipe::RAW if len <= self.chunk.len() - self.at => Ok(Some(Source::Raw { left: len })),
            recipe::BODY => {
                let path = self.take(len)?.to_vec();
                let offset = self.take_u64()?;
                let left = self.take_u64()?;
                self.open(path, offset, left).map(Some)
            }
            _other => Err(LayerError::Recipe("a broken record".to_owned())),
        }
    }

    fn take(&mut self, len: usize) -> Result<&[u8], LayerError> {
        let end = self.at.checked_add(len).filter(|&end| end <= self.chunk.len());
        let end = end.ok_or_else(|| LayerError::Recipe("a broken record".to_owned()))?;
        let taken = &self.chunk[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn take_u64(&mut self) -> Result<u64, LayerError> {
        Ok(self.take(8)?.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    fn open(&mut self, path: Vec<u8>, offset: u64, left: u64) -> Result<Source, LayerError> {
        let ordinal = self.next_body;
        self.next_body = ordinal.wrapping_add(1);
        if self.index.kept.contains_key(&ordinal) {
            return Ok(Source::Kept { ordinal, next: 0, bytes: io::Cursor::default() });
        }
        // O_NONBLOCK: should someone have put a pipe there, the open must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let file = openat2(&self.dir, &path[..], flags, Mode::empty(), within)
            .map_err(|errno| LayerError::Changed { entry: show(&path), what: io::Error::from(errno).to_string() })?;
        let file = File::from(file);
        let meta = file.metadata().map_err(|error| LayerError::io("reading", &path, error))?;
        match meta.is_file() {
            true => Ok(Source::File { file, path, offset, left }),
            false => Err(LayerError::Changed { entry: show(&path), what: "it is no file".to_owned() }),
        }
    }
}

impl<D: AsFd, R: Read + Seek> Read for Assembly<D, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.give(buffer).map_err(io::Error::other)
    }
}
