//! `pull`: an image comes from a registry. Layers are unpacked while they come, and nothing that is here comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use registry::client::{ClientError, Document};
use registry::download::{DownloadError, download};
use registry::partial::{self, Partial};
use spec::digest::{BlobDigest, DiffId, Digest, ImageId};
use spec::event::ImageAct;
use spec::image::{Descriptor, Index, media};
use spec::platform::Platform;
use spec::reference::Reference;
use store::{Incoming, Layer, LoadError, LoadEvent, Receiving};
use tokio::sync::Notify;

use super::progress::{Draw, LayerEvent, LayerState};
use crate::error::Error;
use crate::host::Host;
use crate::registry::Session;

/// What to pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// By tag, by digest, or by both: then the digest counts.
    pub reference: Reference,
    /// For which machine; this one when none is named.
    pub platform: Option<Platform>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// What the registry has under the name: an index's digest, or a manifest's.
    pub digest: Digest,
    /// The image.
    pub image: ImageId,
    /// Whether anything changed.
    pub newer: Newer,
}

/// What happens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// The registry has it.
    Found,
    /// Something new about a layer.
    Layer(LayerEvent),
}

/// Docker's last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// `Downloaded newer image for`.
    Downloaded,
    /// `Image is up to date for`.
    UpToDate,
}

/// Pulls an image. What came of it before an error stays for the next pull, unless it was wrong.
///
/// # Errors
/// The registry's, in Docker's words; documents or layers that are not what they were named; the store's.
pub fn pull(
    host: &Host,
    session: &Session,
    request: &Pull,
    on: &mut (dyn FnMut(PullEvent) + Send),
) -> Result<Pulled, Error> {
    let pulled = bring(host, session, request, on)?;
    host.note_travel(&request.reference, ImageAct::Pull);
    Ok(pulled)
}

fn bring(
    host: &Host,
    session: &Session,
    request: &Pull,
    on: &mut (dyn FnMut(PullEvent) + Send),
) -> Result<Pulled, Error> {
    let Pull { reference, platform } = request;
    let refused = |e: ClientError| Error::from_pull(reference, e);
    // Room for what comes now, and nobody waits for what was given up a week ago.
    let _ = partial::sweep(&host.store.partial_dir(), partial::KEPT);
    let head = session.run(session.client().head(reference)).map_err(refused)?;
    on(PullEvent::Found);
    let by_digest = reference.with_digest(head.digest.clone());
    let wanted = platform.clone().unwrap_or_else(Platform::host);
    if let Some(image) = known(host, &by_digest.to_string(), |image| wanted.runs(image))? {
        let newer = name(host, reference, &image)?;
        return Ok(Pulled { digest: head.digest, image, newer });
    }
    let top = session.run(session.client().manifest(&by_digest)).map_err(refused)?;
    let manifest = choose(session, reference, top, &wanted)?;
    let read = store::read_manifest(&manifest.descriptor, &manifest.bytes)?;
    // For another machine, or packed otherwise: the config says what an image is.
    let is = platform.as_ref();
    if let Some(image) = known(host, &read.config.digest.to_string(), |image| is.is_none_or(|is| is.runs(image)))? {
        host.store.tag(&image, &by_digest)?;
        let newer = name(host, reference, &image)?;
        return Ok(Pulled { digest: head.digest, image, newer });
    }
    let config_bytes = session.run(session.client().document(reference, &read.config)).map_err(refused)?;
    let names = [reference.clone(), by_digest].into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let Document { descriptor, bytes } = manifest;
    let incoming = Incoming { names, manifest: descriptor, manifest_bytes: bytes, config_bytes };
    let receiving = host.store.receive(incoming)?;
    if let Some(platform) = platform {
        receiving.require(platform)?;
    }
    let mut draw = |event| on(PullEvent::Layer(event));
    let layers =
        Layers { host, session, reference, receiving: &receiving, told: Mutex::default(), draw: Mutex::new(&mut draw) };
    layers.obtain()?;
    let loaded = receiving.publish()?;
    Ok(Pulled { digest: head.digest, image: loaded.id, newer: Newer::Downloaded })
}

/// The tags of a repository in its registry.
///
/// # Errors
/// The registry's, in Docker's words.
pub fn tags(session: &Session, repository: &Reference) -> Result<Vec<String>, Error> {
    session.run(session.client().tags(repository)).map_err(|e| Error::from_pull(repository, e))
}

/// The image that is here under this name, if it fits.
fn known(host: &Host, name: &str, fits: impl FnOnce(&Platform) -> bool) -> Result<Option<ImageId>, Error> {
    match host.store.resolve(name) {
        Ok(image) => {
            let fits = fits(&image.config.platform());
            Ok((fits && host.store.is_complete(&image)?).then_some(image.id))
        }
        Err(store::ResolveError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lets the name mean the image.
fn name(host: &Host, reference: &Reference, image: &ImageId) -> Result<Newer, Error> {
    match host.store.resolve(&reference.to_string()) {
        Ok(found) if found.id == *image => return Ok(Newer::UpToDate),
        Ok(_) | Err(store::ResolveError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    host.store.tag(image, reference)?;
    Ok(Newer::Downloaded)
}

/// The manifest that a name leads to.
pub(crate) fn choose(
    session: &Session,
    reference: &Reference,
    mut found: Document,
    platform: &Platform,
) -> Result<Document, Error> {
    // Which has neither a config nor layers that could be checked.
    const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";
    if found.descriptor.media_type.starts_with(SCHEMA_1) {
        let name = reference.familiar();
        return Err(Error::Invalid(format!(
            "Docker Image manifest version 2, schema 1 is not supported: suggest the author of {name} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2"
        )));
    }
    // An index within an index is one too many already, and there is no end to what a registry can invent.
    for _ in 0..4 {
        if !matches!(found.descriptor.media_type.as_str(), media::INDEX | media::DOCKER_INDEX) {
            return Ok(found);
        }
        let name = found.descriptor.digest.to_string();
        let index: Index =
            serde_json::from_slice(&found.bytes).map_err(|source| LoadError::Document { name, source })?;
        let missing = || LoadError::NoPlatform { want: platform.clone(), have: index.platforms() };
        let chosen = index.for_platform(platform).ok_or_else(missing)?;
        let by_digest = reference.with_digest(chosen.digest.0.clone());
        let document = session.run(session.client().manifest(&by_digest));
        found = document.map_err(|e| Error::from_pull(reference, e))?;
    }
    Err(LoadError::Contradiction("more than four indexes within each other".to_owned()).into())
}

/// The layers of one image on their way.
struct Layers<'a, 'd> {
    host: &'a Host,
    session: &'a Session,
    reference: &'a Reference,
    receiving: &'a Receiving<'a>,
    /// What is told once about each blob.
    told: Mutex<BTreeSet<(BlobDigest, String)>>,
    draw: Draw<'d>,
}

/// The blobs that this process fetches.
type Mine = BTreeMap<BlobDigest, Arc<Partial>>;

impl Layers<'_, '_> {
    /// Gets all layers that are not here. Those that another process fetches are waited for when there is nothing else to do, and with
    /// nothing in hand: so two who need each other's layers do not wait for each other.
    fn obtain(&self) -> Result<(), Error> {
        let missing = self.receiving.absent()?;
        for layer in self.receiving.layers() {
            let here = missing.iter().all(|absent| absent.chain != layer.chain);
            self.tell(&layer.blob.digest, if here { LayerState::AlreadyExists } else { LayerState::PullingFsLayer });
        }
        let dir = self.host.store.partial_dir();
        let mut again = false;
        loop {
            let before = self.receiving.absent()?;
            let (mut mine, taken) = take(&dir, &before)?;
            // Before we had it, somebody else may have settled it.
            let absent = self.receiving.absent()?;
            discard(&split(&mut mine, |blob, _| absent.iter().any(|layer| layer.blob.digest == *blob)))?;
            if absent.is_empty() {
                // Also what others fetched for us.
                missing.iter().for_each(|layer| self.tell_once(&layer.blob.digest, LayerState::PullComplete));
                return Ok(());
            }
            if mine.is_empty() {
                let Some(blob) = taken else { continue };
                self.tell(&blob.digest, LayerState::Waiting);
                Partial::wait(&dir, &blob.digest.0, blob.size).map_err(Error::io("waiting for another pull"))?;
                continue;
            }
            let layers: Vec<Layer> = absent.into_iter().filter(|layer| mine.contains_key(&layer.blob.digest)).collect();
            let resumed = mine.values().any(|partial| partial.resumed_bytes() > 0);
            if resumed {
                // Whoever was killed here had begun to unpack.
                self.host.store.ask_to_collect()?;
            }
            match self.round(&layers, &mine) {
                Ok(()) => discard(&mine)?,
                Err(Failed::Otherwise(error)) => {
                    discard(&split(&mut mine, |_, partial| partial.received_bytes() > 0))?;
                    return Err(error);
                }
                Err(Failed::Content(error)) => {
                    let error = other_bytes(&mine).unwrap_or(error);
                    discard(&mine)?;
                    // After a loss of power a partial file may hold what was never written, and a mirror may have anything. Once more,
                    // from its beginning and from the registry itself.
                    let mirrored = self.session.client().avoid_mirrors(self.reference.registry());
                    if again || !(resumed || mirrored) {
                        return Err(error);
                    }
                    again = true;
                }
            }
        }
    }

    /// Downloads and unpacks at once; whichever fails ends the other.
    fn round(&self, layers: &[Layer], mine: &Mine) -> Result<(), Failed> {
        let wanted = layers.iter().map(|layer| (layer.blob.digest.clone(), Arc::clone(&mine[&layer.blob.digest])));
        let mut wanted: Vec<_> = wanted.collect::<BTreeMap<_, _>>().into_iter().collect();
        // In the order in which layers are unpacked.
        wanted.sort_by_key(|(_, partial)| std::cmp::Reverse(partial.size()));
        let enough = Notify::new();
        let (unpacked, downloaded) = thread::scope(|scope| {
            let downloading = scope.spawn(|| {
                let mut tick = || self.tell_downloads(mine);
                let client = self.session.client();
                let done = self.session.run(async {
                    tokio::select! {
                        done = download(client, self.reference, wanted, &mut tick) => done,
                        () = enough.notified() => Ok(()),
                    }
                });
                if let Err(error) = &done {
                    mine.values().for_each(|partial| partial.end(&error.to_string()));
                }
                done
            });
            let short: BTreeMap<&DiffId, &BlobDigest> =
                layers.iter().map(|layer| (&layer.diff_id, &layer.blob.digest)).collect();
            let unpacked =
                self.receiving.unpack(layers, &|layer| Box::new(mine[&layer.blob.digest].reader()), &mut |event| {
                    self.tell_unpacking(&short, mine, event)
                });
            enough.notify_one();
            (unpacked, downloading.join())
        });
        match (downloaded, unpacked) {
            (Ok(Err(DownloadError::Client(error))), _) => {
                Err(Failed::Otherwise(Error::from_pull(self.reference, error)))
            }
            (Ok(Err(DownloadError::File(error))), _) => Err(Failed::Otherwise(Error::io("keeping what comes")(error))),
            (Ok(Err(error @ DownloadError::Length { .. })), _) => {
                Err(Failed::Content(Error::other("failed to pull a layer")(error)))
            }
            (Err(_), _) => {
                Err(Failed::Otherwise(Error::Io("downloading".into(), std::io::Error::other("a thread died"))))
            }
            (Ok(Ok(())), Err(error)) if error.is_local() => Err(Failed::Otherwise(error.into())),
            (Ok(Ok(())), Err(error)) => Err(Failed::Content(error.into())),
            (Ok(Ok(())), Ok(())) => Ok(()),
        }
    }

    fn tell(&self, blob: &BlobDigest, state: LayerState) {
        let layer = blob.0.hex()[..12].to_owned();
        (self.draw.lock().unwrap_or_else(PoisonError::into_inner))(LayerEvent { layer, state });
    }

    fn tell_once(&self, blob: &BlobDigest, state: LayerState) {
        let first = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert((blob.clone(), state.to_string()));
        if first {
            self.tell(blob, state);
        }
    }

    fn tell_downloads(&self, mine: &Mine) {
        for (blob, partial) in mine {
            let (done, total) = (partial.received_bytes(), partial.size());
            if done == total {
                self.tell_once(blob, LayerState::DownloadComplete);
            } else if done > 0 {
                self.tell(blob, LayerState::Downloading { done, total });
            }
        }
    }

    fn tell_unpacking(&self, short: &BTreeMap<&DiffId, &BlobDigest>, mine: &Mine, event: LoadEvent) {
        let (layer, state) = match event {
            LoadEvent::Present(layer) => (layer, LayerState::AlreadyExists),
            LoadEvent::Failed => {
                mine.values().for_each(|partial| partial.end("another layer failed"));
                return;
            }
            LoadEvent::Unpacked(layer) => (layer, LayerState::PullComplete),
            LoadEvent::Reading { layer, done_bytes, total_bytes } => {
                (layer, LayerState::Extracting { done: done_bytes, total: total_bytes })
            }
        };
        let Some(blob) = short.get(&layer) else { return };
        // While bytes come, that is what counts.
        let coming = mine.get(blob).is_some_and(|partial| partial.received_bytes() < partial.size());
        if coming && matches!(state, LayerState::Extracting { .. }) {
            return;
        }
        self.tell_once(blob, LayerState::DownloadComplete);
        if state == LayerState::PullComplete { self.tell_once(blob, state) } else { self.tell(blob, state) }
    }
}

/// What a damaged archive looks like may be nothing but other bytes than were announced.
fn other_bytes(mine: &Mine) -> Option<Error> {
    mine.iter().find_map(|(blob, partial)| {
        let (want, got) = (&blob.0, partial.digest(blob.0.algorithm()).ok()??);
        let corrupt = || LoadError::Corrupt { name: "a layer's blob".to_owned(), want: want.clone(), got: got.clone() };
        (got != *want).then(|| corrupt().into())
    })
}

/// Why a round ended.
enum Failed {
    /// Not for what came: the next pull goes on.
    Otherwise(Error),
    /// What came is wrong.
    Content(Error),
}

/// Takes the blobs of layers that nobody has, and answers one of those that somebody has.
fn take<'a>(dir: &Path, layers: &'a [Layer]) -> Result<(Mine, Option<&'a Descriptor>), Error> {
    let (mut mine, mut taken) = (Mine::new(), None);
    for Layer { blob, .. } in layers {
        if mine.contains_key(&blob.digest) {
            continue;
        }
        match Partial::open(dir, &blob.digest.0, blob.size).map_err(Error::io("keeping what comes"))? {
            Some(partial) => drop(mine.insert(blob.digest.clone(), Arc::new(partial))),
            None => taken = Some(blob),
        }
    }
    Ok((mine, taken))
}

/// Parts off those that are not kept.
fn split(mine: &mut Mine, kept: impl Fn(&BlobDigest, &Partial) -> bool) -> Mine {
    let (keep, part) = std::mem::take(mine).into_iter().partition(|(blob, partial)| kept(blob, partial));
    *mine = keep;
    part
}

/// What became layers, or was wrong.
fn discard(mine: &Mine) -> Result<(), Error> {
    mine.values().try_for_each(|partial| partial.remove()).map_err(Error::io("removing what came"))
}
