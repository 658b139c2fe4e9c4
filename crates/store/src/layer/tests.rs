//! Layers as they come from enemies, from other tar programs, and from chance.

use std::fs;
use std::io::Cursor;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::tar::tests::{END, any_entry, header, link, member, records, write};

const FREE: Limits = Limits { entries: u64::MAX, bytes: u64::MAX };

/// A directory for a layer, beside one that must stay as it is.
struct Place(testkit::Root);

impl Place {
    fn new() -> Place {
        let place = Place(testkit::Root::new());
        fs::create_dir(place.0.join("layer")).unwrap();
        place.0.write("outside/secret", "secret");
        place
    }

    fn layer(&self) -> fs::File {
        fs::File::open(self.0.join("layer")).unwrap()
    }

    fn apply(&self, archive: &[u8], limits: Limits) -> (Result<Applied, LayerError>, Vec<u8>) {
        let mut recipe = Vec::new();
        let options = Options { whiteouts: Whiteouts::Trusted, limits, recording: Recording::To(&mut recipe) };
        let applied = apply(archive, self.layer().as_fd(), options);
        assert_eq!(listing(&self.0.join("outside")), "secret 644 0:0 = secret\n", "something outside was touched");
        (applied, recipe)
    }

    /// How the directory differs from what the archive must have left.
    fn differences(&self, archive: &[u8], applied: &Applied) -> Vec<String> {
        let expected = expect(archive).unwrap().unwrap();
        let found = compare(expected, &self.0.join("layer"), applied.xattrs_left_out).unwrap();
        found.into_iter().map(|(path, what)| format!("{path}: {what}")).collect()
    }

    fn assemble(&self, recipe: Vec<u8>) -> Result<Vec<u8>, String> {
        let layer = self.layer();
        let mut tar = assemble(layer.as_fd(), Cursor::new(recipe)).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut tar, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

/// Everything below a directory, one line each.
fn listing(dir: &Path) -> String {
    let mut lines = String::new();
    list(dir, dir, &mut lines);
    lines
}

fn list(root: &Path, dir: &Path, lines: &mut String) {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let what = match () {
            () if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
            () if kind.is_dir() => "/".to_owned(),
            () if kind.is_char_device() && meta.rdev() == 0 => "deleted".to_owned(),
            () if kind.is_char_device() => format!("char {:x}", meta.rdev()),
            () if kind.is_block_device() => format!("block {:x}", meta.rdev()),
            () if kind.is_fifo() => "fifo".to_owned(),
            () if meta.nlink() > 1 => format!("= {} x{}", contents(&path), meta.nlink()),
            () => format!("= {}", contents(&path)),
        };
        let mut opaque = [0; 8];
        let opaque =
            rustix::fs::lgetxattr(&path, "trusted.overlay.opaque", &mut opaque[..]).map_or("", |_len| " opaque");
        let name = path.strip_prefix(root).unwrap().display();
        *lines += &format!("{name} {:o} {}:{} {what}{opaque}\n", meta.mode() & 0o7777, meta.uid(), meta.gid());
        if kind.is_dir() {
            list(root, &path, lines);
        }
    }
}

fn contents(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// The layer that an archive makes, or why it is refused. What is applied must come back byte for byte.
#[track_caller]
fn check(parts: &[&[u8]], expected: Expect) {
    let place = Place::new();
    let archive = [parts.concat(), END.to_vec()].concat();
    let (applied, recipe) = place.apply(&archive, FREE);
    let seen = match applied {
        Ok(applied) => {
            assert_eq!(place.differences(&archive, &applied), [""; 0]);
            assert_eq!(place.assemble(recipe).as_deref(), Ok(&archive[..]), "does not come back");
            listing(&place.0.join("layer"))
        }
        Err(error) => format!("error: {error}\n"),
    };
    expected.assert_eq(&seen);
}

fn file(name: &str, body: &str) -> Vec<u8> {
    member(name.as_bytes(), b'0', body.as_bytes())
}

fn dir(name: &str) -> Vec<u8> {
    header(name.as_bytes(), b'5', 0, |block| block[100..107].copy_from_slice(b"0000750"))
}

fn symlink(name: &str, target: &str) -> Vec<u8> {
    link(name.as_bytes(), b'2', target.as_bytes())
}

fn hardlink(name: &str, target: &str) -> Vec<u8> {
    link(name.as_bytes(), b'1', target.as_bytes())
}

fn device(name: &str, flag: u8, major: u8, minor: u8) -> Vec<u8> {
    header(name.as_bytes(), flag, 0, |block| {
        block[329..336].copy_from_slice(format!("{major:07o}").as_bytes());
        block[337..344].copy_from_slice(format!("{minor:07o}").as_bytes());
    })
}

#[test]
fn names_that_would_leave_the_layer() {
    check(
        &[&file("/etc/passwd", "x")],
        expect![[r#"
        etc 755 0:0 /
        etc/passwd 644 0:0 = x
    "#]],
    );
    check(
        &[&file("../outside/secret", "x")],
        expect![[r#"
        error: refused layer entry ../outside/secret: a name may not hold ".."
    "#]],
    );
    check(
        &[&file("a/../../outside/secret", "x")],
        expect![[r#"
        error: refused layer entry a/../../outside/secret: a name may not hold ".."
    "#]],
    );
    check(
        &[&file("a/..", "x")],
        expect![[r#"
        error: refused layer entry a/..: a name may not hold ".."
    "#]],
    );
    check(&[&file("./", "")], expect![]);
    check(
        &[&file(".", "x")],
        expect![[r#"
        error: refused layer entry .: the root can be nothing but a directory
    "#]],
    );
    check(&[&file("///", "")], expect![]);
    check(
        &[&records(&[("path", b"../x")]), &file("x", "")],
        expect![[r#"
        error: refused layer entry ../x: a name may not hold ".."
    "#]],
    );
}

#[test]
fn symbolic_links_lead_nowhere_outside() {
    // Docker resolves them in a chroot: absolute from the layer's root, ".." not above it.
    check(
        &[&symlink("l", "../outside"), &file("l/secret", "x")],
        expect![[r#"
            error: refused layer entry l: it is a symbolic link to no directory of this layer, yet entries lie below it
        "#]],
    );
    check(
        &[&dir("outside"), &symlink("l", "../../../outside"), &file("l/secret", "x")],
        expect![[r#"
        l 777 0:0 -> ../../../outside
        outside 750 0:0 /
        outside/secret 644 0:0 = x
    "#]],
    );
    check(
        &[&dir("usr/lib"), &symlink("lib", "/usr/lib"), &file("lib/a", "x"), &file("lib/b", "y")],
        expect![[r#"
        lib 777 0:0 -> /usr/lib
        usr 755 0:0 /
        usr/lib 750 0:0 /
        usr/lib/a 644 0:0 = x
        usr/lib/b 644 0:0 = y
    "#]],
    );
    check(
        &[&symlink("l", "/proc/self/root"), &file("l/etc/x", "x")],
        expect![[r#"
            error: refused layer entry l: it is a symbolic link to no directory of this layer, yet entries lie below it
        "#]],
    );
    check(
        &[&symlink("a", "b"), &symlink("b", "a"), &file("a/x", "x")],
        expect![[r#"
        error: refused layer entry a: too many symbolic links on the way
    "#]],
    );
    // Through several, one within the text of another.
    check(
        &[&dir("d/e"), &symlink("one", "d"), &symlink("two", "one/e/.."), &file("two/e/x", "x")],
        expect![[r#"
        d 755 0:0 /
        d/e 750 0:0 /
        d/e/x 644 0:0 = x
        one 777 0:0 -> d
        two 777 0:0 -> one/e/..
    "#]],
    );
}

#[test]
fn a_link_is_never_written_through_by_its_own_name() {
    check(
        &[&symlink("l", "../outside/secret"), &file("l", "x")],
        expect![[r#"
        l 644 0:0 = x
    "#]],
    );
    check(
        &[&symlink("l", "../outside"), &dir("l"), &file("l/secret", "x")],
        expect![[r#"
        l 750 0:0 /
        l/secret 644 0:0 = x
    "#]],
    );
    // The cached directory is not used once it is something else.
    check(
        &[&file("d/a", "1"), &symlink("d2", "../outside"), &hardlink("d3", "d2"), &file("d3/secret", "x")],
        expect![[r#"
            error: refused layer entry d3: it is a symbolic link to no directory of this layer, yet entries lie below it
        "#]],
    );
    check(
        &[&file("d/e/a", "1"), &symlink("d", "../outside"), &file("d/e/secret", "x")],
        expect![[r#"
            error: refused layer entry d: it is a symbolic link to no directory of this layer, yet entries lie below it
        "#]],
    );
}

#[test]
fn hard_links() {
    check(
        &[&file("a", "1"), &hardlink("b", "a"), &hardlink("c/d", "/./b")],
        expect![[r#"
        a 644 0:0 = 1 x3
        b 644 0:0 = 1 x3
        c 755 0:0 /
        c/d 644 0:0 = 1 x3
    "#]],
    );
    check(
        &[&hardlink("b", "/etc/passwd")],
        expect![[r#"
        error: refused layer entry b: a hard link to /etc/passwd: no such directory in this layer
    "#]],
    );
    check(
        &[&hardlink("b", "../outside/secret")],
        expect![[r#"
        error: refused layer entry b: a hard link to ../outside/secret: a name may not hold ".."
    "#]],
    );
    check(
        &[&symlink("l", "../outside"), &hardlink("b", "l/secret")],
        expect![[r#"
            error: refused layer entry b: a hard link to l/secret: it is a symbolic link to no directory of this layer, yet entries lie below it
        "#]],
    );
    check(
        &[&symlink("l", "../outside/secret"), &hardlink("b", "l"), &file("b", "x")],
        expect![[r#"
        b 644 0:0 = x
        l 777 0:0 -> ../outside/secret
    "#]],
    );
    check(
        &[&dir("d"), &hardlink("b", "d")],
        expect![[r#"
        error: refused layer entry b: a hard link to d: that is a directory
    "#]],
    );
    check(
        &[&file("a", "1"), &hardlink("a", "./a")],
        expect![[r#"
        error: refused layer entry a: a hard link to ./a: that is itself
    "#]],
    );
    check(
        &[&file("a/b", "1"), &hardlink("a", "a/b")],
        expect![[r#"
        error: refused layer entry a: a hard link to a/b: that lies below it
    "#]],
    );
    check(
        &[&file(".wh.a", ""), &hardlink("b", "a")],
        expect![[r#"
        error: refused layer entry b: a hard link to a: that name is deleted
    "#]],
    );
    // The first name is replaced: the second keeps the body.
    check(
        &[&file("a", "1"), &hardlink("b", "a"), &file("a", "2")],
        expect![[r#"
        a 644 0:0 = 2
        b 644 0:0 = 1
    "#]],
    );
}

#[test]
fn devices_are_made_and_never_opened() {
    check(
        &[&device("null", b'3', 1, 3), &device("sda", b'4', 8, 0), &device("pipe", b'6', 0, 0)],
        expect![[r#"
        null 644 0:0 char 103
        pipe 644 0:0 fifo
        sda 644 0:0 block 800
    "#]],
    );
    // Written: a new file, not the device or the pipe (which would block).
    check(
        &[&device("null", b'3', 1, 3), &file("null", "x"), &device("p", b'6', 0, 0), &file("p", "y")],
        expect![[r#"
        null 644 0:0 = x
        p 644 0:0 = y
    "#]],
    );
    check(
        &[&device("p", b'6', 0, 0), &file("p/x", "x")],
        expect![[r#"
        error: refused layer entry p: not a directory, yet entries lie below it
    "#]],
    );
    check(
        &[&device("gone", b'3', 0, 0), &device("d/gone", b'3', 0, 0)],
        expect![[r#"
        d 755 0:0 /
        d/gone 0 0:0 deleted
        gone 0 0:0 deleted
    "#]],
    );
    let absurd = header(b"d", b'3', 0, |block| block[329..337].copy_from_slice(b"\x80\0\0\0\0\0\x10\0"));
    check(
        &[&absurd],
        expect![[r#"
        error: refused layer entry d: device numbers that Linux does not have
    "#]],
    );
}

#[test]
fn whiteouts() {
    check(
        &[&file(".wh.a", ""), &file("d/.wh.b", ""), &dir("o"), &file("o/.wh..wh..opq", "")],
        expect![[r#"
        a 0 0:0 deleted
        d 755 0:0 /
        d/b 0 0:0 deleted
        o 750 0:0 / opaque
    "#]],
    );
    // What this layer has under the name stays, in whichever order; a directory hides the lower one.
    check(
        &[&file("a", "1"), &file(".wh.a", "")],
        expect![[r#"
        a 644 0:0 = 1
    "#]],
    );
    check(
        &[&file(".wh.a", ""), &file("a", "1")],
        expect![[r#"
        a 644 0:0 = 1
    "#]],
    );
    check(
        &[&dir("d"), &file(".wh.d", "")],
        expect![[r#"
        d 750 0:0 / opaque
    "#]],
    );
    check(
        &[&file(".wh.d", ""), &dir("d")],
        expect![[r#"
        d 750 0:0 / opaque
    "#]],
    );
    check(
        &[&file(".wh.d", ""), &file("d/x", "1")],
        expect![[r#"
        d 755 0:0 / opaque
        d/x 644 0:0 = 1
    "#]],
    );
    // aufs' own files are nothing.
    check(
        &[&file(".wh..wh.plnk/1.2", "body"), &file(".wh..wh.aufs", ""), &file("a", "1")],
        expect![[r#"
        a 644 0:0 = 1
    "#]],
    );
    check(
        &[&file(".wh.", "")],
        expect![[r#"
        error: refused layer entry .wh.: a whiteout of no name
    "#]],
    );
    check(
        &[&file(".wh..", "")],
        expect![[r#"
        error: refused layer entry .wh..: a whiteout of no name
    "#]],
    );
    check(
        &[&file("d/.wh...", "")],
        expect![[r#"
        error: refused layer entry d/.wh...: a whiteout of no name
    "#]],
    );
    check(
        &[&file(".wh.a/b", "")],
        expect![[r#"
        error: refused layer entry .wh.a/b: it lies below a whiteout
    "#]],
    );
}

#[test]
fn later_entries_replace_earlier_ones() {
    check(
        &[&file("a", "1"), &file("a", "22"), &file("a", "333")],
        expect![[r#"
        a 644 0:0 = 333
    "#]],
    );
    check(
        &[&file("a", "1"), &dir("a"), &file("a/b", "2")],
        expect![[r#"
        a 750 0:0 /
        a/b 644 0:0 = 2
    "#]],
    );
    check(
        &[&file("a/b/c", "1"), &file("a/b/d", "2"), &file("a", "3")],
        expect![[r#"
        a 644 0:0 = 3
    "#]],
    );
    check(
        &[&dir("a"), &file("a/b", "1"), &header(b"a", b'5', 0, |b| b[100..107].copy_from_slice(b"0001777"))],
        expect![[r#"
            a 1777 0:0 /
            a/b 644 0:0 = 1
        "#]],
    );
    check(
        &[&file("a", "1"), &file("a/b", "2")],
        expect![[r#"
        error: refused layer entry a: not a directory, yet entries lie below it
    "#]],
    );
    check(
        &[&file("d/a", "1"), &symlink("d/a", "x"), &device("d/a", b'6', 0, 0), &file("d", "2")],
        expect![[r#"
        d 644 0:0 = 2
    "#]],
    );
}

#[test]
fn overlay_attributes_are_left_out() {
    let place = Place::new();
    let attributes = records(&[
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.kept", b"a\0b"),
    ]);
    let archive = [&attributes[..], &dir("d"), &attributes, &file("f", "1"), &END].concat();
    let (applied, recipe) = place.apply(&archive, FREE);
    let applied = applied.unwrap();
    assert_eq!(applied, Applied { entries: 2, bytes: 1, whiteouts: 0, xattrs_left_out: 6 });
    assert_eq!(place.differences(&archive, &applied), [""; 0]);
    for name in ["d", "f"] {
        let mut names = [0; 200];
        let len = rustix::fs::llistxattr(place.0.join("layer").join(name), &mut names[..]).unwrap();
        assert_eq!(&names[..len], b"user.kept\0");
    }
    assert_eq!(place.assemble(recipe).unwrap(), archive);
}

#[test]
fn attributes_are_set() {
    let place = Place::new();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let pax = records(&[
        ("mtime", b"1234567890.123456789"),
        ("uid", b"3000000"),
        ("SCHILY.xattr.security.capability", &capability),
    ]);
    let mode = |block: &mut [u8; 512]| block[100..107].copy_from_slice(b"0006755");
    let deep = [
        records(&[("mtime", b"-1.5")]),
        dir("d"),
        pax.clone(),
        header(b"d/f", b'0', 0, mode),
        records(&[("mtime", b"77.000000001")]),
        symlink("d/l", "x"),
        file("new/parent/x", "1"),
    ];
    let archive = [deep.concat(), END.to_vec()].concat();
    let (applied, _recipe) = place.apply(&archive, FREE);
    let applied = applied.unwrap();
    assert_eq!(applied.xattrs_left_out, 0);
    assert_eq!(place.differences(&archive, &applied), [""; 0]);
    let at = |name: &str| fs::symlink_metadata(place.0.join("layer").join(name)).unwrap();
    assert_eq!((at("d").mtime(), at("d").mtime_nsec()), (-2, 500_000_000));
    assert_eq!((at("d/f").mtime(), at("d/f").mtime_nsec()), (1_234_567_890, 123_456_789));
    assert_eq!((at("d/f").uid(), at("d/f").mode()), (3_000_000, 0o106_755));
    assert_eq!((at("d/l").mtime(), at("d/l").mtime_nsec()), (77, 1));
    assert_eq!((at("new").mtime(), at("new/parent").mode() & 0o7777), (0, 0o755));
    let mut value = [0; 64];
    let len = rustix::fs::lgetxattr(place.0.join("layer/d/f"), "security.capability", &mut value[..]).unwrap();
    assert_eq!(&value[..len], capability);
}

#[test]
fn size_lies_and_cut_archives() {
    check(
        &[&records(&[("size", b"1024")]), &file("a", ""), &file("hidden", "")],
        expect![[r#"
        error: bad archive: a: two sizes: 0 in the header, 1024 in its PAX records
    "#]],
    );
    let place = Place::new();
    let (applied, _recipe) = place.apply(&file("a", &"x".repeat(2000))[..1500], FREE);
    expect!["the archive is cut short: it ends within a"].assert_eq(&applied.unwrap_err().to_string());
    let mut bad = file("b", "");
    bad[0] = b'c';
    check(
        &[&file("a", "1"), &bad],
        expect![[r#"
        error: bad archive: a: followed by no tar header (wrong checksum)
    "#]],
    );
    check(
        &[&records(&[("comment", &vec![b'x'; 2 << 20])]), &file("a", "")],
        expect![[r#"
        error: bad archive: PaxHeader: an extended header of more than 1 MiB
    "#]],
    );
}

#[test]
fn bombs() {
    let place = Place::new();
    let error = |parts: &[&[u8]], limits| place.apply(&parts.concat(), limits).0.unwrap_err().to_string();
    let few = Limits { entries: 2, bytes: u64::MAX };
    expect!["the layer is larger than allowed: more than 2 entries"]
        .assert_eq(&error(&[&file("a", ""), &file("b", ""), &file("c", "")], few));
    let small = Limits { entries: u64::MAX, bytes: 1000 };
    expect!["the layer is larger than allowed: more than 1000 bytes"]
        .assert_eq(&error(&[&file("a", &"x".repeat(999)), &file("b", "xx")], small));
    let hole = records(&[("GNU.sparse.size", b"9000000000000"), ("GNU.sparse.map", b"0,1")]);
    expect!["the layer is larger than allowed: more than 1000 bytes"]
        .assert_eq(&error(&[&hole, &file("a", "x")], small));
    expect!["the layer is larger than allowed: more than 1000 bytes"].assert_eq(&error(&[&END, &[0; 2000]], small));
    // 600 levels, as two names that PAX can hold: the second through a link to the end of the first.
    let deep = "d/".repeat(400);
    let below = format!("l/{}x", "e/".repeat(400));
    let long = |name: &str| records(&[("path", name.as_bytes())]);
    let target = records(&[("linkpath", deep.as_bytes())]);
    let parts = [&long(&deep)[..], &dir("x"), &target, &symlink("l", "x"), &long(&below), &file("x", "")];
    assert!(error(&parts, FREE).contains("more than 512 directories deep"), "{}", error(&parts, FREE));
}

#[test]
fn what_follows_the_end_comes_back() {
    let place = Place::new();
    let archive = [&file("a", "1")[..], &END, &[0; 700], b"appended"].concat();
    let (applied, recipe) = place.apply(&archive, FREE);
    applied.unwrap();
    assert_eq!(place.assemble(recipe).unwrap(), archive);
}

#[test]
fn literal_names_and_no_recording() {
    let place = Place::new();
    let archive = [&file(".wh.a", "1")[..], &file(".wh..wh..opq", "2"), &END].concat();
    let options = Options { whiteouts: Whiteouts::Literal, limits: FREE, recording: Recording::Off };
    apply(&archive[..], place.layer().as_fd(), options).unwrap();
    expect![[r#"
        .wh..wh..opq 644 0:0 = 2
        .wh.a 644 0:0 = 1
    "#]]
    .assert_eq(&listing(&place.0.join("layer")));
}

#[test]
fn a_changed_directory_is_noticed() {
    let place = Place::new();
    let archive = [&file("a", "1234")[..], &END].concat();
    let (_applied, recipe) = place.apply(&archive, FREE);
    let a = place.0.join("layer/a");
    fs::File::options().write(true).open(&a).unwrap().set_len(2).unwrap();
    expect!["the layer's directory has changed: a: it is shorter"]
        .assert_eq(&place.assemble(recipe.clone()).unwrap_err());
    fs::remove_file(&a).unwrap();
    std::os::unix::fs::symlink("../outside/secret", &a).unwrap();
    expect!["the layer's directory has changed: a: Too many levels of symbolic links (os error 40)"]
        .assert_eq(&place.assemble(recipe.clone()).unwrap_err());
    expect!["damaged layer recipe: it is cut short"]
        .assert_eq(&place.assemble(recipe[..recipe.len() - 1].to_vec()).unwrap_err());
    expect!["damaged layer recipe: not a layer recipe"]
        .assert_eq(&place.assemble(b"something else".to_vec()).unwrap_err());
}

/// What is said of a layer after `script` ran in its directory.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "damage is planted with the usual tools")]
fn check_damage(script: &str, expected: Expect) {
    let place = Place::new();
    let kept = records(&[("SCHILY.xattr.user.kept", b"1")]);
    let parts = [
        dir("d"),
        file("d/f", "body"),
        kept,
        file("e", ""),
        symlink("l", "d/f"),
        hardlink("h", "d/f"),
        device("n", b'3', 1, 3),
        file(".wh.gone", ""),
        file("o/.wh..wh..opq", ""),
        END.to_vec(),
    ];
    let archive = parts.concat();
    let applied = place.apply(&archive, FREE).0.unwrap();
    assert_eq!(place.differences(&archive, &applied), [""; 0]);
    let status = Command::new("sh").args(["-ec", script]).current_dir(place.0.join("layer")).status().unwrap();
    assert!(status.success(), "{script}");
    expected.assert_eq(&place.differences(&archive, &applied).join("\n"));
}

#[test]
fn each_difference_is_named() {
    check_damage("echo more >> d/f; touch -d @0 d/f", expect!["/h: its size is 9, not 4"]);
    check_damage("truncate -s 1M e; touch -d @0 e", expect!["/e: its size is 1048576, not 0"]);
    check_damage(
        "touch extra; mkdir -p new/dir",
        expect![[r#"
        /extra: it does not belong to the layer
        /new: it does not belong to the layer
        /new/dir: it does not belong to the layer"#]],
    );
    check_damage(
        "chmod 4755 d/f; chmod 755 d; chmod 700 .",
        expect![[r#"
        /: its mode is 700, not 755
        /d: its mode is 755, not 750
        /h: its mode is 4755, not 644"#]],
    );
    check_damage(
        "chown 1:2 e; chown -h 3:4 l",
        expect![[r#"
        /e: its owner is 1:2, not 0:0
        /l: its owner is 3:4, not 0:0"#]],
    );
    check_damage(
        "touch -d @0.000000001 e; touch -hd @5 l; touch -d @6 d",
        expect![[r#"
        /d: its time is 6.000000000, not 0.000000000
        /e: its time is 0.000000001, not 0.000000000
        /l: its time is 5.000000000, not 0.000000000"#]],
    );
}

#[test]
fn each_difference_of_attributes_and_kinds_is_named() {
    check_damage(
        "setfattr -n user.new -v 1 e; setfattr -n trusted.overlay.redirect -v /etc o",
        expect![[r#"
        /e: it has the attribute user.new
        /o: it has the attribute trusted.overlay.redirect"#]],
    );
    check_damage(
        "setfattr -n user.kept -v 2 e; setfattr -n security.capability -v 0sAQAAAgAEAAAAAAAAAAAAAAAAAAA= d/f",
        expect![[r#"
        /e: its attribute user.kept has changed
        /h: it has the attribute security.capability"#]],
    );
    check_damage("setfattr -x user.kept e", expect!["/e: it lacks the attribute user.kept"]);
    check_damage("ln -sfn elsewhere l; touch -hd @0 l", expect!["/l: it leads to elsewhere, not to d/f"]);
    check_damage(
        "cp -p h new; mv new h",
        expect![[r#"
        /h: its link count is 1, not 2
        /d/f: it is no hard link any more
        /d/f: its link count is 1, not 2"#]],
    );
    check_damage(
        "rm h; ln e also",
        expect![[r#"
        /also: it does not belong to the layer
        /e: its link count is 2, not 1
        /d/f: its link count is 1, not 2
        /h: it is missing"#]],
    );
    check_damage("rm n; mknod -m 644 n c 1 5; touch -d @0 n", expect!["/n: its device is 1/5, not 1/3"]);
    check_damage("rm n; mkfifo -m 644 n; touch -d @0 n", expect!["/n: it is a pipe, not a character device"]);
    check_damage(
        "rm gone; mknod d/hidden c 0 0; touch -d @0 d",
        expect![[r#"
        /d/hidden: it does not belong to the layer
        /gone: it is missing"#]],
    );
    check_damage(
        "rm gone; touch gone; setfattr -x trusted.overlay.opaque o; setfattr -n trusted.overlay.opaque -v y d",
        expect![[r#"
        /d: it has the attribute trusted.overlay.opaque
        /gone: it is a file, not a character device
        /o: it does not hide lower layers any more"#]],
    );
    check_damage(
        "rm -r d",
        expect![[r#"
        /h: its link count is 1, not 2
        /d: it is missing
        /d/f: it is missing"#]],
    );
}

/// The format: `docs/formats/recipe.md`. The chunks are unpacked here, because zstd's output may change.
#[test]
fn golden_recipe() {
    let place = Place::new();
    let archive = [&file("d/a", "old")[..], &file("d/a", "new!"), &END].concat();
    let (_applied, recipe) = place.apply(&archive, FREE);
    assert_eq!(recipe[..12], *b"kistrecp\x01\0\0\0");
    let mut at = 12;
    let mut seen = String::new();
    while at < recipe.len() {
        let word = |at: usize| usize::try_from(recipe::number(&recipe[at..at + 4])).unwrap();
        let (ordinal, unpacked, packed) = (word(at + 1), word(at + 5), word(at + 9));
        let bytes = zstd::bulk::decompress(&recipe[at + 13..at + 13 + packed], unpacked).unwrap();
        let mut shown = bytes.escape_ascii().to_string();
        for zeros in [1535, 1024, 509, 508, 365, 100, 93, 92, 91, 90, 12, 8] {
            shown = shown.replace(&r"\x00".repeat(zeros), &format!("<{zeros} zeros>"));
        }
        seen += &format!("{} {ordinal} {shown}\n", char::from(recipe[at]));
        at += 13 + packed;
    }
    expect![[r#"
        K 0 old
        S 0 \x01\x00\x02\x00\x00d/a<93 zeros>\x00\x00\x00\x000000644<12 zeros>\x00\x00\x00\x00\x0000000000003<12 zeros>\x00004044\x00 0<100 zeros>ustar\x0000<100 zeros><100 zeros><12 zeros><12 zeros><12 zeros><8 zeros>\x00\x00\x00\x02\x03\x00\x00\x00d/a<8 zeros>\x03\x00\x00\x00\x00\x00\x00\x00\x01\xfd\x03<509 zeros>\x00\x00d/a<93 zeros>\x00\x00\x00\x000000644<12 zeros>\x00\x00\x00\x00\x0000000000004<12 zeros>\x00004045\x00 0<100 zeros>ustar\x0000<100 zeros><100 zeros><12 zeros><12 zeros><12 zeros><8 zeros>\x00\x00\x00\x02\x03\x00\x00\x00d/a<8 zeros>\x04\x00\x00\x00\x00\x00\x00\x00\x01\xfc\x05<1024 zeros><509 zeros>\x00
        E 0 \x00\x0c\x00\x00\x00\x00\x00\x00
    "#]].assert_eq(&seen);
}

#[test]
fn diff_gives_the_layer_back() {
    let place = Place::new();
    let pax = records(&[("mtime", b"5.25"), ("SCHILY.xattr.user.x", b"y")]);
    let archive = [
        dir("d"),
        pax,
        file("d/f", "body"),
        hardlink("e", "d/f"),
        symlink("l", "t"),
        device("null", b'3', 1, 3),
        file(".wh.gone", ""),
        file("d/.wh..wh..opq", ""),
        END.to_vec(),
    ];
    place.apply(&archive.concat(), FREE).0.unwrap();
    let mut tar = Vec::new();
    let written = diff(place.layer().as_fd(), &mut tar, Whiteouts::Trusted).unwrap();
    assert_eq!(written, Written { entries: 7, bytes: 4 });
    let mut reader = crate::tar::Reader::new(&tar[..]);
    let mut seen = String::new();
    while let Some(entry) = reader.next().unwrap() {
        let path = String::from_utf8(entry.path).unwrap();
        seen += &format!("{path} {:?} {:o} {:?} {:?}\n", entry.kind, entry.mode, entry.mtime, entry.xattrs);
    }
    expect![[r#"
        d Dir 750 Time { sec: 0, nsec: 0 } {}
        d/.wh..wh..opq File { size: 0, sparse: None } 600 Time { sec: 0, nsec: 0 } {}
        d/f File { size: 4, sparse: None } 644 Time { sec: 5, nsec: 250000000 } {[117, 115, 101, 114, 46, 120]: [121]}
        e HardLink { target: [100, 47, 102] } 644 Time { sec: 5, nsec: 250000000 } {}
        .wh.gone File { size: 0, sparse: None } 600 Time { sec: 0, nsec: 0 } {}
        l Symlink { target: [116] } 777 Time { sec: 0, nsec: 0 } {}
        null Char(Device { major: 1, minor: 3 }) 644 Time { sec: 0, nsec: 0 } {}
    "#]]
    .assert_eq(&seen);
    let again = Place::new();
    again.apply(&tar, FREE).0.unwrap();
    assert_eq!(listing(&again.0.join("layer")), listing(&place.0.join("layer")));

    fs::File::create(place.0.join("layer/.wh.x")).unwrap();
    let error = diff(place.layer().as_fd(), io::sink(), Whiteouts::Trusted).unwrap_err();
    expect!["refused layer entry .wh.x: in a layer such a name means a deleted file"].assert_eq(&error.to_string());
}

#[test]
fn compressions() {
    let unpack = |bytes: &[u8], ratio| -> Result<(Compression, Vec<u8>), String> {
        let (compression, mut reader) = decompress(bytes, ratio).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        io::Read::read_to_end(&mut reader, &mut out).map_err(|error| error.to_string())?;
        Ok((compression, out))
    };
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packer, bytes).unwrap();
        packer.finish().unwrap()
    };
    let members = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(unpack(&members, Ratio::GUARDED), Ok((Compression::Gzip, b"one two".to_vec())));
    let zstd = zstd::encode_all(&b"three"[..], 1).unwrap();
    assert_eq!(unpack(&zstd, Ratio::GUARDED), Ok((Compression::Zstd, b"three".to_vec())));
    assert_eq!(unpack(b"abc", Ratio::GUARDED), Ok((Compression::None, b"abc".to_vec())));
    assert_eq!(unpack(b"", Ratio::GUARDED), Ok((Compression::None, Vec::new())));
    // `printf five`, by xz(1) and bzip2(1).
    const XZ: &str = "fd377a585a0000016922de360200210116000000742fe5a30100036669766500cbccb23c000118046be9f0a59042990d010000000001595a";
    const BZIP2: &str = "425a6839314159265359aecf3a400000008180032001002000219a68334d133c5dc914e14242bb3ce900";
    for (hex, compression) in [(XZ, Compression::Xz), (BZIP2, Compression::Bzip2)] {
        let packed: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let two = [&packed[..], &packed].concat();
        assert_eq!(unpack(&two, Ratio::GUARDED), Ok((compression, b"fivefive".to_vec())));
        assert!(unpack(&packed[..packed.len() - 9], Ratio::GUARDED).is_err());
    }
    let bomb = gzip(&vec![0; 4 << 20]);
    expect!["the layer is larger than allowed: 4194304 bytes came out of 40554, more than 100 times as many"]
        .assert_eq(&unpack(&bomb, Ratio { most: 100, free_bytes: 1 << 20 }).unwrap_err());
    assert!(unpack(&gzip(b"cut")[..15], Ratio::GUARDED).is_err());
}

#[test]
fn in_a_user_namespace_the_marks_are_user_attributes() {
    let place = Place::new();
    let archive = [&dir("d")[..], &file("d/.wh..wh..opq", ""), &END].concat();
    let options = Options { whiteouts: Whiteouts::User, limits: FREE, recording: Recording::Off };
    apply(&archive[..], place.layer().as_fd(), options).unwrap();
    let mut value = [0; 8];
    assert_eq!(rustix::fs::lgetxattr(place.0.join("layer/d"), "user.overlay.opaque", &mut value[..]), Ok(1));
    let written = diff(place.layer().as_fd(), io::sink(), Whiteouts::User).unwrap();
    assert_eq!(written.entries, 2);
    // A container may set that attribute itself; where overlayfs does not heed it, neither does the layer.
    let written = diff(place.layer().as_fd(), io::sink(), Whiteouts::Trusted).unwrap();
    assert_eq!(written.entries, 1);
}

/// What the kernel makes of it, in a mount namespace that ends with the command.
#[test]
#[expect(clippy::disallowed_methods, reason = "a namespace of its own for the mount")]
fn overlayfs_understands_the_marks() {
    let place = Place::new();
    for below in ["lower/gone", "lower/opaque/old", "lower/again/old", "lower/kept/old"] {
        place.0.write(below, "lower");
    }
    let archive = [
        file(".wh.gone", ""),
        file("opaque/new", ""),
        file("opaque/.wh..wh..opq", ""),
        file(".wh.again", ""),
        file("again/new", ""),
        file("kept/new", ""),
        END.to_vec(),
    ];
    place.apply(&archive.concat(), FREE).0.unwrap();
    let script = "mkdir m; mount -t overlay -o lowerdir=layer:lower none m; cd m; find . -type f | sort";
    let out = Command::new("unshare").args(["-m", "sh", "-ec", script]).current_dir(place.0.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    expect![[r#"
        ./again/new
        ./kept/new
        ./kept/old
        ./opaque/new
    "#]]
    .assert_eq(&String::from_utf8_lossy(&out.stdout));
}

/// What `script` packs in a directory of its own, applied and assembled again.
#[expect(clippy::disallowed_methods, reason = "other programs' archives are what is tested")]
fn check_foreign(script: &str, expected: Expect) {
    let place = Place::new();
    fs::create_dir(place.0.join("source")).unwrap();
    let out = Command::new("sh").args(["-ec", script]).current_dir(place.0.join("source")).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    let archive = fs::read(place.0.join("layer.tar")).unwrap();
    let (applied, recipe) = place.apply(&archive, FREE);
    assert_eq!(place.differences(&archive, &applied.unwrap()), [""; 0]);
    assert!(place.assemble(recipe).unwrap() == archive, "{script}: does not come back");
    expected.assert_eq(&listing(&place.0.join("layer")));
    let compare = "cd source; find . ! -type d -printf '%p %y %m %U:%G %s %l %T@\\n' | sort > ../a;
        cd ../layer; find . ! -type d -printf '%p %y %m %U:%G %s %l %T@\\n' | sort > ../b; cd ..; cmp a b";
    // Only PAX has fractions of seconds.
    let compare = if script.contains("posix") { compare.to_owned() } else { compare.replace("%T@", "%Ts") };
    if !script.contains("22 > a") {
        let same = Command::new("sh").args(["-ec", &compare]).current_dir(place.0.path()).status().unwrap();
        assert!(same.success(), "{script}: unpacked differently");
    }
}

#[test]
fn other_programs_archives() {
    let make = "mkdir -p d; echo 1 > d/a; ln d/a b; ln -s d/a c; mkfifo p; mknod n c 1 3; chown 1000:2000 b;
        long=$(printf 'x%.0s' $(seq 120)); mkdir $long; echo 2 > $long/$long; ln -s $long/$long s; chmod 4711 $long/$long;";
    for format in ["gnu", "posix", "oldgnu"] {
        let script = format!("{make} rm -rf p; tar --format={format} -cf ../layer.tar .");
        check_foreign(
            &script,
            expect![[r#"
            b 644 1000:2000 = 1
             x2
            c 777 0:0 -> d/a
            d 755 0:0 /
            d/a 644 1000:2000 = 1
             x2
            n 644 0:0 char 103
            s 777 0:0 -> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 755 0:0 /
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 4711 0:0 = 2

        "#]],
        );
    }
    check_foreign(
        "echo 1 > a; mkfifo p; ln a b; tar --format=ustar -cf ../layer.tar a p b",
        expect![[r#"
        a 644 0:0 = 1
         x2
        b 644 0:0 = 1
         x2
        p 644 0:0 fifo
    "#]],
    );
    check_foreign(
        "echo 1 > a; ln a b; tar --format=v7 -cf ../layer.tar a b",
        expect![[r#"
        a 644 0:0 = 1
         x2
        b 644 0:0 = 1
         x2
    "#]],
    );
    check_foreign(
        "mkdir d; echo 1 > d/a; ln d/a b; ln -s x l; busybox tar cf ../layer.tar .",
        expect![[r#"
        b 644 0:0 = 1
         x2
        d 755 0:0 /
        d/a 644 0:0 = 1
         x2
        l 777 0:0 -> x
    "#]],
    );
    check_foreign(
        "echo 1 > a; tar cf ../layer.tar a; echo 22 > a; tar rf ../layer.tar a; tar -V x --format=gnu -cf ../l2.tar a",
        expect![[r#"
            a 644 0:0 = 22

        "#]],
    );
}

#[test]
fn other_programs_sparse_files_and_capabilities() {
    let holes = "truncate -s 3M f; for i in $(seq 0 9); do echo hello | dd of=f bs=1 seek=$((i*300000)) conv=notrunc 2>/dev/null; done;
        truncate -s 1M empty; truncate -s 1G huge; echo end >> huge;";
    for format in [
        "--format=gnu",
        "--sparse-version=0.0 --format=posix",
        "--sparse-version=0.1 --format=posix",
        "--sparse-version=1.0 --format=posix",
    ] {
        check_sparse(&format!("{holes} tar -S {format} -cf ../layer.tar f empty huge"));
    }
    let script = "cp /bin/true t; setcap cap_net_raw+ep t; setfattr -n user.a -v b t;
        tar --format=posix --xattrs --xattrs-include='*' -cf ../layer.tar t; getcap t; cmp t ../layer/t 2>/dev/null || true";
    check_capability(script);
}

#[expect(clippy::disallowed_methods, reason = "other programs' archives are what is tested")]
fn foreign(place: &Place, script: &str) -> Vec<u8> {
    fs::create_dir(place.0.join("source")).unwrap();
    let out = Command::new("sh").args(["-ec", script]).current_dir(place.0.join("source")).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    fs::read(place.0.join("layer.tar")).unwrap()
}

fn check_sparse(script: &str) {
    let place = Place::new();
    let archive = foreign(&place, script);
    let (applied, recipe) = place.apply(&archive, FREE);
    assert_eq!(place.differences(&archive, &applied.unwrap()), [""; 0]);
    assert!(place.assemble(recipe).unwrap() == archive, "{script}: does not come back");
    for name in ["f", "empty", "huge"] {
        let (from, to) = (place.0.join("source").join(name), place.0.join("layer").join(name));
        let meta = fs::metadata(&to).unwrap();
        assert_eq!(meta.size(), fs::metadata(&from).unwrap().size(), "{script}: {name}");
        assert!(meta.blocks() * 512 < 200_000, "{script}: {name} has lost its holes");
    }
    assert!(fs::read(place.0.join("source/f")).unwrap() == fs::read(place.0.join("layer/f")).unwrap(), "{script}");
}

fn check_capability(script: &str) {
    let place = Place::new();
    let archive = foreign(&place, script);
    let (applied, recipe) = place.apply(&archive, FREE);
    let applied = applied.unwrap();
    assert_eq!(applied.xattrs_left_out, 0);
    assert_eq!(place.differences(&archive, &applied), [""; 0]);
    assert!(place.assemble(recipe).unwrap() == archive);
    for name in ["security.capability", "user.a"] {
        let read = |dir: &str| {
            let mut value = vec![0; 100];
            let len = rustix::fs::lgetxattr(place.0.join(dir), name, &mut value[..]).unwrap();
            value.truncate(len);
            value
        };
        assert_eq!(read("source/t"), read("layer/t"));
    }
}

/// Entries under few short names, so that they meet.
fn any_layer() -> impl Strategy<Value = Vec<u8>> {
    let name = proptest::collection::vec(
        proptest::sample::select(vec!["a", "b", "c", ".wh.a", ".wh..wh..opq", "..", "."]),
        1..4,
    );
    let member = (any_entry(), name.clone(), name, any::<bool>());
    proptest::collection::vec(member, 0..12).prop_map(|members| {
        let renamed = members.into_iter().map(|((mut entry, body), name, target, keep)| {
            entry.xattrs.clear();
            entry.path = name.join("/").into_bytes();
            match &mut entry.kind {
                crate::tar::Kind::HardLink { target: to } | crate::tar::Kind::Symlink { target: to } if !keep => {
                    *to = target.join("/").into_bytes();
                }
                crate::tar::Kind::HardLink { .. }
                | crate::tar::Kind::Symlink { .. }
                | crate::tar::Kind::File { .. }
                | crate::tar::Kind::Dir
                | crate::tar::Kind::Char(_)
                | crate::tar::Kind::Block(_)
                | crate::tar::Kind::Fifo => {}
            }
            (entry, body)
        });
        write(&renamed.collect::<Vec<_>>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_applied_comes_back(archive in any_layer()) {
        let place = Place::new();
        fuzz(&archive, place.layer().as_fd());
        assert_eq!(listing(&place.0.join("outside")), "secret 644 0:0 = secret\n");
    }

    #[test]
    fn no_broken_archive_panics(mut archive in any_layer(), flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let place = Place::new();
        for (at, value) in flips {
            let at = usize::from(at) % archive.len();
            archive[at] = value;
        }
        fuzz(&archive, place.layer().as_fd());
        assert_eq!(listing(&place.0.join("outside")), "secret 644 0:0 = secret\n");
    }

    #[test]
    fn no_broken_recipe_panics(flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let place = Place::new();
        let (_applied, mut recipe) = place.apply(&[&file("a", "1")[..], &file("a", "2"), &END].concat(), FREE);
        for (at, value) in flips {
            let at = usize::from(at) % recipe.len();
            recipe[at] = value;
        }
        drop(place.assemble(recipe));
    }
}
