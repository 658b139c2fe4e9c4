//! The life of a container from create to rm, and what `ps` and `inspect` say of it.

use std::time::{Duration, Instant};

use expect_test::expect;

use crate::{background, busybox, idle, inspect, sh};

fn status(kist: &testkit::Kist, name: &str) -> String {
    inspect(kist, name, "{{.State.Status}}")
}

#[test]
fn a_killed_container_has_ended_when_kill_returns() {
    let kist = busybox();
    idle(&kist, "--name box --network none");
    for _ in 0..5 {
        kist.ok(&["kill", "box"]);
        assert_eq!(inspect(&kist, "box", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
        kist.ok(&["start", "box"]);
        assert_eq!(inspect(&kist, "box", "{{.State.Status}}"), "running");
    }
}

#[test]
fn create_start_stop_and_rm_echo_what_was_typed() {
    let kist = busybox();
    let id = kist.ok(&["create", "--name", "box", "busybox", "sh", "-c", "trap 'exit 5' TERM; sleep 1000 & wait"]);
    assert_eq!(status(&kist, "box"), "created");
    assert_eq!(kist.ok(&["start", "box"]), "box");
    assert_eq!(status(&kist, "box"), "running");
    assert_eq!(kist.ok(&["stop", &id[..12]]), &id[..12]);
    assert_eq!(inspect(&kist, "box", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}"), "exited 5 0");
    assert_eq!(kist.ok(&["start", &id]), id);
    assert_eq!(kist.ok(&["rm", "-f", "box"]), "box");
    assert_eq!(
        kist.fails(&["start", "box"]).stderr.lines().next(),
        Some("Error response from daemon: No such container: box")
    );
}

#[test]
fn what_a_container_wrote_is_there_when_it_is_started_again() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "busybox", "sh", "-c", "echo x >> /file; wc -l < /file"]);
    for lines in ["1", "2", "3"] {
        assert_eq!(kist.ok(&["start", "-a", "box"]), lines);
    }
}

#[test]
fn start_attached_gives_streams_and_code() {
    let kist = busybox();
    kist.ok(&["create", "-i", "--name", "box", "busybox", "sh", "-c", "read x; echo got $x; echo err >&2; exit 9"]);
    let out = kist.run_with_input(&["start", "-a", "-i", "box"], "word\n");
    assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("got word\n", "err\n", 9));
}

#[test]
fn a_container_that_runs_or_has_ended_is_left_alone_by_start_and_stop() {
    let kist = busybox();
    let id = idle(&kist, "--name box");
    assert_eq!(kist.ok(&["start", "box"]), "box");
    assert_eq!(kist.ok(&["stop", "box"]), "box");
    assert_eq!(kist.ok(&["stop", "box"]), "box");
    assert_eq!(kist.ok(&["wait", &id]), "0");
}

#[test]
fn stop_kills_what_does_not_listen_after_its_time() {
    let kist = busybox();
    background(&kist, "--name deaf", "trap '' TERM; while :; do sleep 0.1; done");
    let since = Instant::now();
    kist.ok(&["stop", "-t", "1", "deaf"]);
    assert!((1..8).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(inspect(&kist, "deaf", "{{.State.ExitCode}}"), "137");
}

#[test]
fn stop_takes_another_signal() {
    let kist = busybox();
    background(&kist, "--name box", "trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done");
    kist.wait_until("the trap is set", |kist| kist.ok(&["logs", "box"]) == "ready");
    kist.ok(&["stop", "-s", "INT", "box"]);
    assert_eq!(kist.ok(&["wait", "box"]), "6");
}

#[test]
fn the_stop_timeout_of_the_container_counts() {
    let kist = busybox();
    background(&kist, "--name deaf --stop-timeout 0", "trap '' TERM; while :; do sleep 0.1; done");
    let since = Instant::now();
    kist.ok(&["stop", "deaf"]);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}

#[test]
fn restart_makes_a_new_process() {
    let kist = busybox();
    idle(&kist, "--name box");
    let first = crate::pid(&kist, "box");
    assert_eq!(kist.ok(&["restart", "-t", "1", "box"]), "box");
    let second = crate::pid(&kist, "box");
    assert!(first != second && second > 0);
    kist.ok(&["stop", "box"]);
    kist.ok(&["restart", "box"]);
    assert_eq!(status(&kist, "box"), "running");
}

#[test]
fn kill_sends_any_signal_by_name_and_number() {
    let kist = busybox();
    background(
        &kist,
        "--name box",
        "trap 'echo usr1' USR1; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done",
    );
    kist.wait_until("the traps are set", |kist| kist.ok(&["logs", "box"]) == "ready");
    assert_eq!(kist.ok(&["kill", "-s", "SIGUSR1", "box"]), "box");
    kist.wait_until("usr1", |kist| kist.ok(&["logs", "box"]).contains("usr1"));
    kist.ok(&["kill", "--signal", "1", "box"]);
    kist.wait_until("hup", |kist| kist.ok(&["logs", "box"]).contains("hup"));
    kist.ok(&["kill", "box"]);
    assert_eq!(kist.ok(&["wait", "box"]), "137");
    let out = kist.fails(&["kill", "box"]);
    assert!(out.stderr.contains("is not running"), "{}", out.stderr);
}

#[test]
fn a_paused_container_stands_still() {
    let kist = busybox();
    background(&kist, "--name box", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
    assert_eq!(kist.ok(&["pause", "box"]), "box");
    assert_eq!(inspect(&kist, "box", "{{.State.Status}} {{.State.Paused}} {{.State.Running}}"), "paused true true");
    let lines = || kist.ok(&["logs", "box"]).lines().count();
    std::thread::sleep(Duration::from_millis(100));
    let before = lines();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(lines(), before);
    assert!(kist.fails(&["pause", "box"]).stderr.contains("is already paused"));
    assert!(kist.fails(&["exec", "box", "true"]).stderr.contains("is paused, unpause the container before exec"));
    assert!(kist.ok(&["ps", "--format", "{{.Status}}"]).ends_with("(Paused)"));
    assert_eq!(kist.ok(&["unpause", "box"]), "box");
    kist.wait_until("it goes on", |_| lines() > before);
    assert!(kist.fails(&["unpause", "box"]).stderr.contains("is not paused"));
    kist.ok(&["pause", "box"]);
    kist.ok(&["stop", "-t", "1", "box"]);
    assert_eq!(status(&kist, "box"), "exited");
}

#[test]
fn a_paused_container_can_be_killed_and_removed() {
    let kist = busybox();
    for verb in [vec!["kill", "box"], vec!["rm", "-f", "box"]] {
        idle(&kist, "--name box");
        kist.ok(&["pause", "box"]);
        kist.ok(&verb);
        kist.wait_until("it is not running", |kist| kist.ok(&["ps", "-q"]).is_empty());
        kist.run(&["rm", "-f", "box"]);
    }
}

#[test]
fn wait_prints_the_code_of_each() {
    let kist = busybox();
    background(&kist, "--name aa", "sleep 0.2; exit 3");
    background(&kist, "--name bb", "exit 4");
    assert_eq!(kist.ok(&["wait", "aa", "bb"]), "3\n4");
}

#[test]
fn rename_frees_the_old_name() {
    let kist = busybox();
    let id = idle(&kist, "--name old");
    kist.ok(&["rename", "old", "new"]);
    assert_eq!(inspect(&kist, "new", "{{.Id}} {{.Name}}"), format!("{id} /new"));
    kist.ok(&["create", "--name", "old", "busybox"]);
    let out = kist.fails(&["rename", "new", "old"]);
    assert!(
        out.stderr.contains("Conflict. The container name \"/old\" is already in use by container"),
        "{}",
        out.stderr
    );
}

#[test]
fn a_running_container_is_not_removed_without_force() {
    let kist = busybox();
    idle(&kist, "--name web");
    expect![[r#"
        [stderr]
        Error response from daemon: cannot remove container "web": container is running: stop the container before removing or force remove
        [exit 1]
    "#]]
    .assert_eq(&kist.run(&["rm", "web"]).scrubbed());
    assert_eq!(kist.ok(&["rm", "-f", "-v", "web"]), "web");
}

#[test]
fn rm_of_what_is_not_there() {
    let kist = busybox();
    let out = kist.run(&["rm", "nothing"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.starts_with("Error response from daemon: No such container: nothing\n"), "{}", out.stderr);
    let forced = kist.run(&["rm", "-f", "nothing"]);
    assert_eq!((forced.stderr.as_str(), forced.code), ("", 0));
}

#[test]
fn an_ambiguous_prefix_is_refused_and_a_unique_one_taken() {
    let kist = busybox();
    let mut ids: Vec<String> = (0..17).map(|_| kist.ok(&["create", "busybox"])).collect();
    ids.sort();
    let twin = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).unwrap();
    let out = kist.fails(&["inspect", "--type", "container", &twin[0][..1]]);
    assert!(out.stderr.to_lowercase().contains("multiple"), "{}", out.stderr);
    assert_eq!(inspect(&kist, &twin[0][..20], "{{.Id}}"), twin[0]);
}

#[test]
fn ps_is_dockers_table() {
    let kist = busybox();
    idle(&kist, "--name web");
    background(&kist, "--name done", "exit 3");
    kist.ok(&["wait", "done"]);
    kist.ok(&["create", "--name", "fresh", "busybox", "echo", "a command that is too long"]);
    expect![[r#"
        CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
        <id>   busybox   "sh -c 'trap 'exit 0…"   <ago>   Up <ago>   web
    "#]]
    .assert_eq(&kist.run(&["ps"]).scrubbed());
    expect![[r#"
        CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
        <id>   busybox   "echo 'a command tha…"   <ago>   Created   fresh
        <id>   busybox   "sh -c 'exit 3'"   <ago>   Exited (3) <ago>   done
        <id>   busybox   "sh -c 'trap 'exit 0…"   <ago>   Up <ago>   web
    "#]]
    .assert_eq(&kist.run(&["ps", "-a"]).scrubbed());
}

#[test]
fn ps_shows_what_was_asked_for() {
    let kist = busybox();
    let id = idle(&kist, "--name web -l tier=front -l a=1");
    background(&kist, "--name done -l tier=back", "exit 3");
    kist.ok(&["wait", "done"]);
    let ps = |args: &str| {
        let args: Vec<_> = args.split(' ').collect();
        kist.ok(&[&["ps", "--format", "{{.Names}}"], &args[..]].concat())
    };
    assert_eq!(kist.ok(&["ps", "-q"]), &id[..12]);
    assert_eq!(kist.ok(&["ps", "-q", "--no-trunc"]), id);
    assert_eq!(ps("-l"), "done");
    assert_eq!(ps("-n 2"), "done\nweb");
    assert_eq!(ps("-f name=we"), "web");
    assert_eq!(ps("-a -f name=^/d"), "done");
    assert_eq!(ps("-a -f status=exited"), "done");
    assert_eq!(ps("-a -f exited=3"), "done");
    assert_eq!(ps("-a -f exited=0"), "");
    assert_eq!(ps("-a -f label=tier"), "done\nweb");
    assert_eq!(ps("-a -f label=tier=front -f label=a"), "web");
    assert_eq!(ps("-a -f ancestor=busybox -f before=done"), "web");
    assert_eq!(ps("-a -f since=web"), "done");
    assert_eq!(ps("-a -f network=host"), "");
    assert_eq!(ps(&format!("-f id={}", &id[..5])), "web");
    assert!(kist.fails(&["ps", "-f", "nonsense=1"]).stderr.contains("invalid filter 'nonsense'"));
}

#[test]
fn ps_formats_are_templates() {
    let kist = busybox();
    idle(&kist, "--name web -l tier=front");
    assert_eq!(
        kist.ok(&["ps", "--format", r#"{{.Names}}\t{{.State}} {{.Label "tier"}} {{upper .Image}}"#]),
        "web\trunning front BUSYBOX"
    );
    expect![[r#"
        NAMES   STATE
        web   running
    "#]]
    .assert_eq(&kist.run(&["ps", "--format", "table {{.Names}}\t{{.State}}"]).scrubbed());
    let json: serde_json::Value = serde_json::from_str(&kist.ok(&["ps", "--format", "json"])).unwrap();
    assert_eq!(json["Names"], "web");
}

#[test]
fn ps_knows_sizes() {
    let kist = busybox();
    background(&kist, "--name box", "dd if=/dev/zero of=/file bs=1000 count=500 2>/dev/null; sleep 1000");
    kist.wait_until("it has written", |kist| kist.ok(&["ps", "-s", "--format", "{{.Size}}"]).starts_with("50"));
    let size = kist.ok(&["ps", "-s", "--format", "{{.Size}}"]);
    assert!(size.contains("kB (virtual ") && size.ends_with("MB)"), "{size}");
}

#[test]
fn inspect_has_dockers_fields() {
    let kist = busybox();
    let id = idle(&kist, "--name web -e A=1 -w /tmp -u 1000 -m 64m --restart on-failure:2");
    let format = "{{.Name}} {{.Path}} {{index .Args 0}} {{.Config.Image}} {{.Config.WorkingDir}} {{.Config.User}} \
                  {{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} \
                  {{.State.Running}}";
    assert_eq!(inspect(&kist, "web", format), "/web sh -c busybox /tmp 1000 67108864 on-failure 2 true");
    assert!(inspect(&kist, "web", "{{json .Config.Env}}").contains("\"A=1\""));
    let all: serde_json::Value = serde_json::from_str(&kist.ok(&["inspect", "web"])).unwrap();
    assert_eq!(all[0]["Id"], id);
    assert_eq!(all[0]["Config"]["Hostname"], id[..12]);
    let out = kist.fails(&["inspect", "--format", "{{.Nonsense}}", "web"]);
    assert!(out.stderr.contains("map has no entry for key \"Nonsense\""), "{}", out.stderr);
}

#[test]
fn inspect_takes_types_and_sizes() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "busybox"]);
    assert!(inspect(&kist, "busybox", "{{.Id}}").starts_with("sha256:"));
    assert!(kist.fails(&["inspect", "--type", "image", "box"]).stderr.to_lowercase().contains("no such image: box"));
    let sized: serde_json::Value = serde_json::from_str(&kist.ok(&["inspect", "--size", "box"])).unwrap();
    assert!(sized[0]["SizeRootFs"].as_u64().unwrap() > 500_000);
    let out = kist.run(&["inspect", "nothing"]);
    assert_eq!((out.stdout.as_str(), out.code), ("[]\n", 1));
    assert!(out.stderr.to_lowercase().contains("no such object: nothing"), "{}", out.stderr);
}

#[test]
fn a_container_that_ends_at_once_is_never_missed() {
    let kist = busybox();
    for n in 0..10 {
        assert_eq!(sh(&kist, "", &format!("echo {n}")), n.to_string());
    }
}

#[test]
fn names_are_made_up() {
    let kist = busybox();
    kist.ok(&["create", "busybox"]);
    let name = kist.ok(&["ps", "-a", "--format", "{{.Names}}"]);
    assert!(name.split_once('_').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()), "{name}");
}

#[test]
fn prune_removes_what_has_ended_only() {
    let kist = busybox();
    idle(&kist, "--name stays");
    let id = background(&kist, "--name goes", "true");
    kist.ok(&["wait", "goes"]);
    let out = kist.ok(&["container", "prune", "-f"]);
    assert!(out.starts_with(&format!("Deleted Containers:\n{id}\n\nTotal reclaimed space: ")), "{out}");
    assert_eq!(kist.ok(&["ps", "-a", "--format", "{{.Names}}"]), "stays");
}
