//! Writing: output is cut into lines, and no trouble of the disk's ever stops a container.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use spec::container::LogConfig;
use spec::time::Time;

use super::file_name;
use crate::framing::Stream;

/// The longest piece of a line (moby `defaultBufSize`).
const PIECE: usize = 16 * 1024;

/// The writer of one container's log.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    /// None: it could not be opened yet.
    file: Option<File>,
    size: u64,
    max_size: u64,
    max_files: u32,
    /// Bytes of output that could not be written since the last that could.
    lost: usize,
    partial: [Partial; 2],
}

/// The line that a stream is in the middle of.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// When the first piece of this line was written: all its pieces bear that time.
    begun: Option<Time>,
}

impl Writer {
    pub(crate) fn new(dir: &Path, config: &LogConfig) -> Writer {
        Writer {
            dir: dir.into(),
            file: None,
            size: 0,
            max_size: if config.max_size_bytes == 0 { u64::MAX } else { config.max_size_bytes },
            max_files: config.max_files.max(1),
            lost: 0,
            partial: Default::default(),
        }
    }

    /// Takes output. What is no whole line yet waits for its end.
    pub(crate) fn write(&mut self, stream: Stream, mut bytes: &[u8], now: Time) {
        let mut out = Vec::new();
        let mut taken = 0;
        let partial = &mut self.partial[usize::from(stream == Stream::Stderr)];
        while !bytes.is_empty() {
            let room = &bytes[..bytes.len().min(PIECE - partial.bytes.len())];
            let (piece, ends) = match room.iter().position(|b| *b == b'\n') {
                Some(at) => (&room[..=at], true),
                None => (room, false),
            };
            bytes = &bytes[piece.len()..];
            if ends || partial.bytes.len() + piece.len() == PIECE {
                let time = partial.begun.unwrap_or(now);
                encode(&mut out, &[&partial.bytes, piece], stream, time);
                taken += partial.bytes.len() + piece.len();
                // Not clear(): an idle monitor keeps no buffer.
                *partial = Partial { bytes: Vec::new(), begun: (!ends).then_some(time) };
            } else {
                partial.bytes.extend_from_slice(piece);
            }
        }
        self.append(&out, taken, now);
    }

    /// Writes down the last line where it has no end.
    pub(crate) fn finish(&mut self, now: Time) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = std::mem::take(&mut self.partial[usize::from(stream == Stream::Stderr)]);
            if !partial.bytes.is_empty() {
                let mut out = Vec::new();
                encode(&mut out, &[&partial.bytes], stream, partial.begun.unwrap_or(now));
                self.append(&out, partial.bytes.len(), now);
            }
        }
    }

    /// What was taken and is not in the file yet.
    pub(crate) fn unwritten(&self, stream: Stream) -> &[u8] {
        &self.partial[usize::from(stream == Stream::Stderr)].bytes
    }

    /// Appends whole lines, or none: a disk that is full costs output, never the container's progress.
    fn append(&mut self, lines: &[u8], taken: usize, now: Time) {
        if lines.is_empty() {
            return;
        }
        let mut note = Vec::new();
        if self.lost > 0 {
            let text = format!("kist: {} bytes of output were lost: the log could not be written\n", self.lost);
            encode(&mut note, &[text.as_bytes()], Stream::Stderr, now);
        }
        note.extend_from_slice(lines);
        let mut rest = note.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.cut(rest));
            if self.put(now).is_err() {
                self.lost += taken;
                return;
            }
            rest = later;
        }
        self.lost = 0;
    }

    /// How many of these bytes go into one file: lines are never parted, and a fresh file takes a line whatever its length.
    fn cut(&self, lines: &[u8]) -> usize {
        let within = |room: u64| {
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
            let whole = room == lines.len();
            if whole { Some(room) } else { lines[..room].iter().rposition(|b| *b == b'\n').map(|at| at + 1) }
        };
        let first = || lines.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let cut = within(self.max_size.saturating_sub(self.size)).or_else(|| within(self.max_size)).or_else(first);
        cut.unwrap_or(lines.len())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.file.is_some() && self.size > 0 && self.size.saturating_add(length) > self.max_size {
            self.file = None;
            self.turn_over()?;
        }
        if self.file.is_none() {
            let path = self.dir.join(file_name(0));
            let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
            self.size = file.metadata()?.len();
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        match file.write_all(bytes) {
            Ok(()) => {
                self.size += length;
                Ok(())
            }
            Err(error) => {
                // Half a line would spoil the next one. Nothing but that half goes, so no reader loses what it was given.
                let _ = file.set_len(self.size);
                Err(error)
            }
        }
    }

    /// `log` becomes `log.1`, and so on; the oldest goes.
    fn turn_over(&self) -> io::Result<()> {
        if self.max_files == 1 {
            return fs::remove_file(self.dir.join(file_name(0)));
        }
        for age in (0..self.max_files - 1).rev() {
            match fs::rename(self.dir.join(file_name(age)), self.dir.join(file_name(age + 1))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn encode(out: &mut Vec<u8>, pieces: &[&[u8]], stream: Stream, time: Time) {
    out.extend_from_slice(b"{\"log\":\"");
    // A character may be cut between two pieces.
    match pieces {
        [one] => escape(out, one),
        several => escape(out, &several.concat()),
    }
    out.extend_from_slice(match stream {
        Stream::Stdout => b"\",\"stream\":\"stdout\",\"time\":\"",
        Stream::Stderr => b"\",\"stream\":\"stderr\",\"time\":\"",
    });
    out.extend_from_slice(time.to_string().as_bytes());
    out.extend_from_slice(b"\"}\n");
}

/// As moby's `jsonlog` writes strings: what is no UTF-8 becomes U+FFFD, and no text can end an HTML script.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0..0x20 | b'<' | b'>' | b'&' => {
                    let digit = |n: u8| HEX[usize::from(n & 15)];
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}
