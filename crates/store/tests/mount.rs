//! Root file systems as the kernel shows them. Needs root.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use spec::bundle::{IdMap, IdMaps};
use spec::id::ContainerId;
use std::io::{Read, Write};
use std::path::Path;
use store::{ChangeKind, Floor, Mount, MountImage, Store};
use testkit::{ImageBuilder, Layer, Root};

fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

fn store(root: &Root, image: &ImageBuilder) -> Store {
    let store = Store::open(root.path()).unwrap();
    store.load(image.docker_archive().as_slice(), &mut |_| {}).unwrap();
    store
}

fn read(root: &OwnedFd, path: &str) -> Option<String> {
    let mut file = fs::File::from(openat(root, path, OFlags::RDONLY, Mode::empty()).ok()?);
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Some(text)
}

fn write(root: &OwnedFd, path: &str, text: &str) {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    fs::File::from(openat(root, path, flags, Mode::from_raw_mode(0o644)).unwrap()).write_all(text.as_bytes()).unwrap();
}

fn layers() -> ImageBuilder {
    let below = Layer::new().dir("d", 0o755).file("d/old", 0o644, "old").file("gone", 0o644, "x").file("a", 0o644, "1");
    let above = Layer::new().dir("d", 0o755).opaque("d").file("d/new", 0o644, "new").whiteout("gone");
    ImageBuilder::new().name("x:1").layer(below).layer(above)
}

#[test]
fn layers_are_stacked_and_writes_go_on_top() {
    let root = Root::new();
    let store = store(&root, &layers());
    let image = store.resolve("x:1").unwrap();
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap().matches("overlay").count();
    store.draft(&id(1), Some(&image)).unwrap();
    let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
    let mounts_after = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(!mounts_after.contains(&*root.path().to_string_lossy()), "{mounts_after} (before: {mounts})");

    assert_eq!(read(&mount, "a").as_deref(), Some("1"));
    assert_eq!(read(&mount, "gone"), None);
    assert_eq!(read(&mount, "d/old"), None);
    assert_eq!(read(&mount, "d/new").as_deref(), Some("new"));
    write(&mount, "a", "changed");
    assert_eq!(read(&mount, "a").as_deref(), Some("changed"));
    assert_eq!(store.draft_size_bytes(&id(1)).unwrap(), 7);

    // Another container of the image does not see it.
    store.draft(&id(2), Some(&image)).unwrap();
    assert_eq!(read(&store.mount(&id(2), Mount { id_maps: None }).unwrap(), "a").as_deref(), Some("1"));
    store.remove_draft(&id(1)).unwrap();
    store.remove_draft(&id(1)).unwrap();
}

#[test]
fn owners_are_shifted_and_files_are_not() {
    let root = Root::new();
    let store = store(&root, &layers());
    let image = store.resolve("x:1").unwrap();
    store.draft(&id(1), Some(&image)).unwrap();
    let map = vec![IdMap { container: 0, host: 100_000, size: 65_536 }];
    let maps = IdMaps { uids: map.clone(), gids: map };
    let mount = store.mount(&id(1), Mount { id_maps: Some(&maps) }).unwrap();
    assert_eq!(statat(&mount, "a", AtFlags::empty()).unwrap().st_uid, 100_000);
    assert_eq!(statat(&mount, "d/new", AtFlags::empty()).unwrap().st_gid, 100_000);
    write(&mount, "a", "2");
    let upper = root.join("drafts").join(id(1).as_str()).join("upper/a");
    assert_eq!(fs::metadata(upper).unwrap().uid(), 0);
}

#[test]
fn nothing_below_is_enough() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    store.draft(&id(1), None).unwrap();
    let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
    write(&mount, "a", "2");
    assert_eq!(read(&mount, "a").as_deref(), Some("2"));
}

#[test]
fn changes_are_told_as_docker_tells_them() {
    let root = Root::new();
    let store = store(&root, &layers());
    store.draft(&id(1), Some(&store.resolve("x:1").unwrap())).unwrap();
    let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
    write(&mount, "a", "2");
    write(&mount, "d/old", "again");
    write(&mount, "new", "");
    write(&mount, "gone", "back");
    rustix::fs::unlinkat(&mount, "d/new", AtFlags::empty()).unwrap();
    let letter = |kind| match kind {
        ChangeKind::Added => "A",
        ChangeKind::Changed => "C",
        ChangeKind::Deleted => "D",
    };
    let changes = store.changes(&id(1)).unwrap();
    let text: String = changes.iter().map(|c| format!("{} {}\n", letter(c.kind), c.path.display())).collect();
    expect_test::expect![[r#"
        C /a
        C /d
        D /d/new
        A /d/old
        A /gone
        A /new
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_volatile_draft_is_mounted_again() {
    let root = Root::new();
    let store = store(&root, &layers());
    store.draft_volatile(&id(1), Some(&store.resolve("x:1").unwrap())).unwrap();
    for text in ["first", "second"] {
        let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
        write(&mount, "new", text);
        assert_eq!(read(&mount, "new").as_deref(), Some(text));
    }
}

#[test]
fn what_a_container_wrote_becomes_an_image() {
    let root = Root::new();
    let store = store(&root, &layers());
    let below = store.resolve("x:1").unwrap();
    store.draft(&id(1), Some(&below)).unwrap();
    let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
    write(&mount, "new", "text");
    rustix::fs::unlinkat(&mount, "a", AtFlags::empty()).unwrap();
    store.commit(&id(1), below.config.clone(), Some(&"mine".parse().unwrap()), || {}).unwrap();
    let image = store.resolve("mine").unwrap();
    assert_eq!(image.chains[..2], below.chains[..]);
    store.draft(&id(2), Some(&image)).unwrap();
    let again = store.mount(&id(2), Mount { id_maps: None }).unwrap();
    assert_eq!(read(&again, "new").as_deref(), Some("text"));
    assert_eq!(read(&again, "a"), None);
    assert_eq!(store.check(store::Depth::Layers).unwrap(), []);
    let wrong = store.commit(&id(2), below.config, None, || {}).unwrap_err().to_string();
    assert!(wrong.starts_with("the config's layers are not those below container"), "{wrong}");
}

#[test]
fn an_image_is_mounted_without_a_writable_layer() {
    let root = Root::new();
    let store = store(&root, &layers());
    let image = store.resolve("x:1").unwrap();
    let maps = vec![IdMap { container: 0, host: 100_000, size: 65_536 }];
    let maps = IdMaps { uids: maps.clone(), gids: maps };
    let mount = |chains: &[_], id_maps, floor, beneath: Option<&str>| {
        store.mount_image(chains, MountImage { id_maps, floor, beneath: beneath.map(Path::new) })
    };
    for id_maps in [None, Some(&maps)] {
        let whole = mount(&image.chains, id_maps, Floor::Bare, None).unwrap();
        assert_eq!((read(&whole, "a").as_deref(), read(&whole, "gone")), (Some("1"), None));
        assert!(openat(&whole, "new", OFlags::WRONLY | OFlags::CREATE, Mode::from_raw_mode(0o644)).is_err());
        assert!(statat(&whole, ".dockerenv", AtFlags::empty()).is_err());
        let below = mount(&image.chains, id_maps, Floor::Bare, Some("d")).unwrap();
        assert_eq!((read(&below, "new").as_deref(), read(&below, "old")), (Some("new"), None));
    }
    // One layer alone, and none.
    assert_eq!(read(&mount(&image.chains[..1], None, Floor::Bare, None).unwrap(), "gone").as_deref(), Some("x"));
    assert!(mount(&[], None, Floor::Bare, None).is_ok());
    let floor = mount(&image.chains, None, Floor::Skeleton, None).unwrap();
    assert!(statat(&floor, ".dockerenv", AtFlags::empty()).is_ok());
    for outside in ["..", "/etc", "none"] {
        assert!(mount(&image.chains, None, Floor::Bare, Some(outside)).is_err(), "{outside}");
    }
}

#[test]
fn layers_of_a_mounted_image_stay_with_the_container() {
    let root = Root::new();
    let store = store(&root, &layers());
    let image = store.resolve("x:1").unwrap();
    store.draft(&id(1), None).unwrap();
    store.keep_layers(&id(1), std::slice::from_ref(&image)).unwrap();
    let may_go = &mut |_: &_| Ok(());
    store.remove("x:1", store::Remove { several: store::Several::Untag, may_go }).unwrap();
    store.collect().unwrap();
    let kept = store.kept_layers(&id(1)).unwrap().remove(&image.id).unwrap();
    let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
    assert_eq!(read(&store.mount_image(&kept, request).unwrap(), "a").as_deref(), Some("1"));
    assert!(store.keep_layers(&id(1), std::slice::from_ref(&image)).is_ok());
    store.remove_draft(&id(1)).unwrap();
    store.collect().unwrap();
    store.draft(&id(2), None).unwrap();
    assert!(store.keep_layers(&id(2), &[image]).is_err(), "it is gone");
}
