//! `events`: what happened, in Docker's order and words, with nobody to ask but a file.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use rustix::process::Signal;
use serde_json::Value;
use testkit::{Docker, ImageBuilder, Kist, Layer};

use crate::{busybox, empty, idle};

/// All until now, each as a value.
fn all(kist: &Kist) -> Vec<Value> {
    let text = kist.ok(&["events", "--since", "0", "--until", "0s", "--format", "json"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What an event is, without what differs from run to run: `die(exitCode,image,name)`.
fn shape(event: &Value) -> String {
    let attributes: BTreeMap<String, Value> = serde_json::from_value(event["Actor"]["Attributes"].clone()).unwrap();
    // Which Docker 20.10 does not have yet.
    let keys: Vec<&str> = attributes.keys().map(String::as_str).filter(|key| *key != "execDuration").collect();
    let word = |name: &str| event[name].as_str().unwrap().to_owned();
    let action = match word("Type").as_str() {
        "container" => word("Action"),
        kind => format!("{kind} {}", word("Action")),
    };
    format!("{action}({})", keys.join(","))
}

/// Actions with what belongs to them alone.
fn check(kist: &Kist, expected: Expect) {
    let said = all(kist).into_iter().filter(|event| event["Type"] == "container").map(|event| {
        let attributes: BTreeMap<String, String> =
            serde_json::from_value(event["Actor"]["Attributes"].clone()).unwrap();
        let own =
            attributes.iter().filter(|(key, _)| ["exitCode", "signal", "oldName", "tier"].contains(&key.as_str()));
        let own: String = own.map(|(key, value)| format!(" {key}={value}")).collect();
        format!("{} {}{own}\n", event["Action"].as_str().unwrap(), attributes["name"])
    });
    expected.assert_eq(&said.collect::<String>());
}

fn in_a_moment(seconds: u64) -> String {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds).to_string()
}

#[test]
fn a_life_is_told_in_dockers_order() {
    let kist = busybox();
    kist.run(&["run", "--rm", "--name", "one", "busybox", "sh", "-c", "exit 3"]);
    kist.ok(&["run", "-d", "--name", "web", "--label", "tier=front", "busybox", "sleep", "1000"]);
    kist.ok(&["pause", "web"]);
    kist.ok(&["unpause", "web"]);
    kist.ok(&["rename", "web", "db"]);
    kist.ok(&["stop", "-t", "0", "db"]);
    kist.ok(&["start", "db"]);
    kist.ok(&["rm", "-f", "db"]);
    check(
        &kist,
        expect![[r#"
            create one
            attach one
            start one
            die one exitCode=3
            destroy one
            create web tier=front
            start web tier=front
            pause web tier=front
            unpause web tier=front
            rename db oldName=/web tier=front
            kill db signal=15 tier=front
            kill db signal=9 tier=front
            die db exitCode=137 tier=front
            stop db tier=front
            start db tier=front
            kill db signal=9 tier=front
            die db exitCode=137 tier=front
            destroy db tier=front
        "#]],
    );
}

/// What both are told to do. Words in capitals are files.
const STORY: &[&[&str]] = &[
    &["create", "--name", "aa", "--network", "none", "busybox", "true"],
    &["cp", "aa:/bin/busybox", "COPIED"],
    &["cp", "COPIED", "aa:/copied"],
    &["export", "-o", "EXPORTED", "aa"],
    &["commit", "--pause=false", "-m", "so", "aa", "z:1"],
    &["rmi", "z:1"],
    &["start", "aa"],
    &["wait", "aa"],
    &["run", "-d", "--name", "web", "--network", "none", "--label", "tier=front", "busybox", "sleep", "1000"],
    &["exec", "web", "true"],
    &["exec", "web", "sh", "-c", "exit 3"],
    &["exec", "web", "nosuch"],
    &["top", "web"],
    &["pause", "web"],
    &["unpause", "web"],
    &["rename", "web", "db"],
    &["kill", "-s", "USR1", "db"],
    &["update", "--cpu-shares", "512", "db"],
    &["restart", "-t", "1", "db"],
    &["stop", "-t", "1", "db"],
    &["start", "db"],
    &["kill", "db"],
    &["wait", "db"],
    &["start", "db"],
    &["rm", "-f", "db"],
    &["run", "--rm", "--network", "none", "busybox", "true"],
    &["run", "--network", "none", "--name", "none", "busybox", "nosuch"],
    &["rm", "none"],
    &["run", "--rm", "--network", "none", "--memory", "16m", "--memory-swap", "16m", "busybox", "tail", "/dev/zero"],
    // Docker tells `create` of a volume that is there already, too: here it is not.
    &["run", "--rm", "--network", "none", "-v", "vol:/vol:ro", "busybox", "true"],
    &["run", "--rm", "--network", "none", "-v", "/anonymous", "busybox", "true"],
    &["volume", "rm", "vol"],
    &["container", "prune", "-f"],
    &["tag", "busybox", "x:1"],
    &["rmi", "x:1"],
    &["save", "-o", "ARCHIVE", "busybox"],
    &["import", "TREE", "y:1"],
    &["rmi", "y:1"],
    &["rmi", "busybox"],
    &["load", "-q", "-i", "ARCHIVE"],
    &["image", "prune", "-f"],
];

#[test]
fn docker_tells_the_same_story() {
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(why) => testkit::skip!("{why}"),
    };
    let kist = empty();
    // Docker takes the mode of a hard link for the mode of the file.
    let mut layer = Layer::new().file("bin/busybox", 0o755, fs::read("/bin/busybox").unwrap());
    for applet in ["sh", "sleep", "tail", "true"] {
        layer = layer.symlink(&format!("bin/{applet}"), "busybox");
    }
    let image = ImageBuilder::new().name("busybox:latest").layer(layer);
    let image = kist.scratch().write("image.tar", image.docker_archive());
    kist.load(&image);
    docker.ok(&["load", "-q", "-i", image.to_str().unwrap()]);
    let tree = kist.scratch().write("tree.tar", Layer::new().file("a", 0o644, "a").tar());
    let file = |name: &str| kist.scratch().join(name).display().to_string();
    let files = [
        ("ARCHIVE", file("saved.tar")),
        ("COPIED", file("copied")),
        ("EXPORTED", file("exported.tar")),
        ("TREE", tree.display().to_string()),
    ];
    for words in STORY {
        let file = |word: &&str| files.iter().find(|(name, _)| name == word).map(|(_, path)| path.as_str());
        let words: Vec<&str> = words.iter().map(|word| file(word).unwrap_or(word)).collect();
        // What is told counts, not what comes of it.
        docker.attempt(&words);
        kist.run(&words);
    }
    // To Docker that is the beginning of this second.
    std::thread::sleep(Duration::from_millis(1100));
    let theirs = docker.ok(&["events", "--since", "0", "--until", "0s", "--format", "{{json .}}"]);
    let theirs = theirs.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let shapes = |events: Vec<Value>| -> Vec<String> {
        let ours =
            events.iter().filter(|event| ["container", "image", "volume"].contains(&event["Type"].as_str().unwrap()));
        ours.map(shape).collect()
    };
    // Both loaded the image before the story.
    // Newer Dockers tell of the image of a commit besides its name.
    let ours = all(&kist).into_iter().filter(|event| event["Type"] != "image" || event["Action"] != "create");
    assert_eq!(shapes(ours.collect()).join("\n"), shapes(theirs.collect()).join("\n"));
}

#[test]
fn networks_are_told_when_a_container_comes_and_goes() {
    let kist = busybox();
    kist.ok(&["network", "create", "front"]);
    kist.ok(&["run", "--rm", "--network", "front", "busybox", "true"]);
    kist.ok(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]);
    kist.ok(&["network", "connect", "front", "web"]);
    kist.ok(&["network", "disconnect", "front", "web"]);
    kist.ok(&["rm", "-f", "web"]);
    let told = all(&kist).into_iter().filter(|event| event["Type"] == "network").map(|event| {
        let of = |name: &str| event["Actor"]["Attributes"][name].as_str().unwrap_or("nobody").to_owned();
        let who = if of("container").len() == 64 { "somebody" } else { "nobody" };
        format!("{} {} {} {who}\n", event["Action"].as_str().unwrap(), of("name"), of("type"))
    });
    expect![[r#"
        create front bridge nobody
        connect front bridge somebody
        disconnect front bridge somebody
        connect bridge bridge somebody
        connect front bridge somebody
        disconnect front bridge somebody
        disconnect bridge bridge somebody
    "#]]
    .assert_eq(&told.collect::<String>());
}

#[test]
fn who_follows_hears_all_in_order_and_ends_in_time() {
    let kist = busybox();
    let until = in_a_moment(4);
    let following = kist.spawn(&[
        "events",
        "--filter",
        "type=container",
        "--format",
        "{{.Action}}",
        "--since",
        "0s",
        "--until",
        &until,
    ]);
    for _ in 0..3 {
        kist.ok(&["run", "--rm", "busybox", "true"]);
    }
    let said = following.wait();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout, "create\nattach\nstart\ndie\ndestroy\n".repeat(3));
}

#[test]
fn waiting_costs_nothing_and_ends_at_once() {
    let kist = busybox();
    let following = kist.spawn(&["events"]);
    let of = |file: &str| format!("/proc/{}/{file}", following.pid().as_raw_nonzero());
    let links = || fs::read_dir(of("fd")).unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    kist.wait_until("it watches", |_| links().any(|link| link.to_string_lossy().contains("inotify")));
    std::thread::sleep(Duration::from_millis(200));
    let switches = || -> Vec<String> {
        let status = fs::read_to_string(of("status")).unwrap();
        status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect()
    };
    let before = switches();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(switches(), before, "it was not woken");
    following.signal(Signal::INT);
    let began = Instant::now();
    assert_eq!(following.wait().code, 130);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn what_is_over_is_told_at_once() {
    let kist = busybox();
    idle(&kist, "--name box");
    let began = Instant::now();
    let said =
        kist.ok(&["events", "--until", "0s", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}"]);
    assert_eq!(said, "box");
    assert_eq!(kist.ok(&["events", "--until", "1h"]), "", "an hour ago nothing had happened");
    assert_eq!(kist.ok(&["system", "events", "--since", "2000-01-01", "--until", "2000-01-02"]), "");
    assert!(began.elapsed() < Duration::from_secs(10));
    let line = kist.ok(&["events", "--until", "0s", "--filter", "container=box", "--filter", "event=create"]);
    assert!(line.contains(" container create ") && line.ends_with(" (image=busybox, name=box)"), "{line}");
}

#[test]
fn what_makes_no_sense_is_refused_in_dockers_words() {
    let kist = busybox();
    let refused = |args: &[&str]| kist.fails(&[&["events"], args].concat()).scrubbed();
    expect![[r#"
        [stderr]
        Error parsing format: template: :1:2: executing "" at <.Nope>: can't evaluate field Nope in type *events.Message
        [exit 64]
    "#]]
    .assert_eq(&refused(&["--format", "{{.Nope}}"]));
    expect![[r#"
        [stderr]
        failed to parse value as time or duration: "soon"
        [exit 1]
    "#]]
    .assert_eq(&refused(&["--since", "soon"]));
    expect![[r#"
        [stderr]
        Error response from daemon: `since` time (2000.000000000) cannot be after `until` time (1000.000000000)
        [exit 1]
    "#]]
    .assert_eq(&refused(&["--since", "2000", "--until", "1000"]));
    expect![[r#"
        [stderr]
        Error response from daemon: invalid filter 'nope'
        [exit 1]
    "#]]
    .assert_eq(&refused(&["--filter", "nope=1"]));
}

#[test]
fn health_checks_are_execs_and_their_verdict_is_told() {
    let kist = busybox();
    let health = ["--health-cmd", "true", "--health-interval", "100ms"];
    kist.ok(&[&["run", "-d", "--name", "box"], &health[..], &["busybox", "sleep", "1000"]].concat());
    let of = |filter: &str| kist.ok(&["events", "--until", "0s", "--filter", filter, "--format", "{{.Action}}"]);
    kist.wait_until("healthy", |_| of("event=health_status") == "health_status: healthy");
    assert!(of("event=exec_create").starts_with("exec_create: /bin/sh -c true"));
    assert!(of("event=exec_start").starts_with("exec_start: /bin/sh -c true"));
    assert!(of("event=exec_die").starts_with("exec_die"));
}

#[test]
fn a_monitor_that_was_lost_is_told_by_the_next_command() {
    let kist = busybox();
    let id = idle(&kist, "--name box");
    let monitor = fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let ours = line.starts_with(b"kist-monitor\0") && String::from_utf8_lossy(&line).contains(&id);
        ours.then(|| entry.file_name().to_str()?.parse::<i32>().ok())?
    });
    let monitor = rustix::process::Pid::from_raw(monitor.unwrap()).unwrap();
    rustix::process::kill_process(monitor, Signal::KILL).unwrap();
    kist.wait_until("it is told", |kist| all(kist).iter().any(|event| event["Action"] == "die"));
    check(
        &kist,
        expect![[r#"
            create box
            start box
            die box exitCode=137
        "#]],
    );
}

#[test]
fn an_event_that_cannot_be_written_fails_nothing() {
    let kist = busybox();
    fs::remove_file(kist.root().join("events.log")).unwrap();
    fs::create_dir(kist.root().join("events.log")).unwrap();
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "echo", "fine"]), "fine");
    kist.ok(&["tag", "busybox", "x:1"]);
}
