//! The time of day.

use rustix::time::{ClockId, clock_gettime};
use spec::time::Time;

/// Now.
#[must_use]
pub fn now() -> Time {
    let now = clock_gettime(ClockId::Realtime);
    Time::from_ns(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}
