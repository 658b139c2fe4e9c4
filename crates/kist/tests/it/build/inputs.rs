//! Where contexts and Dockerfiles come from.

use testkit::{Answer, Bend, Registry};

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

/// What a server is asked for one file by builds, in order: the validators of each request and its status.
fn asked(server: &Registry) -> Vec<(Option<String>, Option<String>, u16)> {
    let of = |asked: testkit::Asked| {
        let header = |name: &str| asked.headers.get(name).cloned();
        (header("if-none-match"), header("if-modified-since"), asked.status)
    };
    server.take_asked().into_iter().map(of).collect()
}

#[test]
fn a_download_is_asked_for_anew_and_sent_if_it_changed() {
    const DATE: &str = "Mon, 02 Jan 2006 15:04:05 GMT";
    let (kist, server) = (on_this_computer(), Registry::start());
    let url = format!("http://{}/v2/files/one", server.address());
    let file = |text: &str, etag: &str| {
        Bend::Answer(Answer::new(200).header("etag", etag).header("last-modified", DATE).body(text))
    };
    let read = |dockerfile: &str| {
        let out = kist.scratch().join("out");
        let _ = std::fs::remove_dir_all(&out);
        let done = kist.run_with_input(&["build", "-q", "-o", out.to_str().unwrap(), "-"], dockerfile);
        assert_eq!(done.code, 0, "{}", done.stderr);
        std::fs::read_to_string(out.join("one")).unwrap()
    };
    let add = |before: &str| format!("FROM scratch\n{before}ADD {url} /\n");
    server.bend("GET", "/files/one", 1, file("first", "\"1\""));
    assert_eq!(read(&add("")), "first");
    assert_eq!(asked(&server), [(None, None, 200)]);
    // Unchanged: nothing is sent, and the file is here for a step that was never done.
    server.bend("GET", "/files/one", 1, Bend::Answer(Answer::new(304)));
    assert_eq!(read(&add("WORKDIR /other\n")), "first");
    let known = |etag: &str, status| (Some(etag.to_owned()), Some(DATE.to_owned()), status);
    assert_eq!(asked(&server), [known("\"1\"", 304)]);
    // A server that gives out tags and does not compare them.
    server.bend("GET", "/files/one", 1, file("ignored", "\"1\""));
    assert_eq!(read(&add("")), "first");
    server.bend("GET", "/files/one", 1, file("second", "\"2\""));
    assert_eq!(read(&add("")), "second");
    asked(&server);
    // What the Dockerfile says which it is needs no server; another one is not asked for by the old one's tag.
    let checked = |text: &str, sum: &str| format!("FROM scratch\nADD --checksum=sha256:{sum} {url}{text} /\n");
    let second = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";
    assert_eq!(read(&checked("", second)), "second");
    assert_eq!(asked(&server), []);
    // By another kind of checksum it is another file, before and after: it has one name wherever it is built.
    let sha512 = "9381e9a67aa361751cea90178c094ad6133742163cbd14f146be5c3ee6606d4e8ab4bdd839e7c672baa6eb87e06f59b2d3a68ad0533f2a13ef6c0c5d8769216a";
    server.bend("GET", "/files/one", 2, file("second", "\"2\""));
    assert_eq!(read(&format!("FROM scratch\nADD --checksum=sha512:{sha512} {url} /\n")), "second");
    assert_eq!(read(&add("")), "second");
    assert_eq!(asked(&server), [(None, None, 200), (None, None, 200)]);
    let other = "0000000000000000000000000000000000000000000000000000000000000000";
    server.bend("GET", "/files/one", 1, file("third", "\"3\""));
    let wrong = kist.run_with_input(&["build", "-"], checked("", other));
    assert!(wrong.stderr.contains("digest mismatch"), "{}", wrong.stderr);
    assert_eq!(asked(&server), [(None, None, 200)]);
    assert!(kist.ok(&["builder", "du", "--verbose"]).contains(&format!("download of {url}")));
    kist.ok(&["builder", "prune", "-af"]);
    assert_eq!(std::fs::read_dir(kist.root().join("build-cache/downloads")).unwrap().count(), 0);
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
}

#[test]
fn a_download_that_fails_shows_the_instruction() {
    let (kist, server) = (on_this_computer(), Registry::start());
    let url = format!("http://{}/v2/files/none", server.address());
    let out = build_text(&kist, &[], &format!("FROM scratch\nADD {url} /\n"));
    let shown = format!("Dockerfile:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> ADD {url} /\n");
    assert!(out.stderr.contains(&shown), "{}", out.stderr);
    let said = format!("ERROR: failed to build: failed to solve: failed to load {url}: invalid response status 404\n");
    assert!(out.stderr.ends_with(&said), "{}", out.stderr);
}

#[test]
fn a_password_in_a_contexts_address_is_shown_nowhere() {
    let kist = empty();
    for url in ["http://me:Sesame1@127.0.0.1:1/app.git", "http://me:Sesame1@127.0.0.1:1/app.tar"] {
        let out = kist.fails(&["build", "--progress", "plain", url]);
        assert!(!out.stderr.contains("Sesame1") && !out.stdout.contains("Sesame1"), "{}", out.stderr);
        assert!(out.stderr.contains("127.0.0.1:1"), "{}", out.stderr);
    }
    let listed = kist.ok(&["buildx", "history", "ls"]);
    let inspected = kist.ok(&["buildx", "history", "inspect"]);
    assert!(!format!("{listed}{inspected}").contains("Sesame1"), "{listed}\n{inspected}");
}
