//! What a container says is kept, and `logs` gives it back.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::{background, busybox, sh};

#[test]
fn both_streams_are_kept_and_come_back_apart() {
    let kist = busybox();
    background(&kist, "--name box", "echo one; echo two >&2; printf 'no newline'");
    kist.ok(&["wait", "box"]);
    let out = kist.run(&["logs", "box"]);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("one\nno newline", "two\n"));
}

#[test]
fn the_file_is_dockers_json_file() {
    let kist = busybox();
    let id = background(&kist, "", "echo hello; echo 'a \"quoted\" <line> \\ of text'; printf end >&2");
    kist.ok(&["wait", &id]);
    let text = fs::read_to_string(crate::inspect(&kist, &id, "{{.LogPath}}")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |n: usize, key: &str| lines[n][key].as_str().unwrap().to_owned();
    assert_eq!((of(0, "log"), of(0, "stream")), ("hello\n".to_owned(), "stdout".to_owned()));
    assert_eq!(of(1, "log"), "a \"quoted\" <line> \\ of text\n");
    assert_eq!((of(2, "log"), of(2, "stream")), ("end".to_owned(), "stderr".to_owned()));
    assert!(of(0, "time").ends_with('Z') && of(0, "time").starts_with("20"));
}

#[test]
fn tail_counts_lines() {
    let kist = busybox();
    background(&kist, "--name box", "seq 1000");
    kist.ok(&["wait", "box"]);
    assert_eq!(kist.ok(&["logs", "--tail", "3", "box"]), "998\n999\n1000");
    assert_eq!(kist.ok(&["logs", "-n", "0", "box"]), "");
    assert_eq!(kist.ok(&["logs", "--tail", "all", "box"]).lines().count(), 1000);
    assert_eq!(kist.ok(&["logs", "--tail", "5000", "box"]).lines().count(), 1000);
}

#[test]
fn since_and_until_cut_by_time() {
    let kist = busybox();
    background(&kist, "--name box", "echo early; sleep 2.2; echo late");
    kist.ok(&["wait", "box"]);
    let stamped = kist.ok(&["logs", "-t", "box"]);
    let times: Vec<_> = stamped.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(stamped.contains("Z early\n") && stamped.ends_with("Z late"), "{stamped}");
    assert_eq!(kist.ok(&["logs", "--since", times[1], "box"]), "late");
    assert_eq!(kist.ok(&["logs", "--until", times[0], "box"]), "early");
    assert_eq!(kist.ok(&["logs", "--since", "1h", "box"]), "early\nlate");
    assert_eq!(kist.ok(&["logs", "--until", "1h", "box"]), "");
}

#[test]
fn follow_ends_with_the_container() {
    let kist = busybox();
    background(&kist, "--name box", "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done");
    assert_eq!(kist.ok(&["logs", "-f", "box"]), "1\n2\n3\n4\n5");
    assert_eq!(kist.ok(&["logs", "-f", "--tail", "2", "box"]), "4\n5");
}

#[test]
fn followers_can_leave() {
    let kist = busybox();
    background(&kist, "--name box", "while :; do echo tick; sleep 0.05; done");
    let follower = kist.spawn(&["logs", "-f", "box"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    follower.signal(Signal::INT);
    assert_eq!(follower.wait().code, 130);
    assert_eq!(crate::inspect(&kist, "box", "{{.State.Running}}"), "true");
}

#[test]
fn logs_go_on_over_restarts() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "busybox", "echo", "again"]);
    for _ in 0..3 {
        kist.ok(&["start", "-a", "box"]);
    }
    assert_eq!(kist.ok(&["logs", "box"]), "again\nagain\nagain");
}

#[test]
fn a_log_is_turned_over_and_capped() {
    let kist = busybox();
    let id = background(&kist, "--log-opt max-size=10k --log-opt max-file=3", "seq 100000 103000");
    kist.ok(&["wait", &id]);
    let dir = kist.root().join("containers").join(&id);
    let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()).collect();
    let logs: Vec<_> = files.iter().filter(|entry| entry.file_name().to_string_lossy().contains("log")).collect();
    assert_eq!(logs.len(), 3, "{logs:?}");
    assert!(logs.iter().all(|entry| entry.metadata().unwrap().len() <= 11_000), "{logs:?}");
    let kept = kist.ok(&["logs", &id]);
    assert!(kept.ends_with("102999\n103000"));
    let first: u32 = kept.lines().next().unwrap().parse().unwrap();
    assert_eq!(kept.lines().count(), usize::try_from(103_001 - first).unwrap(), "nothing is missing in the middle");
    assert_eq!(kist.ok(&["logs", "--tail", "2", &id]), "102999\n103000");
}

#[test]
fn follow_goes_over_a_turn() {
    let kist = busybox();
    background(
        &kist,
        "--name box --log-opt max-size=20k --log-opt max-file=20",
        "for i in $(seq 3000); do echo $i; done",
    );
    let followed = kist.ok(&["logs", "-f", "box"]);
    assert_eq!(followed, (1..=3000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_container_without_a_log_says_so() {
    let kist = busybox();
    background(&kist, "--name box --log-driver none", "echo lost");
    kist.ok(&["wait", "box"]);
    let out = kist.fails(&["logs", "box"]);
    assert!(out.stderr.contains("configured logging driver does not support reading"), "{}", out.stderr);
    assert_eq!(sh(&kist, "--log-driver none", "echo attached"), "attached");
}

#[test]
fn a_very_long_line_comes_back_whole() {
    let kist = busybox();
    background(&kist, "--name box", "head -c 300000 /dev/zero | tr '\\0' x; echo");
    kist.ok(&["wait", "box"]);
    assert_eq!(kist.ok(&["logs", "box"]), "x".repeat(300_000));
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let kist = busybox();
    background(&kist, "--name box", "printf 'a\\377\\000b\\n'");
    kist.ok(&["wait", "box"]);
    assert!(kist.ok(&["logs", "box"]).starts_with('a'));
}

#[test]
fn details_and_missing_containers() {
    let kist = busybox();
    let out = kist.fails(&["logs", "nothing"]);
    assert!(out.stderr.starts_with("Error response from daemon: No such container: nothing"), "{}", out.stderr);
    kist.ok(&["create", "--name", "fresh", "busybox"]);
    assert_eq!(kist.ok(&["logs", "fresh"]), "");
}
