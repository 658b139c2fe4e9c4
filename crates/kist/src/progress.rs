//! Layers on their way, as Docker draws them (moby `client/pkg/jsonmessage`).
//!
//! On a terminal each layer has a line in a block above the cursor, and the whole block is drawn anew: at once when a layer's state
//! changes, ten times a second while only bytes grow. Where there are more layers than the terminal has rows, the lines of layers that
//! are settled are left out first, and then those at the end; when all is done, every line is written once more, and the terminal
//! scrolls as it does for any text. Elsewhere each change of state is a line, and there are no bars.

use std::io::Write as _;
use std::time::{Duration, Instant};

use engine::image::progress::{LayerEvent, LayerState};

use crate::terminal::{self, Size};
use crate::units::human_size;

const BETWEEN_DRAWINGS: Duration = Duration::from_millis(100);
/// A rate is measured over so long: shorter ones jump about.
const RATE_OVER: Duration = Duration::from_secs(1);
const BAR_COLUMNS: usize = 50;
/// Narrower terminals have no bars, as in Docker.
const BAR_FROM_COLUMNS: usize = 111;

/// Where progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// `pull`, `push`.
    Stdout,
    /// `run`, `create`: standard output is the container's.
    Stderr,
    /// `--quiet`.
    Nowhere,
}

/// Progress of one image; dropped: its last lines are written.
pub(crate) struct Progress {
    to: To,
    drawing: Drawing,
    begun: Instant,
}

impl Progress {
    /// Nothing is written before the first event.
    pub(crate) fn new(to: To) -> Progress {
        let terminal = match to {
            To::Stdout => terminal::stdout_is_terminal(),
            To::Stderr => terminal::stderr_is_terminal(),
            To::Nowhere => false,
        };
        let drawing = if terminal { Drawing::Block(Block::default()) } else { Drawing::Lines(Vec::new()) };
        Progress { to, drawing, begun: Instant::now() }
    }

    /// Shows an event.
    pub(crate) fn tell(&mut self, event: LayerEvent) {
        let text = match &mut self.drawing {
            Drawing::Lines(layers) => line(layers, event),
            Drawing::Block(block) => block.tell(event, self.begun.elapsed(), screen()),
        };
        self.write(&text);
    }

    /// Writes the last lines. To be called before anything else is written below them; the block is drawn over what stands there.
    pub(crate) fn end(&mut self) {
        if let Drawing::Block(block) = &mut self.drawing {
            let text = block.end(screen());
            self.write(&text);
        }
    }

    fn write(&self, text: &str) {
        // A terminal that is gone is no error of ours.
        let _ = match self.to {
            To::Nowhere => Ok(()),
            To::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            To::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn screen() -> Size {
    terminal::size().unwrap_or(Size { rows: 24, columns: 80 })
}

enum Drawing {
    /// Not a terminal: what was last said about each layer.
    Lines(Vec<LayerEvent>),
    Block(Block),
}

fn line(layers: &mut Vec<LayerEvent>, event: LayerEvent) -> String {
    if event.state.amount().is_some() || layers.contains(&event) {
        return String::new();
    }
    let text = format!("{}: {}\n", event.layer, event.state);
    layers.retain(|known| known.layer != event.layer);
    layers.push(event);
    text
}

/// The lines above the cursor.
#[derive(Default)]
struct Block {
    layers: Vec<Layer>,
    /// So many lines are on the screen.
    drawn: usize,
    /// When.
    drawn_at: Duration,
}

struct Layer {
    event: LayerEvent,
    rate: Rate,
}

impl Block {
    /// What is to be written for an event.
    fn tell(&mut self, event: LayerEvent, now: Duration, screen: Size) -> String {
        let same_state = match self.layers.iter_mut().find(|known| known.event.layer == event.layer) {
            Some(known) => {
                let same = std::mem::discriminant(&known.event.state) == std::mem::discriminant(&event.state);
                if !same {
                    known.rate = Rate::default();
                }
                known.event = event;
                known.rate.measure(&known.event.state, now);
                same && known.event.state.amount().is_some()
            }
            None => {
                self.layers.push(Layer { event, rate: Rate::default() });
                false
            }
        };
        if same_state && now < self.drawn_at + BETWEEN_DRAWINGS {
            return String::new();
        }
        self.drawn_at = now;
        let rows = usize::from(screen.rows).saturating_sub(1).max(1);
        let all = self.layers.len() <= rows;
        let shown = self.layers.iter().filter(|layer| all || !layer.event.state.is_last()).take(rows);
        let lines: Vec<String> = shown.map(|layer| layer.line(usize::from(screen.columns))).collect();
        self.draw(&lines)
    }

    /// The last state of all layers.
    fn end(&mut self, screen: Size) -> String {
        let lines: Vec<String> = self.layers.iter().map(|layer| layer.line(usize::from(screen.columns))).collect();
        let text = self.draw(&lines);
        *self = Block::default();
        text
    }

    /// Up to the first line, over each, and what remains of the last drawing is erased.
    fn draw(&mut self, lines: &[String]) -> String {
        let mut text = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        };
        for line in lines {
            text.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        if lines.len() < self.drawn {
            text.push_str("\r\x1b[J");
        }
        self.drawn = lines.len();
        text
    }
}

impl Layer {
    fn line(&self, columns: usize) -> String {
        let LayerEvent { layer, state } = &self.event;
        let mut text = format!("{layer}: {state}");
        if let Some((done, total)) = state.amount() {
            text.push_str(&format!(" {}{}", bar(done, total, columns), self.rate));
        }
        text.chars().take(columns).collect()
    }
}

/// `[====>   ]  1.2MB/30MB`, or only the numbers.
fn bar(done: u64, total: u64, columns: usize) -> String {
    if total == 0 || done > total {
        return format!("{:>8}", size(done));
    }
    let numbers = format!("{:>8}/{}", size(done), size(total));
    if columns < BAR_FROM_COLUMNS {
        return numbers;
    }
    let filled = usize::try_from(u128::from(done) * 50 / u128::from(total)).unwrap_or(BAR_COLUMNS);
    format!("[{}>{}] {numbers}", "=".repeat(filled), " ".repeat(BAR_COLUMNS - filled))
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn size(bytes: u64) -> String {
    human_size(bytes as f64)
}

/// Bytes a second, of what goes over the network.
#[derive(Default)]
struct Rate {
    /// Measured from here on.
    from: Option<(Duration, u64)>,
    bytes_per_second: Option<u64>,
}

impl Rate {
    fn measure(&mut self, state: &LayerState, now: Duration) {
        let (LayerState::Downloading { done, .. } | LayerState::Pushing { done, .. }) = state else { return };
        let (begun, before) = *self.from.get_or_insert((now, *done));
        let elapsed = now.saturating_sub(begun);
        if elapsed >= RATE_OVER {
            let bytes = u128::from(done.saturating_sub(before)) * 1000 / elapsed.as_millis();
            self.bytes_per_second = u64::try_from(bytes).ok();
            self.from = Some((now, *done));
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes_per_second.map_or(Ok(()), |rate| write!(f, "  {}/s", size(rate)))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const DOWNLOADING: LayerState = LayerState::Downloading { done: 0, total: 30_000_000 };

    fn at(layer: u8, state: LayerState) -> LayerEvent {
        LayerEvent { layer: format!("{layer:012x}"), state }
    }

    fn downloading(done: u64) -> LayerState {
        LayerState::Downloading { done, total: 30_000_000 }
    }

    /// What a terminal of this size is sent, a line for each event.
    fn check(rows: u16, columns: u16, events: Vec<(u64, LayerEvent)>, expected: Expect) {
        let (mut block, screen) = (Block::default(), Size { rows, columns });
        let told = events.into_iter().map(|(ms, event)| block.tell(event, Duration::from_millis(ms), screen));
        let mut written: Vec<String> = told.collect();
        written.push(block.end(screen));
        let lines = written.into_iter().map(|text| text.escape_debug().to_string().replace("\\u{1b}", "ESC") + "\n");
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn a_terminal_shows_bars_and_rates() {
        let events = vec![
            (0, at(1, LayerState::PullingFsLayer)),
            (1, at(2, LayerState::PullingFsLayer)),
            (2, at(1, DOWNLOADING)),
            (50, at(1, downloading(600_000))),
            (1100, at(1, downloading(9_000_000))),
            (1150, at(1, downloading(30_000_000))),
            (1151, at(1, LayerState::VerifyingChecksum)),
            (1152, at(1, LayerState::Extracting { done: 15_000_000, total: 30_000_000 })),
            (1153, at(1, LayerState::PullComplete)),
            (1154, at(2, LayerState::Retrying { in_seconds: 2 })),
            (1155, at(2, LayerState::AlreadyExists)),
        ];
        check(
            24,
            120,
            events,
            expect![[r#"
            \rESC[2K000000000001: Pulling fs layer\n
            ESC[1A\rESC[2K000000000001: Pulling fs layer\n\rESC[2K000000000002: Pulling fs layer\n
            ESC[2A\rESC[2K000000000001: Downloading [>                                                  ]       0B/30MB\n\rESC[2K000000000002: Pulling fs layer\n

            ESC[2A\rESC[2K000000000001: Downloading [===============>                                   ]      9MB/30MB  8.197MB/s\n\rESC[2K000000000002: Pulling fs layer\n

            ESC[2A\rESC[2K000000000001: Verifying Checksum\n\rESC[2K000000000002: Pulling fs layer\n
            ESC[2A\rESC[2K000000000001: Extracting [=========================>                         ]     15MB/30MB\n\rESC[2K000000000002: Pulling fs layer\n
            ESC[2A\rESC[2K000000000001: Pull complete\n\rESC[2K000000000002: Pulling fs layer\n
            ESC[2A\rESC[2K000000000001: Pull complete\n\rESC[2K000000000002: Retrying in 2 seconds\n
            ESC[2A\rESC[2K000000000001: Pull complete\n\rESC[2K000000000002: Already exists\n
            ESC[2A\rESC[2K000000000001: Pull complete\n\rESC[2K000000000002: Already exists\n
        "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_has_no_bar_and_no_line_too_wide() {
        check(
            24,
            80,
            vec![(0, at(1, downloading(1_234_567)))],
            expect![[r#"
            \rESC[2K000000000001: Downloading  1.235MB/30MB\n
            ESC[1A\rESC[2K000000000001: Downloading  1.235MB/30MB\n
        "#]],
        );
        check(
            24,
            20,
            vec![(0, at(1, downloading(1_234_567)))],
            expect![[r#"
            \rESC[2K000000000001: Downlo\n
            ESC[1A\rESC[2K000000000001: Downlo\n
        "#]],
        );
    }

    #[test]
    fn a_low_terminal_shows_what_is_not_settled() {
        let events = vec![
            (0, at(1, LayerState::AlreadyExists)),
            (1, at(2, LayerState::PullingFsLayer)),
            (2, at(3, LayerState::PullingFsLayer)),
            (3, at(4, LayerState::PullingFsLayer)),
            (4, at(2, LayerState::PullComplete)),
        ];
        check(
            3,
            80,
            events,
            expect![[r#"
            \rESC[2K000000000001: Already exists\n
            ESC[1A\rESC[2K000000000001: Already exists\n\rESC[2K000000000002: Pulling fs layer\n
            ESC[2A\rESC[2K000000000002: Pulling fs layer\n\rESC[2K000000000003: Pulling fs layer\n
            ESC[2A\rESC[2K000000000002: Pulling fs layer\n\rESC[2K000000000003: Pulling fs layer\n
            ESC[2A\rESC[2K000000000003: Pulling fs layer\n\rESC[2K000000000004: Pulling fs layer\n
            ESC[2A\rESC[2K000000000001: Already exists\n\rESC[2K000000000002: Pull complete\n\rESC[2K000000000003: Pulling fs layer\n\rESC[2K000000000004: Pulling fs layer\n
        "#]],
        );
    }

    #[test]
    fn elsewhere_each_change_of_state_is_a_line() {
        let mut layers = Vec::new();
        let states = [
            LayerState::PullingFsLayer,
            LayerState::PullingFsLayer,
            DOWNLOADING,
            downloading(9),
            LayerState::DownloadComplete,
            LayerState::Extracting { done: 0, total: 1 },
            LayerState::PullComplete,
            LayerState::MountedFrom("library/x".to_owned()),
            LayerState::Retrying { in_seconds: 2 },
            LayerState::Retrying { in_seconds: 1 },
        ];
        let text: String = states.into_iter().map(|state| line(&mut layers, at(1, state))).collect();
        expect![[r#"
            000000000001: Pulling fs layer
            000000000001: Download complete
            000000000001: Pull complete
            000000000001: Mounted from library/x
            000000000001: Retrying in 2 seconds
            000000000001: Retrying in 1 second
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn bars_are_dockers() {
        let check = |done, total, columns, expected: Expect| expected.assert_eq(&bar(done, total, columns));
        check(500_000, 1_000_000, 120, expect!["[=========================>                         ]    500kB/1MB"]);
        check(1_000_000, 1_000_000, 120, expect!["[==================================================>]      1MB/1MB"]);
        check(1, 10, 80, expect!["      1B/10B"]);
        check(1, 0, 120, expect!["      1B"]);
        check(
            u64::MAX,
            u64::MAX,
            120,
            expect!["[==================================================>]  18.45EB/18.45EB"],
        );
    }
}
