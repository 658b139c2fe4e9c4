use std::fs;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use spec::container::{LogConfig, LogDriver};
use spec::time::Time;
use testkit::Root;

use super::{Query, Reader, Writer};
use crate::framing::Stream;

fn writer(root: &Root, max_size_bytes: u64, max_files: u32) -> Writer {
    Writer::new(root.path(), &LogConfig { driver: LogDriver::JsonFile, max_size_bytes, max_files })
}

fn at(second: i64) -> Time {
    Time::from_ns(second * 1_000_000_000)
}

fn check_file(writes: &[(Stream, &[u8])], expected: Expect) {
    let root = Root::new();
    let mut log = writer(&root, 0, 1);
    for (n, (stream, bytes)) in (1..).zip(writes) {
        log.write(*stream, bytes, at(n));
    }
    log.finish(at(100));
    expected.assert_eq(&fs::read_to_string(root.join("log")).unwrap());
}

fn texts(root: &Root, query: Query) -> Vec<String> {
    let mut reader = Reader::open(root.path(), query).unwrap();
    rest(&mut reader)
}

fn rest(reader: &mut Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.next().unwrap()).map(|entry| entry.text).collect()
}

#[test]
fn lines_are_written_as_docker_writes_them() {
    check_file(
        &[(Stream::Stdout, b"one\ntw"), (Stream::Stderr, b"err\n"), (Stream::Stdout, b"o\nthree")],
        expect![[r#"
            {"log":"one\n","stream":"stdout","time":"1970-01-01T00:00:01Z"}
            {"log":"err\n","stream":"stderr","time":"1970-01-01T00:00:02Z"}
            {"log":"two\n","stream":"stdout","time":"1970-01-01T00:00:03Z"}
            {"log":"three","stream":"stdout","time":"1970-01-01T00:01:40Z"}
        "#]],
    );
    check_file(
        &[(Stream::Stdout, b"\x1b[0m \"q\" \\ \t\r <a>&\xff\xc3\xa9\n")],
        expect![[r#"
            {"log":"\u001b[0m \"q\" \\ \u0009\r \u003ca\u003e\u0026\ufffdé\n","stream":"stdout","time":"1970-01-01T00:00:01Z"}
        "#]],
    );
}

#[test]
fn a_long_line_comes_in_pieces_of_16_kib() {
    let root = Root::new();
    let mut log = writer(&root, 0, 1);
    log.write(Stream::Stdout, &[b'x'; 40_000], at(1));
    log.write(Stream::Stdout, b"y\nz\n", at(2));
    let mut reader = Reader::open(root.path(), Query::ALL).unwrap();
    let pieces: Vec<_> = std::iter::from_fn(|| reader.next().unwrap())
        .map(|entry| (entry.text.len(), entry.begins, entry.time.seconds()))
        .collect();
    assert_eq!(pieces, [(16384, true, 1), (16384, false, 1), (7234, false, 1), (2, true, 2)]);
}

#[test]
fn files_are_turned_over_and_the_oldest_goes() {
    let root = Root::new();
    let mut log = writer(&root, 200, 3);
    for n in 0..20 {
        log.write(Stream::Stdout, format!("line {n}\n").as_bytes(), at(n));
    }
    let mut names: Vec<_> =
        fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["log", "log.1", "log.2"]);
    let all = texts(&root, Query::ALL);
    assert!(all.len() < 20 && all.last().unwrap() == "line 19\n");
    for name in names {
        assert!(fs::metadata(root.join(&name)).unwrap().len() <= 200, "{name}");
    }
    for tail in 0..9 {
        let wanted = usize::try_from(tail).unwrap().min(all.len());
        assert_eq!(texts(&root, Query { tail: Some(tail), ..Query::ALL }), all[all.len() - wanted..]);
    }
}

#[test]
fn time_and_stream_choose() {
    let root = Root::new();
    let mut log = writer(&root, 0, 1);
    for n in 0..6 {
        let stream = if n % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
        log.write(stream, format!("{n}\n").as_bytes(), at(n));
    }
    let check = |query, wanted: &[&str]| assert_eq!(texts(&root, query), wanted);
    check(Query { since: Some(at(4)), ..Query::ALL }, &["4\n", "5\n"]);
    check(Query { until: Some(at(1)), ..Query::ALL }, &["0\n", "1\n"]);
    check(Query { stdout: false, ..Query::ALL }, &["1\n", "3\n", "5\n"]);
    check(Query { tail: Some(3), stderr: false, ..Query::ALL }, &["4\n"]);
}

#[test]
fn following_goes_from_file_to_file() {
    for max_files in [1, 2, 5] {
        let root = Root::new();
        let mut log = writer(&root, 150, max_files);
        let mut reader = Reader::open(root.path(), Query::ALL).unwrap();
        assert_eq!(rest(&mut reader), [""; 0]);
        let watch = reader.watch().unwrap().try_clone_to_owned().unwrap();
        let mut seen = Vec::new();
        for n in 0..50 {
            log.write(Stream::Stdout, format!("line {n}\n").as_bytes(), at(n));
            let mut ports = [rustix::event::PollFd::new(&watch, rustix::event::PollFlags::IN)];
            assert_eq!(rustix::event::poll(&mut ports, Some(&rustix::event::Timespec::default())), Ok(1));
            reader.rearm();
            seen.extend(rest(&mut reader));
        }
        let wanted: Vec<_> = (0..50).map(|n| format!("line {n}\n")).collect();
        assert_eq!(seen, wanted);
    }
}

#[test]
fn a_line_that_a_crash_cut_short_is_left_out() {
    let root = Root::new();
    root.write("log", "{\"log\":\"half");
    let mut reader = Reader::open(root.path(), Query::ALL).unwrap();
    assert_eq!(rest(&mut reader), [""; 0]);
    root.write("log", "{\"log\":\"half\n{\"log\":\"b\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:01Z\"}\n");
    assert_eq!(texts(&root, Query::ALL), ["b\n"]);
}

#[test]
fn a_disk_that_cannot_be_written_costs_output_and_says_so() {
    let root = Root::new();
    let mut log = writer(&root, 0, 1);
    // A directory in the place of the file.
    fs::create_dir(root.join("log")).unwrap();
    log.write(Stream::Stdout, b"lost\n", at(1));
    fs::remove_dir(root.join("log")).unwrap();
    log.write(Stream::Stdout, b"kept\n", at(2));
    log.write(Stream::Stdout, b"too\n", at(3));
    let wanted = ["kist: 5 bytes of output were lost: the log could not be written\n", "kept\n", "too\n"];
    assert_eq!(texts(&root, Query::ALL), wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_written_is_read_back(
        pieces in prop::collection::vec((any::<bool>(), "[a-z<\\\\\"é\n]{0,40}"), 0..30),
        max_size in prop_oneof![Just(0_u64), 100_u64..2000],
    ) {
        let root = Root::new();
        let mut log = writer(&root, max_size, 1000);
        let mut wanted = [String::new(), String::new()];
        for (err, text) in &pieces {
            log.write(if *err { Stream::Stderr } else { Stream::Stdout }, text.as_bytes(), at(1));
            wanted[usize::from(*err)] += text;
        }
        log.finish(at(2));
        let mut got = [String::new(), String::new()];
        let mut reader = Reader::open(root.path(), Query::ALL).unwrap();
        while let Some(entry) = reader.next().unwrap() {
            got[usize::from(entry.stream == Stream::Stderr)] += &entry.text;
        }
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(
        lines in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..30),
            "[{}\",:a-z0-9]{0,30}".prop_map(String::into_bytes),
            Just(br#"{"log":"a\n","stream":"stdout","time":"2026-01-02T15:04:05Z"}"#.to_vec()),
        ], 0..10),
        tail in prop::option::of(0_u64..5),
    ) {
        let root = Root::new();
        root.write("log", lines.join(&b'\n'));
        let mut reader = Reader::open(root.path(), Query { tail, ..Query::ALL }).unwrap();
        while reader.next().unwrap().is_some() {}
    }
}
