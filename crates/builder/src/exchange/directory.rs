//! A cache in a directory of the host: an OCI image layout, which holds a cache for each tag.
//!
//! ```text
//! oci-layout  index.json  blobs/sha256/<hex>: the manifest, its document, the layers
//! ```
//!
//! The directory may come from anybody: files are reached through a descriptor and stay inside it, and are compared with their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use spec::digest::{Algorithm, ChainId, DiffId, Digest};
use spec::form::Packing;
use spec::image::{Descriptor, Index, media};
use store::Store;

use super::document::{self, Cache, Layer};
use super::export::{ExportError, Sink};
use super::import::{Blobs, Foreign};
use crate::MachineError;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What a cache is called that nobody called anything.
pub const TAG: &str = "latest";

/// Where `--cache-from type=local` reads.
#[derive(Debug)]
struct Directory {
    dir: OwnedFd,
}

impl Directory {
    fn open(dir: &Path) -> io::Result<Directory> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { dir: open(dir, flags, Mode::empty())? })
    }

    fn file(&self, path: &str) -> io::Result<File> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat2(&self.dir, path, flags, Mode::empty(), resolve)?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} is no file")));
        }
        Ok(File::from(file))
    }

    fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(path)?.take(document::MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > document::MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} is unbelievably long")));
        }
        Ok(bytes)
    }

    /// A document by its digest.
    fn blob(&self, descriptor: &Descriptor) -> io::Result<Vec<u8>> {
        let bytes = self.bytes(&member(&descriptor.digest.0))?;
        if descriptor.digest.0.algorithm() != Algorithm::Sha256 || Digest::sha256(&bytes) != descriptor.digest.0 {
            let why = format!("{} is not what it is called", member(&descriptor.digest.0));
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(bytes)
    }
}

impl Blobs for Directory {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send + '_>, MachineError> {
        let file = self.file(&member(&blob.digest.0)).map_err(|source| MachineError {
            message: format!("opening {} of the build cache", blob.digest),
            source: Some(source.into()),
        })?;
        Ok(Box::new(file.take(blob.size)))
    }
}

/// The cache in a directory, of the tag `latest` or the only one. None: there is none.
///
/// # Errors
/// What is there cannot be read, or is something else.
pub fn read(dir: &Path) -> Result<Option<Foreign>, MachineError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| MachineError {
        message: format!("reading the build cache in {}", dir.display()),
        source: Some(source),
    };
    let directory = match Directory::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| failed(e.into()))?,
    };
    let Some(index) = index(&directory).map_err(|e| failed(e.into()))? else { return Ok(None) };
    let is_latest = |entry: &&Descriptor| entry.annotations.get(REF_NAME).is_none_or(|tag| tag == TAG);
    let Some(entry) = index.manifests.iter().find(is_latest).or(index.manifests.first()) else { return Ok(None) };
    let manifest = directory.blob(entry).map_err(|e| failed(e.into()))?;
    let document = document::of_manifest(&dir.display().to_string(), &manifest).map_err(|e| failed(e.into()))?;
    let bytes = directory.blob(&document).map_err(|e| failed(e.into()))?;
    let cache = Cache::parse(&bytes).map_err(|e| failed(e.into()))?;
    Ok(Some(Foreign { name: dir.display().to_string(), cache, blobs: Box::new(directory) }))
}

fn index(directory: &Directory) -> io::Result<Option<Index>> {
    match directory.bytes("index.json") {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => Ok(Some(serde_json::from_slice(&other?)?)),
    }
}

/// Where `--cache-to type=local` writes.
#[derive(Debug)]
pub struct Writing<'a> {
    store: &'a Store,
    dir: PathBuf,
    /// What is there already.
    known: BTreeMap<DiffId, Layer>,
}

impl<'a> Writing<'a> {
    /// Into this directory, which is made if need be. Layers that are there already are not written again.
    ///
    /// # Errors
    /// Of the file system; the directory holds something else.
    pub fn open(store: &'a Store, dir: &Path) -> Result<Writing<'a>, ExportError> {
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(ExportError::io("making", &blobs))?;
        // What cannot be read is written anew.
        let before = read(dir).ok().flatten();
        let layers = before.iter().flat_map(|before| before.cache.layers());
        let is_there = |layer: &&Layer| {
            let there = fs::symlink_metadata(dir.join(member(&layer.blob.digest.0)));
            there.is_ok_and(|there| there.is_file() && there.len() == layer.blob.size)
        };
        let known = layers.filter(is_there).map(|layer| (layer.diff_id.clone(), layer.clone())).collect();
        Ok(Writing { store, dir: dir.to_owned(), known })
    }

    fn put(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), ExportError> {
        self.replace(&member(&descriptor.digest.0), bytes)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.dir.join(path);
        disk::replace(&path, bytes, disk::Durability::Volatile).map_err(ExportError::io("writing", &path))
    }

    /// Whatever no cache of this directory names any more. A directory that holds anything else is left alone.
    fn sweep(&self, index: &Index) -> Result<(), ExportError> {
        let directory = Directory::open(&self.dir).map_err(ExportError::io("opening", &self.dir))?;
        let mut needed = BTreeSet::new();
        for entry in &index.manifests {
            let Ok(bytes) = directory.blob(entry) else { return Ok(()) };
            let (Ok(document), Ok(manifest)) =
                (document::of_manifest("", &bytes), serde_json::from_slice::<spec::image::Manifest>(&bytes))
            else {
                return Ok(());
            };
            needed.insert(entry.digest.0.hex().to_owned());
            needed.insert(document.digest.0.hex().to_owned());
            needed.extend(manifest.layers.iter().map(|layer| layer.digest.0.hex().to_owned()));
        }
        let blobs = self.dir.join("blobs/sha256");
        for entry in fs::read_dir(&blobs).map_err(ExportError::io("listing", &blobs))? {
            let entry = entry.map_err(ExportError::io("listing", &blobs))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_blob = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
            if is_blob && !needed.contains(&name) {
                fs::remove_file(entry.path()).map_err(ExportError::io("removing", &entry.path()))?;
            }
        }
        Ok(())
    }
}

impl Sink for Writing<'_> {
    fn layer(&mut self, chain: &ChainId, diff_id: &DiffId) -> Result<Descriptor, ExportError> {
        if let Some(known) = self.known.get(diff_id) {
            return Ok(known.blob.clone());
        }
        // In the same directory, so that the name is given by one rename.
        let place = self.dir.join(format!("blobs/.{}-{}", std::process::id(), diff_id.0.hex()));
        let packed = File::create(&place).map_err(ExportError::io("making", &place)).and_then(|mut file| {
            let blob = self.store.pack(chain, Packing::USUAL, &mut file)?;
            file.flush().map_err(ExportError::io("writing", &place))?;
            let to = self.dir.join(member(&blob.digest.0));
            fs::rename(&place, &to).map_err(ExportError::io("naming", &to))?;
            Ok(blob)
        });
        if packed.is_err() {
            // The reason is the one to tell.
            let _ = fs::remove_file(&place);
        }
        packed
    }

    fn finish(&mut self, cache: &Cache) -> Result<(), ExportError> {
        let document = cache.to_bytes();
        let (mut manifest, bytes) = cache.manifest();
        self.put(&Descriptor::of(document::MEDIA_TYPE, &document), &document)?;
        self.put(&manifest, &bytes)?;
        let directory = Directory::open(&self.dir).map_err(ExportError::io("opening", &self.dir))?;
        let before = index(&directory).ok().flatten().map(|index| index.manifests).unwrap_or_default();
        let is_other = |entry: &Descriptor| entry.annotations.get(REF_NAME).is_some_and(|tag| tag != TAG);
        manifest.annotations.insert(REF_NAME.to_owned(), TAG.to_owned());
        let index = Index {
            schema_version: 2,
            media_type: Some(media::INDEX.to_owned()),
            manifests: before.into_iter().filter(is_other).chain([manifest]).collect(),
            annotations: BTreeMap::new(),
        };
        let text = serde_json::to_vec(&index).expect("texts and numbers in structs and lists are always JSON");
        self.replace("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        // Last: until here the old cache is whole.
        self.replace("index.json", &text)?;
        self.sweep(&index)
    }
}

fn member(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}
