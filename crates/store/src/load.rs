//! `docker load`: an archive becomes images.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use disk::Durability;
use spec::digest::{BlobDigest, ChainId, DiffId, ImageId};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::archive::{LayoutImage, LoadError, Members, Plan, plan_of, plans};
use crate::image::Image;
use crate::ingest::{Layer, Threads, ingest};
use crate::layer::{self, Compression, Ratio};
use crate::record::LayerRecord;
use crate::store::{Ingest, Store, StoreError};

/// Where images come from.
#[derive(Debug)]
pub struct Load<'a> {
    /// The archive, from its first byte.
    pub archive: File,
    /// All images must be there for this one. When none is asked for: of an image for several machines the one for this machine is
    /// taken, others whatever they are for.
    pub platform: Option<&'a Platform>,
}

/// What happens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadEvent {
    /// The layer was here before.
    Present(DiffId),
    /// So much of the layer's bytes in the archive has been read.
    Reading {
        /// Which layer.
        layer: DiffId,
        /// So far.
        done_bytes: u64,
        /// All.
        total_bytes: u64,
    },
    /// The layer is unpacked and checked.
    Unpacked(DiffId),
    /// A layer failed: no other is needed any more. Those that are being read stop at their next byte, so one that waits for it has to be
    /// woken.
    Failed,
}

/// An image that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its ID.
    pub id: ImageId,
    /// The names it came with.
    pub names: Vec<Reference>,
    /// Names that meant other images before.
    pub renamed: Vec<(Reference, ImageId)>,
}

/// A layer to unpack.
pub(crate) struct Job<'a> {
    pub(crate) chain: ChainId,
    pub(crate) diff_id: &'a DiffId,
    pub(crate) parent: Option<ChainId>,
    /// Of the bytes as they come.
    pub(crate) blob: Option<&'a BlobDigest>,
    pub(crate) total_bytes: u64,
    pub(crate) open: Box<dyn Fn() -> Result<Box<dyn Read + Send + 'a>, LoadError> + Send + Sync + 'a>,
}

enum Message {
    Event(LoadEvent),
    Layer(ChainId, Result<(Ingest, LayerRecord), LoadError>),
}

impl Store {
    /// Takes the images of an archive from a stream, with no platform asked for. See [`Store::load_stream`].
    ///
    /// # Errors
    /// [`LoadError`]; then nothing of the archive stays.
    pub fn load(&self, archive: impl Read, on: &mut dyn FnMut(LoadEvent)) -> Result<Vec<Loaded>, LoadError> {
        self.load_stream(archive, None, on)
    }

    /// Takes the images of an archive from a stream, which is first copied to the disk. See [`Store::load_file`].
    ///
    /// # Errors
    /// [`LoadError`]; then nothing of the archive stays.
    pub fn load_stream(
        &self,
        mut archive: impl Read,
        platform: Option<&Platform>,
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Loaded>, LoadError> {
        let _held = self.share()?;
        let spool = Ingest::new(self)?;
        let archive = copy(&mut archive, &spool, "stream")?;
        // The file goes where its last descriptor does: into the call.
        self.load_file(Load { archive, platform }, on)
    }

    /// Takes the images of an archive in a file, packed or not: `docker save`'s, an OCI layout, or both at once. Layers are unpacked in
    /// parallel.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing of the archive stays.
    pub fn load_file(&self, request: Load<'_>, on: &mut dyn FnMut(LoadEvent)) -> Result<Vec<Loaded>, LoadError> {
        let loaded = {
            let _held = self.share()?;
            let spool = Ingest::new(self)?;
            let archive = plain(request.archive, &spool)?;
            let members = Members::index(archive)?;
            let plans = plans(&members, request.platform)?;
            self.take(members, plans, on)?
        };
        self.collect_if_asked()?;
        Ok(loaded)
    }

    /// Takes one image of an OCI layout in a directory, for this platform and without a name.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing of it stays.
    pub fn load_layout(
        &self,
        dir: OwnedFd,
        image: &LayoutImage<'_>,
        platform: &Platform,
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<Image, LoadError> {
        let _held = self.share()?;
        let members = Members::Directory(dir);
        let plan = plan_of(&members, image, platform)?;
        let id = plan.id();
        self.take(members, vec![plan], on)?;
        Ok(self.image(&id)?)
    }

    fn take(
        &self,
        members: Members,
        plans: Vec<Plan>,
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Loaded>, LoadError> {
        let layers = self.unpack(self.jobs(&members, &plans, on)?, on)?;
        // A spool has no name any more: closed, its bytes need not be written before the layers' are.
        drop(members);
        self.settle(layers, Durability::Durable)?;
        Ok(plans.into_iter().map(|plan| self.publish(plan)).collect::<Result<_, _>>()?)
    }

    /// What is not here yet.
    fn jobs<'a>(
        &self,
        members: &'a Members,
        plans: &'a [Plan],
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Job<'a>>, LoadError> {
        let mut jobs: BTreeMap<ChainId, Job<'_>> = BTreeMap::new();
        for plan in plans {
            let mut parent = None;
            for (diff_id, source) in plan.document.rootfs.diff_ids.iter().zip(&plan.layers) {
                let chain = ChainId::extend(parent.as_ref(), diff_id);
                if self.has(&chain)? {
                    on(LoadEvent::Present(diff_id.clone()));
                } else {
                    let section =
                        move || members.open(&source.member).ok_or_else(|| LoadError::Missing(source.member.clone()));
                    let job = Job {
                        chain: chain.clone(),
                        diff_id,
                        parent,
                        blob: source.digest.as_ref(),
                        total_bytes: section()?.len(),
                        open: Box::new(move || Ok(Box::new(section()?))),
                    };
                    jobs.insert(chain.clone(), job);
                }
                parent = Some(chain);
            }
        }
        Ok(jobs.into_values().collect())
    }

    /// Unpacks layers, as many at once as there are processors.
    pub(crate) fn unpack(
        &self,
        mut jobs: Vec<Job<'_>>,
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<(ChainId, Ingest, LayerRecord)>, LoadError> {
        // The longest first, so that the last to end is a short one.
        jobs.sort_by_key(|job| Reverse(job.total_bytes));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let workers = processors.min(jobs.len());
        let threads = if workers < processors { Threads::Two } else { Threads::One };
        let queue = Mutex::new(jobs.into_iter());
        let stop = AtomicBool::new(false);
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            for _ in 0..workers {
                let (sender, queue, stop) = (sender.clone(), &queue, &stop);
                scope.spawn(move || self.work(queue, threads, stop, &sender));
            }
            drop(sender);
            gather(&receiver, &stop, on)
        })
    }

    fn work<'a>(
        &self,
        queue: &Mutex<impl Iterator<Item = Job<'a>>>,
        threads: Threads,
        stop: &AtomicBool,
        out: &Sender<Message>,
    ) {
        loop {
            let job = queue.lock().map(|mut queue| queue.next());
            let Ok(Some(job)) = job else { return };
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let result = self.one(&job, threads, stop, out);
            // Nobody listens any more: then nobody wants the rest either.
            if out.send(Message::Layer(job.chain, result)).is_err() {
                return;
            }
        }
    }

    fn one(
        &self,
        job: &Job<'_>,
        threads: Threads,
        stop: &AtomicBool,
        out: &Sender<Message>,
    ) -> Result<(Ingest, LayerRecord), LoadError> {
        let total_bytes = job.total_bytes;
        let layer = job.diff_id.clone();
        let tell = |done_bytes| {
            let layer = layer.clone();
            // Progress that nobody reads is no failure.
            let _ = out.send(Message::Event(LoadEvent::Reading { layer, done_bytes, total_bytes }));
        };
        let watched = Watched { inner: (job.open)()?, done_bytes: 0, told_bytes: 0, tell, stop };
        let wanted = Layer { blob: job.blob, diff_id: Some(job.diff_id), parent: job.parent.clone(), threads };
        let done = ingest(self, watched, wanted)?;
        let _ = out.send(Message::Event(LoadEvent::Unpacked(job.diff_id.clone())));
        Ok(done)
    }
}

/// The results, or the first error; the others stop at their next read.
fn gather(
    from: &Receiver<Message>,
    stop: &AtomicBool,
    on: &mut dyn FnMut(LoadEvent),
) -> Result<Vec<(ChainId, Ingest, LayerRecord)>, LoadError> {
    let mut layers = Vec::new();
    let mut failed = None;
    for message in from {
        match message {
            Message::Event(event) => on(event),
            Message::Layer(chain, Ok((ingest, record))) => layers.push((chain, ingest, record)),
            Message::Layer(_, Err(error)) => {
                stop.store(true, Ordering::Relaxed);
                failed.get_or_insert(error);
                on(LoadEvent::Failed);
            }
        }
    }
    failed.map_or(Ok(layers), Err)
}

/// Tells how far it is, and ends early.
struct Watched<'a, R, F> {
    inner: R,
    done_bytes: u64,
    told_bytes: u64,
    tell: F,
    stop: &'a AtomicBool,
}

impl<R: Read, F: FnMut(u64)> Read for Watched<'_, R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 512 << 10;
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("another layer failed"));
        }
        let n = self.inner.read(buffer)?;
        self.done_bytes += n as u64;
        if self.done_bytes - self.told_bytes >= STEP {
            self.told_bytes = self.done_bytes;
            (self.tell)(self.done_bytes);
        }
        Ok(n)
    }
}

/// The archive without its packing.
fn plain(mut archive: File, spool: &Ingest) -> Result<File, LoadError> {
    archive.seek(SeekFrom::Start(0)).map_err(LoadError::Read)?;
    let mut packed = archive.try_clone().map_err(LoadError::Read)?;
    let (compression, mut bytes) = layer::decompress(&mut packed, Ratio::GUARDED).map_err(LoadError::Packed)?;
    match compression {
        Compression::None => Ok(archive),
        Compression::Gzip | Compression::Zstd | Compression::Bzip2 | Compression::Xz => {
            copy(&mut bytes, spool, "plain")
        }
    }
}

fn copy(from: &mut dyn Read, spool: &Ingest, name: &str) -> Result<File, LoadError> {
    let mut file = spool.unnamed(name)?;
    io::copy(from, &mut file).map_err(LoadError::Read)?;
    Ok(file)
}

impl Store {
    pub(crate) fn has(&self, chain: &ChainId) -> Result<bool, StoreError> {
        Ok(disk::read::<LayerRecord>(&self.snapshot(chain))?.is_some())
    }
}
