//! Reading, with or without a monitor at work: from the beginning or the last N, from file to file, and on as more is written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify;
use serde::Deserialize;
use spec::time::Time;

use super::file_name;
use crate::framing::Stream;

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Nothing before.
    pub since: Option<Time>,
    /// Nothing after.
    pub until: Option<Time>,
    /// Only so many of the last pieces, counted before anything else is left out.
    pub tail: Option<u64>,
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
}

impl Query {
    /// All there is.
    pub const ALL: Query = Query { since: None, until: None, tail: None, stdout: true, stderr: true };
}

/// One piece of output: a line with its end, a part of a long one, or a last line that had no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it came from.
    pub stream: Stream,
    /// When.
    pub time: Time,
    /// The text, with its newline if it had one.
    pub text: String,
    /// Whether a line begins here: a time stamp belongs before it.
    pub begins: bool,
}

#[derive(Deserialize)]
struct Line {
    log: String,
    stream: Stream,
    time: Time,
}

/// A log being read.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    query: Query,
    current: Option<Source>,
    /// Newer files, oldest first.
    next: VecDeque<Source>,
    /// Whether each stream is in the middle of a line.
    inside: [bool; 2],
    watch: Option<OwnedFd>,
}

#[derive(Debug)]
struct Source {
    file: BufReader<File>,
    inode: u64,
    /// A line whose end is not written yet.
    part: Vec<u8>,
}

impl Reader {
    /// Opens the log in a container's directory; one that was never written is empty.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(dir: &Path, query: Query) -> io::Result<Reader> {
        let mut files = newer_than(dir, None)?;
        if let Some(tail) = query.tail {
            skip_to_tail(&mut files, tail)?;
        }
        Ok(Reader { dir: dir.into(), query, current: files.pop_front(), next: files, inside: [false; 2], watch: None })
    }

    /// The next piece; none: there is nothing more now.
    ///
    /// # Errors
    /// Of the file system.
    #[expect(clippy::should_implement_trait, reason = "an iterator that may go on after its end is none")]
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        while let Some(line) = self.line()? {
            // A line that a crash cut short is no line.
            let Ok(line) = serde_json::from_slice::<Line>(&line) else { continue };
            let inside = &mut self.inside[usize::from(line.stream == Stream::Stderr)];
            let begins = !*inside;
            *inside = !line.log.ends_with('\n');
            let wanted = match line.stream {
                Stream::Stdout => self.query.stdout,
                Stream::Stderr => self.query.stderr,
            };
            if self.query.until.is_some_and(|until| line.time > until) {
                return Ok(None);
            }
            if wanted && self.query.since.is_none_or(|since| line.time >= since) {
                return Ok(Some(Entry { stream: line.stream, time: line.time, text: line.log, begins }));
            }
        }
        Ok(None)
    }

    /// A descriptor that becomes readable when more may have been written. After it did, call [`Reader::rearm`], then
    /// [`Reader::next`] until it has nothing. The first call must come before the last `next` that had nothing.
    ///
    /// # Errors
    /// Of inotify(7).
    pub fn watch(&mut self) -> io::Result<BorrowedFd<'_>> {
        use inotify::{CreateFlags, WatchFlags};
        if self.watch.is_none() {
            let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            inotify::add_watch(&watch, &self.dir, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
            self.watch = Some(watch);
        }
        self.watch.as_ref().map(AsFd::as_fd).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Forgets what woke the watch.
    pub fn rearm(&self) {
        if let Some(watch) = &self.watch {
            let mut events = [0; 1024];
            while rustix::io::read(watch, &mut events).is_ok_and(|n| n > 0) {}
        }
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(source) = &mut self.current {
                source.file.read_until(b'\n', &mut source.part)?;
                if source.part.ends_with(b"\n") {
                    return Ok(Some(std::mem::take(&mut source.part)));
                }
            }
            if self.next.is_empty() {
                self.next = newer_than(&self.dir, self.current.as_ref().map(|source| source.inode))?;
                // The old file may have grown before it was turned over: read it once more now that this is known.
                if let (false, Some(source)) = (self.next.is_empty(), &mut self.current) {
                    source.file.read_until(b'\n', &mut source.part)?;
                    if source.part.ends_with(b"\n") {
                        return Ok(Some(std::mem::take(&mut source.part)));
                    }
                }
            }
            match self.next.pop_front() {
                Some(next) => self.current = Some(next),
                None => return Ok(None),
            }
        }
    }
}

/// The files newer than the one with `inode`, or all, oldest first. From newest to oldest: if they are turned over meanwhile, one is
/// met twice and none is missed.
fn newer_than(dir: &Path, inode: Option<u64>) -> io::Result<VecDeque<Source>> {
    let mut files = VecDeque::<Source>::new();
    let mut gap = false;
    for age in 0.. {
        let file = match File::open(dir.join(file_name(age))) {
            // Turning over moves one name at a time: one may be missing between two that are there.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !gap => {
                gap = true;
                continue;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => break,
            other => other?,
        };
        gap = false;
        let found = file.metadata()?.ino();
        if Some(found) == inode {
            break;
        }
        if files.front().is_none_or(|newer| newer.inode != found) {
            files.push_front(Source { file: BufReader::new(file), inode: found, part: Vec::new() });
        }
    }
    Ok(files)
}

/// Leaves the last `tail` lines to be read.
fn skip_to_tail(files: &mut VecDeque<Source>, tail: u64) -> io::Result<()> {
    let mut wanted = tail;
    for at in (0..files.len()).rev() {
        let (position, found) = find_tail(files[at].file.get_mut(), wanted)?;
        files[at].file.seek(SeekFrom::Start(position))?;
        wanted -= found.min(wanted);
        if wanted == 0 {
            files.drain(..at);
            return Ok(());
        }
    }
    Ok(())
}

/// Where the last `wanted` lines of a file begin, and how many there are if fewer. A last line without its end is not counted.
fn find_tail(file: &mut File, wanted: u64) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut newlines = 0;
    let mut block = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(begin))?;
        block.clear();
        file.take(end - begin).read_to_end(&mut block)?;
        for (at, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if newlines == wanted {
                return Ok((begin + u64::try_from(at).unwrap_or(0) + 1, wanted));
            }
            newlines += 1;
        }
        end = begin;
    }
    Ok((0, newlines))
}
