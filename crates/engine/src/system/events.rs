//! `events`: what happened, and what happens.

use std::time::Duration;

use disk::events::{Reader, Watch};
use spec::event::Event;
use spec::time::Time;

use crate::container::logs::More;
use crate::error::Error;
use crate::host::Host;

/// Which events, by when they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// None: only those that come, unless there is an end; then all.
    pub since: Option<Time>,
    /// None: without end.
    pub until: Option<Time>,
}

/// Gives the events of a span, in order, as they happen. Waits for the end of the span, or for `take` to have enough.
///
/// # Errors
/// Of the log of events.
pub fn events(host: &Host, span: Span, take: &mut dyn FnMut(Event) -> More) -> Result<(), Error> {
    let failed = |e| Error::io("reading the log of events")(e);
    // Before the first look, so that nothing comes unseen in between.
    let watch = Watch::new(&host.home).map_err(failed)?;
    let reader = if span == (Span { since: None, until: None }) { Reader::new_ones } else { Reader::all };
    let mut reader = reader(&host.home).map_err(failed)?;
    loop {
        let left_ns = span.until.map(|until| until.since_ns(disk::now()));
        while let Some(event) = reader.next().map_err(failed)? {
            let wanted =
                span.since.is_none_or(|since| event.at >= since) && span.until.is_none_or(|end| event.at <= end);
            if wanted && take(event) == More::No {
                return Ok(());
            }
        }
        match left_ns.map(u64::try_from) {
            None => watch.wait(None).map_err(failed)?,
            Some(Ok(ns @ 1..)) => watch.wait(Some(Duration::from_nanos(ns))).map_err(failed)?,
            Some(Ok(0) | Err(_)) => return Ok(()),
        }
    }
}
