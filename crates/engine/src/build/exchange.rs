//! Results of builds go to registries, and come from there.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use builder::exchange::document::{self, MEDIA_TYPE};
use builder::exchange::export::{by_key, steps};
use builder::exchange::{Blobs, Cache, DocumentError, ExportError, Foreign, Sink, directory, export, inline};
use builder::{Built, CacheTo, MachineError, Max};
use registry::client::{Client, ClientError};
use registry::download::download;
use registry::partial::Partial;
use registry::upload::{UploadError, growing, upload, upload_bytes};
use spec::digest::{BlobDigest, ChainId, DiffId, Digest};
use spec::form::Packing;
use spec::image::{Descriptor, media};
use spec::platform::Platform;
use spec::reference::Reference;
use store::{ResolveError, Store};

use super::Tools;
use crate::error::Error;
use crate::host::Host;
use crate::image::pull::choose;
use crate::image::push::known;
use crate::registry::Session;

/// Writes what is known of a build's steps for other machines. In an image's config it is written by [`inline_into`], before there is an
/// image.
///
/// # Errors
/// Of the file system, the registry, the store.
pub fn write(
    host: &Host,
    session: &dyn Fn() -> Result<Session, Error>,
    built: &Built,
    to: &CacheTo,
) -> Result<(), Error> {
    let _kept = host.store.share()?;
    match to {
        CacheTo::Inline => Ok(()),
        CacheTo::Local(dir, how_much) => {
            let failed =
                |error| Error::Other(format!("exporting the build cache to {}", dir.display()), Box::new(error));
            let steps = steps(&host.store, built, *how_much)?;
            let mut sink = directory::Writing::open(&host.store, dir).map_err(failed)?;
            export(&steps, &mut sink).map_err(failed)
        }
        CacheTo::Registry(name, how_much) => {
            let reference = name.parse().map_err(|e: spec::reference::ReferenceError| Error::Invalid(e.to_string()))?;
            let steps = steps(&host.store, built, *how_much)?;
            let mut sink = Repository { store: &host.store, session: session()?, reference };
            export(&steps, &mut sink)
                .map_err(|error| Error::Other(format!("exporting the build cache to {name}"), Box::new(error)))
        }
    }
}

/// Lets the images' configs say which steps made their layers.
///
/// # Errors
/// Of the store.
pub fn inline_into(host: &Host, built: &mut Built) -> Result<(), Error> {
    let steps = by_key(&steps(&host.store, built, Max::Min)?);
    for variant in &mut built.variants {
        variant.config.build_cache = Some(inline::value(&steps, &variant.config.rootfs.diff_ids));
    }
    Ok(())
}

/// A repository that a cache is written to.
struct Repository<'a> {
    store: &'a Store,
    session: Session,
    reference: Reference,
}

impl Repository<'_> {
    fn failed<E: std::error::Error + Send + Sync + 'static>(&self) -> impl FnOnce(E) -> ExportError {
        let doing = format!("pushing to {}", self.reference.familiar());
        move |error| ExportError::Elsewhere(doing, Box::new(error))
    }
}

impl Sink for Repository<'_> {
    fn layer(&mut self, chain: &ChainId, diff_id: &DiffId) -> Result<Descriptor, ExportError> {
        let (client, reference) = (self.session.client(), &self.reference);
        let origins = self.store.origins(diff_id);
        let there = self.session.run(known(client, reference, &origins)).map_err(self.failed())?;
        let blob = match there {
            Some((blob, _)) => Descriptor { media_type: media::oci_layer(&blob.media_type).to_owned(), ..blob },
            None => {
                let (mut making, growing) = growing(self.store.spool()?);
                let blob = self.store.pack(chain, Packing::USUAL, &mut making)?;
                making.end(blob.digest.clone());
                self.session.run(upload(client, reference, growing)).map_err(self.failed())?;
                blob
            }
        };
        self.store.remember(diff_id, &blob, &reference.repository())?;
        Ok(blob)
    }

    fn finish(&mut self, cache: &Cache) -> Result<(), ExportError> {
        let (client, reference) = (self.session.client(), &self.reference);
        let document = cache.to_bytes();
        let (_, manifest) = cache.manifest();
        let done = self.session.run(async {
            upload_bytes(client, reference, &Digest::sha256(&document), &document).await?;
            client.put_manifest(reference, media::MANIFEST, manifest).await?;
            Ok::<_, UploadError>(())
        });
        done.map_err(self.failed())
    }
}

/// The caches that a name means: of an image that is here, and of what a registry has.
pub(super) fn find(tools: &Tools<'_>, name: &str, platform: &Platform) -> Result<Vec<Foreign>, Error> {
    let mut found: Vec<Foreign> = here(&tools.host.store, name)?.into_iter().collect();
    let reference: Reference =
        name.parse().map_err(|e: spec::reference::ReferenceError| Error::Invalid(e.to_string()))?;
    match elsewhere(tools, &reference, platform) {
        Ok(foreign) => found.extend(foreign),
        // What is here will do.
        Err(_) if !found.is_empty() => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// The layers of an image that is here are here: they are asked for only where they belong above others.
fn here(store: &Store, name: &str) -> Result<Option<Foreign>, Error> {
    let image = match store.resolve(name) {
        Ok(image) => image,
        Err(ResolveError::NotFound(_) | ResolveError::Ambiguous(_)) => return Ok(None),
        Err(error @ ResolveError::Store(_)) => return Err(error.into()),
    };
    let (mut blobs, mut chains) = (Vec::new(), BTreeMap::new());
    for chain in &image.chains {
        let (diff_id, size) = store.layer_tar_bytes(chain)?;
        let digest = BlobDigest(diff_id.0);
        chains.insert(digest.clone(), chain.clone());
        blobs.push(Descriptor { digest, size, ..Descriptor::of(media::LAYER, b"") });
    }
    let cache = inline::read(&image.config_bytes, &blobs).map_err(unreadable(name))?;
    let blobs = Here { store: store.clone(), chains };
    Ok(cache.map(|cache| Foreign { name: name.to_owned(), cache, blobs: Box::new(blobs) }))
}

fn unreadable(name: &str) -> impl FnOnce(DocumentError) -> Error {
    let doing = format!("reading the build cache {name}");
    move |error| Error::Other(doing, Box::new(error))
}

/// Layers of this store.
struct Here {
    store: Store,
    chains: BTreeMap<BlobDigest, ChainId>,
}

impl Blobs for Here {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send + '_>, MachineError> {
        let gone = || MachineError { message: format!("layer {} is no longer here", blob.digest), source: None };
        let chain = self.chains.get(&blob.digest).ok_or_else(gone)?;
        match self.store.layer_tar(chain) {
            Ok(tar) => Ok(Box::new(tar)),
            Err(error) => Err(MachineError { source: Some(error.into()), ..gone() }),
        }
    }
}

fn elsewhere(tools: &Tools<'_>, reference: &Reference, platform: &Platform) -> Result<Option<Foreign>, Error> {
    let (session, name) = (tools.session()?, reference.familiar());
    let top = match session.run(session.client().manifest(reference)) {
        Err(ClientError::NotFound { .. }) => return Ok(None),
        other => other.map_err(|error| Error::from_pull(reference, error))?,
    };
    let manifest = choose(&session, reference, top, platform)?;
    let read: spec::image::Manifest =
        serde_json::from_slice(&manifest.bytes).map_err(|error| unreadable(&name)(DocumentError::Damaged(error)))?;
    let document = |descriptor: &Descriptor| {
        session
            .run(session.client().document(reference, descriptor))
            .map_err(|error| Error::from_pull(reference, error))
    };
    let cache = match read.config.media_type.as_str() {
        MEDIA_TYPE => {
            let descriptor = document::of_manifest(&name, &manifest.bytes).map_err(unreadable(&name))?;
            Some(Cache::parse(&document(&descriptor)?).map_err(unreadable(&name))?)
        }
        media::CONFIG | media::DOCKER_CONFIG => {
            inline::read(&document(&read.config)?, &read.layers).map_err(unreadable(&name))?
        }
        _ => return Err(unreadable(&name)(DocumentError::Other(name.clone()))),
    };
    let Some(cache) = cache else { return Ok(None) };
    let dir = tools.host.store.partial_dir();
    let blobs = Box::new(Remote { session, reference: reference.clone(), dir });
    Ok(Some(Foreign { name, cache, blobs }))
}

/// Layers of a repository.
struct Remote {
    session: Session,
    reference: Reference,
    dir: PathBuf,
}

impl Blobs for Remote {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send + '_>, MachineError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| MachineError {
            message: format!("fetching layer {} of the build cache {}", blob.digest, self.reference.familiar()),
            source: Some(source),
        };
        loop {
            let Some(partial) = Partial::open(&self.dir, &blob.digest.0, blob.size).map_err(|e| failed(e.into()))?
            else {
                Partial::wait(&self.dir, &blob.digest.0, blob.size).map_err(|e| failed(e.into()))?;
                continue;
            };
            let partial = Arc::new(partial);
            let client: &Client = self.session.client();
            let wanted = vec![(blob.digest.clone(), Arc::clone(&partial))];
            let done = self.session.run(download(client, &self.reference, wanted, &mut || {}));
            done.map_err(|e| failed(e.into()))?;
            let reader = Box::new(partial.reader());
            return Ok(Box::new(Arrived { reader, partial }));
        }
    }
}

/// A blob that is here until it was read.
struct Arrived {
    reader: Box<dyn Read + Send>,
    partial: Arc<Partial>,
}

impl Read for Arrived {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        // What stays is swept away by the next pull.
        let _ = self.partial.remove();
    }
}
