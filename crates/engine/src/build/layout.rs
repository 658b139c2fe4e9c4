//! `--build-context name=oci-layout://DIR[:tag][@digest]`: an image of a directory comes into the store, and is known there as if it
//! had been pulled by its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use spec::digest::Digest;
use spec::image::{Descriptor, Index, Manifest, media};
use spec::platform::Platform;
use spec::reference::Reference;
use store::tar::{Entry, Kind, Time, Writer};

use crate::error::Error;
use crate::host::Host;
use crate::image::load::{Archive, load};

/// No document of an image is larger.
const DOCUMENT_MAX_BYTES: u64 = 4 << 20;
/// No image has more blobs: a document may name itself.
const MOST_BLOBS: usize = 4096;
/// What a layout's image is called when nobody says.
const TAG: &str = "latest";

/// Takes the image that `text` (without `oci-layout://`) names. Answers what it is called in the store: `name`, and its digest.
///
/// # Errors
/// The directory is no layout or does not have it; it is not for `platform`; the store.
pub fn bring(
    host: &Host,
    working_dir: &Path,
    (name, text): (&str, &str),
    platform: &Platform,
) -> Result<Reference, Error> {
    let (dir, tag, digest) = parts(text)?;
    let dir = working_dir.join(dir);
    let chosen =
        choose(&dir, tag, digest.as_ref()).map_err(|why| Error::NotFound(format!("oci-layout://{text}: {why}")))?;
    let digest = chosen.digest.0.clone();
    let reference: Reference = name.parse().unwrap_or_else(|_| "oci-layout".parse().expect("it is a name"));
    let reference = reference.with_digest(digest);
    if host.store.resolve(&reference.to_string()).is_ok() {
        return Ok(reference);
    }
    let spool = host.store.spool()?;
    let mut spool = pack(&dir, chosen, spool).map_err(Error::io(format!("reading the layout {}", dir.display())))?;
    spool.rewind().map_err(Error::io("reading a layout's archive"))?;
    let loaded = load(host, Archive::File(spool), Some(platform), &mut |_| {})?;
    let Some(image) = loaded.first() else { return Err(Error::NotFound(format!("oci-layout://{text} has no image"))) };
    host.store.tag(&image.id, &reference)?;
    Ok(reference)
}

/// Directory, tag and digest.
fn parts(text: &str) -> Result<(PathBuf, &str, Option<Digest>), Error> {
    let (place, digest) = text.split_once('@').map_or((text, None), |(place, digest)| (place, Some(digest)));
    let digest = digest.map(str::parse).transpose();
    let digest = digest.map_err(|e| Error::Invalid(format!("oci-layout://{text}: {e}")))?;
    let (dir, tag) = match place.rsplit_once(':') {
        Some((dir, tag)) if !tag.contains('/') => (dir, tag),
        Some(_) | None => (place, TAG),
    };
    Ok((PathBuf::from(dir), tag, digest))
}

/// The line of the index that is meant.
fn choose(dir: &Path, tag: &str, digest: Option<&Digest>) -> Result<Descriptor, String> {
    let path = dir.join("index.json");
    let read = |e: io::Error| format!("{}: {e}", path.display());
    let bytes = document(&path).map_err(read)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|e| read(e.into()))?;
    let is_meant = |one: &&Descriptor| match digest {
        Some(digest) => one.digest.0 == *digest,
        None => one.annotations.get("org.opencontainers.image.ref.name").is_some_and(|name| name == tag),
    };
    let found = index.manifests.iter().find(is_meant).or(match index.manifests.as_slice() {
        [one] if digest.is_none() && tag == TAG => Some(one),
        _other => None,
    });
    found
        .cloned()
        .ok_or_else(|| format!("not found: index.json has nothing of that {}", digest.map_or("tag", |_| "digest")))
}

fn document(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(DOCUMENT_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes the image, and nothing else of the layout, as an archive.
fn pack(dir: &Path, chosen: Descriptor, out: File) -> io::Result<File> {
    let mut tar = Writer::new(out);
    let index = Index {
        schema_version: 2,
        media_type: Some(media::INDEX.to_owned()),
        manifests: vec![Descriptor { annotations: BTreeMap::new(), ..chosen.clone() }],
        annotations: BTreeMap::new(),
    };
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut tar, "index.json", &serde_json::to_vec(&index)?)?;
    let (mut todo, mut done) = (vec![chosen], BTreeSet::new());
    while let Some(blob) = todo.pop() {
        let digest = blob.digest.0;
        if done.len() >= MOST_BLOBS || !done.insert(digest.clone()) {
            continue;
        }
        let name = format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
        let path = dir.join(&name);
        // What is missing is missed by whoever reads the archive, if it matters there: of other platforms often nothing is here.
        let Some(meta) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else { continue };
        if meta.len() <= DOCUMENT_MAX_BYTES {
            todo.extend(named_by(&blob.media_type, &document(&path)?));
        }
        let entry = entry(&name, meta.len());
        tar.append(&entry, &mut File::open(&path)?.take(meta.len()))?;
    }
    tar.finish()
}

/// The blobs that a document names.
fn named_by(media_type: &str, bytes: &[u8]) -> Vec<Descriptor> {
    if media_type.contains("index") || media_type.contains("manifest.list") {
        return serde_json::from_slice::<Index>(bytes).map(|index| index.manifests).unwrap_or_default();
    }
    if !media_type.contains("manifest") {
        return Vec::new();
    }
    let manifest = serde_json::from_slice::<Manifest>(bytes);
    manifest.map(|manifest| [vec![manifest.config], manifest.layers].concat()).unwrap_or_default()
}

fn append(tar: &mut Writer<File>, name: &str, mut bytes: &[u8]) -> io::Result<()> {
    tar.append(&entry(name, bytes.len() as u64), &mut bytes)
}

fn entry(name: &str, size: u64) -> Entry {
    Entry {
        path: name.as_bytes().to_vec(),
        kind: Kind::File { size, sparse: None },
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Time::default(),
        xattrs: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_layout_is_a_directory_with_or_without_tag_and_digest() {
        let read =
            |text: &str| parts(text).map(|(dir, tag, digest)| format!("{} {tag} {}", dir.display(), digest.is_some()));
        assert_eq!(read("/a/b").unwrap(), "/a/b latest false");
        assert_eq!(read("/a:b/c").unwrap(), "/a:b/c latest false");
        assert_eq!(read("a:1.2").unwrap(), "a 1.2 false");
        assert_eq!(read(&format!("/a:x@sha256:{}", "1".repeat(64))).unwrap(), "/a x true");
        assert!(read("/a@sha256:1").is_err());
    }
}
