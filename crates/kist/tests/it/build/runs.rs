//! `RUN`: its surroundings, networks, mounts, secrets.

use super::*;

#[test]
fn a_command_finds_what_a_container_would() {
    let kist = busybox();
    let text = "FROM busybox\n\
        RUN hostname > /out; id -u >> /out; tty >> /out 2>&1; wc -c < /dev/stdin >> /out; grep -c overlay /proc/mounts >> /out; \
        grep CapBnd /proc/self/status | cut -f2 >> /out; grep -w me /etc/hosts >> /out; ulimit -n >> /out; df -k /dev/shm | tail -1 | awk '{print $2}' >> /out; true\n";
    let flags = ["--add-host", "me:10.9.8.7", "--ulimit", "nofile=123", "--shm-size", "1m", "--network", "none"];
    let id = image_of(&kist, &flags, text);
    let text = within(&kist, &id, "cat /out");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        ["buildkitsandbox", "0", "not a tty", "0", "1", "00000000a80425fb", "10.9.8.7\tme", "123", "1024"]
    );
}

#[test]
fn what_mounts_and_etc_need_is_not_in_the_layer() {
    let kist = busybox();
    let text = "FROM busybox\nRUN --mount=type=tmpfs,target=/new/place --mount=type=cache,target=/var/cache/x true\n\
        RUN echo x > /x\n";
    let dir = kist.scratch().join("out");
    let out = kist.run_with_input(&["build", "-q", "-o", dir.to_str().unwrap(), "-"], text);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let has = |path: &str| dir.join(path).symlink_metadata().is_ok();
    assert!(has("x") && !has("new") && !has("var/cache/x") && !has("etc/resolv.conf") && !has(".dockerenv"));
}

#[test]
fn a_cache_with_a_mode_is_begun_anew_without_cache() {
    let kist = busybox();
    let text = "FROM busybox AS base\nARG FOO=abc\n\
        RUN --mount=type=cache,target=/cache,mode=0773 touch /cache/$FOO && ls /cache | tr '\\n' ' ' > /out\n\
        RUN --mount=type=cache,target=/cache,mode=0773 ls /cache >> /out\n\
        RUN --mount=type=cache,target=/plain touch /plain/$FOO && ls /plain > /plains\n";
    let seen = |flags: &[&str]| {
        let id = image_of(&kist, &[&["--network", "none"], flags].concat(), text);
        within(&kist, &id, "cat /out; echo $(cat /plains)")
    };
    assert_eq!(seen(&[]), "abc abc\nabc");
    assert_eq!(seen(&["--no-cache", "--build-arg", "FOO=def"]), "def def\nabc def");
    assert_eq!(seen(&["--build-arg", "FOO=ghi"]), "def ghi def\nghi\nabc def ghi");
}

#[test]
fn networks_are_the_default_one_none_and_the_hosts() {
    let kist = busybox();
    let text = |network: &str| format!("FROM busybox\nRUN {network} ls /sys/class/net > /n\n");
    let nets = |id: &str| within(&kist, id, "cat /n");
    assert_eq!(nets(&image_of(&kist, &[], &text(""))), "eth0\nlo");
    assert_eq!(nets(&image_of(&kist, &[], &text("--network=none"))), "lo");
    let out = build_text(&kist, &[], &text("--network=host"));
    assert!(out.stderr.contains("network.host is not allowed"), "{}", out.stderr);
    assert!(nets(&image_of(&kist, &["--allow", "network.host"], &text("--network=host"))).contains("lo"));
}

#[test]
fn a_cache_mount_outlives_builds_and_is_in_no_image() {
    let kist = busybox();
    let text = |n: u8| format!("FROM busybox\nRUN --mount=type=cache,target=/c echo {n} >> /c/f; cat /c/f > /seen\n");
    image_of(&kist, &[], &text(1));
    let id = image_of(&kist, &[], &text(2));
    assert_eq!(within(&kist, &id, "cat /seen; ls /c 2>/dev/null; true"), "1\n2");
}

#[test]
fn bind_mounts_show_contexts_stages_and_images() {
    let kist = busybox();
    let files = [
        (
            "Dockerfile",
            "FROM busybox AS one\nRUN echo stage > /s\nFROM busybox\n\
             RUN --mount=target=/ctx --mount=from=one,source=/s,target=/st --mount=from=busybox,source=/etc,target=/im \
             cat /ctx/a /st > /all; wc -l < /im/group >> /all; touch /ctx/no 2>/dev/null || echo readonly >> /all\n\
             RUN --mount=target=/ctx,rw echo lost > /ctx/a; cat /ctx/a >> /all\n",
        ),
        ("a", "context\n"),
    ];
    let dir = context(&kist, "ctx", &files);
    let id = image(&kist, &[], &dir);
    assert_eq!(within(&kist, &id, "cat /all"), "context\nstage\n7\nreadonly\nlost");
    assert_eq!(std::fs::read_to_string(format!("{dir}/a")).unwrap(), "context\n");
}

#[test]
fn a_secret_is_seen_and_nowhere_kept() {
    const SECRET: &str = "hunter2-in-the-clear";
    let mut kist = busybox();
    kist.env("TOKEN", SECRET);
    let file = kist.scratch().write("secret.txt", SECRET);
    let text = "FROM busybox\n\
        RUN --mount=type=secret,id=file,mode=0440,uid=1000 test \"$(cat /run/secrets/file | wc -c)\" = 20 && stat -c '%a %u' /run/secrets/file > /how\n\
        RUN --mount=type=secret,id=TOKEN,target=/key --mount=type=secret,id=TOKEN,env=T test \"$T\" = \"$(cat /key)\"\n\
        RUN --mount=type=secret,id=none ls /run/secrets/none 2>/dev/null; test ! -e /run/secrets/file\n";
    let source = format!("id=file,src={}", file.display());
    let id = image_of(&kist, &["--secret", &source, "--secret", "id=TOKEN"], text);
    assert_eq!(within(&kist, &id, "cat /how; ls /run"), "440 1000");
    let out = kist.run_with_input(&["build", "-"], "FROM busybox\nRUN --mount=type=secret,id=none,required true\n");
    assert!(out.stderr.contains("secret none: not found"), "{}", out.stderr);
    // Not in a layer, a record, a log.
    let grep = std::process::Command::new("grep").args(["-rlF", SECRET]).arg(kist.root()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "");
    let tar = kist.command(&["save", &id]).output().unwrap().stdout;
    assert!(!tar.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

/// Puts a program of this machine into a directory, with all that it is linked with.
fn bring(kist: &Kist, dir: &str, program: &str) {
    let linked = std::process::Command::new("ldd").arg(program).output().unwrap().stdout;
    let linked = String::from_utf8(linked).unwrap();
    for file in linked.split_whitespace().filter(|word| word.starts_with('/')).chain([program]) {
        kist.scratch().write(&format!("{dir}{file}"), std::fs::read(file).unwrap());
        let at = kist.scratch().join(format!("{dir}{file}"));
        std::fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// Makes a key, with a passphrase or without.
fn key(kist: &Kist, name: &str, passphrase: &str) -> Option<String> {
    let path = kist.scratch().join(name).display().to_string();
    let words = ["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f", &path];
    let made = std::process::Command::new("ssh-keygen").args(words).output();
    made.is_ok_and(|made| made.status.success()).then_some(path)
}

#[test]
fn keys_in_files_are_held_by_an_agent_of_the_build() {
    let mut kist = busybox();
    let (Some(one), Some(two)) = (key(&kist, "one", ""), key(&kist, "two", "")) else {
        testkit::skip!("OpenSSH is not installed");
    };
    kist.env("PATH", &std::env::var("PATH").unwrap());
    // BuildKit takes keys that others may read.
    std::fs::set_permissions(&one, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    bring(&kist, "ctx/files", "/usr/bin/ssh-add");
    kist.scratch().write(
        "ctx/Dockerfile",
        "FROM busybox\nCOPY files /\n\
         RUN --network=none --mount=type=ssh,required --mount=type=ssh,id=more,target=/more,required \\\n\
         (ssh-add -l; ssh-add -D; ssh-add -l | wc -l; SSH_AUTH_SOCK=/more ssh-add -l | wc -l) > /seen 2>&1\n",
    );
    let dir = kist.scratch().join("ctx").display().to_string();
    let (keys, more) = (format!("default={one},{two}"), format!("more={one}"));
    let id = image(&kist, &["--ssh", &keys, "--ssh", &more], &dir);
    let seen = within(&kist, &id, "cat /seen");
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].ends_with("one (ED25519)") && lines[1].ends_with("two (ED25519)"), "{seen}");
    // Keys are listed and used; nobody takes them away.
    assert_eq!(lines[2..], ["Failed to remove all identities.", "2", "1"], "{seen}");
    kist.assert_clean();
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
}

#[test]
fn keys_that_cannot_be_used_are_refused_in_buildkit_s_words() {
    let mut kist = busybox();
    let (Some(open), Some(locked)) = (key(&kist, "open", ""), key(&kist, "locked", "secret")) else {
        testkit::skip!("OpenSSH is not installed");
    };
    kist.env("PATH", &std::env::var("PATH").unwrap());
    let junk = kist.scratch().write("junk", "no key\n").display().to_string();
    let socket = kist.scratch().join("s");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let socket = socket.display();
    let refused = |spec: &str| {
        let out = kist.run_with_input(&["build", "--ssh", spec, "-"], "FROM busybox\n");
        assert_eq!(out.code, 1, "{}", out.stderr);
        out.stderr
    };
    let why = refused(&format!("default={open},{locked}"));
    let said = format!("ERROR: failed to convert agent config {{default [{open} {locked}] false}}: ");
    assert_eq!(why, format!("{said}failed to parse {locked}: ssh: this private key is passphrase protected\n"));
    assert!(refused(&format!("default={junk}")).contains(&format!("failed to parse {junk}: ")));
    assert!(refused("x=/none").ends_with("stat /none: no such file or directory\n"));
    assert!(refused(&format!("x={open},{socket}")).ends_with("invalid combination of keys and sockets\n"));
    assert!(refused(&format!("x={socket},{socket}")).ends_with("only single socket allowed\n"));
    assert!(refused("default").ends_with("make sure SSH_AUTH_SOCK is set\n"));
    kist.assert_clean();
}

#[test]
fn privileges_are_asked_for() {
    let kist = busybox();
    let text = "FROM busybox\nRUN --security=insecure grep CapEff /proc/self/status | cut -f2 > /c\n";
    let out = build_text(&kist, &[], text);
    assert!(out.stderr.contains("security.insecure is not allowed"), "{}", out.stderr);
    let id = image_of(&kist, &["--allow", "security.insecure"], text);
    assert_ne!(within(&kist, &id, "cat /c"), "00000000a80425fb");
}

#[test]
fn nobody_sees_a_command() {
    let kist = busybox();
    let running = kist.spawn(&[
        "build",
        "-q",
        "-t",
        "slow",
        context(&kist, "c", &[("Dockerfile", "FROM busybox\nRUN sleep 1\n")]).as_str(),
    ]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(kist.ok(&["ps", "-aq"]), "");
    assert_eq!(running.wait().code, 0);
    let events = std::fs::read_to_string(kist.root().join("events.log")).unwrap_or_default();
    assert!(!events.contains("\"container\""), "{events}");
}
