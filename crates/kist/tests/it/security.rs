//! What a container may not do. The names of the classes are those of docs/security.md.

use std::fs;

use serde_json::json;
use testkit::{Kist, Layer};

use crate::{busybox, busybox_on_this_computer, field, idle, pid, sh, try_sh};

fn status(kist: &Kist, flags: &str) -> String {
    sh(kist, flags, "cat /proc/self/status")
}

fn caps(kist: &Kist, flags: &str, set: &str) -> String {
    field(&status(kist, flags), set)
}

#[test]
fn the_default_capabilities_are_dockers_fourteen() {
    let kist = busybox();
    let status = status(&kist, "");
    for (set, want) in [("CapEff", "00000000a80425fb"), ("CapPrm", "00000000a80425fb"), ("CapBnd", "00000000a80425fb")]
    {
        assert_eq!(field(&status, set), want, "{set}");
    }
    assert_eq!((field(&status, "CapInh"), field(&status, "CapAmb")), ("0".repeat(16), "0".repeat(16)));
}

#[test]
fn capabilities_are_added_and_dropped() {
    let kist = busybox();
    let eff = |flags: &str| caps(&kist, flags, "CapEff");
    assert_eq!(eff("--cap-drop ALL"), "0000000000000000");
    assert_eq!(eff("--cap-drop ALL --cap-add CHOWN"), "0000000000000001");
    assert_eq!(eff("--cap-drop all --cap-add cap_kill --cap-add net_raw"), "0000000000002020");
    assert_eq!(eff("--cap-add SYS_ADMIN --security-opt apparmor=unconfined"), "00000000a82425fb");
    assert_eq!(eff("--cap-drop CAP_CHOWN"), "00000000a80425fa");
    assert_eq!(eff("--cap-add ALL"), eff("--privileged"));
    let out = try_sh(&kist, "--cap-add NONSENSE", "true");
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("NONSENSE"), "{}", out.stderr);
}

#[test]
fn other_users_have_no_capabilities() {
    let kist = busybox();
    for flags in ["-u 1000", "-u app --cap-add SYS_ADMIN --security-opt apparmor=unconfined", "-u 1000 --privileged"] {
        let status = status(&kist, flags);
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(field(&status, set), "0".repeat(16), "{flags} {set}");
        }
    }
}

#[test]
fn supplementary_groups_are_the_images_and_never_the_hosts() {
    let kist = busybox();
    let groups = |flags: &str| field(&status(&kist, flags), "Groups");
    assert_eq!(groups("-u 4321:4321"), "4321");
    assert_eq!(groups("-u app"), "50 1000 2000");
    assert_eq!(groups("-u nobody"), "65534");
}

#[test]
fn huge_numeric_users_are_refused() {
    let kist = busybox();
    for user in ["4294967296", "2147483648", "-1", "99999999999999999999", "0:4294967295"] {
        let out = kist.run(&["run", "--rm", &format!("--user={user}"), "busybox", "id"]);
        assert_ne!(out.code, 0, "{user}: {}", out.stdout);
        assert!(!out.stdout.contains("uid=0"), "{user}");
    }
}

#[test]
fn the_default_filter_is_on_and_denies() {
    let kist = busybox();
    assert_eq!(field(&status(&kist, ""), "Seccomp"), "2");
    let out = try_sh(&kist, "", "unshare -r true");
    assert!(out.code != 0 && out.stderr.contains("Operation not permitted"), "{}", out.stderr);
    assert_ne!(try_sh(&kist, "--cap-add SYS_TIME", "true").code, 1);
    let out = try_sh(&kist, "--cap-add NONE_LIKE", "true");
    assert_ne!(out.code, 0);
}

#[test]
fn the_filter_follows_the_capabilities() {
    let kist = busybox();
    let mount = "mount -t tmpfs none /tmp && echo mounted";
    assert!(try_sh(&kist, "", mount).stderr.contains("ermission denied") || try_sh(&kist, "", mount).code != 0);
    assert_eq!(sh(&kist, "--cap-add SYS_ADMIN --security-opt apparmor=unconfined", mount), "mounted");
    assert_eq!(sh(&kist, "--cap-add SYS_ADMIN --security-opt apparmor=unconfined", "unshare -m true && echo ok"), "ok");
    assert_ne!(try_sh(&kist, "", "unshare -m true").code, 0);
}

#[test]
fn the_filter_can_be_switched_off() {
    let kist = busybox();
    assert_eq!(field(&status(&kist, "--security-opt seccomp=unconfined"), "Seccomp"), "0");
    assert_eq!(field(&status(&kist, "--privileged"), "Seccomp"), "0");
    assert_eq!(sh(&kist, "--security-opt seccomp=unconfined", "unshare -r true && echo ok"), "ok");
}

#[test]
fn a_profile_of_the_users_own_is_used() {
    let kist = busybox();
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13 },
            { "names": ["sethostname"], "action": "SCMP_ACT_ERRNO" },
        ],
    });
    let path = kist.scratch().write("profile.json", profile.to_string());
    let flags = format!("--security-opt seccomp={}", path.display());
    let out = sh(&kist, &flags, "mkdir /x 2>&1; unshare -r true && echo ok");
    assert_eq!(out, "mkdir: can't create directory '/x': Permission denied\nok");
    let broken = kist.scratch().write("broken.json", "{ not json");
    assert_eq!(try_sh(&kist, &format!("--security-opt seccomp={}", broken.display()), "true").code, 125);
    assert_ne!(try_sh(&kist, "--security-opt seccomp=/nowhere", "true").code, 0);
}

#[test]
fn no_new_privileges() {
    let kist = busybox();
    assert_eq!(field(&status(&kist, "--security-opt no-new-privileges"), "NoNewPrivs"), "1");
    assert_eq!(field(&status(&kist, ""), "NoNewPrivs"), "0");
}

#[test]
fn dangerous_paths_are_masked_or_read_only() {
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list; do [ -e $f ] && wc -c < $f; done | sort -u
        for d in /proc/acpi /proc/scsi /sys/firmware; do [ -d $d ] && ls $d; done
        for f in /proc/sys/kernel/hostname /sys/x; do { echo x > $f; } 2>&1; done
        grep -o -E ' /proc/(irq|bus|sys|fs) proc ro,' /proc/self/mounts";
    expect_test::expect![[r#"
        0
        sh: can't create /proc/sys/kernel/hostname: Read-only file system
        sh: can't create /sys/x: Read-only file system
         /proc/bus proc ro,
         /proc/fs proc ro,
         /proc/irq proc ro,
         /proc/sys proc ro,"#]]
    .assert_eq(&sh(&busybox(), "", script));
}

#[test]
fn privileged_opens_them() {
    let kist = busybox();
    assert_eq!(sh(&kist, "--privileged", "hostname mine && hostname; mount -t tmpfs none /tmp && echo ok"), "mine\nok");
    let masks =
        |flags: &str| sh(&kist, flags, "grep -c -E ' /proc/(kcore|keys|sys|irq) ' /proc/self/mountinfo || true");
    assert_eq!(masks("--privileged"), "0");
    assert_eq!(masks("--security-opt systempaths=unconfined"), "0");
    assert_ne!(masks(""), "0");
}

#[test]
fn devices_are_made_but_not_opened() {
    let kist = busybox();
    let disks = fs::read_dir("/sys/block").unwrap().flatten();
    let numbers = disks.filter_map(|disk| fs::read_to_string(disk.path().join("dev")).ok());
    let Some(number) = numbers.map(|text| text.trim().replace(':', " ")).next() else { testkit::skip!("no disk") };
    let out = try_sh(&kist, "", &format!("mknod /disk b {number} && echo made; head -c 1 /disk"));
    assert_eq!(out.stdout, "made\n");
    assert!(out.stderr.contains("Operation not permitted"), "{}", out.stderr);
    let out = try_sh(&kist, "", "mknod /dev/fuse c 10 229; cat < /dev/fuse");
    assert!(out.stderr.contains("Operation not permitted"), "{}", out.stderr);
}

#[test]
fn devices_are_given_with_the_access_asked_for() {
    let kist = busybox();
    let script = "head -c 0 /dev/mine && echo read; { echo x > /dev/mine; } 2>/dev/null && echo written; true";
    // Of another number than the nodes that everybody has.
    let others = ["/dev/loop-control", "/dev/fuse", "/dev/hwrng", "/dev/rtc0"];
    let Some(other) = others.into_iter().find(|node| std::fs::metadata(node).is_ok()) else {
        testkit::skip!("none of {others:?} is on this machine");
    };
    let flags = format!("--device {other}:/dev/mine:r");
    let try_both = "head -c 0 /dev/mine && echo read; { true > /dev/mine; } 2>/dev/null || echo refused";
    assert_eq!(sh(&kist, &flags, try_both), "read\nrefused");
    assert_eq!(sh(&kist, "--device /dev/null:/dev/mine", script), "read\nwritten");
    let out = try_sh(&kist, "--device /dev/nothing-like-it", "true");
    assert_ne!(out.code, 0);
    assert!(out.stderr.contains("/dev/nothing-like-it"), "{}", out.stderr);
}

#[test]
fn privileged_has_the_hosts_devices() {
    let host = fs::read_dir("/dev").unwrap().count();
    let inside: usize = sh(&busybox(), "--privileged", "ls /dev | wc -l").parse().unwrap();
    assert!(inside + 8 > host / 2, "{inside} of {host}");
}

#[test]
fn no_descriptor_leaks() {
    let kist = busybox();
    // ls has its directory open beside the three.
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "ls", "/proc/self/fd"]), "0\n1\n2\n3");
    kist.ok(&["run", "-d", "--name", "box", "busybox", "sleep", "1000"]);
    assert_eq!(kist.ok(&["exec", "box", "ls", "/proc/self/fd"]), "0\n1\n2\n3");
    assert_eq!(kist.ok(&["exec", "box", "ls", "/proc/1/fd"]), "0\n1\n2");
    kist.ok(&["run", "-d", "--init", "--name", "init", "busybox", "sleep", "1000"]);
    assert_eq!(kist.ok(&["exec", "init", "ls", "/proc/1/fd"]), "0\n1\n2");
}

#[test]
fn descriptors_of_the_user_do_not_leak_into_the_container() {
    let kist = busybox_on_this_computer();
    let secret = kist.scratch().write("secret", "s");
    let program = kist.command(&[]);
    let program = program.get_program().to_owned();
    let roots = [kist.root(), kist.run_root()].map(|path| path.display().to_string());
    let script = format!(
        "exec 7<{}; exec {} --root {} --run-root {} run --rm --network none busybox ls /proc/self/fd",
        secret.display(),
        program.display(),
        roots[0],
        roots[1]
    );
    let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "0\n1\n2\n3\n");
}

#[test]
fn the_monitors_program_cannot_be_written_to() {
    let kist = busybox();
    let id = idle(&kist, "");
    let status = fs::read_to_string(format!("/proc/{}/status", pid(&kist, &id))).unwrap();
    let monitor = field(&status, "PPid");
    assert!(fs::read_to_string(format!("/proc/{monitor}/cmdline")).unwrap().starts_with("kist-monitor"));
    let exe = format!("/proc/{monitor}/exe");
    assert!(fs::OpenOptions::new().write(true).open(&exe).is_err());
    // Busy keeps it safe while it runs; the mount does afterwards, for who holds it open.
    assert!(rustix::fs::statvfs(&exe).unwrap().f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
}

#[test]
fn the_containers_own_program_is_never_kist() {
    let kist = busybox();
    kist.load_image(&testkit::busybox().name("self").layer(Layer::new().symlink("bin/me", "/proc/self/exe")));
    idle(&kist, "--name box");
    for program in ["/proc/self/exe", "/bin/me", "/proc/1/exe", "/proc/self/fd/3"] {
        let out = kist.run(&["run", "--rm", "--entrypoint", program, "self", "--version"]);
        assert!(!out.stdout.to_lowercase().contains("kist"), "{program}: {}", out.stdout);
    }
    let out = kist.run(&["exec", "box", "/proc/self/exe", "--version"]);
    assert!(!out.stdout.to_lowercase().contains("kist"), "{}", out.stdout);
}

#[test]
fn a_working_directory_is_never_outside() {
    let kist = busybox();
    let secret = kist.scratch().write("secret", "s");
    let climb = format!("cat ../../../../../../../..{} 2>/dev/null", secret.display());
    idle(&kist, "--name box");
    for n in 0..24 {
        for dir in [
            format!("/proc/self/fd/{n}"),
            format!("/proc/self/fd/{n}/../.."),
            format!("/proc/1/fd/{n}"),
            format!("/proc/self/cwd/{n}"),
        ] {
            let out = kist.run(&["run", "--rm", "-w", &dir, "busybox", "sh", "-c", &climb]);
            assert_eq!(out.stdout, "", "{dir}");
            if n % 4 == 0 {
                let out = kist.run(&["exec", "-w", &dir, "box", "sh", "-c", &climb]);
                assert_eq!(out.stdout, "", "exec {dir}");
            }
        }
    }
}

#[test]
fn links_at_mount_targets_stay_inside() {
    let kist = busybox();
    let victim = kist.scratch().join("victim");
    fs::create_dir(&victim).unwrap();
    let out_of_here = format!("../../../../../../../../..{}", victim.display());
    let layer = Layer::new()
        .symlink("climb", &out_of_here)
        .symlink("absolute", victim.to_str().unwrap())
        .symlink("self", "/proc/self/root");
    kist.load_image(&testkit::busybox().name("links").layer(layer));
    let source = kist.scratch().write("dir/file", "x");
    let source = source.parent().unwrap().display();
    for target in ["/climb/a", "/absolute/a", "/climb", "/self/a"] {
        let out = kist.run(&[
            "run",
            "--rm",
            "-v",
            &format!("{source}:{target}"),
            "-w",
            &format!("{target}/w"),
            "links",
            "true",
        ]);
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{target}: {}", out.stderr);
    }
    assert!(!std::path::Path::new("/a").exists());
}

#[test]
fn proc_and_sys_are_mounted_on_real_directories_only() {
    let kist = busybox();
    for name in ["proc", "sys"] {
        let layer = Layer::new().whiteout(name).symlink(name, "tmp");
        let layers = testkit::busybox().name("bent").layer(Layer::new().whiteout(name)).layer(layer);
        kist.load_image(&layers);
        let out = kist.run(&["run", "--rm", "bent", "true"]);
        assert_ne!(out.code, 0, "{name}");
        assert!(out.stderr.contains("must be mounted on ordinary directory"), "{}", out.stderr);
    }
}

#[test]
fn dev_as_a_link_does_not_reach_the_host() {
    let kist = busybox();
    let before = fs::read_dir("/dev").unwrap().count();
    kist.load_image(
        &testkit::busybox()
            .name("bent")
            .layer(Layer::new().whiteout("dev"))
            .layer(Layer::new().symlink("dev", "/../../../dev")),
    );
    kist.run(&["run", "--rm", "bent", "ls", "/dev"]);
    assert_eq!(fs::read_dir("/dev").unwrap().count(), before);
}

#[test]
fn nothing_is_mounted_over_proc() {
    let kist = busybox();
    let dir = kist.scratch().write("dir/x", "");
    for target in ["/proc", "/proc/self", "/proc/sys/kernel"] {
        let out = try_sh(&kist, &format!("-v {}:{target}", dir.parent().unwrap().display()), "true");
        assert_ne!(out.code, 0, "{target}");
        assert!(
            out.stderr.contains("inside /proc") || out.stderr.contains("cannot be mounted"),
            "{target}: {}",
            out.stderr
        );
    }
}

#[test]
fn etc_files_that_are_links_do_not_write_through() {
    let kist = busybox();
    let victim = kist.scratch().write("victim", "untouched");
    let layer =
        Layer::new().symlink("etc/hosts", victim.to_str().unwrap()).symlink("etc/resolv.conf", "/proc/self/root/tmp/x");
    kist.load_image(&testkit::busybox().name("links").layer(layer));
    kist.run(&["run", "--rm", "links", "sh", "-c", "echo x >> /etc/hosts"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
}

#[test]
fn passwd_as_a_link_is_read_inside() {
    let kist = busybox();
    let layer = Layer::new().symlink("etc/passwd", "/../../../../etc/passwd");
    kist.load_image(&testkit::busybox().name("loop").layer(layer));
    assert_ne!(kist.run(&["run", "--rm", "-u", "app", "loop", "true"]).code, 0);
    let layer = Layer::new().whiteout("etc/passwd");
    kist.load_image(&testkit::busybox().name("fifo").layer(layer).layer(Layer::new().entry(
        "etc/passwd",
        "",
        &[],
        |header| header.set_entry_type(testkit::EntryType::Fifo),
    )));
    assert_ne!(kist.run(&["run", "--rm", "-u", "app", "fifo", "true"]).code, 0, "a pipe for a passwd does not hang");
}

#[test]
fn the_monitor_is_no_door_for_the_container() {
    let kist = busybox();
    let id = idle(&kist, "--pid host");
    let status = fs::read_to_string(format!("/proc/{}/status", pid(&kist, &id))).unwrap();
    let monitor = field(&status, "PPid");
    let out = kist.run(&["exec", &id, "sh", "-c", &format!("ls /proc/{monitor}/root/ && echo open")]);
    assert!(!out.stdout.contains("open"), "the monitor is not dumpable");
}

#[test]
fn the_hosts_keys_are_not_the_containers() {
    let out = sh(&busybox(), "", "cat /proc/keys | wc -l");
    assert_eq!(out, "0");
}

#[test]
fn files_of_the_store_and_the_run_root_are_for_root_only() {
    use std::os::unix::fs::MetadataExt as _;
    let kist = busybox();
    idle(&kist, "");
    for dir in ["containers", "drafts"] {
        let mode = fs::metadata(kist.root().join(dir)).unwrap().mode() & 0o077;
        assert_eq!(mode & 0o066, 0, "{dir} {mode:o}");
    }
}
