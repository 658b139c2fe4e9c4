//! Where contexts and Dockerfiles come from.

use super::*;

fn tar(dir: &str, flags: &str) -> Vec<u8> {
    let out = std::process::Command::new("tar").args(["-C", dir, flags, "-", "."]).output().unwrap();
    assert!(out.status.success());
    out.stdout
}

#[test]
fn a_tar_on_standard_input_is_a_context() {
    let kist = busybox();
    let dir = context(
        &kist,
        "ctx",
        &[("Dockerfile", "FROM busybox\nCOPY a /a\n"), ("a", "1"), ("sub/Other", "FROM busybox\nCOPY a /b\n")],
    );
    for flags in ["-cf", "-czf"] {
        let out = kist.run_with_input(&["build", "-q", "-t", "x", "-"], tar(&dir, flags));
        assert_eq!(out.code, 0, "{}", out.stderr);
        assert_eq!(within(&kist, "x", "cat /a"), "1");
    }
    let out = kist.run_with_input(&["build", "-q", "-t", "y", "-f", "sub/Other", "-"], tar(&dir, "-cf"));
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(within(&kist, "y", "cat /b"), "1");
    // The same files, however they come, are the same image.
    assert_eq!(config(&kist, "x", "{{.Id}}"), image(&kist, &[], &dir));
}

#[test]
fn a_dockerfile_may_come_from_elsewhere() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("a", "1"), ("sub/Dockerfile", "FROM busybox\nCOPY a /inside\n")]);
    let text = "FROM busybox\nCOPY a /stdin\n";
    let out = kist.run_with_input(&["build", "-q", "-t", "stdin", "-f", "-", &dir], text);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(within(&kist, "stdin", "cat /stdin"), "1");
    let beside = kist.scratch().write("Beside", "FROM busybox\nCOPY a /beside\n");
    image(&kist, &["-t", "beside", "-f", beside.to_str().unwrap()], &dir);
    assert_eq!(within(&kist, "beside", "cat /beside"), "1");
    image(&kist, &["-t", "inside", "-f", "sub/Dockerfile"], &dir);
    assert_eq!(within(&kist, "inside", "cat /inside"), "1");
}

#[test]
fn named_contexts_are_directories_and_images() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM base\nCOPY --from=more f /f\n")]);
    let more = context(&kist, "more", &[("f", "more")]);
    let more = format!("more={more}");
    image(&kist, &["-t", "x", "--build-context", &more, "--build-context", "base=docker-image://busybox"], &dir);
    assert_eq!(within(&kist, "x", "cat /f"), "more");
}

#[test]
fn build_arguments_come_from_the_environment_and_the_configuration() {
    let mut kist = busybox();
    kist.env("FROM_ENV", "here");
    kist.scratch()
        .write("docker-config/config.json", r#"{"proxies":{"default":{"httpProxy":"http://proxy.example:1"}}}"#);
    let text = "FROM busybox\nARG FROM_ENV\nARG GONE=default\nRUN echo $FROM_ENV $GONE $http_proxy > /f\n";
    let id = image_of(&kist, &["--build-arg", "FROM_ENV", "--build-arg", "GONE"], text);
    assert_eq!(within(&kist, &id, "cat /f"), "here default http://proxy.example:1");
    assert!(!config(&kist, &id, "{{json .Config.Env}}").contains("proxy"));
}

#[test]
fn a_repository_is_a_context() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        testkit::skip!("git is not installed");
    }
    let kist = empty();
    let out = kist.run(&["build", "-q", "git://127.0.0.1:1/x.git"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("failed to fetch remote"), "{}", out.stderr);
    // Local repositories are not for those who write Dockerfiles.
    let out = build_text(&kist, &[], "FROM scratch\nADD file:///etc/x.git /x\n");
    assert_eq!(out.code, 1, "{}", out.stderr);
}

#[test]
fn the_epoch_is_what_the_environment_says() {
    let mut kist = busybox();
    kist.env("SOURCE_DATE_EPOCH", "1000000000");
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nCOPY a /a\n"), ("a", "1")]);
    let id = image(&kist, &[], &dir);
    assert_eq!(config(&kist, &id, "{{.Created}}"), "2001-09-09T01:46:40Z");
}
