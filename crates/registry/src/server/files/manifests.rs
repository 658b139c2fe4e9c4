//! Manifests, the tags that mean them, and who refers to whom.

use std::fs;

use disk::{Durability, Record};
use serde::{Deserialize, Serialize};
use spec::digest::BlobDigest;

use super::{Files, Place, digest_file, digest_of_file, found, list, make_dir, sync_dir, unlink};
use crate::server::document::Document;
use crate::server::names::{Repository, Tag, Which};
use crate::server::storage::{Demand, Listed, Manifest, More, Page, Referrers, StorageError};

/// How much of annotations and the like one list of referrers holds: a manifest's least limit in the specification.
const REFERRERS_MAX: usize = 4 << 20;

/// `manifests/<algorithm>-<hex>`: that the repository has the manifest; its bytes lie among the blobs.
#[derive(Serialize, Deserialize)]
pub(super) struct ManifestRecord {
    media_type: String,
}

impl Record for ManifestRecord {
    const FILE: &'static str = "manifest.json";
    const FORMAT: u32 = 1;
}

/// `tags/<tag>`.
#[derive(Serialize, Deserialize)]
pub(super) struct TagRecord {
    digest: BlobDigest,
}

impl Record for TagRecord {
    const FILE: &'static str = "tag.json";
    const FORMAT: u32 = 1;
}

impl Files {
    pub(super) fn list_tags(&self, repository: &Repository, page: &Page) -> Result<Listed, StorageError> {
        let place = self.place(repository);
        let names = list(&place.tags())?;
        if names.is_empty() && !place.is_known()? {
            return Err(StorageError::NameUnknown(repository.clone()));
        }
        Ok(page.of(names))
    }

    pub(super) fn read_manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, StorageError> {
        let place = self.place(repository);
        let unknown = || StorageError::ManifestUnknown(which.clone());
        let digest = match which {
            Which::Digest(digest) => digest.clone(),
            Which::Tag(tag) => disk::read_at::<TagRecord>(&place.tag(tag))?.ok_or_else(unknown)?.digest,
        };
        let record = disk::read_at::<ManifestRecord>(&place.manifest(&digest))?.ok_or_else(unknown)?;
        let path = self.blob_file(&digest);
        // Between the two looks it may have been deleted and collected.
        let bytes = found(fs::read(&path), "reading", &path)?.ok_or_else(unknown)?;
        Ok(Manifest { media_type: record.media_type, digest, bytes })
    }

    pub(super) fn write_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tags: &[Tag],
        demand: Demand,
    ) -> Result<Option<BlobDigest>, StorageError> {
        let document = Document::read(&manifest.media_type, &manifest.bytes)?;
        let place = self.place(repository);
        let _shared = self.share()?;
        for dir in [place.manifests(), place.tags()] {
            make_dir(&dir)?;
        }
        let _held = place.lock()?;
        if demand == Demand::Complete {
            self.all_there(repository, &document)?;
        }

        let digest = &manifest.digest;
        if self.open_blob(digest)?.is_none() {
            let path = self.blob_file(digest);
            disk::replace(&path, &manifest.bytes, Durability::Durable).map_err(StorageError::io("writing", &path))?;
        }
        let subject = document.subject().cloned();
        if let Some(subject) = &subject {
            let dir = place.referrers_of(subject);
            make_dir(&dir)?;
            let entry = dir.join(digest_file(digest));
            disk::replace(&entry, b"", Durability::Durable).map_err(StorageError::io("writing", &entry))?;
        }
        let record = ManifestRecord { media_type: document.media_type().to_owned() };
        disk::write_at(&place.manifest(digest), &record, Durability::Durable)?;
        for tag in tags {
            disk::write_at(&place.tag(tag), &TagRecord { digest: digest.clone() }, Durability::Durable)?;
        }
        Ok(subject)
    }

    /// Refuses a document that refers to what this repository has not. Needs the lock.
    fn all_there(&self, repository: &Repository, document: &Document) -> Result<(), StorageError> {
        let place = self.place(repository);
        let mut missing = Vec::new();
        for digest in document.blobs() {
            if !self.marked(repository, digest)? || self.open_blob(digest)?.is_none() {
                missing.push(digest.clone());
            }
        }
        for digest in document.members() {
            // An index may list blobs: BuildKit keeps its cache so.
            let manifest = disk::read_at::<ManifestRecord>(&place.manifest(digest))?.is_some();
            if !manifest && !self.marked(repository, digest)? || self.open_blob(digest)?.is_none() {
                missing.push(digest.clone());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(StorageError::BlobsMissing(missing)) }
    }

    pub(super) fn remove_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StorageError> {
        let place = self.place(repository);
        let unknown = || StorageError::ManifestUnknown(Which::Tag(tag.clone()));
        let _shared = self.share()?;
        if !place.is_there() {
            return Err(unknown());
        }
        let _held = place.lock()?;
        if unlink(&place.tag(tag))? { sync_dir(&place.tags()) } else { Err(unknown()) }
    }

    /// First what leads to it, so that a crash leaves a manifest that is found by its digest alone.
    pub(super) fn remove_manifest(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError> {
        let which = Which::Digest(digest.clone());
        let place = self.place(repository);
        let _shared = self.share()?;
        if !place.is_there() {
            return Err(StorageError::ManifestUnknown(which));
        }
        let _held = place.lock()?;
        let manifest = self.read_manifest(repository, &which)?;
        for name in list(&place.tags())? {
            let path = place.tags().join(name);
            if disk::read_at::<TagRecord>(&path)?.is_some_and(|tag| tag.digest == *digest) {
                unlink(&path)?;
            }
        }
        sync_dir(&place.tags())?;
        unlink(&place.manifest(digest))?;
        sync_dir(&place.manifests())?;
        let document = Document::read(&manifest.media_type, &manifest.bytes)?;
        match document.subject() {
            Some(subject) => unlink(&place.referrers_of(subject).join(digest_file(digest))).map(drop),
            None => Ok(()),
        }
    }

    /// The index holds names only; what a referrer is called is read from it. An entry without a manifest is what a crash left.
    pub(super) fn list_referrers(
        &self,
        repository: &Repository,
        subject: &BlobDigest,
        after: Option<&BlobDigest>,
    ) -> Result<Referrers, StorageError> {
        let mut referrers = Referrers { found: Vec::new(), more: More::No };
        let mut bytes = 0;
        for name in list(&self.place(repository).referrers_of(subject))? {
            let Some(digest) = digest_of_file(&name).filter(|digest| after.is_none_or(|after| digest > after)) else {
                continue;
            };
            let manifest = match self.read_manifest(repository, &Which::Digest(digest)) {
                Err(StorageError::ManifestUnknown(_)) => continue,
                other => other?,
            };
            bytes += manifest.bytes.len();
            if bytes > REFERRERS_MAX && !referrers.found.is_empty() {
                referrers.more = More::Yes;
                break;
            }
            let document = Document::read(&manifest.media_type, &manifest.bytes)?;
            referrers.found.push(document.descriptor(manifest.digest, manifest.bytes.len()));
        }
        Ok(referrers)
    }

    /// The digests of a repository's manifests.
    pub(super) fn manifests_of(&self, place: &Place) -> Result<Vec<BlobDigest>, StorageError> {
        Ok(list(&place.manifests())?.iter().filter_map(|name| digest_of_file(name)).collect())
    }
}
