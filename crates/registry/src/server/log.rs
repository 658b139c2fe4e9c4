//! The access log: one line a request, written when its answer was sent or the client left.

use std::sync::Arc;
use std::time::Instant;

/// Who hears what the server says.
pub(super) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A line in the making. Queries are left out: what is not logged needs no thought about who may read it.
pub(super) struct Line {
    say: Say,
    request: String,
    status: u16,
    bytes: u64,
    began: Instant,
}

impl Line {
    pub(super) fn new(say: Say, request: String, status: u16, began: Instant) -> Line {
        Line { say, request, status, bytes: 0, began }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let millis = self.began.elapsed().as_secs_f64() * 1000.0;
        (self.say)(&format!("{} {} {} {millis:.1}ms", self.request, self.status, self.bytes));
    }
}

/// An error with its causes, on the one line that a log has for it.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}
