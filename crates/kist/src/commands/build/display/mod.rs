//! What a build shows while it goes on (BuildKit's `progressui`): what happens is sent to one thread, which keeps a [`trace::Trace`] of it
//! and draws now and then.

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

/// The thread that draws.
pub(crate) struct Display {
    sender: Sender<Progress>,
    drawing: JoinHandle<Vec<Warning>>,
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

    /// Draws the last of it. Answers what was warned of. All senders must be gone.
    pub(crate) fn finish(self) -> Vec<Warning> {
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

fn draw(look: Look, receiver: &Receiver<Progress>) -> Vec<Warning> {
    let mut trace = Trace::new(look.log_lines, look.mode == Mode::Tty);
    let mut pen = match look.mode {
        Mode::Tty => Pen::Tty(Tty::new(look)),
        Mode::Plain => Pen::Plain(Plain::default()),
        Mode::RawJson => Pen::Raw(Raw),
        Mode::Quiet => Pen::Nothing,
    };
    let mut drawn: Option<Instant> = None;
    loop {
        let told = receiver.recv_timeout(TICK);
        let over = matches!(told, Err(RecvTimeoutError::Disconnected));
        let ticked = matches!(told, Err(RecvTimeoutError::Timeout));
        let waited = drawn.is_none_or(|at| at.elapsed() >= PAUSE);
        if let Ok(event) = told {
            if let Pen::Raw(raw) = &pen {
                write(&raw.line(&event));
            }
            trace.learn(event);
        }
        if over || ticked || waited {
            drawn = Some(Instant::now());
            let text = match &mut pen {
                Pen::Tty(tty) => tty.draw(&mut trace, terminal::size(), over),
                Pen::Plain(plain) => plain.draw(&mut trace),
                Pen::Raw(_) | Pen::Nothing => String::new(),
            };
            write(&text);
        }
        if over {
            break;
        }
    }
    if matches!(look.mode, Mode::Tty | Mode::Plain) {
        write(&trace.failures());
    }
    trace.warnings
}

fn write(text: &str) {
    if !text.is_empty() {
        // Nobody reads: nothing to be done about it.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
