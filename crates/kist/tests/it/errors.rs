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
    check(&["run", "--rm", "--network", "none", "busybox", "nothing-like-it"], expect![[""]]);
}

#[test]
fn a_missing_path() {
    check(&["run", "--rm", "--network", "none", "busybox", "/nothing/like/it"], expect![[""]]);
}

#[test]
fn a_file_that_cannot_be_executed() {
    check(&["run", "--rm", "--network", "none", "busybox", "/etc/passwd"], expect![[""]]);
}

#[test]
fn a_missing_image() {
    check(&["run", "nothing-like-it"], expect![[""]]);
}

#[test]
fn a_reference_that_is_none() {
    check(&["run", "UPPER/case"], expect![[""]]);
}

#[test]
fn an_image_for_another_architecture() {
    let kist = empty();
    kist.load_image(&testkit::busybox().name("foreign").architecture("s390x"));
    let out = kist.run(&["run", "--rm", "--network", "none", "foreign"]);
    expect![[""]].assert_eq(&out.scrubbed());
}

#[test]
fn a_program_for_another_architecture() {
    let kist = empty();
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[2, 0, 22, 0], &[0; 200]].concat();
    kist.load_image(&testkit::busybox().name("foreign").file("bin/foreign", 0o755, program));
    let out = kist.run(&["run", "--rm", "--network", "none", "foreign", "foreign"]);
    expect![[""]].assert_eq(&out.scrubbed());
}

#[test]
fn a_script_whose_interpreter_is_missing() {
    let kist = empty();
    kist.load_image(&testkit::busybox().name("odd").file("bin/script", 0o755, "#!/bin/nothing-like-it\n"));
    let out = kist.run(&["run", "--rm", "--network", "none", "odd", "script"]);
    expect![[""]].assert_eq(&out.scrubbed());
}

#[test]
fn unknown_words() {
    check(&["nonsense"], expect![[""]]);
    check(&["run", "--nonsense", "busybox"], expect![[""]]);
    check(&["rm"], expect![[""]]);
    check(&["run", "-m", "lots", "busybox"], expect![[""]]);
}

#[test]
fn a_missing_container() {
    check(&["start", "nothing", "either"], expect![[""]]);
}

#[test]
fn a_root_that_is_no_directory() {
    let kist = empty();
    std::fs::write(kist.root(), "a file").unwrap();
    expect![[""]].assert_eq(&kist.run(&["ps"]).scrubbed());
    std::fs::remove_file(kist.root()).unwrap();
}

#[test]
fn a_user_who_is_not_root_is_told() {
    let kist = busybox();
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
    expect![[""]].assert_eq(&out.scrubbed());
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
