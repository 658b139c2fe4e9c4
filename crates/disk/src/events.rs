//! `events.log`: what happened, one line of JSON an event, in the order of the appends.
//!
//! ```text
//! <root>/events.log      {"format":1,"file":N}     the file's own number, then
//!                        {"Type":…}                events (spec::event)
//!        events.log.1    file N-1, full
//! ```
//!
//! - One write(2) a line, under a lock of the file; so lines do not mix, and whoever is about to write knows how long the file is.
//! - A file that has reached [`FULL`] is never written again: it is moved aside by whoever finds it so. A reader that has come to the end
//!   of a full file has read all of it, and goes on with the file of the next number; nothing is missed and nothing is read twice.
//! - Nothing is synced. A line that a crash cut short is ended by the next writer and skipped by readers, as is one of a newer kist.
//! - An event tells, and decides nothing: whoever cannot write one goes on without.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use serde::{Deserialize, Serialize};
use spec::event::Event;

use crate::home::Home;

const FILE: &str = "events.log";
const OLD: &str = "events.log.1";
const FORMAT: u32 = 1;
/// A file of this length is full. There are at most two.
const FULL: u64 = 4 << 20;
/// Somebody who holds the lock for longer was stopped in the middle of it: then order counts for less than going on.
const PATIENCE: Duration = Duration::from_millis(50);
/// Where the kernel has no more inotify instances to give.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    file: u64,
}

/// Writes down that something happened. The descriptor is kept with the directories.
///
/// # Errors
/// Of the file system; no verb fails for that.
pub fn record(home: &Home, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut open = home.events.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let file = match &*open {
            Some(file) => file,
            None => {
                let path = home.root().join(FILE);
                open.insert(OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?)
            }
        };
        if append(home.root(), file, &line, FULL)? {
            return Ok(());
        }
        *open = None;
    }
}

/// Appends a line; false: this file is not the one to write to any more.
fn append(root: &Path, mut file: &File, line: &[u8], full: u64) -> io::Result<bool> {
    let locked = lock(file);
    let appended = (|| {
        let stat = file.metadata()?;
        if stat.nlink() == 0 {
            return Ok(false);
        }
        if stat.len() >= full {
            let path = root.join(FILE);
            if fs::symlink_metadata(&path).is_ok_and(|now| (now.dev(), now.ino()) == (stat.dev(), stat.ino())) {
                fs::rename(path, root.join(OLD))?;
            }
            return Ok(false);
        }
        let mut bytes = Vec::new();
        let mut last = [b'\n'];
        if stat.len() == 0 {
            let before = File::open(root.join(OLD)).ok().and_then(|old| number(&old)).unwrap_or(0);
            serde_json::to_writer(&mut bytes, &Head { format: FORMAT, file: before + 1 })?;
            bytes.push(b'\n');
        } else if file.read_exact_at(&mut last, stat.len() - 1).is_ok() && last != [b'\n'] {
            bytes.push(b'\n');
        }
        if bytes.is_empty() {
            file.write_all(line)?;
        } else {
            bytes.extend_from_slice(line);
            file.write_all(&bytes)?;
        }
        Ok(true)
    })();
    if locked {
        // Else it is given back with the descriptor.
        let _ = file.unlock();
    }
    appended
}

/// Whether it is ours now.
fn lock(file: &File) -> bool {
    let pause = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if waited < PATIENCE => thread::sleep(pause),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return false,
        }
        waited += pause;
    }
}

fn number(file: &File) -> Option<u64> {
    let mut bytes = [0; 128];
    let count = file.read_at(&mut bytes, 0).ok()?;
    let line = bytes[..count].split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice::<Head>(line).ok().map(|head| head.file)
}

/// Reads events, oldest first, and goes on with what is written meanwhile.
#[derive(Debug)]
pub struct Reader {
    root: PathBuf,
    full: u64,
    /// None: nothing was ever written.
    file: Option<Open>,
    /// What was read and is no line yet.
    rest: Vec<u8>,
    lines: std::vec::IntoIter<Event>,
}

#[derive(Debug)]
struct Open {
    file: File,
    number: u64,
    /// How much of it was read.
    at: u64,
}

impl Reader {
    /// All there is, and what comes.
    ///
    /// # Errors
    /// Of the file system.
    pub fn all(home: &Home) -> io::Result<Reader> {
        Reader::at(home.root(), FULL)
    }

    /// Only what comes.
    ///
    /// # Errors
    /// Of the file system.
    pub fn new_ones(home: &Home) -> io::Result<Reader> {
        let mut reader = Reader { root: home.root().into(), full: FULL, file: None, rest: Vec::new(), lines: none() };
        // In between two files the old one is the last.
        for name in [FILE, OLD] {
            if let Some(mut open) = Open::new(&reader.root.join(name), 1)? {
                open.at = open.file.metadata()?.len();
                reader.file = Some(open);
                break;
            }
        }
        Ok(reader)
    }

    fn at(root: &Path, full: u64) -> io::Result<Reader> {
        let mut reader = Reader { root: root.into(), full, file: None, rest: Vec::new(), lines: none() };
        reader.turn()?;
        Ok(reader)
    }

    /// The next event; none: nothing more was written yet.
    ///
    /// # Errors
    /// Of the file system.
    #[expect(clippy::should_implement_trait, reason = "an end that is none, and errors")]
    pub fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.lines.next() {
                return Ok(Some(event));
            }
            if !self.read_on()? && !self.turn()? {
                return Ok(None);
            }
        }
    }

    /// Reads more of the file; false: it has no more.
    fn read_on(&mut self) -> io::Result<bool> {
        let Some(open) = &mut self.file else { return Ok(false) };
        let mut bytes = vec![0; 64 << 10];
        let count = open.file.read_at(&mut bytes, open.at)?;
        open.at += count as u64;
        self.rest.extend_from_slice(&bytes[..count]);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(count > 0) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        self.lines = lines.collect::<Vec<Event>>().into_iter();
        Ok(true)
    }

    /// Goes to the next file; false: there is none, or this one is not full yet. Called at the end of a file.
    fn turn(&mut self) -> io::Result<bool> {
        let after = match &self.file {
            Some(open) if open.at < self.full && open.file.metadata()?.nlink() > 0 => return Ok(false),
            // Somebody has removed it, and the numbers with it.
            Some(open) if open.at < self.full => None,
            Some(open) => Some(open.number),
            None => None,
        };
        // Between the two looks files may have moved on: then their numbers do not follow one another. Where they never do, somebody
        // has removed the old file.
        for _ in 0..3 {
            let old = Open::new(&self.root.join(OLD), 1)?;
            let last = old.as_ref().map_or(0, |old| old.number);
            let new = Open::new(&self.root.join(FILE), last + 1)?;
            let follow = new.as_ref().is_none_or(|new| new.number <= last + 1);
            let next = [old, new].into_iter().flatten().find(|open| after.is_none_or(|after| open.number > after));
            self.rest.clear();
            match next {
                None => return Ok(false),
                Some(open) => self.file = Some(open),
            }
            if follow {
                break;
            }
        }
        Ok(true)
    }
}

fn none() -> std::vec::IntoIter<Event> {
    Vec::new().into_iter()
}

impl Open {
    /// None: there is no such file, or nothing is in it yet. `damaged` is its number if a crash has spoilt its first line, which is no
    /// reason to pass over the others.
    fn new(path: &Path, damaged: u64) -> io::Result<Option<Open>> {
        match File::open(path) {
            Ok(file) if file.metadata()?.len() == 0 => Ok(None),
            Ok(file) => Ok(Some(Open { number: number(&file).unwrap_or(damaged), file, at: 0 })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Wakes when something may have been written. Made before a [`Reader`] reads, it misses nothing.
#[derive(Debug)]
pub struct Watch(Option<OwnedFd>);

impl Watch {
    /// Begins to watch. Costs nothing while nothing happens.
    ///
    /// # Errors
    /// Of the file system.
    pub fn new(home: &Home) -> io::Result<Watch> {
        use inotify::{CreateFlags, WatchFlags};
        // Of the directory, which tells of the files in it, too: these come and go.
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR;
        let made = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .and_then(|fd| inotify::add_watch(&fd, home.root(), flags).map(|_| fd));
        Ok(Watch(made.ok()))
    }

    /// Waits until something may have been written, or for so long; none: for ever.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let Some(fd) = &self.0 else {
            thread::sleep(limit.map_or(LOOK_AGAIN, |limit| limit.min(LOOK_AGAIN)));
            return Ok(());
        };
        let limit = limit.map(|limit| Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        match poll(&mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)], limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        // What happened is read from the files: that it did is all that is wanted here.
        let mut bytes = [0; 4096];
        while matches!(rustix::io::read(fd, &mut bytes), Ok(1..)) {}
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests spoil files")]
mod tests;
