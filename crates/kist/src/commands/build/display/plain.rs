//! Lines (BuildKit `progressui/printer.go`, `textMux`): one step is shown at a time, with its number before each line; what happens in
//! others is kept until that one ends, or has been shown for long enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use spec::digest::Digest;
use spec::time::Time;

use super::trace::{Step, Trace, amount, seconds};

const FAIR: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(10);
/// A part of a step is shown again after so long, or when it has come so much further.
const AGAIN_NS: i64 = 5_000_000_000;
const FURTHER: f64 = 0.05;

/// What was shown.
#[derive(Default)]
pub(super) struct Plain {
    current: Option<Digest>,
    last: BTreeMap<(Digest, String), (u64, Time)>,
    is_begun: bool,
    steps: usize,
}

impl Plain {
    /// What is new, as text.
    pub(super) fn draw(&mut self, trace: &mut Trace) -> String {
        let mut text = Vec::new();
        let known = |digest: &&Digest| trace.steps.contains_key(*digest);
        let updates: Vec<Digest> = trace.updates.iter().filter(known).cloned().collect();
        let (mut completed, mut rest): (Vec<Digest>, Vec<Digest>) =
            updates.into_iter().partition(|digest| trace.steps[digest].is_completed());
        completed.sort_by_key(|digest| trace.steps[digest].vertex.completed);
        let before = self.current.clone();
        let had_completed = before.as_ref().is_some_and(|current| completed.contains(current));
        // What has ended goes first, and of that what is being shown.
        if let Some(current) = before.as_ref().filter(|_| had_completed) {
            self.step(trace, current, &mut text);
        }
        for digest in completed.iter().filter(|digest| Some(*digest) != before.as_ref()) {
            self.step(trace, digest, &mut text);
        }
        if rest.is_empty() {
            self.any_open(trace, before.as_ref(), &mut text);
            return String::from_utf8_lossy(&text).into_owned();
        }
        rest.sort_by_key(|digest| trace.begun.iter().position(|begun| begun == digest));
        if let Some(current) = before.as_ref().filter(|current| rest.contains(current)) {
            self.step(trace, current, &mut text);
        }
        self.fairly(trace, before.as_ref(), had_completed, rest, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Nothing is new of what goes on: something that goes on is shown.
    fn any_open(&mut self, trace: &mut Trace, before: Option<&Digest>, text: &mut Vec<u8>) {
        let is_open = |step: &Step| step.is_started() && !step.is_completed();
        if before.and_then(|current| trace.steps.get(current)).is_some_and(is_open) {
            return;
        }
        let open = trace.begun.iter().find(|digest| trace.steps.get(*digest).is_some_and(is_open)).cloned();
        if let Some(open) = open {
            self.step(trace, &open, text);
        }
    }

    /// Whether another one is to be shown now.
    fn fairly(
        &mut self,
        trace: &mut Trace,
        before: Option<&Digest>,
        had_completed: bool,
        mut rest: Vec<Digest>,
        text: &mut Vec<u8>,
    ) {
        let now = Instant::now();
        if let Some(current) = before.filter(|current| !rest.contains(current)) {
            rest.push(current.clone());
        }
        let mut sum = 0.0;
        let mut stats = Vec::new();
        for digest in &rest {
            let Some(step) = trace.steps.get(digest) else { continue };
            let blocked = now.saturating_duration_since(step.since);
            let speed = f64::from(step.count) / blocked.as_secs_f64().max(0.001);
            let over = blocked > LONGEST && Some(digest) != before;
            sum += speed;
            stats.push((digest.clone(), blocked, speed, over));
        }
        let mut most: Option<(Digest, f64)> = None;
        for (digest, _, speed, over) in &stats {
            if *over || most.as_ref().is_none_or(|(_, fastest)| fastest < speed) {
                most = Some((digest.clone(), *speed));
            }
        }
        let Some((most, _)) = most else { return };
        let Some(current) = before.filter(|_| !had_completed) else {
            return self.step(trace, &most, text);
        };
        if let Some((hidden, ..)) = stats.iter().find(|(.., over)| *over) {
            return self.step(trace, &hidden.clone(), text);
        }
        if let Some((_, blocked, speed, _)) = stats.iter().find(|(digest, ..)| digest == current) {
            let share = speed / sum.max(f64::MIN_POSITIVE);
            if FAIR.as_secs_f64() / (1.0 - share).max(f64::MIN_POSITIVE) < blocked.as_secs_f64() {
                self.step(trace, &most, text);
            }
        }
    }

    /// What is new of one step.
    fn step(&mut self, trace: &mut Trace, digest: &Digest, text: &mut Vec<u8>) {
        if self.current.as_ref() != Some(digest) {
            self.leave(trace, text);
        }
        let Some(step) = trace.steps.get_mut(digest) else { return };
        if step.index == 0 {
            self.steps += 1;
            step.index = self.steps;
        }
        if self.current.as_ref() != Some(digest) {
            if self.is_begun {
                text.push(b'\n');
            } else {
                text.extend_from_slice(b"#0 building with \"default\" instance using kist driver\n\n");
                self.is_begun = true;
            }
            text.extend_from_slice(format!("#{} {}\n", step.index, step.vertex.name).as_bytes());
        }
        self.statuses(digest, step, text);
        for warning in &step.warnings[step.warned..] {
            text.extend_from_slice(format!("#{} WARN: {warning}\n", step.index).as_bytes());
        }
        step.warned = step.warnings.len();
        logs(step, text);
        self.current = Some(digest.clone());
        // A part that was cut off ends with it.
        if step.is_completed() {
            self.current = None;
            end(step, text);
        }
        trace.updates.remove(digest);
    }

    fn leave(&mut self, trace: &mut Trace, text: &mut Vec<u8>) {
        let Some(old) = self.current.take().and_then(|old| trace.steps.get_mut(&old)) else { return };
        if old.is_partial {
            text.push(b'\n');
        }
        old.shown = 0;
        old.count = 0;
        text.extend_from_slice(format!("#{} ...\n", old.index).as_bytes());
    }

    fn statuses(&mut self, digest: &Digest, step: &mut Step, text: &mut Vec<u8>) {
        let updated = std::mem::take(&mut step.updated);
        for status in step.statuses.iter().filter(|status| updated.contains(&status.id)) {
            let key = (digest.clone(), status.id.clone());
            if let Some((current, at)) = self.last.get(&key)
                && status.completed.is_none()
            {
                let further = further(*current, status.current, status.total);
                if further < FURTHER && status.at.since_ns(*at) < AGAIN_NS {
                    continue;
                }
            }
            self.last.insert(key, (status.current, status.at));
            let mut line = format!("#{} {}", step.index, status.id);
            let amount = amount(status);
            if !amount.is_empty() {
                line.push_str(&format!(" {amount}"));
            }
            if let Some(started) = status.started {
                let took = seconds(started, status.completed.unwrap_or(status.at));
                if took > 0.01 {
                    line.push_str(&format!(" {took:.1}s"));
                }
            }
            if status.completed.is_some() {
                line.push_str(" done");
            }
            line.push('\n');
            text.extend_from_slice(line.as_bytes());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is wanted")]
fn further(before: u64, now: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { now.saturating_sub(before) as f64 / total as f64 }
}

fn logs(step: &mut Step, text: &mut Vec<u8>) {
    let logs = std::mem::take(&mut step.logs);
    let shown = step.shown;
    for (n, line) in logs.iter().enumerate() {
        let is_whole = n + 1 < logs.len() || !step.is_partial;
        if n == 0 && shown > 0 {
            // Its beginning stands there already.
            text.extend_from_slice(line.get(shown..).unwrap_or_default());
        } else {
            text.extend_from_slice(format!("#{} ", step.index).as_bytes());
            text.extend_from_slice(line);
        }
        if is_whole {
            text.push(b'\n');
        }
        step.remember(line.clone(), is_whole);
    }
    match logs.into_iter().next_back() {
        Some(line) if step.is_partial => {
            step.shown = line.len();
            step.logs = vec![line];
        }
        Some(_) => step.shown = 0,
        None => {}
    }
}

fn end(step: &mut Step, text: &mut Vec<u8>) {
    step.count = 0;
    if step.is_partial {
        text.push(b'\n');
        // It is shown, and kept for the case of failure.
        step.logs.clear();
        step.is_partial = false;
    }
    let how = match &step.vertex.error {
        Some(_) if step.is_canceled() => "CANCELED".to_owned(),
        Some(error) => format!("ERROR: {error}"),
        None if step.vertex.cached => "CACHED".to_owned(),
        None => format!("DONE {:.1}s", step.seconds()),
    };
    text.extend_from_slice(format!("#{} {how}\n", step.index).as_bytes());
}

#[cfg(test)]
mod tests {
    use builder::progress::{Log, Progress, Status, Vertex};
    use expect_test::expect;

    use super::*;

    fn at(ms: i64) -> Time {
        Time::from_ns(ms * 1_000_000)
    }

    fn vertex(name: &str, completed: Option<i64>, error: Option<&str>) -> Progress {
        Progress::Vertex(Vertex {
            digest: Digest::sha256(name.as_bytes()),
            inputs: Vec::new(),
            name: name.into(),
            started: Some(at(0)),
            completed: completed.map(at),
            cached: false,
            error: error.map(str::to_owned),
        })
    }

    fn log(name: &str, ms: i64, text: &str) -> Progress {
        Progress::Log(Log {
            vertex: Digest::sha256(name.as_bytes()),
            stream: 1,
            bytes: text.as_bytes().to_vec(),
            at: at(ms),
        })
    }

    #[test]
    fn one_step_is_shown_at_a_time_and_a_failure_once_more() {
        let (mut trace, mut plain, mut text) = (Trace::new(6, false), Plain::default(), String::new());
        let rounds = [
            vec![vertex("one", None, None), log("one", 500, "half a ")],
            vec![log("one", 600, "line\nanother\n"), vertex("two", None, None), log("two", 700, "kept\n")],
            vec![vertex("two", Some(1500), None)],
            vec![log("one", 12_340, "last"), vertex("one", Some(13_000), Some("it failed"))],
            vec![vertex("three", None, None)],
            vec![vertex("three", Some(1), Some("context canceled"))],
        ];
        for round in rounds {
            round.into_iter().for_each(|event| trace.learn(event));
            text.push_str(&plain.draw(&mut trace));
        }
        text.push_str(&trace.failures());
        expect![[r##"
            #0 building with "default" instance using kist driver

            #1 one
            #1 0.500 half a line
            #1 0.600 another
            #1 ...

            #2 two
            #2 0.700 kept
            #2 DONE 1.5s

            #1 one
            #1 12.34 last
            #1 ERROR: it failed

            #3 three
            #3 CANCELED
            ------
             > one:
            0.500 half a line
            0.600 another
            12.34 last
            ------
        "##]]
        .assert_eq(&text);
    }

    #[test]
    fn a_step_ends_with_parts_that_were_cut_off() {
        let (mut trace, mut plain) = (Trace::new(6, false), Plain::default());
        let vertex_of = Digest::sha256(b"one");
        let part = Status {
            vertex: vertex_of,
            id: "downloading".into(),
            current: 1,
            total: 4,
            started: Some(at(0)),
            completed: None,
            at: at(1),
        };
        for event in [vertex("one", None, None), Progress::Status(part), vertex("one", Some(2), Some("cut"))] {
            trace.learn(event);
        }
        let text = plain.draw(&mut trace);
        assert!(text.ends_with("#1 one\n#1 downloading 1B / 4B\n#1 ERROR: cut\n"), "{text}");
    }
}
