//! The STATE and STATUS columns of `ps` (moby `container/state.go`).

use std::time::Duration;

use jiff::Timestamp;

use crate::units::human_duration;

/// What a health check last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Within its start period.
    Starting,
    /// The last probe succeeded.
    Healthy,
    /// Too many probes failed.
    Unhealthy,
}

impl Health {
    /// As inspect and filters spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Health::Starting => "starting",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

/// Where a container is in its life, as lists tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Never started.
    Created,
    /// Running.
    Running {
        /// Since when.
        since: Timestamp,
        /// What its health check says, when it has one.
        health: Option<Health>,
    },
    /// Frozen.
    Paused {
        /// Running since when.
        since: Timestamp,
    },
    /// Waiting for its next start.
    Restarting {
        /// How it ended last.
        exit_code: i32,
        /// When.
        at: Timestamp,
    },
    /// Being removed.
    Removing,
    /// Ended.
    Exited {
        /// Its exit code.
        exit_code: i32,
        /// When.
        at: Timestamp,
    },
}

impl Phase {
    /// The STATE column: `running`.
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Phase::Created => "created",
            Phase::Running { .. } => "running",
            Phase::Paused { .. } => "paused",
            Phase::Restarting { .. } => "restarting",
            Phase::Removing => "removing",
            Phase::Exited { .. } => "exited",
        }
    }

    /// The STATUS column: `Up 3 minutes (healthy)`.
    pub(crate) fn status(&self, now: Timestamp) -> String {
        match self {
            Phase::Created => "Created".to_owned(),
            Phase::Running { since, health } => {
                let up = format!("Up {}", since_then(*since, now));
                match health {
                    None => up,
                    Some(Health::Starting) => format!("{up} (health: starting)"),
                    Some(health) => format!("{up} ({})", health.as_str()),
                }
            }
            Phase::Paused { since } => format!("Up {} (Paused)", since_then(*since, now)),
            Phase::Restarting { exit_code, at } => {
                format!("Restarting ({exit_code}) {} ago", since_then(*at, now))
            }
            Phase::Removing => "Removal In Progress".to_owned(),
            Phase::Exited { exit_code, at } => format!("Exited ({exit_code}) {} ago", since_then(*at, now)),
        }
    }
}

/// The time from `then` to `now` in words; a clock that went backwards makes it none.
pub(crate) fn since_then(then: Timestamp, now: Timestamp) -> String {
    human_duration(Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO))
}
