//! SIGKILL at every durable act of a load, a container and a removal: the next command finds nothing half done.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test starts itself as the program that dies")]

use std::path::Path;
use std::process::Command;

use spec::digest::Digest;
use spec::id::ContainerId;
use spec::time::Time;
use store::{Damage, Depth, FileTimes, LayerTimes, Mount, Remove, Several, StepLayer, StepRecord, Store};
use testkit::{Compression, ImageBuilder, Root, for_each_kill};

const ROOT: &str = "KIST_STORE_TEST_ROOT";

fn image() -> Vec<u8> {
    let image = ImageBuilder::new().name("x:1").file("a", 0o644, "a").file("b", 0o644, "b");
    image.compression(Compression::Gzip).docker_archive()
}

/// The program: not a test unless the other one starts it.
#[test]
fn victim() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let store = Store::open(Path::new(&root)).unwrap();
    let id = ContainerId::from_bytes([1; 32]);
    store.load(image().as_slice(), &mut |_| {}).unwrap();
    store.draft(&id, Some(&store.resolve("x:1").unwrap())).unwrap();
    drop(store.mount(&id, Mount { id_maps: None }).unwrap());
    store.remove_draft(&id).unwrap();
    store.remove("x:1", Remove { several: Several::Untag, may_go: &mut |_| Ok(()) }).unwrap();
}

/// The same for a build: two steps, of which the second is forgotten again.
#[test]
fn building_victim() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let store = Store::open(Path::new(&root)).unwrap();
    let id = ContainerId::from_bytes([1; 32]);
    let epoch = Time::from_ns(0);
    store.draft_on(&id, &[], "b").unwrap();
    for name in ["a", "b"] {
        let upper = store.draft_places(&id).unwrap().upper;
        std::fs::write(upper.join(name), name).unwrap();
        let made = store.layer_of(&id, LayerTimes { epoch, files: FileTimes::AllEpoch }).unwrap().unwrap();
        let layer = StepLayer { chain: made.chain, diff_id: made.diff_id, size_bytes: made.size_bytes };
        let record = StepRecord { layer: Some(layer), name: name.into(), created: epoch };
        store.put_step(&Digest::sha256(name.as_bytes()), &record).unwrap();
    }
    store.remove_draft(&id).unwrap();
    store.remove_step(&Digest::sha256(b"b")).unwrap();
    store.collect().unwrap();
}

#[test]
fn a_build_killed_at_any_act_leaves_whole_steps_and_garbage() {
    for_each_kill(|faults| {
        let root = Root::new();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "building_victim"]).env(ROOT, root.join("store"));
        faults.arm(&mut command);
        let _died = command.output().unwrap();
        let store = Store::open(&root.join("store")).unwrap();
        let damages = store.check(Depth::Layers).unwrap();
        assert!(damages.iter().all(|damage| matches!(damage, Damage::Garbage(_))), "{:?} {damages:?}", faults.acts());
        // What the next build does for a dead one.
        for (id, build) in store.build_drafts().unwrap() {
            assert_eq!(build, "b");
            store.remove_draft(&id).unwrap();
        }
        assert_eq!(store.after_boot().unwrap(), []);
        for step in store.steps().unwrap() {
            assert_eq!(store.step(&step.key).unwrap(), Some(step.record));
        }
        store.collect().unwrap();
        assert_eq!(store.check(Depth::Layers).unwrap(), [], "{:?}", faults.acts());
    });
}

#[test]
fn killed_at_any_act_it_leaves_garbage_at_most() {
    for_each_kill(|faults| {
        let root = Root::new();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "victim"]).env(ROOT, root.join("store"));
        faults.arm(&mut command);
        let _died = command.output().unwrap();
        let store = Store::open(&root.join("store")).unwrap();
        let damages = store.check(Depth::Layers).unwrap();
        assert!(damages.iter().all(|damage| matches!(damage, Damage::Garbage(_))), "{:?} {damages:?}", faults.acts());
        store.collect().unwrap();
        let left = store.check(Depth::Layers).unwrap();
        assert_eq!(left, [], "{:?}", faults.acts());
        // And all goes on.
        store.load(image().as_slice(), &mut |_| {}).unwrap();
    });
}
