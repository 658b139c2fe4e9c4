//! `logs`: what a container wrote, from its log and, if wanted, on until it stops.

use std::os::fd::AsFd;

use monitor::log::{Entry, Query, Reader};
use monitor::protocol::{Ask, Until};
use monitor::{Client, ClientError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spec::container::LogDriver;
use spec::id::ContainerId;
use spec::time::Time;

use super::{find, start, visit};
use crate::error::Error;
use crate::host::Host;

/// Whether `logs` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// What is there.
    No,
    /// And what comes, until the container stops.
    UntilItStops,
}

/// Whether the listener wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// It does.
    Yes,
    /// It went away.
    No,
}

/// Tells each piece of the container's output to `on`.
///
/// # Errors
/// Nothing is kept of its output; of the file system.
pub fn logs(
    host: &Host,
    id: &ContainerId,
    query: Query,
    follow: Follow,
    on: &mut dyn FnMut(Entry) -> More,
) -> Result<(), Error> {
    if find::record(host, id)?.config.host.log.driver == LogDriver::None {
        return Err(Error::Conflict("configured logging driver does not support reading".into()));
    }
    let reading = || Error::io("reading the container's log");
    let mut reader = Reader::open(&host.home.container(id), query).map_err(reading())?;
    let mut monitor = match follow {
        Follow::No => None,
        Follow::UntilItStops => {
            // Asked before the first line is read: what is written before it stops is not missed.
            reader.watch().map_err(reading())?;
            listen(host, id)?
        }
    };
    loop {
        while let Some(entry) = reader.next().map_err(reading())? {
            if on(entry) == More::No {
                return Ok(());
            }
        }
        let Some(client) = &monitor else { return Ok(()) };
        let Some(left) = left(query.until) else { return Ok(()) };
        if wait(&mut reader, client, left)? == Woken::Ended && !goes_on(host, id, client)? {
            // Read on once more: its last words may have come after our last look.
            monitor = None;
        }
    }
}

/// The monitor, asked to tell when the container's process ends; none: it does not run.
fn listen(host: &Host, id: &ContainerId) -> Result<Option<Client>, Error> {
    let Some(client) = visit::living(host, id)? else { return Ok(None) };
    visit::ask(&client, &Ask::Wait(Until::NextExit), None)?;
    Ok(Some(client))
}

/// How long there is something to wait for: for ever (the inner none), so long, or not at all.
#[expect(clippy::option_option, reason = "the two nones are named above")]
fn left(until: Option<Time>) -> Option<Option<Timespec>> {
    let Some(until) = until else { return Some(None) };
    let ns = until.since_ns(disk::now());
    (ns > 0).then_some(Some(Timespec { tv_sec: ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Written,
    Ended,
}

/// Whether its restart policy starts it again: then its next end is the one to hear of.
fn goes_on(host: &Host, id: &ContainerId, client: &Client) -> Result<bool, Error> {
    // A monitor that is gone tells so when it is listened to.
    Ok(start::is_running(host, id)? && visit::ask(client, &Ask::Wait(Until::NextExit), None).is_ok())
}

fn wait(reader: &mut Reader, client: &Client, left: Option<Timespec>) -> Result<Woken, Error> {
    let stopped = {
        let watch = reader.watch().map_err(Error::io("watching the container's log"))?;
        let mut fds =
            [PollFd::from_borrowed_fd(watch, PollFlags::IN), PollFd::from_borrowed_fd(client.as_fd(), PollFlags::IN)];
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::Io("waiting for output".into(), e.into())),
        }
        !fds[1].revents().is_empty()
    };
    reader.rearm();
    if !stopped {
        return Ok(Woken::Written);
    }
    match client.tell() {
        Ok(_) | Err(ClientError::Gone) => Ok(Woken::Ended),
        Err(other) => Err(Error::other("listening to the container's monitor")(other)),
    }
}
