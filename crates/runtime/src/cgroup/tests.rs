//! On the machine's own control groups, whichever they are, below a parent that no one else uses; and v2 files in a plain directory.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::{Expect, expect};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spec::bundle::{CgroupDriver, CgroupPlacement};
use spec::id::ContainerId;
use spec::resources::{BlockDevice, DEFAULT_DEVICES, DeviceRate};

use super::*;

/// A place for one test's groups; all of it goes away at the end, whatever the test did.
struct Place {
    parent: String,
    layout: Layout,
    paths: CgroupPaths,
    children: Vec<Child>,
}

impl Place {
    fn new() -> Option<Place> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let layout = Layout::probe().unwrap();
        // Without rights only a delegated group of v2 will do.
        let may = layout.is_v2() || rustix::process::geteuid().is_root();
        if !may || (layout.v1.is_empty() && layout.v2.is_none()) {
            println!("skipped: needs control groups and the right to make some");
            return None;
        }
        let parent = format!("kist-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let at = CgroupPlacement { parent: Some(parent.clone()), driver: CgroupDriver::Cgroupfs };
        let paths = Placement { id: &ContainerId::from_bytes([7; 32]), at: &at }.paths(&layout).unwrap();
        Some(Place { parent, layout, paths, children: Vec::new() })
    }

    fn create(&self, resources: &Resources) -> (Cgroup, Vec<Warning>) {
        Cgroup::create(self.paths.clone(), resources).unwrap()
    }

    /// A shell that joins all groups and then does what is said.
    #[expect(clippy::disallowed_methods, reason = "a process to put into the group")]
    fn run(&mut self, script: &str) -> usize {
        let files = self.paths.v1.iter().map(|p| p.path.join("tasks"));
        let files = files.chain(self.paths.v2.iter().map(|path| path.join("cgroup.procs")));
        let join: String = files.map(|file| format!("echo 0 > '{}' || exit 99\n", file.display())).collect();
        let child = Command::new("sh").arg("-c").arg(format!("{join}echo in\n{script}")).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut line = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        assert_eq!(&line, b"in\n");
        self.children.push(child);
        self.children.len() - 1
    }

    fn wait(&mut self, child: usize) -> Option<i32> {
        self.children[child].wait().unwrap().code()
    }

    /// The file of a controller, in v1 or in v2.
    fn read(&self, controller: &str, v1: &str, v2: &str) -> String {
        let member = self.paths.v1.iter().find(|p| p.controllers.split(',').any(|c| c == controller));
        let path = match (member, &self.paths.v2) {
            (Some(member), _) => member.path.join(v1),
            (None, Some(path)) => path.join(v2),
            (None, None) => unreachable!(),
        };
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}")).trim().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        Cgroup::remove_paths(&self.paths).unwrap();
        let mounts =
            self.layout.v1.iter().map(|h| h.mount.clone()).chain(self.layout.v2.iter().map(|v2| v2.base.clone()));
        for mount in mounts {
            group::remove(&mount.join(&self.parent)).unwrap();
        }
    }
}

const LIMITS: Resources = Resources {
    memory_bytes: Some(64 << 20),
    memory_swap_bytes: Some(128 << 20),
    memory_reservation_bytes: Some(32 << 20),
    memory_swappiness: None,
    oom_kill_disable: Some(false),
    cpu_shares: Some(512),
    cpu_quota_us: None,
    cpu_period_us: None,
    nano_cpus: Some(500_000_000),
    cpu_rt_period_us: None,
    cpu_rt_runtime_us: None,
    cpuset_cpus: None,
    cpuset_mems: None,
    pids_limit: Some(20),
    blkio_weight: None,
    blkio_weight_device: Vec::new(),
    device_read_bps: Vec::new(),
    device_write_bps: Vec::new(),
    device_read_iops: Vec::new(),
    device_write_iops: Vec::new(),
    devices: Vec::new(),
};

#[test]
fn limits_are_in_the_kernel_and_can_be_changed() {
    let Some(place) = Place::new() else { return };
    let (cgroup, warnings) = place.create(&LIMITS);
    assert_eq!(warnings, []);
    assert_eq!(place.read("memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    let v1 = !place.layout.v1.is_empty();
    let swap = place.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    assert_eq!(swap, if v1 { "134217728" } else { "67108864" });
    assert_eq!(place.read("pids", "pids.max", "pids.max"), "20");
    assert_eq!(place.read("cpu", "cpu.cfs_quota_us", "cpu.max"), if v1 { "50000" } else { "50000 100000" });
    let stats = cgroup.stats().unwrap();
    assert_eq!((stats.memory.limit_bytes, stats.pids.limit), (Some(64 << 20), Some(20)));

    // Above the old sum of memory and swap: the order matters on v1.
    let grown = Resources { memory_bytes: Some(256 << 20), memory_swap_bytes: Some(-1), pids_limit: Some(0), ..LIMITS };
    assert_eq!(cgroup.update(&grown).unwrap(), []);
    assert_eq!(place.read("memory", "memory.limit_in_bytes", "memory.max"), "268435456");
    assert_eq!(place.read("pids", "pids.max", "pids.max"), "max");
    assert_eq!(cgroup.update(&LIMITS).unwrap(), []);
    assert_eq!(place.read("memory", "memory.limit_in_bytes", "memory.max"), "67108864");
}

#[test]
fn a_new_group_has_the_cpus_of_its_parent() {
    let Some(mut place) = Place::new() else { return };
    let (cgroup, _) = place.create(&Resources::default());
    let cpus = place.read("cpuset", "cpuset.cpus", "cpuset.cpus.effective");
    assert!(!cpus.is_empty());
    let child = place.run("exit 0");
    assert_eq!(place.wait(child), Some(0));
    cgroup.update(&Resources { cpuset_cpus: Some("0".into()), ..Resources::default() }).unwrap();
    assert_eq!(place.read("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
}

#[test]
fn processes_are_found_frozen_and_killed() {
    let Some(mut place) = Place::new() else { return };
    let (cgroup, _) = place.create(&Resources::default());
    assert!(cgroup.is_empty().unwrap() && !cgroup.is_frozen().unwrap());
    let child = place.run("sleep 1000 & sleep 1000");
    assert!(!cgroup.is_empty().unwrap());
    let pid = i32::try_from(place.children[child].id()).unwrap();
    assert!(cgroup.pids().unwrap().iter().any(|p| p.as_raw_nonzero().get() == pid));

    cgroup.freeze().unwrap();
    assert!(cgroup.is_frozen().unwrap());
    cgroup.thaw().unwrap();
    assert!(!cgroup.is_frozen().unwrap());

    // Another holder of the claim, after a crash; frozen processes die too.
    cgroup.freeze().unwrap();
    drop(cgroup);
    let cgroup = Cgroup::open(place.paths.clone()).unwrap();
    cgroup.kill_all().unwrap();
    assert!(cgroup.is_empty().unwrap());
    assert_eq!(place.wait(child), None, "killed by a signal");
    cgroup.remove().unwrap();
    assert!(Cgroup::open(place.paths.clone()).unwrap_err().is_not_found());
    Cgroup::remove_paths(&place.paths).unwrap();
}

#[test]
fn v1_alone_is_killed_through_its_freezer() {
    let Some(mut place) = Place::new() else { return };
    if place.layout.v1.is_empty() {
        println!("skipped: no cgroup v1");
        return;
    }
    let v2 = place.paths.v2.take();
    let (cgroup, _) = place.create(&Resources::default());
    let child = place.run("sleep 1000 & (sleep 1000 & sleep 1000)");
    cgroup.freeze().unwrap();
    assert_eq!(place.read("freezer", "freezer.state", ""), "FROZEN");
    cgroup.thaw().unwrap();
    cgroup.kill_all().unwrap();
    assert!(cgroup.is_empty().unwrap());
    assert_eq!(place.wait(child), None);
    place.paths.v2 = v2;
}

#[test]
fn groups_made_inside_are_removed_too() {
    let Some(mut place) = Place::new() else { return };
    let (cgroup, _) = place.create(&Resources::default());
    let dirs: Vec<PathBuf> =
        place.paths.v1.iter().map(|p| p.path.clone()).chain(place.paths.v2.clone()).map(|p| p.join("a/b")).collect();
    dirs.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
    let child = place.run("sleep 0.05");
    // Still busy when it begins.
    cgroup.remove().unwrap();
    assert_eq!(place.wait(child), Some(0));
    assert!(dirs.iter().all(|dir| fs::metadata(dir).is_err()));
}

#[test]
fn a_thread_joins_v1_by_itself() {
    let Some(place) = Place::new() else { return };
    let (cgroup, _) = place.create(&Resources::default());
    assert_eq!(cgroup.tasks_files().len(), place.layout.v1.len());
    assert_eq!(cgroup.clone_into().is_some(), place.layout.v2.is_some());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cgroup.join_self().unwrap();
            let text = fs::read_to_string("/proc/thread-self/cgroup").unwrap();
            let joined = text.lines().filter(|line| line.contains(&place.parent)).count();
            assert_eq!(joined, place.layout.v1.len(), "{text}");
        });
    });
}

#[test]
fn devices_beyond_the_rules_are_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root may load device programs, or open /dev/kmsg");
        return;
    }
    let Some(mut place) = Place::new() else { return };
    let (cgroup, _) = place.create(&Resources { devices: DEFAULT_DEVICES.to_vec(), ..Resources::default() });
    let script = "exec 2>/dev/null; : </dev/zero || exit 1; (: <>/dev/kmsg) && exit 2; exit 0";
    let child = place.run(script);
    assert_eq!(place.wait(child), Some(0));
    let mut more = DEFAULT_DEVICES.to_vec();
    more.push("c 1:11 rw".parse().unwrap());
    cgroup.update(&Resources { devices: more, ..Resources::default() }).unwrap();
    let child = place.run(script);
    assert_eq!(place.wait(child), Some(2));
}

#[test]
fn a_device_program_is_attached_to_v2_and_replaced() {
    let Some(mut place) = Place::new() else { return };
    place.paths.v1.clear();
    let Some(path) = place.paths.v2.clone() else {
        println!("skipped: no v2 tree");
        return;
    };
    let hybrid = !place.layout.v1.is_empty();
    let group = v2::make(&path, if hybrid { v2::Controllers::Elsewhere } else { v2::Controllers::Enable }).unwrap();
    let filter = devices::Filter::new(DEFAULT_DEVICES);
    if let Err(error) = filter.apply_v2(&group) {
        println!("skipped: {error}: {:?}", error.errno());
        assert_ne!(error.errno(), Some(libc::EINVAL));
        return;
    }
    let script = "exec 2>/dev/null; : </dev/zero || exit 1; (: <>/dev/kmsg) && exit 2; exit 0";
    let child = place.run(script);
    assert_eq!(place.wait(child), Some(0));
    devices::Filter::new(spec::resources::ALLOW_ALL_DEVICES).apply_v2(&group).unwrap();
    assert_eq!(sys::bpf::attached(group.dir.as_fd()).unwrap().len(), 1);
    let child = place.run(script);
    assert_eq!(place.wait(child), Some(2));
}

#[test]
fn a_kill_for_lack_of_memory_is_told_and_counted() {
    let Some(mut place) = Place::new() else { return };
    let limit = Some(8 << 20);
    let (cgroup, _) =
        place.create(&Resources { memory_bytes: limit, memory_swap_bytes: limit, ..Resources::default() });
    let watch = cgroup.oom_watch().unwrap().unwrap();
    assert_eq!(cgroup.oom_kills().unwrap(), 0);
    // tail keeps all that may be the last line.
    let child = place.run("tail -n1 /dev/zero >/dev/null 2>&1; exit 5");
    let mut fds = [PollFd::new(&watch, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&timeout)).unwrap(), 1, "no event");
    place.wait(child);
    assert!(cgroup.oom_kills().unwrap() >= 1);
    watch.drain();
}

#[test]
fn a_delegated_group_is_used_where_the_whole_tree_may_not_be_written() {
    let Some(place) = Place::new() else { return };
    let Some(v2) = place.layout.v2.clone().filter(|v2| v2.base != v2.mount) else {
        println!("skipped: nothing is delegated to this user");
        return;
    };
    let (_cgroup, warnings) = place.create(&LIMITS);
    assert_eq!(warnings, []);
    // The processes of the delegated group, this one among them, had to make room.
    assert_eq!(fs::read_to_string(v2.base.join("cgroup.procs")).unwrap(), "");
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(own.trim_end().ends_with(layout::LEAF), "{own}");
    assert_eq!(Layout::probe().unwrap().v2.unwrap().base, v2.base);
}

#[test]
fn no_driver_makes_no_groups_and_warns_of_limits() {
    let at = CgroupPlacement { parent: None, driver: CgroupDriver::None };
    let paths = Placement { id: &ContainerId::from_bytes([7; 32]), at: &at }.paths(&Layout::probe().unwrap()).unwrap();
    let resources = Resources { nano_cpus: None, devices: DEFAULT_DEVICES.to_vec(), ..LIMITS };
    let (cgroup, warnings) = Cgroup::create(paths, &resources).unwrap();
    use Warning::{CpuShares, Memory, Pids, Reservation};
    assert_eq!(warnings, [Memory, Reservation, CpuShares, Pids]);
    assert!(cgroup.is_empty().unwrap() && cgroup.clone_into().is_none());
    cgroup.freeze().unwrap();
    cgroup.thaw().unwrap();
    cgroup.kill_all().unwrap();
    assert_eq!(cgroup.stats().unwrap(), Stats::default());
    cgroup.remove().unwrap();
}

#[test]
fn systemd_makes_a_scope_and_forgets_it() {
    let layout = Layout::probe().unwrap();
    if !layout.systemd || !rustix::process::geteuid().is_root() {
        println!("skipped: systemd is not process 1, or does not serve this user");
        return;
    }
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&std::process::id().to_le_bytes());
    let at = CgroupPlacement { parent: None, driver: CgroupDriver::Systemd };
    let paths = Placement { id: &ContainerId::from_bytes(bytes), at: &at }.paths(&layout).unwrap();
    let (mut cgroup, warnings) = Cgroup::create(paths.clone(), &LIMITS).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(cgroup.pids().unwrap().len(), 1, "the anchor");
    cgroup.update(&Resources { pids_limit: Some(30), ..LIMITS }).unwrap();
    assert_eq!(cgroup.stats().unwrap().pids.limit, Some(30));
    cgroup.occupied();
    cgroup.remove().unwrap();
    assert!(Cgroup::open(paths).is_err());
}

/// Files of a v2 group in a plain directory: what is written to them.
fn check_v2(resources: &Resources, expected: Expect) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let dir =
        std::env::temp_dir().join(format!("kist-v2-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&dir).unwrap();
    let names = [
        "memory.max",
        "memory.swap.max",
        "memory.low",
        "cpu.weight",
        "cpu.max",
        "cpuset.cpus",
        "pids.max",
        "io.weight",
        "io.max",
    ];
    for name in names {
        fs::File::create(dir.join(name)).unwrap();
    }
    let mut warnings = Vec::new();
    let result = v2::apply(&Group::open(&dir).unwrap(), resources, &mut warnings);
    let mut out = result.map_or_else(|e| format!("{e}\n"), |()| String::new());
    for name in names {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        if !text.is_empty() {
            out += &format!("{name}: {text}\n");
        }
    }
    fs::remove_dir_all(&dir).unwrap();
    out.extend(warnings.iter().map(|warning| format!("{warning}\n")));
    expected.assert_eq(&out);
}

#[test]
fn v2_files_get_v2_values() {
    check_v2(&Resources::default(), expect![""]);
    check_v2(
        &LIMITS,
        expect![[r"
            memory.max: 67108864
            memory.swap.max: 67108864
            memory.low: 33554432
            cpu.weight: 59
            cpu.max: 50000 100000
            pids.max: 20
        "]],
    );
    let rate = DeviceRate { device: BlockDevice::Number(8, 0), rate: 1 << 20 };
    check_v2(
        &Resources {
            memory_bytes: Some(1 << 30),
            memory_swap_bytes: Some(-1),
            memory_swappiness: Some(60),
            oom_kill_disable: Some(true),
            cpu_quota_us: Some(-1),
            cpu_period_us: Some(50_000),
            cpuset_cpus: Some("0-1".into()),
            pids_limit: Some(-1),
            blkio_weight: Some(500),
            device_write_bps: vec![rate],
            ..Resources::default()
        },
        expect![[r"
            memory.max: 1073741824
            memory.swap.max: max
            cpu.max: max 50000
            cpuset.cpus: 0-1
            pids.max: max
            io.weight: 4950
            io.max: 8:0 wbps=1048576
            Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.
            Your kernel does not support OomKillDisable. OomKillDisable discarded.
        "]],
    );
    check_v2(
        &Resources { cpu_rt_runtime_us: Some(1), ..Resources::default() },
        expect![[r"
            kernel does not support CPU real-time scheduler
        "]],
    );
}

#[test]
fn a_missing_v2_controller_is_warned_of() {
    let dir = std::env::temp_dir().join(format!("kist-v2-bare-{}", std::process::id()));
    fs::create_dir(&dir).unwrap();
    let group = Group::open(Path::new(&dir)).unwrap();
    let mut warnings = Vec::new();
    v2::apply(&group, &Resources { nano_cpus: None, ..LIMITS }, &mut warnings).unwrap();
    use Warning::{CpuShares, Memory, Pids, Reservation};
    assert_eq!(warnings, [Memory, Reservation, CpuShares, Pids]);
    let refused = v2::apply(&group, &LIMITS, &mut warnings).unwrap_err();
    assert!(matches!(refused, CgroupError::NoNanoCpus));
    fs::remove_dir(&dir).unwrap();
}
