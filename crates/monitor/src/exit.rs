//! How a container's process ended.

use serde::{Deserialize, Serialize};
use spec::time::Time;

/// `exit.json` in the container's directory: its last run. Durable before end of file is released to anyone, so whoever saw the
/// output end can read how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell counts: 128 and the signal where one ended it. 126, 127 or 128 where it never started (`error` says why).
    pub code: i32,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    pub oom_killed: bool,
    /// What went wrong besides the process's own ending.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// None: it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When.
    pub finished: Time,
    /// How often the restart policy had started it again.
    pub restarts: u32,
    /// Whether a user asked for it, by `stop` or by a signal that was to end it: `unless-stopped` heeds this after a reboot.
    pub by_user: bool,
}

impl disk::Record for Exit {
    const FILE: &'static str = "exit.json";
    const FORMAT: u32 = 1;
}
