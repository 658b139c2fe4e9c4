//! All that is known of a build's steps, as it was told (BuildKit `progressui/display.go`, `trace`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use builder::progress::{Log, Progress, Status, Vertex, Warning};
use spec::digest::Digest;
use spec::time::Time;

use super::term::Term;

/// So many lines of a step that failed are shown again.
const LAST_LINES: usize = 10;
/// What ends the error of a step that another's failure ended.
const CANCELED: &str = "context canceled";

/// What is known.
pub(super) struct Trace {
    /// In the order in which they began.
    pub(super) begun: Vec<Digest>,
    pub(super) steps: BTreeMap<Digest, Step>,
    /// Those about which something new is known.
    pub(super) updates: BTreeSet<Digest>,
    /// In the order in which they were told.
    pub(super) warnings: Vec<Warning>,
    pub(super) started: Option<Time>,
    log_lines: usize,
    on_terminal: bool,
}

/// A step.
pub(super) struct Step {
    pub(super) vertex: Vertex,
    /// By its first line in the output, from 1; 0: it has none yet.
    pub(super) index: usize,
    pub(super) statuses: Vec<Status>,
    pub(super) updated: BTreeSet<String>,
    pub(super) warnings: Vec<String>,
    pub(super) warned: usize,
    /// Lines that are not shown yet; the last one may be unfinished.
    pub(super) logs: Vec<Vec<u8>>,
    pub(super) is_partial: bool,
    /// So much of the first line is shown.
    pub(super) shown: usize,
    /// With whether it is whole.
    pub(super) last: VecDeque<(Vec<u8>, bool)>,
    /// Since it was shown last.
    pub(super) count: u32,
    pub(super) since: Instant,
    pub(super) term: Term,
}

impl Step {
    fn new(vertex: Vertex, log_lines: usize) -> Step {
        Step {
            vertex,
            index: 0,
            statuses: Vec::new(),
            updated: BTreeSet::new(),
            warnings: Vec::new(),
            warned: 0,
            logs: Vec::new(),
            is_partial: false,
            shown: 0,
            last: VecDeque::new(),
            count: 0,
            since: Instant::now(),
            term: Term::new(log_lines),
        }
    }

    fn touch(&mut self) {
        if self.count == 0 {
            self.since = Instant::now();
        }
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn is_started(&self) -> bool {
        self.vertex.started.is_some()
    }

    pub(super) fn is_completed(&self) -> bool {
        self.is_started() && self.vertex.completed.is_some()
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.vertex.error.as_deref().is_some_and(|error| error.ends_with(CANCELED))
    }

    /// How long it took, or has taken by now.
    pub(crate) fn seconds(&self) -> f64 {
        self.vertex.started.map_or(0.0, |started| seconds(started, self.vertex.completed.unwrap_or_else(now)))
    }

    /// Keeps the last lines, which are shown again if it fails.
    pub(super) fn remember(&mut self, line: Vec<u8>, is_whole: bool) {
        if self.last.back().is_some_and(|(_, is_whole)| !is_whole) {
            self.last.pop_back();
        }
        self.last.push_back((line, is_whole));
        while self.last.len() > LAST_LINES {
            self.last.pop_front();
        }
    }
}

impl Trace {
    pub(super) fn new(log_lines: usize, on_terminal: bool) -> Trace {
        Trace {
            begun: Vec::new(),
            steps: BTreeMap::new(),
            updates: BTreeSet::new(),
            warnings: Vec::new(),
            started: None,
            log_lines,
            on_terminal,
        }
    }

    /// Takes one thing that happened.
    pub(super) fn learn(&mut self, event: Progress) {
        match event {
            Progress::Vertex(vertex) => self.vertex(vertex),
            Progress::Status(status) => self.status(status),
            Progress::Log(log) => self.log(&log),
            Progress::Warning(warning) => self.warning(warning),
        }
    }

    fn vertex(&mut self, vertex: Vertex) {
        let digest = vertex.digest.clone();
        if self.started.is_none() {
            self.started = vertex.started;
        }
        let log_lines = self.log_lines;
        let step = self.steps.entry(digest.clone()).or_insert_with(|| {
            // As it was before it began.
            Step::new(
                Vertex { started: None, completed: None, cached: false, error: None, ..vertex.clone() },
                log_lines,
            )
        });
        if vertex.started.is_some() {
            if !step.is_started() {
                self.begun.push(digest.clone());
            }
            if step.vertex != vertex {
                step.touch();
                self.updates.insert(digest);
            }
        }
        // A step that has begun is not unbegun by who names it again.
        if !step.is_started() || vertex.started.is_some() {
            step.vertex = vertex;
        }
    }

    fn status(&mut self, status: Status) {
        let Some(step) = self.steps.get_mut(&status.vertex) else { return };
        step.updated.insert(status.id.clone());
        step.touch();
        self.updates.insert(status.vertex.clone());
        match step.statuses.iter_mut().find(|known| known.id == status.id) {
            Some(known) => {
                // The last word says only that it is over.
                let amounts = if status.completed.is_some() && status.current == 0 && status.total == 0 {
                    (known.current, known.total)
                } else {
                    (status.current, status.total)
                };
                *known = Status { current: amounts.0, total: amounts.1, ..status };
            }
            None => step.statuses.push(status),
        }
    }

    fn warning(&mut self, warning: Warning) {
        if let Some(step) = self.steps.get_mut(&warning.vertex) {
            step.warnings.push(warning.short.clone());
            step.touch();
            self.updates.insert(warning.vertex.clone());
        }
        self.warnings.push(warning);
    }

    /// Each line begins with the seconds since the step began.
    fn log(&mut self, log: &Log) {
        let Some(step) = self.steps.get_mut(&log.vertex) else { return };
        if self.on_terminal {
            step.term.write(&log.bytes);
        }
        let after = step.vertex.started.map_or(0.0, |started| seconds(started, log.at));
        let digits = if after < 10.0 {
            3
        } else if after < 100.0 {
            2
        } else {
            1
        };
        for piece in log.bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = piece.ends_with(b"\n");
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            match step.logs.last_mut() {
                Some(line) if step.is_partial => line.extend_from_slice(text),
                Some(_) | None => {
                    step.logs.push([format!("{after:.digits$} ").as_bytes(), text].concat());
                }
            }
            step.is_partial = !is_whole;
        }
        if self.on_terminal {
            // All of it is shown again if the step fails, and a step may say much.
            while step.logs.len() > 1000 {
                step.logs.remove(0);
            }
        }
        step.touch();
        self.updates.insert(log.vertex.clone());
    }

    /// The last words of steps that failed.
    pub(super) fn failures(&self) -> String {
        let mut text = String::new();
        for step in self.begun.iter().filter_map(|digest| self.steps.get(digest)) {
            if step.vertex.error.is_none() || step.is_canceled() {
                continue;
            }
            text.push_str(&format!("------\n > {}:\n", step.vertex.name));
            let kept: Vec<&Vec<u8>> = step.last.iter().map(|(line, _)| line).chain(&step.logs).collect();
            for line in &kept[kept.len().saturating_sub(LAST_LINES)..] {
                text.push_str(&String::from_utf8_lossy(line));
                text.push('\n');
            }
            text.push_str("------\n");
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "tenths of seconds are shown")]
pub(crate) fn seconds(from: Time, to: Time) -> f64 {
    to.since_ns(from).max(0) as f64 / 1e9
}

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// ` 1.05MB / 3.20MB`, ` 187B`, or nothing (tonistiigi/units, `%.2f`).
pub(super) fn amount(status: &Status) -> String {
    match (status.current, status.total) {
        (0, 0) => String::new(),
        // Nobody knows how much it will be until it is done.
        (current, _) if status.id.starts_with("transferring ") => bytes(current),
        (current, 0) => bytes(current),
        (current, total) => format!("{} / {}", bytes(current), bytes(total)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes}B");
    }
    let (mut value, mut at) = (bytes as f64 / 1000.0, 0);
    while value >= 1000.0 && at + 1 < units.len() {
        value /= 1000.0;
        at += 1;
    }
    format!("{value:.2}{}", units[at])
}
