//! Says what goes on, in BuildKit's words.

use std::sync::Mutex;

use spec::digest::Digest;
use spec::time::Time;

use crate::MachineError;
use crate::progress::{Log, Progress, Status, Vertex};

/// What a step says that another's failure ended.
pub(crate) const CANCELED: &str = "context canceled";

/// Whom it is told.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    pub(crate) on: &'a (dyn Fn(Progress) + Sync),
}

/// A step that is shown. It is told as begun when it begins.
pub(crate) struct Shown<'a> {
    report: Report<'a>,
    digest: Digest,
    inputs: Vec<Digest>,
    name: String,
    started: Mutex<Option<Time>>,
}

impl<'a> Report<'a> {
    /// What has no digest of its own is known by its name.
    pub(crate) fn internal(self, name: &str) -> Shown<'a> {
        self.step(Digest::sha256(format!("internal\0{name}").as_bytes()), Vec::new(), name)
    }

    pub(crate) fn step(self, digest: Digest, inputs: Vec<Digest>, name: &str) -> Shown<'a> {
        Shown { report: self, digest, inputs, name: name.to_owned(), started: Mutex::new(None) }
    }

    /// Something short: told as begun, done, and told as ended.
    pub(crate) fn during<T, E: std::fmt::Display>(
        self,
        name: &str,
        act: impl FnOnce(&Shown<'a>) -> Result<T, E>,
    ) -> Result<T, E> {
        let shown = self.internal(name);
        shown.begin();
        let result = act(&shown);
        match &result {
            Ok(_) => shown.done(),
            Err(error) => shown.failed(&error.to_string()),
        }
        result
    }
}

impl Shown<'_> {
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn begin(&self) {
        let at = self.began();
        self.tell(Some(at), None, false, None);
    }

    fn began(&self) -> Time {
        let mut started = self.started.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *started.get_or_insert_with(disk::now)
    }

    pub(crate) fn done(&self) {
        self.tell(Some(self.began()), Some(disk::now()), false, None);
    }

    /// Its result was known.
    pub(crate) fn cached(&self) {
        let at = self.began();
        self.tell(Some(at), Some(at), true, None);
    }

    pub(crate) fn failed(&self, why: &str) {
        self.tell(Some(self.began()), Some(disk::now()), false, Some(why.to_owned()));
    }

    fn tell(&self, started: Option<Time>, completed: Option<Time>, cached: bool, error: Option<String>) {
        (self.report.on)(Progress::Vertex(Vertex {
            digest: self.digest.clone(),
            inputs: self.inputs.clone(),
            name: self.name.clone(),
            started,
            completed,
            cached,
            error,
        }));
    }

    /// A part of it is done.
    pub(crate) fn part_done(&self, id: &str, bytes: u64, started: Time) {
        let at = disk::now();
        self.status(Status {
            vertex: self.digest.clone(),
            id: id.to_owned(),
            current: bytes,
            total: bytes,
            started: Some(started),
            completed: Some(at),
            at,
        });
    }

    /// A part of it goes on.
    pub(crate) fn part(&self, id: &str, current: u64, total: u64, started: Time) {
        let status = Status {
            vertex: self.digest.clone(),
            id: id.to_owned(),
            current,
            total,
            started: Some(started),
            completed: None,
            at: disk::now(),
        };
        self.status(status);
    }

    fn status(&self, status: Status) {
        (self.report.on)(Progress::Status(status));
    }

    pub(crate) fn log(&self, stream: u8, bytes: &[u8]) {
        (self.report.on)(Progress::Log(Log {
            vertex: self.digest.clone(),
            stream,
            bytes: bytes.to_vec(),
            at: disk::now(),
        }));
    }

    /// What the machine says of its part in it: it does not know what the step is called.
    pub(crate) fn relay(&self, progress: Progress) {
        let vertex = self.digest.clone();
        match progress {
            Progress::Status(status) => self.status(Status { vertex, ..status }),
            Progress::Log(log) => (self.report.on)(Progress::Log(Log { vertex, ..log })),
            other @ (Progress::Vertex(_) | Progress::Warning(_)) => (self.report.on)(other),
        }
    }
}

/// A machine's error with all its reasons, as one line.
pub(crate) fn told(error: &MachineError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        text.push_str(&format!(": {reason}"));
        source = reason.source();
    }
    text
}
