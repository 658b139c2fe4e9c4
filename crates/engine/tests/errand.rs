//! Commands of builds, run for real: on drafts, with their mounts, seen by nobody, gone with whoever sent them. Needs root and busybox.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use builder::{Ended, Machine as _, MachineError, Mounted, Run, RunDefaults, RunMount, Stream};
use engine::Host;
use engine::build::{Errands, Tools};
use engine::registry::Settings;
use registry::client::ProxySettings;
use registry::credentials::{ConfigFile, Surroundings};
use spec::id::ContainerId;
use spec::platform::Platform;
use testkit::Root;

fn main() {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| name == monitor::ROLE) {
        let code = monitor::main(words);
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    if let [role, root, id] = words.as_slice()
        && role == "builder"
    {
        return sleep_for_ever(Path::new(root), &id.parse().unwrap());
    }
    if rustix::process::geteuid().as_raw() != 0 {
        println!("skipped: these tests need root");
        return;
    }
    let filter = words.first().filter(|word| !word.starts_with('-')).cloned().unwrap_or_default();
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(&filter)) {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    std::process::exit(failed.min(1));
}

type Test = (&'static str, fn());

/// Nobody interrupts.
static NEVER: AtomicBool = AtomicBool::new(false);

const TESTS: &[Test] = &[
    ("output_and_code_come_back_and_what_was_written_stays", output_and_code_come_back_and_what_was_written_stays),
    ("nobody_sees_it_and_nothing_is_left", nobody_sees_it_and_nothing_is_left),
    ("mounts_are_as_asked_and_leave_no_mount_points", mounts_are_as_asked_and_leave_no_mount_points),
    ("an_agent_has_the_looks_that_are_asked_for", an_agent_has_the_looks_that_are_asked_for),
    ("what_cannot_be_executed_is_the_commands_fault", what_cannot_be_executed_is_the_commands_fault),
    ("networks_are_none_and_the_hosts", networks_are_none_and_the_hosts),
    ("one_that_is_not_wanted_any_more_is_killed", one_that_is_not_wanted_any_more_is_killed),
    ("the_next_one_has_a_monitor_already", the_next_one_has_a_monitor_already),
    ("it_ends_with_its_builder", it_ends_with_its_builder),
    ("how_long_one_takes", how_long_one_takes),
];

struct Bench {
    root: Root,
    host: Host,
    settings: Settings,
}

fn open(root: &Path) -> Host {
    Host::open(&root.join("root"), &root.join("run"), &root.join("config")).unwrap()
}

fn settings(root: &Path) -> Settings {
    let surroundings = Surroundings { path: String::new(), auth_config: None };
    Settings {
        config_dir: root.join("config"),
        credentials: Arc::new(ConfigFile::open(&root.join("docker"), surroundings)),
        proxy: ProxySettings { http: String::new(), https: String::new(), no_proxy: String::new() },
    }
}

impl Bench {
    fn new() -> Bench {
        let root = Root::new();
        let host = open(root.path());
        let archive = std::fs::File::open(testkit::busybox_image()).unwrap();
        host.store.load(archive, &mut |_| {}).unwrap();
        Bench { settings: settings(root.path()), host, root }
    }

    fn draft(&self) -> ContainerId {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
        self.draft_of(ContainerId::from_bytes(bytes))
    }

    fn draft_of(&self, id: ContainerId) -> ContainerId {
        self.host.store.draft_volatile(&id, Some(&self.host.store.resolve("busybox").unwrap())).unwrap();
        id
    }

    fn tools(&self) -> Tools<'_> {
        Tools {
            host: &self.host,
            registries: &self.settings,
            git_env: &[],
            interrupted: &NEVER,
            errands: Errands::default(),
        }
    }

    /// The names of run directories that monitors have.
    fn berths(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join("run")).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.len() == 64).collect()
    }

    fn upper(&self, id: &ContainerId) -> PathBuf {
        self.root.join("root/drafts").join(id.as_str()).join("upper")
    }

    fn run(&self, id: &ContainerId, run: Run) -> (String, Result<Ended, MachineError>) {
        let tools = self.tools();
        let mut text = String::new();
        let mut out = |stream: Stream, bytes: &[u8]| {
            let mark = if stream == Stream::Stderr { "!" } else { "" };
            text.push_str(&format!("{mark}{}", String::from_utf8_lossy(bytes)));
        };
        let ended = tools.run(id, run, &mut out, &|| false);
        (text, ended)
    }

    #[track_caller]
    fn sh(&self, id: &ContainerId, mounts: Vec<RunMount>, script: &str) -> String {
        let (text, ended) = self.run(id, Run { mounts, ..command(script) });
        assert_eq!(ended.unwrap(), Ended::Exited(0), "{text}");
        text
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let left = || self.berths();
        let until = Instant::now() + Duration::from_secs(5);
        while !left().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !std::thread::panicking() {
            assert_eq!(left(), Vec::<String>::new(), "run directories are left");
        }
    }
}

fn command(script: &str) -> Run {
    Run {
        args: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        env: vec!["PATH=/bin".into(), "OWN=1".into()],
        working_dir: "/".into(),
        user: String::new(),
        mounts: Vec::new(),
        defaults: RunDefaults { network: "none".into(), ..RunDefaults::default() },
        privileged: false,
        platform: Platform::host(),
        more: false,
    }
}

fn mount(target: &str, what: Mounted) -> RunMount {
    RunMount { target: target.into(), read_only: false, what }
}

fn output_and_code_come_back_and_what_was_written_stays() {
    let bench = Bench::new();
    let id = bench.draft();
    let (text, ended) = bench.run(&id, command("echo out; echo err >&2; echo $OWN > /made; hostname; env; exit 7"));
    assert_eq!(ended.unwrap(), Ended::Exited(7));
    for line in ["out\n", "!err\n", "buildkitsandbox\n", "OWN=1\n", "HOME=/root\n", "PATH=/bin\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("HOSTNAME"), "{text}");
    assert_eq!(std::fs::read_to_string(bench.upper(&id).join("made")).unwrap(), "1\n");
    // The same draft serves again.
    assert_eq!(bench.sh(&id, Vec::new(), "cat /made; wc -c < /proc/self/fd/0"), "1\n0\n");
}

fn nobody_sees_it_and_nothing_is_left() {
    let bench = Bench::new();
    let id = bench.draft();
    let seen = std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.sh(&id, Vec::new(), "sleep 0.5"));
        std::thread::sleep(Duration::from_millis(250));
        let seen = engine::container::list::list(&bench.host).unwrap().len()
            + engine::container::list::running(&bench.host).unwrap().len();
        // Another command that comes meanwhile takes nothing from it.
        drop(open(bench.root.path()));
        running.join().unwrap();
        seen
    });
    assert_eq!(seen, 0);
    assert!(!bench.host.home.errand(&id).exists());
    let events = std::fs::read_to_string(bench.root.join("root/events.log")).unwrap_or_default();
    assert!(!events.contains(id.as_str()), "{events}");
    let below: Vec<_> = std::fs::read_dir(bench.upper(&id)).unwrap().flatten().collect();
    assert!(below.is_empty(), "{below:?}");
}

fn mounts_are_as_asked_and_leave_no_mount_points() {
    let bench = Bench::new();
    let id = bench.draft();
    let cache = bench.root.join("cache");
    std::fs::create_dir(&cache).unwrap();
    let image = bench.host.store.resolve("busybox").unwrap();
    let request = store::MountImage { id_maps: None, floor: store::Floor::Bare, beneath: None };
    let tree = bench.host.store.mount_image(&image.chains, request).unwrap();
    let mounts = vec![
        mount("/var/cache/deep/er", Mounted::Host(cache.clone())),
        RunMount { target: "/other".into(), read_only: true, what: Mounted::Tree(tree) },
        mount("/memory", Mounted::Tmpfs(Some(1 << 20))),
        mount("/run/secrets/one", Mounted::Secret(b"first".to_vec(), 0o400, (0, 0))),
        mount("/run/secrets/two", Mounted::Secret(b"second".to_vec(), 0o440, (1000, 33))),
    ];
    let script = "cat /run/secrets/one /run/secrets/two; echo; stat -c '%a %u %g' /run/secrets/two; ls /other/bin/sh; \
        touch /other/x 2>/dev/null || echo readonly; df -k /memory | tail -1 | awk '{print $2}'; \
        echo kept > /var/cache/deep/er/file; grep -c secrets /proc/mounts; echo stays > /var/cache/own; exit 0";
    let text = bench.sh(&id, mounts, script);
    assert_eq!(text, "firstsecond\n440 1000 33\n/other/bin/sh\nreadonly\n1024\n2\n");
    assert_eq!(std::fs::read_to_string(cache.join("file")).unwrap(), "kept\n");
    let upper = bench.upper(&id);
    assert!(upper.join("var/cache/own").exists() && !upper.join("var/cache/deep").exists());
    for gone in ["other", "memory", "run/secrets"] {
        assert!(!upper.join(gone).exists(), "{gone}");
    }
}

fn an_agent_has_the_looks_that_are_asked_for() {
    let bench = Bench::new();
    let id = bench.draft();
    let socket = bench.root.join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let agent = std::thread::spawn(move || {
        let (mut peer, _): (UnixStream, _) = listener.accept().unwrap();
        let mut asked = [0; 5];
        peer.read_exact(&mut asked).unwrap();
        peer.write_all(NO_KEYS).unwrap();
        asked
    });
    let ours = bench.root.join("ours");
    std::fs::create_dir(&ours).unwrap();
    let mounts =
        vec![mount("/run/agent.0", Mounted::Agent(socket, 0o600, (1000, 1000))), mount("/ours", Mounted::Host(ours))];
    // busybox speaks to no such sockets: we do, through the process's root.
    let peer = std::thread::spawn({
        let root = bench.root.path().to_owned();
        let id = id.clone();
        move || speak(&root, &id)
    });
    let text = bench.sh(&id, mounts, "stat -c '%a %u %F' /run/agent.0; while [ ! -e /ours/done ]; do sleep 0.01; done");
    assert_eq!(text, "600 1000 socket\n");
    peer.join().unwrap();
    // Nothing else came there.
    assert_eq!(agent.join().unwrap(), LIST);
}

/// Messages of the protocol of agents: their length, what they are.
const LIST: [u8; 5] = [0, 0, 0, 1, 11];
const REMOVE_ALL: [u8; 5] = [0, 0, 0, 1, 19];
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];
const NO_KEYS: &[u8; 9] = &[0, 0, 0, 5, 12, 0, 0, 0, 0];

/// Asks an agent for what it does not do here, and for what it does.
fn speak(root: &Path, id: &ContainerId) {
    let until = Instant::now() + Duration::from_secs(10);
    let home = disk::Home::open(&root.join("root"), &root.join("run")).unwrap();
    loop {
        assert!(Instant::now() < until, "the agent's socket appears");
        if let Some(life) = monitor::status::of(&home, id).unwrap().status.life()
            && let Ok(mut stream) = UnixStream::connect(format!("/proc/{}/root/run/agent.0", life.pid))
        {
            let (mut refused, mut answer) = ([0; 5], [0; 9]);
            stream.write_all(&REMOVE_ALL).unwrap();
            stream.read_exact(&mut refused).unwrap();
            stream.write_all(&LIST).unwrap();
            stream.read_exact(&mut answer).unwrap();
            std::fs::write(root.join("ours/done"), "").unwrap();
            assert_eq!((refused, &answer), (FAILURE, NO_KEYS));
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn what_cannot_be_executed_is_the_commands_fault() {
    let bench = Bench::new();
    let id = bench.draft();
    let (text, ended) = bench.run(&id, Run { args: vec!["nothing-like-it".into()], ..command("") });
    assert_eq!(ended.unwrap(), Ended::Exited(127));
    assert!(text.contains("executable file not found"), "{text}");
    assert_eq!(bench.sh(&id, Vec::new(), "echo again"), "again\n");
}

fn networks_are_none_and_the_hosts() {
    let bench = Bench::new();
    let id = bench.draft();
    let on = |network: &str| Run {
        defaults: RunDefaults { network: network.into(), hosts: vec!["me:10.1.2.3".into()], ..RunDefaults::default() },
        ..command("ls /sys/class/net; grep me$ /etc/hosts")
    };
    let (text, _) = bench.run(&id, on("none"));
    assert_eq!(text, "lo\n10.1.2.3\tme\n");
    let (text, _) = bench.run(&id, on("host"));
    assert!(text.contains("10.1.2.3\tme\n"), "{text}");
    let (_, ended) = bench.run(&id, on("mine"));
    assert!(ended.unwrap_err().message.contains("not supported by a build"));
}

fn one_that_is_not_wanted_any_more_is_killed() {
    let bench = Bench::new();
    let id = bench.draft();
    let tools = bench.tools();
    let since = Instant::now();
    let ended = tools.run(&id, command("sleep 100"), &mut |_, _| {}, &|| since.elapsed() > Duration::from_millis(200));
    assert_eq!(ended.unwrap(), Ended::Cancelled);
    assert!(since.elapsed() < Duration::from_secs(5));
}

fn the_next_one_has_a_monitor_already() {
    let bench = Bench::new();
    let tools = bench.tools();
    let say = |id: &ContainerId, network: &str, more| {
        let defaults = RunDefaults { network: network.into(), ..RunDefaults::default() };
        let mut said = String::new();
        let run = Run { defaults, more, ..command("echo here; readlink /proc/self/ns/net") };
        let ended = tools.run(id, run, &mut |_, bytes| said.push_str(&String::from_utf8_lossy(bytes)), &|| false);
        assert_eq!(ended.unwrap(), Ended::Exited(0), "{said}");
        said
    };
    assert_eq!(tools.draft_for_command(), None);
    let first = say(&bench.draft(), "none", true);
    let ready = tools.draft_for_command().unwrap();
    assert!(bench.berths().contains(&ready.to_string()));
    assert_eq!(tools.draft_for_command(), None, "one draft for each");
    // It is used, whatever network it was made for.
    let host = std::fs::read_link("/proc/self/ns/net").unwrap();
    let second = say(&bench.draft_of(ready.clone()), "host", true);
    assert_eq!(second, format!("here\n{}\n", host.display()));
    assert_ne!(first, second);
    let third = bench.draft_of(tools.draft_for_command().unwrap());
    assert!(say(&third, "none", true).starts_with("here\n"));
    // Neither the one that was not needed is left, nor the last.
    drop(tools);
    assert_eq!(bench.berths(), Vec::<String>::new());
}

/// In a process of its own, to be killed.
fn sleep_for_ever(root: &Path, id: &ContainerId) {
    let (host, settings) = (open(root), settings(root));
    let tools =
        Tools { host: &host, registries: &settings, git_env: &[], interrupted: &NEVER, errands: Errands::default() };
    let _ = tools.run(id, command("touch /begun; exec sleep 987654"), &mut |_, _| {}, &|| false);
}

fn it_ends_with_its_builder() {
    let bench = Bench::new();
    let id = bench.draft();
    let mut builder = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("builder")
        .arg(bench.root.path())
        .arg(id.as_str())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !bench.upper(&id).join("begun").exists() {
        assert!(Instant::now() < until, "the command begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    builder.kill().unwrap();
    builder.wait().unwrap();
    while bench.root.join("run").join(id.as_str()).exists() {
        assert!(Instant::now() < until, "its monitor leaves");
        std::thread::sleep(Duration::from_millis(5));
    }
    let alive = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .any(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x00987654\x00"));
    assert!(!alive);
}

fn how_long_one_takes() {
    let bench = Bench::new();
    let id = bench.draft();
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let since = Instant::now();
            bench.sh(&id, Vec::new(), "true");
            since.elapsed()
        })
        .collect();
    times.sort();
    println!("    a command without networks: {:.1} ms (median of 20)", times[10].as_secs_f64() * 1000.0);
}
