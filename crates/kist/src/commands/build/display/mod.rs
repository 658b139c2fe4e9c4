//! What a build shows while it goes on (BuildKit's `progressui`): what happens is sent to one thread, which keeps a [`trace::Trace`] of it
//! and draws now and then.

mod columns;
mod plain;
mod raw;
mod term;
pub(super) mod trace;
mod tty;

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use builder::progress::{Progress, Warning};

pub(super) use raw::of_warning;

use crate::report::plain_words;
use crate::terminal;
use plain::Plain;
use raw::Raw;
use trace::Trace;
use tty::Tty;

/// It is drawn at least so often: what runs gets older.
const TICK: Duration = Duration::from_millis(150);
/// It is drawn no more often, so that what belongs together is drawn together.
const PAUSE: Duration = Duration::from_millis(100);

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A window on a terminal.
    Tty,
    /// Lines.
    Plain,
    /// A JSON document for each thing that happens.
    RawJson,
    /// Nothing.
    Quiet,
}

impl Mode {
    /// What the user typed, or what suits where it goes.
    ///
    /// # Errors
    /// BuildKit's words.
    pub(crate) fn parse(text: &str) -> Result<Mode, String> {
        Ok(match text {
            "auto" | "" if terminal::stderr_is_terminal() => Mode::Tty,
            "auto" | "" | "plain" => Mode::Plain,
            "tty" if terminal::stderr_is_terminal() => Mode::Tty,
            "tty" => return Err("failed to get console: output is not a terminal".into()),
            "rawjson" => Mode::RawJson,
            "quiet" | "none" => Mode::Quiet,
            other => return Err(format!("invalid progress mode {other}")),
        })
    }
}

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// `--progress`.
    pub(crate) mode: Mode,
    /// Unless `NO_COLOR` is set.
    pub(crate) colors: bool,
    /// `BUILDKIT_TTY_LOG_LINES`.
    pub(crate) log_lines: usize,
}

/// What was drawn, and what is kept of it.
#[derive(Default)]
pub(crate) struct Drawn {
    /// What was warned of.
    pub(crate) warnings: Vec<Warning>,
    /// Steps in all, of which so many were known.
    pub(crate) steps: (usize, usize),
    /// Whether a step was done that was not known.
    pub(crate) made_any: bool,
    /// As lines, for the history: the last of them.
    pub(crate) log: String,
}

/// So much of them.
const LOG_MAX_BYTES: usize = 256 << 10;

/// The thread that draws.
pub(crate) struct Display {
    sender: Sender<Progress>,
    drawing: JoinHandle<Drawn>,
}

impl Display {
    /// Begins to draw on standard error.
    pub(crate) fn start(look: Look) -> Display {
        let (sender, receiver) = channel();
        Display { sender, drawing: thread::spawn(move || draw(look, &receiver)) }
    }

    /// Where to send what happens.
    pub(crate) fn sender(&self) -> Sender<Progress> {
        self.sender.clone()
    }

    /// Draws the last of it. All senders must be gone.
    pub(crate) fn finish(self) -> Drawn {
        drop(self.sender);
        self.drawing.join().unwrap_or_default()
    }
}

/// What draws, and what it keeps of its last drawing.
enum Pen {
    Tty(Tty),
    Plain(Plain),
    Raw(Raw),
    Nothing,
}

fn draw(look: Look, receiver: &Receiver<Progress>) -> Drawn {
    let mut trace = Trace::new(look.log_lines, look.mode == Mode::Tty);
    let mut pen = match look.mode {
        Mode::Tty => Pen::Tty(Tty::new(look)),
        Mode::Plain => Pen::Plain(Plain::default()),
        Mode::RawJson => Pen::Raw(Raw),
        Mode::Quiet => Pen::Nothing,
    };
    let mut history = History { trace: Trace::new(look.log_lines, false), pen: Plain::default(), text: String::new() };
    let mut drawn: Option<Instant> = None;
    loop {
        let told = receiver.recv_timeout(TICK);
        let over = matches!(told, Err(RecvTimeoutError::Disconnected));
        let ticked = matches!(told, Err(RecvTimeoutError::Timeout));
        let waited = drawn.is_none_or(|at| at.elapsed() >= PAUSE);
        if let Ok(mut event) = told {
            if let Progress::Vertex(vertex) = &mut event {
                vertex.error = vertex.error.take().map(|text| plain_words(&text));
            }
            if let Pen::Raw(raw) = &pen {
                write(&raw.line(&event));
            }
            history.trace.learn(event.clone());
            trace.learn(event);
        }
        if over || ticked || waited {
            drawn = Some(Instant::now());
            history.draw();
            write(&match &mut pen {
                Pen::Tty(tty) => tty.draw(&mut trace, terminal::size(), over),
                Pen::Plain(plain) => plain.draw(&mut trace),
                Pen::Raw(_) | Pen::Nothing => String::new(),
            });
        }
        if over {
            break;
        }
    }
    if matches!(look.mode, Mode::Tty | Mode::Plain) {
        write(&trace.failures());
    }
    let cached = trace.steps.values().filter(|step| step.vertex.cached).count();
    let is_made = |step: &trace::Step| !step.vertex.cached && !step.vertex.name.starts_with("[internal]");
    let made_any = trace.steps.values().any(is_made);
    Drawn { steps: (trace.steps.len(), cached), made_any, warnings: trace.warnings, log: history.text }
}

/// What is kept for later, however it is shown now.
struct History {
    trace: Trace,
    pen: Plain,
    text: String,
}

impl History {
    fn draw(&mut self) {
        self.text.push_str(&self.pen.draw(&mut self.trace));
        if self.text.len() > 2 * LOG_MAX_BYTES {
            let at = self.text.len() - LOG_MAX_BYTES;
            let line = self.text.as_bytes()[at..].iter().position(|byte| *byte == b'\n').map_or(at, |n| at + n + 1);
            self.text.drain(..line);
        }
    }
}

fn write(text: &str) {
    if !text.is_empty() {
        // Nobody reads: nothing to be done about it.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
