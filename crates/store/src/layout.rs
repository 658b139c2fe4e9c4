//! Where the files of saved images go: into a tar, or into a directory, which is an OCI layout that more images may come to.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use spec::image::{Descriptor, media};

use crate::archive::DOCUMENT_LIMIT;
use crate::tar::{Entry, Kind, Time, Writer};

/// containerd's and Docker's word for the whole name of an image, in a layout's index.
pub(crate) const NAME: &str = "io.containerd.image.name";
/// The specification's word, which is mostly a tag.
pub(crate) const TAG: &str = "org.opencontainers.image.ref.name";
/// What says that a directory is a layout.
pub(crate) const MARK: &str = "oci-layout";
/// And of which version.
pub(crate) const VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Files by their names in the layout.
pub(crate) trait Files {
    fn dir(&mut self, path: &str) -> io::Result<()>;
    /// Of `body` exactly `size` bytes are taken.
    fn file(&mut self, path: &str, size: u64, body: &mut dyn Read) -> io::Result<()>;
    /// Whether it is there already.
    fn has(&self, path: &str, size: u64) -> bool;
    /// What was written is not what it should be.
    fn forget(&mut self, path: &str);
}

impl<W: Write> Files for Writer<W> {
    fn dir(&mut self, path: &str) -> io::Result<()> {
        self.append(&entry(path, Kind::Dir, 0o755), &mut io::empty())
    }

    fn file(&mut self, path: &str, size: u64, body: &mut dyn Read) -> io::Result<()> {
        self.append(&entry(path, Kind::File { size, sparse: None }, 0o644), body)
    }

    fn has(&self, _: &str, _: u64) -> bool {
        false
    }

    /// Whoever writes ends here: it is no archive.
    fn forget(&mut self, _: &str) {}
}

fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
    let path = path.as_bytes().to_vec();
    Entry { path, kind, mode, uid: 0, gid: 0, mtime: Time::default(), xattrs: BTreeMap::new() }
}

/// A layout in a directory.
pub(crate) struct Directory {
    dir: PathBuf,
}

impl Directory {
    pub(crate) fn open(dir: &Path) -> io::Result<Directory> {
        fs::create_dir_all(dir)?;
        Ok(Directory { dir: dir.to_owned() })
    }

    /// Adds lines to the index, whatever else is in it (BuildKit `ociindex.StoreIndex.Put`).
    pub(crate) fn extend(&mut self, entries: &[Descriptor]) -> io::Result<()> {
        let place = File::open(&self.dir)?;
        // Others may add to it at the same time.
        flock(&place, FlockOperation::LockExclusive)?;
        self.file(MARK, VERSION.len() as u64, &mut &VERSION[..])?;
        let mut index = self.index()?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the index.json that is there is no index");
        let lines = index.as_object_mut().ok_or_else(damaged)?.entry("manifests").or_insert_with(|| json!([]));
        if lines.is_null() {
            *lines = json!([]);
        }
        let lines = lines.as_array_mut().ok_or_else(damaged)?;
        for entry in entries {
            let entry = serde_json::to_value(entry)?;
            let has_name = entry["annotations"][NAME].is_string();
            let same =
                |line: &Value| [NAME, TAG].iter().all(|key| line["annotations"][*key] == entry["annotations"][*key]);
            lines.retain(|line| if has_name { !same(line) } else { *line != entry });
            lines.push(entry);
        }
        let text = serde_json::to_vec(&index)?;
        self.file("index.json", text.len() as u64, &mut text.as_slice())
    }

    fn index(&self) -> io::Result<Value> {
        let mut text = Vec::new();
        match File::open(self.dir.join("index.json")) {
            Ok(file) => drop(file.take(DOCUMENT_LIMIT).read_to_end(&mut text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        if text.is_empty() {
            return Ok(json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [] }));
        }
        serde_json::from_slice(&text)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("the index.json that is there: {e}")))
    }
}

impl Files for Directory {
    fn dir(&mut self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.dir.join(path))
    }

    /// Whole, or not at all.
    fn file(&mut self, path: &str, size: u64, body: &mut dyn Read) -> io::Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let aside = self.dir.join(format!(".kist-{}-{number}", std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&aside)?;
            if io::copy(&mut body.take(size), &mut file)? < size {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
            }
            fs::rename(&aside, self.dir.join(path))
        })();
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn has(&self, path: &str, size: u64) -> bool {
        fs::symlink_metadata(self.dir.join(path)).is_ok_and(|there| there.is_file() && there.len() == size)
    }

    fn forget(&mut self, path: &str) {
        let _ = fs::remove_file(self.dir.join(path));
    }
}

#[cfg(test)]
mod tests {
    use testkit::{ImageBuilder, Root};

    use super::*;
    use crate::{LayoutImage, LoadEvent, Saved, Store};

    fn saved(store: &Store, name: &str) -> Saved {
        let image = store.resolve(name).unwrap();
        Saved { images: vec![(image, Vec::new())], names: vec![name.parse().unwrap()], form: Default::default() }
    }

    #[test]
    fn a_layout_takes_more_images_and_a_name_means_the_last() {
        let root = Root::new();
        let store = Store::open(&root.join("one")).unwrap();
        for (name, text) in [("x:1", "a"), ("x:2", "b")] {
            let image = ImageBuilder::new().name(name).file("a", 0o644, text);
            store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        }
        let dir = root.join("layout");
        root.write("layout/index.json", r#"{"schemaVersion":2,"other":1,"manifests":[{"kept":true}]}"#);
        store.save_layout(&[saved(&store, "x:1")], &dir).unwrap();
        let second = Saved { names: vec!["x:1".parse().unwrap()], ..saved(&store, "x:2") };
        for _ in 0..2 {
            store.save_layout(&[saved(&store, "x:2"), second.clone()], &dir).unwrap();
        }
        let index: Value = serde_json::from_slice(&fs::read(dir.join("index.json")).unwrap()).unwrap();
        assert_eq!((&index["other"], &index["manifests"][0]["kept"]), (&json!(1), &json!(true)));
        let lines = index["manifests"].as_array().unwrap();
        let tags: Vec<&str> = lines.iter().filter_map(|line| line["annotations"][TAG].as_str()).collect();
        assert_eq!(tags, ["2", "1"]);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 3, "nothing else is left there");
        root.write("layout/index.json", "[]");
        assert!(store.save_layout(&[saved(&store, "x:1")], &dir).is_err());
        assert_eq!(fs::read(dir.join("index.json")).unwrap(), b"[]");
    }

    #[test]
    fn an_image_of_a_layout_is_read_and_checked() {
        let root = Root::new();
        let (one, two) = (Store::open(&root.join("one")).unwrap(), Store::open(&root.join("two")).unwrap());
        let image = ImageBuilder::new().name("x:1").file("a", 0o644, "a");
        one.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let dir = root.join("layout");
        one.save_layout(&[saved(&one, "x:1")], &dir).unwrap();
        let platform = one.resolve("x:1").unwrap().config.platform();
        let open = || rustix::fs::open(&dir, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        let load = |tag: &str, digest: Option<&str>| {
            let digest = digest.map(|digest| digest.parse().unwrap());
            two.load_layout(open(), &LayoutImage { tag, digest: digest.as_ref() }, &platform, &mut |_| {})
        };
        let index: Value = serde_json::from_slice(&fs::read(dir.join("index.json")).unwrap()).unwrap();
        let digest = index["manifests"][0]["digest"].as_str().unwrap();
        // The only one is meant whatever it is called.
        for (tag, digest) in [("1", None), ("latest", None), ("docker.io/library/x:1", None), ("latest", Some(digest))]
        {
            assert_eq!(load(tag, digest).unwrap().id, one.resolve("x:1").unwrap().id);
        }
        assert!(two.all_names().unwrap().is_empty() || two.resolve("x:1").is_err(), "names stay where they are");
        let zeros = format!("sha256:{}", "0".repeat(64));
        assert!(load("1", Some(&zeros)).is_err());
        // Another's bytes, a link that leads out, no file at all.
        let blob = root.write(&format!("layout/blobs/sha256/{}", digest.trim_start_matches("sha256:")), "{}");
        assert!(load("1", None).is_err() && load("1", Some(digest)).is_err());
        fs::remove_file(&blob).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &blob).unwrap();
        assert!(load("1", None).is_err());
        fs::remove_file(&blob).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &blob, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(load("1", None).is_err());
    }
}
