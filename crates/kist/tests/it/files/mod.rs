//! Files between containers, archives and images: `cp`, `export`, `diff`, `commit`.

mod commit;
mod cp;
mod hostile;
mod peers;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::Kist;

/// What the tests copy: a tree on the host below `in/`.
fn tree(kist: &Kist) -> String {
    let scratch = kist.scratch();
    scratch.write("in/file", "hello\n");
    scratch.write("in/dir/x", "x\n");
    scratch.write("in/dir/sub/y", "y\n");
    std::os::unix::fs::symlink("dir", scratch.join("in/link-to-dir")).unwrap();
    std::os::unix::fs::symlink("file", scratch.join("in/link-to-file")).unwrap();
    std::os::unix::fs::chown(scratch.join("in/file"), Some(1234), Some(1235)).unwrap();
    scratch.join("in").to_str().unwrap().to_owned()
}

/// The members of an archive as `tar tv` shows them, without the times, and with what links and devices are.
fn listing(archive: &[u8]) -> Vec<String> {
    let mut tar = Command::new("tar");
    tar.args(["-tvf", "-", "--numeric-owner"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tar = tar.spawn().unwrap();
    let mut stdin = tar.stdin.take().unwrap();
    let archive = archive.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&archive)));
    let output = tar.wait_with_output().unwrap();
    writer.join().unwrap();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        [&fields[..3], &fields[5..]].concat().join(" ")
    };
    String::from_utf8(output.stdout).unwrap().lines().map(line).collect()
}

/// What a command writes to its standard output, as bytes.
#[track_caller]
fn bytes(kist: &Kist, args: &[&str]) -> Vec<u8> {
    let output = kist.command(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Each path below with what it is: mode, owner, size or target.
fn below(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let meta = entry.metadata().unwrap();
            let path = entry.path();
            let size = if meta.is_dir() { 0 } else { meta.size() };
            let shown = path.strip_prefix(root).unwrap().display();
            lines.push(format!("{:o} {}:{} {size} {shown}", meta.mode(), meta.uid(), meta.gid()));
            if meta.is_dir() {
                walk(&path, root, lines);
            }
        }
    }
    let mut lines = Vec::new();
    walk(dir, dir, &mut lines);
    lines.sort();
    lines
}
