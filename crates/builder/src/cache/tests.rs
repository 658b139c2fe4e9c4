//! Two builds at once, dead builds, cache mounts, and what is removed when.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use disk::Home;
use spec::digest::Digest;
use spec::id::ContainerId;
use spec::time::Time;
use store::{FileTimes, LayerTimes, StepLayer, StepRecord, Store};
use testkit::Root;

use super::mounts::{CacheMount, Emptied, Seed, Wanted, mounts_dir};
use super::*;
use crate::dockerfile::mount::Sharing;
use crate::plan::graph::Bits;

struct Place {
    root: Root,
    home: Home,
    store: Store,
}

fn place() -> Place {
    let root = Root::new();
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let store = Store::open(home.root()).unwrap();
    Place { root, home, store }
}

fn never() -> bool {
    false
}

fn wanted(id: &str, sharing: Sharing) -> Wanted<'_> {
    Wanted { id, sharing, seed: Seed::Nothing, owner: Bits::default(), emptied: None }
}

fn mount(place: &Place, id: &str, sharing: Sharing) -> CacheMount {
    CacheMount::take(&place.store, &wanted(id, sharing), &mut || panic!("it waits"), &never).unwrap()
}

/// A step that wrote a file of so many bytes, last used at this second.
fn step(place: &Place, name: &str, bytes: usize, used_s: u64) -> StepRecord {
    let session = Session::open(&place.home, &place.store).unwrap();
    let id = session.draft_id().unwrap();
    place.store.draft_on(&id, &[], session.name()).unwrap();
    let upper = place.store.draft_places(&id).unwrap().upper;
    fs::write(upper.join(name), vec![b'x'; bytes]).unwrap();
    let times = LayerTimes { epoch: Time::from_ns(0), files: FileTimes::AllEpoch };
    let made = place.store.layer_of(&id, times).unwrap().unwrap();
    let layer = StepLayer { chain: made.chain, diff_id: made.diff_id, size_bytes: made.size_bytes };
    let record = StepRecord { layer: Some(layer), name: name.into(), created: Time::from_ns(0) };
    let key = Digest::sha256(name.as_bytes());
    place.store.put_step(&key, &record).unwrap();
    place.store.remove_draft(&id).unwrap();
    let file = place.store.build_cache_dir().join("steps").join(format!("{}.json", key.hex()));
    let used = std::time::UNIX_EPOCH + Duration::from_secs(used_s);
    fs::File::options().write(true).open(file).unwrap().set_modified(used).unwrap();
    record
}

fn everything() -> Prune {
    Prune { keep: Keep::Nothing, until: None, ids: Vec::new(), kind: None, keep_bytes: 0 }
}

#[test]
fn a_step_is_one_builds_turn() {
    let place = place();
    let key = Digest::sha256(b"a");
    let (at_once, most, waited) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let mut waits = || {
                        waited.fetch_add(1, Ordering::SeqCst);
                    };
                    let turn = take(&place.home, &key, &mut waits, &never).unwrap();
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(2));
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert!(waited.load(Ordering::SeqCst) > 0);
    assert_eq!(names(&place.home.run().join("builds/steps")).unwrap(), Vec::<String>::new());
    // Other keys are others' turns.
    let _one = take(&place.home, &key, &mut || panic!(), &never).unwrap();
    let _two = take(&place.home, &Digest::sha256(b"b"), &mut || panic!(), &never).unwrap();
    let stopped = take(&place.home, &key, &mut || {}, &|| true);
    assert!(matches!(stopped, Err(CacheError::Cancelled)));
}

#[test]
fn what_a_dead_build_left_is_swept_and_a_living_ones_is_not() {
    let place = place();
    let alive = Session::open(&place.home, &place.store).unwrap();
    let kept = alive.draft_id().unwrap();
    place.store.draft_on(&kept, &[], alive.name()).unwrap();
    let temporary = alive.temporary().unwrap();
    // A build whose process died: its lock is free, or its run directory went with a reboot.
    let dead = ContainerId::from_bytes([1; 32]);
    place.store.draft_on(&dead, &[], "dead").unwrap();
    let gone = ContainerId::from_bytes([2; 32]);
    place.store.draft_on(&gone, &[], "rebooted").unwrap();
    place.root.write("run/builds/dead/lock", "");
    place.root.write("root/build-cache/tmp/dead/0/x", "");
    assert!(may_have_died(&place.home));
    sweep(&place.home, &place.store).unwrap();
    assert!(!may_have_died(&place.home));
    let drafts: Vec<_> = place.store.build_drafts().unwrap();
    assert_eq!(drafts, [(kept.clone(), alive.name().to_owned())]);
    assert!(temporary.is_dir());
    assert_eq!(names(&place.home.run().join("builds")).unwrap(), [alive.name()]);
    place.store.remove_draft(&kept).unwrap();
    drop(alive);
    assert_eq!(names(&place.home.run().join("builds")).unwrap(), Vec::<String>::new());
    assert_eq!(names(&place.store.build_cache_dir().join("tmp")).unwrap(), Vec::<String>::new());
}

#[test]
fn sessions_and_sweeps_at_once_leave_each_other_alone() {
    let place = place();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                sweep(&place.home, &place.store).unwrap();
            }
        });
        for _ in 0..100 {
            let session = Session::open(&place.home, &place.store).unwrap();
            let id = session.draft_id().unwrap();
            place.store.draft_on(&id, &[], session.name()).unwrap();
            assert!(place.store.draft_places(&id).is_ok());
            place.store.remove_draft(&id).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn cache_mounts_outlive_their_users() {
    let place = place();
    let first = mount(&place, "/var/cache", Sharing::Shared);
    fs::write(first.path().join("a"), "1").unwrap();
    // Shared with another command, and not with one that wants it alone.
    let second = mount(&place, "/var/cache", Sharing::Shared);
    assert_eq!(first.path(), second.path());
    let wants_alone = wanted("/var/cache", Sharing::Locked);
    let stopped = CacheMount::take(&place.store, &wants_alone, &mut || {}, &|| true);
    assert!(matches!(stopped, Err(CacheError::Cancelled)));
    first.used().unwrap();
    drop(second);
    let alone = mount(&place, "/var/cache", Sharing::Locked);
    assert_eq!(fs::read_to_string(alone.path().join("a")).unwrap(), "1");
    // Another name is another mount.
    assert_ne!(mount(&place, "other", Sharing::Locked).path(), alone.path());
}

#[test]
fn private_mounts_are_each_users_own_and_kept() {
    let place = place();
    let first = mount(&place, "x", Sharing::Private);
    let second = mount(&place, "x", Sharing::Private);
    assert_ne!(first.path(), second.path());
    fs::write(second.path().join("mine"), "").unwrap();
    drop((first, second));
    let _first = mount(&place, "x", Sharing::Private);
    let second = mount(&place, "x", Sharing::Private);
    assert!(second.path().join("mine").is_file());
}

#[test]
fn a_locked_mount_is_waited_for() {
    let place = place();
    let held = mount(&place, "x", Sharing::Locked);
    let waits = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut note = || waits.store(true, Ordering::SeqCst);
            CacheMount::take(&place.store, &wanted("x", Sharing::Locked), &mut note, &never).unwrap().path()
        });
        while !waits.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        let path = held.path();
        drop(held);
        assert_eq!(waiter.join().unwrap(), path);
    });
}

#[test]
fn new_mounts_have_owners_and_begin_with_files() {
    let place = place();
    let owner = Bits { mode: Some(0o2770), uid: Some(3), gid: Some(4) };
    let owned = Wanted { owner, ..wanted("x", Sharing::Shared) };
    let path = CacheMount::take(&place.store, &owned, &mut || {}, &never).unwrap().path();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o7777), (3, 4, 0o2770));
    place.root.write("seed/a", "1");
    let open = |read: &mut Reader<'_>| {
        use std::os::fd::AsFd;
        read(fs::File::open(place.root.join("seed")).unwrap().as_fd())
    };
    let seeded = Wanted { seed: Seed::Files(None, "/s", &open), ..wanted("x", Sharing::Shared) };
    let other = CacheMount::take(&place.store, &seeded, &mut || {}, &never).unwrap().path();
    assert_ne!(other, path);
    assert_eq!(fs::read_to_string(other.join("a")).unwrap(), "1");
}

#[test]
fn a_build_empties_a_mount_once() {
    let place = place();
    let write = |name: &str, emptied| {
        let wanted = Wanted { emptied, ..wanted("x", Sharing::Shared) };
        let held = CacheMount::take(&place.store, &wanted, &mut || {}, &never).unwrap();
        fs::write(held.path().join(name), "").unwrap();
        let mut names: Vec<_> = fs::read_dir(held.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    write("a", None);
    let (build, another) = (Emptied::default(), Emptied::default());
    assert_eq!(write("b", Some(&build)), ["b"]);
    assert_eq!(write("c", Some(&build)), ["b", "c"]);
    assert_eq!(write("d", Some(&another)), ["d"]);
    assert_eq!(write("e", None), ["d", "e"]);
    assert_eq!(fs::read_dir(mounts_dir(&place.store)).unwrap().count(), 1);
}

#[test]
fn rows_say_what_is_there_and_prune_removes_the_oldest() {
    let place = place();
    step(&place, "old", 100, 10);
    step(&place, "new", 200, 20);
    let held = mount(&place, "m", Sharing::Shared);
    let rows = du(&place.store).unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row.description.as_str(), row.kind.name(), row.size_bytes, row.in_use)).collect();
    assert_eq!(
        shown,
        [
            ("old", "regular", 100, false),
            ("new", "regular", 200, false),
            ("cached mount m", "exec.cachemount", 0, true)
        ]
    );
    // What is in use stays.
    let until = Some(Time::from_ns(15_000_000_000));
    let pruned = prune(&place.store, &Prune { until, ..everything() }).unwrap();
    assert_eq!(pruned.rows.iter().map(|row| row.description.as_str()).collect::<Vec<_>>(), ["old"]);
    assert!(pruned.freed_bytes > 0);
    let id = Digest::sha256(b"new").hex()[..8].to_owned();
    let other = prune(&place.store, &Prune { ids: vec!["zz".into()], ..everything() }).unwrap();
    assert_eq!(other, Pruned::default());
    assert_eq!(prune(&place.store, &Prune { ids: vec![id], ..everything() }).unwrap().rows.len(), 1);
    held.used().unwrap();
    let kind = Some(Kind::CacheMount);
    assert_eq!(prune(&place.store, &Prune { kind, ..everything() }).unwrap().rows.len(), 1);
    assert_eq!(du(&place.store).unwrap(), []);
    assert_eq!(names(&place.store.build_cache_dir().join("mounts")).unwrap(), Vec::<String>::new());
}

#[test]
fn the_bound_takes_the_least_recently_used() {
    let place = place();
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        step(&place, name, 1000, at as u64);
    }
    trim(&place.store, 2500).unwrap();
    let left: Vec<_> = du(&place.store).unwrap().into_iter().map(|row| row.description).collect();
    assert_eq!(left, ["b", "c"]);
    trim(&place.store, 2500).unwrap();
    assert_eq!(du(&place.store).unwrap().len(), 2);
    assert!(default_limit_bytes(Path::new("/")) <= 20_000_000_000);
}

#[test]
fn golden_mount_record() {
    let root = Root::new();
    let text = r#"{"format":1,"record":{"id":"/var/cache","created":"2026-01-02T15:04:05Z","last_used":"2026-01-02T15:04:06Z","uses":2,"disk_bytes":4096}}"#;
    root.write("mount.json", text);
    let record: mounts::MountRecord = disk::read(root.path()).unwrap().unwrap();
    disk::write(root.path(), &record, disk::Durability::Volatile).unwrap();
    assert_eq!(fs::read_to_string(root.join("mount.json")).unwrap(), text);
}

#[test]
fn a_download_that_lost_its_record_goes() {
    let place = place();
    place.root.write("root/build-cache/downloads/a/data", "x");
    place.root.write("root/build-cache/downloads/b/download.json", "");
    assert_eq!(du(&place.store).unwrap(), []);
    for dir in ["downloads", "tmp"] {
        assert_eq!(names(&place.store.build_cache_dir().join(dir)).unwrap(), Vec::<String>::new());
    }
}

#[test]
fn one_that_waits_to_begin_anew_holds_up_no_other() {
    let place = place();
    let _held = mount(&place, "z", Sharing::Shared);
    let (emptied, waits, over) = (Emptied::default(), AtomicBool::new(false), AtomicBool::new(false));
    let anew = |id| {
        let wanted = Wanted { emptied: Some(&emptied), ..wanted(id, Sharing::Shared) };
        let mut told = || waits.store(true, Ordering::SeqCst);
        CacheMount::take(&place.store, &wanted, &mut told, &|| over.load(Ordering::SeqCst))
    };
    let until = std::time::Instant::now() + Duration::from_secs(10);
    let wait = |done: &dyn Fn() -> bool| {
        while !done() && std::time::Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        done()
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| anew("z"));
        let begun = wait(&|| waits.load(Ordering::SeqCst));
        let other = scope.spawn(|| anew("x"));
        let in_time = wait(&|| other.is_finished());
        over.store(true, Ordering::SeqCst);
        assert!(begun && in_time);
        assert!(matches!(first.join().unwrap(), Err(CacheError::Cancelled)));
        other.join().unwrap().unwrap();
    });
}
