//! Whether a container is well, by its own check.

use serde::{Deserialize, Serialize};
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
