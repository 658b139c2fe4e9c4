//! Which images an archive holds, and where their parts are. Reads documents only; layers are checked when they are unpacked.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use spec::digest::{Algorithm, BlobDigest, Digest, Hasher, ImageId};
use spec::image::{Descriptor, ImageConfig, Index, Manifest, media};
use spec::platform::Platform;
use spec::reference::Reference;

use super::{LoadError, Members};

/// Indexes within indexes: one is usual.
const DEPTH_LIMIT: usize = 4;

/// One image to come.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) names: Vec<Reference>,
    pub(crate) config: Descriptor,
    pub(crate) config_bytes: Vec<u8>,
    pub(crate) document: ImageConfig,
    pub(crate) manifest: Option<(Descriptor, Vec<u8>)>,
    /// Lowest first; as many as the config has diff ids.
    pub(crate) layers: Vec<Source>,
}

/// Where a layer's bytes are.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) member: String,
    /// Of the bytes as they are there.
    pub(crate) digest: Option<BlobDigest>,
}

impl Plan {
    pub(crate) fn id(&self) -> ImageId {
        ImageId(self.config.digest.0.clone())
    }
}

/// An item of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// All images of an archive; of those for several platforms, the one for `wanted` or else for this machine.
pub(crate) fn plans(members: &Members, wanted: Option<&Platform>) -> Result<Vec<Plan>, LoadError> {
    let machine = Platform::host();
    let platform = wanted.unwrap_or(&machine);
    let mut plans: Vec<Plan> = Vec::new();
    let index: Option<Index> = document(members, "index.json")?;
    let items: Option<Vec<Item>> = document(members, "manifest.json")?;
    if index.is_none() && items.is_none() {
        return Err(LoadError::NotAnImage);
    }
    if let Some(index) = &index {
        from_layout(members, index, platform, &mut plans)?;
    }
    for item in items.into_iter().flatten() {
        add(&mut plans, from_item(members, item)?);
    }
    if plans.is_empty() {
        return Err(LoadError::NotAnImage);
    }
    if let Some(wanted) = wanted {
        require(&plans, wanted)?;
    }
    Ok(plans)
}

/// Which image of a layout is meant.
#[derive(Clone, Copy, Debug)]
pub struct LayoutImage<'a> {
    /// Its name or tag; if none has it, the only image there is.
    pub tag: &'a str,
    /// Its manifest, or an index: then it counts, and nothing else.
    pub digest: Option<&'a Digest>,
}

/// One image of a layout, for this platform (buildx `resolveDigest`). It brings no names along.
pub(crate) fn plan_of(members: &Members, image: &LayoutImage<'_>, platform: &Platform) -> Result<Plan, LoadError> {
    let top = match image.digest {
        Some(digest) => by_digest(members, digest)?,
        None => by_tag(&document(members, "index.json")?.ok_or(LoadError::NotAnImage)?, image.tag)?,
    };
    let (manifest, bytes) = choose(members, &top, platform, 0)?;
    let plan = from_manifest(members, manifest, bytes)?;
    require(std::slice::from_ref(&plan), platform)?;
    Ok(plan)
}

fn by_tag(index: &Index, tag: &str) -> Result<Descriptor, LoadError> {
    let called = |key: &str| index.manifests.iter().find(|d| d.annotations.get(key).is_some_and(|name| name == tag));
    let found = called(crate::layout::NAME).or_else(|| called(crate::layout::TAG));
    match (found, index.manifests.as_slice()) {
        (Some(found), _) | (None, [found]) => Ok(found.clone()),
        (None, _) => Err(LoadError::Missing(format!("an image called {tag}"))),
    }
}

/// What a digest alone points to says itself what it is.
fn by_digest(members: &Members, digest: &Digest) -> Result<Descriptor, LoadError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        media_type: Option<String>,
        manifests: Option<Vec<serde::de::IgnoredAny>>,
    }
    let name = member(digest);
    let bytes = members.document(&name)?.ok_or_else(|| LoadError::Missing(name.clone()))?;
    let kind: Kind = parse(&name, &bytes)?;
    let usual = if kind.manifests.is_some() { media::INDEX } else { media::MANIFEST };
    let media_type = kind.media_type.unwrap_or_else(|| usual.to_owned());
    // Whether it is what the digest says is found when it is read as this.
    Ok(Descriptor { digest: BlobDigest(digest.clone()), ..Descriptor::of(&media_type, &bytes) })
}

/// An image may be for one platform only and say so nowhere but in its config.
pub(crate) fn require(plans: &[Plan], wanted: &Platform) -> Result<(), LoadError> {
    let Some(other) = plans.iter().find(|plan| !wanted.runs(&plan.document.platform())) else { return Ok(()) };
    let image = other.names.first().map_or_else(|| other.id().short().to_owned(), Reference::familiar);
    Err(LoadError::OtherPlatform { want: wanted.clone(), image, is: other.document.platform().to_string() })
}

/// The same image under more names is one image.
fn add(plans: &mut Vec<Plan>, plan: Plan) {
    match plans.iter_mut().find(|other| other.config.digest == plan.config.digest) {
        None => plans.push(plan),
        Some(other) => {
            other.names.extend(plan.names);
            other.names.sort();
            other.names.dedup();
        }
    }
}

fn from_layout(members: &Members, index: &Index, platform: &Platform, plans: &mut Vec<Plan>) -> Result<(), LoadError> {
    let runs = |d: &&Descriptor| d.platform.as_ref().is_none_or(|p| platform.runs(p));
    let images: Vec<_> = index.images().collect();
    let some_runs = images.iter().any(runs);
    for descriptor in images {
        // Several platforms side by side; when none fits, the user gets what there is, as from `docker load`.
        if some_runs && !runs(&descriptor) {
            continue;
        }
        let (manifest, manifest_bytes) = choose(members, descriptor, platform, 0)?;
        let mut plan = from_manifest(members, manifest, manifest_bytes)?;
        plan.names.extend(name_of(descriptor));
        add(plans, plan);
    }
    Ok(())
}

/// The manifest that `descriptor` is or leads to.
fn choose(
    members: &Members,
    descriptor: &Descriptor,
    platform: &Platform,
    depth: usize,
) -> Result<(Descriptor, Vec<u8>), LoadError> {
    match descriptor.media_type.as_str() {
        media::MANIFEST | media::DOCKER_MANIFEST => return Ok((descriptor.clone(), blob(members, descriptor)?)),
        media::INDEX | media::DOCKER_INDEX if depth < DEPTH_LIMIT => {}
        media::INDEX | media::DOCKER_INDEX => {
            return Err(LoadError::Contradiction(format!("more than {DEPTH_LIMIT} indexes within each other")));
        }
        other => return Err(LoadError::Artifact(other.to_owned())),
    }
    let bytes = blob(members, descriptor)?;
    let index: Index = parse(&descriptor.digest.to_string(), &bytes)?;
    let no_platform = || LoadError::NoPlatform { want: platform.clone(), have: index.platforms() };
    let chosen = index.for_platform(platform).ok_or_else(no_platform)?;
    choose(members, chosen, platform, depth + 1)
}

fn from_manifest(members: &Members, descriptor: Descriptor, bytes: Vec<u8>) -> Result<Plan, LoadError> {
    let manifest = manifest(&descriptor, &bytes)?;
    let config_bytes = blob(members, &manifest.config)?;
    of_manifest(Vec::new(), (descriptor, bytes), manifest, config_bytes)
}

/// Reads an image's manifest, whose digest was compared; refuses what is no image.
pub(crate) fn manifest(descriptor: &Descriptor, bytes: &[u8]) -> Result<Manifest, LoadError> {
    let manifest: Manifest = parse(&descriptor.digest.to_string(), bytes)?;
    if let Some(kind) = &manifest.artifact_type {
        return Err(LoadError::Artifact(kind.clone()));
    }
    match manifest.config.media_type.as_str() {
        media::CONFIG | media::DOCKER_CONFIG => Ok(manifest),
        other => Err(LoadError::Artifact(other.to_owned())),
    }
}

/// The image of a manifest, whose config has come.
pub(crate) fn of_manifest(
    names: Vec<Reference>,
    (descriptor, bytes): (Descriptor, Vec<u8>),
    manifest: Manifest,
    config_bytes: Vec<u8>,
) -> Result<Plan, LoadError> {
    let source = |layer: &Descriptor| Source { member: member(&layer.digest.0), digest: Some(layer.digest.clone()) };
    let layers = manifest.layers.iter().map(source).collect();
    let descriptor = Descriptor { platform: None, annotations: std::collections::BTreeMap::new(), ..descriptor };
    plan(names, manifest.config, config_bytes, Some((descriptor, bytes)), layers)
}

fn from_item(members: &Members, item: Item) -> Result<Plan, LoadError> {
    let bytes = members.document(&item.config)?.ok_or_else(|| LoadError::Missing(item.config.clone()))?;
    let got = Digest::sha256(&bytes);
    // `<hex>.json`, or since Docker 25 `blobs/sha256/<hex>`: a name that says a digest shall be true.
    let stem = item.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    if let Ok(want) = format!("sha256:{stem}").parse::<Digest>()
        && want != got
    {
        return Err(LoadError::Corrupt { name: item.config, want, got });
    }
    let mut names = Vec::new();
    for tag in item.repo_tags.into_iter().flatten() {
        names.push(tag.parse().map_err(|e| LoadError::Contradiction(format!("{e}: {tag:?}")))?);
    }
    let layers = item.layers.into_iter().flatten().map(|member| Source { digest: named_digest(&member), member });
    let config = Descriptor::of(media::DOCKER_CONFIG, &bytes);
    plan(names, config, bytes, None, layers.collect())
}

fn plan(
    names: Vec<Reference>,
    config: Descriptor,
    config_bytes: Vec<u8>,
    manifest: Option<(Descriptor, Vec<u8>)>,
    layers: Vec<Source>,
) -> Result<Plan, LoadError> {
    let document: ImageConfig = parse(&format!("the image config {}", config.digest), &config_bytes)?;
    let (has, says) = (layers.len(), document.rootfs.diff_ids.len());
    if has != says {
        return Err(LoadError::Contradiction(format!(
            "invalid manifest, layers length mismatch: expected {has}, got {says}"
        )));
    }
    Ok(Plan { names, config, config_bytes, document, manifest, layers })
}

/// `blobs/sha256/<hex>` says what it holds.
fn named_digest(member: &str) -> Option<BlobDigest> {
    let hex = member.strip_prefix("blobs/sha256/")?;
    format!("sha256:{hex}").parse().ok().map(BlobDigest)
}

fn member(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// A document by its digest, which is checked before anything is read in it.
fn blob(members: &Members, descriptor: &Descriptor) -> Result<Vec<u8>, LoadError> {
    let want = &descriptor.digest.0;
    let name = member(want);
    if want.algorithm() != Algorithm::Sha256 {
        return Err(LoadError::Contradiction(format!(
            "documents under {} digests are not stored: {want}",
            want.algorithm().name()
        )));
    }
    let bytes = members.document(&name)?.ok_or_else(|| LoadError::Missing(name.clone()))?;
    if bytes.len() as u64 != descriptor.size {
        return Err(LoadError::Contradiction(format!("{name} is {} bytes long, not {}", bytes.len(), descriptor.size)));
    }
    let mut hasher = Hasher::new(want.algorithm());
    hasher.update(&bytes);
    let got = hasher.finish();
    if got != *want {
        return Err(LoadError::Corrupt { name, want: want.clone(), got });
    }
    Ok(bytes)
}

/// containerd and Docker write the whole name; others write `ref.name`, which by the specification may be a bare tag and then names
/// nothing.
fn name_of(descriptor: &Descriptor) -> Option<Reference> {
    let whole = descriptor.annotations.get("io.containerd.image.name");
    let other = descriptor.annotations.get("org.opencontainers.image.ref.name");
    let text = whole.or_else(|| other.filter(|text| text.contains([':', '/'])))?;
    text.parse().ok()
}

fn document<T: DeserializeOwned>(members: &Members, name: &str) -> Result<Option<T>, LoadError> {
    members.document(name)?.map(|bytes| parse(name, &bytes)).transpose()
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(bytes).map_err(|source| LoadError::Document { name: name.to_owned(), source })
}
