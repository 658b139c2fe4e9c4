//! The ways out that others had to close: each test is named for what it proves, with the flaw it stands for.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::process::ExitCode;

use expect_test::expect;
use runtime::Stdio;
use runtime::cgroup::{Cgroup, Layout, Placement};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::thread::UnshareFlags;
use spec::bundle::{CgroupDriver, CgroupPlacement};
use spec::id::ContainerId;
use sys::clone::{Side, clone};

use crate::host::{Host, bind, finish, pipes};

crate::tests![
    a_target_that_turns_into_a_symlink_stays_inside,
    a_target_behind_a_symlink_stays_inside,
    proc_and_sys_go_onto_ordinary_directories_only,
    masks_are_the_machines_null_whatever_dev_null_is,
    a_console_is_not_mounted_through_a_symlink,
    settings_are_written_to_the_kernel_and_not_to_the_image,
    our_executable_cannot_be_changed_from_inside,
    its_session_keyring_is_new,
    a_device_that_is_not_allowed_cannot_be_opened,
    an_image_with_odd_files_for_users_does_not_hang_us,
    nothing_is_left_of_a_container_that_failed,
];

/// CVE-2021-30465: a volume shared with a process that swaps the target's parent for a symlink to the host.
fn a_target_that_turns_into_a_symlink_stays_inside() {
    let host = Host::sh("true");
    let (volume, host_dir) = (host.root.join("outside"), host.root.join("upper-host"));
    fs::create_dir_all(volume.join("a")).unwrap();
    fs::create_dir_all(&host_dir).unwrap();
    symlink(&host_dir, volume.join("b")).unwrap();
    let mounted = host.root.write("mounted/file", "");
    let host = host.with(|bundle| {
        bundle.mounts.push(bind(&volume, "/vol"));
        bundle.mounts.push(bind(mounted.parent().unwrap(), "/vol/a/new/deep"));
    });
    let Side::Parent { pidfd, .. } = clone(UnshareFlags::empty(), None).unwrap() else {
        loop {
            let _ = renameat_with(CWD, volume.join("a"), CWD, volume.join("b"), RenameFlags::EXCHANGE);
        }
    };
    for _ in 0..100 {
        // Either way is right, as long as nothing appears outside.
        let _ = host.run();
    }
    pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
    waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
    assert_eq!(fs::read_dir(&host_dir).unwrap().count(), 0);
}

fn a_target_behind_a_symlink_stays_inside() {
    let host = Host::sh("ls /etc/new");
    let file = host.root.write("outside/file", "");
    let host = host.image(|image| symlink("../../../../../../../etc", image.join("link")).unwrap());
    let host = host.with(|bundle| bundle.mounts.push(bind(file.parent().unwrap(), "/link/new")));
    assert_eq!(host.output(), "file\n");
    assert!(fs::symlink_metadata("/etc/new").is_err());
}

/// CVE-2019-16884, CVE-2019-19921: a /proc that is a symlink, so that what is masked and labelled is another's.
fn proc_and_sys_go_onto_ordinary_directories_only() {
    for (name, expected) in [
        (
            "proc",
            expect![[r#"128 error during container init: filesystem "proc" must be mounted on ordinary directory"#]],
        ),
        (
            "sys",
            expect![[r#"128 error during container init: filesystem "sysfs" must be mounted on ordinary directory"#]],
        ),
    ] {
        let host = Host::new(&["true"]).image(|image| symlink("/etc", image.join(name)).unwrap());
        expected.assert_eq(&host.refused());
    }
}

/// CVE-2025-31133: /dev/null replaced by a symlink, and masks then show the wrong thing.
fn masks_are_the_machines_null_whatever_dev_null_is() {
    let host = Host::sh("stat -c '%F %t,%T' /proc/keys; readlink /dev/null");
    let dev = host.root.join("outside");
    symlink("/proc/sys/kernel/core_pattern", dev.join("null")).unwrap();
    let host = host.with(|bundle| {
        bundle.mounts.retain(|mount| !mount.target.starts_with("/dev"));
        bundle.mounts.push(bind(&dev, "/dev"));
    });
    expect![[r#"
        character special file 1,3
        /proc/sys/kernel/core_pattern
    "#]]
    .assert_eq(&host.output());
}

/// CVE-2025-52565: /dev/console a symlink, so that the terminal is mounted over a file of the attacker's choice.
fn a_console_is_not_mounted_through_a_symlink() {
    let host = Host::new(&["true"]).image(|image| {
        fs::create_dir_all(image.join("dev/pts")).unwrap();
        symlink("/etc/passwd", image.join("dev/console")).unwrap();
    });
    let host = host.with(|bundle| {
        bundle.process.terminal = true;
        bundle.mounts.retain(|mount| mount.target != std::path::Path::new("/dev"));
    });
    let error = host.launch(Stdio::Terminal { size: None }).unwrap_err();
    expect!["unable to start container process: error during container init: mounting /dev/console: too many levels of symbolic links"]
        .assert_eq(&error.to_string());
}

/// CVE-2025-52881: writes to /proc redirected to another file of it, or to one that is none.
fn settings_are_written_to_the_kernel_and_not_to_the_image() {
    let host = Host::sh("cat /proc/sys/net/ipv4/ip_forward").image(|image| {
        // What a mount of the image's could put in the way, were the container's own /proc used.
        fs::create_dir_all(image.join("proc/sys/net/ipv4")).unwrap();
        symlink("/etc/passwd", image.join("proc/sys/net/ipv4/ip_forward")).unwrap();
    });
    let host = host.with(|bundle| bundle.sysctls = [("net.ipv4.ip_forward".into(), "1".into())].into());
    assert_eq!(host.output(), "1\n");
    // Without a procfs at all nothing of the image is written either.
    let bare = host.with(|bundle| bundle.mounts.retain(|mount| mount.target != std::path::Path::new("/proc")));
    let bare = bare.with(|bundle| bundle.process.args = ["cat", "/etc/passwd"].map(Into::into).into());
    assert!(bare.output().starts_with("root:"));
}

/// CVE-2019-5736. Our executable is entered as /proc/self/exe, the way in of that flaw, and tried to be changed.
fn our_executable_cannot_be_changed_from_inside() {
    let exe = sys::exe::read_only().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let pid = sys::exec::spawn(
        exe.as_fd(),
        &[c"launch", c"monitor"],
        &[],
        &[(fs::File::open("/dev/null").unwrap().as_fd(), 0), (writer.as_fd(), 1), (writer.as_fd(), 2)],
    );
    drop(writer);
    let mut output = String::new();
    std::io::Read::read_to_string(&mut reader, &mut output).unwrap();
    rustix::process::waitpid(Some(pid.unwrap()), rustix::process::WaitOptions::empty()).unwrap();
    expect![[r#"
        126 error during container init: exec: "/proc/self/exe": permission denied
        chmod ROFS, open TXTBSY
    "#]]
    .assert_eq(&output);
}

/// The monitor of the test above: launched from the read-only mount. As a command /proc/self/exe is refused; as the interpreter of a
/// script it is the kernel that opens it.
pub(crate) fn monitor() -> ExitCode {
    println!("{}", Host::new(&["/proc/self/exe", "overwrite"]).refused());
    let host = Host::new(&["/script"]).image(|root| {
        fs::write(root.join("script"), "#!/proc/self/exe overwrite\n").unwrap();
        fs::set_permissions(root.join("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    });
    print!("{}", host.output());
    ExitCode::SUCCESS
}

/// What the container of the test above does.
pub(crate) fn overwrite() -> ExitCode {
    use rustix::fs::{AtFlags, Mode, OFlags, chmodat, open};
    let name = |errno: Errno| match errno {
        Errno::ROFS => "ROFS",
        Errno::TXTBSY => "TXTBSY",
        _ => "another error",
    };
    let chmod = chmodat(CWD, "/proc/self/exe", Mode::RWXU, AtFlags::empty()).map_or_else(name, |()| "succeeded");
    let open = open("/proc/self/exe", OFlags::RDWR, Mode::empty()).map_or_else(name, |_| "succeeded");
    println!("chmod {chmod}, open {open}");
    ExitCode::SUCCESS
}

fn its_session_keyring_is_new() {
    let sessions = |list: &str| {
        list.lines().filter(|line| line.contains(" _ses")).map(|line| line[..8].to_owned()).collect::<Vec<_>>()
    };
    let before = sessions(&fs::read_to_string("/proc/keys").unwrap());
    let inside = sessions(&Host::sh("cat /proc/keys").with(|bundle| bundle.masked_paths.clear()).output());
    assert_eq!(inside.iter().filter(|id| !before.contains(id)).count(), 1);
}

fn a_device_that_is_not_allowed_cannot_be_opened() {
    let script = "mknod /tmp/kmsg c 1 11; cat /tmp/kmsg; mknod /tmp/loop b 7 0; cat /tmp/loop; mknod /tmp/null c 1 3; echo x >/tmp/null && echo null; \
                  mknod /dev/shm/null c 1 3; echo x >/dev/shm/null; cut -d: -f3 /proc/self/cgroup | tr -d '\n'";
    let host = Host::sh(script).with(|bundle| bundle.resources.devices = spec::resources::DEFAULT_DEVICES.to_vec());
    let at = CgroupPlacement { parent: Some("/".into()), driver: CgroupDriver::Cgroupfs };
    let mut id = [0; 32];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).unwrap();
    let placement = Placement { id: &ContainerId::from_bytes(id), at: &at };
    let paths = placement.paths(&Layout::probe().unwrap()).unwrap();
    let (cgroup, _) = Cgroup::create(paths.clone(), &host.bundle.resources).unwrap();
    let output = host.run_in(Some(&cgroup));
    cgroup.remove().unwrap();
    expect![[r#"
        cat: can't open '/tmp/kmsg': Operation not permitted
        cat: can't open '/tmp/loop': Operation not permitted
        null
        sh: can't create /dev/shm/null: Permission denied
    "#]]
    // In each hierarchy the cgroup namespace begins at the container's group.
    .assert_eq(output.unwrap().output.trim_end_matches('/'));
}

fn an_image_with_odd_files_for_users_does_not_hang_us() {
    let host = Host::new(&["echo", "ok"]).image(|image| {
        fs::remove_file(image.join("etc/passwd")).unwrap();
        fs::remove_file(image.join("etc/group")).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(CWD, image.join("etc/passwd"), fifo, 0o644.into(), 0).unwrap();
        symlink("/dev/zero", image.join("etc/group")).unwrap();
    });
    assert_eq!(host.output(), "ok\n");
}

fn nothing_is_left_of_a_container_that_failed() {
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let host = Host::new(&["nope"]);
    host.refused();
    let before = descriptors();
    for _ in 0..5 {
        host.refused();
    }
    assert_eq!(descriptors(), before);
    // No child: neither running nor a zombie.
    assert_eq!(rustix::process::wait(rustix::process::WaitOptions::NOHANG).unwrap_err(), Errno::CHILD);
    // And an ordinary end leaves nothing but its exit code, which the caller takes.
    let (stdio, reader) = pipes();
    let launched = Host::new(&["true"]).launch(stdio).unwrap();
    assert_eq!(finish(&launched, reader).code, 0);
}
