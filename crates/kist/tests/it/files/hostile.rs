//! Containers that change their files while they are copied, and archives that want out: nothing of the host is read or written.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use testkit::{EntryType, Kist, Layer};

use super::{below, bytes, listing};
use crate::{background, busybox, idle};

/// How long a container gets to win a race.
const RACE: Duration = Duration::from_secs(5);

/// A directory of the host's that a container knows the path of, with a secret in it.
fn bait(kist: &Kist) -> String {
    kist.scratch().write("bait/secret", "the host's");
    kist.scratch().write("bait/passwd", "the host's");
    kist.scratch().join("bait").to_str().unwrap().to_owned()
}

/// A container in which `/swap/x` is by turns a directory with `passwd` in it and a link to `to`.
fn swapping(kist: &Kist, to: &str) {
    let script = format!(
        "mkdir -p /swap/dir && echo own > /swap/dir/passwd && ln -s {to} /swap/link && cd /swap && mv dir x && echo ready && \
         while :; do mv x dir; mv link x; mv x link; mv dir x; done"
    );
    background(kist, "--network none --name box", &script);
    kist.wait_until("it swaps", |kist| kist.run(&["logs", "box"]).stdout == "ready\n");
}

#[test]
fn a_directory_swapped_for_a_link_never_shows_the_hosts_files() {
    let kist = busybox();
    let bait = bait(&kist);
    swapping(&kist, &bait);
    let (until, mut copied) = (Instant::now() + RACE, 0);
    while Instant::now() < until {
        for path in ["box:/swap/x/passwd", "box:/swap/x/.", "box:/swap", "box:/swap/x/secret"] {
            let output = kist.command(&["cp", path, "-"]).output().unwrap();
            assert!(!String::from_utf8_lossy(&output.stdout).contains("the host's"), "{path}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() || stderr.contains("Could not find") || stderr.contains("not a directory"),
                "{path}: {stderr}"
            );
            copied += u32::from(output.status.success());
        }
        let output = kist.command(&["export", "box"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("the host's"));
    }
    assert!(copied > 0, "{copied} copies");
}

#[test]
fn a_directory_swapped_for_a_link_never_leads_to_the_host() {
    let kist = busybox();
    let bait = bait(&kist);
    let before = below(fs::canonicalize(&bait).unwrap().as_path());
    swapping(&kist, &bait);
    let source = kist.scratch().write("source/passwd", "from outside");
    kist.scratch().write("source/deep/er/file", "from outside");
    let dir = source.parent().unwrap().to_str().unwrap().to_owned() + "/.";
    let (until, mut copied) = (Instant::now() + RACE, 0);
    while Instant::now() < until {
        for (from, to) in
            [(source.to_str().unwrap(), "box:/swap/x/passwd"), (&dir, "box:/swap/x"), (&dir, "box:/swap/x/new")]
        {
            let out = kist.run(&["cp", from, to]);
            copied += u32::from(out.code == 0);
        }
    }
    assert_eq!(below(fs::canonicalize(&bait).unwrap().as_path()), before);
    assert_eq!(fs::read_to_string(format!("{bait}/passwd")).unwrap(), "the host's");
    assert!(copied > 0, "{copied} copies");
}

#[test]
fn a_device_swapped_for_a_file_is_never_opened() {
    let kist = busybox();
    // Who opens a pipe for reading waits for a writer, and who reads /dev/zero comes to no end.
    let script = "mkdir /swap && cd /swap && echo own > file && mknod zero c 1 5 && mkfifo pipe && echo ready && \
                  while :; do mv file x; mv x file; mv zero x; mv x zero; mv pipe x; mv x pipe; done";
    background(&kist, "--network none --name box", script);
    kist.wait_until("it swaps", |kist| kist.ok(&["logs", "box"]) == "ready");
    let until = Instant::now() + RACE;
    while Instant::now() < until {
        let output = kist.command(&["cp", "box:/swap", "-"]).output().unwrap();
        assert!(output.stdout.len() < 64 << 10, "{} bytes", output.stdout.len());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        kist.run(&["cp", "box:/swap/x", "-"]);
    }
}

#[test]
fn files_that_shrink_grow_and_go_while_they_are_read_leave_a_whole_archive() {
    let kist = busybox();
    let script = "mkdir /busy && cd /busy && echo ready && while :; do dd if=/dev/zero of=a bs=64k count=20 2>/dev/null; : > a; \
                  for i in 1 2 3 4 5 6 7 8 9; do echo $i > f$i; done; rm f*; done";
    background(&kist, "--network none --name box", script);
    kist.wait_until("it is busy", |kist| kist.ok(&["logs", "box"]) == "ready");
    let until = Instant::now() + RACE;
    while Instant::now() < until {
        let out = kist.scratch().join("out");
        kist.ok(&["cp", "box:/busy/.", out.to_str().unwrap()]);
        fs::remove_dir_all(out).unwrap();
        kist.ok(&["commit", "--pause=false", "box", "busy"]);
    }
    kist.ok(&["rmi", "-f", "busy"]);
}

#[test]
fn an_archive_cannot_leave_its_destination() {
    let kist = busybox();
    idle(&kist, "--network none --name box");
    kist.ok(&["exec", "box", "mkdir", "/to"]);
    kist.ok(&["exec", "box", "ln", "-s", "/etc", "/to/link"]);
    let passwd = kist.ok(&["exec", "box", "cat", "/etc/passwd"]);
    let refused = |layer: Layer, why: &str| {
        let out = kist.run_with_input(&["cp", "-", "box:/to"], layer.tar());
        assert_eq!(out.code, 1, "{why}");
        assert!(out.stderr.contains(why), "{}", out.stderr);
    };
    refused(Layer::new().file("../../etc/passwd", 0o644, "x"), "it leads out of the destination");
    refused(Layer::new().file("a/../../etc/passwd", 0o644, "x"), "it leads out of the destination");
    refused(Layer::new().file("link/passwd", 0o644, "x"), "symbolic link");
    refused(Layer::new().symlink("l", "/etc").file("l/passwd", 0o644, "x"), "symbolic link");
    refused(Layer::new().hardlink("h", "../etc/passwd"), "it leads out of the destination");
    refused(Layer::new().hardlink("h", "/etc/passwd"), "hard link");
    refused(Layer::new().file(&"n".repeat(300), 0o644, "x"), "ile name too long");
    refused(Layer::new().file(&"d/".repeat(600), 0o644, "x"), "");
    let zero = Layer::new().entry("zero", "", &[], |header| {
        header.set_entry_type(EntryType::Char);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
    });
    refused(zero, "a device 0/0");
    refused(Layer::new().dir("link/", 0o755), "cannot overwrite non-directory \"/to/link\" with directory \"/to\"");
    // An absolute name is one below the destination, as with tar.
    let out = kist.run_with_input(&["cp", "-", "box:/to"], Layer::new().file("/etc/passwd", 0o644, "x").tar());
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(kist.ok(&["exec", "box", "cat", "/to/etc/passwd"]), "x");
    assert_eq!(kist.ok(&["exec", "box", "cat", "/etc/passwd"]), passwd);
    // Names that mean deletion in layers mean nothing here.
    let out = kist.run_with_input(&["cp", "-", "box:/"], Layer::new().file(".wh.etc", 0o644, "").tar());
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(kist.ok(&["exec", "box", "ls", "-d", "/etc", "/.wh.etc"]), "/.wh.etc\n/etc");
    // ... and such a file is no layer's.
    assert!(kist.fails(&["commit", "box"]).stderr.contains("in a layer such a name means a deleted file"));
}

#[test]
fn a_containers_links_do_not_move_the_places_of_its_mounts() {
    let kist = busybox();
    let bait = bait(&kist);
    let volume = kist.scratch().write("volume/file", "the volume's");
    let volume = volume.parent().unwrap().to_str().unwrap();
    kist.ok(&[
        "run",
        "--network",
        "none",
        "--name",
        "box",
        "busybox",
        "sh",
        "-c",
        &format!("ln -s {bait} /mnt; ln -s ../../../../../..{bait} /up"),
    ]);
    kist.ok(&["commit", "box", "wicked"]);
    kist.ok(&[
        "create",
        "--network",
        "none",
        "--name",
        "next",
        "-v",
        &format!("{volume}:/mnt/a"),
        "-v",
        &format!("{volume}:/up/b"),
        "wicked",
        "sh",
    ]);
    let before = below(fs::canonicalize(&bait).unwrap().as_path());
    assert_eq!(listing(&bytes(&kist, &["cp", "next:/mnt/a/file", "-"])), ["-rw-r--r-- 0/0 12 file"]);
    assert_eq!(listing(&bytes(&kist, &["cp", "next:/up/b/file", "-"])), ["-rw-r--r-- 0/0 12 file"]);
    assert_eq!(below(fs::canonicalize(&bait).unwrap().as_path()), before);
}

#[test]
fn a_container_that_was_copied_out_of_is_not_followed_on_the_host() {
    let kist = busybox();
    let bait = bait(&kist);
    idle(&kist, "--network none --name box");
    kist.ok(&["exec", "box", "sh", "-c", &format!("mkdir /d && ln -s {bait} /d/x")]);
    let out = kist.scratch().join("out");
    kist.ok(&["cp", "box:/d", out.to_str().unwrap()]);
    // The next time it is a directory, which shall not be merged into where the link leads.
    kist.ok(&["exec", "box", "sh", "-c", "rm /d/x && mkdir /d/x && echo own > /d/x/passwd"]);
    let said = kist.fails(&["cp", "box:/d/.", out.to_str().unwrap()]).stderr;
    assert!(said.starts_with("cannot overwrite non-directory"), "{said}");
    assert_eq!(fs::read_to_string(format!("{bait}/passwd")).unwrap(), "the host's");
    assert_eq!(fs::symlink_metadata(out.join("x")).unwrap().size(), bait.len() as u64);
}
