//! Docker beside kist: the same commands on the same image.

use std::fs;
use std::path::Path;

use testkit::{Docker, ImageBuilder, Kist, Layer};

use super::{bytes, listing, tree};

/// busybox by symbolic links: where a hard link's own mode differs from the file's, Docker's daemon changes the file.
fn image() -> ImageBuilder {
    let mut layer = Layer::new();
    for dir in ["bin", "etc", "tmp", "home", "home/app", "usr", "usr/bin", "usr/sbin", "var", "var/www", "root", "run"]
    {
        layer = layer.dir(&format!("{dir}/"), 0o755);
    }
    layer = layer.file("bin/busybox", 0o755, fs::read("/bin/busybox").unwrap());
    let applets = "sh cat echo rm mkdir rmdir chmod chown touch ln mv mkfifo wc";
    for applet in applets.split(' ') {
        layer = layer.symlink(&format!("bin/{applet}"), "busybox");
    }
    for name in ["etc/passwd", "etc/group", "etc/shells", "var/www/index", "usr/sbin/program"] {
        layer = layer.file(name, 0o644, "a line\n");
    }
    ImageBuilder::new().name("busybox:latest").layer(layer).config("Cmd", serde_json::json!(["sh"]))
}

fn kist() -> Kist {
    let kist = Kist::new(crate::PROGRAM);
    kist.load_image(&image());
    kist
}

fn docker() -> Option<Docker> {
    match Docker::start(&[]) {
        Ok(docker) => {
            let kist = Kist::new(crate::PROGRAM);
            docker.ok(&["load", "-i", kist.scratch().write("image", image().docker_archive()).to_str().unwrap()]);
            Some(docker)
        }
        Err(why) => {
            testkit::record_skip(module_path!(), &why);
            None
        }
    }
}

/// Without what Docker's older daemon and its client's log say besides (its client tells a success before the error), and our remedies.
fn plain(text: &str, code: i32) -> String {
    let text = text.replace("Error processing tar file(exit status 1): ", "");
    let besides = |line: &str| {
        line.starts_with("time=") || line.starts_with("  ") || (code != 0 && line.starts_with("Successfully"))
    };
    let ours = text.lines().filter(|line| !besides(line));
    ours.collect::<Vec<_>>().join("\n")
}

#[test]
fn cp_does_and_says_what_docker_does_and_says() {
    let Some(docker) = docker() else { return };
    let kist = kist();
    tree(&kist);
    // Beside the tree and not in it, so that both copy the same.
    let work = |name: &str| kist.scratch().join(name);
    for name in ["docker", "kist"] {
        assert!(std::process::Command::new("cp").arg("-a").arg(work("in")).arg(work(name)).status().unwrap().success());
    }
    docker.ok(&["create", "--network", "none", "--name", "box", "busybox", "sh"]);
    kist.ok(&["create", "--network", "none", "--name", "box", "busybox", "sh"]);
    let both = |args: &[&str]| {
        let in_dir = |dir: &str| -> Vec<String> {
            args.iter().map(|arg| arg.replace("HOST", work(dir).to_str().unwrap())).collect()
        };
        let (dockers, ours) = (in_dir("docker"), in_dir("kist"));
        let (said, code) = docker.run(&dockers.iter().map(String::as_str).collect::<Vec<_>>());
        let out = kist.run(&ours.iter().map(String::as_str).collect::<Vec<_>>());
        let scrubbed = |text: &str, dir: &str| plain(text, code).replace(work(dir).to_str().unwrap(), "HOST");
        let our_text = format!("{}{}", out.stdout, out.stderr);
        assert_eq!((scrubbed(&our_text, "kist"), out.code), (scrubbed(&said, "docker"), code), "{args:?}");
    };
    let sources = [
        "HOST/file",
        "HOST/file/",
        "HOST/dir",
        "HOST/dir/.",
        "HOST/link-to-dir",
        "HOST/link-to-dir/",
        "HOST/link-to-file",
        "HOST/nope",
    ];
    let destinations = [
        "box:/tmp",
        "box:/tmp/.",
        "box:/tmp/new",
        "box:/tmp/newdir/",
        "box:/etc/passwd",
        "box:/nodir/x",
        "box:tmp/relative",
    ];
    for (n, source) in sources.iter().enumerate() {
        for destination in destinations {
            let flags = [&["-q=false"][..], &["-q=false", "-L"]];
            for flags in &flags[..if source.contains("link") { 2 } else { 1 }] {
                // Each starts from the same: what was there is gone under another name.
                let destination = destination
                    .replace("/new", &format!("/new{n}{}", flags.len()))
                    .replace("relative", &format!("relative{n}{}", flags.len()));
                both(&[&["cp"], *flags, &[source, destination.as_str()]].concat());
            }
        }
    }
    for source in ["box:/etc", "box:/etc/.", "box:/etc/passwd", "box:/etc/passwd/", "box:/nope", "box:tmp/relative01"] {
        for (n, destination) in
            ["HOST/out", "HOST/out/", "HOST/made", "HOST/made/", "HOST/file", "HOST/no/dir", "HOST/link-to-dir"]
                .iter()
                .enumerate()
        {
            let name = destination.replace("made", &format!("made{n}{}", source.len()));
            both(&["cp", "-q=false", source, &name]);
        }
    }
    // The trees are the same after all this.
    let dockers = docker_archive(&docker, &kist, &["cp", "box:/tmp", "-"]);
    assert_eq!(listing(&bytes(&kist, &["cp", "box:/tmp", "-"])), listing(&dockers));
    assert_eq!(super::below(&work("kist")), super::below(&work("docker")));
    docker.ok(&["rm", "-f", "box"]);
}

/// What a command of Docker's writes that is no text.
fn docker_archive(docker: &Docker, kist: &Kist, args: &[&str]) -> Vec<u8> {
    let path = kist.scratch().join("archive-of-docker");
    docker.to_file(args, &path);
    fs::read(path).unwrap()
}

const CHANGES: &str = "echo more >> /etc/passwd; rm /etc/group; mkdir -p /new/deep/er; echo x > /new/file; \
    rm -r /var/www; mkdir /var/www; echo z > /var/www/z; chmod 700 /home/app; chmod 755 /usr/bin; touch /tmp/t; ln -s /etc /tmp/l; \
    mv /etc/shells /etc/moved; rm -r /root; chown 5:6 /run; mkfifo /tmp/pipe; mkdir /srv; rmdir /srv; touch -r /etc/passwd /tmp; \
    rm /bin/wc; mkdir /bin/wc; echo in > /bin/wc/in; rm -r /usr/sbin; echo file > /usr/sbin";

#[test]
fn diff_export_and_commit_are_what_docker_makes_and_takes() {
    let Some(docker) = docker() else { return };
    let kist = kist();
    let run = ["run", "--network", "none", "--name", "box", "busybox", "sh", "-c", CHANGES];
    docker.ok(&run);
    kist.ok(&run);
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(sorted(kist.ok(&["diff", "box"])), sorted(docker.ok(&["diff", "box"])));
    // What is exported is the same but for the times, and either takes the other's.
    let ours = kist.scratch().join("ours.tar");
    kist.ok(&["export", "-o", ours.to_str().unwrap(), "box"]);
    let dockers = docker_archive(&docker, &kist, &["export", "box"]);
    assert_eq!(listing(&fs::read(&ours).unwrap()), listing(&dockers));
    docker.ok(&["import", ours.to_str().unwrap(), "imported"]);
    let seen = docker.ok(&["run", "--rm", "--network", "none", "imported", "cat", "/new/file", "/var/www/z"]);
    assert_eq!(seen, "x\nz");
    // What is committed runs in Docker with the same files.
    kist.ok(&["commit", "-c", "CMD [\"cat\", \"/new/file\"]", "box", "mine:1"]);
    let saved = kist.scratch().join("saved.tar");
    kist.ok(&["save", "-o", saved.to_str().unwrap(), "mine:1"]);
    docker.ok(&["load", "-i", saved.to_str().unwrap()]);
    assert_eq!(docker.ok(&["run", "--rm", "--network", "none", "mine:1"]), "x");
    docker.ok(&["create", "--network", "none", "--name", "mine", "mine:1"]);
    let theirs = docker_archive(&docker, &kist, &["export", "mine"]);
    assert_eq!(listing(&theirs), listing(&dockers));
    assert!(Path::new(&ours).is_file());
    docker.ok(&["rm", "-f", "box", "mine"]);
}
