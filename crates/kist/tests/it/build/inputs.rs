//! Where contexts and Dockerfiles come from.

use super::*;
use crate::on_this_computer;

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

/// A server of git's own for the directory, until it is dropped.
struct GitDaemon {
    process: std::process::Child,
    port: u16,
}

impl GitDaemon {
    fn serve(dir: &std::path::Path) -> GitDaemon {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // git itself would start it and stand between us.
        let path = std::process::Command::new("git").arg("--exec-path").output().unwrap().stdout;
        let program = std::path::Path::new(String::from_utf8_lossy(&path).trim()).join("git-daemon");
        let mut command = std::process::Command::new(program);
        command.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"]);
        command.arg(format!("--port={port}")).arg(format!("--base-path={}", dir.display())).arg(dir);
        let process = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < until, "git listens");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        GitDaemon { process, port }
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_repository_is_a_context() {
    let git = |dir: &str, words: &[&str]| {
        let author = ["-c", "user.name=me", "-c", "user.email=me@example", "-C", dir];
        std::process::Command::new("git").args(author).args(words).output().is_ok_and(|out| out.status.success())
    };
    if !git("/", &["--version"]) {
        testkit::skip!("git is not installed");
    }
    let kist = on_this_computer();
    let files = [
        ("Dockerfile", "FROM scratch\nCOPY a /a\n"),
        ("a", "main"),
        ("sub/Dockerfile", "FROM scratch\nCOPY b /b\n"),
        ("sub/b", "sub"),
    ];
    let dir = context(&kist, "repos/x.git", &files);
    for words in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "one"], &["tag", "v1"]] {
        assert!(git(&dir, words), "git {words:?}");
    }
    kist.scratch().write("repos/x.git/a", "changed");
    assert!(git(&dir, &["commit", "-q", "-a", "-m", "two"]));
    // One that is run would be seen.
    kist.scratch().write("repos/x.git/.git/hooks/post-checkout", "#!/bin/sh\nexit 1\n");
    let daemon = GitDaemon::serve(&kist.scratch().join("repos"));
    let url = format!("git://127.0.0.1:{}/x.git", daemon.port);
    let read = |context: &str, file: &str| {
        let out = kist.scratch().join("out");
        let _ = std::fs::remove_dir_all(&out);
        image(&kist, &["-o", out.to_str().unwrap()], context);
        std::fs::read_to_string(out.join(file)).unwrap()
    };
    assert_eq!(read(&url, "a"), "changed");
    // Its time is that of the commit.
    let id = image(&kist, &["--build-arg", "SOURCE_DATE_EPOCH=context"], &url);
    let committed = std::process::Command::new("git").args(["-C", &dir, "log", "-1", "--format=%ct"]).output().unwrap();
    let created = format!("date -d @{} -u +%FT%TZ", String::from_utf8_lossy(&committed.stdout).trim());
    let created = std::process::Command::new("sh").args(["-c", &created]).output().unwrap();
    assert_eq!(config(&kist, &id, "{{.Created}}"), String::from_utf8_lossy(&created.stdout).trim());
    assert_eq!(read(&format!("{url}#v1"), "a"), "main");
    assert_eq!(read(&format!("{url}#main:sub"), "b"), "sub");
    let add = context(&kist, "add", &[("Dockerfile", &format!("FROM scratch\nADD {url}#v1 /got\n"))]);
    assert_eq!(read(&add, "got/a"), "main");
    let out = kist.run(&["build", "-q", &format!("{url}#nothere")]);
    assert!(out.code == 1 && out.stderr.contains("repository does not contain ref nothere"), "{}", out.stderr);
    // Repositories of this machine are not for those who write Dockerfiles.
    let out = build_text(&kist, &[], &format!("FROM scratch\nADD file://{dir} /x\n"));
    assert_eq!(out.code, 1, "{}", out.stderr);
}

#[test]
fn what_a_server_has_is_added_and_is_a_context() {
    let (kist, server) = (on_this_computer(), testkit::Registry::start());
    let file = server.put_blob("x", "downloaded");
    let url = format!("http://{}/v2/x/blobs/{file}", server.address());
    let text = format!("FROM scratch\nADD --chmod=640 {url} /file\n");
    let out = kist.scratch().join("out");
    image_of(&kist, &["-o", out.to_str().unwrap()], &text);
    assert_eq!(std::fs::read_to_string(out.join("file")).unwrap(), "downloaded");
    // One that says what it must be.
    let wrong = format!("FROM scratch\nADD --checksum=sha256:{} {url} /file\n", "0".repeat(64));
    let failed = build_text(&kist, &[], &wrong);
    assert!(failed.code == 1 && failed.stderr.contains("digest mismatch"), "{}", failed.stderr);
    let gone = format!("FROM scratch\nADD http://{}/v2/x/blobs/sha256:{} /file\n", server.address(), "0".repeat(64));
    let failed = build_text(&kist, &[], &gone);
    assert!(failed.code == 1 && failed.stderr.contains("failed to load http://"), "{}", failed.stderr);
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM scratch\nCOPY a /a\n"), ("a", "tarred")]);
    let tar = server.put_blob("x", tar(&dir, "-czf"));
    image(&kist, &["-o", out.to_str().unwrap()], &format!("http://{}/v2/x/blobs/{tar}", server.address()));
    assert_eq!(std::fs::read_to_string(out.join("a")).unwrap(), "tarred");
}

#[test]
fn the_epoch_is_what_the_environment_says() {
    let mut kist = busybox();
    kist.env("SOURCE_DATE_EPOCH", "1000000000");
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nCOPY a /a\n"), ("a", "1")]);
    let id = image(&kist, &[], &dir);
    assert_eq!(config(&kist, &id, "{{.Created}}"), "2001-09-09T01:46:40Z");
}
