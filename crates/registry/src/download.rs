//! Blobs come into partial files: several at once, long ones in several ranges at once. A range whose connection breaks goes on where it
//! broke; what is already there is not asked for.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spec::digest::BlobDigest;
use spec::reference::Reference;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{BlobBody, Client, ClientError, Span};
use crate::partial::Partial;

/// Requests under way at once. Registries and content networks limit each connection; more than this many are taken for an attack.
const REQUESTS: usize = 6;
/// Blobs under way at once: as many as anybody unpacks at once, and one more.
const BLOBS: usize = 3;
/// Breaks of one range without a byte between them until it is given up.
const BREAKS: u32 = 5;
/// How often whoever draws is called.
const TICK: Duration = Duration::from_millis(100);

/// Why blobs did not come.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The registry, or the line to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A partial file.
    #[error("keeping what comes")]
    File(#[source] io::Error),
    /// Whoever named the blob said another length than who has it.
    #[error("blob {digest} should be {want} bytes long and is {got}")]
    Length {
        /// Of the blob.
        digest: BlobDigest,
        /// As it was named.
        want: u64,
        /// As it is.
        got: u64,
    },
}

/// A blob to fetch, and where to.
pub type Wanted = (BlobDigest, Arc<Partial>);

/// Fetches blobs of a repository, those at the front first; calls `tick` ten times a second.
///
/// # Errors
/// The first that retrying did not cure. What came until then stays in the files.
pub async fn download(
    client: &Client,
    repository: &Reference,
    wanted: Vec<Wanted>,
    tick: &mut (dyn FnMut() + Send),
) -> Result<(), DownloadError> {
    let blobs = wanted.into_iter().map(|(digest, partial)| Work {
        ranges: (0..partial.ranges()).filter(|range| partial.lacks(*range).is_some()).rev().collect(),
        digest,
        partial,
        requests: 0,
        taken: None,
    });
    let queue =
        Arc::new(Queue { client: client.clone(), repository: repository.clone(), blobs: Mutex::new(blobs.collect()) });
    let mut lanes = JoinSet::new();
    for _ in 0..REQUESTS {
        lanes.spawn(lane(Arc::clone(&queue)));
    }
    loop {
        match timeout(TICK, lanes.join_next()).await {
            Err(_elapsed) => tick(),
            Ok(None) => return Ok(()),
            Ok(Some(Ok(done))) => done?,
            Ok(Some(Err(died))) => return Err(DownloadError::File(io::Error::other(died))),
        }
    }
}

/// What there is to do, for all lanes.
struct Queue {
    client: Client,
    repository: Reference,
    blobs: Mutex<Vec<Work>>,
}

/// One blob.
struct Work {
    digest: BlobDigest,
    partial: Arc<Partial>,
    /// Those that nobody fetches yet, the first last.
    ranges: Vec<usize>,
    requests: usize,
    /// The registry sends it from its beginning whatever is asked: the lane of this range takes it all.
    taken: Option<usize>,
}

/// A range to fetch.
struct Task {
    blob: usize,
    digest: BlobDigest,
    partial: Arc<Partial>,
    range: usize,
}

async fn lane(queue: Arc<Queue>) -> Result<(), DownloadError> {
    while let Some(task) = queue.next() {
        let done = queue.fetch(&task).await;
        queue.with(task.blob, |work| work.requests -= 1);
        done?;
    }
    Ok(())
}

impl Queue {
    fn with<T>(&self, blob: usize, act: impl FnOnce(&mut Work) -> T) -> T {
        act(&mut self.blobs.lock().unwrap_or_else(PoisonError::into_inner)[blob])
    }

    /// Of the first few blobs that are not all asked for, the one with the fewest requests under way.
    fn next(&self) -> Option<Task> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let open = blobs.iter_mut().enumerate().filter(|(_, work)| !work.ranges.is_empty()).take(BLOBS);
        let (blob, work) = open.min_by_key(|(_, work)| work.requests)?;
        work.requests += 1;
        let range = work.ranges.pop()?;
        Some(Task { blob, digest: work.digest.clone(), partial: Arc::clone(&work.partial), range })
    }

    /// Asks again after each break, for what is still missing.
    async fn fetch(&self, task: &Task) -> Result<(), DownloadError> {
        let mut breaks = 0;
        while let Some((from, to)) = self.lacks(task) {
            let before = task.partial.received_bytes();
            let broke = match self.attempt(task, from, to).await {
                Ok(Attempt::Done) => return Ok(()),
                Ok(Attempt::Short) => ClientError::Broken {
                    host: self.repository.registry().to_owned(),
                    why: format!("blob {} ends before its {} bytes", task.digest, task.partial.size()),
                },
                Err(DownloadError::Client(error)) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            breaks = if task.partial.received_bytes() > before { 1 } else { breaks + 1 };
            if breaks > BREAKS {
                return Err(broke.into());
            }
            sleep(self.client.pause(breaks)).await;
        }
        Ok(())
    }

    fn lacks(&self, task: &Task) -> Option<(u64, u64)> {
        if self.with(task.blob, |work| work.taken == Some(task.range)) {
            let (from, _) = (0..task.partial.ranges()).find_map(|range| task.partial.lacks(range))?;
            return Some((from, task.partial.size()));
        }
        task.partial.lacks(task.range)
    }

    async fn attempt(&self, task: &Task, from: u64, to: u64) -> Result<Attempt, DownloadError> {
        let size = task.partial.size();
        let span = Span { from, to: (to < size).then_some(to) };
        let body = self.client.blob(&self.repository, &task.digest, span).await?;
        if let Some(got) = body.total_bytes.filter(|got| *got != size) {
            return Err(DownloadError::Length { digest: task.digest.clone(), want: size, got });
        }
        if body.from == from {
            return take(task, body, to).await;
        }
        // Whatever is asked, the registry sends all.
        let taken = self.with(task.blob, |work| {
            work.ranges.clear();
            *work.taken.get_or_insert(task.range)
        });
        if taken == task.range { take(task, body, size).await } else { Ok(Attempt::Done) }
    }
}

/// Writes what comes, up to `to`.
async fn take(task: &Task, mut body: BlobBody, to: u64) -> Result<Attempt, DownloadError> {
    let mut at = body.from;
    while at < to {
        let Some(mut chunk) = body.chunk().await? else { return Ok(Attempt::Short) };
        chunk.truncate(usize::try_from(to - at).unwrap_or(usize::MAX));
        task.partial.write(at, &chunk).map_err(DownloadError::File)?;
        at += chunk.len() as u64;
    }
    Ok(Attempt::Done)
}

/// How a request ended that did not break.
enum Attempt {
    /// All is there, or somebody else takes care of it.
    Done,
    /// The registry said that this was all, and it was not.
    Short,
}
