//! What a container sees of files, and what it can change.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::{Signal, pidfd_send_signal};
use rustix::thread::UnshareFlags;
use spec::bundle::{Device, DeviceKind};
use spec::mount::{MountAttributes, Propagation};
use sys::clone::{Side, clone};

use crate::host::{Host, bind, filesystem, finish, pipes};

crate::tests![
    the_standard_mounts_are_dockers,
    dev_has_the_standard_nodes_and_those_asked_for,
    binds_are_writable_or_not_as_asked,
    a_readonly_bind_reaches_what_is_mounted_below,
    targets_are_made_also_behind_dangling_links,
    binds_that_cannot_be_are_refused_in_docker_words,
    the_root_can_be_readonly,
    readonly_paths_are_readonly,
    masked_paths_show_nothing,
    nothing_is_mounted_on_the_host,
    propagation_is_as_asked,
];

fn check(host: &Host, expected: Expect) {
    expected.assert_eq(&host.output());
}

fn the_standard_mounts_are_dockers() {
    let host = Host::sh(
        r"while read d t f o r; do case $t in /sys/fs/cgroup*|/proc/*) ;; *) echo $d $t $f $o;; esac; done </proc/mounts",
    );
    let root = host.root.path().display().to_string();
    let scrubbed: String =
        host.output().lines().map(|line| format!("{}\n", line.split(",lowerdir=").next().unwrap())).collect();
    assert!(!scrubbed.contains(&root));
    // A choice of the kernel's configuration (CONFIG_TMPFS_INODE64).
    let scrubbed = scrubbed.replace(",inode64", "");
    expect![[r#"
        none / overlay rw,relatime
        proc /proc proc rw,nosuid,nodev,noexec,relatime
        tmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755
        devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666
        sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime
        tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k
        mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime
        tmpfs /sys/firmware tmpfs ro,nosuid,nodev,noexec,relatime,size=4k,nr_inodes=1,mode=755
    "#]]
    .assert_eq(&scrubbed);
    check(
        &Host::sh(
            "mkdir /sys/fs/cgroup/x; for d in /sys/fs/cgroup/*/; do mkdir $d/x 2>/dev/null && echo $d; done; cut -d: -f3 /proc/self/cgroup | sort -u",
        ),
        expect![[r#"
            mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system
            /
        "#]],
    );
}

fn dev_has_the_standard_nodes_and_those_asked_for() {
    let fuse = Device {
        path: "/dev/sub/fuse".into(),
        kind: DeviceKind::Char,
        major: 10,
        minor: 229,
        mode: 0o640,
        uid: 1000,
        gid: 50,
    };
    let script = "ls /dev; cd /dev; stat -c '%n %F %t,%T %a %u:%g' null zero full random urandom tty sub/fuse; \
                  for l in fd stdin stdout stderr core ptmx; do readlink $l; done; echo x >null; head -c3 zero | wc -c; echo x >full";
    check(
        &Host::sh(script).with(|bundle| bundle.devices = vec![fuse]),
        expect![[r#"
        core
        fd
        full
        mqueue
        null
        ptmx
        pts
        random
        shm
        stderr
        stdin
        stdout
        sub
        tty
        urandom
        zero
        null character special file 1,3 666 0:0
        zero character special file 1,5 666 0:0
        full character special file 1,7 666 0:0
        random character special file 1,8 666 0:0
        urandom character special file 1,9 666 0:0
        tty character special file 5,0 666 0:0
        sub/fuse character special file a,e5 640 1000:50
        /proc/self/fd
        /proc/self/fd/0
        /proc/self/fd/1
        /proc/self/fd/2
        /proc/kcore
        pts/ptmx
        3
        sh: write error: No space left on device
    "#]],
    );
}

fn binds_are_writable_or_not_as_asked() {
    let host = Host::sh("cat /data/in /one; echo new >/data/out; echo no >/ro/x; echo no >/one; touch /ro/in");
    host.root.write("outside/in", "inside\n");
    let outside = host.root.join("outside");
    let host = host.with(|bundle| {
        let readonly = MountAttributes { readonly: true, ..MountAttributes::default() };
        bundle.mounts.push(bind(&outside, "/data"));
        bundle.mounts.push(spec::mount::Mount { attributes: readonly, ..bind(&outside, "/ro") });
        bundle.mounts.push(spec::mount::Mount { attributes: readonly, ..bind(outside.join("in"), "/one") });
    });
    check(
        &host,
        expect![[r#"
        inside
        inside
        sh: can't create /ro/x: Read-only file system
        sh: can't create /one: Read-only file system
        touch: /ro/in: Read-only file system
    "#]],
    );
    assert_eq!(fs::read_to_string(outside.join("out")).unwrap(), "new\n");
}

/// Runs `test` in a child with a mount namespace of its own, whose mounts nobody else sees.
fn apart(test: impl FnOnce()) {
    match clone(UnshareFlags::NEWNS, None).unwrap() {
        Side::Child => {
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).is_ok();
            sys::exec::exit(if passed { 0 } else { 1 })
        }
        Side::Parent { pidfd, .. } => {
            let status = rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            );
            assert_eq!(status.unwrap().unwrap().exit_status(), Some(0));
        }
    }
}

fn tmpfs_at(path: &std::path::Path) {
    fs::create_dir_all(path).unwrap();
    rustix::mount::mount("tmpfs", path, "tmpfs", rustix::mount::MountFlags::empty(), None::<&std::ffi::CStr>).unwrap();
}

fn a_readonly_bind_reaches_what_is_mounted_below() {
    apart(|| {
        let host = Host::sh("touch /a/below/x; touch /b/below/y && echo wrote");
        let outside = host.root.join("outside");
        tmpfs_at(&outside.join("below"));
        let host = host.with(|bundle| {
            let all = MountAttributes { readonly: true, readonly_below: true, ..MountAttributes::default() };
            let top = MountAttributes { readonly_below: false, ..all };
            bundle.mounts.push(spec::mount::Mount { attributes: all, ..bind(&outside, "/a") });
            bundle.mounts.push(spec::mount::Mount { attributes: top, ..bind(&outside, "/b") });
        });
        check(
            &host,
            expect![[r#"
            touch: /a/below/x: Read-only file system
            wrote
        "#]],
        );
        unmount(outside.join("below"), UnmountFlags::DETACH).unwrap();
    });
}

fn targets_are_made_also_behind_dangling_links() {
    let host = Host::sh("cat /etc/resolv.conf; readlink /etc/resolv.conf; ls -d /new/dir/in");
    host.root.write("outside/resolv.conf", "nameserver 192.0.2.1\n");
    let outside = host.root.join("outside");
    let host =
        host.image(|image| symlink("../run/systemd/resolve/stub-resolv.conf", image.join("etc/resolv.conf")).unwrap());
    let host = host.with(|bundle| {
        bundle.mounts.push(bind(outside.join("resolv.conf"), "/etc/resolv.conf"));
        bundle.mounts.push(bind(&outside, "/new/dir/in"));
    });
    check(
        &host,
        expect![[r#"
        nameserver 192.0.2.1
        ../run/systemd/resolve/stub-resolv.conf
        /new/dir/in
    "#]],
    );
}

fn binds_that_cannot_be_are_refused_in_docker_words() {
    let check = |source: &str, target: &str, expected: Expect| {
        let host = Host::new(&["true"]);
        host.root.write("outside/file", "");
        let source = host.root.join("outside").join(source);
        expected.assert_eq(&host.with(|bundle| bundle.mounts.push(bind(&source, target))).refused());
    };
    check(
        "none",
        "/x",
        expect![[r#"127 error mounting "ROOT/outside/none" to rootfs at "/x": no such file or directory"#]],
    );
    check(
        "file",
        "/tmp",
        expect![[
            r#"127 error during container init: error mounting "ROOT/outside/file" to rootfs at "/tmp": not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"#
        ]],
    );
    check(
        "",
        "/etc/passwd",
        expect![[
            r#"127 error during container init: error mounting "ROOT/outside/" to rootfs at "/etc/passwd": not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"#
        ]],
    );
    check(
        "",
        "/proc/sys",
        expect![[r#"128 error during container init: "/proc/sys" cannot be mounted because it is inside /proc"#]],
    );
    check(
        "file",
        "/proc/self/comm",
        expect![[r#"128 error during container init: "/proc/self/comm" cannot be mounted because it is inside /proc"#]],
    );
    let lxcfs = Host::sh("cat /proc/uptime");
    let file = lxcfs.root.write("outside/uptime", "1.00 2.00\n");
    assert_eq!(lxcfs.with(|bundle| bundle.mounts.push(bind(&file, "/proc/uptime"))).output(), "1.00 2.00\n");
}

fn the_root_can_be_readonly() {
    let host = Host::sh(
        "touch /x; touch /dev/shm/x && echo shm; touch /tmp/x && echo tmp; mount -o remount,rw / 2>&1 | head -1",
    );
    let host = host.with(|bundle| {
        bundle.readonly_rootfs = true;
        bundle.mounts.push(filesystem("/tmp", "tmpfs", &[("size", "1m")], MountAttributes::default()));
    });
    check(
        &host,
        expect![[r#"
        touch: /x: Read-only file system
        shm
        tmp
        mount: permission denied (are you root?)
    "#]],
    );
}

fn readonly_paths_are_readonly() {
    // As root with every capability: only the mount stands in the way.
    let host =
        Host::sh("echo 1 >/proc/sys/kernel/panic; echo x >/proc/sys/kernel/hostname; echo 0 >/sys/kernel/profiling");
    let host = host.with(|bundle| bundle.process.capabilities = spec::capability::CapabilitySet::ALL);
    check(
        &host,
        expect![[r#"
        sh: can't create /proc/sys/kernel/panic: Read-only file system
        sh: can't create /proc/sys/kernel/hostname: Read-only file system
        sh: can't create /sys/kernel/profiling: Read-only file system
    "#]],
    );
}

fn masked_paths_show_nothing() {
    let script = "cat /proc/keys /proc/version | wc -c; ls -a /sys/firmware; touch /sys/firmware/x; \
                  stat -c '%t,%T' /proc/keys; chmod 0 /proc/keys; echo x >/proc/keys && echo swallowed; ls /proc/none";
    check(
        &Host::sh(script).with(|bundle| bundle.masked_paths.push("/proc/version".into())),
        expect![[r#"
        0
        .
        ..
        touch: /sys/firmware/x: Read-only file system
        1,3
        chmod: /proc/keys: Read-only file system
        swallowed
        ls: /proc/none: No such file or directory
    "#]],
    );
    let linked = Host::new(&["true"]).image(|image| symlink("passwd", image.join("etc/link")).unwrap());
    let linked = linked.with(|bundle| bundle.masked_paths.push("/etc/link".into()));
    expect!["128 error during container init: open /etc/link: too many levels of symbolic links"]
        .assert_eq(&linked.refused());
}

fn nothing_is_mounted_on_the_host() {
    let mine = |host: &Host| {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.lines().filter(|line| line.contains(host.root.path().to_str().unwrap())).count()
    };
    let host = Host::new(&["sleep", "100"]);
    let outside = host.root.join("outside");
    let host = host.with(|bundle| bundle.mounts.push(bind(&outside, "/data")));
    let (stdio, reader) = pipes();
    let launched = host.launch(stdio).unwrap();
    assert_eq!(mine(&host), 0);
    pidfd_send_signal(&launched.pidfd, Signal::KILL).unwrap();
    finish(&launched, reader);
    assert_eq!(mine(&host), 0);
    assert_eq!(fs::read_dir(host.root.join("staging")).unwrap().count(), 0);
}

fn propagation_is_as_asked() {
    // What the container sees of a mount that the host makes later.
    let seen = |propagation: Propagation| {
        let host = Host::new(&["sleep", "100"]);
        let outside = host.root.join("outside");
        tmpfs_at(&outside);
        mount_change(&outside, MountPropagationFlags::SHARED).unwrap();
        let host = host.with(|bundle| {
            bundle.mounts.push(spec::mount::Mount { propagation: Some(propagation), ..bind(&outside, "/data") });
        });
        let (stdio, reader) = pipes();
        let launched = host.launch(stdio).unwrap();
        tmpfs_at(&outside.join("late"));
        fs::File::create(outside.join("late/file")).unwrap();
        let pid = launched.pid.as_raw_nonzero();
        let seen = fs::read_dir(format!("/proc/{pid}/root/data/late")).unwrap().count();
        let kind = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let kind = kind.lines().find(|line| line.contains(" /data ")).unwrap();
        let kind = [("shared:", "shared"), ("master:", "slave")]
            .iter()
            .filter(|(word, _)| kind.contains(word))
            .map(|(_, kind)| *kind);
        let text = format!("{seen} {}", kind.collect::<Vec<_>>().join(","));
        pidfd_send_signal(&launched.pidfd, Signal::KILL).unwrap();
        finish(&launched, reader);
        unmount(outside.join("late"), UnmountFlags::DETACH).unwrap();
        unmount(&outside, UnmountFlags::DETACH).unwrap();
        text
    };
    apart(move || {
        expect!["0 "].assert_eq(&seen(Propagation::Rprivate));
        expect!["1 slave"].assert_eq(&seen(Propagation::Rslave));
        expect!["1 shared"].assert_eq(&seen(Propagation::Rshared));
    });
}
