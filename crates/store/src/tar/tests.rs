use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// A header with a right checksum; `edit` works on it before it is sealed.
pub(crate) fn header(name: &[u8], flag: u8, size: u64, edit: impl FnOnce(&mut [u8; BLOCK])) -> Vec<u8> {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    number::write(&mut block[100..108], 0o644);
    number::write(&mut block[124..136], size);
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    edit(&mut block);
    block[148..156].fill(b' ');
    let sum = block.iter().map(|&byte| u64::from(byte)).sum();
    number::write(&mut block[148..155], sum);
    block.to_vec()
}

/// A member with its padded body.
pub(crate) fn member(name: &[u8], flag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, flag, body.len() as u64, |_block| {});
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// PAX records for the next member.
pub(crate) fn records(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in pairs {
        pax::push(&mut text, key.as_bytes(), value);
    }
    member(b"PaxHeader", b'x', &text)
}

/// A link or device.
pub(crate) fn link(name: &[u8], flag: u8, target: &[u8]) -> Vec<u8> {
    header(name, flag, 0, |block| block[157..157 + target.len()].copy_from_slice(target))
}

pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Names, kinds and bodies, or the error.
fn read(archive: &[u8]) -> String {
    let mut reader = Reader::new(archive);
    let mut lines = String::new();
    loop {
        match reader.next() {
            Ok(None) => return lines,
            Ok(Some(entry)) => {
                let mut body = Vec::new();
                let read = io::Read::read_to_end(&mut reader, &mut body);
                let kind = format!("{:?}", entry.kind);
                lines += &format!("{} {kind} {}\n", show(&entry.path), body.escape_ascii());
                if let Err(error) = read {
                    return lines + &format!("error: {error}\n");
                }
            }
            Err(error) => return lines + &format!("error: {error}\n"),
        }
    }
}

#[track_caller]
fn check(parts: &[&[u8]], expected: Expect) {
    expected.assert_eq(&read(&parts.concat()));
}

#[test]
fn long_names_and_prefixes() {
    let prefixed = header(b"name", b'0', 0, |block| block[345..351].copy_from_slice(b"prefix"));
    let gnu = header(b"name", b'0', 0, |block| {
        block[257..265].copy_from_slice(b"ustar  \0");
        block[345..351].copy_from_slice(b"atime!");
    });
    check(
        &[&prefixed, &gnu, &member(b"././@LongLink", b'L', b"long\0"), &member(b"short", b'0', b"x"), &END],
        expect![[r#"
            prefix/name File { size: 0, sparse: None } 
            name File { size: 0, sparse: None } 
            long File { size: 1, sparse: None } x
        "#]],
    );
    check(
        &[&records(&[("path", b"pax"), ("linkpath", b"to")]), &link(b"short", b'2', b"cut"), &END],
        expect![[r#"
            pax Symlink { target: [116, 111] } 
        "#]],
    );
    check(
        &[&header(b"dir/", 0, 0, |block| block[257..265].fill(0)), &END],
        expect![[r#"
        dir Dir 
    "#]],
    );
}

#[test]
fn sizes_that_two_readers_see_differently_are_refused() {
    check(
        &[&records(&[("size", b"1024")]), &member(b"a", b'0', b""), &END],
        expect![[r#"
        error: bad archive: a: two sizes: 0 in the header, 1024 in its PAX records
    "#]],
    );
    check(
        &[&member(b"a", b'5', b"body"), &END],
        expect![[r#"
        error: bad archive: a: not a file, yet has a body of 4 bytes
    "#]],
    );
    let negative = header(b"a", b'0', 0, |block| block[124..136].fill(0xff));
    check(
        &[&negative, &END],
        expect![[r#"
        error: bad archive: a: the number -1 is negative
    "#]],
    );
    let global = {
        let mut text = Vec::new();
        pax::push(&mut text, b"size", b"3");
        member(b"g", b'g', &text)
    };
    check(
        &[&global, &END],
        expect![[r#"
        error: bad archive: g: a global size would stand for every file
    "#]],
    );
    check(
        &[&header(b"g", b'x', 1 << 30, |_| {}), &END],
        expect![[r#"
        error: bad archive: g: an extended header of more than 1 MiB
    "#]],
    );
    let both = [records(&[("path", b"pax")]), member(b"L", b'L', b"gnu\0"), member(b"a", b'0', b"")].concat();
    check(
        &[&both, &END],
        expect![[r#"
        error: bad archive: a: named by a GNU and by a PAX header
    "#]],
    );
    check(
        &[&member(b"L", b'L', b"1\0"), &member(b"L", b'L', b"2\0"), &END],
        expect![[r#"
        error: bad archive: L: the same extended header twice
    "#]],
    );
}

#[test]
fn ends() {
    check(&[], expect![""]);
    check(
        &[&member(b"a", b'0', b"x")],
        expect![[r#"
        a File { size: 1, sparse: None } x
    "#]],
    );
    check(
        &[&member(b"a", b'0', b"x"), &END[..512]],
        expect![[r#"
        a File { size: 1, sparse: None } x
    "#]],
    );
    check(
        &[&member(b"a", b'0', b"x"), &END[..512], &member(b"b", b'0', b"")],
        expect![[r#"
        a File { size: 1, sparse: None } x
        error: bad archive: a: followed by a lone block of zeros and more data
    "#]],
    );
    check(
        &[&member(b"a", b'0', b"xyz")[..514]],
        expect![[r#"
        a File { size: 3, sparse: None } xy
        error: the archive is cut short: it ends within a
    "#]],
    );
    check(
        &[&member(b"a", b'0', b"xyz")[..600]],
        expect![[r#"
        a File { size: 3, sparse: None } xyz
        error: the archive is cut short: it ends within a
    "#]],
    );
    check(
        &[&member(b"a", b'0', b"")[..100]],
        expect![[r#"
        error: the archive is cut short: it ends within the first header
    "#]],
    );
    check(
        &[&records(&[("path", b"a")]), &END],
        expect![[r#"
        error: bad archive: the first header: the archive ends before the member that was announced
    "#]],
    );
    check(
        &[b"PK\x03\x04".repeat(200).as_slice()],
        expect![[r#"
        error: bad archive: PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}PK\u{3}\u{4}: not a tar archive (wrong checksum)
    "#]],
    );
    check(
        &[&member(b"a", b'M', b""), &END],
        expect![[r#"
        error: bad archive: a: members of type 'M' are not read
    "#]],
    );
    check(
        &[&header(b"a", b'0', 0, |block| block[108..116].copy_from_slice(b"\x80\0\0\0\xff\xff\xff\xff")), &END],
        expect![[r#"
        error: bad archive: a: the owner 4294967295 cannot be
    "#]],
    );
}

#[test]
fn sparse_maps() {
    let v1 = [&b"2\n0\n3\n8\n2\n"[..], &[0; 502], b"abcde"].concat();
    let head = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"10")];
    check(
        &[&records(&head), &member(b"a", b'0', &v1), &END],
        expect![[r#"
        a File { size: 10, sparse: Some([Segment { offset: 0, len: 3 }, Segment { offset: 8, len: 2 }]) } abcde
    "#]],
    );
    check(
        &[&records(&head), &member(b"a", b'0', &v1[..512]), &END],
        expect![[r#"
        error: bad archive: a: sparse segments of 5 bytes in a body of 0
    "#]],
    );
    check(
        &[&records(&head), &member(b"a", b'0', b"2\n0"), &END],
        expect![[r#"
        error: bad archive: a: a sparse map longer than its body
    "#]],
    );
    let overlapping = [("GNU.sparse.size", &b"10"[..]), ("GNU.sparse.map", b"0,3,2,2")];
    check(
        &[&records(&overlapping), &member(b"a", b'0', b"abcde"), &END],
        expect![[r#"
        error: bad archive: a: sparse segments that overlap or go backwards
    "#]],
    );
    let beyond = [("GNU.sparse.size", &b"4"[..]), ("GNU.sparse.map", b"0,5")];
    check(
        &[&records(&beyond), &member(b"a", b'0', b"abcde"), &END],
        expect![[r#"
        error: bad archive: a: a sparse segment beyond the end of its file
    "#]],
    );
}

#[test]
fn endless_headers_are_refused() {
    let mut text = Vec::new();
    pax::push(&mut text, b"comment", &vec![b'x'; 1 << 19]);
    let global = member(b"g", b'g', &text);
    check(
        &[&global.repeat(20)],
        expect![[r#"
        error: bad archive: the first header: followed by more than 5 MiB of headers for one member
    "#]],
    );
}

/// Any member that the writer can hold.
pub(crate) fn any_entry() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let name = || proptest::collection::vec(prop_oneof![9 => 1u8..=255, 1 => Just(b'/')], 1..300);
    let target = || proptest::collection::vec(1u8..=255, 1..300);
    let device = || (0u32..1 << 12, 0u32..1 << 20).prop_map(|(major, minor)| Device { major, minor });
    let kind = prop_oneof![
        4 => Just(Kind::File { size: 0, sparse: None }),
        1 => target().prop_map(|target| Kind::HardLink { target }),
        1 => target().prop_map(|target| Kind::Symlink { target }),
        2 => Just(Kind::Dir),
        1 => device().prop_map(Kind::Char),
        1 => device().prop_map(Kind::Block),
        1 => Just(Kind::Fifo),
    ];
    let mtime = (prop_oneof![0i64..1 << 33, -1i64 << 40..1 << 40], prop_oneof![Just(0), 0u32..1_000_000_000]);
    let xattr = (
        proptest::collection::vec(any::<u8>().prop_filter("not in PAX", |b| !b"\0=".contains(b)), 1..20),
        proptest::collection::vec(any::<u8>(), 0..40),
    );
    let body = proptest::collection::vec(any::<u8>(), 0..1500);
    let ids = (prop_oneof![0u32..2000, 0u32..u32::MAX], 0u32..u32::MAX, 0u32..0o10000);
    (name(), kind, ids, mtime, proptest::collection::btree_map(xattr.0, xattr.1, 0..3), body).prop_map(
        |(mut path, mut kind, (uid, gid, mode), (sec, nsec), xattrs, mut body)| {
            while path.ends_with(b"/") {
                path.pop();
            }
            if path.is_empty() {
                path.push(b'p');
            }
            match &mut kind {
                Kind::File { size, .. } => *size = body.len() as u64,
                Kind::HardLink { .. }
                | Kind::Symlink { .. }
                | Kind::Dir
                | Kind::Char(_)
                | Kind::Block(_)
                | Kind::Fifo => body.clear(),
            }
            (Entry { path, kind, mode, uid, gid, mtime: Time { sec, nsec }, xattrs }, body)
        },
    )
}

pub(crate) fn write(members: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, body) in members {
        writer.append(entry, &mut &body[..]).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(members in proptest::collection::vec(any_entry(), 0..8)) {
        let archive = write(&members);
        let mut reader = Reader::new(&archive[..]);
        for (entry, body) in &members {
            let read = reader.next().unwrap().unwrap();
            prop_assert_eq!(&read, entry);
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
            prop_assert_eq!(&bytes, body);
        }
        prop_assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        fuzz(&bytes);
    }

    /// With checksums made right, so that the fields are reached.
    #[test]
    fn no_headers_panic(blocks in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 512), 0usize..9), 0..6)) {
        let mut archive = Vec::new();
        for (bytes, flag) in blocks {
            archive.extend(header(b"n", b"0xgLKS512"[flag], u64::from(bytes[0]), |block| {
                let at = usize::from(bytes[1]) * 2;
                block[at..].copy_from_slice(&bytes[at..]);
                block[156] = b"0xgLKS512"[flag];
                if bytes[2] > 60 {
                    number::write(&mut block[124..136], u64::from(bytes[0]) * 4);
                }
            }));
            archive.extend_from_slice(&bytes);
        }
        fuzz(&archive);
    }
}

#[test]
fn the_writer_refuses_what_no_reader_would_understand() {
    let file = |path: &[u8]| Entry {
        path: path.to_vec(),
        kind: Kind::File { size: 3, sparse: None },
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: Time::default(),
        xattrs: BTreeMap::new(),
    };
    let refuse = |entry: &Entry| Writer::new(Vec::new()).append(entry, &mut &b"ab"[..]).unwrap_err().to_string();
    assert_eq!(refuse(&file(b"a\0b")), "a\\0b: no name for a tar member");
    assert_eq!(refuse(&file(b"a")), "a became shorter while it was read");
    let xattrs = BTreeMap::from([(b"user.a=b".to_vec(), Vec::new())]);
    assert_eq!(refuse(&Entry { xattrs, ..file(b"a") }), "a: an attribute whose name PAX cannot hold");
}
