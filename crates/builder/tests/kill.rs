//! Builds that are killed: at every durable act, and while another waits for their step. The next build finds nothing half done.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test starts itself as the program that dies")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use builder::progress::Progress;
use builder::{
    BuildContext, Built, Commit, Dockerfile, Ended, Fetched, Git, Machine, MachineError, NoCache, Pull, Request, Run,
    RunDefaults, Stream, Validators, WantedImage,
};
use disk::Home;
use spec::id::ContainerId;
use store::{Damage, Depth, Floor, Image, Mount, MountImage, Store};
use testkit::{Root, for_each_kill};

const ROOT: &str = "KIST_BUILDER_TEST_ROOT";
const HANGS: &str = "KIST_BUILDER_TEST_HANGS";

const TEXT: &str =
    "FROM scratch AS one\nCOPY a /a\nRUN --mount=type=cache,target=/c write\nFROM scratch\nCOPY --from=one /a /b\n";

/// Writes `/ran`; or never ends, and says that it began by the file `began`.
struct Hand<'a> {
    store: &'a Store,
    root: &'a Path,
    hangs: bool,
}

impl Machine for Hand<'_> {
    fn image(&self, _: &WantedImage, _: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError> {
        unreachable!()
    }

    fn run(
        &self,
        id: &ContainerId,
        _: Run,
        _: &mut (dyn FnMut(Stream, &[u8]) + Send),
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError> {
        if self.hangs {
            fs::write(self.root.join("began"), "").unwrap();
            std::thread::sleep(Duration::from_secs(60));
        }
        let rootfs = self.store.mount(id, Mount { id_maps: None }).unwrap();
        write(&rootfs, "ran");
        Ok(Ended::Exited(0))
    }

    fn fetch(
        &self,
        _: &str,
        _: &Validators,
        _: &mut fs::File,
        _: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError> {
        unreachable!()
    }

    fn git(&self, _: &Git, _: &Path, _: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError> {
        unreachable!()
    }
}

fn write(dir: &impl std::os::fd::AsRawFd, name: &str) {
    fs::write(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()), "1").unwrap();
}

fn build(root: &Path, text: &str, hangs: bool) -> (Store, Built) {
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let store = Store::open(home.root()).unwrap();
    let request = Request {
        context: BuildContext::Directory(root.join("ctx")),
        dockerfile: Dockerfile::Text(text.as_bytes().to_vec()),
        named_contexts: BTreeMap::new(),
        target: None,
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        platforms: Vec::new(),
        no_cache: NoCache::Nothing,
        pull: Pull::Missing,
        run: RunDefaults::default(),
        secrets: BTreeMap::new(),
        ssh: BTreeMap::new(),
        cache_from: Vec::new(),
        allow: BTreeSet::new(),
    };
    let built = builder::build(&home, &store, &Hand { store: &store, root, hangs }, &request, &|_| {}).unwrap();
    (store, built)
}

fn reads(store: &Store, built: &Built, name: &str) -> String {
    use std::os::fd::AsRawFd;
    let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
    let root = store.mount_image(&built.variants[0].chains, request).unwrap();
    fs::read_to_string(format!("/proc/self/fd/{}/{name}", root.as_raw_fd())).unwrap()
}

fn assert_clean(store: &Store, root: &Path) {
    assert_eq!(store.build_drafts().unwrap(), []);
    let listed = |dir: &str| fs::read_dir(root.join(dir)).map_or(0, Iterator::count);
    assert_eq!(listed("root/build-cache/tmp"), 0);
    assert!(fs::read_dir(root.join("run/builds")).unwrap().all(|entry| entry.unwrap().file_name() == "steps"));
}

/// The program: not a test unless another one starts it.
#[test]
fn victim() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    build(Path::new(&root), TEXT, std::env::var_os(HANGS).is_some());
}

fn start(root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "victim"]).env(ROOT, root).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn killed_at_any_act_it_leaves_garbage_at_most() {
    for_each_kill(|faults| {
        let root = Root::new();
        root.write("ctx/a", "a");
        let mut command = start(root.path());
        faults.arm(&mut command);
        let _died = command.status().unwrap();
        let (store, built) = build(root.path(), TEXT, false);
        assert_eq!(reads(&store, &built, "b"), "a");
        assert_clean(&store, root.path());
        let damages = store.check(Depth::Layers).unwrap();
        assert!(damages.iter().all(|damage| matches!(damage, Damage::Garbage(_))), "{:?} {damages:?}", faults.acts());
        store.collect().unwrap();
        assert_eq!(store.check(Depth::Layers).unwrap(), [], "{:?}", faults.acts());
    });
}

#[test]
fn a_killed_builds_step_is_done_by_who_waits_for_it() {
    let root = Root::new();
    root.write("ctx/a", "a");
    let text = TEXT.split("FROM scratch\n").next().unwrap();
    let mut victim = start(root.path()).env(HANGS, "1").spawn().unwrap();
    while !root.join("began").is_file() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let waiter = std::thread::spawn({
        let (root, text) = (root.path().to_owned(), text.to_owned());
        move || build(&root, &text, false)
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiter.is_finished(), "the step is another build's");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let (store, built) = waiter.join().unwrap();
    assert_eq!(reads(&store, &built, "ran"), "1");
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    builder::cache::sweep(&home, &store).unwrap();
    assert_clean(&store, root.path());
}
