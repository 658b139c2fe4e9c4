//! What a selection is known by, and what is read for it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, mknodat};
use testkit::{Layer, Root};

use super::*;

fn wanted(source: &str) -> Wanted<'_> {
    Wanted { source, parents: Parents::Drop, exclude: &[] }
}

fn tree(root: &Root) -> Tree {
    Tree::directory(&root.join("context"), &root.join("cache")).unwrap()
}

fn digest(root: &Root, source: &str) -> spec::digest::Digest {
    tree(root).select(&wanted(source)).unwrap().digest()
}

fn planted() -> Root {
    let root = Root::new();
    root.write("context/a", "a");
    root.write("context/dir/b", "b");
    symlink("b", root.join("context/dir/link")).unwrap();
    root
}

#[test]
fn a_selection_is_known_by_content_and_not_by_time_or_place() {
    let (one, two) = (planted(), planted());
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    fs::File::open(two.join("context/dir/b")).unwrap().set_modified(time).unwrap();
    std::os::unix::fs::chown(two.join("context/a"), Some(1000), Some(1000)).unwrap();
    for source in [".", "a", "dir", "*", "dir/*"] {
        assert_eq!(digest(&one, source), digest(&two, source), "{source}");
    }
    let first = digest(&one, ".");
    for change in [
        &(|dir: &Path| fs::write(dir.join("dir/b"), "c").unwrap()) as &dyn Fn(&Path),
        &|dir| fs::set_permissions(dir.join("a"), fs::Permissions::from_mode(0o755)).unwrap(),
        &|dir| fs::rename(dir.join("a"), dir.join("z")).unwrap(),
        &|dir| fs::create_dir(dir.join("new")).unwrap(),
        &|dir| mknodat(CWD, dir.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap(),
        &|dir| fs::hard_link(dir.join("a"), dir.join("a2")).unwrap(),
        &|dir| {
            fs::remove_file(dir.join("dir/link")).unwrap();
            symlink("c", dir.join("dir/link")).unwrap();
        },
        &|dir| {
            let file = dir.join("a");
            rustix::fs::lsetxattr(file, "user.x", b"1", rustix::fs::XattrFlags::empty()).unwrap();
        },
    ] {
        let root = planted();
        change(&root.join("context"));
        assert_ne!(digest(&root, "."), first);
    }
    // A second name is not a second file.
    let (linked, copied) = (planted(), planted());
    fs::hard_link(linked.join("context/a"), linked.join("context/a2")).unwrap();
    fs::write(copied.join("context/a2"), "a").unwrap();
    assert_ne!(digest(&linked, "."), digest(&copied, "."));
    // What is not selected does not count.
    fs::write(one.join("context/a"), "other").unwrap();
    assert_eq!(digest(&one, "dir"), digest(&two, "dir"));
}

/// Makes all files old enough to be remembered, and waits until the last change is.
fn age(root: &Root) {
    for name in ["a", "dir/b"] {
        let time = SystemTime::now() - Duration::from_secs(100) - Duration::from_nanos(1);
        fs::File::open(root.join("context").join(name)).unwrap().set_modified(time).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
}

/// The access time tells who was read.
fn is_read(root: &Root, name: &str, act: impl FnOnce()) -> bool {
    let path = root.join("context").join(name);
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let times = fs::FileTimes::new().set_accessed(long_ago).set_modified(mtime);
    fs::File::open(&path).unwrap().set_times(times).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    act();
    fs::metadata(&path).unwrap().accessed().unwrap() != long_ago
}

#[test]
fn a_file_is_read_once() {
    let root = planted();
    age(&root);
    let hash = |name: &str| {
        is_read(&root, name, || {
            let tree = tree(&root);
            tree.select(&wanted(".")).unwrap();
            tree.remember();
        })
    };
    assert!(hash("a"));
    // The first look set its access time, which changed its ctime: it is read again, and then known.
    hash("a");
    let again = |name: &str| {
        let path = root.join("context").join(name);
        let before = fs::metadata(&path).unwrap().ctime_nsec();
        let index = index::Index::open(&root.join("cache"), &name_of(&root), index::Trust::Stamp);
        let stat = rustix::fs::lstat(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ctime_nsec(), before);
        index.find(name.as_bytes(), &index::Stamp::of(&stat)).is_some()
    };
    assert!(again("a") && again("dir/b"));
    fs::write(root.join("context/a"), "A").unwrap();
    assert!(!again("a") && again("dir/b"));
    let tree = tree(&root);
    tree.select(&wanted(".")).unwrap();
    tree.remember();
    // Written a moment ago: it could change once more within the same tick.
    assert!(!again("a"));
}

fn name_of(root: &Root) -> String {
    let meta = fs::metadata(root.join("context")).unwrap();
    format!("dir:{}:{}", meta.dev(), meta.ino())
}

#[test]
fn a_damaged_memory_is_replaced() {
    let root = planted();
    age(&root);
    let expected = digest(&root, ".");
    let remembered = |root: &Root| {
        let tree = tree(root);
        let digest = tree.select(&wanted(".")).unwrap().digest();
        tree.remember();
        digest
    };
    assert_eq!(remembered(&root), expected);
    let file = fs::read_dir(root.join("cache/contexts")).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&file).unwrap();
    for bytes in [&b""[..], b"kistctx1", &good[..good.len() - 1]] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(remembered(&root), expected);
        assert_eq!(fs::read(&file).unwrap(), good);
    }
}

#[test]
fn many_files_are_hashed_by_many_threads_in_one_order() {
    let root = Root::new();
    for n in 0..300 {
        root.write(&format!("context/{}/{n}", n % 7), format!("{n}"));
    }
    let first = digest(&root, ".");
    for _ in 0..3 {
        assert_eq!(digest(&root, "."), first);
    }
}

#[test]
fn a_pipe_or_a_device_is_never_read() {
    let root = planted();
    mknodat(CWD, root.join("context/Dockerfile"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let text = tree(&root).read("Dockerfile", 10).unwrap_err().to_string();
    assert_eq!(text, "Dockerfile is not a file");
    assert_eq!(tree(&root).read("dir", 10).unwrap_err().to_string(), "dir is not a file");
    assert_eq!(tree(&root).read("none", 10).unwrap(), None);
    assert_eq!(tree(&root).read("a/none", 10).unwrap(), None);
    assert_eq!(tree(&root).read("dir/link", 10).unwrap().unwrap(), b"b");
    assert_eq!(tree(&root).read("a", 0).unwrap_err().to_string(), "a is larger than 0 bytes");
    // It is selected, and has no digest of bytes.
    assert_eq!(tree(&root).select(&wanted("Dockerfile")).unwrap().bytes(), 0);
}

#[test]
fn a_tar_is_a_context() {
    let root = Root::new();
    let tar = Layer::new().file("Dockerfile", 0o644, "FROM scratch").file("a/b", 0o600, "b");
    root.write("context.tar", tar.tar());
    let dir = root.join("cache/tmp/b1/0");
    fs::create_dir_all(&dir).unwrap();
    let tree = Tree::unpacked(&root.join("context.tar"), &dir).unwrap();
    assert_eq!(tree.read("/Dockerfile", 100).unwrap().unwrap(), b"FROM scratch");
    assert_eq!(tree.select(&wanted("a")).unwrap().bytes(), 1);
    assert!(is_archive(&File::open(root.join("context.tar")).unwrap()));
    assert!(!is_archive(&File::open(root.write("x", "FROM scratch\n")).unwrap()));
    // What is made for one build is not worth remembering.
    Tree::directory(&dir, &root.join("cache")).unwrap().remember();
    let there = Tree::directory(&dir, &root.join("cache")).unwrap();
    there.select(&wanted(".")).unwrap();
    there.remember();
    assert!(!root.join("cache/contexts").exists());
}

#[test]
fn parts_are_opened_within_the_tree() {
    let root = planted();
    symlink("../../../../../../etc", root.join("context/out")).unwrap();
    let tree = tree(&root).called("r");
    assert!(tree.open("dir").is_ok() && tree.open("/dir/link").is_ok());
    let error = tree.open("out/passwd").unwrap_err().to_string();
    assert_eq!(error, "failed to calculate checksum of ref r: \"/out/passwd\": not found");
}
