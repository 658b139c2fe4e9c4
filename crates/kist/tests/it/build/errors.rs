//! What goes wrong, in BuildKit's words.

use expect_test::{Expect, expect};

use super::*;

/// What follows the steps, without times.
fn check(kist: &Kist, flags: &[&str], text: &str, expected: Expect) {
    let out = build_text(kist, flags, text);
    assert_eq!(out.code, 1, "{}", out.stderr);
    let tail = out.stderr.split_once("------\n > ").map_or_else(
        || out.stderr.split_once("Dockerfile:").map_or(out.stderr.clone(), |(_, tail)| format!("Dockerfile:{tail}")),
        |(_, tail)| format!("------\n > {tail}"),
    );
    let line = |line: &str| match line.split_once(' ') {
        Some((time, rest)) if time.contains('.') && time.parse::<f64>().is_ok() => format!("<time> {rest}\n"),
        _ => format!("{line}\n"),
    };
    expected.assert_eq(&tail.lines().map(line).collect::<String>());
}

#[test]
fn a_command_that_fails_is_shown_with_its_output_and_its_lines() {
    check(
        &busybox(),
        &[],
        "FROM busybox\nRUN echo out && \\\n  echo err >&2 && \\\n  exit 42\nRUN true\n",
        expect![[r#"
            ------
             > [2/3] RUN echo out &&   echo err >&2 &&   exit 42:
            <time> out
            <time> err
            ------
            Dockerfile:2
            --------------------
               1 |     FROM busybox
               2 | >>> RUN echo out && \
               3 | >>>   echo err >&2 && \
               4 | >>>   exit 42
               5 |     RUN true
            --------------------
            ERROR: failed to build: failed to solve: process "/bin/sh -c echo out &&   echo err >&2 &&   exit 42" did not complete successfully: exit code: 42
        "#]],
    );
}

#[test]
fn mistakes_in_the_dockerfile_are_shown_where_they_are() {
    let kist = busybox();
    check(
        &kist,
        &[],
        "FROM busybox\nRUNN true\n",
        expect![[r#"
            Dockerfile:2
            --------------------
               1 |     FROM busybox
               2 | >>> RUNN true
                 |     ^^^^
               3 |     
            --------------------
            ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)
        "#]],
    );
    check(
        &kist,
        &["--target", "nothere"],
        "FROM busybox AS one\n",
        expect![[r##"
        #0 building with "default" instance using kist driver

        #1 [internal] load build definition from Dockerfile
        #1 transferring dockerfile: 20B done
        #1 DONE 0.0s

        #2 [internal] load .dockerignore
        #2 transferring context: 2B done
        #2 DONE 0.0s
        ERROR: failed to build: failed to solve: target stage "nothere" could not be found
    "##]],
    );
    check(
        &kist,
        &[],
        "FROM busybox\nCOPY missing /\n",
        expect![[r#"
        ------
         > [2/2] COPY missing /:
        ------
        Dockerfile:2
        --------------------
           1 |     FROM busybox
           2 | >>> COPY missing /
           3 |     
        --------------------
        ERROR: failed to build: failed to solve: failed to compute cache key: failed to calculate checksum of ref context: "/missing": not found
    "#]],
    );
    check(
        &kist,
        &[],
        "",
        expect![[r##"
        #0 building with "default" instance using kist driver

        #1 [internal] load build definition from Dockerfile
        #1 transferring dockerfile: done
        #1 DONE 0.0s
        ERROR: failed to build: failed to solve: the Dockerfile cannot be empty
    "##]],
    );
}

#[test]
fn a_missing_dockerfile_and_a_missing_context_are_said() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("a", "a")]);
    let out = build(&kist, &[], &dir);
    assert_eq!(out.code, 1);
    assert!(
        out.stderr.ends_with(
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open Dockerfile: no such file or directory\n"
        ),
        "{}",
        out.stderr
    );
    let out = build(&kist, &[], "/nowhere/at/all");
    assert_eq!(out.stderr, "ERROR: unable to prepare context: path \"/nowhere/at/all\" not found\n");
    let out = build(&kist, &["-f", "-"], "-");
    assert_eq!(out.stderr, "ERROR: invalid argument: can't use stdin for both build context and dockerfile\n");
}

#[test]
fn a_step_and_the_build_fail_with_the_same_words() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let out = build_text(&empty(), &[], &format!("FROM scratch\nADD http://127.0.0.1:{port}/file /\n"));
    let (_, last) = out.stderr.trim_end().rsplit_once("failed to solve: ").unwrap();
    assert!(last.ends_with("connection refused"), "{}", out.stderr);
    assert!(out.stderr.contains(&format!(" ERROR: {last}\n")), "{}", out.stderr);
}

#[test]
fn no_container_and_no_daemon_is_to_blame() {
    let kist = busybox();
    let out = build_text(&kist, &[], "FROM busybox\nUSER nosuch\nRUN true\n");
    let said =
        "ERROR: failed to build: failed to solve: unable to find user nosuch: no matching entries in passwd file\n";
    assert!(out.stderr.ends_with(said), "{}", out.stderr);
    let out = build_text(&kist, &["-o", "type=tar,dest=/nowhere/at/all"], "FROM busybox\n");
    let said = "failed to write the tar: invalid output path: directory \"/nowhere/at\" does not exist";
    assert!(out.stderr.ends_with(&format!("ERROR: failed to build: failed to solve: {said}\n")), "{}", out.stderr);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let name = format!("127.0.0.1:{port}/x");
    let out = build_text(&kist, &["--push", "-t", &name], "FROM busybox\n");
    let said = format!("ERROR: failed to build: failed to solve: failed to push {name}");
    assert!(out.stderr.contains(&said) && !out.stderr.contains("daemon"), "{}", out.stderr);
}

#[test]
fn checks_are_made_without_building() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox as x\nRUN exit 1\nCMD echo hi\n")]);
    let out = kist.run(&["build", "--progress", "quiet", "--check", &dir]);
    assert_eq!(out.code, 1);
    expect![[r#"
        Check complete, 2 warnings have been found!

        WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
        'as' and 'FROM' keywords' casing do not match
        Dockerfile:1
        --------------------
           1 | >>> FROM busybox as x
           2 |     RUN exit 1
           3 |     CMD echo hi
        --------------------

        WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
        JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
        Dockerfile:3
        --------------------
           1 |     FROM busybox as x
           2 |     RUN exit 1
           3 | >>> CMD echo hi
           4 |     
        --------------------
    "#]]
    .assert_eq(&out.stdout);
    let dir = context(&kist, "good", &[("Dockerfile", "FROM busybox\n")]);
    let out = kist.run(&["build", "--progress", "quiet", "--check", &dir]);
    assert_eq!((out.stdout.as_str(), out.code), ("Check complete, no warnings found.\n", 0));
    let files = [("Dockerfile", "FROM busybox\nCOPY a /\n"), (".dockerignore", "a\n"), ("a", "")];
    let out = kist.run(&["build", "--progress", "quiet", "--check", &context(&kist, "ignored", &files)]);
    let finding = "\nAttempting to Copy file \"a\" that is excluded by .dockerignore\n";
    assert!(out.code == 1 && out.stdout.contains(finding), "{}", out.stdout);
}

#[test]
fn a_mistake_does_not_hide_what_is_odd_before_it() {
    let kist = empty();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM scratch AS Bad\nMAINTAINER me\nBADCMD\nMAINTAINER you\n")]);
    let odd = ["Stage name 'Bad' should be lowercase", "Maintainer instruction is deprecated"];
    let mistake = "dockerfile parse error on line 3: unknown instruction: BADCMD";
    let out = build(&kist, &["--progress=plain"], &dir);
    assert!(out.code == 1 && odd.iter().all(|text| out.stderr.contains(text)), "{}", out.stderr);
    assert!(out.stderr.contains(mistake), "{}", out.stderr);
    let out = kist.run(&["build", "--progress", "quiet", "--call=check,format=json", &dir]);
    assert!(odd.iter().chain([&mistake]).all(|text| out.stdout.matches(text).count() == 1), "{}", out.stdout);
}

#[test]
fn what_can_be_asked_can_be_asked() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\n")]);
    let out = kist.run(&["build", "--progress", "quiet", "--call", "subrequests.describe", &dir]);
    expect![[r#"
        NAME                 VERSION DESCRIPTION
        outline              1.0.0   List all parameters current build target supports
        targets              1.0.0   List all targets current build supports
        subrequests.describe 1.0.0   List available subrequest types
    "#]]
    .assert_eq(&out.stdout);
}

#[test]
fn a_context_cannot_lead_out_of_itself() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nCOPY link /copied\n")]);
    kist.scratch().write("outside", "outside");
    std::os::unix::fs::symlink("../outside", format!("{dir}/link")).unwrap();
    let out = build(&kist, &[], &dir);
    assert_eq!(out.code, 1, "{}", out.stderr);
    let dir = context(&kist, "up", &[("Dockerfile", "FROM busybox\nCOPY ../outside /copied\n")]);
    let out = build(&kist, &[], &dir);
    assert_eq!(out.code, 1, "{}", out.stderr);
}

#[test]
fn words_that_make_no_sense_are_refused_before_anything_is_done() {
    let kist = empty();
    let says = |flags: &[&str], words: &str| {
        let out = build_text(&kist, flags, "FROM scratch\n");
        assert!(out.stderr.contains(words) && out.code == 1, "{flags:?}: {}", out.stderr);
    };
    says(&["--progress", "loud"], "invalid progress mode loud");
    says(&["-t", "UPPER"], "invalid tag \"UPPER\"");
    says(&["-o", "type=nothing"], "exporter \"nothing\" could not be found");
    says(&["--push"], "tag is needed when pushing to registry");
    says(&["--secret", "src=x"], "failed to stat x");
    says(&["--allow", "everything"], "invalid entitlement");
    says(&["--ulimit", "x"], "invalid ulimit argument: x");
    says(&["--call", "dance"], "--call=dance");
    let out = kist.run(&["build"]);
    assert!(out.stderr.contains("requires 1 argument"), "{}", out.stderr);
}
