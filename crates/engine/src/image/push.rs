//! `push`: an image goes to a registry. What the registry has is not sent: layers are looked for under every name they are known by, and
//! mounted from other repositories of the same registry; others are packed, and sent while they are packed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use registry::client::{Begun, Client, ClientError};
use registry::upload::{Growing, UploadError, growing, upload, upload_bytes};
use spec::attestation::{self, Attestations};
use spec::digest::{ChainId, DiffId, Digest, ImageId};
use spec::event::ImageAct;
use spec::form::{Form, Packing};
use spec::image::Descriptor;
use spec::reference::Reference;
use store::{Image, Origin, PackError, ResolveError, Said};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::progress::{Draw, LayerEvent, LayerState};
use crate::error::Error;
use crate::host::Host;
use crate::registry::Session;

/// Layers are asked after, and sent, so many at once.
const AT_ONCE: usize = 4;
/// A layer is looked for under so many of its names.
const NAMES: usize = 4;
/// How often it is told how far uploads are.
const TICK: Duration = Duration::from_millis(100);

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest.
    pub digest: Digest,
    /// Of the manifest.
    pub size_bytes: u64,
}

/// Pushes the image that a reference with a tag means.
///
/// # Errors
/// There is no such image; the registry's, in Docker's words; a damaged layer.
pub fn push(
    host: &Host,
    session: &Session,
    reference: &Reference,
    on: &mut (dyn FnMut(LayerEvent) + Send),
) -> Result<Pushed, Error> {
    let image = image(host, reference)?;
    let named = image.id.clone();
    let all = Together { reference, images: &[image], named: &named };
    push_together(host, session, &all, on)
}

/// Images that go to a registry under one name, each in the form that the store has for it.
#[derive(Clone, Copy, Debug)]
pub struct Together<'a> {
    /// The name, with a tag.
    pub reference: &'a Reference,
    /// One, or one for each of several platforms: then the name means an index of them.
    pub images: &'a [Image],
    /// The one that the name means here.
    pub named: &'a ImageId,
}

/// Pushes images of several platforms, or one.
///
/// # Errors
/// As [`push`]; the name then means what it meant.
pub fn push_together(
    host: &Host,
    session: &Session,
    all: &Together<'_>,
    on: &mut (dyn FnMut(LayerEvent) + Send),
) -> Result<Pushed, Error> {
    let reference = all.reference;
    // Nothing of the images is collected while they are read.
    let _held = host.store.share()?;
    let draw = Mutex::new(on);
    let mut arrived = Vec::new();
    for image in all.images {
        arrived.push(Push { host, session, reference, image, draw: &draw }.arrive()?);
    }
    let published = session.run(publish(session.client(), reference, &arrived));
    let (digest, size_bytes) = published.map_err(|e| refused(reference, e))?;
    for (diff_id, blob) in arrived.iter().flat_map(|arrived| &arrived.layers) {
        host.store.remember(diff_id, blob, &reference.repository())?;
    }
    host.store.tag(all.named, &reference.with_digest(digest.clone()))?;
    host.note_travel(reference, ImageAct::Push);
    Ok(Pushed { digest, size_bytes })
}

fn image(host: &Host, reference: &Reference) -> Result<Image, Error> {
    match host.store.resolve(&reference.to_string()) {
        Err(ResolveError::NotFound(_)) => {
            Err(Error::NotFound(format!("An image does not exist locally with the tag: {}", reference.familiar_name())))
        }
        other => Ok(other?),
    }
}

/// A layer to bring there.
struct Wanted {
    chain: ChainId,
    diff_id: DiffId,
    tar_bytes: u64,
    /// What it may be called there, the likeliest first.
    origins: Vec<Origin>,
}

impl Wanted {
    fn short(&self) -> &str {
        &self.diff_id.0.hex()[..12]
    }
}

/// An image whose layers the registry has.
struct Arrived<'a> {
    image: &'a Image,
    layers: Vec<(DiffId, Descriptor)>,
    manifest: Descriptor,
    manifest_bytes: Vec<u8>,
    form: Form,
    /// What is said about it.
    said: Option<Attestations>,
}

struct Push<'a, 'd> {
    host: &'a Host,
    session: &'a Session,
    reference: &'a Reference,
    image: &'a Image,
    draw: &'a Draw<'d>,
}

impl<'a> Push<'a, '_> {
    fn arrive(&self) -> Result<Arrived<'a>, Error> {
        let (image, platform) = (self.image, self.image.config.platform());
        let Said { predicates, form } = self.host.store.attested(&image.id)?;
        let original = self.host.store.manifest(image)?;
        let layers = self.layers(original.as_ref(), &form)?;
        let mut blobs = self.find(&layers)?;
        let missing = layers.iter().filter(|layer| !blobs.contains_key(&layer.diff_id)).collect();
        blobs.extend(self.send(missing, form.packing.unwrap_or(Packing::USUAL))?);
        let diff_ids = &image.config.rootfs.diff_ids;
        let layers: Vec<_> = diff_ids.iter().map(|diff_id| (diff_id.clone(), blobs[diff_id].clone())).collect();
        let (manifest, manifest_bytes) = manifest(image, original, &layers, &form);
        let names = std::slice::from_ref(self.reference);
        let said = (!predicates.is_empty()).then(|| attestation::attest(&manifest, &platform, names, &predicates));
        let said = said.transpose().map_err(Error::other("pushing"))?;
        Ok(Arrived { image, layers, manifest, manifest_bytes, form, said })
    }

    /// The image's layers, each once.
    fn layers(&self, original: Option<&(Descriptor, Vec<u8>)>, form: &Form) -> Result<Vec<Wanted>, Error> {
        let original: Vec<Descriptor> = original
            .and_then(|(descriptor, bytes)| store::read_manifest(descriptor, bytes).ok())
            .map_or_else(Vec::new, |m| m.layers);
        let mut layers: Vec<Wanted> = Vec::new();
        for (at, chain) in self.image.chains.iter().enumerate() {
            let (diff_id, tar_bytes) = self.host.store.layer_tar_bytes(chain)?;
            if layers.iter().any(|layer| layer.diff_id == diff_id) {
                continue;
            }
            let mut origins = self.host.store.origins(&diff_id);
            origins.retain(|origin| form.takes(&origin.blob.media_type));
            // With its first names the image keeps its digest.
            origins.sort_by_key(|origin| original.get(at).is_none_or(|first| first.digest != origin.blob.digest));
            let layer = Wanted { chain: chain.clone(), diff_id, tar_bytes, origins };
            self.tell(layer.short(), LayerState::Preparing);
            layers.push(layer);
        }
        Ok(layers)
    }

    /// The layers that the registry has or takes from another of its repositories.
    fn find(&self, layers: &[Wanted]) -> Result<BTreeMap<DiffId, Descriptor>, Error> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        self.session.run(async {
            let mut asking = JoinSet::new();
            for layer in layers {
                let (client, reference) = (self.session.client().clone(), self.reference.clone());
                let (diff_id, origins, places) = (layer.diff_id.clone(), layer.origins.clone(), Arc::clone(&places));
                asking.spawn(async move {
                    let _place = places.acquire_owned().await;
                    (diff_id, known(&client, &reference, &origins).await)
                });
            }
            let mut found = BTreeMap::new();
            while let Some(asked) = asking.join_next().await {
                let Ok((diff_id, answer)) = asked else { return Err(died()) };
                let answer = answer.map_err(|e| self.refused(e.into()))?;
                let (blob, state) = match answer {
                    Some((blob, state)) => (Some(blob), state),
                    None => (None, LayerState::Waiting),
                };
                self.tell(&diff_id.0.hex()[..12], state);
                found.extend(blob.map(|blob| (diff_id, blob)));
            }
            Ok(found)
        })
    }

    /// Packs layers one after another, each on all processors, and sends them meanwhile.
    fn send(&self, layers: Vec<&Wanted>, packing: Packing) -> Result<Vec<(DiffId, Descriptor)>, Error> {
        if layers.is_empty() {
            return Ok(Vec::new());
        }
        let (hand_over, parcels) = unbounded_channel();
        let (packed, sent) = thread::scope(|scope| {
            let making = scope.spawn(|| self.pack(&layers, packing, hand_over));
            let sent = self.session.run(self.send_all(parcels));
            (making.join(), sent)
        });
        match (packed, sent) {
            (_, Err(error @ UploadError::Client(_))) => Err(self.refused(error)),
            (Ok(Err(error)), _) => Err(Error::other("pushing")(error)),
            (_, Err(error)) => Err(self.refused(error)),
            (Err(_), Ok(())) => Err(died()),
            (Ok(Ok(packed)), Ok(())) => Ok(packed),
        }
    }

    fn pack(
        &self,
        layers: &[&Wanted],
        packing: Packing,
        hand_over: UnboundedSender<Parcel>,
    ) -> Result<Vec<(DiffId, Descriptor)>, PackError> {
        let mut packed = Vec::new();
        for layer in layers {
            let (mut making, growing) = growing(self.host.store.spool()?);
            let parcel = Parcel { layer: layer.short().to_owned(), total: layer.tar_bytes, growing };
            // Nobody sends any more: the reason is told there.
            if hand_over.send(parcel).is_err() {
                break;
            }
            let blob = self.host.store.pack(&layer.chain, packing, &mut making)?;
            making.end(blob.digest.clone());
            packed.push((layer.diff_id.clone(), blob));
        }
        Ok(packed)
    }

    async fn send_all(&self, mut parcels: UnboundedReceiver<Parcel>) -> Result<(), UploadError> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut uploads = JoinSet::new();
        let mut under_way: BTreeMap<String, (Arc<AtomicU64>, u64)> = BTreeMap::new();
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                Some(Parcel { layer, total, growing }) = parcels.recv() => {
                    under_way.insert(layer.clone(), (growing.sent_bytes(), total));
                    let (client, reference) = (self.session.client().clone(), self.reference.clone());
                    let places = Arc::clone(&places);
                    uploads.spawn(async move {
                        let _place = places.acquire_owned().await;
                        (layer, upload(&client, &reference, growing).await)
                    });
                }
                Some(done) = uploads.join_next() => {
                    let (layer, done) = done.map_err(|died| UploadError::NotMade(died.to_string()))?;
                    done?;
                    under_way.remove(&layer);
                    self.tell(&layer, LayerState::Pushed);
                }
                _ = tick.tick(), if !under_way.is_empty() => {
                    for (layer, (sent, total)) in &under_way {
                        let done = sent.load(Relaxed);
                        if done > 0 {
                            self.tell(layer, LayerState::Pushing { done, total: *total });
                        }
                    }
                }
                else => return Ok(()),
            }
        }
    }

    fn tell(&self, layer: &str, state: LayerState) {
        let event = LayerEvent { layer: layer.to_owned(), state };
        (self.draw.lock().unwrap_or_else(PoisonError::into_inner))(event);
    }

    fn refused(&self, error: UploadError) -> Error {
        refused(self.reference, error)
    }
}

/// Configs, then a manifest under the tag; or, where there are several or something is said about them, manifests under their digests, and
/// under the tag an index of all that. Answers the digest and the length of what has the tag.
async fn publish(client: &Client, reference: &Reference, all: &[Arrived<'_>]) -> Result<(Digest, u64), UploadError> {
    for Arrived { image, .. } in all {
        upload_bytes(client, reference, &image.id.0, &image.config_bytes).await?;
    }
    if let [Arrived { manifest, manifest_bytes, said: None, .. }] = all {
        let digest = client.put_manifest(reference, &manifest.media_type, manifest_bytes.clone()).await?;
        return Ok((digest, manifest.size));
    }
    let by_digest = |descriptor: &Descriptor| reference.with_digest(descriptor.digest.0.clone());
    let (mut manifests, mut said) = (Vec::new(), Vec::new());
    for arrived in all {
        let manifest = &arrived.manifest;
        client.put_manifest(&by_digest(manifest), &manifest.media_type, arrived.manifest_bytes.clone()).await?;
        manifests.push((manifest.clone(), arrived.image.config.platform()));
    }
    for Attestations { blobs, manifest: (entry, entry_bytes) } in all.iter().filter_map(|arrived| arrived.said.as_ref())
    {
        for (blob, bytes) in blobs {
            upload_bytes(client, reference, &blob.digest.0, bytes).await?;
        }
        client.put_manifest(&by_digest(entry), &entry.media_type, entry_bytes.clone()).await?;
        said.push(entry.clone());
    }
    // Those of one build have one form.
    let form = all.first().map(|arrived| arrived.form.clone()).unwrap_or_default();
    let (index, bytes) = attestation::index(&manifests, &said, &form);
    Ok((client.put_manifest(reference, &index.media_type, bytes).await?, index.size))
}

fn refused(reference: &Reference, error: UploadError) -> Error {
    match error {
        UploadError::Client(error) => Error::from_push(reference, error),
        UploadError::NotMade(_) => Error::other("pushing")(error),
    }
}

fn died() -> Error {
    Error::io("pushing")(std::io::Error::other("a thread died"))
}

/// A layer on its way.
struct Parcel {
    layer: String,
    total: u64,
    growing: Growing,
}

/// The blob that the registry has of a layer, and how it came to it.
pub(crate) async fn known(
    client: &Client,
    reference: &Reference,
    origins: &[Origin],
) -> Result<Option<(Descriptor, LayerState)>, ClientError> {
    for Origin { blob, repositories } in origins.iter().take(NAMES) {
        if client.blob_size(reference, &blob.digest).await?.is_some_and(|size| size == blob.size) {
            return Ok(Some((blob.clone(), LayerState::LayerExists)));
        }
        let here =
            |repository: &String| Some(repository.strip_prefix(reference.registry())?.strip_prefix('/')?.to_owned());
        let others = repositories.iter().rev().filter_map(here).filter(|path| path != reference.path());
        // Each that fails leaves an upload behind, which the registry forgets in time.
        for path in others.take(1) {
            match client.begin_upload(reference, Some((&blob.digest, &path))).await {
                Ok(Begun::Mounted) => return Ok(Some((blob.clone(), LayerState::MountedFrom(path)))),
                // It need not know how to mount, nor know that repository any more: then the layer is sent.
                Ok(Begun::Upload(_)) | Err(ClientError::NotFound { .. } | ClientError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

/// The manifest that names these layers: the one the image came with where that is it.
fn manifest(
    image: &Image,
    original: Option<(Descriptor, Vec<u8>)>,
    layers: &[(DiffId, Descriptor)],
    form: &Form,
) -> (Descriptor, Vec<u8>) {
    if let Some((descriptor, bytes)) = original
        && *form == Form::default()
        && let Ok(read) = store::read_manifest(&descriptor, &bytes)
        && read.layers.iter().map(|layer| &layer.digest).eq(layers.iter().map(|(_, blob)| &blob.digest))
    {
        return (Descriptor::of(&descriptor.media_type, &bytes), bytes);
    }
    let layers = layers.iter().map(|(diff_id, blob)| (diff_id, blob));
    form.manifest(&image.config.platform(), &image.config_bytes, layers)
}
