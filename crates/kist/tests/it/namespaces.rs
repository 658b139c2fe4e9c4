//! Which namespaces a container has of its own, and which it shares.

use std::fs;
use std::path::Path;

use testkit::Machine;

use crate::{background, busybox, idle, pid, sh, try_sh};

const NAMESPACES: [&str; 7] = ["pid", "mnt", "uts", "ipc", "net", "user", "time"];

/// The namespaces in which a process of the container is not the host's.
fn own(flags: &str) -> String {
    let script = NAMESPACES.map(|name| format!("readlink /proc/self/ns/{name}")).join(";");
    let host = Machine::new();
    let kist = host.kist(crate::PROGRAM);
    kist.load(&testkit::busybox_image());
    let (inside, outside) = (sh(&kist, flags, &script), host.ok(&script));
    let differs =
        NAMESPACES.iter().zip(inside.lines().zip(outside.lines())).filter(|(_, (inside, outside))| inside != outside);
    differs.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

#[test]
fn five_are_private_by_default() {
    assert_eq!(own(""), "pid mnt uts ipc net");
}

#[test]
fn each_can_be_the_hosts() {
    assert_eq!(own("--pid host"), "mnt uts ipc net");
    assert_eq!(own("--uts host"), "pid mnt ipc net");
    assert_eq!(own("--ipc host"), "pid mnt uts net");
    assert_eq!(own("--network host"), "pid mnt uts ipc");
}

#[test]
fn user_and_time_are_private_when_asked_for() {
    assert_eq!(own("--userns private"), "pid mnt uts ipc net user");
    assert_eq!(own("--timens boottime=10"), "pid mnt uts ipc net time");
}

#[test]
fn the_command_is_process_1_and_sees_its_own_only() {
    // By the shell itself: what a pipe has begun already is a matter of luck.
    assert_eq!(sh(&busybox(), "", "echo $$ /proc/[0-9]*"), "1 /proc/1");
}

#[test]
fn the_hosts_processes_are_seen_when_its_pids_are_shared() {
    let me = std::process::id();
    assert_eq!(sh(&busybox(), "--pid host", &format!("test -d /proc/{me} && echo seen")), "seen");
}

#[test]
fn a_container_with_the_hosts_pids_leaves_nothing_running() {
    let kist = busybox();
    background(&kist, "--name box --pid host", "sleep 31337 & setsid sleep 31337 & exec sleep 31337");
    let running =
        |kist: &testkit::Kist| kist.ok(&["exec", "box", "sh", "-c", "ps | grep -cE 'root +sleep 31337$' || true"]);
    kist.wait_until("all run", |kist| running(kist) == "3");
    kist.ok(&["rm", "-f", "box"]);
    kist.assert_clean();
}

#[test]
fn namespaces_of_another_container_can_be_joined() {
    let kist = busybox();
    let other = idle(&kist, "--name other --ipc shareable");
    let of = |name: &str| fs::read_link(format!("/proc/{}/ns/{name}", pid(&kist, &other))).unwrap();
    for (flag, name) in [("--pid", "pid"), ("--ipc", "ipc"), ("--network", "net")] {
        let link = sh(&kist, &format!("{flag} container:other"), &format!("readlink /proc/self/ns/{name}"));
        assert_eq!(Path::new(&link), of(name), "{flag}");
    }
    let shared = sh(&kist, "--pid container:other", "ps | grep -c 'sleep 1000'");
    assert!(shared.parse::<u32>().unwrap() >= 1, "{shared}");
    kist.ok(&["exec", "other", "sh", "-c", "echo shared > /dev/shm/file"]);
    assert_eq!(sh(&kist, "--ipc container:other", "cat /dev/shm/file"), "shared");
}

#[test]
fn a_container_that_does_not_run_cannot_be_joined() {
    let kist = busybox();
    kist.ok(&["create", "--name", "other", "busybox"]);
    for flag in ["--pid", "--ipc", "--network"] {
        let out = try_sh(&kist, &format!("{flag} container:other"), "true");
        assert_eq!(out.code, 125, "{flag}");
        assert!(
            out.stderr.contains("container") && out.stderr.contains("is not running")
                || out.stderr.contains("cannot join"),
            "{}",
            out.stderr
        );
    }
    assert_eq!(try_sh(&kist, "--pid container:nothing", "true").code, 125);
}

#[test]
fn a_network_of_none_is_a_loopback_that_works() {
    let kist = busybox();
    assert_eq!(
        sh(&kist, "--network none", "ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo up"),
        "lo\nup"
    );
}

#[test]
fn the_hosts_network_has_what_the_host_has() {
    let host = Machine::new();
    let kist = host.kist(crate::PROGRAM);
    kist.load(&testkit::busybox_image());
    host.ok("ip link add own type bridge");
    assert_eq!(sh(&kist, "--network host", "ls /sys/class/net"), "lo\nown");
    host.ok("ip link delete own");
}

#[test]
fn the_host_name_of_a_shared_network_is_the_other_containers() {
    let kist = busybox();
    idle(&kist, "--name other -h others-name");
    assert_eq!(sh(&kist, "--network container:other", "hostname"), "others-name");
    assert!(
        try_sh(&kist, "--network container:other -h mine", "true")
            .stderr
            .contains("conflicting options: hostname and the network mode")
    );
}

#[test]
fn users_inside_are_others_outside() {
    let kist = busybox();
    let map = sh(&kist, "--userns private", "cat /proc/self/uid_map; cat /proc/self/gid_map");
    for line in map.lines() {
        let numbers: Vec<u64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] == 0 && numbers[1] >= 1000 && numbers[2] >= 65_536, "{line}");
    }
    let id = idle(&kist, "--userns private");
    let outside = fs::read_to_string(format!("/proc/{}/status", pid(&kist, &id))).unwrap();
    assert!(!crate::field(&outside, "Uid").starts_with("0\t"), "{outside}");
}

#[test]
fn files_made_in_a_user_namespace_lie_on_disk_as_the_container_sees_them() {
    let kist = busybox();
    let before = tree(&kist.root().join("snapshots"));
    let id = background(
        &kist,
        "--userns private",
        "stat -c '%u %g' /bin/busybox; touch /made; chown 1000:50 /made; stat -c '%u %g' /made",
    );
    assert_eq!(kist.ok(&["wait", &id]), "0");
    assert_eq!(kist.ok(&["logs", &id]), "0 0\n1000 50");
    let made = tree(&kist.root().join("drafts"));
    assert!(made.iter().any(|line| line.ends_with("/made 1000 50")), "{made:?}");
    assert_eq!(tree(&kist.root().join("snapshots")), before, "the store was not chowned");
}

/// Each path below with its owner.
fn tree(dir: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let meta = entry.metadata().unwrap();
        lines.push(format!("{} {} {}", entry.path().display(), meta.uid(), meta.gid()));
        if meta.is_dir() {
            lines.extend(tree(&entry.path()));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_user_namespace_works_with_mounts_terminals_and_exec() {
    let kist = busybox();
    let dir = kist.scratch().write("dir/file", "content\n");
    let dir = dir.parent().unwrap().display();
    assert_eq!(
        sh(&kist, &format!("--userns private -v {dir}:/d --tmpfs /t -w /w"), "cat /d/file; touch /t/x /w/x && echo ok"),
        "content\nok"
    );
    idle(&kist, "--name box --userns private");
    assert_eq!(kist.ok(&["exec", "box", "sh", "-c", "id -u; grep -c . /proc/self/uid_map"]), "0\n1");
    let pty = kist.pty(&[
        "run",
        "--rm",
        "-it",
        "--network",
        "none",
        "--userns",
        "private",
        "busybox",
        "sh",
        "-c",
        "tty && echo x > /dev/tty",
    ]);
    assert_eq!(pty.finish(), ("/dev/pts/0\r\nx\r\n".to_owned(), 0));
}

#[test]
fn clocks_can_be_moved() {
    let kist = busybox();
    let uptime = |flags: &str| sh(&kist, flags, "cut -d. -f1 /proc/uptime").parse::<u64>().unwrap();
    assert!(uptime("--timens boottime=1000000,monotonic=1000000") >= uptime("") + 999_000);
}

#[test]
fn the_control_groups_are_hidden_in_a_namespace_of_their_own() {
    let kist = busybox();
    let own_only = |text: &str| text.lines().all(|line| line.ends_with(":/"));
    assert!(own_only(&sh(&kist, "--cgroupns private", "cat /proc/self/cgroup")));
    assert!(!own_only(&sh(&kist, "--cgroupns host", "cat /proc/self/cgroup")));
    assert!(own_only(&sh(&kist, "", "cat /proc/self/cgroup")), "with v1 too, unlike Docker");
    assert!(!own_only(&sh(&kist, "--privileged", "cat /proc/self/cgroup")));
}

#[test]
fn control_groups_are_mounted_read_only() {
    let script = "ls /sys/fs/cgroup | wc -l; mkdir /sys/fs/cgroup/x 2>&1 || for d in /sys/fs/cgroup/*/; do mkdir $d/x 2>&1; done | sort -u | head -1";
    let out = sh(&busybox(), "", script);
    assert!(out.contains("Read-only file system"), "{out}");
    assert_ne!(out.lines().next(), Some("0"));
}

#[test]
fn sysctls_of_its_own_namespaces_are_set_and_others_refused() {
    let kist = busybox();
    let flags = "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=65000";
    assert_eq!(sh(&kist, flags, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"), "1\n65000");
    for flags in [
        "--sysctl kernel.panic=1",
        "--sysctl vm.swappiness=1",
        "--network host --sysctl net.ipv4.ip_forward=1",
        "--ipc host --sysctl kernel.msgmax=65000",
    ] {
        let out = try_sh(&kist, flags, "true");
        assert_eq!(out.code, 125, "{flags}");
        assert!(out.stderr.contains("sysctl"), "{flags}: {}", out.stderr);
    }
}

#[test]
fn an_init_reaps_what_others_leave() {
    let kist = busybox();
    kist.ok(&["run", "-d", "--init", "--name", "box", "busybox", "sleep", "1000"]);
    kist.ok(&["exec", "box", "sh", "-c", "for i in 1 2 3 4 5; do sh -c 'sleep 0.05 &'; done"]);
    kist.wait_until("all are reaped", |kist| {
        let stats = kist.ok(&["exec", "box", "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null | grep sleep"]);
        stats.lines().count() == 1
    });
    assert_eq!(crate::inspect(&kist, "box", "{{.HostConfig.Init}}"), "true");
}

#[test]
fn an_init_is_process_1_and_passes_signals_and_codes_on() {
    let kist = busybox();
    assert_ne!(sh(&kist, "--init", "echo $$"), "1");
    assert_eq!(try_sh(&kist, "--init", "exit 11").code, 11);
    background(&kist, "--init --name box", "trap 'exit 12' TERM; echo ready; while :; do sleep 0.05; done");
    kist.wait_until("the trap is set", |kist| kist.ok(&["logs", "box"]) == "ready");
    kist.ok(&["stop", "box"]);
    assert_eq!(kist.ok(&["wait", "box"]), "12");
}

#[test]
fn dev_has_dockers_nodes() {
    let script = "ls /dev; stat -c '%n %a %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; for link in ptmx fd stdin core; do readlink /dev/$link; done";
    expect_test::expect![[r#"
        core
        fd
        full
        mqueue
        null
        ptmx
        pts
        random
        shm
        stderr
        stdin
        stdout
        tty
        urandom
        zero
        /dev/null 666 1:3
        /dev/zero 666 1:5
        /dev/full 666 1:7
        /dev/random 666 1:8
        /dev/urandom 666 1:9
        /dev/tty 666 5:0
        pts/ptmx
        /proc/self/fd
        /proc/self/fd/0
        /proc/kcore"#]]
    .assert_eq(&sh(&busybox(), "", script));
}
