use std::fs;
use std::path::Path;
use std::sync::Mutex;

use spec::digest::{ChainId, DiffId, Digest};
use store::{LoadEvent, Store};
use testkit::{ImageBuilder, Root};

use super::*;

/// A store with the image `x` of two layers, and what is known of them.
fn store(root: &Root) -> (Store, Vec<(ChainId, DiffId)>) {
    let store = Store::open(&root.join("one")).unwrap();
    let image = ImageBuilder::new().name("x").file("a", 0o644, "a").layer(testkit::Layer::new().file("b", 0o600, "bb"));
    store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
    let image = store.resolve("x").unwrap();
    (store, image.chains.iter().cloned().zip(image.config.rootfs.diff_ids).collect())
}

fn key(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

fn wrote((chain, diff_id): &(ChainId, DiffId)) -> Wrote {
    Wrote::Layer(chain.clone(), diff_id.clone())
}

fn steps(layers: &[(ChainId, DiffId)]) -> Vec<Step> {
    vec![
        Step { keys: vec![key("one")], wrote: wrote(&layers[0]) },
        Step { keys: vec![key("two"), key("two too")], wrote: wrote(&layers[1]) },
        Step { keys: vec![key("nothing")], wrote: Wrote::Nothing },
    ]
}

fn written(store: &Store, dir: &Path, steps: &[Step]) {
    export(steps, &mut directory::Writing::open(store, dir).unwrap()).unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// What another store learns of a directory, with what it said.
fn asked(root: &Root, dir: &Path, asks: &[(&str, Option<&ChainId>)]) -> (Vec<Option<Option<ChainId>>>, Vec<String>) {
    let store = Store::open(&root.join("two")).unwrap();
    let _kept = store.share().unwrap();
    let said = Mutex::new(Vec::new());
    let warn = |text: &str| said.lock().unwrap().push(text.to_owned());
    let known = Imported::new(&store, directory::read(dir).unwrap().into_iter().collect(), &warn);
    let ask = |(name, below): &(&str, Option<&ChainId>)| {
        let record = known.step(&key(name), "RUN x", *below).unwrap();
        // What came from elsewhere is known here from then on.
        assert_eq!(store.step(&key(name)).unwrap(), record);
        record.map(|record| record.layer.map(|layer| layer.chain))
    };
    let found = asks.iter().map(ask).collect();
    drop(known);
    (found, said.into_inner().unwrap())
}

#[test]
fn what_one_store_knows_another_learns() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    written(&store, &dir, &steps(&layers));
    let below = layers[0].0.clone();
    let asks =
        [("one", None), ("two", Some(&below)), ("two too", Some(&below)), ("nothing", Some(&below)), ("else", None)];
    let (found, said) = asked(&root, &dir, &asks);
    let two = Some(Some(layers[1].0.clone()));
    assert_eq!(found, [Some(Some(below)), two.clone(), two, Some(None), None]);
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn layers_come_when_they_are_asked_for() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    written(&store, &dir, &steps(&layers));
    asked(&root, &dir, &[("two", Some(&layers[0].0))]);
    assert_eq!(fs::read_dir(root.join("two/snapshots")).unwrap().count(), 1);
}

#[test]
fn a_directory_is_written_the_same_and_holds_nothing_else() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let (dir, other) = (root.join("cache"), root.join("other"));
    written(&store, &dir, &steps(&layers));
    written(&store, &other, &steps(&layers));
    assert_eq!(
        (files(&dir), fs::read(dir.join("index.json")).unwrap()),
        (files(&other), fs::read(other.join("index.json")).unwrap())
    );
    assert_eq!(files(&dir).len(), 4);
    written(&store, &dir, &steps(&layers)[..1]);
    assert_eq!(files(&dir).len(), 3);
    // Of a layer that is there the bytes are not made again.
    let before = fs::metadata(dir.join("blobs/sha256").join(&files(&dir)[0])).unwrap().modified().unwrap();
    written(&store, &dir, &steps(&layers)[..1]);
    assert_eq!(fs::metadata(dir.join("blobs/sha256").join(&files(&dir)[0])).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_dir(dir.join("blobs")).unwrap().count(), 1, "nothing passing stays");
}

#[test]
fn images_in_a_directory_stay() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    let image = ImageBuilder::new().name("y").file("y", 0o644, "y");
    fs::create_dir(&dir).unwrap();
    image.oci_layout(&dir);
    let before = files(&dir);
    let index = fs::read_to_string(dir.join("index.json")).unwrap();
    root.write("cache/index.json", index.replace("latest", "an-image"));
    written(&store, &dir, &steps(&layers));
    assert!(before.iter().all(|name| files(&dir).contains(name)));
}

#[test]
fn wrong_bytes_are_told_once_and_the_cache_is_left_alone() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    written(&store, &dir, &steps(&layers));
    for name in files(&dir) {
        let path = format!("cache/blobs/sha256/{name}");
        if fs::read(root.join(&path)).unwrap().starts_with(&[0x1f, 0x8b]) {
            root.write(&path, "no layer");
        }
    }
    let (found, said) = asked(&root, &dir, &[("one", None), ("two", Some(&layers[0].0)), ("nothing", None)]);
    assert_eq!(found, [None, None, None]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(fs::read_dir(root.join("two/snapshots")).unwrap().count(), 0);
}

#[test]
fn a_claim_that_is_not_the_layers_is_found_out() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    written(&store, &dir, &steps(&layers));
    // The blob of one layer is said to be the other.
    let cache = directory::read(&dir).unwrap().unwrap().cache;
    let layer = |name: &str| cache.step(&key(name)).unwrap().unwrap().clone();
    let liar = Layer { diff_id: layer("two").diff_id, blob: layer("one").blob };
    let lie = Cache::of([(key("two"), Some(liar)), (key("one"), Some(layer("one")))]);
    Sink::finish(&mut directory::Writing::open(&store, &dir).unwrap(), &lie).unwrap();
    let (found, said) = asked(&root, &dir, &[("two", Some(&layers[0].0))]);
    assert_eq!(found, [None]);
    assert!(said[0].contains("a layer's content should be"), "{said:?}");
}

#[test]
fn a_directory_leads_nowhere_else() {
    let root = Root::new();
    let (store, layers) = store(&root);
    let dir = root.join("cache");
    written(&store, &dir, &steps(&layers));
    for name in files(&dir) {
        let path = root.join(format!("cache/blobs/sha256/{name}"));
        if fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]) {
            // The right bytes, but not here.
            fs::rename(&path, root.join(&name)).unwrap();
            std::os::unix::fs::symlink(root.join(&name), &path).unwrap();
        }
    }
    let (found, said) = asked(&root, &dir, &[("one", None)]);
    assert_eq!((found, said.len()), (vec![None], 1));
    fs::remove_file(dir.join("index.json")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, dir.join("index.json"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(directory::read(&dir).is_err());
    assert!(directory::read(&root.join("nowhere")).unwrap().is_none());
    fs::create_dir(root.join("empty")).unwrap();
    assert!(directory::read(&root.join("empty")).unwrap().is_none());
}
