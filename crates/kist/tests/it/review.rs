//! What a reviewer found: each was broken once.

use std::fs;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use testkit::Kist;

use crate::{background, busybox, field, idle, inspect, pid};

fn monitor(kist: &Kist, container: &str) -> Pid {
    let status = fs::read_to_string(format!("/proc/{}/status", pid(kist, container))).unwrap();
    Pid::from_raw(field(&status, "PPid").parse().unwrap()).unwrap()
}

#[test]
fn input_that_is_not_read_does_not_hold_the_output_up() {
    let kist = busybox();
    let args = ["run", "--rm", "-i", "--network", "none", "busybox", "head", "-c", "3000000", "/dev/zero"];
    let out = kist.run_with_input(&args, vec![b'x'; 3_000_000]);
    assert_eq!((out.stdout.len(), out.code), (3_000_000, 0), "{}", out.stderr);
    let out = kist.run_with_input(&["run", "--rm", "-i", "--network", "none", "busybox", "cat"], vec![b'x'; 3_000_000]);
    assert_eq!(out.stdout.len(), 3_000_000);
}

#[test]
fn what_ends_a_session_does_not_end_a_monitor() {
    let kist = busybox();
    let id = idle(&kist, "--network none");
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::PIPE, Signal::XFSZ, Signal::USR1] {
        kill_process(monitor(&kist, &id), signal).unwrap();
    }
    // Answered by the monitor: it was not about to die either.
    assert_eq!(kist.ok(&["exec", &id, "grep", "SigIgn", "/proc/self/status"]), "SigIgn:\t0000000000000000");
    assert_eq!(inspect(&kist, &id, "{{.State.Running}}"), "true");
}

#[test]
fn a_container_that_stops_whoever_enters_it_cannot_hold_its_monitor() {
    let kist = busybox();
    let id = background(&kist, "--network none", "while :; do kill -STOP -1; done");
    let since = Instant::now();
    // Detached: a command that got through between two rounds may be stopped itself, and would be waited for with reason.
    let out = kist.run(&["exec", "-d", &id, "true"]);
    assert!(out.code == 0 || out.stderr.contains("stopped from within"), "{}", out.stderr);
    kist.ok(&["rm", "-f", &id]);
    assert!(since.elapsed().as_secs() < 20);
}

#[test]
fn failures_about_very_long_words_are_told() {
    let kist = busybox();
    let long = "a".repeat(100_000);
    let out = kist.fails(&["run", "--rm", "--network", "none", "busybox", &long]);
    assert!(out.stderr.contains("executable file not found") && out.code == 127, "{}", &out.stderr[..200]);
    let out = kist.fails(&["run", "--rm", "--network", "none", "-w", &format!("/{long}"), "busybox", "true"]);
    assert!(out.stderr.contains("file name too long"));
}

#[test]
fn long_environments_and_command_lines_are_executed() {
    let kist = busybox();
    let long = format!("LONG={}", "\u{1}".repeat(100_000));
    let id = idle(&kist, "--network none");
    assert_eq!(kist.ok(&["exec", "-e", &long, &id, "sh", "-c", "echo ${#LONG}"]), "100000");
    let words: Vec<String> = (0..20_000).map(|n| format!("word {n}")).collect();
    let mut args = vec!["exec", &id, "sh", "-c", "echo $#", "x"];
    args.extend(words.iter().map(String::as_str));
    assert_eq!(kist.ok(&args), "20000");
    let id = kist.ok(&["run", "-d", "--network", "none", "-e", &long, "busybox", "sleep", "1000"]);
    assert_eq!(kist.ok(&["exec", &id, "sh", "-c", "echo ${#LONG}"]), "100000");
}

#[test]
fn a_removal_without_force_never_kills_what_was_started_meanwhile() {
    let kist = busybox();
    for _ in 0..15 {
        kist.ok(&["create", "--name", "box", "--network", "none", "busybox", "sleep", "1000"]);
        let (start, rm) = (kist.spawn(&["start", "box"]), kist.spawn(&["rm", "box"]));
        let (start, rm) = (start.wait(), rm.wait());
        let running = kist.ok(&["ps", "--format", "{{.Names}}"]);
        let all = kist.ok(&["ps", "-a", "--format", "{{.Names}}"]);
        match (start.code, rm.code) {
            (0, 0) => panic!("both say they did it: {running}"),
            (0, _) => assert_eq!(running, "box", "{}", rm.stderr),
            (_, 0) => assert_eq!(all, "", "{}", start.stderr),
            (_, _) => panic!("neither did it: {} {}", start.stderr, rm.stderr),
        }
        kist.run(&["rm", "-f", "box"]);
    }
}

#[test]
fn two_starts_at_once_are_one_start() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "--network", "none", "busybox", "sleep", "1000"]);
    for _ in 0..10 {
        let (one, other) = (kist.spawn(&["start", "box"]), kist.spawn(&["start", "box"]));
        let (one, other) = (one.wait(), other.wait());
        assert_eq!((one.code, other.code), (0, 0), "{}{}", one.stderr, other.stderr);
        kist.ok(&["stop", "-t", "0", "box"]);
    }
}

#[test]
fn what_a_container_writes_to_its_hosts_file_does_not_fill_the_run_directory() {
    let kist = busybox();
    let id = background(&kist, "--network none", "head -c 2000000 /dev/zero > /etc/hosts; echo done; sleep 1000");
    kist.wait_until("it has written", |kist| kist.ok(&["logs", &id]) == "done");
    let run = fs::read_dir(kist.run_root().join(&id)).unwrap();
    let bytes: u64 = run.flatten().map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(bytes < 1_000_000, "{bytes}");
    let hosts = fs::metadata(inspect(&kist, &id, "{{.HostsPath}}")).unwrap();
    assert_eq!(hosts.len(), 2_000_000);
}

#[test]
fn a_container_with_rm_goes_although_its_monitor_died_between_its_end_and_its_removal() {
    let kist = busybox();
    let id = idle(&kist, "--rm --network none");
    kill_process(monitor(&kist, &id), Signal::KILL).unwrap();
    let status = kist.run_root().join(&id).join("status.json");
    fs::write(status, r#"{"format":1,"record":{"status":"removing","restarts":0}}"#).unwrap();
    kist.wait_until("it is gone", |kist| kist.ok(&["ps", "-aq"]).is_empty());
}
