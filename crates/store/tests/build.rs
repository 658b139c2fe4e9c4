//! What a build wrote becomes a layer by one rename, and comes back as the tar that its digest is of.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "tests look at files as they are")]

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use disk::faults::fail_at;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, lsetxattr, mknodat};
use spec::digest::{ChainId, Digest};
use spec::id::ContainerId;
use spec::image::ImageConfig;
use spec::time::Time;
use store::layer::{Whiteouts, diff};
use store::{Damage, Depth, FileTimes, LayerTimes, MadeLayer, Mount, StepLayer, StepRecord, Store};
use testkit::{ImageBuilder, Layer, Root};

fn epoch() -> Time {
    Time::from_ns(1_700_000_000_000_000_000)
}

fn all() -> LayerTimes {
    LayerTimes { epoch: epoch(), files: FileTimes::AllEpoch }
}

fn clamp() -> LayerTimes {
    LayerTimes { epoch: epoch(), files: FileTimes::Clamp }
}

fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

fn opened(root: &Root) -> Store {
    Store::open(root.path()).unwrap()
}

/// Writes through the draft's mount, which is gone when this returns.
fn write(store: &Store, draft: u8, act: impl FnOnce(&Path)) {
    let mount = store.mount(&id(draft), Mount { id_maps: None }).unwrap();
    act(&at(&mount));
}

fn at(mount: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(mount)))
}

fn made(store: &Store, draft: u8, times: LayerTimes) -> MadeLayer {
    store.layer_of(&id(draft), times).unwrap().unwrap()
}

/// All layers of an image of these.
fn tars(store: &Store, layers: &[&MadeLayer]) -> Vec<Vec<u8>> {
    let mut config = ImageConfig::default();
    config.rootfs.kind = "layers".into();
    config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let image = store.add_image(config, vec!["built".parse().unwrap()]).unwrap();
    let image = store.image(&image).unwrap();
    let tar = |chain: &ChainId| {
        let mut bytes = Vec::new();
        store.layer_tar(chain).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    image.chains.iter().map(tar).collect()
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_was_written_is_a_layer_and_the_draft_goes_on_above_it() {
    let root = Root::new();
    let store = opened(&root);
    store.draft_on(&id(1), &[], "b1").unwrap();
    assert_eq!(store.layer_of(&id(1), all()).unwrap(), None);
    write(&store, 1, |root| {
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/a"), "a").unwrap();
        set_time(&root.join("d/a"), 1_000);
    });
    let first = made(&store, 1, all());
    assert_eq!((first.size_bytes, first.chain.0.clone()), (1, first.diff_id.0.clone()));
    // Its files have the times they had.
    let file = store.layer_places(std::slice::from_ref(&first.chain))[0].join("d/a");
    assert_eq!(fs::metadata(file).unwrap().mtime(), 1_000);
    write(&store, 1, |root| {
        assert_eq!(fs::read_to_string(root.join("d/a")).unwrap(), "a");
        fs::write(root.join("d/b"), "bb").unwrap();
    });
    let second = made(&store, 1, clamp());
    assert_eq!(second.chain, ChainId::extend(Some(&first.chain), &second.diff_id));
    assert_eq!(store.build_drafts().unwrap(), [(id(1), "b1".to_owned())]);
    let tars = tars(&store, &[&first, &second]);
    for (tar, layer) in tars.iter().zip([&first, &second]) {
        assert_eq!((Digest::sha256(tar), tar.len() as u64), (layer.diff_id.0.clone(), layer.tar_bytes));
    }
    store.remove_draft(&id(1)).unwrap();
    store.collect().unwrap();
    assert_eq!(store.check(Depth::Layers).unwrap(), []);
}

/// Everything a layer can hold, above an image that has something of each.
fn everything(root: &Path) {
    fs::write(root.join("changed"), "new").unwrap();
    fs::remove_file(root.join("gone")).unwrap();
    fs::remove_dir_all(root.join("replaced")).unwrap();
    fs::create_dir(root.join("replaced")).unwrap();
    fs::write(root.join("replaced/new"), "x").unwrap();
    fs::create_dir_all(root.join("made/below")).unwrap();
    fs::write(root.join("made/below/file"), vec![7; 100_000]).unwrap();
    fs::hard_link(root.join("made/below/file"), root.join("made/zlink")).unwrap();
    symlink("made/below", root.join("link")).unwrap();
    fs::set_permissions(root.join("made/below/file"), fs::Permissions::from_mode(0o4711)).unwrap();
    let device = |name: &str, kind, number| {
        mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o640), number).unwrap();
    };
    device("pipe", FileType::Fifo, 0);
    device("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    let attribute = |name: &str, key: &str, value: &[u8]| {
        lsetxattr(root.join(name), key, value, XattrFlags::empty()).unwrap();
    };
    attribute("made/below/file", "user.note", b"n");
    attribute("made", "user.note", b"of a directory");
    attribute("made/below/file", "trusted.mine", b"n");
    attribute("changed", "security.capability", &CAPABILITY);
    std::os::unix::fs::lchown(root.join("link"), Some(5), Some(6)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap());
    // An old directory, changed in nothing but its time.
    fs::write(root.join("kept/tmp"), "").unwrap();
    fs::remove_file(root.join("kept/tmp")).unwrap();
}

/// `cap_net_raw+ep`, as setcap writes it.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn base(store: &Store) -> Vec<ChainId> {
    let layer = Layer::new()
        .file("changed", 0o644, "old")
        .file("gone", 0o644, "")
        .dir("replaced/", 0o755)
        .file("replaced/old", 0o644, "")
        .dir("kept/", 0o755)
        .file("kept/x", 0o644, "x");
    store.load(ImageBuilder::new().name("base").layer(layer).docker_archive().as_slice(), &mut |_| {}).unwrap();
    store.resolve("base").unwrap().chains
}

/// Names of a tar's members, with what they are.
fn members(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let entry = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let entry = entry.unwrap();
        let header = entry.header();
        let kind = match header.entry_type().as_byte() {
            b'0' => "file",
            b'1' => "hard",
            b'2' => "link",
            b'5' => "dir",
            _other => "node",
        };
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        format!(
            "{kind} {path} {:o} {}:{} {}",
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap()
        )
    };
    archive.entries().unwrap().map(entry).collect()
}

#[test]
fn all_that_a_layer_can_hold_survives() {
    let root = Root::new();
    let store = opened(&root);
    let below = base(&store);
    store.draft_on(&id(1), &below, "b").unwrap();
    write(&store, 1, everything);
    let layer = made(&store, 1, all());
    let mut tar = Vec::new();
    store.layer_tar(&layer.chain).unwrap().read_to_end(&mut tar).unwrap();
    assert_eq!(Digest::sha256(&tar), layer.diff_id.0);
    expect_test::expect![[r#"
        [
            "file changed 644 0:0 1700000000",
            "file .wh.gone 600 0:0 0",
            "dir kept/ 755 0:0 1700000000",
            "link link 777 5:6 1700000000",
            "dir made/ 755 0:0 1700000000",
            "dir made/below/ 755 0:0 1700000000",
            "file made/below/file 4711 0:0 1700000000",
            "hard made/zlink 4711 0:0 1700000000",
            "node null 640 0:0 1700000000",
            "node pipe 640 0:0 1700000000",
            "dir replaced/ 755 0:0 1700000000",
            "file replaced/.wh..wh..opq 600 0:0 0",
            "file replaced/new 644 0:0 1700000000",
        ]
    "#]]
    .assert_debug_eq(&members(&tar));
    // The directory is as `check` wants it: what the tar would leave, but the times.
    store.put_step(&layer.diff_id.0, &step(&layer)).unwrap();
    store.remove_draft(&id(1)).unwrap();
    assert_eq!(store.check(Depth::Layers).unwrap(), []);
    // And shows the same where it is mounted.
    store.draft_on(&id(2), &[&below[..], std::slice::from_ref(&layer.chain)].concat(), "b").unwrap();
    let mount = store.mount(&id(2), Mount { id_maps: None }).unwrap();
    let seen = at(&mount);
    assert!(seen.join("gone").symlink_metadata().is_err() && seen.join("replaced/old").symlink_metadata().is_err());
    assert_eq!(fs::read_to_string(seen.join("changed")).unwrap(), "new");
    assert_eq!(fs::read_to_string(seen.join("kept/x")).unwrap(), "x");
    assert_eq!(fs::metadata(seen.join("made/zlink")).unwrap().nlink(), 2);
    let mut value = [0; 20];
    assert_eq!(lgetxattr(seen.join("changed"), "security.capability", &mut value), Ok(20));
    assert_eq!(value, CAPABILITY);
    assert!(seen.join("socket").symlink_metadata().is_err());
}

fn step(layer: &MadeLayer) -> StepRecord {
    let MadeLayer { chain, diff_id, size_bytes, .. } = layer.clone();
    StepRecord { layer: Some(StepLayer { chain, diff_id, size_bytes }), name: "[1/1] RUN x".into(), created: epoch() }
}

/// The same tree, however it came about.
#[derive(Clone, Debug)]
enum Thing {
    File(Vec<u8>, u32),
    Dir(u32),
    Link(String),
    Pipe,
    Hard(usize),
}

fn things() -> impl Strategy<Value = Vec<(String, Thing)>> {
    let thing = prop_oneof![
        (proptest::collection::vec(any::<u8>(), 0..2_000), 0u32..0o10000)
            .prop_map(|(bytes, mode)| Thing::File(bytes, mode)),
        (0o700u32..0o1000).prop_map(Thing::Dir),
        "[a-z/.]{1,120}".prop_map(Thing::Link),
        Just(Thing::Pipe),
        (0usize..8).prop_map(Thing::Hard),
    ];
    proptest::collection::vec(("[a-c]{1,2}(/[a-cé ]{1,60}){0,3}", thing), 0..12)
}

fn plant(root: &Path, things: &[(String, Thing)], second: u64) {
    let mut files = Vec::new();
    for (path, thing) in things {
        let path = root.join(path);
        if fs::create_dir_all(path.parent().unwrap()).is_err() || path.symlink_metadata().is_ok() {
            continue;
        }
        match thing {
            Thing::File(bytes, mode) => {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                set_time(&path, second);
                files.push(path);
            }
            Thing::Dir(mode) => {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Thing::Link(target) => symlink(target, &path).unwrap(),
            Thing::Pipe => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap(),
            Thing::Hard(n) => {
                if let Some(first) = files.get(*n) {
                    fs::hard_link(first, &path).unwrap();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn equal_trees_have_one_digest_and_it_is_that_of_the_assembled_tar(things in things()) {
        let root = Root::new();
        let store = opened(&root);
        let below = base(&store);
        let mut digests = Vec::new();
        for (n, on) in [&[][..], &[], &below, &below].into_iter().enumerate() {
            let n = u8::try_from(n).unwrap();
            store.draft_on(&id(n), on, "b").unwrap();
            write(&store, n, |root| plant(root, &things, 1_000 + u64::from(n)));
            // Written directly or through overlayfs, at whatever time.
            let upper = File::open(store.draft_places(&id(n)).unwrap().upper).unwrap();
            let mut plain = Vec::new();
            diff(upper.as_fd(), &mut plain, Whiteouts::Literal).unwrap();
            let layer = store.layer_of(&id(n), all()).unwrap();
            let Some(layer) = layer else {
                prop_assert!(members(&plain).is_empty());
                continue;
            };
            prop_assert_eq!(members(&plain).len(), {
                let mut tar = Vec::new();
                store.layer_tar(&layer.chain).unwrap().read_to_end(&mut tar).unwrap();
                prop_assert_eq!(&Digest::sha256(&tar), &layer.diff_id.0);
                members(&tar).len()
            });
            digests.push(layer.diff_id);
        }
        digests.dedup();
        prop_assert!(digests.len() <= 1);
        prop_assert_eq!(store.check(Depth::Layers).unwrap().into_iter().filter(|damage| !matches!(damage, Damage::Garbage(_))).collect::<Vec<_>>(), []);
    }
}

#[test]
fn whatever_fails_no_layer_is_half_there() {
    let mut n = 0;
    loop {
        n += 1;
        let root = Root::new();
        let store = opened(&root);
        let below = base(&store);
        let armed = fail_at(n, rustix::io::Errno::NOSPC);
        let run = || -> Result<(), Box<dyn std::error::Error>> {
            store.draft_on(&id(1), &below, "b")?;
            let mount = store.mount(&id(1), Mount { id_maps: None })?;
            everything(&at(&mount));
            drop(mount);
            let layer = store.layer_of(&id(1), all())?.unwrap();
            store.put_step(&layer.diff_id.0, &step(&layer))?;
            assert_eq!(store.step(&layer.diff_id.0)?, Some(step(&layer)));
            store.remove_step(&layer.diff_id.0)?;
            Ok(())
        };
        let ended = run();
        let hit = armed.hit();
        drop(armed);
        let damages = store.check(Depth::Layers).unwrap();
        assert!(damages.iter().all(|damage| matches!(damage, Damage::Garbage(_))), "act {n}: {ended:?}: {damages:?}");
        store.remove_draft(&id(1)).unwrap();
        for step in store.steps().unwrap() {
            store.remove_step(&step.key).unwrap();
        }
        store.collect().unwrap();
        assert_eq!(store.check(Depth::Layers).unwrap(), [], "act {n}: {ended:?}");
        assert_eq!(fs::read_dir(root.join("snapshots")).unwrap().count(), below.len(), "act {n}: {ended:?}");
        assert_eq!(fs::read_dir(root.join("drafts")).unwrap().count(), 0, "act {n}: {ended:?}");
        if !hit {
            ended.unwrap();
            break;
        }
    }
    assert!(n > 8, "{n}");
}

#[test]
fn a_linked_layer_does_not_depend_on_what_is_below() {
    let root = Root::new();
    let store = opened(&root);
    let below = base(&store);
    let mut made = Vec::new();
    for (n, below) in [(1, &below[..]), (2, &[])] {
        store.draft_on(&id(n), below, "b").unwrap();
        let upper = store.draft_places(&id(n)).unwrap().upper;
        fs::create_dir(upper.join("kept")).unwrap();
        fs::write(upper.join("kept/y"), "y").unwrap();
        made.push(store.layer_of(&id(n), all()).unwrap().unwrap());
    }
    assert_eq!(made[0].diff_id, made[1].diff_id);
    assert_eq!(made[0].chain, ChainId::extend(below.last(), &made[0].diff_id));
    write(&store, 1, |root| assert_eq!(fs::read_to_string(root.join("kept/x")).unwrap(), "x"));
}

#[test]
fn steps_keep_their_layers_and_all_below() {
    let root = Root::new();
    let store = opened(&root);
    store.draft_on(&id(1), &[], "b").unwrap();
    let mut layers = Vec::new();
    for n in 0..3 {
        write(&store, 1, |root| fs::write(root.join(n.to_string()), "x").unwrap());
        layers.push(made(&store, 1, all()));
    }
    let key = |n: usize| Digest::sha256(&[u8::try_from(n).unwrap()]);
    store.put_step(&key(1), &step(&layers[1])).unwrap();
    store.put_step(&key(9), &StepRecord { layer: None, ..step(&layers[0]) }).unwrap();
    store.remove_draft(&id(1)).unwrap();
    store.collect().unwrap();
    let there = || fs::read_dir(root.join("snapshots")).unwrap().count();
    assert_eq!(there(), 2);
    assert_eq!(store.step(&key(1)).unwrap(), Some(step(&layers[1])));
    assert_eq!(store.step(&key(9)).unwrap().unwrap().layer, None);
    assert_eq!(store.step(&key(2)).unwrap(), None);
    assert!(matches!(store.draft_on(&id(1), &[layers[2].chain.clone()], "b"), Err(store::StoreError::LayerGone(_))));
    let usage = store.usage().unwrap();
    assert_eq!(
        (usage.steps.len(), usage.garbage_disk_bytes, usage.steps.iter().any(|step| step.is_in_use)),
        (2, 0, false)
    );
    assert!(usage.cache_disk_bytes > 0);
    // What was wanted last goes last.
    set_time(&root.join(format!("build-cache/steps/{}.json", key(1).hex())), 2_000);
    set_time(&root.join(format!("build-cache/steps/{}.json", key(9).hex())), 1_000);
    assert_eq!(store.steps().unwrap()[0].key, key(9));
    store.step(&key(9)).unwrap();
    assert_eq!(store.steps().unwrap()[0].key, key(1));
    store.remove_step(&key(1)).unwrap();
    store.remove_step(&key(1)).unwrap();
    store.collect().unwrap();
    assert_eq!(there(), 0);
}

#[test]
fn a_step_whose_record_or_layer_is_lost_is_unknown() {
    let root = Root::new();
    let store = opened(&root);
    store.draft_on(&id(1), &[], "b").unwrap();
    write(&store, 1, |root| fs::write(root.join("a"), "x").unwrap());
    let layer = made(&store, 1, all());
    let key = Digest::sha256(b"");
    let file = root.join(format!("build-cache/steps/{}.json", key.hex()));
    for lose in [&(|| fs::write(&file, "").unwrap()) as &dyn Fn(), &|| {
        fs::remove_file(root.join(format!("snapshots/{}/layer.json", layer.chain.0.hex()))).unwrap()
    }] {
        store.put_step(&key, &step(&layer)).unwrap();
        lose();
        assert!(store.check(Depth::Records).unwrap().contains(&Damage::Garbage(file.clone())));
        assert_eq!(store.step(&key).unwrap(), None);
        assert!(!file.exists());
    }
}

#[test]
fn a_layer_that_the_disk_lost_goes_with_its_step() {
    for lost in ["fs/a", "layer.json", "recipe"] {
        let root = Root::new();
        let store = opened(&root);
        store.draft_on(&id(1), &[], "b").unwrap();
        write(&store, 1, |root| fs::write(root.join("a"), "contents").unwrap());
        let below = made(&store, 1, all());
        write(&store, 1, |root| fs::write(root.join("b"), "contents").unwrap());
        let above = made(&store, 1, all());
        store.put_step(&below.diff_id.0, &step(&below)).unwrap();
        store.put_step(&above.diff_id.0, &step(&above)).unwrap();
        store.remove_draft(&id(1)).unwrap();
        assert_eq!(store.clone().after_boot().unwrap(), []);
        assert_eq!(store.steps().unwrap().len(), 2, "{lost}: what is whole stays");
        // Another one, as nothing was noted after that.
        store.draft_on(&id(1), &[], "b").unwrap();
        write(&store, 1, |root| fs::write(root.join("c"), "contents").unwrap());
        made(&store, 1, all());
        store.remove_draft(&id(1)).unwrap();
        let note = fs::read_to_string(root.join("unsynced.json")).unwrap();
        let since = note.split("since\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        fs::write(root.join("unsynced.json"), note.replace(&since, "2020-01-02T15:04:05.000000000Z")).unwrap();
        let file = root.join(format!("snapshots/{}/{lost}", below.chain.0.hex()));
        File::options().write(true).open(file).unwrap().set_len(0).unwrap();
        assert_eq!(store.after_boot().unwrap(), []);
        assert_eq!(store.steps().unwrap(), [], "{lost}");
        store.collect().unwrap();
        assert_eq!(fs::read_dir(root.join("snapshots")).unwrap().count(), 0, "{lost}");
    }
}

#[test]
fn what_is_there_already_is_not_noted_and_goes_with_its_draft() {
    let root = Root::new();
    let store = opened(&root);
    let mut layers = Vec::new();
    for n in 1..=2 {
        store.draft_on(&id(n), &[], "b").unwrap();
        write(&store, n, |root| fs::write(root.join("a"), "contents").unwrap());
        layers.push(made(&store, n, all()));
        // The draft goes on above it, each time.
        write(&store, n, |root| fs::write(root.join("b"), "contents").unwrap());
        layers.push(made(&store, n, all()));
    }
    assert_eq!(layers[..2], layers[2..]);
    let names =
        |dir: &str| fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names("snapshots").len(), 2);
    assert_eq!(store.check(Depth::Layers).unwrap(), []);
    store.remove_draft(&id(1)).unwrap();
    store.remove_draft(&id(2)).unwrap();
    assert_eq!(names("drafts"), Vec::<std::ffi::OsString>::new());
}

#[test]
fn a_deep_tree_is_a_layer_or_an_error() {
    let root = Root::new();
    let store = opened(&root);
    for (n, depth) in [(1, 400), (2, 600)] {
        store.draft_on(&id(n), &[], "b").unwrap();
        let upper = store.draft_places(&id(n)).unwrap().upper;
        fs::create_dir_all(upper.join("d/".repeat(depth))).unwrap();
        let layer = store.layer_of(&id(n), all());
        assert_eq!(layer.is_ok(), depth < 512, "{layer:?}");
    }
}

#[test]
fn one_note_stands_for_many_layers() {
    let root = Root::new();
    let store = opened(&root);
    store.draft_on(&id(1), &[], "b").unwrap();
    write(&store, 1, |root| fs::write(root.join("a"), "x").unwrap());
    made(&store, 1, all());
    let inode = || fs::metadata(root.join("unsynced.json")).unwrap().ino();
    let first = inode();
    write(&store, 1, |root| fs::write(root.join("b"), "x").unwrap());
    made(&store, 1, all());
    assert_eq!(inode(), first);
    File::open(root.join("unsynced.json")).unwrap().set_modified(SystemTime::now() - Duration::from_secs(40)).unwrap();
    write(&store, 1, |root| fs::write(root.join("c"), "x").unwrap());
    made(&store, 1, all());
    assert_ne!(inode(), first);
}

/// For a person: `cargo test -p store --release --test build -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn ten_thousand_small_files() {
    let root = Root::new();
    let store = opened(&root);
    store.draft_on(&id(1), &[], "b").unwrap();
    write(&store, 1, |root| {
        for dir in 0..100 {
            fs::create_dir(root.join(dir.to_string())).unwrap();
            for file in 0..100 {
                fs::write(root.join(format!("{dir}/{file}")), vec![7; 1000 + file]).unwrap();
            }
        }
    });
    let start = std::time::Instant::now();
    made(&store, 1, all());
    println!("layer_of: {:?}", start.elapsed());
}
