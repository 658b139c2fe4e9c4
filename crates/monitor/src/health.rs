//! Whether a container is well, by its own check.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spec::image::Healthcheck;
use spec::time::Time;

/// What a container's health check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub verdict: Verdict,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last five checks, oldest first.
    pub log: Vec<Check>,
}

/// A health check's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not known yet.
    Starting,
    /// Its last check passed, or too few failed to say otherwise.
    Healthy,
    /// Too many checks in a row failed.
    Unhealthy,
}

/// One run of a health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// 0 is good; -1 where it was not even run or took too long.
    pub code: i32,
    /// At most 4096 bytes of what it wrote.
    pub output: String,
}

/// How many checks are remembered (moby `maxLogEntries`).
const REMEMBERED: usize = 5;
/// How much of a check's output is (moby `maxOutputLen`).
pub(crate) const OUTPUT_BYTES: usize = 4096;

/// What a container's health check is, with Docker's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) command: Vec<String>,
    pub(crate) timeout: Duration,
    interval: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: u32,
}

impl Rules {
    /// None: there is nothing to check.
    pub(crate) fn new(check: &Healthcheck) -> Option<Rules> {
        let or = |ns: i64, default_s| match u64::try_from(ns) {
            Ok(0) | Err(_) => Duration::from_secs(default_s),
            Ok(ns) => Duration::from_nanos(ns),
        };
        let command = match check.test.split_first()? {
            (kind, words) if kind == "CMD" => words.to_vec(),
            (kind, words) if kind == "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), words.first()?.clone()],
            _ => return None,
        };
        let retries = u32::try_from(check.retries).ok().filter(|n| *n > 0).unwrap_or(3);
        Some(Rules {
            command,
            timeout: or(check.timeout, 30),
            interval: or(check.interval, 30),
            start_period: or(check.start_period, 0),
            start_interval: or(check.start_interval, 5),
            retries,
        })
    }
}

impl Health {
    /// Of a container that has just started.
    pub(crate) fn starting() -> Health {
        Health { verdict: Verdict::Starting, failing_streak: 0, log: Vec::new() }
    }

    /// The pause before the next check of a container that has run for `age`.
    pub(crate) fn pause(&self, rules: &Rules, age: Duration) -> Duration {
        if self.verdict == Verdict::Starting && age < rules.start_period {
            rules.start_interval
        } else {
            rules.interval
        }
    }

    /// Takes a check's result. A failure within the start period does not count until one check has passed.
    pub(crate) fn record(&mut self, check: Check, rules: &Rules, age: Duration) {
        let passed = check.code == 0;
        self.log.push(check);
        if self.log.len() > REMEMBERED {
            self.log.remove(0);
        }
        if passed {
            self.failing_streak = 0;
            self.verdict = Verdict::Healthy;
        } else if self.verdict != Verdict::Starting || age >= rules.start_period {
            self.failing_streak += 1;
            if self.failing_streak >= rules.retries {
                self.verdict = Verdict::Unhealthy;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(check: Healthcheck) -> Rules {
        Rules::new(&Healthcheck { test: vec!["CMD".into(), "x".into()], ..check }).unwrap()
    }

    fn verdicts(rules: &Rules, checks: &[(i32, u64)]) -> Vec<(Verdict, u32)> {
        let mut health = Health::starting();
        let at = Time::from_ns(0);
        let mut result = |(code, age_s): &(i32, u64)| {
            health.record(
                Check { start: at, end: at, code: *code, output: String::new() },
                rules,
                Duration::from_secs(*age_s),
            );
            (health.verdict, health.failing_streak)
        };
        checks.iter().map(&mut result).collect()
    }

    #[test]
    fn so_many_failures_in_a_row_make_it_unhealthy() {
        use Verdict::{Healthy, Starting, Unhealthy};
        let rules = rules(Healthcheck { retries: 2, start_period: 5_000_000_000, ..Healthcheck::default() });
        assert_eq!(
            verdicts(&rules, &[(1, 1), (1, 2), (1, 6), (1, 7)]),
            [(Starting, 0), (Starting, 0), (Starting, 1), (Unhealthy, 2)]
        );
        assert_eq!(
            verdicts(&rules, &[(0, 1), (1, 2), (1, 3), (0, 4)]),
            [(Healthy, 0), (Healthy, 1), (Unhealthy, 2), (Healthy, 0)]
        );
    }

    #[test]
    fn checks_come_faster_during_the_start() {
        let rules = rules(Healthcheck { start_period: 60_000_000_000, ..Healthcheck::default() });
        let health = Health::starting();
        assert_eq!(health.pause(&rules, Duration::from_secs(1)).as_secs(), 5);
        assert_eq!(health.pause(&rules, Duration::from_secs(61)).as_secs(), 30);
        assert_eq!(Health { verdict: Verdict::Healthy, ..health }.pause(&rules, Duration::ZERO).as_secs(), 30);
    }

    #[test]
    fn commands_are_words_or_a_shells() {
        let command = |words: &[&str]| {
            let test = words.iter().map(|word| (*word).to_owned()).collect();
            Rules::new(&Healthcheck { test, ..Healthcheck::default() }).map(|rules| rules.command)
        };
        assert_eq!(command(&["CMD-SHELL", "a b"]), Some(vec!["/bin/sh".into(), "-c".into(), "a b".into()]));
        assert_eq!(command(&["CMD", "a", "b"]), Some(vec!["a".into(), "b".into()]));
        assert_eq!((command(&["NONE"]), command(&[]), command(&["CMD-SHELL"])), (None, None, None));
    }
}
