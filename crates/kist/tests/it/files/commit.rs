//! `commit`, `export` and `diff`: from a container's files to images and archives.

use std::fs;
use std::time::{Duration, Instant};

use expect_test::expect;
use rustix::process::Signal;
use testkit::{Fault, for_each_fault, for_each_kill};

use super::{bytes, listing};
use crate::{background, busybox, idle, inspect};

const CHANGES: &str = "echo x > /new; rm /etc/shells; rm -r /var/www; mkdir /var/www; echo z > /var/www/z; mkdir -p /a/b; ln /new /a/b/hard";

#[test]
fn a_commit_holds_what_was_changed_and_deleted() {
    let kist = busybox();
    for state in ["running", "exited"] {
        let name = format!("box-{state}");
        let end = if state == "running" { "; echo done; sleep 1000" } else { "; echo done" };
        background(&kist, &format!("--network none --name {name}"), &format!("{CHANGES}{end}"));
        kist.wait_until("it has written", |kist| kist.ok(&["logs", &name]) == "done");
        if state == "exited" {
            kist.ok(&["wait", &name]);
        }
        let id = kist.ok(&["commit", &name, &format!("mine:{state}")]);
        assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
        assert_eq!(inspect(&kist, &format!("mine:{state}"), "{{.Id}}"), id);
        assert_eq!(inspect(&kist, &name, "{{.State.Status}}"), state);
        let script = "cat /new /var/www/z; ls /etc/shells /var/www 2>&1; stat -c %h /new";
        let seen = kist.ok(&["run", "--rm", "--network", "none", &format!("mine:{state}"), "sh", "-c", script]);
        assert_eq!(seen, "x\nz\nls: /etc/shells: No such file or directory\n/var/www:\nz\n2");
    }
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

#[test]
fn a_commit_is_a_step_of_its_images_history() {
    let kist = busybox();
    background(&kist, "--network none --name box", "echo 12345 > /five");
    kist.ok(&["wait", "box"]);
    kist.ok(&["commit", "-a", "Ann <ann@example.org>", "-m", "more", "box", "mine"]);
    let row = kist.ok(&["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}|{{.Comment}}", "mine"]);
    assert_eq!(row.lines().next(), Some("sh -c echo 12345 > /five|6B|more"));
    assert_eq!(inspect(&kist, "mine", "{{.Author}}|{{.Comment}}"), "Ann <ann@example.org>|more");
    // Without a name and without changes: one more step and no layer.
    kist.ok(&["create", "--network", "none", "--name", "idle", "busybox"]);
    let id = kist.ok(&["commit", "idle"]);
    assert_eq!(inspect(&kist, &id, "{{len .RootFS.Layers}} {{json .RepoTags}}"), "1 []");
    assert_eq!(kist.ok(&["history", "-q", &id]).lines().count(), 2);
}

#[test]
fn the_containers_settings_become_the_images_but_for_its_host_name() {
    let kist = busybox();
    kist.ok(&[
        "create",
        "--network",
        "none",
        "--name",
        "box",
        "-h",
        "myhost",
        "-e",
        "A=1",
        "-l",
        "a=b",
        "-w",
        "/tmp",
        "-u",
        "app",
        "--expose",
        "80",
        "-v",
        "/data",
        "--stop-signal",
        "SIGINT",
        "--health-cmd",
        "true",
        "--entrypoint",
        "/bin/sh",
        "busybox",
        "-c",
        "echo hello",
    ]);
    kist.ok(&["commit", "box", "mine"]);
    expect![[r#"{"Cmd":["-c","echo hello"],"Entrypoint":["/bin/sh"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=1"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD-SHELL","true"]},"Labels":{"a":"b"},"OnBuild":null,"StopSignal":"SIGINT","User":"app","Volumes":{"/data":{}},"WorkingDir":"/tmp"}"#]]
        .assert_eq(&inspect(&kist, "mine", "{{json .Config}}"));
    kist.ok(&[
        "commit",
        "-c",
        "ENV A=2 B=$A",
        "-c",
        "CMD [\"x\"]",
        "-c",
        "ENTRYPOINT [\"/y\"]",
        "-c",
        "LABEL c=d",
        "-c",
        "EXPOSE 81/udp",
        "-c",
        "VOLUME /more",
        "-c",
        "WORKDIR sub",
        "-c",
        "USER 7",
        "-c",
        "STOPSIGNAL SIGTERM",
        "-c",
        "ONBUILD RUN z",
        "-c",
        "HEALTHCHECK NONE",
        "box",
        "changed",
    ]);
    expect![[r#"{"Cmd":["x"],"Entrypoint":["/y"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=2","B=1"],"ExposedPorts":{"80/tcp":{},"81/udp":{}},"Healthcheck":{"Test":["NONE"]},"Labels":{"a":"b","c":"d"},"OnBuild":["RUN z"],"StopSignal":"SIGTERM","User":"7","Volumes":{"/data":{},"/more":{}},"WorkingDir":"/tmp/sub"}"#]]
        .assert_eq(&inspect(&kist, "changed", "{{json .Config}}"));
}

#[test]
fn a_commit_that_makes_no_sense_is_refused() {
    let kist = busybox();
    kist.ok(&["create", "--network", "none", "--name", "box", "busybox"]);
    for (args, said) in [
        (&["-c", "RUN x", "box"][..], "Error response from daemon: run is not a valid change command\n"),
        (&["box", "UPPER"], "invalid reference format: repository name (UPPER) must be lowercase\n"),
        (&["--no-pause", "--pause", "box"], "conflicting options: --no-pause and --pause cannot be used together\n"),
        (&["nobox"], "Error response from daemon: No such container: nobox\n  `kist ps -a` lists what there is\n"),
    ] {
        let out = kist.fails(&[&["commit"], args].concat());
        assert_eq!((out.stderr.as_str(), out.code), (said, 1), "{args:?}");
    }
}

#[test]
fn a_container_is_frozen_only_while_it_is_read_even_when_the_command_is_killed() {
    let kist = busybox();
    let script =
        "dd if=/dev/urandom of=/tmp/large bs=1M count=40 2>/dev/null; echo written; while :; do sleep 0.01; done";
    let id = background(&kist, "--network none --name box", script);
    kist.wait_until("it has written", |kist| kist.ok(&["logs", "box"]) == "written");
    let status = || inspect(&kist, "box", "{{.State.Status}}");
    // Looked for in the file: a command would come too late. On a busy machine it may be over before we look.
    let file = kist.run_root().join(id).join("status.json");
    let committing = loop {
        let committing = kist.spawn(&["commit", "box"]);
        let deadline = Instant::now() + Duration::from_secs(5);
        let is_paused = || fs::read_to_string(&file).unwrap().contains("paused");
        let seen = std::iter::repeat_with(is_paused).take_while(|_| Instant::now() < deadline).any(|paused| paused);
        committing.signal(Signal::STOP);
        if seen && is_paused() {
            break committing;
        }
        committing.signal(Signal::CONT);
        committing.wait();
    };
    assert_eq!(status(), "paused");
    committing.signal(Signal::KILL);
    drop(committing);
    kist.wait_until("it goes on", |_| status() == "running");
    kist.ok(&["commit", "box"]);
    assert_eq!(status(), "running");
    // What a user paused stays paused.
    kist.ok(&["pause", "box"]);
    kist.ok(&["commit", "box"]);
    assert_eq!(status(), "paused");
    kist.ok(&["unpause", "box"]);
    // What the killed one had begun goes with the images that nobody has.
    kist.ok(&["image", "prune", "-f"]);
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

const COMMIT: &[&str] = &["commit", "box", "mine"];

#[test]
fn commit_killed_or_failed_at_each_act_leaves_the_store_clean() {
    let kist = busybox();
    idle(&kist, "--network none --name box");
    kist.ok(&["exec", "box", "sh", "-c", CHANGES]);
    let after = |kist: &testkit::Kist| {
        kist.ok(&["ps"]);
        kist.wait_until("it runs", |kist| inspect(kist, "box", "{{.State.Status}}") == "running");
        kist.run(&["rmi", "-f", "mine"]);
        kist.ok(&["image", "prune", "-f"]);
        kist.wait_until("nothing is left over", |kist| kist.run(&["system", "check"]).code == 0);
    };
    let acts = for_each_kill(|faults| {
        kist.run_with_faults(COMMIT, faults);
        after(&kist);
    });
    assert!(acts > 5, "{acts} acts");
    for_each_fault(Fault::NoSpace, |faults| {
        let out = kist.run_with_faults(COMMIT, faults);
        assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
        after(&kist);
    });
    kist.ok(COMMIT);
    assert_eq!(kist.ok(&["run", "--rm", "--network", "none", "mine", "cat", "/new"]), "x");
}

#[test]
fn copies_and_exports_killed_at_each_act_hold_nothing() {
    let kist = busybox();
    let file = kist.scratch().write("file", "x");
    let file = file.to_str().unwrap();
    kist.ok(&["create", "--network", "none", "--name", "box", "busybox", "sleep", "1000"]);
    for args in [&["cp", file, "box:/tmp"][..], &["cp", "box:/etc", "-"], &["export", "box"]] {
        for_each_kill(|faults| {
            kist.run_with_faults(args, faults);
            kist.ok(&["start", "box"]);
            kist.ok(&["kill", "box"]);
            kist.ok(&["wait", "box"]);
            assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
        });
    }
}

#[test]
fn an_import_of_an_export_is_the_same_tree() {
    let kist = busybox();
    let volume = kist.scratch().write("volume/file", "not exported");
    let volume = format!("{}:/vol", volume.parent().unwrap().display());
    background(&kist, &format!("--network none --name box -v {volume}"), &format!("{CHANGES}; echo done; sleep 1000"));
    kist.wait_until("it has written", |kist| kist.ok(&["logs", "box"]) == "done");
    let file = kist.scratch().write("out.tar", "what was there before");
    let path = file.to_str().unwrap();
    kist.ok(&["export", "-o", path, "box"]);
    let exported = listing(&fs::read(&file).unwrap());
    assert_eq!(exported, listing(&bytes(&kist, &["export", "box"])));
    for there in
        ["drwxr-xr-x 0/0 0 vol/", "drwxr-xr-x 0/0 0 proc/", "-rwxr-xr-x 0/0 0 etc/hosts", "drwxr-xr-x 0/0 0 dev/pts/"]
    {
        assert!(exported.iter().any(|line| line == there), "{there}: {exported:?}");
    }
    assert!(!exported.iter().any(|line| line.contains("vol/file")));
    kist.ok(&["import", path, "imported"]);
    kist.ok(&["create", "--network", "none", "--name", "again", "imported", "sh"]);
    assert_eq!(listing(&bytes(&kist, &["export", "again"])), exported);
    kist.ok(&["kill", "box"]);
    kist.ok(&["wait", "box"]);
    assert_eq!(listing(&bytes(&kist, &["export", "box"])), exported, "stopped as running");
}

#[test]
fn an_export_goes_to_no_terminal_and_a_file_comes_whole_or_not_at_all() {
    let kist = busybox();
    kist.ok(&["create", "--network", "none", "--name", "box", "busybox"]);
    let refused = "cowardly refusing to save to a terminal. Use the -o flag or redirect\r\n";
    assert_eq!(kist.pty(&["export", "box"]).finish(), (refused.to_owned(), 1));
    let file = kist.scratch().write("kept", "kept");
    let out = kist.fails(&["export", "-o", file.to_str().unwrap(), "nobox"]);
    assert!(out.stderr.starts_with("Error response from daemon: No such container: nobox"), "{}", out.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    let dir = kist.scratch().path().to_str().unwrap().to_owned();
    assert_eq!(
        kist.fails(&["export", "-o", &format!("{dir}/no/x"), "box"]).stderr,
        format!("failed to export container: invalid output path: directory \"{dir}/no\" does not exist\n")
    );
    assert_eq!(
        fs::read_dir(&dir).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().contains("kept.")).count(),
        0
    );
}

#[test]
fn diff_tells_real_changes_only() {
    let kist = busybox();
    kist.ok(&["create", "--network", "none", "--name", "box", "busybox", "sh"]);
    assert_eq!(kist.ok(&["diff", "box"]), "");
    let script = "chmod 755 /home; chmod 644 /etc/passwd; touch /tmp/gone; rm /tmp/gone; chown 5 /var; \
                  echo x > /etc/new; rm -r /usr; mkdir /usr; echo y >> /etc/group";
    background(&kist, "--network none --name other", script);
    kist.ok(&["wait", "other"]);
    expect![[r#"
        C /etc
        C /etc/group
        A /etc/new
        C /usr
        D /usr/bin
        D /usr/sbin
        C /var"#]]
    .assert_eq(&kist.ok(&["diff", "other"]));
    assert_eq!(kist.fails(&["diff", "nobox"]).code, 1);
}
