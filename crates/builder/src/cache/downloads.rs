//! Files that `ADD https://…` brought, with what their servers said of them: asked again, a server need only say that nothing changed
//! (BuildKit's `source/http`). One for each address, the last.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use disk::{DiskError, Durability, Record, faults};
use serde::{Deserialize, Serialize};
use spec::digest::Digest;
use spec::time::Time;
use store::Store;

use super::session::{random, temporary};
use super::{CacheError, Session, make_dir, names};
use crate::Fetched;
use crate::attest::provenance::without_credentials;
use crate::copy::hash_download;

/// `downloads/<hash of the address>/download.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DownloadRecord {
    /// The address, without user and password.
    pub(crate) url: String,
    /// Of `data`.
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    /// What the server said.
    pub(crate) fetched: Fetched,
    pub(crate) created: Time,
    /// When a build last wanted it.
    pub(crate) last_used: Time,
    /// How often.
    pub(crate) uses: u64,
}

impl Record for DownloadRecord {
    const FILE: &'static str = "download.json";
    const FORMAT: u32 = 1;
}

/// A file that is here.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) file: File,
    pub(crate) record: DownloadRecord,
    dir: PathBuf,
}

/// One on its way: a file that goes with the build, unless it is kept.
#[derive(Debug)]
pub(crate) struct Coming {
    pub(crate) file: File,
    dir: PathBuf,
}

const DATA: &str = "data";

fn downloads(store: &Store) -> PathBuf {
    store.build_cache_dir().join("downloads")
}

impl Kept {
    /// What is here of an address. What is damaged is not here.
    pub(crate) fn find(store: &Store, url: &str) -> Result<Option<Kept>, CacheError> {
        let dir = downloads(store).join(Digest::sha256(url.as_bytes()).hex());
        let Ok(Some(record)) = disk::read::<DownloadRecord>(&dir) else { return Ok(None) };
        let file = match File::open(dir.join(DATA)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(CacheError::io("opening", &dir))?,
        };
        // Record and file of two builds may stand together for a moment.
        Ok(hash_download(&file, Some(&record.digest)).is_ok().then_some(Kept { file, record, dir }))
    }

    /// Writes down that it was wanted.
    pub(crate) fn used(&mut self) -> Result<(), CacheError> {
        self.record.last_used = disk::now();
        self.record.uses += 1;
        match disk::write(&self.dir, &self.record, Durability::Volatile) {
            // Pruned meanwhile: the file is open.
            Err(e) if e.io().is_some_and(|e| e.kind() == io::ErrorKind::NotFound) => Ok(()),
            other => Ok(other?),
        }
    }
}

impl Coming {
    pub(crate) fn begin(session: &Session) -> Result<Coming, CacheError> {
        let dir = session.temporary()?;
        let path = dir.join(DATA);
        let made = File::options().read(true).write(true).create_new(true).open(&path);
        Ok(Coming { file: made.map_err(CacheError::io("making", &path))?, dir })
    }

    /// Keeps it in the place of what was here of this address.
    pub(crate) fn keep(
        &self,
        session: &Session,
        store: &Store,
        url: &str,
        digest: &Digest,
        fetched: &Fetched,
    ) -> Result<(), CacheError> {
        let size_bytes = self.file.metadata().map_err(CacheError::io("looking at", &self.dir))?.len();
        let (created, last_used) = (disk::now(), disk::now());
        let (url_said, digest) = (without_credentials(url), digest.clone());
        let fetched = fetched.clone();
        let record = DownloadRecord { url: url_said, digest, size_bytes, fetched, created, last_used, uses: 1 };
        disk::write(&self.dir, &record, Durability::Volatile)?;
        let all = downloads(store);
        make_dir(&all)?;
        let place = all.join(Digest::sha256(url.as_bytes()).hex());
        faults::act("keep download").map_err(CacheError::io("keeping", &place))?;
        // The old one goes with the build.
        match fs::rename(&place, session.temporary()?.join("old")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(CacheError::io("removing", &place))?,
        }
        match fs::rename(&self.dir, &place) {
            // Another build was as fast.
            Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            other => other.map_err(CacheError::io("keeping", &place)),
        }
    }
}

/// All there are. What lost its record is of no use to anybody, and goes.
pub(super) fn all(store: &Store) -> Result<Vec<(PathBuf, DownloadRecord)>, CacheError> {
    let mut found = Vec::new();
    for name in names(&downloads(store))? {
        let dir = downloads(store).join(name);
        match disk::read::<DownloadRecord>(&dir) {
            Ok(Some(record)) => found.push((dir, record)),
            Ok(None) | Err(DiskError::Damaged(..)) => remove(store, &dir)?,
            Err(DiskError::Io(..) | DiskError::Unwritten(..) | DiskError::Newer { .. }) => {}
        }
    }
    Ok(found)
}

/// Takes one away, at once: half of it lies where a dead build's files do. Who has its file open reads on.
pub(super) fn remove(store: &Store, dir: &Path) -> Result<(), CacheError> {
    make_dir(&temporary(store))?;
    let aside = temporary(store).join(random()?);
    match faults::act("remove download").and_then(|()| fs::rename(dir, &aside)) {
        // Somebody else was as fast.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.and_then(|()| disk::remove_tree(&aside)).map_err(CacheError::io("removing", dir)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validators;

    #[test]
    fn golden_record() {
        let time = Time::from_ns(1_000_000_000);
        let record = DownloadRecord {
            url: "https://a.example/x".into(),
            digest: Digest::sha256(b"{}"),
            size_bytes: 2,
            fetched: Fetched {
                file_name: Some("x".into()),
                modified_s: Some(7),
                validators: Validators { etag: Some("\"1\"".into()), modified: None },
            },
            created: time,
            last_used: time,
            uses: 1,
        };
        let text = r#"{"url":"https://a.example/x","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size_bytes":2,"fetched":{"file_name":"x","modified_s":7,"validators":{"etag":"\"1\""}},"created":"1970-01-01T00:00:01Z","last_used":"1970-01-01T00:00:01Z","uses":1}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(serde_json::from_str::<DownloadRecord>(text).unwrap(), record);
    }
}
