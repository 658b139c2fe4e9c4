//! What a container's process is and may.

use std::io::{Read, Write};
use std::os::fd::AsFd;

use expect_test::{Expect, expect};
use runtime::{Joined, Stdio};
use rustix::process::{Signal, pidfd_send_signal};
use rustix::termios::Winsize;
use spec::bundle::{IdMap, IdMaps, Namespace, Process, Rlimit, Seccomp, TimeOffsets};
use spec::capability::CapabilitySet;

use crate::host::{Host, finish, pipes, wait};

crate::tests![
    a_command_runs_and_its_exit_code_comes_back,
    commands_that_cannot_run_are_refused_in_docker_words,
    what_cannot_be_executed_is_refused_in_docker_words,
    root_has_dockers_capabilities_and_none_to_inherit,
    another_user_has_no_capabilities,
    groups_are_the_images_and_those_added,
    impossible_users_are_refused,
    the_filter_is_installed_with_and_without_new_privileges,
    signals_are_as_after_boot,
    no_descriptor_comes_along,
    the_working_directory_is_made_or_refused,
    limits_are_set_or_cut_with_a_warning,
    settings_of_own_namespaces_are_set,
    a_terminal_is_the_containers_own,
    tiny_init_reaps_and_passes_signals_on,
    another_process_joins,
    another_process_that_cannot_run_is_refused,
    another_process_has_a_terminal,
    a_user_namespace_has_its_own_root,
    another_process_joins_a_user_namespace,
    a_time_namespace_has_its_offsets,
    the_container_dies_with_its_monitor,
    the_launcher_stays_where_it_was,
    a_container_joins_the_namespaces_of_another,
    a_namespace_that_was_not_opened_is_not_replaced_by_the_hosts,
];

fn check(host: &Host, expected: Expect) {
    expected.assert_eq(&host.output());
}

fn a_command_runs_and_its_exit_code_comes_back() {
    let done = Host::sh("echo hello $$ $(hostname) $HOME $(umask); exit 7").run().unwrap();
    assert_eq!((done.output.as_str(), done.code), ("hello 1 boxed /root 0022\n", 7));
    assert_eq!(Host::sh("kill -9 $$; kill -15 $$; echo alive").run().unwrap().output, "alive\n");
}

fn commands_that_cannot_run_are_refused_in_docker_words() {
    let check = |args: &[&str], expected: Expect| expected.assert_eq(&Host::new(args).refused());
    check(&["nope"], expect![[r#"127 error during container init: exec: "nope": executable file not found in $PATH"#]]);
    check(
        &["/nope"],
        expect![[r#"127 error during container init: exec: "/nope": stat /nope: no such file or directory"#]],
    );
    check(&["/etc"], expect![[r#"126 error during container init: exec: "/etc": is a directory"#]]);
    check(&["/etc/passwd"], expect![[r#"126 error during container init: exec: "/etc/passwd": permission denied"#]]);
    check(&[""], expect![[r#"127 error during container init: exec: "": executable file not found in $PATH"#]]);
}

fn what_cannot_be_executed_is_refused_in_docker_words() {
    use std::os::unix::fs::PermissionsExt;
    let script = |text: &'static str| {
        Host::new(&["/run.sh"]).image(move |image| {
            std::fs::write(image.join("run.sh"), text).unwrap();
            std::fs::set_permissions(image.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        })
    };
    check(
        &script("#!/bin/sh\necho script $0\n"),
        expect![[r#"
        script /run.sh
    "#]],
    );
    expect!["126 error during container init: exec /run.sh: exec format error"].assert_eq(&script("echo\n").refused());
    expect!["127 error during container init: exec /run.sh: no such file or directory"]
        .assert_eq(&script("#!/nope\n").refused());
}

fn root_has_dockers_capabilities_and_none_to_inherit() {
    check(
        &Host::sh("grep Cap /proc/self/status"),
        expect![[r#"
        CapInh:	0000000000000000
        CapPrm:	00000000a80425fb
        CapEff:	00000000a80425fb
        CapBnd:	00000000a80425fb
        CapAmb:	0000000000000000
    "#]],
    );
    let privileged =
        Host::sh("grep CapInh /proc/self/status").with(|bundle| bundle.process.capabilities = CapabilitySet::ALL);
    check(
        &privileged,
        expect![[r#"
        CapInh:	0000000000000000
    "#]],
    );
}

fn another_user_has_no_capabilities() {
    let host = Host::sh("grep Cap /proc/self/status; id; echo $HOME; touch /etc/x")
        .with(|bundle| bundle.process.user = "app".into());
    check(
        &host,
        expect![[r#"
        CapInh:	0000000000000000
        CapPrm:	0000000000000000
        CapEff:	0000000000000000
        CapBnd:	00000000a80425fb
        CapAmb:	0000000000000000
        uid=1000(app) gid=1000(app) groups=50(staff),1000(app),2000(extra)
        /home/app
        touch: /etc/x: Permission denied
    "#]],
    );
    let writes = Host::sh("echo to stdout >/dev/stdout; echo to stderr >/dev/stderr")
        .with(|bundle| bundle.process.user = "1000".into());
    check(
        &writes,
        expect![[r#"
        to stdout
        to stderr
    "#]],
    );
}

fn groups_are_the_images_and_those_added() {
    let host = |user: &str, add: &[&str]| {
        Host::sh("grep Groups /proc/self/status").with(|bundle| {
            bundle.process.user = user.into();
            bundle.process.group_add = add.iter().map(ToString::to_string).collect();
        })
    };
    check(
        &host("", &[]),
        expect![[r#"
        Groups:	0 
    "#]],
    );
    check(
        &host("app:app", &["staff", "77"]),
        expect![[r#"
        Groups:	50 77 1000 
    "#]],
    );
    check(
        &host("12:34", &[]),
        expect![[r#"
        Groups:	34 
    "#]],
    );
}

fn impossible_users_are_refused() {
    let check = |user: &str, expected: Expect| {
        expected.assert_eq(&Host::sh("true").with(|bundle| bundle.process.user = user.into()).refused())
    };
    check("ghost", expect!["128 unable to find user ghost: no matching entries in passwd file"]);
    check("root:ghosts", expect!["128 unable to find group ghosts: no matching entries in group file"]);
    check("4294967295", expect!["128 uids and gids must be in range 0-2147483647"]);
    check("4294967296", expect!["128 uids and gids must be in range 0-2147483647"]);
}

fn the_filter_is_installed_with_and_without_new_privileges() {
    let script =
        "grep -E 'NoNewPrivs|^Seccomp:' /proc/self/status | tr '\\n' ' '; mount -t tmpfs x /tmp 2>&1 | cut -d: -f2";
    check(
        &Host::sh(script),
        expect![[r#"
        NoNewPrivs:	0 Seccomp:	2  permission denied (are you root?)
    "#]],
    );
    check(
        &Host::sh(script).with(|bundle| bundle.process.no_new_privileges = true),
        expect![[r#"
        NoNewPrivs:	1 Seccomp:	2  permission denied (are you root?)
    "#]],
    );
    check(
        &Host::sh("grep ^Seccomp: /proc/self/status").with(|bundle| bundle.seccomp = Seccomp::Unconfined),
        expect![[r#"
        Seccomp:	0
    "#]],
    );
}

fn signals_are_as_after_boot() {
    check(
        &Host::new(&["grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"]),
        expect![[r#"
        SigBlk:	0000000000000000
        SigIgn:	0000000000000000
        SigCgt:	0000000000000000
    "#]],
    );
}

fn no_descriptor_comes_along() {
    // A descriptor of the launcher that nothing marked close-on-exec.
    let leaky = rustix::io::dup(std::fs::File::open("/").unwrap()).unwrap();
    // The fourth is that of the directory being listed.
    check(
        &Host::new(&["ls", "/proc/self/fd"]),
        expect![[r#"
        0
        1
        2
        3
    "#]],
    );
    let init = Host::sh("ls /proc/1/fd").with(|bundle| bundle.init = true);
    check(
        &init,
        expect![[r#"
        0
        1
        2
    "#]],
    );
    drop(leaky);
}

fn the_working_directory_is_made_or_refused() {
    let host = |cwd: &str| Host::sh("pwd; readlink /proc/self/cwd").with(|bundle| bundle.process.cwd = cwd.into());
    check(
        &host("/srv/new/dir"),
        expect![[r#"
        /srv/new/dir
        /srv/new/dir
    "#]],
    );
    // CVE-2024-21626: a descriptor of the host's for a working directory. Below the new root there is no such thing.
    for fd in 0..16 {
        let refused = Host::sh("pwd").with(|bundle| bundle.process.cwd = format!("/proc/self/fd/{fd}").into()).run();
        assert!(refused.is_err(), "{refused:?}");
    }
    expect![[
        r#"126 error during container init: chdir to cwd ("/etc/passwd") set in config.json failed: not a directory"#
    ]]
    .assert_eq(&host("/etc/passwd").refused());
    let readonly = host("/srv/new").with(|bundle| bundle.readonly_rootfs = true);
    expect!["128 error during container init: create mountpoint for /srv/new mount: read-only file system"]
        .assert_eq(&readonly.refused());
}

fn limits_are_set_or_cut_with_a_warning() {
    let limited = |soft: u64, hard: u64| {
        let host = Host::sh("ulimit -n; ulimit -Hn").with(|bundle| {
            bundle.process.rlimits = vec![Rlimit { name: "nofile".into(), soft, hard }];
        });
        let (stdio, reader) = pipes();
        let launched = host.launch(stdio).unwrap();
        (finish(&launched, reader).output, launched.warnings)
    };
    assert_eq!(limited(64, 128), ("64\n128\n".into(), vec![]));
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap();
    let resource = 1 << rustix::thread::CapabilitySet::SYS_RESOURCE.bits().trailing_zeros();
    if rustix::thread::capabilities(None).unwrap().effective.bits() & resource != 0 {
        testkit::record_skip("launch", "with CAP_SYS_RESOURCE no limit is cut");
        return;
    }
    let (output, warnings) = limited(64, hard + 1);
    assert_eq!(output, format!("64\n{hard}\n"));
    assert_eq!(warnings, [format!("ulimit nofile is cut to our own limit, {hard}: more needs CAP_SYS_RESOURCE")]);
}

fn settings_of_own_namespaces_are_set() {
    let host = |name: &str| {
        Host::sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; ip addr show lo | grep -o LOOPBACK,UP")
            .with(|bundle| {
                bundle.sysctls = [("net.ipv4.ip_forward".into(), "1".into()), (name.into(), "4242".into())].into();
            })
    };
    check(
        &host("kernel.msgmax"),
        expect![[r#"
        1
        4242
        LOOPBACK,UP
    "#]],
    );
    expect![[r#"128 sysctl "kernel.panic" is not in a separate kernel namespace"#]]
        .assert_eq(&host("kernel.panic").refused());
}

fn on_terminal(host: &Host) -> (String, i32) {
    let size = Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    let launched = host.launch(Stdio::Terminal { size: Some(size) }).unwrap();
    let code = wait(&launched);
    (read_terminal(launched.terminal.unwrap()), code)
}

fn read_terminal(master: std::os::fd::OwnedFd) -> String {
    let mut bytes = Vec::new();
    // The end of a terminal is EIO.
    let _ = std::fs::File::from(master).read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

fn a_terminal_is_the_containers_own() {
    let script = "tty; stty size; stat -c '%F %t %T %U:%G' /dev/console /dev/pts/0; echo console >/dev/console; \
                  readlink /dev/ptmx; ps -o pid,tty | grep -c pts/0 >/dev/null; echo $$ $(cut -d' ' -f6-8 /proc/self/stat)";
    let host = Host::sh(script).with(|bundle| bundle.process.terminal = true);
    let (output, code) = on_terminal(&host);
    expect![[r#"
        /dev/pts/0
        33 77
        character special file 88 0 root:UNKNOWN
        character special file 88 0 root:UNKNOWN
        console
        pts/ptmx
        1 1 34816 1
    "#]]
    .assert_eq(&output);
    assert_eq!(code, 0);
}

fn tiny_init_reaps_and_passes_signals_on() {
    // An orphan that ends after its parent; the command is not process 1 and ends with 7.
    let host = Host::sh("(sleep 0.05 &) ; sleep 0.2; ps -o stat,comm | grep -c Z; echo $$ $PPID; exit 7")
        .with(|bundle| bundle.init = true);
    let done = host.run().unwrap();
    assert_eq!((done.output.as_str(), done.code), ("0\n2 1\n", 7));

    let host = Host::sh("trap 'echo got it; exit 9' TERM; echo ready; while true; do sleep 0.05; done")
        .with(|bundle| bundle.init = true);
    let (stdio, mut reader) = pipes();
    let launched = host.launch(stdio).unwrap();
    let mut ready = [0; 6];
    reader.read_exact(&mut ready).unwrap();
    pidfd_send_signal(&launched.pidfd, Signal::TERM).unwrap();
    let done = finish(&launched, reader);
    assert_eq!((done.output.as_str(), done.code), ("got it\n", 9));

    assert_eq!(Host::sh("kill -9 $$").with(|bundle| bundle.init = true).run().unwrap().code, 137);
    let refused = Host::new(&["nope"]).with(|bundle| bundle.init = true);
    expect![[r#"127 error during container init: exec: "nope": executable file not found in $PATH"#]]
        .assert_eq(&refused.refused());
}

fn another_process_joins() {
    let host = Host::new(&["sleep", "100"]);
    let done = host
        .exec(
            "hostname; cat /proc/1/comm; pwd; grep CapEff /proc/self/status; ls /proc/self/fd | tr '\\n' ' '; exit 3",
            |_| {},
        )
        .unwrap();
    expect![[r#"
        boxed
        sleep
        /
        CapEff:	00000000a80425fb
        0 1 2 3 "#]]
    .assert_eq(&done.output);
    assert_eq!(done.code, 3);
    let done = host.exec("id -u; pwd; echo $HOME", |process| {
        process.user = "app".into();
        process.cwd = "/tmp".into();
    });
    assert_eq!(done.unwrap().output, "1000\n/tmp\n/home/app\n");
    let names = host.exec("for n in /proc/self/ns/*; do readlink $n; done | cut -d: -f1 | tr '\\n' ' '; for n in pid net ipc uts mnt cgroup; do \
        [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo differs $n; done", |_| {});
    expect!["cgroup ipc mnt net pid pid time time user uts "].assert_eq(&names.unwrap().output);
}

fn another_process_that_cannot_run_is_refused() {
    let check = |change: fn(&mut Process), expected: Expect| {
        let error = Host::new(&["sleep", "100"]).exec("true", change).unwrap_err();
        expected.assert_eq(&format!("{} {error}", error.exit_code()));
    };
    check(
        |process| process.args = vec!["nope".into()],
        expect![[r#"127 unable to start container process: exec: "nope": executable file not found in $PATH"#]],
    );
    check(
        |process| process.cwd = "/nope".into(),
        expect![[
            r#"127 unable to start container process: chdir to cwd ("/nope") set in config.json failed: no such file or directory"#
        ]],
    );
    check(
        |process| process.user = "ghost".into(),
        expect!["128 unable to find user ghost: no matching entries in passwd file"],
    );
}

fn another_process_has_a_terminal() {
    let host = Host::new(&["sleep", "100"]);
    let (stdio, reader) = pipes();
    let first = host.launch(stdio).unwrap();
    let process = Process {
        args: ["sh", "-c", "tty; stty size"].map(Into::into).into(),
        terminal: true,
        ..host.bundle.process.clone()
    };
    let request = runtime::Exec {
        process: &process,
        target: first.pidfd.as_fd(),
        namespaces: &host.bundle.namespaces,
        seccomp: &host.bundle.seccomp,
        stdio: Stdio::Terminal { size: Some(Winsize { ws_row: 12, ws_col: 34, ws_xpixel: 0, ws_ypixel: 0 }) },
        cgroup: None,
    };
    let second = runtime::exec(request).unwrap();
    wait(&second);
    assert_eq!(read_terminal(second.terminal.unwrap()), "/dev/pts/0\n12 34\n");
    pidfd_send_signal(&first.pidfd, Signal::KILL).unwrap();
    finish(&first, reader);
}

fn in_user_namespace(script: &str) -> Host {
    let host = Host::sh(script).with(|bundle| {
        bundle.namespaces.user = Namespace::Private;
        let map = |host| vec![IdMap { container: 0, host, size: 65536 }];
        bundle.namespaces.id_maps = Some(IdMaps { uids: map(200_000), gids: map(300_000) });
    });
    // The files stay the host's root's, as there is no id-mapped layer here: only what all may read is used.
    rustix::fs::chown(
        host.root.join("upper").as_path(),
        Some(rustix::fs::Uid::from_raw(200_000)),
        Some(rustix::fs::Gid::from_raw(300_000)),
    )
    .unwrap();
    host
}

fn a_user_namespace_has_its_own_root() {
    let host = in_user_namespace(
        "id -u; id -g; head -c1 /dev/zero | wc -c; echo x >/dev/null; cat /proc/self/uid_map | tr -s ' '; \
         mknod /tmp/x c 1 3; hostname; grep CapEff /proc/self/status; touch /dev/mine; stat -c %u /dev/mine /proc/self/ /dev/pts; \
         ls /sys/fs/cgroup | grep -qE 'cpu|cgroup.procs' && echo groups",
    );
    check(
        &host,
        expect![[r#"
        0
        0
        1
         0 200000 65536
        mknod: /tmp/x: Operation not permitted
        boxed
        CapEff:	00000000a80425fb
        0
        0
        0
        groups
    "#]],
    );
}

fn another_process_joins_a_user_namespace() {
    let host = in_user_namespace("").with(|bundle| bundle.process.args = ["sleep", "100"].map(Into::into).into());
    assert_eq!(host.exec("id -u; cat /proc/self/uid_map | tr -s ' '", |_| {}).unwrap().output, "0\n 0 200000 65536\n");
}

fn a_time_namespace_has_its_offsets() {
    let host = Host::sh("cut -d. -f1 /proc/uptime").with(|bundle| {
        bundle.namespaces.time = Some(TimeOffsets { monotonic_s: 0, boottime_s: 1_000_000_000 });
    });
    assert!(host.output().trim().parse::<u64>().unwrap() > 1_000_000_000);
}

fn the_container_dies_with_its_monitor() {
    use sys::clone::{Side, clone};
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let host = Host::new(&["sleep", "100"]);
    match clone(rustix::thread::UnshareFlags::empty(), None).unwrap() {
        Side::Child => {
            let (stdio, _reader) = pipes();
            let launched = host.launch(stdio).unwrap();
            writer.write_all(&launched.pid.as_raw_nonzero().get().to_ne_bytes()).unwrap();
            sys::exec::exit(0)
        }
        Side::Parent { pidfd, .. } => {
            let mut pid = [0; 4];
            reader.read_exact(&mut pid).unwrap();
            let stat = format!("/proc/{}/stat", i32::from_ne_bytes(pid));
            rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            )
            .unwrap();
            // Gone, or a zombie that waits for whoever inherits it.
            let gone =
                || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "));
            for _ in 0..200 {
                if gone() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            panic!("the container outlived its monitor");
        }
    }
}

fn a_container_joins_the_namespaces_of_another() {
    let first = Host::new(&["sleep", "100"]);
    let (stdio, first_reader) = pipes();
    let launched = first.launch(stdio).unwrap();
    let open = |name: &str| {
        Some(std::fs::File::open(format!("/proc/{}/ns/{name}", launched.pid.as_raw_nonzero())).unwrap().into())
    };
    let names = |of: &str| -> Vec<_> {
        let read = |name| std::fs::read_link(format!("/proc/{of}/ns/{name}")).unwrap();
        ["pid", "net", "ipc", "uts"].map(read).into()
    };
    let second = Host::sh("cat /proc/1/comm; hostname; sleep 100").with(|bundle| {
        let other = || Namespace::Container("cd".repeat(32).parse().unwrap());
        bundle.namespaces.pid = other();
        bundle.namespaces.network = other();
        bundle.namespaces.ipc = other();
        bundle.namespaces.uts = other();
    });
    let (stdio, mut reader) = pipes();
    let joined =
        Joined { pid: open("pid"), network: open("net"), ipc: open("ipc"), uts: open("uts"), ..Joined::default() };
    let joiner = second.launch_joined(stdio, joined).unwrap();
    let mut output = [0; 12];
    reader.read_exact(&mut output).unwrap();
    assert_eq!(&output, b"sleep\nboxed\n");
    assert_eq!(names(&joiner.pid.as_raw_nonzero().to_string()), names(&launched.pid.as_raw_nonzero().to_string()));
    assert_ne!(names("self"), names(&launched.pid.as_raw_nonzero().to_string()));
    pidfd_send_signal(&joiner.pidfd, Signal::KILL).unwrap();
    pidfd_send_signal(&launched.pidfd, Signal::KILL).unwrap();
    finish(&joiner, reader);
    finish(&launched, first_reader);
}

fn a_namespace_that_was_not_opened_is_not_replaced_by_the_hosts() {
    let host = Host::new(&["true"]).with(|bundle| bundle.namespaces.network = Namespace::Path("/none".into()));
    expect!["128 joining a network namespace that was not opened: Operation not supported (os error 95)"]
        .assert_eq(&host.refused());
}

fn the_launcher_stays_where_it_was() {
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir("/proc/self/ns").unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.into_iter().map(|path| std::fs::read_link(path).unwrap()).collect::<Vec<_>>()
    };
    let before = names();
    let host = Host::new(&["sleep", "100"]).with(|bundle| bundle.namespaces.time = Some(TimeOffsets::default()));
    host.exec("true", |_| {}).unwrap();
    assert_eq!(names(), before);
}
