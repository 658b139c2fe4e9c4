//! Errors explain themselves: Docker's line first, cause and remedy below.

use expect_test::{Expect, expect};

use crate::{busybox, empty};

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that a call reads as a row")]
fn check(args: &[&str], want: Expect) {
    want.assert_eq(&busybox().run(args).scrubbed());
}

#[test]
fn a_missing_command() {
    check(
        &["run", "--rm", "--network", "none", "busybox", "nothing-like-it"],
        expect![[r#"
        [stderr]
        kist: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nothing-like-it": executable file not found in $PATH
          the command is looked up in the image's PATH: is it in the image, and spelled as there?

        Run 'kist run --help' for more information
        [exit 127]
    "#]],
    );
}

#[test]
fn a_missing_path() {
    check(
        &["run", "--rm", "--network", "none", "busybox", "/nothing/like/it"],
        expect![[r#"
        [stderr]
        kist: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/nothing/like/it": stat /nothing/like/it: no such file or directory

        Run 'kist run --help' for more information
        [exit 127]
    "#]],
    );
}

#[test]
fn a_file_that_cannot_be_executed() {
    check(
        &["run", "--rm", "--network", "none", "busybox", "/etc/passwd"],
        expect![[r#"
        [stderr]
        kist: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/etc/passwd": permission denied

        Run 'kist run --help' for more information
        [exit 126]
    "#]],
    );
}

#[test]
fn a_missing_image() {
    check(
        &["run", "--pull", "never", "nothing-like-it"],
        expect![[r#"
        [stderr]
        kist: Error response from daemon: No such image: nothing-like-it:latest
          `kist images` lists what there is; `kist pull` and `kist load -i FILE` bring images in

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
}

#[test]
fn a_reference_that_is_none() {
    check(
        &["run", "UPPER"],
        expect![[r#"
        [stderr]
        kist: Error response from daemon: invalid reference format: repository name (UPPER) must be lowercase

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
}

#[test]
fn an_image_for_another_architecture() {
    let kist = empty();
    kist.load_image(&testkit::busybox().name("foreign").architecture("s390x"));
    let out = kist.run(&["run", "--rm", "--network", "none", "foreign"]);
    expect![[r#"
        [stderr]
        kist: Error response from daemon: image with reference foreign was found but its platform (linux/s390x) does not match the specified platform (linux/amd64)

        Run 'kist run --help' for more information
        [exit 125]
    "#]].assert_eq(&out.scrubbed());
}

#[test]
fn a_program_for_another_architecture() {
    let kist = empty();
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[2, 0, 22, 0], &[0; 200]].concat();
    kist.load_image(&testkit::busybox().name("foreign").file("bin/foreign", 0o755, program));
    let out = kist.run(&["run", "--rm", "--network", "none", "foreign", "foreign"]);
    expect![[r#"
        [stderr]
        kist: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec foreign: exec format error
          the program is for another processor architecture than this machine's

        Run 'kist run --help' for more information
        [exit 125]
    "#]].assert_eq(&out.scrubbed());
}

#[test]
fn a_script_whose_interpreter_is_missing() {
    let kist = empty();
    kist.load_image(&testkit::busybox().name("odd").file("bin/script", 0o755, "#!/bin/nothing-like-it\n"));
    let out = kist.run(&["run", "--rm", "--network", "none", "odd", "script"]);
    expect![[r#"
        [stderr]
        kist: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec script: no such file or directory
          the program is there and what interprets it is not: the first line of a script, or a program's dynamic loader

        Run 'kist run --help' for more information
        [exit 127]
    "#]].assert_eq(&out.scrubbed());
}

#[test]
fn unknown_words() {
    check(
        &["nonsense"],
        expect![[r#"
        [stderr]
        kist: unknown command: kist nonsense

        Run 'kist --help' for more information
        [exit 1]
    "#]],
    );
    check(
        &["run", "--nonsense", "busybox"],
        expect![[r#"
        [stderr]
        unknown flag: --nonsense

        Usage:  kist run [OPTIONS] IMAGE [COMMAND] [ARG...]

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
    check(
        &["rm"],
        expect![[r#"
        [stderr]
        kist: 'kist rm' requires at least 1 argument

        Usage:  kist rm [OPTIONS] CONTAINER [CONTAINER...]

        See 'kist rm --help' for more information
        [exit 1]
    "#]],
    );
    check(
        &["run", "-m", "lots", "busybox"],
        expect![[r#"
        [stderr]
        invalid argument "lots" for "-m, --memory" flag: invalid size: 'lots'

        Usage:  kist run [OPTIONS] IMAGE [COMMAND] [ARG...]

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
}

#[test]
fn a_missing_container() {
    check(
        &["start", "nothing", "either"],
        expect![[r#"
        [stderr]
        Error response from daemon: No such container: nothing
          `kist ps -a` lists what there is
        Error response from daemon: No such container: either
          `kist ps -a` lists what there is
        failed to start containers: nothing, either
        [exit 1]
    "#]],
    );
}

#[test]
fn a_root_that_is_no_directory() {
    let kist = empty();
    std::fs::write(kist.root(), "a file").unwrap();
    expect![[r#"
        [stderr]
        Error response from daemon: <root>/root/format.json: not a directory
        [exit 1]
    "#]]
    .assert_eq(&kist.run(&["ps"]).scrubbed());
    std::fs::remove_file(kist.root()).unwrap();
}

#[test]
fn a_user_who_is_not_root_is_told() {
    let kist = crate::busybox_on_this_computer();
    let command = kist.command(&["run", "--rm", "busybox", "true"]);
    let mut other = std::process::Command::new("setpriv");
    other
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(command.get_program())
        .args(command.get_args());
    let out = other.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(126), "{said}");
    assert!(said.to_lowercase().contains("permission denied") && said.contains("root"), "{said}");
}

#[test]
fn a_root_of_a_later_kist_is_left_alone() {
    let kist = busybox();
    let path = kist.root().join("format.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let later = text.replacen(":1", ":99", 1);
    assert_ne!(text, later);
    std::fs::write(&path, later).unwrap();
    let out = kist.fails(&["ps"]);
    std::fs::write(&path, text).unwrap();
    expect![[r#"
        [stderr]
        Error response from daemon: <root>/root/format.json has format 99; this kist knows formats up to 1
        [exit 1]
    "#]]
    .assert_eq(&out.scrubbed());
}

#[test]
fn help_is_there_for_each_verb() {
    let kist = empty();
    let help = kist.ok(&["--help"]);
    for verb in [
        "run", "exec", "ps", "load", "save", "import", "images", "rmi", "tag", "history", "logs", "attach", "inspect",
        "wait",
    ] {
        assert!(help.contains(verb), "{verb}");
        assert!(kist.ok(&[verb, "--help"]).starts_with("Usage:  kist"), "{verb}");
    }
    assert!(kist.ok(&["--version"]).to_lowercase().contains("kist"));
}

#[test]
fn a_link_is_no_container_and_removing_one_removes_none() {
    let kist = busybox();
    kist.ok(&["create", "--name", "box", "busybox"]);
    let refused = kist.fails(&["rm", "-l", "box"]);
    assert_eq!(
        refused.stderr,
        "Error response from daemon: Conflict, cannot remove the default link name of the container\n"
    );
    assert_eq!(kist.ok(&["ps", "-a", "--format", "{{.Names}}"]), "box");
}

#[test]
fn there_is_one_isolation() {
    let kist = busybox();
    assert_eq!(kist.ok(&["run", "--rm", "--isolation", "default", "busybox", "echo", "fine"]), "fine");
    let refused = kist.fails(&["run", "--isolation", "hyperv", "busybox", "true"]);
    assert!(refused.stderr.contains("invalid isolation (hyperv): linux only supports 'default'"), "{}", refused.stderr);
    assert_eq!(refused.code, 125);
}
