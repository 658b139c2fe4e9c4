//! A layer comes into the store: unpacked into a directory of its own, checked, and renamed to its chain; then the image's documents
//! and names are written.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use disk::{Durability, faults, write, write_at};
use spec::digest::{Algorithm, BlobDigest, ChainId, DiffId, Digest, Hasher};
use spec::image::Descriptor;
use spec::time::Time;

use crate::archive::{LoadError, Plan};
use crate::layer::{self, Applied, Ratio};
use crate::load::Loaded;
use crate::record::{ImageRecord, LayerRecord};
use crate::store::{Ingest, Passing, Store, StoreError, sync_dir};

/// What a layer must turn out to be.
pub(crate) struct Layer<'a> {
    /// Digest of the bytes as they come.
    pub(crate) blob: Option<&'a BlobDigest>,
    /// Digest of the tar.
    pub(crate) diff_id: Option<&'a DiffId>,
    pub(crate) parent: Option<ChainId>,
    pub(crate) threads: Threads,
}

/// How many threads share the work of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The fewest instructions: other layers keep the other processors busy.
    One,
    /// One inflates, one hashes and writes.
    Two,
}

/// Unpacks a layer, packed or not, and hashes it on the way.
pub(crate) fn ingest(
    store: &Store,
    bytes: impl Read + Send,
    wanted: Layer<'_>,
) -> Result<(Ingest, LayerRecord), LoadError> {
    let failed = |e| LoadError::Layer(wanted.diff_id.cloned(), e);
    let place = Ingest::new(store)?;
    let algorithm = wanted.blob.map(|blob| blob.0.algorithm());
    let mut bytes = Hashed::new(bytes, algorithm);
    let (applied, diff_id, tar_bytes) = {
        let (_, tar) = layer::decompress(&mut bytes, Ratio::GUARDED).map_err(failed)?;
        let unpack = |tar: &mut dyn Read| {
            let mut tar = Hashed::new(tar, Some(Algorithm::Sha256));
            let applied = store.driver().unpack(&mut tar, place.path()).map_err(failed)?;
            let read_bytes = tar.bytes;
            Ok::<_, LoadError>((applied, DiffId(tar.finish()), read_bytes))
        };
        match wanted.threads {
            Threads::One => unpack(&mut { tar })?,
            Threads::Two => layer::read_ahead(tar, unpack)?,
        }
    };
    // What follows the packed data belongs to the blob as well.
    io::copy(&mut bytes, &mut io::sink()).map_err(LoadError::Read)?;
    let corrupt = |name: &str, want: &Digest, got: &Digest| {
        Err(LoadError::Corrupt { name: name.to_owned(), want: want.clone(), got: got.clone() })
    };
    if let Some(want) = wanted.blob {
        let got = bytes.finish();
        if got != want.0 {
            return corrupt("a layer's blob", &want.0, &got);
        }
    }
    if let Some(want) = wanted.diff_id
        && *want != diff_id
    {
        return corrupt("a layer's content", &want.0, &diff_id.0);
    }
    let Applied { entries, bytes, xattrs_left_out, .. } = applied;
    let record =
        LayerRecord { diff_id, parent: wanted.parent, entries, bytes, tar_bytes, xattrs_left_out, built: None };
    write(place.path(), &record, Durability::Volatile).map_err(StoreError::from)?;
    Ok((place, record))
}

impl Store {
    /// Gives unpacked layers their names. The store must be shared; layers that are not made durable are noted before.
    pub(crate) fn settle(
        &self,
        layers: Vec<(ChainId, Ingest, LayerRecord)>,
        durability: Durability,
    ) -> Result<(), StoreError> {
        if layers.is_empty() {
            return Ok(());
        }
        if durability == Durability::Durable {
            let drafts = self.drafts_dir();
            faults::act("sync layers")
                .and_then(|()| File::open(&drafts))
                .and_then(|dir| layer::sync(dir.as_fd()))
                .map_err(StoreError::io("syncing", &drafts))?;
        }
        for (chain, place, _) in layers {
            let to = self.snapshot(&chain);
            let settle = || faults::act("settle layer").and_then(|()| fs::rename(place.path(), &to));
            match settle() {
                Err(e) if matches!(e.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                    // Somebody else had the same layer: the first stays, unless it is damaged.
                    if !self.has(&chain)? {
                        let away = self.passing(Passing::Removed);
                        fs::rename(&to, &away).and_then(|()| settle()).map_err(StoreError::io("mending", &to))?;
                    }
                }
                other => other.map_err(StoreError::io("making", &to))?,
            }
        }
        match durability {
            Durability::Durable => sync_dir(&self.snapshots_dir()),
            Durability::Volatile => Ok(()),
        }
    }

    /// Writes down an image whose layers are here. The store must be shared.
    pub(crate) fn publish(&self, plan: Plan) -> Result<Loaded, StoreError> {
        let id = plan.id();
        let mut size_bytes = 0u64;
        for chain in ChainId::of(&plan.document.rootfs.diff_ids) {
            size_bytes = size_bytes.saturating_add(self.layer(&chain)?.bytes);
        }
        self.put_blob(&plan.config, &plan.config_bytes)?;
        if let Some((descriptor, bytes)) = &plan.manifest {
            self.put_blob(descriptor, bytes)?;
        }
        let _held = self.lock_images()?;
        let before = self.record(&id)?;
        // An image that came by its manifest once keeps it when it comes again without.
        let manifest = plan.manifest.map(|(descriptor, _)| descriptor);
        let manifest = manifest.or_else(|| before.as_ref().and_then(|before| before.manifest.clone()));
        let record = ImageRecord { config: plan.config, manifest, size_bytes, loaded_at: disk::now() };
        // A build of nothing new does not wait for the disk to hear a new time.
        if before.is_none_or(|before| ImageRecord { loaded_at: record.loaded_at, ..before } != record) {
            write_at(&self.image_file(&id), &record, Durability::Durable)?;
        }
        let mut renamed = Vec::new();
        for name in &plan.names {
            if let Some(other) = self.name(&id, name)? {
                renamed.push((name.clone(), other));
            }
        }
        Ok(Loaded { id, names: plan.names, renamed })
    }

    pub(crate) fn put_blob(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.blob(&descriptor.digest.0);
        // Read, not only looked for: a damaged one is mended by loading the image again.
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        disk::replace(&path, bytes, Durability::Durable).map_err(StoreError::io("writing", &path))
    }
}

/// A file's time.
pub(crate) fn time(at: SystemTime) -> Time {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Hashes and counts what is read through it.
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: Option<Hasher>,
    pub(crate) bytes: u64,
}

impl<R> Hashed<R> {
    pub(crate) fn new(inner: R, algorithm: Option<Algorithm>) -> Hashed<R> {
        Hashed { inner, hasher: algorithm.map(Hasher::new), bytes: 0 }
    }

    /// The digest; of nothing when none was asked for.
    pub(crate) fn finish(self) -> Digest {
        self.hasher.unwrap_or_else(|| Hasher::new(Algorithm::Sha256)).finish()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..n]);
        }
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Hashes and counts what is written through it.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: Hasher,
    bytes: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W, algorithm: Algorithm) -> Hashing<W> {
        Hashing { inner, hasher: Hasher::new(algorithm), bytes: 0 }
    }

    pub(crate) fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
