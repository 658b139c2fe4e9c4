//! `exec` and `attach`: more processes in a container, more clients at one.

use std::io::Write as _;

use rustix::process::Signal;
use testkit::Kist;

use crate::{background, busybox, idle, inspect};

fn exec(kist: &Kist, flags: &str, script: &str) -> testkit::Output {
    let mut args = vec!["exec"];
    args.extend(flags.split_whitespace());
    args.extend(["box", "sh", "-c", script]);
    kist.run(&args)
}

#[test]
fn exec_runs_beside_the_first_process() {
    let kist = busybox();
    idle(&kist, "--name box -h box -e A=1 -w /tmp -u app");
    let out = exec(&kist, "", "hostname; echo $A; pwd; id -u; id -G; echo $HOME; echo err >&2; exit 7");
    assert_eq!(out.stdout, "box\n1\n/tmp\n1000\n1000 50 2000\n/home/app\n");
    assert_eq!((out.stderr.as_str(), out.code), ("err\n", 7));
    assert_eq!(exec(&kist, "", "readlink /proc/self/ns/pid").stdout, exec(&kist, "", "readlink /proc/1/ns/pid").stdout);
}

#[test]
fn exec_takes_variables_user_and_directory() {
    let kist = busybox();
    idle(&kist, "--name box -e A=1 -e B=1");
    let file = kist.scratch().write("env", "FILE=yes\n");
    let flags = format!("-e B=2 --env-file {} -u 33:50 -w /var", file.display());
    assert_eq!(exec(&kist, &flags, "echo $A $B $FILE; id -u; id -g; pwd").stdout, "1 2 yes\n33\n50\n/var\n");
}

#[test]
fn exec_passes_its_input_on() {
    let kist = busybox();
    idle(&kist, "--name box");
    let input = "x".repeat(300_000);
    let out = kist.run_with_input(&["exec", "-i", "box", "sh", "-c", "wc -c"], &input);
    assert_eq!(out.stdout, "300000\n");
    assert_eq!(kist.run_with_input(&["exec", "box", "wc", "-c"], &input).stdout, "0\n");
}

#[test]
fn exec_says_what_cannot_be_executed() {
    let kist = busybox();
    idle(&kist, "--name box");
    let out = kist.run(&["exec", "box", "nothing-like-it"]);
    assert_eq!(out.code, 127);
    assert!(out.stderr.contains("OCI runtime exec failed: exec failed: unable to start container process: exec: \"nothing-like-it\": executable file not found in $PATH"), "{}", out.stderr);
    let out = kist.run(&["exec", "box", "/etc"]);
    assert_eq!(out.code, 126);
    assert!(out.stderr.contains("permission denied") || out.stderr.contains("is a directory"), "{}", out.stderr);
    assert_eq!(exec(&kist, "-w /nowhere", "true").code, 127);
    assert_eq!(exec(&kist, "-u nobody-like-it", "true").code, 126);
    assert_eq!(kist.run(&["exec", "box", "sh", "-c", "kill -KILL $$"]).code, 137);
}

#[test]
fn exec_needs_a_container_that_runs() {
    let kist = busybox();
    let id = kist.ok(&["create", "--name", "box", "busybox"]);
    let out = exec(&kist, "", "true");
    assert_eq!(out.code, 1);
    assert!(
        out.stderr.starts_with(&format!("Error response from daemon: container {id} is not running")),
        "{}",
        out.stderr
    );
    let out = kist.run(&["exec", "nothing", "true"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("No such container: nothing"), "{}", out.stderr);
}

#[test]
fn a_detached_exec_runs_on() {
    let kist = busybox();
    idle(&kist, "--name box");
    let out = exec(&kist, "-d", "sleep 0.2; echo done > /file");
    assert_eq!((out.stdout.as_str(), out.code), ("", 0));
    kist.wait_until("the file", |kist| exec(kist, "", "cat /file 2>/dev/null").stdout == "done\n");
}

#[test]
fn a_privileged_exec_may_what_the_container_may_not() {
    let kist = busybox();
    idle(&kist, "--name box");
    let caps = |flags: &str| exec(&kist, flags, "grep CapEff /proc/self/status").stdout.trim().replace("CapEff:\t", "");
    assert_eq!(caps(""), "00000000a80425fb");
    let all = u64::from_str_radix(&caps("--privileged"), 16).unwrap();
    assert_eq!(all & (1 << 21), 1 << 21, "CAP_SYS_ADMIN");
}

#[test]
fn execs_end_with_the_container() {
    let kist = busybox();
    idle(&kist, "--name box");
    let running = kist.spawn(&["exec", "box", "sleep", "1000"]);
    kist.wait_until("it runs", |kist| exec(kist, "", "ps").stdout.contains("sleep 1000"));
    std::thread::sleep(std::time::Duration::from_millis(50));
    kist.ok(&["kill", "box"]);
    assert_eq!(running.wait().code, 137);
}

#[test]
fn an_exec_is_in_the_containers_control_groups() {
    let kist = busybox();
    idle(&kist, "--name box --cgroupns host");
    assert_eq!(exec(&kist, "", "cat /proc/self/cgroup").stdout, exec(&kist, "", "cat /proc/1/cgroup").stdout);
}

#[test]
fn what_an_exec_leaves_running_goes_with_the_container() {
    let kist = busybox();
    idle(&kist, "--name box");
    exec(&kist, "", "sleep 1000 >/dev/null 2>&1 & true");
    kist.ok(&["rm", "-f", "box"]);
    kist.assert_clean();
}

#[test]
fn many_execs_at_once_keep_their_outputs_apart() {
    let kist = busybox();
    idle(&kist, "--name box");
    let running: Vec<_> = (0..12)
        .map(|n| kist.spawn(&["exec", "box", "sh", "-c", Box::leak(format!("echo {n}; exit {n}").into_boxed_str())]))
        .collect();
    for (n, one) in running.into_iter().enumerate() {
        let out = one.wait();
        assert_eq!((out.stdout, out.code), (format!("{n}\n"), i32::try_from(n).unwrap()));
    }
}

#[test]
fn several_clients_see_the_same_output() {
    let kist = busybox();
    kist.ok(&["run", "-d", "-i", "--name", "box", "busybox", "sh", "-c", "read x; echo got $x; echo err >&2; exit 4"]);
    let watchers: Vec<_> = (0..3).map(|_| kist.spawn(&["attach", "--no-stdin", "box"])).collect();
    let mut typist = kist.spawn(&["attach", "box"]);
    // An attach has no sign of being there but what it prints.
    std::thread::sleep(std::time::Duration::from_millis(500));
    typist.stdin().write_all(b"word\n").unwrap();
    for client in watchers.into_iter().chain([typist]) {
        let out = client.wait();
        assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("got word\n", "err\n", 4));
    }
}

#[test]
fn a_client_that_comes_late_sees_what_comes_later() {
    let kist = busybox();
    background(&kist, "--name box", "echo early; while [ ! -e /go ]; do sleep 0.02; done; echo late; exit 2");
    kist.wait_until("the first line", |kist| kist.ok(&["logs", "box"]) == "early");
    let client = kist.spawn(&["attach", "--no-stdin", "box"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    exec(&kist, "", "touch /go");
    let out = client.wait();
    assert_eq!((out.stdout.as_str(), out.code), ("late\n", 2));
}

#[test]
fn attach_needs_a_container_that_runs() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "busybox"]);
    let out = kist.fails(&["attach", "box"]);
    assert!(out.stderr.contains("cannot attach to a stopped container, start it first"), "{}", out.stderr);
    idle(&kist, "--name pp");
    kist.ok(&["pause", "pp"]);
    assert!(kist.fails(&["attach", "pp"]).stderr.contains("cannot attach to a paused container, unpause it first"));
}

#[test]
fn a_slow_client_makes_the_container_wait_until_it_goes() {
    let kist = busybox();
    background(&kist, "--name box", "while [ ! -e /go ]; do sleep 0.02; done; seq 200000; touch /done; sleep 1000");
    let mut command = kist.command(&["attach", "--no-stdin", "box"]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut slow = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    exec(&kist, "", "touch /go");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_ne!(exec(&kist, "", "test -e /done").code, 0, "as with Docker");
    slow.kill().unwrap();
    slow.wait().unwrap();
    kist.wait_until("it has written all", |kist| exec(kist, "", "test -e /done").code == 0);
    assert_eq!(kist.ok(&["logs", "box"]).lines().count(), 200_000);
}

#[test]
fn an_attached_client_passes_signals_on() {
    let kist = busybox();
    background(&kist, "--name box", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    kist.wait_until("the trap is set", |kist| kist.ok(&["logs", "box"]) == "ready");
    let client = kist.spawn(&["attach", "--no-stdin", "box"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    client.signal(Signal::TERM);
    assert_eq!(client.wait().code, 9);
    assert_eq!(inspect(&kist, "box", "{{.State.ExitCode}}"), "9");
}

#[test]
fn a_client_killed_hard_leaves_the_container_alone() {
    let kist = busybox();
    let client = kist.spawn(&["run", "--name", "box", "busybox", "sleep", "1000"]);
    kist.wait_until("it runs", |kist| !kist.ok(&["ps", "-q"]).is_empty());
    client.signal(Signal::KILL);
    assert_eq!(client.wait().code, 137);
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
    assert_eq!(exec(&kist, "", "echo alive").stdout, "alive\n");
}
