//! `cp`: between a container in any state and the host.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use expect_test::expect;
use testkit::Kist;

use super::{bytes, listing, tree};
use crate::{background, busybox, idle};

fn created(kist: &Kist, flags: &str) {
    kist.ok(&crate::shell(&["create", "--network", "none"], flags, "sleep 1000"));
}

#[test]
fn files_go_both_ways_in_every_state_of_a_container() {
    let kist = busybox();
    let from = tree(&kist);
    created(&kist, "--name box");
    let round = |state: &str| {
        kist.ok(&["cp", &format!("{from}/file"), &format!("box:/{state}")]);
        kist.ok(&["cp", &format!("{from}/dir"), &format!("box:/{state}.d")]);
        let back = kist.scratch().join(format!("back-{state}"));
        kist.ok(&["cp", &format!("box:/{state}"), back.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(&back).unwrap(), "hello\n", "{state}");
        let back = kist.scratch().join(format!("back-{state}.d"));
        kist.ok(&["cp", &format!("box:/{state}.d/."), back.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(back.join("sub/y")).unwrap(), "y\n", "{state}");
    };
    round("created");
    kist.ok(&["start", "box"]);
    round("running");
    kist.ok(&["pause", "box"]);
    round("paused");
    kist.ok(&["unpause", "box"]);
    kist.ok(&["kill", "box"]);
    kist.ok(&["wait", "box"]);
    round("exited");
    kist.ok(&["start", "box"]);
    let seen = kist.ok(&["exec", "box", "cat", "/created", "/running", "/paused", "/exited", "/exited.d/x"]);
    assert_eq!(seen, "hello\nhello\nhello\nhello\nx");
}

#[test]
fn a_container_that_waits_for_its_next_start_has_files() {
    let kist = busybox();
    background(&kist, "--network none --name box --restart always", "echo out >> /log; exit 1");
    kist.wait_until("it was restarted", |kist| {
        crate::inspect(kist, "box", "{{.RestartCount}} {{.State.Status}}").ends_with("restarting")
    });
    let archive = bytes(&kist, &["cp", "box:/log", "-"]);
    assert_eq!(listing(&archive).len(), 1);
    kist.ok(&["cp", &format!("{}/file", tree(&kist)), "box:/put"]);
    kist.ok(&["rm", "-f", "box"]);
}

#[test]
fn an_archive_goes_to_standard_output_and_comes_from_standard_input() {
    let kist = busybox();
    created(&kist, "--name box");
    kist.ok(&["cp", &tree(&kist), "box:/in"]);
    let archive = bytes(&kist, &["cp", "box:/in", "-"]);
    let expected = [
        "drwxr-xr-x 0/0 0 in/",
        "drwxr-xr-x 0/0 0 in/dir/",
        "drwxr-xr-x 0/0 0 in/dir/sub/",
        "-rw-r--r-- 0/0 2 in/dir/sub/y",
        "-rw-r--r-- 0/0 2 in/dir/x",
        "-rw-r--r-- 1234/1235 6 in/file",
        "lrwxrwxrwx 0/0 0 in/link-to-dir -> dir",
        "lrwxrwxrwx 0/0 0 in/link-to-file -> file",
    ];
    assert_eq!(listing(&archive), expected);
    let again = |archive: &[u8]| {
        let out = kist.run_with_input(&["cp", "-", "box:/tmp"], archive);
        assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("", "", 0));
        assert_eq!(listing(&bytes(&kist, &["cp", "box:/tmp/in", "-"])), expected);
    };
    again(&archive);
    let gzip = kist.scratch().write("archive", &archive);
    assert!(std::process::Command::new("gzip").arg(&gzip).status().unwrap().success());
    again(&fs::read(gzip.with_extension("gz")).unwrap());
    let out = kist.run_with_input(&["cp", "-", "box:/etc/passwd"], &archive);
    assert_eq!(out.scrubbed(), "[stderr]\ndestination \"box:/etc/passwd\" must be a directory\n[exit 1]\n");
    let out = kist.run_with_input(&["cp", "-", "box:/tmp"], &archive[..archive.len() / 2]);
    assert!(out.stderr.contains("cut short"), "{}", out.stderr);
}

#[test]
fn what_makes_no_sense_is_refused_in_dockers_words() {
    let kist = busybox();
    created(&kist, "--name box");
    let from = tree(&kist);
    for (source, destination, said) in [
        ("box:/a", "box:/b", "copying between containers is not supported"),
        ("a", "b", "must specify at least one container source"),
        ("", "box:/b", "source can not be empty"),
        ("box:/a", "", "destination can not be empty"),
        ("box:/nope", ".", "Error response from daemon: Could not find the file /nope in container box"),
        ("box:/etc/passwd/", ".", "Error response from daemon: lstat /etc/passwd/: not a directory"),
        ("box:", ".", "Error response from daemon: bad parameter: path cannot be empty"),
        ("nobox:/etc", ".", "Error response from daemon: No such container: nobox\n  `kist ps -a` lists what there is"),
        ("IN/nope", "nobox:/b", "lstat IN/nope: no such file or directory"),
        ("IN/file/", "box:/tmp", "not a directory"),
        ("IN/file", "box:/nodir/", "no such directory"),
        ("IN/file", "box:/nodir/x", "Error response from daemon: Could not find the file /nodir in container box"),
        ("IN/dir", "box:/etc/passwd", "cannot copy directory"),
        ("IN/file", "box:/etc/passwd/x", "Error response from daemon: extraction point is not a directory"),
        ("box:/etc/passwd", "IN/nodir/", "no such directory"),
        ("box:/etc/passwd", "IN/nodir/x", "invalid output path: directory \"IN/nodir\" does not exist"),
        ("box:/etc", "IN/file", "cannot copy directory"),
        (
            "box:/etc/passwd",
            "/dev/null",
            "invalid output path: \"/dev/null\" must be a directory or a regular file: got a device",
        ),
    ] {
        let out = kist.run(&["cp", &source.replace("IN", &from), &destination.replace("IN", &from)]);
        assert_eq!((out.stderr.replace(&from, "IN").trim_end(), out.code), (said, 1), "{source} {destination}");
    }
    expect![[r#"
        [stderr]
        kist: 'kist cp' requires 2 arguments

        Usage:  kist cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-
        	kist cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH

        See 'kist cp --help' for more information
        [exit 1]
    "#]]
    .assert_eq(&kist.run(&["container", "cp", "x"]).scrubbed());
}

#[test]
fn a_directory_and_a_file_do_not_give_way_to_each_other() {
    let kist = busybox();
    created(&kist, "--name box");
    let scratch = kist.scratch();
    scratch.write("a/name", "file");
    scratch.write("b/name/x", "in a directory");
    let path = |name: &str| scratch.join(name).to_str().unwrap().to_owned() + "/.";
    kist.ok(&["cp", &path("a"), "box:/tmp"]);
    let out = kist.fails(&["cp", &path("b"), "box:/tmp"]);
    assert_eq!(
        out.stderr,
        "Error response from daemon: cannot overwrite non-directory \"/tmp/name\" with directory \"/tmp\"\n"
    );
    kist.ok(&["cp", &path("b"), "box:/home"]);
    let out = kist.fails(&["cp", &path("a"), "box:/home"]);
    assert_eq!(
        out.stderr,
        "Error response from daemon: cannot overwrite directory \"/home/name\" with non-directory \"/home\"\n"
    );
    let out = kist.fails(&["cp", "box:/tmp/.", &path("b")]);
    let dir = scratch.join("b").display().to_string();
    assert_eq!(out.stderr, format!("cannot overwrite directory \"{dir}/name\" with non-directory \"{dir}\"\n"));
}

#[test]
fn links_are_copied_and_followed_where_asked() {
    let kist = busybox();
    created(&kist, "--name box");
    let from = tree(&kist);
    let there = |path: &str| listing(&bytes(&kist, &["cp", &format!("box:{path}"), "-"])).remove(0);
    for (flags, source, destination, what) in [
        ("", "link-to-file", "/tmp/a", "lrwxrwxrwx 0/0 0 a -> file"),
        ("-L", "link-to-file", "/tmp/b", "-rw-r--r-- 1234/1235 6 b"),
        ("", "link-to-dir", "/tmp/c", "lrwxrwxrwx 0/0 0 c -> dir"),
        ("", "link-to-dir/", "/tmp/d", "drwxr-xr-x 0/0 0 d/"),
        ("-L", "link-to-dir", "/tmp/e", "drwxr-xr-x 0/0 0 e/"),
    ] {
        let source = format!("{from}/{source}");
        let destination_in = format!("box:{destination}");
        let mut args = vec!["cp"];
        args.extend(flags.split_whitespace());
        args.extend([source.as_str(), destination_in.as_str()]);
        kist.ok(&args);
        assert_eq!(there(destination), what);
    }
    // A directory that is there gets it under the name that was typed.
    kist.ok(&["cp", "-L", &format!("{from}/link-to-file"), "box:/home"]);
    assert_eq!(there("/home/link-to-file"), "-rw-r--r-- 1234/1235 6 link-to-file");
    // Links of the container's, absolute ones too, lead where they lead in it.
    let out = kist.scratch().join("out");
    kist.ok(&["cp", &from, "box:/in"]);
    kist.ok(&["start", "box"]);
    kist.ok(&["exec", "box", "ln", "-s", "/in/file", "/absolute"]);
    kist.ok(&["exec", "box", "ln", "-s", "/in/dir", "/into"]);
    kist.ok(&["cp", "box:/absolute", out.to_str().unwrap()]);
    assert_eq!(fs::read_link(&out).unwrap().to_str(), Some("/in/file"));
    fs::remove_file(&out).unwrap();
    kist.ok(&["cp", "-L", "box:/absolute", out.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "hello\n");
    fs::create_dir(kist.scratch().join("outs")).unwrap();
    kist.ok(&["cp", "-L", "box:/absolute", kist.scratch().join("outs").to_str().unwrap()]);
    assert_eq!(fs::read_to_string(kist.scratch().join("outs/absolute")).unwrap(), "hello\n");
    kist.ok(&["cp", &format!("{from}/file"), "box:/into"]);
    assert_eq!(kist.ok(&["exec", "box", "cat", "/in/dir/file"]), "hello");
}

#[test]
fn owners_modes_times_and_attributes_go_along() {
    let kist = busybox();
    created(&kist, "--name box --user app");
    let file = kist.scratch().write("file", "x");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4751)).unwrap();
    std::os::unix::fs::chown(&file, Some(77), Some(78)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4751)).unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::setxattr(&file, "security.capability", &capability, rustix::fs::XattrFlags::empty()).unwrap();
    let path = file.to_str().unwrap();
    let shown = |name: &str| listing(&bytes(&kist, &["cp", &format!("box:{name}"), "-"])).remove(0);
    kist.ok(&["cp", path, "box:/plain"]);
    assert_eq!(shown("/plain"), "-rwsr-x--x 77/78 1 plain");
    // Docker gives what is copied with -a to the user that the container runs as.
    kist.ok(&["cp", "-a", path, "box:/archived"]);
    assert_eq!(shown("/archived"), "-rwsr-x--x 1000/1000 1 archived");
    let out = kist.scratch().join("out");
    kist.ok(&["cp", "box:/plain", out.to_str().unwrap()]);
    let mut value = [0; 32];
    assert_eq!(rustix::fs::getxattr(&out, "security.capability", &mut value), Ok(20));
    assert_eq!(value[..20], capability);
    let copied = fs::metadata(&out).unwrap();
    assert_eq!((copied.uid(), copied.gid(), copied.mode() & 0o7777), (0, 0, 0o4751));
    assert_eq!(copied.mtime(), fs::metadata(&file).unwrap().mtime());
    kist.ok(&["cp", "-a", "box:/plain", out.to_str().unwrap()]);
    let copied = fs::metadata(&out).unwrap();
    assert_eq!((copied.uid(), copied.gid()), (77, 78));
}

#[test]
fn special_files_hard_links_and_holes_are_copied_as_they_are() {
    let kist = busybox();
    idle(&kist, "--network none --name box");
    let long = "n".repeat(255);
    let script = format!(
        "mkdir /d && cd /d && mkfifo fifo && mknod null c 1 3 && mknod disk b 7 200 && echo x > a && ln a b && \
         dd if=/dev/zero of=holes bs=1 count=1 seek=1000000 2>/dev/null && ln -s /nowhere dangling && echo > {long}"
    );
    kist.ok(&["exec", "box", "sh", "-c", &script]);
    let out = kist.scratch().join("out");
    // A socket is in no archive: it is left out.
    let socket = kist.scratch().join("in/socket");
    fs::create_dir(kist.scratch().join("in")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    kist.ok(&["cp", socket.parent().unwrap().to_str().unwrap(), "box:/d/in"]);
    kist.ok(&["cp", "box:/d", out.to_str().unwrap()]);
    let of = |name: &str| fs::symlink_metadata(out.join(name)).unwrap();
    assert!(of("fifo").file_type().is_fifo());
    assert!(of("null").file_type().is_char_device() && of("null").rdev() == rustix::fs::makedev(1, 3));
    assert!(of("disk").file_type().is_block_device() && of("disk").rdev() == rustix::fs::makedev(7, 200));
    assert_eq!((of("a").ino(), of("a").nlink()), (of("b").ino(), 2));
    assert_eq!(of("holes").size(), 1_000_001);
    assert_eq!(fs::read_link(out.join("dangling")).unwrap().to_str(), Some("/nowhere"));
    assert!(of(&long).is_file());
    assert_eq!(fs::read_dir(out.join("in")).unwrap().count(), 0);
    // And back.
    kist.ok(&["cp", out.to_str().unwrap(), "box:/again"]);
    let shown = |dir: &str| {
        let lines = listing(&bytes(&kist, &["cp", &format!("box:/{dir}/."), "-"]));
        lines.join("\n")
    };
    assert_eq!(shown("d"), shown("again"));
}

#[test]
fn mounts_are_seen_and_what_is_read_only_is_refused() {
    let kist = busybox();
    let from = tree(&kist);
    let (rw, ro) = (kist.scratch().join("rw"), kist.scratch().join("ro"));
    for dir in [&rw, &ro] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("there"), "there\n").unwrap();
    }
    let flags = format!("--name box -v {}:/rw -v {}:/deep/ro:ro", rw.display(), ro.display());
    created(&kist, &flags);
    created(&kist, &format!("--name locked --read-only --tmpfs /run -v {}:/rw", rw.display()));
    let volume = "Error response from daemon: mounted volume is marked read-only\n";
    let rootfs = "Error response from daemon: container rootfs is marked read-only\n";
    for state in ["created", "running"] {
        let back = bytes(&kist, &["cp", "box:/deep/ro/there", "-"]);
        assert_eq!(listing(&back), ["-rw-r--r-- 0/0 6 there"], "{state}");
        kist.ok(&["cp", &format!("{from}/file"), &format!("box:/rw/{state}")]);
        assert_eq!(fs::read_to_string(rw.join(state)).unwrap(), "hello\n");
        assert_eq!(kist.fails(&["cp", &format!("{from}/file"), "box:/deep/ro"]).stderr, volume, "{state}");
        assert_eq!(kist.fails(&["cp", &format!("{from}/file"), "locked:/tmp"]).stderr, rootfs, "{state}");
        kist.ok(&["cp", &format!("{from}/file"), &format!("locked:/rw/locked-{state}")]);
        assert!(rw.join(format!("locked-{state}")).is_file());
        kist.ok(&["start", "box", "locked"]);
    }
    // What the kernel shows is no file of the container, as with Docker.
    let names = listing(&bytes(&kist, &["cp", "box:/proc", "-"]));
    assert_eq!(names, ["drwxr-xr-x 0/0 0 proc/"]);
    assert_eq!(kist.ok(&["exec", "box", "cat", "/etc/hostname"]).len(), 12);
    assert_eq!(listing(&bytes(&kist, &["cp", "box:/etc/hostname", "-"])), ["-rw-r--r-- 0/0 13 hostname"]);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(kist.scratch().path().to_str().unwrap()), "{mounts}");
}

#[test]
fn owners_are_those_that_the_containers_user_namespace_sees() {
    let kist = busybox();
    let from = tree(&kist);
    created(&kist, "--name box --userns private");
    for state in ["created", "running", "exited"] {
        kist.ok(&["cp", &from, &format!("box:/{state}")]);
        let seen = listing(&bytes(&kist, &["cp", &format!("box:/{state}/file"), "-"]));
        assert_eq!(seen, ["-rw-r--r-- 1234/1235 6 file"], "{state}");
        match state {
            "created" => drop(kist.ok(&["start", "box"])),
            "running" => {
                let shown =
                    kist.ok(&["exec", "box", "stat", "-c", "%u %g %n", "/created/file", "/running/file", "/running"]);
                assert_eq!(shown, "1234 1235 /created/file\n1234 1235 /running/file\n0 0 /running");
                kist.ok(&["kill", "box"]);
                kist.ok(&["wait", "box"]);
            }
            _exited => {}
        }
    }
    assert!(listing(&bytes(&kist, &["export", "box"])).contains(&"-rw-r--r-- 1234/1235 6 exited/file".to_owned()));
}

#[test]
fn a_person_is_told_what_was_copied_and_a_script_is_not() {
    let kist = busybox();
    created(&kist, "--name box");
    let from = tree(&kist);
    let file = format!("{from}/file");
    assert_eq!(kist.run(&["cp", &file, "box:/tmp"]).scrubbed(), "");
    let out = kist.run(&["cp", "-q=false", &file, "box:/tmp"]);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", "Successfully copied 2.05kB to box:/tmp\n"));
    let back = kist.scratch().join("back");
    let out = kist.run(&["cp", "--quiet=false", "box:/tmp/file", back.to_str().unwrap()]);
    assert_eq!(out.stderr, format!("Successfully copied 2.05kB to {}\n", back.display()));
    kist.scratch().write("empty", "");
    let out = kist.run(&["cp", "-q=false", kist.scratch().join("empty").to_str().unwrap(), "box:/tmp"]);
    assert_eq!(out.stderr, "Successfully copied 1.54kB to box:/tmp\n");
    let (shown, code) = kist.pty(&["cp", &file, "box:/tmp"]).finish();
    let expected = "Copying to container - 0B\r\u{1b}[2KSuccessfully copied 2.05kB to box:/tmp\r\n";
    assert_eq!((shown.as_str(), code), (expected, 0));
    assert_eq!(kist.pty(&["cp", "-q", &file, "box:/tmp"]).finish(), (String::new(), 0));
}

#[test]
fn a_start_waits_for_a_copy_and_not_the_other_way_round() {
    let kist = busybox();
    created(&kist, "--name box");
    let mut copying = kist.spawn(&["cp", "-", "box:/tmp"]);
    kist.wait_until("the copy holds the container's files", |kist| {
        fs::read_dir(kist.run_root()).unwrap().flatten().any(|entry| entry.path().is_dir())
    });
    let starting = kist.spawn(&["start", "box"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(crate::inspect(&kist, "box", "{{.State.Status}}"), "created");
    copying.close_stdin();
    assert_eq!(copying.wait().code, 0);
    assert_eq!(starting.wait().code, 0);
    assert_eq!(crate::inspect(&kist, "box", "{{.State.Status}}"), "running");
}
