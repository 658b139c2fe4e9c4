//! Facts about the storage in a directory.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use disk::faults;
use expect_test::expect;
use rustix::io::Errno;
use spec::digest::Digest;
use testkit::Root;

use super::*;
use crate::server::document::DocumentError;

fn name(text: &str) -> Repository {
    text.parse().unwrap()
}

fn digest(bytes: &[u8]) -> BlobDigest {
    BlobDigest(Digest::sha256(bytes))
}

fn push(files: &Files, to: &Repository, bytes: &[u8]) -> Result<BlobDigest, StorageError> {
    let mut upload = files.begin(to, Algorithm::Sha256)?;
    upload.append(bytes)?;
    upload.finish(&digest(bytes))?;
    Ok(digest(bytes))
}

/// A manifest about a subject, of one layer.
fn manifest(layer: &BlobDigest, subject: &str) -> Manifest {
    let of = |digest: &BlobDigest| format!(r#"{{"mediaType":"x","size":1,"digest":"{digest}"}}"#);
    let bytes = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}],"subject":{}}}"#,
        of(layer),
        of(layer),
        of(&digest(subject.as_bytes()))
    );
    Manifest { media_type: spec::image::media::MANIFEST.into(), digest: digest(bytes.as_bytes()), bytes: bytes.into() }
}

fn put(files: &Files, to: &Repository, layer: &[u8], tag: &str) -> Result<Manifest, StorageError> {
    let manifest = manifest(&push(files, to, layer)?, "subject");
    files.put_manifest(to, &manifest, &[tag.parse().unwrap()], Demand::Complete)?;
    Ok(manifest)
}

/// All files below a directory.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_directory_can_be_read_with_cat() {
    let root = Root::new();
    let files = Files::open(root.path()).unwrap();
    put(&files, &name("library/a"), b"layer", "v1").unwrap();
    expect![[r#"
        blobs/sha256/c3741777c83687195e3e56ffde5f0afa14066dfe99601d60ac266acc442687ce
        blobs/sha256/dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85
        format.json
        lock
        repositories/library+a/.lock
        repositories/library+a/blobs/sha256-dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85
        repositories/library+a/manifests/sha256-c3741777c83687195e3e56ffde5f0afa14066dfe99601d60ac266acc442687ce
        repositories/library+a/referrers/sha256-a9491f4c1bf7b0cffbadcba2db8f028e4b3f2867cb59e1f3a0bc1968f3c51242/sha256-c3741777c83687195e3e56ffde5f0afa14066dfe99601d60ac266acc442687ce
        repositories/library+a/tags/v1
    "#]]
    .assert_eq(&(tree(root.path()).join("\n") + "\n"));
    let tag = fs::read_to_string(root.join("repositories/library+a/tags/v1")).unwrap();
    expect![[
        r#"{"format":1,"record":{"digest":"sha256:c3741777c83687195e3e56ffde5f0afa14066dfe99601d60ac266acc442687ce"}}"#
    ]]
    .assert_eq(&tag);
}

#[test]
fn a_fault_at_any_point_breaks_nothing() {
    for n in 1.. {
        let root = Root::new();
        let files = Files::open(root.path()).unwrap().with_grace(Duration::ZERO);
        let a = name("a");
        let kept = put(&files, &a, b"kept", "kept").unwrap();
        let gone = put(&files, &a, b"gone", "gone").unwrap();

        let armed = faults::fail_at(n, Errno::NOSPC);
        let done = (|| {
            put(&files, &a, b"new", "kept")?;
            files.mount(&name("b"), &digest(b"new"), Some(&a))?;
            files.delete_manifest(&a, &Which::Digest(gone.digest.clone()))?;
            files.collect()
        })();
        let hit = armed.hit();
        drop(armed);
        assert_eq!(done.is_err(), hit, "act {n}");

        // What is named is whole, whichever of the two it is.
        files.manifest(&a, &Which::Digest(kept.digest.clone())).unwrap();
        let tagged = files.manifest(&a, &Which::Tag("kept".parse().unwrap())).unwrap();
        assert_eq!(digest(&tagged.bytes), tagged.digest);
        files.blob(&a, &digest(b"kept")).map(drop).unwrap();
        for listed in files.referrers(&a, &digest(b"subject"), None).unwrap().found {
            files.manifest(&a, &Which::Digest(listed.digest)).unwrap();
        }
        // The same again works, and nothing but it stays.
        put(&files, &a, b"new", "kept").unwrap();
        let _ = files.delete_manifest(&a, &Which::Digest(gone.digest.clone()));
        std::thread::sleep(Duration::from_millis(2));
        files.collect().unwrap();
        let left = tree(root.path());
        let of = |word: &str| left.iter().filter(|path| path.contains(word)).count();
        assert_eq!(
            (of("blobs/sha256/"), of("aside/"), of("tags/"), of("manifests/")),
            (4, 0, 1, 2),
            "act {n}: {left:?}"
        );
        if !hit {
            assert!(n > 20, "only {n} acts");
            return;
        }
    }
}

#[test]
fn garbage_is_what_no_manifest_names_and_is_old() {
    let root = Root::new();
    let files = Files::open(root.path()).unwrap();
    let a = name("a");
    let image = put(&files, &a, b"layer", "v1").unwrap();
    push(&files, &a, b"soon needed").unwrap();
    push(&files, &name("b"), b"nothing else here").unwrap();
    let waiting = files.begin(&name("c"), Algorithm::Sha256).unwrap().id().clone();
    assert_eq!(files.collect().unwrap(), 0, "all of it is young");

    let old = files.clone().with_grace(Duration::ZERO);
    std::thread::sleep(Duration::from_millis(2));
    assert!(old.collect().unwrap() > 0);
    old.blob(&a, &digest(b"layer")).map(drop).unwrap();
    assert!(matches!(old.blob(&a, &digest(b"soon needed")), Err(StorageError::BlobUnknown(_))));
    assert_eq!(old.all().unwrap(), [a.clone(), name("c")], "an upload waits in its repository");

    let age = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let upload = fs::File::open(root.join("repositories/c/uploads").join(waiting.as_str())).unwrap();
    upload.set_times(FileTimes::new().set_modified(age)).unwrap();
    files.collect().unwrap();
    assert!(matches!(files.upload(&name("c"), &waiting), Err(StorageError::UploadUnknown(_))));

    old.delete_manifest(&a, &Which::Digest(image.digest)).unwrap();
    assert!(old.collect().unwrap() > 0);
    assert_eq!(old.all().unwrap(), [], "a repository without anything is none");
    assert_eq!(tree(root.path()), ["format.json", "lock"]);
}

#[test]
fn who_asks_for_a_blob_may_count_on_it() {
    let root = Root::new();
    let files = Files::open(root.path()).unwrap();
    let a = name("a");
    for bytes in [&b"asked"[..], b"mounted", b"pushed", b"nobody"] {
        push(&files, &a, bytes).unwrap();
        let blob = fs::File::open(files.blob_file(&digest(bytes))).unwrap();
        blob.set_times(FileTimes::new().set_modified(SystemTime::now() - 2 * GRACE)).unwrap();
    }
    files.blob(&a, &digest(b"asked")).map(drop).unwrap();
    files.mount(&name("b"), &digest(b"mounted"), None).unwrap();
    push(&files, &a, b"pushed").unwrap();
    files.collect().unwrap();
    for bytes in [&b"asked"[..], b"mounted", b"pushed"] {
        files.blob(&a, &digest(bytes)).map(drop).unwrap();
    }
    assert!(files.blob(&a, &digest(b"nobody")).is_err());
}

#[test]
fn collecting_while_others_push_takes_nothing_from_them() {
    let root = Root::new();
    let files = Files::open(root.path()).unwrap().with_grace(Duration::from_millis(40));
    let (files, done) = (&files, &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let collector = scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                files.collect().unwrap();
            }
        });
        let pushers: Vec<_> = (0..2)
            .map(|who| {
                scope.spawn(move || {
                    let to = name(&format!("r{who}"));
                    for n in 0..40 {
                        let layer = format!("{}", n % 5);
                        // As clients do: ask, push what is missing, then the manifest at once.
                        if files.blob(&to, &digest(layer.as_bytes())).is_err() {
                            push(files, &to, layer.as_bytes()).unwrap();
                        }
                        let manifest = manifest(&digest(layer.as_bytes()), "s");
                        files.put_manifest(&to, &manifest, &[], Demand::Complete).unwrap();
                        files.manifest(&to, &Which::Digest(manifest.digest.clone())).unwrap();
                        files.delete_manifest(&to, &Which::Digest(manifest.digest)).unwrap();
                    }
                })
            })
            .collect();
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        done.store(true, Ordering::Relaxed);
        collector.join().unwrap();
    });
}

#[test]
fn a_manifest_that_names_too_little_is_refused() {
    let root = Root::new();
    let files = Files::open(root.path()).unwrap();
    let bad = Manifest { media_type: String::new(), digest: digest(b"{}"), bytes: b"{}".to_vec() };
    let refused = files.put_manifest(&name("a"), &bad, &[], Demand::Complete).unwrap_err();
    assert!(matches!(refused, StorageError::ManifestInvalid(DocumentError::Json(_))), "{refused}");
    let missing = files.put_manifest(&name("a"), &manifest(&digest(b"x"), "s"), &[], Demand::Complete).unwrap_err();
    assert!(matches!(missing, StorageError::BlobsMissing(missing) if missing.len() == 2));
    files.put_manifest(&name("a"), &manifest(&digest(b"x"), "s"), &[], Demand::Nothing).unwrap();
}

#[test]
fn a_directory_of_a_newer_kist_is_refused() {
    let root = Root::new();
    root.write("format.json", r#"{"format":9,"record":{}}"#);
    let refused = Files::open(root.path()).unwrap_err().to_string();
    assert!(refused.contains("has format 9; this kist knows formats up to 1"), "{refused}");
}
