//! A window on a terminal that is drawn over and over (BuildKit `progressui/display.go`, `ttyDisplay`): a line for each step and for each
//! of its parts, and the last lines of commands that run, as far as there is room.

use std::time::Instant;

use super::Look;
use super::columns::{cut, pad, width as columns};
use super::trace::{Step, Trace, amount, now, seconds};
use crate::terminal::Size;

const LOG_LINES_LEAST: usize = 6;
const BLUE: &str = "\x1b[34m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const FAINT: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// The window.
pub(super) struct Tty {
    look: Look,
    began: Instant,
    lines: usize,
    is_drawn: bool,
}

/// A line of it.
struct Job {
    name: String,
    status: String,
    seconds: f64,
    is_completed: bool,
    color: &'static str,
    /// Of a step that runs and writes.
    logs: Vec<String>,
    weight: usize,
    digest: Option<spec::digest::Digest>,
}

impl Tty {
    pub(super) fn new(look: Look) -> Tty {
        Tty { look, began: Instant::now(), lines: 0, is_drawn: false }
    }

    /// The window as it is now, over the one before.
    pub(super) fn draw(&mut self, trace: &mut Trace, size: Option<Size>, is_over: bool) -> String {
        let (width, height) = size.map_or((80, 10), |size| (usize::from(size.columns), usize::from(size.rows)));
        trace.updates.clear();
        let jobs = choose(jobs(trace, width), trace, height, self.look.log_lines, is_over);
        let mut text = match (self.is_drawn, self.lines) {
            (false, _) => "\r\x1b[?25l".to_owned(),
            (true, lines) => format!("\x1b[{}A\r\x1b[?25l", lines + 1),
        };
        self.is_drawn = true;
        let completed = trace.steps.values().filter(|step| step.is_completed()).count();
        let total = trace.steps.len();
        let finished = if completed > 0 && completed == total && is_over { "FINISHED" } else { "" };
        let took = self.began.elapsed().as_secs_f64();
        let head = format!("[+] Building {took:.1}s ({completed}/{total}) {finished}");
        let head = align(&head, "kist:default", width.saturating_sub(1));
        text.push_str(&format!("{}\n", cut(&head, width)));
        let mut lines = 0;
        for job in &jobs {
            let Some(line) = self.line(job, width) else { continue };
            text.push_str(&line);
            lines += 1;
            for log in &job.logs {
                let log = format!(" => => # {log}");
                text.push_str(&format!("{}\n", self.colored(FAINT, &align(&log, "", width))));
                lines += 1;
            }
        }
        // What of the window before is still to be seen.
        let left = self.lines.saturating_sub(lines);
        for _ in 0..left {
            text.push_str(&format!("{}\n", " ".repeat(width)));
        }
        if left > 0 {
            text.push_str(&format!("\x1b[{left}A\r"));
        }
        self.lines = lines;
        text.push_str("\x1b[?25h");
        text
    }

    fn line(&self, job: &Job, width: usize) -> Option<String> {
        let seconds = if job.seconds < 0.05 { 0.0 } else { job.seconds };
        let timer = format!(" {seconds:3.1}s");
        let mut left = width.checked_sub(4 + timer.len() + 2)?;
        let shows_status = !job.status.is_empty() && left + job.status.len() > 20;
        if shows_status {
            left = left.checked_sub(job.status.len() + 1)?;
        }
        // Too narrow to show anything.
        if left < 12 {
            return None;
        }
        let mut line = format!(" => {}", cut(&job.name, left));
        if shows_status {
            line.push_str(&format!(" {}", job.status));
        }
        let line = align(&line, &timer, width);
        let color = if job.is_completed { job.color } else { "" };
        Some(format!("{}\n", self.colored(color, &line)))
    }

    fn colored(&self, color: &str, text: &str) -> String {
        if self.look.colors && !color.is_empty() { format!("{color}{text}{RESET}") } else { text.to_owned() }
    }
}

fn jobs(trace: &Trace, width: usize) -> Vec<Job> {
    let mut jobs = Vec::new();
    for digest in &trace.begun {
        let Some(step) = trace.steps.get(digest) else { continue };
        let (prefix, color) = match &step.vertex.error {
            Some(_) if step.is_canceled() => ("CANCELED ", YELLOW),
            Some(_) => ("ERROR ", RED),
            None if step.vertex.cached => ("CACHED ", BLUE),
            None => ("", BLUE),
        };
        let writes = step.term.bytes > 0 && !step.is_completed();
        jobs.push(Job {
            name: format!("{prefix}{}", step.vertex.name.replace(char::is_control, " ")),
            status: String::new(),
            seconds: step.seconds(),
            is_completed: step.is_completed(),
            color,
            logs: if writes { step.term.lines(width.saturating_sub(10)) } else { Vec::new() },
            weight: step.term.bytes.saturating_add(step.term.shown.saturating_mul(50)),
            digest: Some(digest.clone()),
        });
        jobs.extend(step.statuses.iter().map(|status| Job {
            name: format!("=> {}", status.id),
            status: amount(status),
            seconds: status.started.map_or(0.0, |started| seconds(started, status.completed.unwrap_or_else(now))),
            is_completed: status.completed.is_some(),
            color: BLUE,
            logs: Vec::new(),
            weight: 0,
            digest: None,
        }));
        jobs.extend(step.warnings.iter().map(|warning| Job {
            name: format!("WARN: {warning}"),
            status: String::new(),
            seconds: step.seconds(),
            is_completed: true,
            color: YELLOW,
            logs: Vec::new(),
            weight: 0,
            digest: None,
        }));
    }
    jobs
}

/// Those for which there is room; the last ones, and those that still go on. Commands show what they write where room is left.
fn choose(mut jobs: Vec<Job>, trace: &mut Trace, height: usize, log_lines: usize, is_over: bool) -> Vec<Job> {
    let running = jobs.iter().filter(|job| !job.is_completed).count();
    let lines = log_lines.min(height.saturating_sub(LOG_LINES_LEAST + 1)).max(LOG_LINES_LEAST);
    let mut free = height.saturating_sub(2 + running);
    let mut order: Vec<usize> = (0..jobs.len()).filter(|at| !jobs[*at].logs.is_empty()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(jobs[*at].weight));
    let mut hidden = 0;
    for at in order {
        if free > lines + 3 && !is_over {
            hidden += jobs[at].logs.len();
            free -= lines + 3;
            let shown = jobs[at].digest.as_ref().and_then(|digest| trace.steps.get_mut(digest));
            if let Some(Step { term, .. }) = shown {
                term.shown += 1;
            }
        } else {
            jobs[at].logs.clear();
        }
    }
    if is_over {
        return jobs;
    }
    let limit = height.saturating_sub(2 + hidden);
    if jobs.len() <= limit {
        return jobs;
    }
    let last = jobs.split_off(jobs.len() - limit);
    let open: Vec<Job> = jobs.into_iter().filter(|job| !job.is_completed).collect();
    // As many that have ended give way to those that have not.
    let mut away = open.len();
    let mut kept: Vec<Job> = Vec::new();
    for job in last {
        if job.is_completed && away > 0 {
            away -= 1;
        } else {
            kept.push(job);
        }
    }
    let room = limit.saturating_sub(kept.len());
    let skipped = open.len().saturating_sub(room);
    open.into_iter().skip(skipped).chain(kept).collect()
}

/// Left and right in a line of this width.
fn align(left: &str, right: &str, width: usize) -> String {
    format!("{} {right}", pad(left, width.saturating_sub(columns(right) + 1)))
}
