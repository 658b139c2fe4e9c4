//! One sample, and what many samples say.

use anyhow::{Context, Result, bail};
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs the command once on a machine at rest and says how long it took, from before the spawn to after the wait. std spawns with
/// CLONE_VFORK, so the size of this program does not count.
pub(super) fn once(command: &mut Command) -> Result<Duration> {
    wait_for_rest();
    promptly(command)
}

/// The same without the rest before it.
pub(super) fn promptly(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let child = command.spawn().with_context(|| format!("{command:?}"))?;
    let output = child.wait_with_output()?;
    let took = begin.elapsed();
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(took)
}

/// Until nobody but us is on the run queue, twice in a row; at most five seconds, because a machine shared with others may never rest.
pub(super) fn wait_for_rest() {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut rests = 0;
    while rests < 2 && Instant::now() < deadline {
        sleep(Duration::from_millis(3));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let running = load.split(' ').nth(3).and_then(|field| field.split('/').next()).and_then(|n| n.parse().ok());
        rests = if running.unwrap_or(1) <= 1 { rests + 1 } else { 0 };
    }
}

/// A name and how to take one sample of it.
pub(super) type Contender<'a> = (&'static str, Box<dyn FnMut() -> Result<Duration> + 'a>);

/// Named contenders and their samples, in the order of the table.
pub(super) struct Table {
    rows: Vec<(String, Vec<Duration>)>,
}

impl Table {
    /// Samples all contenders by turns, after one round each that does not count.
    pub(super) fn interleaved(samples: usize, contenders: &mut [Contender<'_>]) -> Result<Table> {
        let mut rows: Vec<_> = contenders.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
        for round in 0..=samples {
            for ((name, contender), (_, taken)) in contenders.iter_mut().zip(&mut rows) {
                let took = contender().with_context(|| (*name).to_owned())?;
                if round > 0 {
                    taken.push(took);
                }
            }
        }
        Ok(Table { rows })
    }

    /// Markdown. The first row is kist; the others say how many times its time they take.
    pub(super) fn markdown(mut self, title: &str) -> String {
        let count = self.rows.first().map_or(0, |(_, taken)| taken.len());
        let mut text = format!("\n### {title}\n\n{count} samples each, interleaved\n\n");
        text += "| | min ms | median ms | times kist (min) | times kist (median) |\n|---|---:|---:|---:|---:|\n";
        let mut ours = None;
        for (name, taken) in &mut self.rows {
            taken.sort();
            let (min, median) = (ms(taken.first()), ms(taken.get(taken.len() / 2)));
            let (our_min, our_median) = *ours.get_or_insert((min, median));
            text +=
                &format!("| {name} | {min:.2} | {median:.2} | {:.1} | {:.1} |\n", min / our_min, median / our_median);
        }
        text
    }
}

fn ms(duration: Option<&Duration>) -> f64 {
    duration.map_or(f64::NAN, |duration| duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::Table;
    use expect_test::expect;
    use std::time::Duration;

    #[test]
    fn ratios_are_to_the_first_row() {
        let row = |name: &str, ms: [u64; 3]| (name.to_owned(), ms.map(Duration::from_millis).to_vec());
        let table = Table { rows: vec![row("kist", [4, 2, 5]), row("other", [100, 300, 200])] };
        expect![[r#"

            ### run

            3 samples each, interleaved

            | | min ms | median ms | times kist (min) | times kist (median) |
            |---|---:|---:|---:|---:|
            | kist | 2.00 | 4.00 | 1.0 | 1.0 |
            | other | 100.00 | 200.00 | 50.0 | 50.0 |
        "#]]
        .assert_eq(&table.markdown("run"));
    }
}
