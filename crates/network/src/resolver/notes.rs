//! Names that a policy refused, written down for `logs --network`: one JSON object a line, `docs/formats/network-log.md`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use spec::time::Time;

/// The file in the container's directory.
pub const FILE: &str = "network.log";
/// What the file is called when it is full and the next one begins.
pub const OLDER: &str = "network.log.1";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it was asked.
    pub time: Time,
    /// The name.
    pub name: String,
    /// The number of the record's type: 1 is an IPv4 address, 28 an IPv6 address.
    pub kind: u16,
    /// What was said.
    pub verdict: Verdict,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No policy of the container's allows the name.
    Refused,
}

/// A file is turned over before it grows beyond this, so a container has twice as much.
const MOST_BYTES: u64 = 256 * 1024;
/// What a container that asks without end may have written.
const MOST_A_SECOND: u32 = 20;

/// Writes them, not too many.
#[derive(Debug)]
pub(super) struct Notes {
    path: PathBuf,
    second: Instant,
    count: u32,
}

impl Notes {
    pub(super) fn new(path: PathBuf) -> Notes {
        Notes { path, second: Instant::now(), count: 0 }
    }

    /// Notes a name. On a full disk it is refused all the same.
    pub(super) fn add(&mut self, note: &Note) {
        if self.second.elapsed() > Duration::from_secs(1) {
            (self.second, self.count) = (Instant::now(), 0);
        }
        self.count += 1;
        if self.count <= MOST_A_SECOND {
            let _ = append(&self.path, note);
        }
    }
}

fn append(path: &Path, note: &Note) -> io::Result<()> {
    let mut line = serde_json::to_vec(note)?;
    line.push(b'\n');
    match fs::symlink_metadata(path) {
        Ok(about) if about.len() + line.len() as u64 > MOST_BYTES => fs::rename(path, path.with_file_name(OLDER))?,
        Ok(_) | Err(_) => {}
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&line)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests {
    use testkit::Root;

    use super::*;

    fn note(name: &str) -> Note {
        Note { time: Time::from_ns(5), name: name.into(), kind: 1, verdict: Verdict::Refused }
    }

    #[test]
    fn the_bytes_are_these_and_not_too_many_of_them() {
        let root = Root::new();
        let path = root.join(FILE);
        let mut notes = Notes::new(path.clone());
        for _ in 0..1000 {
            notes.add(&note("a.org"));
        }
        let line =
            "{\"time\":\"1970-01-01T00:00:00.000000005Z\",\"name\":\"a.org\",\"kind\":1,\"verdict\":\"refused\"}\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), line.repeat(20));
        for _ in 0..3 * MOST_BYTES / 1024 {
            append(&path, &note(&"x".repeat(1000))).unwrap();
        }
        for file in [path, root.join(OLDER)] {
            assert!((1024..=MOST_BYTES).contains(&fs::metadata(file).unwrap().len()));
        }
    }
}
