//! Restart policies, and what outlives a reboot of the machine.

use std::time::{Duration, Instant};

use testkit::Kist;

use crate::{background, busybox, idle, inspect, try_sh};

fn count(kist: &Kist, name: &str) -> u32 {
    inspect(kist, name, "{{.RestartCount}}").parse().unwrap()
}

#[test]
fn on_failure_tries_as_often_as_said() {
    let kist = busybox();
    background(&kist, "--name box --restart on-failure:2", "echo try; exit 3");
    kist.wait_until("it gives up", |kist| inspect(kist, "box", "{{.State.Status}}") == "exited");
    assert_eq!((count(&kist, "box"), inspect(&kist, "box", "{{.State.ExitCode}}").as_str()), (2, "3"));
    assert_eq!(kist.ok(&["logs", "box"]), "try\ntry\ntry");
}

#[test]
fn on_failure_leaves_success_alone() {
    let kist = busybox();
    background(&kist, "--name box --restart on-failure", "exit 0");
    kist.ok(&["wait", "box"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(inspect(&kist, "box", "{{.State.Status}} {{.RestartCount}}"), "exited 0");
}

#[test]
fn always_starts_again_with_growing_pauses_until_it_is_stopped() {
    let kist = busybox();
    background(&kist, "--name box --restart always", "echo try");
    kist.wait_until("three restarts", |kist| count(kist, "box") >= 3);
    kist.ok(&["stop", "box"]);
    let tries = count(&kist, "box");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!((count(&kist, "box"), inspect(&kist, "box", "{{.State.Status}}").as_str()), (tries, "exited"));
}

#[test]
fn a_container_between_two_tries_says_so() {
    let kist = busybox();
    background(&kist, "--name box --restart always", "exit 5");
    kist.wait_until("it waits for its next try", |kist| {
        kist.ok(&["ps", "--format", "{{.Status}}"]).starts_with("Restarting (5) ")
    });
    kist.ok(&["rm", "-f", "box"]);
}

#[test]
fn a_killed_container_is_not_started_again() {
    let kist = busybox();
    idle(&kist, "--name box --restart always");
    kist.ok(&["kill", "box"]);
    kist.wait_until("it is dead", |kist| inspect(kist, "box", "{{.State.Status}}") == "exited");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(inspect(&kist, "box", "{{.State.Status}}"), "exited");
}

#[test]
fn a_process_that_dies_by_itself_is_started_again() {
    let kist = busybox();
    idle(&kist, "--name box --restart unless-stopped");
    let first = crate::pid(&kist, "box");
    kist.run(&["exec", "box", "sh", "-c", "kill -9 -1; kill -TERM 1"]);
    kist.wait_until("a new process", |kist| {
        let pid: u32 = inspect(kist, "box", "{{.State.Pid}}").parse().unwrap();
        pid != 0 && pid != first
    });
}

#[test]
fn restart_and_rm_contradict_each_other() {
    let out = try_sh(&busybox(), "--restart always", "true");
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("conflicting options: cannot specify both --restart and --rm"), "{}", out.stderr);
    assert_eq!(busybox().run(&["create", "--restart", "sometimes", "busybox"]).code, 125);
}

#[test]
fn stop_ends_the_waiting_at_once() {
    let kist = busybox();
    background(&kist, "--name box --restart always", "exit 1");
    kist.wait_until("it waits for a while", |kist| count(kist, "box") >= 4);
    let since = Instant::now();
    kist.ok(&["stop", "box"]);
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}
