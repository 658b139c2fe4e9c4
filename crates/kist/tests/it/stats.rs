//! `stats`: what containers use, by the kernel's own counts.

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::Value;
use testkit::Kist;

use crate::{background, busybox, idle};

fn json(kist: &Kist, args: &[&str]) -> Vec<Value> {
    let text = kist.ok(&[&["stats", "--no-stream", "--format", "json"], args].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().trim_end_matches('%').parse().unwrap()
}

#[test]
fn a_busy_container_and_an_idle_one_differ() {
    let kist = busybox();
    let busy = background(&kist, "--name busy --cpus 0.5 -m 64m", "while :; do :; done");
    idle(&kist, "--name idle");
    let rows = json(&kist, &["busy", "idle"]);
    let [one, two] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((one["Name"].as_str(), two["Name"].as_str()), (Some("busy"), Some("idle")));
    assert_eq!((one["Container"].as_str(), one["ID"].as_str()), (Some("busy"), Some(&busy[..12])));
    // Half a processor, on a machine that has other things to do.
    assert!((10.0..70.0).contains(&number(&one["CPUPerc"])), "{one}");
    assert!(number(&two["CPUPerc"]) < 5.0, "{two}");
    assert!(one["MemUsage"].as_str().unwrap().ends_with(" / 64MiB"), "{one}");
    assert!(!two["MemUsage"].as_str().unwrap().ends_with(" / 64MiB"), "{two}");
    assert_eq!(one["PIDs"], Value::from("1"));
    // What its neighbours say to all of the network is heard by a container that says nothing.
    assert!(one["NetIO"].as_str().unwrap().ends_with("B / 0B"), "{one}");
}

#[test]
fn those_that_do_not_run_use_nothing() {
    let kist = busybox();
    kist.ok(&["create", "--name", "new", "busybox"]);
    assert_eq!(kist.ok(&["stats", "--no-stream"]), "", "none runs");
    for args in [&["-a"][..], &["new"]] {
        let text = kist.ok(&[&["stats", "--no-stream"], args].concat());
        let lines: Vec<&str> = text.lines().collect();
        expect!["CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS"]
            .assert_eq(lines[0]);
        assert!(
            lines[1].ends_with("new       0.00%     0B / 0B             0.00%     0B / 0B   0B / 0B     0"),
            "{text}"
        );
    }
    let failed = kist.fails(&["stats", "--no-stream", "nosuch"]);
    assert!(failed.stderr.starts_with("Error response from daemon: No such container: nosuch\n"));
    assert_eq!(failed.code, 1);
}

#[test]
fn a_terminal_is_redrawn_and_follows_what_comes_and_goes() {
    let kist = busybox();
    idle(&kist, "--name first");
    let mut pty = kist.pty(&["stats"]);
    pty.read_until("first");
    idle(&kist, "--name second");
    let began = Instant::now();
    let frame = pty.read_until("second");
    assert!(frame.contains("\u{1b}[H") && frame.contains("\u{1b}[K"), "{frame:?}");
    kist.ok(&["rm", "-f", "first", "second"]);
    pty.read_until("PIDS\u{1b}[K\r\n\u{1b}[K");
    assert!(began.elapsed() < Duration::from_secs(20));
    pty.signal(rustix::process::Signal::INT);
    assert_eq!(pty.finish().1, 130);
}
