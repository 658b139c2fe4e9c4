//! Killed, failed, rebooted: the next command recovers, nothing leaks, no image is lost.

use std::fs;
use std::path::PathBuf;

use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{Fault, Faults, Kist, Output, for_each_fault, for_each_kill};

use crate::{background, busybox, cgroup, empty, field, idle, inspect, pid, sh};

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

fn monitor(kist: &Kist, container: &str) -> u32 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid(kist, container))).unwrap();
    field(&status, "PPid").parse().unwrap()
}

/// Everything that a container takes is given back, and the image is whole: what must hold once the containers are removed.
#[track_caller]
fn recovered(kist: &Kist) {
    all_removed(kist);
    kist.assert_clean();
}

#[track_caller]
fn all_removed(kist: &Kist) {
    // A monitor may be about to remove its container at this moment, or to go: each try is a next command.
    kist.wait_until("all containers are gone, and what they left", |kist| {
        let listed = kist.ok(&["ps", "-aq", "--no-trunc"]);
        listed.lines().for_each(|id| drop(kist.run(&["rm", "-f", id])));
        listed.is_empty() && remains(kist) == 0
    });
}

/// What is left of containers in the roots.
fn remains(kist: &Kist) -> usize {
    let entries = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let roots = ["containers", "drafts", "names", "limbo"].map(|dir| entries(kist.root().join(dir)).count());
    // That of networks stays, and is looked into by the guard of the test.
    let is_sandbox = |entry: &fs::DirEntry| entry.path().is_dir() && entry.file_name() != "networks";
    let sandboxes = entries(kist.run_root()).filter(is_sandbox).count();
    roots.iter().sum::<usize>() + sandboxes
}

/// One loop over the acts of some commands, all with one engine, so that what one round leaves meets the next.
fn each_act(fault: Fault, kist: &Kist, commands: &[&[&str]], after: impl Fn(&Kist)) -> usize {
    let round = |faults: &Faults| {
        for command in commands {
            let out: Output = kist.run_with_faults(command, faults);
            assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
        }
        after(kist);
    };
    if fault == Fault::Kill { for_each_kill(round) } else { for_each_fault(fault, round) }
}

const RUN: &[&str] = &["run", "--rm", "--network", "none", "--name", "box", "busybox", "sh", "-c", "echo x"];
const START: &[&str] = &["run", "-d", "--network", "none", "--name", "box", "busybox", "sleep", "1000"];

#[track_caller]
fn runs_as_ever(kist: &Kist) {
    recovered(kist);
    let out = kist.run(RUN);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("x\n", "", 0));
    recovered(kist);
}

#[test]
fn run_killed_at_each_act_leaves_nothing() {
    let kist = busybox();
    let acts = each_act(Fault::Kill, &kist, &[RUN], runs_as_ever);
    assert!(acts > 10, "{acts} acts");
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

#[test]
fn run_without_space_at_each_act_leaves_nothing() {
    let kist = busybox();
    each_act(Fault::NoSpace, &kist, &[RUN], runs_as_ever);
}

#[test]
fn a_life_killed_at_each_act_leaves_nothing() {
    let kist = busybox();
    each_act(Fault::Kill, &kist, &[START, &["rm", "-f", "box"]], runs_as_ever);
}

#[test]
fn a_second_life_killed_at_each_act_leaves_nothing() {
    let kist = busybox();
    let again: &[&[&str]] = &[START, &["stop", "-t", "0", "box"], &["start", "box"], &["rename", "box", "other"]];
    each_act(Fault::Kill, &kist, again, runs_as_ever);
}

#[test]
fn a_life_with_input_errors_at_each_act_leaves_nothing() {
    let kist = busybox();
    each_act(Fault::Io, &kist, &[START, &["rm", "-f", "box"]], runs_as_ever);
}

fn loads_as_ever(kist: &Kist, path: &str) {
    assert_eq!(kist.ok(&["load", "-i", path]), "Loaded image: small:1");
    kist.ok(&["rmi", "small:1"]);
    assert_eq!(kist.ok(&["images", "-aq"]), "");
    for dir in ["blobs/sha256", "snapshots", "drafts", "limbo", "images/names"] {
        let left: Vec<_> =
            fs::read_dir(kist.root().join(dir)).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

fn small(kist: &Kist) -> String {
    let image = testkit::ImageBuilder::new().name("small:1").file("a", 0o644, "a").file("b", 0o644, "b");
    kist.scratch().write("small.tar", image.docker_archive()).to_str().unwrap().to_owned()
}

#[test]
fn load_killed_at_each_act_leaves_nothing() {
    let kist = empty();
    let path = small(&kist);
    let acts = each_act(Fault::Kill, &kist, &[&["load", "-i", &path]], |kist| loads_as_ever(kist, &path));
    assert!(acts > 5, "{acts} acts");
}

#[test]
fn load_without_space_at_each_act_leaves_nothing() {
    let kist = empty();
    let path = small(&kist);
    each_act(Fault::NoSpace, &kist, &[&["load", "-i", &path]], |kist| loads_as_ever(kist, &path));
}

#[test]
fn rmi_killed_at_each_act_leaves_nothing() {
    let kist = empty();
    let path = small(&kist);
    let round = |faults: &Faults| {
        kist.run(&["load", "-i", &path]);
        kist.run_with_faults(&["rmi", "small:1"], faults);
        loads_as_ever(&kist, &path);
    };
    for_each_kill(round);
}

#[test]
fn a_killed_monitor_takes_its_container_along_and_the_next_command_cleans_up() {
    let kist = busybox();
    let id = idle(&kist, "--name box -m 64m");
    let (container, group) = (pid(&kist, &id), cgroup(pid(&kist, &id), "memory"));
    kill(monitor(&kist, &id));
    kist.wait_until("the next command has cleaned up", |kist| {
        kist.ok(&["ps", "-a", "--format", "{{.State}}"]) == "exited"
    });
    assert_eq!(inspect(&kist, "box", "{{.State.ExitCode}}"), "137");
    let dead = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(dead(container) && !group.exists());
    kist.ok(&["start", "box"]);
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
    kist.ok(&["rm", "-f", "box"]);
    recovered(&kist);
}

#[test]
fn a_killed_monitor_takes_execs_and_children_along() {
    let kist = busybox();
    let id = background(&kist, "--name box --pid host", "sleep 31338 & setsid sleep 31338 & wait");
    let exec = kist.spawn(&["exec", "box", "sh", "-c", "sleep 31338 & sleep 31338"]);
    kist.wait_until("all run", |kist| {
        kist.ok(&["exec", "box", "sh", "-c", "ps | grep -cE 'root +sleep 31338$' || true"]) == "4"
    });
    kill(monitor(&kist, &id));
    assert_ne!(exec.wait().code, 0);
    recovered(&kist);
}

#[test]
fn a_client_is_told_when_the_monitor_dies() {
    let kist = busybox();
    let client = kist.spawn(&["run", "--name", "box", "busybox", "sleep", "1000"]);
    kist.wait_until("it runs", |kist| !kist.ok(&["ps", "-q"]).is_empty());
    kill(monitor(&kist, "box"));
    let out = client.wait();
    assert!(out.code != 0 && out.stderr.contains("monitor was lost"), "{} {}", out.code, out.stderr);
    recovered(&kist);
}

#[test]
fn a_container_with_rm_whose_monitor_dies_goes_with_the_next_command() {
    let kist = busybox();
    let id = idle(&kist, "--rm --name box");
    kill(monitor(&kist, &id));
    kist.wait_until("it is gone", |kist| kist.ok(&["ps", "-aq"]).is_empty());
    sh(&kist, "--name box", "true");
    recovered(&kist);
}

#[test]
fn everything_killed_at_once_is_recovered() {
    let kist = busybox();
    let ids: Vec<_> = (0..3).map(|n| idle(&kist, &format!("--name box{n}"))).collect();
    let pids: Vec<_> = ids.iter().flat_map(|id| [monitor(&kist, id), pid(&kist, id)]).collect();
    pids.into_iter().for_each(kill);
    kist.wait_until("all have ended", |kist| {
        kist.ok(&["ps", "-a", "--format", "{{.State}}"]) == "exited\nexited\nexited"
    });
    for id in &ids {
        assert_eq!(kist.ok(&["start", id]), *id);
    }
    kist.ok(&["rm", "-f", "box0", "box1", "box2"]);
    recovered(&kist);
}

/// What a reboot does: no process is left, the run root and the control groups are gone.
fn reboot(kist: &Kist, ids: &[String]) {
    let pids: Vec<_> = ids.iter().flat_map(|id| [monitor(kist, id), pid(kist, id)]).collect();
    let groups: Vec<PathBuf> =
        ["memory", "pids", "cpu", "cpuacct", "cpuset", "blkio", "devices", "freezer", "name=systemd", ""]
            .iter()
            .flat_map(|controller| ids.iter().map(|id| cgroup(pid(kist, id), controller)))
            .collect();
    pids.into_iter().for_each(kill);
    kist.wait_until("the groups are gone", |_| {
        groups.iter().for_each(|group| drop(fs::remove_dir(group)));
        !groups.iter().any(|group| group.exists())
    });
    fs::remove_dir_all(kist.run_root()).unwrap();
}

#[test]
fn after_a_reboot_containers_are_stopped_and_start_again() {
    let kist = busybox();
    let id = idle(&kist, "--name box");
    kist.ok(&["exec", "box", "sh", "-c", "echo kept > /file"]);
    reboot(&kist, &[id]);
    assert_eq!(kist.ok(&["ps", "-q"]), "");
    assert_eq!(inspect(&kist, "box", "{{.State.Status}} {{.State.Running}}"), "exited false");
    kist.ok(&["start", "box"]);
    assert_eq!(kist.ok(&["exec", "box", "cat", "/file"]), "kept");
    kist.ok(&["rm", "-f", "box"]);
    recovered(&kist);
}

#[test]
fn after_a_reboot_start_brings_back_what_shall_always_run() {
    let kist = busybox();
    let ids: Vec<_> = ["always", "unless-stopped", "no"]
        .iter()
        .map(|policy| idle(&kist, &format!("--name {policy} --restart {policy}")))
        .collect();
    let stopped = idle(&kist, "--name stopped --restart unless-stopped");
    kist.ok(&["stop", &stopped]);
    reboot(&kist, &ids);
    kist.ok(&["system", "start"]);
    let mut running: Vec<_> = kist.ok(&["ps", "--format", "{{.Names}}"]).lines().map(ToOwned::to_owned).collect();
    running.sort();
    assert_eq!(running, ["always", "unless-stopped"]);
}

/// A small file system where the engine's root will be; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(kist: &Kist, size: &str) -> SmallDisk {
        fs::create_dir(kist.root()).unwrap();
        let options = std::ffi::CString::new(format!("size={size},mode=700")).unwrap();
        rustix::mount::mount("none", kist.root(), "tmpfs", MountFlags::empty(), Some(options.as_c_str())).unwrap();
        SmallDisk(kist.root())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_is_told_and_gives_way_to_removal() {
    let kist = empty();
    let disk = SmallDisk::new(&kist, "8m");
    kist.load(&testkit::busybox_image());
    let fill = kist.root().join("fill");
    let out = kist.run(&[
        "run",
        "--name",
        "box",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "cat /dev/zero > /big; ls -l /big | wc -l",
    ]);
    assert!(out.stderr.contains("No space left on device"), "{}", out.stderr);
    assert_eq!(out.stdout, "1\n", "the container lives on");
    let image = testkit::busybox().name("more").file("big", 0o644, vec![1; 4 << 20]);
    let path = kist.scratch().write("more.tar", image.docker_archive());
    let out = kist.fails(&["load", "-i", path.to_str().unwrap()]);
    assert!(
        out.stderr.to_lowercase().contains("no space left") && out.stderr.contains("the disk is full"),
        "{}",
        out.stderr
    );
    assert_eq!(kist.ok(&["ps", "-a", "--format", "{{.State}}"]), "exited");
    assert_eq!(kist.ok(&["rm", "box"]), "box", "removal needs no space");
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "echo", "again"]), "again");
    fs::write(&fill, "").unwrap();
    fs::remove_file(&fill).unwrap();
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    all_removed(&kist);
    // The records of its networks go with the disk.
    kist.ok(&["network", "prune", "-f"]);
    drop(disk);
}

#[test]
fn a_disk_full_to_the_last_byte_still_lists_stops_and_removes() {
    let kist = empty();
    let disk = SmallDisk::new(&kist, "8m");
    kist.load(&testkit::busybox_image());
    idle(&kist, "--name box");
    let fill = kist.root().join("fill");
    let mut file = fs::File::create(&fill).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    assert_eq!(kist.ok(&["ps", "--format", "{{.Names}}"]), "box");
    let out = kist.run(&["run", "--rm", "busybox", "true"]);
    assert!(out.code == 0 || out.stderr.contains("the disk is full"), "{}", out.stderr);
    assert_eq!(kist.ok(&["stop", "-t", "1", "box"]), "box");
    assert_eq!(kist.ok(&["rm", "-f", "box"]), "box");
    drop(file);
    fs::remove_file(&fill).unwrap();
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "echo", "again"]), "again");
    all_removed(&kist);
    // The records of its networks go with the disk.
    kist.ok(&["network", "prune", "-f"]);
    drop(disk);
}

#[test]
fn a_command_killed_by_the_clock_leaves_nothing() {
    let kist = busybox();
    for ms in [0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40] {
        let running = kist.spawn(RUN);
        std::thread::sleep(std::time::Duration::from_millis(ms));
        running.signal(Signal::KILL);
        drop(running);
        runs_as_ever(&kist);
    }
}
