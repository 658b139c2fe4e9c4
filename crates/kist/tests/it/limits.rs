//! Each limit stands in the container's control group, or in the process.

use std::fs;
use std::path::Path;

use crate::{background, busybox, cgroup, idle, inspect, is_v2, pid, sh, try_sh};

/// What a file of the container's control group says: one name with v1, one with v2.
#[track_caller]
fn check(flags: &str, v1: (&str, &str, &str), v2: (&str, &str, &str)) {
    let kist = busybox();
    let id = idle(&kist, flags);
    let (controller, file, want) = if is_v2() { v2 } else { v1 };
    let path = cgroup(pid(&kist, &id), controller).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(text.trim(), want, "{}", path.display());
}

#[test]
fn memory() {
    check("-m 64m", ("memory", "memory.limit_in_bytes", "67108864"), ("memory", "memory.max", "67108864"));
}

#[test]
fn memory_and_swap_are_twice_the_memory_unless_said() {
    check("-m 64m", ("memory", "memory.memsw.limit_in_bytes", "134217728"), ("memory", "memory.swap.max", "67108864"));
}

#[test]
fn swap_can_be_none() {
    check(
        "-m 64m --memory-swap 64m",
        ("memory", "memory.memsw.limit_in_bytes", "67108864"),
        ("memory", "memory.swap.max", "0"),
    );
}

#[test]
fn memory_reservation() {
    check(
        "-m 64m --memory-reservation 32m",
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("memory", "memory.low", "33554432"),
    );
}

#[test]
fn cpus() {
    check("--cpus 0.5", ("cpu", "cpu.cfs_quota_us", "50000"), ("cpu", "cpu.max", "50000 100000"));
}

#[test]
fn cpu_quota_and_period() {
    check(
        "--cpu-quota 20000 --cpu-period 50000",
        ("cpu", "cpu.cfs_quota_us", "20000"),
        ("cpu", "cpu.max", "20000 50000"),
    );
    check(
        "--cpu-quota 20000 --cpu-period 50000",
        ("cpu", "cpu.cfs_period_us", "50000"),
        ("cpu", "cpu.max", "20000 50000"),
    );
}

#[test]
fn cpu_shares() {
    check("--cpu-shares 512", ("cpu", "cpu.shares", "512"), ("cpu", "cpu.weight", "59"));
}

#[test]
fn cpuset() {
    check("--cpuset-cpus 0", ("cpuset", "cpuset.cpus", "0"), ("cpuset", "cpuset.cpus", "0"));
    check("--cpuset-mems 0", ("cpuset", "cpuset.mems", "0"), ("cpuset", "cpuset.mems", "0"));
    assert_eq!(sh(&busybox(), "--cpuset-cpus 0", "nproc"), "1");
}

#[test]
fn pids() {
    check("--pids-limit 32", ("pids", "pids.max", "32"), ("pids", "pids.max", "32"));
    let out = try_sh(&busybox(), "--pids-limit 8", "for i in $(seq 20); do sleep 1 & done");
    assert!(out.stderr.contains("can't fork"), "{}", out.stderr);
}

#[test]
fn blkio_weight() {
    let kist = busybox();
    let id = idle(&kist, "--blkio-weight 300");
    let dir = cgroup(pid(&kist, &id), if is_v2() { "io" } else { "blkio" });
    let files = ["blkio.weight", "blkio.bfq.weight", "io.bfq.weight", "io.weight"];
    let found = files.iter().find_map(|file| fs::read_to_string(dir.join(file)).ok());
    match found {
        Some(text) => assert!(text.contains("300") || text.contains("2930"), "{text}"),
        None => testkit::skip!("this kernel weighs no I/O"),
    }
}

#[test]
fn device_rates() {
    let device = fs::read_dir("/sys/block").unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let Some(name) =
        device.filter(|name| Path::new("/dev").join(name).exists()).find(|name| name.starts_with(['v', 's', 'n']))
    else {
        testkit::skip!("no disk to be throttled")
    };
    let number = fs::read_to_string(format!("/sys/block/{name}/dev")).unwrap();
    let number = number.trim();
    let flags = format!(
        "--device-read-bps /dev/{name}:1mb --device-write-bps /dev/{name}:2mb --device-read-iops /dev/{name}:100 --device-write-iops /dev/{name}:200"
    );
    let kist = busybox();
    let id = idle(&kist, &flags);
    let dir = cgroup(pid(&kist, &id), if is_v2() { "io" } else { "blkio" });
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap().trim().to_owned();
    if is_v2() {
        assert_eq!(read("io.max"), format!("{number} rbps=1048576 wbps=2097152 riops=100 wiops=200"));
    } else {
        assert_eq!(read("blkio.throttle.read_bps_device"), format!("{number} 1048576"));
        assert_eq!(read("blkio.throttle.write_bps_device"), format!("{number} 2097152"));
        assert_eq!(read("blkio.throttle.read_iops_device"), format!("{number} 100"));
        assert_eq!(read("blkio.throttle.write_iops_device"), format!("{number} 200"));
    }
}

#[test]
fn a_container_out_of_memory_is_killed_and_says_so() {
    let kist = busybox();
    background(
        &kist,
        "--name box -m 16m --memory-swap 16m",
        "head -c 100000000 /dev/zero | tail > /dev/null; exit 137",
    );
    assert_eq!(kist.ok(&["wait", "box"]), "137");
    assert_eq!(inspect(&kist, "box", "{{.State.OOMKilled}}"), "true");
}

#[test]
fn the_first_process_out_of_memory_is_137() {
    let kist = busybox();
    let args = [
        "run",
        "--name",
        "box",
        "-m",
        "16m",
        "--memory-swap",
        "16m",
        "busybox",
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=200M",
    ];
    assert_eq!(kist.run(&args).code, 137);
    assert_eq!(inspect(&kist, "box", "{{.State.OOMKilled}} {{.State.ExitCode}}"), "true 137");
}

#[test]
fn a_container_with_memory_enough_was_not_killed() {
    let kist = busybox();
    background(&kist, "--name box -m 64m", "exit 137");
    kist.ok(&["wait", "box"]);
    assert_eq!(inspect(&kist, "box", "{{.State.OOMKilled}}"), "false");
}

#[test]
fn ulimits() {
    let kist = busybox();
    assert_eq!(sh(&kist, "--ulimit nofile=64:128", "ulimit -Sn; ulimit -Hn"), "64\n128");
    assert_eq!(sh(&kist, "--ulimit core=0 --ulimit cpu=100", "ulimit -c; ulimit -t"), "0\n100");
    assert_eq!(try_sh(&kist, "--ulimit nonsense=1", "true").code, 125);
    assert_eq!(try_sh(&kist, "--ulimit nofile=128:64", "true").code, 125);
}

#[test]
fn oom_score_adj() {
    let kist = busybox();
    assert_eq!(sh(&kist, "--oom-score-adj 321", "cat /proc/1/oom_score_adj"), "321");
    assert_eq!(try_sh(&kist, "--oom-score-adj 1001", "true").code, 125);
}

#[test]
fn shm_size() {
    let kist = busybox();
    let size = |flags: &str| sh(&kist, flags, "df -k /dev/shm | tail -1 | awk '{print $2}'");
    assert_eq!(size(""), "65536");
    assert_eq!(size("--shm-size 8m"), "8192");
}

#[test]
fn the_parent_group_can_be_chosen() {
    let is_v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").is_file();
    if is_v2 && Path::new("/run/systemd/system").is_dir() {
        testkit::skip!("systemd makes the groups, and takes slices for parents");
    }
    let kist = busybox();
    // The mark of the test is in the name, so that nothing of it can be taken for another's.
    let parent = format!("/kist-court-{}", std::process::id());
    let id = idle(&kist, &format!("--cgroup-parent {parent}"));
    let group = cgroup(pid(&kist, &id), "memory");
    assert!(group.parent().unwrap().ends_with(&parent[1..]), "{}", group.display());
    kist.ok(&["rm", "-f", &id]);
    assert!(!group.exists());
    let groups = walk(Path::new("/sys/fs/cgroup"), &parent[1..]);
    groups.iter().for_each(|group| fs::remove_dir(group).unwrap());
}

fn walk(dir: &Path, name: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let deep = entries.flat_map(|entry| {
        [vec![entry.path()], if dir.ends_with("cgroup") { walk(&entry.path(), name) } else { vec![] }].concat()
    });
    deep.filter(|path| path.ends_with(name)).collect()
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let kist = busybox();
    for flags in [
        "-m 1k",
        "--cpus 10000",
        "--cpuset-cpus 999",
        "--cpu-quota 1",
        "--memory-swap 10m",
        "-m 64m --memory-swap 32m",
        "--blkio-weight 5",
    ] {
        let out = try_sh(&kist, flags, "true");
        assert_eq!(out.code, 125, "{flags}: {}", out.stderr);
    }
    assert_eq!(kist.ok(&["ps", "-aq"]), "");
}

#[test]
fn limits_can_be_changed_while_it_runs() {
    let kist = busybox();
    let id = idle(&kist, "--name box -m 64m");
    let (controller, file) = if is_v2() { ("memory", "memory.max") } else { ("memory", "memory.limit_in_bytes") };
    let path = cgroup(pid(&kist, &id), controller).join(file);
    let out = kist.run(&["update", "-m", "96m", "--memory-swap", "200m", "box"]);
    assert_eq!((out.stdout.as_str(), out.code), ("box\n", 0), "{}", out.stderr);
    assert_eq!(fs::read_to_string(path).unwrap().trim(), "100663296");
}
