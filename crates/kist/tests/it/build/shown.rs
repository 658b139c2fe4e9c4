//! What a build shows.

use expect_test::expect;

use super::*;

/// Without times, amounts of time and digests.
fn scrubbed(out: &Output) -> String {
    let word = |word: &str| {
        let is_time = word.ends_with('s') && word[..word.len() - 1].parse::<f64>().is_ok();
        let is_offset = word.contains('.') && word.parse::<f64>().is_ok();
        if is_time || is_offset { "<t>".to_owned() } else { word.to_owned() }
    };
    let text = out.scrubbed();
    let text: String =
        text.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n").collect();
    // What takes less than 10 ms is said to be done without a time.
    text.replace(" <t> done", " done")
}

#[test]
fn plain_lines_are_buildkits() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nRUN echo hello\n")]);
    expect![[r#"
        [stderr]
        #0 building with "default" instance using kist driver

        #1 [internal] load build definition from Dockerfile
        #1 transferring dockerfile: 28B done
        #1 DONE <t>

        #2 [internal] load .dockerignore
        #2 transferring context: 2B done
        #2 DONE <t>

        #3 [internal] load metadata for docker.io/library/busybox:latest
        #3 DONE <t>

        #4 [1/2] FROM docker.io/library/busybox:latest
        #4 DONE <t>

        #5 [2/2] RUN echo hello
        #5 <t> hello
        #5 DONE <t>

        #6 exporting to image
        #6 exporting layers done
        #6 writing image sha256:<id64> done
        #6 naming to docker.io/library/x:latest done
        #6 DONE <t>
    "#]]
    .assert_eq(&scrubbed(&build(&kist, &["-t", "x"], &dir)));
}

#[test]
fn json_has_what_buildkits_has() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nRUN echo hello\n")]);
    let out = kist.run(&["build", "--progress", "rawjson", &dir]);
    let all: Vec<serde_json::Value> = out.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let log = all.iter().find_map(|event| event["logs"][0]["data"].as_str());
    assert_eq!(log, Some("aGVsbG8K"));
    let named = |name: &str| all.iter().any(|event| event["vertexes"][0]["name"] == name);
    assert!(named("[2/2] RUN echo hello") && named("exporting to image"));
}

#[test]
fn quiet_prints_the_image_alone() {
    let kist = busybox();
    let out = kist.run_with_input(&["build", "-q", "-"], "FROM busybox\nRUN echo hello\n");
    assert!(out.stdout.starts_with("sha256:") && out.stdout.lines().count() == 1 && out.stderr.is_empty());
    let out = kist.run_with_input(&["build", "--progress", "quiet", "-"], "FROM busybox\nRUN echo hello\n");
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("", ""));
}

#[test]
fn a_terminal_shows_a_window_that_ends_finished() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nRUN echo hello\n")]);
    let (text, code) = kist.pty(&["build", &dir]).finish();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("FINISHED") && text.contains(" => [2/2] RUN echo hello"), "{text}");
}

#[test]
fn answers_follow_the_progress() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\n")]);
    for (flag, answer) in [("--check", "Check complete, no warnings found."), ("--call=targets", "TARGET")] {
        let (text, code) = kist.pty(&["build", flag, &dir]).finish();
        assert_eq!(code, 0, "{text}");
        let (progress, answered) = text.split_once(answer).unwrap();
        assert!(progress.contains("FINISHED") && !answered.contains("[internal]"), "{text}");
    }
}

#[test]
fn the_history_knows_builds() {
    let kist = busybox();
    image_of(&kist, &["-t", "x"], "FROM busybox\nRUN echo hello\n");
    build_text(&kist, &[], "FROM busybox\nRUN false\n");
    let rows = kist.ok(&["buildx", "history", "ls"]);
    assert!(rows.contains("Completed") && rows.contains("Error"), "{rows}");
    assert!(kist.ok(&["buildx", "history", "logs", "^1"]).contains("hello"));
    assert!(kist.ok(&["buildx", "history", "inspect"]).contains("exit code: 1"));
    let dir = context(&kist, "called", &[("Dockerfile", "FROM busybox\n")]);
    assert!(kist.command(&["build", "-q", "."]).current_dir(dir).output().unwrap().status.success());
    assert!(kist.ok(&["buildx", "history", "inspect"]).starts_with("Name:          called\n"));
    kist.ok(&["buildx", "history", "rm", "--all"]);
    assert_eq!(kist.ok(&["buildx", "history", "ls"]).lines().count(), 1);
}

#[test]
fn words_of_the_classic_builder_are_taken() {
    let kist = busybox();
    let flags = ["--rm", "--force-rm", "--compress", "-m", "1g", "--squash", "--builder", "default"];
    let out = build_text(&kist, &flags, "FROM busybox\n");
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert!(out.stderr.starts_with("WARNING: --memory has no effect"), "{}", out.stderr);
}
