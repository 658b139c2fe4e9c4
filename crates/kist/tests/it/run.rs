//! `run`: streams, exit codes, and what a container finds in its surroundings.

use std::io::Write as _;

use expect_test::expect;
use rustix::process::Signal;
use serde_json::json;
use testkit::{Kist, Layer};

use crate::{busybox, empty, inspect, on_this_computer, sh, try_sh};

#[test]
fn hello_world_runs_on_a_machine_that_has_nothing() {
    let out = empty().run(&["run", "--rm", "hello-world"]);
    assert!(out.stdout.contains("Hello from kist!"), "{}", out.stdout);
    assert_eq!(out.code, 0);
    let note: Vec<_> = out.stderr.lines().filter(|line| !line.starts_with("WARNING")).collect();
    expect![[r#"
        Unable to find image 'hello-world:latest' locally
        latest: Pulling from library/hello-world
        Status: hello-world:latest was taken from the copy bundled in the kist binary; nothing was downloaded"#]]
    .assert_eq(&note.join("\n"));
}

#[test]
fn hello_world_is_in_the_store_afterwards() {
    let kist = empty();
    kist.ok(&["run", "--rm", "hello-world"]);
    let again = kist.run(&["run", "--rm", "--network", "none", "hello-world"]);
    assert_eq!((again.stderr.as_str(), again.code), ("", 0));
    assert_eq!(kist.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "hello-world:latest");
}

#[test]
fn pull_always_does_not_take_the_bundled_copy() {
    let (mut kist, mirror) = (on_this_computer(), testkit::Registry::start());
    let image = testkit::busybox().config("Cmd", serde_json::json!(["echo", "from the mirror"]));
    mirror.put("library/hello-world", "latest", &image);
    let file = format!(r#"{{"mirrors":{{"docker.io":["http://{}"]}}}}"#, mirror.address());
    let file = kist.scratch().write("config/registries.json", file);
    kist.env("KIST_CONFIG", file.parent().unwrap().to_str().unwrap());
    let args = ["run", "--rm", "--network", "none", "--quiet", "--pull", "always", "hello-world"];
    assert_eq!(kist.ok(&args), "from the mirror");
}

#[test]
fn pull_never_says_only_that_there_is_no_image() {
    let out = empty().run(&["run", "--pull", "never", "hello-world"]);
    assert_eq!((out.stdout.as_str(), out.code), ("", 125));
    assert!(out.stderr.contains("Error response from daemon: No such image: hello-world:latest"), "{}", out.stderr);
    assert!(!out.stderr.contains("Unable to find"), "{}", out.stderr);
}

#[test]
fn pull_takes_three_words() {
    let out = empty().run(&["run", "--pull", "sometimes", "hello-world"]);
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("must be one of"), "{}", out.stderr);
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let kist = busybox();
    for code in [0, 1, 42, 125, 255] {
        assert_eq!(try_sh(&kist, "", &format!("exit {code}")).code, code);
    }
}

#[test]
fn a_command_that_a_signal_ended_is_128_and_the_signal() {
    let kist = busybox();
    assert_eq!(try_sh(&kist, "--init", "kill -TERM $$").code, 143);
    assert_eq!(try_sh(&kist, "--init", "kill -KILL $$").code, 137);
}

#[test]
fn a_missing_command_is_127_a_refused_one_126_and_wrong_words_are_125() {
    let kist = busybox();
    kist.load_image(&testkit::busybox().name("odd").file("etc/script", 0o644, "#!/bin/sh\n"));
    let code = |args: &[&str]| kist.run(&[&["run", "--rm"], args].concat()).code;
    assert_eq!(code(&["busybox", "nothing-like-it"]), 127);
    assert_eq!(code(&["busybox", "/nothing/like/it"]), 127);
    assert_eq!(code(&["odd", "/etc/script"]), 126);
    assert_eq!(code(&["busybox", "/etc"]), 126);
    assert_eq!(code(&["--no-such-flag", "busybox"]), 125);
    assert_eq!(code(&["-m", "lots", "busybox", "true"]), 125);
    assert_eq!(code(&["busybox:nowhere", "true"]), 125);
    assert_eq!(code(&[]), 125);
}

#[test]
fn a_failed_start_leaves_a_container_that_says_why() {
    let kist = busybox();
    assert_eq!(kist.run(&["run", "--name", "broken", "busybox", "nothing-like-it"]).code, 127);
    assert_eq!(inspect(&kist, "broken", "{{.State.Status}} {{.State.ExitCode}}"), "created 127");
    assert!(inspect(&kist, "broken", "{{.State.Error}}").contains("executable file not found in $PATH"));
    assert_eq!(kist.run(&["run", "--rm", "--name", "gone", "busybox", "nothing-like-it"]).code, 127);
    assert_eq!(kist.ok(&["ps", "-a", "--format", "{{.Names}}"]), "broken");
}

#[test]
fn detached_prints_the_id_and_nothing_else() {
    let kist = busybox();
    let id = kist.ok(&["run", "-d", "busybox", "true"]);
    assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    kist.ok(&["wait", &id]);
}

#[test]
fn rm_removes_the_container_and_its_layer() {
    let kist = busybox();
    sh(&kist, "", "echo data > /file");
    assert_eq!(kist.ok(&["ps", "-aq"]), "");
    let count = |kist: &Kist, dir: &str| std::fs::read_dir(kist.root().join(dir)).unwrap().count();
    assert_eq!(count(&kist, "containers") + count(&kist, "names"), 0);
    // Its files go after the answer.
    kist.wait_until("the layer is gone", |kist| count(kist, "drafts") + count(kist, "limbo") == 0);
}

#[test]
fn a_detached_container_with_rm_goes_when_it_ends() {
    let kist = busybox();
    kist.ok(&["run", "-d", "--rm", "--name", "short", "busybox", "true"]);
    kist.wait_until("the container is gone", |kist| kist.ok(&["ps", "-aq"]).is_empty());
}

#[test]
fn a_name_in_use_is_told_in_dockers_words() {
    let kist = busybox();
    kist.ok(&["create", "--name", "web", "busybox"]);
    expect![[r#"
        [stderr]
        kist: Error response from daemon: Conflict. The container name "/web" is already in use by container "<id64>". You have to remove (or rename) that container to be able to reuse that name.
          `kist rm NAME` removes the other container; `kist rename NAME NEW` keeps it under another name

        Run 'kist run --help' for more information
        [exit 125]
    "#]]
    .assert_eq(&kist.run(&["run", "--name", "web", "busybox"]).scrubbed());
}

#[test]
fn a_name_may_be_used_again_when_it_is_free() {
    let kist = busybox();
    for _ in 0..3 {
        sh(&kist, "--name again", "true");
    }
    let out = kist.run(&["run", "--name", "no blanks", "busybox"]);
    assert!(out.stderr.contains("Invalid container name (no blanks), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
    assert_eq!(out.code, 125);
}

#[test]
fn both_outputs_stay_apart() {
    let out = try_sh(&busybox(), "--network none", "echo out; echo err >&2");
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn a_megabyte_on_each_output_arrives_whole() {
    let script = "seq 170000; seq 170000 >&2";
    let out = try_sh(&busybox(), "--network none", script);
    let want: String = (1..=170_000).map(|n| format!("{n}\n")).collect();
    assert!(want.len() > 1_000_000 && out.stdout == want, "{} bytes of output", out.stdout.len());
    assert!(out.stderr == want, "{} bytes of error output", out.stderr.len());
}

#[test]
fn input_arrives_whole_and_its_end_too() {
    let kist = busybox();
    let input = "line of input\n".repeat(80_000);
    let out = kist.run_with_input(&["run", "--rm", "-i", "busybox", "sh", "-c", "wc -c; echo done"], &input);
    assert_eq!(out.stdout, format!("{}\ndone\n", input.len()));
}

#[test]
fn without_i_there_is_no_input() {
    let out = busybox().run_with_input(&["run", "--rm", "busybox", "wc", "-c"], "ignored");
    assert_eq!(out.stdout, "0\n");
}

#[test]
fn a_dialogue_goes_back_and_forth() {
    let kist = busybox();
    let mut running =
        kist.spawn(&["run", "--rm", "-i", "busybox", "sh", "-c", "read a; echo got $a; read b; echo and $b"]);
    running.stdin().write_all(b"one\n").unwrap();
    running.stdin().write_all(b"two\n").unwrap();
    assert_eq!(running.wait().stdout, "got one\nand two\n");
}

#[test]
fn a_reader_that_leaves_does_not_hang_the_command() {
    let kist = busybox();
    let mut command = kist.command(&["run", "--rm", "busybox", "yes"]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    kist.wait_until("the command ends", |_| child.try_wait().unwrap().is_some());
}

#[test]
fn variables_come_from_the_image_the_flags_and_files() {
    let kist = busybox();
    kist.load_image(&testkit::busybox().name("env").config("Env", json!(["PATH=/bin", "FROM=image", "STAYS=yes"])));
    let file = kist.scratch().write("env", "# a comment\nFILE=one two\nFROM=file\n\nHERE\n");
    let args = [
        "run",
        "--rm",
        "-h",
        "box",
        "--env-file",
        file.to_str().unwrap(),
        "-e",
        "A=1",
        "-e",
        "FROM=flag",
        "env",
        "env",
    ];
    let mut command = kist.command(&args);
    let out = command.env("HERE", "and now").output().unwrap();
    expect![[r#"
        PATH=/bin
        HOSTNAME=box
        FROM=flag
        STAYS=yes
        FILE=one two
        HERE=and now
        A=1
        HOME=/root
    "#]]
    .assert_eq(&String::from_utf8_lossy(&out.stdout));
}

#[test]
fn an_image_without_variables_gets_a_path() {
    expect![[r#"
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        HOSTNAME=box
        HOME=/root"#]]
    .assert_eq(&busybox().ok(&["run", "--rm", "-h", "box", "busybox", "env"]));
}

#[test]
fn the_host_name_is_the_short_id() {
    let kist = busybox();
    let id = kist.ok(&["run", "-d", "busybox", "sh", "-c", "hostname; cat /etc/hostname; echo $HOSTNAME"]);
    kist.ok(&["wait", &id]);
    assert_eq!(kist.ok(&["logs", &id]), [&id[..12]; 3].join("\n"));
}

#[test]
fn the_domain_name_is_set() {
    assert_eq!(
        sh(&busybox(), "-h box --domainname example.org", "hostname; cat /proc/sys/kernel/domainname"),
        "box\nexample.org"
    );
}

#[test]
fn hosts_has_what_was_added() {
    let kist = busybox();
    let hosts = sh(&kist, "-h box --add-host db:10.0.0.7 --add-host six=2001:db8::1", "cat /etc/hosts");
    expect![[r#"
        127.0.0.1	localhost
        ::1	localhost ip6-localhost ip6-loopback
        fe00::	ip6-localnet
        ff00::	ip6-mcastprefix
        ff02::1	ip6-allnodes
        ff02::2	ip6-allrouters
        10.0.0.7	db
        2001:db8::1	six
        172.17.0.2	box"#]]
    .assert_eq(&hosts);
    assert_ne!(try_sh(&kist, "--add-host nonsense", "true").code, 0);
}

#[test]
fn name_servers_are_those_asked_for() {
    let script = "cat /etc/resolv.conf | grep -v '^#' | sort";
    assert_eq!(
        sh(&busybox(), "--dns 10.1.2.3 --dns-search example.org --dns-option ndots:2", script),
        "nameserver 10.1.2.3\noptions ndots:2\nsearch example.org"
    );
}

#[test]
fn the_etc_files_can_be_written_and_are_the_containers_own() {
    let kist = busybox();
    let script = "echo 1.2.3.4 mine >> /etc/hosts && echo x > /etc/hostname && cat /etc/hosts | tail -1";
    assert_eq!(sh(&kist, "", script), "1.2.3.4 mine");
    assert!(!sh(&kist, "", "cat /etc/hosts").contains("mine"));
}

#[test]
fn dockerenv_is_there() {
    assert_eq!(sh(&busybox(), "", "test -f /.dockerenv && echo yes"), "yes");
}

#[test]
fn users_and_groups_come_from_the_images_own_files() {
    let kist = busybox();
    let id = |flags: &str| sh(&kist, flags, "id -u; id -g; id -G; echo $HOME").replace('\n', " ");
    assert_eq!(id(""), "0 0 0 /root");
    assert_eq!(id("-u app"), "1000 1000 1000 50 2000 /home/app");
    assert_eq!(id("-u 1000"), "1000 1000 1000 50 2000 /home/app");
    assert_eq!(id("-u app:staff"), "1000 50 50 /home/app");
    assert_eq!(id("-u 4321"), "4321 0 0 /");
    assert_eq!(id("-u 4321:4321"), "4321 4321 4321 /");
    assert_eq!(id("-u 1000:1000 --group-add extra --group-add 77"), "1000 1000 1000 77 2000 /home/app");
}

#[test]
fn an_unknown_user_is_named() {
    let out = try_sh(&busybox(), "-u nobody-like-it", "true");
    assert_eq!(out.code, 125);
    assert!(
        out.stderr.contains("unable to find user nobody-like-it: no matching entries in passwd file"),
        "{}",
        out.stderr
    );
}

#[test]
fn the_working_directory_is_made_where_it_is_missing() {
    let kist = busybox();
    assert_eq!(sh(&kist, "-w /a/b/c", "pwd; stat -c '%u %a' /a/b/c"), "/a/b/c\n0 755");
    kist.load_image(&testkit::busybox().name("there").config("WorkingDir", json!("/var/www")));
    assert_eq!(kist.ok(&["run", "--rm", "there", "pwd"]), "/var/www");
    let out = try_sh(&kist, "-w relative", "true");
    assert!(out.stderr.contains("the working directory 'relative' is invalid, it needs to be an absolute path"));
}

#[test]
fn the_entrypoint_comes_before_the_command_and_can_be_replaced() {
    let kist = busybox();
    let image =
        testkit::busybox().name("ep").config("Entrypoint", json!(["echo", "entry"])).config("Cmd", json!(["cmd"]));
    kist.load_image(&image);
    assert_eq!(kist.ok(&["run", "--rm", "ep"]), "entry cmd");
    assert_eq!(kist.ok(&["run", "--rm", "ep", "mine"]), "entry mine");
    assert_eq!(kist.ok(&["run", "--rm", "--entrypoint", "basename", "ep", "/a/b"]), "b");
    assert_eq!(kist.ok(&["run", "--rm", "--entrypoint", "", "ep", "echo", "bare"]), "bare");
    let out = kist.run(&["run", "--rm", "--entrypoint", "", "ep"]);
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("no command specified"), "{}", out.stderr);
}

#[test]
fn labels_come_from_the_image_the_flags_and_files() {
    let kist = busybox();
    kist.load_image(&testkit::busybox().name("labelled").config("Labels", json!({ "from": "image", "stays": "yes" })));
    let file = kist.scratch().write("labels", "# comment\nfile=1\n");
    let file = file.to_str().unwrap();
    kist.ok(&["create", "--name", "box", "--label-file", file, "-l", "from=flag", "--label", "x=a=b", "labelled"]);
    expect![[r#"{"file":"1","from":"flag","stays":"yes","x":"a=b"}"#]].assert_eq(&inspect(
        &kist,
        "box",
        "{{json .Config.Labels}}",
    ));
}

#[test]
fn the_cidfile_has_the_id_and_is_never_overwritten() {
    let kist = busybox();
    let file = kist.scratch().join("cid");
    let id = kist.ok(&["create", "--cidfile", file.to_str().unwrap(), "busybox"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), id);
    let out = kist.run(&["run", "--rm", "--cidfile", file.to_str().unwrap(), "busybox", "true"]);
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("container ID file found, make sure the other container isn't running or delete"));
    assert_eq!(kist.ok(&["ps", "-aq", "--no-trunc"]), id);
}

#[test]
fn what_is_not_there_yet_says_so() {
    let kist = busybox();
    for flags in [["--gpus", "all"], ["--storage-opt", "size=1g"], ["--log-driver", "syslog"]] {
        let out = kist.run(&["run", "--rm", flags[0], flags[1], "busybox", "true"]);
        assert_eq!(out.code, 125, "{flags:?}");
        assert!(out.stderr.contains("not there yet in kist"), "{}", out.stderr);
    }
    let out = kist.run(&["compose", "up"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("'kist compose' is not there yet"), "{}", out.stderr);
}

#[test]
fn signals_reach_the_command_and_its_code_comes_back() {
    let kist = busybox();
    let script = "trap 'echo term; exit 7' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
    let running = kist.spawn(&["run", "--rm", "--name", "box", "busybox", "sh", "-c", script]);
    kist.wait_until("the trap is set", |kist| kist.run(&["logs", "box"]).stdout == "ready\n");
    running.signal(Signal::USR1);
    kist.wait_until("the first signal", |kist| kist.ok(&["logs", "box"]).contains("usr1"));
    running.signal(Signal::TERM);
    let out = running.wait();
    assert_eq!((out.stdout.as_str(), out.code), ("ready\nusr1\nterm\n", 7));
}

#[test]
fn without_sig_proxy_the_command_goes_and_the_container_stays() {
    let kist = busybox();
    let running = kist.spawn(&["run", "--name", "box", "--sig-proxy=false", "busybox", "sleep", "1000"]);
    kist.wait_until("it runs", |kist| kist.run(&["ps", "-q"]).stdout.len() > 5);
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code, 143);
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
}

#[test]
fn the_stop_signal_is_the_flags_or_the_images() {
    let kist = busybox();
    kist.load_image(&testkit::busybox().name("stops").config("StopSignal", json!("SIGUSR2")));
    let script = "trap 'exit 3' USR2; trap 'exit 4' INT; echo ready; while :; do sleep 0.05; done";
    let args = ["sh", "-c", script];
    kist.ok(&[&["run", "-d", "--name", "image", "stops"], &args[..]].concat());
    kist.ok(&[&["run", "-d", "--name", "flag", "--stop-signal", "INT", "busybox"], &args[..]].concat());
    for (name, code) in [("image", "3"), ("flag", "4")] {
        kist.wait_until("the trap is set", |kist| kist.ok(&["logs", name]) == "ready");
        kist.ok(&["stop", name]);
        assert_eq!(kist.ok(&["wait", name]), code);
    }
    assert_eq!(kist.run(&["run", "--rm", "--stop-signal", "NONSENSE", "busybox", "true"]).code, 125);
}

#[test]
fn files_of_the_image_are_as_they_were_packed() {
    let kist = busybox();
    let layer = Layer::new()
        .dir("d/", 0o700)
        .entry("d/owned", "", b"x", |header| {
            header.set_uid(1000);
            header.set_gid(50);
            header.set_mode(0o4750);
            header.set_mtime(86_400);
        })
        .symlink("d/link", "owned")
        .whiteout("etc/shells");
    kist.load_image(&testkit::busybox().name("packed").layer(layer));
    let script = "stat -c '%n %u %g %a %Y' /d /d/owned; readlink /d/link; ls /etc/shells 2>/dev/null || echo gone";
    expect![[r#"
        /d 0 0 700 0
        /d/owned 1000 50 4750 86400
        owned
        gone"#]]
    .assert_eq(&kist.ok(&["run", "--rm", "packed", "sh", "-c", script]));
}

#[test]
fn a_container_starts_with_the_umask_and_signals_of_a_fresh_process() {
    // Not through a shell, which ignores signals of its own.
    let out = busybox().ok(&["run", "--rm", "busybox", "grep", "-E", "^(Umask|SigBlk|SigIgn)", "/proc/self/status"]);
    expect![[r#"
        Umask:	0022
        SigBlk:	0000000000000000
        SigIgn:	0000000000000000"#]]
    .assert_eq(&out);
}
