//! Trees are copied, and what came of them is compared with what BuildKit makes of them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};
use rustix::fs::{CWD, Mode, XattrFlags, lgetxattr, lsetxattr, makedev, mknodat};
use spec::id::ContainerId;
use store::{Mount, Store};
use testkit::{Layer, Root};

use super::*;
use crate::context::{Parents, Wanted};
use crate::ignore::Patterns;

/// A context beside a root file system.
struct Bench {
    root: Root,
}

/// A `COPY` as it is written.
#[derive(Clone, Copy)]
struct Line<'a> {
    sources: &'a [&'a str],
    dest: &'a str,
    parents: Parents,
    exclude: &'a [&'a str],
    chown: &'a str,
    chmod: &'a str,
    archives: Archives,
}

const COPY: Line<'_> = Line {
    sources: &[],
    dest: "/",
    parents: Parents::Drop,
    exclude: &[],
    chown: "",
    chmod: "",
    archives: Archives::Keep,
};

impl Bench {
    fn new() -> Bench {
        let bench = Bench { root: Root::new() };
        fs::create_dir(bench.root.join("context")).unwrap();
        fs::create_dir(bench.root.join("rootfs")).unwrap();
        bench
    }

    /// Files by their paths below the context.
    fn with(self, files: &[&str]) -> Bench {
        for file in files {
            match file.split_once(" -> ") {
                Some((link, target)) => {
                    let link = self.root.join("context").join(link);
                    fs::create_dir_all(link.parent().unwrap()).unwrap();
                    symlink(target, link).unwrap();
                }
                None if file.ends_with('/') => fs::create_dir_all(self.root.join("context").join(file)).unwrap(),
                None => drop(self.root.write(&format!("context/{file}"), file)),
            }
        }
        self
    }

    fn tree(&self) -> Tree {
        Tree::directory(&self.root.join("context"), &self.root.join("cache")).unwrap().called("r")
    }

    fn rootfs(&self) -> File {
        File::open(self.root.join("rootfs")).unwrap()
    }

    fn run(&self, line: Line<'_>) -> Result<(), FilesError> {
        self.copy(&self.tree(), line)
    }

    fn copy(&self, tree: &Tree, line: Line<'_>) -> Result<(), FilesError> {
        let exclude: Vec<String> = line.exclude.iter().map(|text| (*text).to_owned()).collect();
        let select = |source: &&str| tree.select(&Wanted { source, parents: line.parents, exclude: &exclude });
        let selections = line.sources.iter().map(select).collect::<Result<Vec<_>, _>>()?;
        let sources: Vec<_> = selections.iter().map(|selection| Source::Selected(tree, selection)).collect();
        let rootfs = self.rootfs();
        let owner = match line.chown {
            "" => None,
            chown => Some(owner(rootfs.as_fd(), chown)?),
        };
        let mode = (!line.chmod.is_empty()).then(|| line.chmod.parse()).transpose()?;
        copy(rootfs.as_fd(), &Copy { sources: &sources, dest: line.dest, owner, mode, archives: line.archives })
    }

    fn listed(&self) -> String {
        let mut text = String::new();
        list(&self.root.join("rootfs"), "", &mut text);
        text
    }
}

/// Everything below a directory: mode, owner unless root's, and what a file holds.
fn list(dir: &Path, path: &str, text: &mut String) {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let below = dir.join(&name);
        let path = format!("{path}/{}", name.to_string_lossy());
        let meta = below.symlink_metadata().unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let owner =
            if (meta.uid(), meta.gid()) == (0, 0) { String::new() } else { format!(" {}:{}", meta.uid(), meta.gid()) };
        match () {
            () if meta.is_symlink() => {
                writeln!(text, "{path} -> {}{owner}", fs::read_link(&below).unwrap().display()).unwrap()
            }
            () if meta.is_dir() => {
                writeln!(text, "{path}/ {mode:o}{owner}").unwrap();
                list(&below, &path, text);
            }
            () if meta.is_file() => {
                let bytes = fs::read(&below).unwrap();
                writeln!(text, "{path} {mode:o}{owner} {}", String::from_utf8_lossy(&bytes[..bytes.len().min(20)]))
                    .unwrap();
            }
            () => writeln!(text, "{path} {mode:o}{owner} node {}", meta.rdev()).unwrap(),
        }
    }
}

fn check(files: &[&str], lines: &[Line<'_>], expected: &Expect) {
    let bench = Bench::new().with(files);
    let mut text = String::new();
    for line in lines {
        if let Err(error) = bench.run(*line) {
            writeln!(text, "error: {error}").unwrap();
        }
    }
    expected.assert_eq(&(text + &bench.listed()));
}

#[test]
fn files_and_directories_go_where_docker_puts_them() {
    let files = &["a", "b", "dir/x", "dir/sub/y"];
    let line = |sources, dest| Line { sources, dest, ..COPY };
    check(
        files,
        &[line(&["a"], "/a")],
        &expect![[r#"
        /a 644 a
    "#]],
    );
    check(
        files,
        &[line(&["a"], "/new/dir/")],
        &expect![[r#"
        /new/ 755
        /new/dir/ 755
        /new/dir/a 644 a
    "#]],
    );
    check(
        files,
        &[line(&["a"], "/new/name")],
        &expect![[r#"
        /new/ 755
        /new/name 644 a
    "#]],
    );
    check(
        files,
        &[line(&["dir"], "/d")],
        &expect![[r#"
        /d/ 755
        /d/sub/ 755
        /d/sub/y 644 dir/sub/y
        /d/x 644 dir/x
    "#]],
    );
    check(
        files,
        &[line(&["dir/"], "/d/"), line(&["a", "b", "dir/sub"], "/d/sub/")],
        &expect![[r#"
        /d/ 755
        /d/sub/ 755
        /d/sub/a 644 a
        /d/sub/b 644 b
        /d/sub/y 644 dir/sub/y
        /d/x 644 dir/x
    "#]],
    );
    check(
        files,
        &[line(&["."], "/")],
        &expect![[r#"
        /a 644 a
        /b 644 b
        /dir/ 755
        /dir/sub/ 755
        /dir/sub/y 644 dir/sub/y
        /dir/x 644 dir/x
    "#]],
    );
}

#[test]
fn a_later_file_replaces_an_earlier_one_and_no_path_leads_out() {
    let files = &["a", "b", "dir/x"];
    let line = |sources, dest| Line { sources, dest, ..COPY };
    check(
        files,
        &[line(&["a"], "/f"), line(&["b"], "/f")],
        &expect![[r#"
        /f 644 b
    "#]],
    );
    check(
        files,
        &[line(&["../../dir/../a"], "/../../f")],
        &expect![[r#"
        /f 644 a
    "#]],
    );
}

#[test]
fn patterns_match_as_in_go_and_may_match_nothing() {
    let files = &["a.txt", "b.txt", "c.md", "one/x.txt", "one/deep/y.txt", "two/x.txt", "[odd].txt"];
    let line = |sources, dest| Line { sources, dest, ..COPY };
    check(
        files,
        &[line(&["[a-b].txt", "no*such"], "/d/")],
        &expect![[r#"
        /d/ 755
        /d/a.txt 644 a.txt
        /d/b.txt 644 b.txt
    "#]],
    );
    check(
        files,
        &[line(&["*/x.txt"], "/d/")],
        &expect![[r#"
        /d/ 755
        /d/x.txt 644 two/x.txt
    "#]],
    );
    check(
        files,
        &[line(&["o*"], "/d")],
        &expect![[r#"
        /d/ 755
        /d/deep/ 755
        /d/deep/y.txt 644 one/deep/y.txt
        /d/x.txt 644 one/x.txt
    "#]],
    );
    check(
        files,
        &[line(&["[[]odd].txt"], "/")],
        &expect![[r#"
        /[odd].txt 644 [odd].txt
    "#]],
    );
    check(
        files,
        &[line(&["none*"], "/d/"), line(&["none"], "/d/"), line(&["[x"], "/d/"), line(&["a.txt/x"], "/")],
        &expect![[r#"
        error: failed to calculate checksum of ref r: "/none": not found
        error: failed to calculate checksum of ref r: syntax error in pattern
        error: failed to calculate checksum of ref r: "/a.txt/x": not found
    "#]],
    );
}

#[test]
fn links_stay_in_their_tree() {
    let files = &[
        "real/file",
        "to-file -> real/file",
        "to-dir -> real",
        "out -> ../../../../../../etc/passwd",
        "absolute -> /real/file",
        "real/inner -> ../../../outside",
        "dangling -> nowhere",
        "loop -> loop",
    ];
    let line = |sources, dest| Line { sources, dest, ..COPY };
    check(
        files,
        &[line(&["to-file", "absolute"], "/d/"), line(&["to-dir"], "/e")],
        &expect![[r#"
        /d/ 755
        /d/absolute 644 real/file
        /d/to-file 644 real/file
        /e/ 755
        /e/file 644 real/file
        /e/inner -> ../../../outside
    "#]],
    );
    check(
        files,
        &[line(&["out"], "/"), line(&["dangling"], "/"), line(&["dang*"], "/"), line(&["loop"], "/")],
        &expect![[r#"
            error: failed to calculate checksum of ref r: "/out": not found
            error: failed to calculate checksum of ref r: "/dangling": not found
            error: failed to calculate checksum of ref r: "/dangling": not found
            error: reading /loop
        "#]],
    );
}

#[test]
fn links_in_the_destination_are_followed_within_it() {
    let bench = Bench::new().with(&["a", "dir/x"]);
    fs::create_dir_all(bench.root.join("rootfs/real/sub")).unwrap();
    fs::create_dir(bench.root.join("outside")).unwrap();
    symlink("/real", bench.root.join("rootfs/link")).unwrap();
    symlink("../../../../outside", bench.root.join("rootfs/evil")).unwrap();
    symlink("/etc/target", bench.root.join("rootfs/file")).unwrap();
    symlink("real", bench.root.join("rootfs/dir-link")).unwrap();
    for (sources, dest) in [(&["a"][..], "/link/sub/"), (&["a"], "/evil/"), (&["a"], "/file"), (&["dir"], "/dir-link")]
    {
        bench.run(Line { sources, dest, ..COPY }).unwrap();
    }
    assert_eq!(fs::read_dir(bench.root.join("outside")).unwrap().count(), 0);
    expect![[r#"
        /dir-link -> real
        /etc/ 755
        /etc/target 644 a
        /evil -> ../../../../outside
        /file -> /etc/target
        /link -> /real
        /outside/ 755
        /outside/a 644 a
        /real/ 755
        /real/sub/ 755
        /real/sub/a 644 a
        /real/x 644 dir/x
    "#]]
    .assert_eq(&bench.listed());
}

#[test]
fn what_is_there_gives_way_to_its_like() {
    let bench = Bench::new().with(&["a", "dir/sub/x", "dir/link -> x", "other/sub"]);
    fs::set_permissions(bench.root.join("context/dir/sub"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(bench.root.join("context/dir"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(bench.root.join("rootfs/d/sub")).unwrap();
    std::os::unix::fs::chown(bench.root.join("rootfs/d/sub"), Some(7), Some(8)).unwrap();
    bench.root.write("rootfs/d/link", "a file before");
    bench.root.write("rootfs/f", "");
    bench.run(Line { sources: &["dir"], dest: "/d", ..COPY }).unwrap();
    let refused = |sources, dest| bench.run(Line { sources, dest, ..COPY }).unwrap_err().to_string();
    assert_eq!(refused(&["other"], "/d"), "cannot replace to directory /d/sub with file");
    assert_eq!(refused(&["dir"], "/f"), "cannot copy to non-directory: /f");
    assert_eq!(refused(&["a"], "/f/"), "making /f");
    // The directory that is copied into keeps its looks, those below take on their source's.
    expect![[r#"
        /d/ 755
        /d/link -> x
        /d/sub/ 750
        /d/sub/x 644 dir/sub/x
        /f 644 
    "#]]
    .assert_eq(&bench.listed());
}

#[test]
fn owners_and_modes_are_as_asked_for() {
    let bench = Bench::new().with(&["dir/x", "dir/run", "dir/link -> x", "dir/sub/y"]);
    fs::set_permissions(bench.root.join("context/dir/run"), fs::Permissions::from_mode(0o4755)).unwrap();
    for name in ["dir/x", "dir/sub"] {
        std::os::unix::fs::chown(bench.root.join("context").join(name), Some(1000), Some(1000)).unwrap();
    }
    bench.root.write("rootfs/etc/passwd", "root:x:0:0::/:/bin/sh\nbroken\nann:x:7:70::/:\nann:x:9:9::/:\n");
    bench.root.write("rootfs/etc/group", "staff:x:50:ann\n");
    let line = |dest, chown, chmod| Line { sources: &["dir"], dest, chown, chmod, ..COPY };
    for (dest, chown, chmod) in [
        ("/plain", "", ""),
        ("/n", "5", ""),
        ("/name", "ann", "640"),
        ("/both", "ann:staff", "g+w,o-r"),
        ("/new/in", "ann:4", "u=rwX,go="),
        ("/unknown", "bob:nobody", ""),
    ] {
        bench.run(line(dest, chown, chmod)).unwrap();
    }
    fs::remove_dir_all(bench.root.join("rootfs/etc")).unwrap();
    expect![[r#"
        /both/ 755 7:50
        /both/link -> x 7:50
        /both/run 4771 7:50 dir/run
        /both/sub/ 771 7:50
        /both/sub/y 660 7:50 dir/sub/y
        /both/x 660 7:50 dir/x
        /n/ 755 5:5
        /n/link -> x 5:5
        /n/run 4755 5:5 dir/run
        /n/sub/ 755 5:5
        /n/sub/y 644 5:5 dir/sub/y
        /n/x 644 5:5 dir/x
        /name/ 640 7:70
        /name/link -> x 7:70
        /name/run 640 7:70 dir/run
        /name/sub/ 640 7:70
        /name/sub/y 640 7:70 dir/sub/y
        /name/x 640 7:70 dir/x
        /new/ 755 7:4
        /new/in/ 755 7:4
        /new/in/link -> x 7:4
        /new/in/run 700 7:4 dir/run
        /new/in/sub/ 700 7:4
        /new/in/sub/y 600 7:4 dir/sub/y
        /new/in/x 600 7:4 dir/x
        /plain/ 755
        /plain/link -> x
        /plain/run 4755 dir/run
        /plain/sub/ 755
        /plain/sub/y 644 dir/sub/y
        /plain/x 644 dir/x
        /unknown/ 755
        /unknown/link -> x
        /unknown/run 4755 dir/run
        /unknown/sub/ 755
        /unknown/sub/y 644 dir/sub/y
        /unknown/x 644 dir/x
    "#]]
    .assert_eq(&bench.listed());
    let error = bench.run(line("/", "", "9")).unwrap_err().to_string();
    assert_eq!(error, "invalid chmod parameter: '9'. it should be octal string and between 0 and 07777");
}

#[test]
fn parents_come_along_from_the_pivot() {
    let files = &["a/b/c/x.txt", "a/b/c/y.md", "a/b/z.txt", "d/x.txt", "top.txt", "a/empty/"];
    let line = |sources, dest| Line { sources, dest, parents: Parents::Keep, ..COPY };
    check(
        files,
        &[line(&["a/b/c/x.txt"], "/d")],
        &expect![[r#"
        /d/ 755
        /d/a/ 755
        /d/a/b/ 755
        /d/a/b/c/ 755
        /d/a/b/c/x.txt 644 a/b/c/x.txt
    "#]],
    );
    check(
        files,
        &[line(&["a/./b/c"], "/d/")],
        &expect![[r#"
        /d/ 755
        /d/b/ 755
        /d/b/c/ 755
        /d/b/c/x.txt 644 a/b/c/x.txt
        /d/b/c/y.md 644 a/b/c/y.md
    "#]],
    );
    check(
        files,
        &[line(&["**/*.txt"], "/all/")],
        &expect![[r#"
        /all/ 755
        /all/a/ 755
        /all/a/b/ 755
        /all/a/b/c/ 755
        /all/a/b/c/x.txt 644 a/b/c/x.txt
        /all/a/b/z.txt 644 a/b/z.txt
        /all/d/ 755
        /all/d/x.txt 644 d/x.txt
        /all/top.txt 644 top.txt
    "#]],
    );
    check(
        files,
        &[line(&["*/b/*.txt"], "/e/")],
        &expect![[r#"
        /e/ 755
        /e/a/ 755
        /e/a/b/ 755
        /e/a/b/z.txt 644 a/b/z.txt
    "#]],
    );
    check(
        files,
        &[line(&["a/b/none"], "/"), line(&["none/./x"], "/"), line(&["none*"], "/f/")],
        &expect![[r#"
        error: failed to calculate checksum of ref r: "/a/b/none": not found
        error: failed to calculate checksum of ref r: "/none/x": not found
        /f/ 755
    "#]],
    );
}

/// BuildKit's `testCopyRelativeParents` and `testCopyParentsMissingDirectory`.
#[test]
fn parents_are_those_of_buildkits_tests() {
    let files = &[
        "test/a/b/c/d/foo",
        "test/a/b/c/d/e/bay",
        "test/a/b2/c/d/e/bar",
        "test/a/b/c2/d/e/baz",
        "test/a/b/c2/d/e2/baz",
    ];
    let check = |sources, expected: &[&str]| {
        let bench = Bench::new().with(files);
        bench.run(Line { sources, dest: "/out/", parents: Parents::Keep, ..COPY }).unwrap();
        let listed = bench.listed();
        let files = listed.lines().filter(|line| !line.ends_with("/ 755"));
        let files: Vec<_> = files.map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(files, expected, "{sources:?}");
    };
    check(&["/test/a/b/./c/d"], &["/out/c/d/e/bay", "/out/c/d/foo"]);
    check(&["/test/a/b/c/d/."], &["/out/test/a/b/c/d/e/bay", "/out/test/a/b/c/d/foo"]);
    check(&["./test/a/b/c/d"], &["/out/test/a/b/c/d/e/bay", "/out/test/a/b/c/d/foo"]);
    check(&["/test/a/./b/./c"], &["/out/b/c/d/e/bay", "/out/b/c/d/foo"]);
    check(&["/test/a/./*/c"], &["/out/b/c/d/e/bay", "/out/b/c/d/foo", "/out/b2/c/d/e/bar"]);
    check(&["/test/a/b*/./c/**/e"], &["/out/c/d/e/bar", "/out/c/d/e/bay"]);
    check(&["/test/a/b/c*/./d/**/baz", "/test/a/b*/./c/**/bar"], &["/out/c/d/e/bar", "/out/d/e/baz", "/out/d/e2/baz"]);
    check(&["/test/a/b3*/c", "/test/a/b/./c3*", "/none*/./x"], &[]);
}

#[test]
fn excluded_files_stay_behind() {
    // BuildKit's `testExcludedFilesOnCopy`.
    let files =
        &["dir1/a.png", "dir1/b.txt", "dir2/c.pdf", "dir2/d.png", "dir3/e.mp3", "dir3/f.mpeg", "dir3/sub/g.txt"];
    let line = |sources, dest, exclude| Line { sources, dest, exclude, ..COPY };
    check(
        files,
        &[line(&["."], "/1", &["*/*.png", "*/*.pdf"])],
        &expect![[r#"
        /1/ 755
        /1/dir1/ 755
        /1/dir1/b.txt 644 dir1/b.txt
        /1/dir2/ 755
        /1/dir3/ 755
        /1/dir3/e.mp3 644 dir3/e.mp3
        /1/dir3/f.mpeg 644 dir3/f.mpeg
        /1/dir3/sub/ 755
        /1/dir3/sub/g.txt 644 dir3/sub/g.txt
    "#]],
    );
    check(
        files,
        &[line(&["dir*"], "/4/", &["*.mp3", "*.png", "*.pdf", "*.txt"])],
        &expect![[r#"
        /4/ 755
        /4/f.mpeg 644 dir3/f.mpeg
        /4/sub/ 755
        /4/sub/g.txt 644 dir3/sub/g.txt
    "#]],
    );
    check(
        files,
        &[line(&["dir*"], "/6", &["*"])],
        &expect![[r#"
        /6/ 755
    "#]],
    );
    check(
        files,
        &[line(&["dir3"], "/7", &["*", "!sub/g.txt"])],
        &expect![[r#"
        /7/ 755
        /7/sub/ 755
        /7/sub/g.txt 644 dir3/sub/g.txt
    "#]],
    );
}

#[test]
fn what_is_ignored_is_not_there() {
    let bench =
        Bench::new().with(&["a", "secret", "node_modules/x", "node_modules/keep/y", "link -> secret", "logs/1.log"]);
    let ignored = || Patterns::new(["secret", "node_modules", "!node_modules/keep", "logs"]).unwrap();
    let tree = || bench.tree().seen_through(ignored());
    bench.copy(&tree(), Line { sources: &["."], dest: "/all", ..COPY }).unwrap();
    bench.copy(&tree(), Line { sources: &["lo*", "sec*"], dest: "/none/", ..COPY }).unwrap();
    for source in ["secret", "link", "node_modules/x", "logs", "logs/1.log"] {
        let error = bench.copy(&tree(), Line { sources: &[source], dest: "/all", ..COPY }).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to calculate checksum of ref r: \"/{source}\": not found"));
    }
    // The Dockerfile is read all the same.
    assert_eq!(tree().read("secret", 10).unwrap().unwrap(), b"secret");
    expect![[r#"
        /all/ 755
        /all/a 644 a
        /all/link -> secret
        /all/node_modules/ 755
        /all/node_modules/keep/ 755
        /all/node_modules/keep/y 644 node_modules/keep/y
    "#]]
    .assert_eq(&bench.listed());
}

#[test]
fn links_times_attributes_and_pipes_are_copied_and_sockets_are_files() {
    let bench = Bench::new().with(&["dir/x", "dir/sub/"]);
    let at = |name: &str| bench.root.join("context/dir").join(name);
    fs::hard_link(at("x"), at("y")).unwrap();
    mknodat(CWD, at("pipe"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o620), 0).unwrap();
    mknodat(CWD, at("null"), rustix::fs::FileType::CharacterDevice, Mode::from_raw_mode(0o600), makedev(1, 3)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    lsetxattr(at("x"), "user.note", b"n", XattrFlags::empty()).unwrap();
    lsetxattr(at("sub"), "user.note", b"d", XattrFlags::empty()).unwrap();
    let time = |n| SystemTime::UNIX_EPOCH + Duration::from_nanos(n);
    File::open(at("x")).unwrap().set_modified(time(5_000_000_007)).unwrap();
    File::open(at("sub")).unwrap().set_modified(time(6_000_000_000)).unwrap();
    bench.run(Line { sources: &["dir"], dest: "/d", ..COPY }).unwrap();
    expect![[r#"
        /d/ 755
        /d/null 600 node 259
        /d/pipe 600 node 0
        /d/socket 755 
        /d/sub/ 755
        /d/x 644 dir/x
        /d/y 644 dir/x
    "#]]
    .assert_eq(&bench.listed());
    let to = |name: &str| bench.root.join("rootfs/d").join(name);
    assert_eq!(fs::metadata(to("x")).unwrap().ino(), fs::metadata(to("y")).unwrap().ino());
    assert_eq!(fs::metadata(to("x")).unwrap().modified().unwrap(), time(5_000_000_007));
    assert_eq!(fs::metadata(to("sub")).unwrap().modified().unwrap(), time(6_000_000_000));
    for (name, value) in [("x", b"n"), ("sub", b"d")] {
        let mut buffer = [0; 8];
        assert_eq!(lgetxattr(to(name), "user.note", &mut buffer), Ok(1), "{name}");
        assert_eq!(&buffer[..1], value);
    }
}

#[test]
fn a_mark_of_deletion_is_not_copied() {
    let bench = Bench::new().with(&["dir/"]);
    mknodat(CWD, bench.root.join("context/dir/x"), rustix::fs::FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    let error = bench.run(Line { sources: &["dir"], dest: "/", ..COPY }).unwrap_err().to_string();
    assert_eq!(error, "/x: a device 0/0 is overlayfs' mark of deletion and cannot be copied");
}

#[test]
fn holes_and_large_files_are_copied() {
    let bench = Bench::new().with(&["dir/"]);
    let bytes: Vec<u8> = (0u32..1_000_000).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    bench.root.write("context/dir/large", &bytes);
    let holes = File::create(bench.root.join("context/dir/holes")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, &bytes, 5 << 20).unwrap();
    holes.set_len(20 << 20).unwrap();
    bench.run(Line { sources: &["dir"], dest: "/", ..COPY }).unwrap();
    let at = |side: &str, name: &str| bench.root.join(side).join(name);
    for name in ["large", "holes"] {
        assert!(fs::read(at("context/dir", name)).unwrap() == fs::read(at("rootfs", name)).unwrap(), "{name}");
    }
    assert!(fs::metadata(at("rootfs", "holes")).unwrap().blocks() * 512 < 4 << 20);
}

#[test]
fn a_file_that_changes_under_way_is_an_error() {
    for change in [
        &(|path: &Path| fs::write(path, "other").unwrap()) as &dyn Fn(&Path),
        &|path| fs::remove_file(path).unwrap(),
        &|path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/passwd", path).unwrap();
        },
        &|path| {
            fs::remove_file(path).unwrap();
            mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        },
    ] {
        let bench = Bench::new().with(&["dir/x"]);
        let tree = bench.tree();
        let selection = tree.select(&Wanted { source: "dir", parents: Parents::Drop, exclude: &[] }).unwrap();
        change(&bench.root.join("context/dir/x"));
        let sources = &[Source::Selected(&tree, &selection)];
        let wanted = Copy { sources, dest: "/", owner: None, mode: None, archives: Archives::Keep };
        let error = copy(bench.rootfs().as_fd(), &wanted).unwrap_err();
        assert!(matches!(error, FilesError::Changed(_)), "{error}");
    }
}

#[test]
fn archives_are_unpacked_by_add_alone() {
    let tar =
        || Layer::new().dir("etc/", 0o700).file("etc/new", 0o640, "n").symlink("l", "etc").file("was-dir", 0o644, "");
    let packed = |compression| match compression {
        "gz" => testkit_gzip(&tar().tar()),
        _plain => tar().tar(),
    };
    for kind in ["plain", "gz"] {
        let bench = Bench::new().with(&["file"]);
        bench.root.write("context/a.tar", packed(kind));
        bench.root.write("context/not.tar", "no archive");
        bench.root.write("rootfs/d/was-dir/x", "");
        let line = |dest, archives| Line { sources: &["a.tar", "not.tar"], dest, archives, ..COPY };
        bench.run(line("/kept/", Archives::Keep)).unwrap();
        bench.run(line("/d/", Archives::Unpack)).unwrap();
        bench.run(Line { chown: "3:4", ..line("/e/f/", Archives::Unpack) }).unwrap();
        fs::remove_file(bench.root.join("rootfs/kept/a.tar")).unwrap();
        expect![[r#"
            /d/ 755
            /d/etc/ 700
            /d/etc/new 640 n
            /d/l -> etc
            /d/not.tar 644 no archive
            /d/was-dir 644 
            /e/ 755 3:4
            /e/f/ 755 3:4
            /e/f/etc/ 700 3:4
            /e/f/etc/new 640 3:4 n
            /e/f/l -> etc 3:4
            /e/f/not.tar 644 3:4 no archive
            /e/f/was-dir 644 3:4 
            /kept/ 755
            /kept/not.tar 644 no archive
        "#]]
        .assert_eq(&bench.listed());
    }
    let bench = Bench::new();
    bench.root.write("context/evil.tar", Layer::new().file("../../x", 0o644, "").tar());
    let refused =
        |source| bench.run(Line { sources: &[source], dest: "/d/", archives: Archives::Unpack, ..COPY }).unwrap_err();
    assert_eq!(refused("evil.tar").to_string(), "refused layer entry ../../x: it leads out of the destination");
}

fn testkit_gzip(bytes: &[u8]) -> Vec<u8> {
    // Stored blocks: no library is needed to write them.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let chunks = bytes.chunks(0xffff).count();
    for (n, chunk) in bytes.chunks(0xffff).enumerate() {
        let length = u16::try_from(chunk.len()).unwrap();
        packed.push(u8::from(n + 1 == chunks));
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(&(!length).to_le_bytes());
        packed.extend_from_slice(chunk);
    }
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    packed.extend_from_slice(&(!crc).to_le_bytes());
    packed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
    packed
}

#[test]
fn documents_and_downloads_are_files() {
    let bench = Bench::new();
    let file = File::open(bench.root.write("download", "bytes")).unwrap();
    let download = Source::Downloaded { file: &file, name: "got", modified_s: Some(77) };
    let sources = &[Source::Inline("run.sh", b"#!/bin/sh\n"), download];
    let wanted = |dest, mode: Option<&str>| Copy {
        sources,
        dest,
        owner: Some((3, 4)),
        mode: mode.map(|mode| mode.parse().unwrap()),
        archives: Archives::Keep,
    };
    copy(bench.rootfs().as_fd(), &wanted("/d/", None)).unwrap();
    copy(bench.rootfs().as_fd(), &wanted("/e/", Some("+x"))).unwrap();
    assert_eq!(fs::metadata(bench.root.join("rootfs/d/got")).unwrap().mtime(), 77);
    make_dir(bench.rootfs().as_fd(), "/d/work/dir", Some((5, 6))).unwrap();
    make_dir(bench.rootfs().as_fd(), "/d/work", Some((9, 9))).unwrap();
    expect![[r#"
        /d/ 755 3:4
        /d/got 600 3:4 bytes
        /d/run.sh 644 3:4 #!/bin/sh

        /d/work/ 755 5:6
        /d/work/dir/ 755 5:6
        /e/ 755 3:4
        /e/got 711 3:4 bytes
        /e/run.sh 755 3:4 #!/bin/sh

    "#]]
    .assert_eq(&bench.listed());
    let sum = hash_download(&file, None).unwrap();
    assert!(hash_download(&file, Some(&sum)).is_ok());
    let other = spec::digest::Digest::sha256(b"");
    let error = hash_download(&file, Some(&other)).unwrap_err().to_string();
    assert_eq!(error, format!("digest mismatch {sum}: {other}"));
}

#[test]
fn deep_trees_are_copied_or_refused() {
    for (depth, is_copied) in [(300, true), (600, false)] {
        let bench = Bench::new();
        fs::create_dir_all(bench.root.join("context").join("d/".repeat(depth))).unwrap();
        let copied = bench.run(Line { sources: &["."], dest: "/", ..COPY });
        assert_eq!(copied.is_ok(), is_copied, "{copied:?}");
    }
}

#[test]
fn odd_names_are_names() {
    let long = "n".repeat(255);
    let names = [&long, "a b", "\u{1b}[0m", "new\nline", "-rf", "caf\u{e9}", "\\", "'\""];
    let bench = Bench::new().with(&names);
    let odd = std::ffi::OsStr::new("bytes").to_owned();
    let odd = [odd.as_encoded_bytes(), b"\xff\xfe"].concat();
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&odd);
    fs::write(bench.root.join("context").join(odd), "odd").unwrap();
    bench.run(Line { sources: &["*"], dest: "/d/", ..COPY }).unwrap();
    for name in names {
        assert_eq!(fs::read_to_string(bench.root.join("rootfs/d").join(name)).unwrap(), name);
    }
    assert_eq!(fs::read_to_string(bench.root.join("rootfs/d").join(odd)).unwrap(), "odd");
    for dest in [&format!("/{long}{long}/x"), "/a\0b"] {
        let error = bench.run(Line { sources: &["-rf"], dest, ..COPY }).unwrap_err();
        assert!(matches!(error, FilesError::Io { .. }), "{error}");
    }
}

/// A stage's files keep their owners and capabilities, through real mounts and into a real draft.
#[test]
fn stages_are_copied_as_they_are() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let id = |n| ContainerId::from_bytes([n; 32]);
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let at = |fd: &std::os::fd::OwnedFd| {
        std::path::PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(fd)))
    };
    store.draft_on(&id(1), &[], "b").unwrap();
    let mount = store.mount(&id(1), Mount { id_maps: None }).unwrap();
    fs::create_dir(at(&mount).join("bin")).unwrap();
    fs::write(at(&mount).join("bin/ping"), "p").unwrap();
    std::os::unix::fs::chown(at(&mount).join("bin/ping"), Some(5), Some(6)).unwrap();
    lsetxattr(at(&mount).join("bin/ping"), "security.capability", &capability, XattrFlags::empty()).unwrap();
    drop(mount);
    let times = store::LayerTimes { epoch: spec::time::Time::from_ns(0), files: store::FileTimes::Clamp };
    let stage = store.layer_of(&id(1), times).unwrap().unwrap();
    let request = store::MountImage { id_maps: None, floor: store::Floor::Bare, beneath: None };
    let mount = store.mount_image(std::slice::from_ref(&stage.chain), request).unwrap();
    let tree = Tree::stage(mount, Some(&stage.chain), &store.build_cache_dir()).unwrap();
    let wanted = Wanted { source: "/bin", parents: Parents::Drop, exclude: &[] };
    let selection = tree.select(&wanted).unwrap();
    tree.remember();
    store.draft_on(&id(2), std::slice::from_ref(&stage.chain), "b").unwrap();
    let mount = store.mount(&id(2), Mount { id_maps: None }).unwrap();
    let sources = &[Source::Selected(&tree, &selection)];
    copy(mount.as_fd(), &Copy { sources, dest: "/sbin/", owner: None, mode: None, archives: Archives::Keep }).unwrap();
    let ping = at(&mount).join("sbin/ping");
    let mut value = [0; 20];
    assert_eq!(lgetxattr(&ping, "security.capability", &mut value), Ok(20));
    assert_eq!((value, fs::metadata(&ping).unwrap().uid(), fs::metadata(&ping).unwrap().gid()), (capability, 5, 6));
    drop(mount);
    let copied = store.layer_of(&id(2), times).unwrap().unwrap();
    assert_eq!(copied.size_bytes, 1);
    // What it is known by says all of that.
    let digest = selection.digest();
    assert_eq!(tree.select(&wanted).unwrap().digest(), digest);
    let again = |change: &dyn Fn(&Path)| {
        store.draft_on(&id(3), std::slice::from_ref(&stage.chain), "b").unwrap();
        let mount = store.mount(&id(3), Mount { id_maps: None }).unwrap();
        change(&at(&mount).join("bin"));
        let digest = Tree::stage(mount, None, &store.build_cache_dir()).unwrap().select(&wanted).unwrap().digest();
        store.remove_draft(&id(3)).unwrap();
        digest
    };
    assert_eq!(again(&|_| ()), digest);
    assert_eq!(again(&|bin| File::open(bin.join("ping")).unwrap().set_modified(SystemTime::now()).unwrap()), digest);
    assert_ne!(again(&|bin| std::os::unix::fs::chown(bin.join("ping"), Some(0), None).unwrap()), digest);
    assert_ne!(again(&|bin| fs::write(bin.join("more"), "").unwrap()), digest);
    assert_ne!(again(&|bin| fs::set_permissions(bin.join("ping"), fs::Permissions::from_mode(0o700)).unwrap()), digest);
    let unset = |bin: &Path| rustix::fs::lremovexattr(bin.join("ping"), "security.capability").unwrap();
    assert_ne!(again(&unset), digest);
}

/// For a person: `cargo test -p builder --release copy -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn two_thousand_small_files() {
    let bench = Bench::new();
    for n in 0..2_000 {
        bench.root.write(&format!("context/{}/{n}", n / 50), vec![7; 1_000 + n]);
    }
    let store = Store::open(&bench.root.join("store")).unwrap();
    let id = ContainerId::from_bytes([1; 32]);
    store.draft_on(&id, &[], "b").unwrap();
    let tree = bench.tree();
    let start = std::time::Instant::now();
    let wanted = Wanted { source: ".", parents: Parents::Drop, exclude: &[] };
    let selection = tree.select(&wanted).unwrap();
    let selected = start.elapsed();
    let mount = store.mount(&id, Mount { id_maps: None }).unwrap();
    let sources = &[Source::Selected(&tree, &selection)];
    let start = std::time::Instant::now();
    copy(mount.as_fd(), &Copy { sources, dest: "/", owner: None, mode: None, archives: Archives::Keep }).unwrap();
    println!("selected in {selected:?}, copied in {:?}", start.elapsed());
}

/// One thing of a random tree.
#[derive(Clone, Debug)]
enum Planted {
    File(Vec<u8>, u32),
    Dir(u32),
    Link(String),
    Hard(usize),
}

fn planted() -> impl proptest::strategy::Strategy<Value = Vec<(String, Planted)>> {
    use proptest::prelude::*;
    let thing = prop_oneof![
        (proptest::collection::vec(0u8..3, 0..4), 0o600u32..0o604).prop_map(|(bytes, mode)| Planted::File(bytes, mode)),
        (0o700u32..0o702).prop_map(Planted::Dir),
        "[ab]".prop_map(Planted::Link),
        (0usize..3).prop_map(Planted::Hard),
    ];
    proptest::collection::vec(("[ab](/[ab]){0,2}", thing), 0..6)
}

fn plant(root: &Path, things: &[(String, Planted)], second: u64) {
    let mut files: Vec<std::path::PathBuf> = Vec::new();
    for (path, thing) in things {
        let path = root.join(path);
        let parent = path.parent().unwrap();
        if parent.starts_with(root) && fs::create_dir_all(parent).is_err() || path.symlink_metadata().is_ok() {
            continue;
        }
        match thing {
            Planted::File(bytes, mode) => {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
                files.push(path);
            }
            Planted::Dir(mode) => {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Planted::Link(target) => symlink(target, &path).unwrap(),
            Planted::Hard(n) => {
                if let Some(first) = files.get(*n) {
                    fs::hard_link(first, &path).unwrap();
                }
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(12))]
    /// What a selection is known by is what its layer is known by.
    #[test]
    fn selections_are_equal_where_their_layers_are(one in planted(), two in planted()) {
        let root = Root::new();
        let store = Store::open(&root.join("store")).unwrap();
        let times = store::LayerTimes { epoch: spec::time::Time::from_ns(0), files: store::FileTimes::AllEpoch };
        let mut made = Vec::new();
        for (n, things) in [(1, &one), (2, &one), (3, &two)] {
            let dir = root.join(n.to_string());
            fs::create_dir(&dir).unwrap();
            plant(&dir, things, u64::from(n) * 1_000);
            let tree = Tree::directory(&dir, &root.join("cache")).unwrap();
            let selection = tree.select(&Wanted { source: ".", parents: Parents::Drop, exclude: &[] }).unwrap();
            let id = ContainerId::from_bytes([n; 32]);
            store.draft_on(&id, &[], "b").unwrap();
            let mount = store.mount(&id, Mount { id_maps: None }).unwrap();
            let sources = &[Source::Selected(&tree, &selection)];
            let wanted = Copy { sources, dest: "/", owner: None, mode: None, archives: Archives::Keep };
            copy(mount.as_fd(), &wanted).unwrap();
            drop(mount);
            made.push((selection.digest(), store.layer_of(&id, times).unwrap().map(|layer| layer.diff_id)));
        }
        proptest::prop_assert_eq!(&made[0], &made[1]);
        proptest::prop_assert_eq!(made[0].0 == made[2].0, made[0].1 == made[2].1, "{:?}", made);
    }
}
