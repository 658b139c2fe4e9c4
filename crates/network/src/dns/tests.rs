use proptest::prelude::*;

use super::*;

/// A question as a client would send it.
pub(crate) fn asked(name: &str, kind: u16, edns_bytes: Option<u16>) -> Vec<u8> {
    let header = Header { id: 7, flags: RECURSION_DESIRED, counts: [1, 0, 0, u16::from(edns_bytes.is_some())] };
    let mut bytes = header.bytes().to_vec();
    bytes.extend(if name.is_empty() { vec![0] } else { encode_name(name).unwrap() });
    bytes.extend(kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    if let Some(length) = edns_bytes {
        bytes.extend([0, 0, 41]);
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

fn address(text: &str) -> Record {
    Record::Address(text.parse().unwrap())
}

#[test]
fn a_question_is_read() {
    let query = Query::parse(&asked("Web.Example", A, None)).unwrap();
    assert_eq!((query.id, query.name.as_str(), query.kind), (7, "web.example", A));
    assert_eq!(query.datagram_bytes(), 512);
    assert!(query.is_internet());
    let lengths = [0, 512, 1232, u16::MAX].map(|n| Query::parse(&asked("a", A, Some(n))).unwrap().datagram_bytes());
    assert_eq!(lengths, [512, 512, 1232, 65_507]);
    assert_eq!(Query::parse(&asked("", A, None)).unwrap().name, "");
}

#[test]
fn an_answer_repeats_the_case_of_the_question() {
    let query = Query::parse(&asked("wEb", A, None)).unwrap();
    let answer = query.answer(Code::NoError, &[address("10.0.0.2")], 512);
    let mut expected = vec![0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3, b'w', b'E', b'b', 0, 0, 1, 0, 1];
    expected.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 0, 2]);
    assert_eq!(answer, expected);
}

#[test]
fn nothing_of_the_kind_is_no_error_and_no_records() {
    let query = Query::parse(&asked("web", AAAA, Some(1232))).unwrap();
    let answer = query.answer(Code::NoError, &[], 512);
    assert_eq!(answer[..12], [0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 1], "and EDNS is answered by EDNS");
    assert_eq!(query.answer(Code::NameError, &[], 512)[3] & 0xf, 3);
}

#[test]
fn what_does_not_fit_is_truncated() {
    let many: Vec<Record> = (0..40).map(|n| address(&format!("10.0.0.{n}"))).collect();
    let query = Query::parse(&asked("web", A, None)).unwrap();
    let cut = query.answer(Code::NoError, &many, query.datagram_bytes());
    assert_eq!((cut.len(), cut[2] & 2, cut[7]), (21, 2, 0));
    let query = Query::parse(&asked("web", A, Some(1232))).unwrap();
    let whole = query.answer(Code::NoError, &many, query.datagram_bytes());
    assert_eq!((whole[2] & 2, whole[7]), (0, 40));
}

#[test]
fn addresses_are_read_out_of_names() {
    let reversed = |name: &str| Query::parse(&asked(name, PTR, None)).unwrap().reversed().map(|a| a.to_string());
    assert_eq!(reversed("4.3.2.10.in-addr.arpa").as_deref(), Some("10.2.3.4"));
    let nibbles = format!("{}f.d.ip6.arpa", "1.".to_owned() + &"0.".repeat(29));
    assert_eq!(reversed(&nibbles).as_deref(), Some("df00::1"));
    for none in ["3.2.10.in-addr.arpa", "5.4.3.2.10.in-addr.arpa", "256.3.2.10.in-addr.arpa", "1.ip6.arpa", "web"] {
        assert_eq!(reversed(none), None, "{none}");
    }
    assert_eq!(Query::parse(&asked("4.3.2.10.in-addr.arpa", A, None)).unwrap().reversed(), None);
}

#[test]
fn a_name_is_answered() {
    let query = Query::parse(&asked("2.0.0.10.in-addr.arpa", PTR, None)).unwrap();
    let answer = query.answer(Code::NoError, &[Record::Name("web.net".into())], 512);
    assert!(answer.ends_with(b"\0\x09\x03web\x03net\0"));
    let unfit = ["a..b".to_owned(), "x".repeat(64), "x.".repeat(130)].map(Record::Name);
    assert_eq!(query.answer(Code::NoError, &unfit, 512)[7], 0);
}

#[test]
fn strange_bytes_in_names_match_no_file() {
    let mut bytes = asked("ab", A, None);
    for (odd, text) in [(b'.', "\\046b"), (b'/', "\\047b"), (0, "\\000b"), (b'\\', "\\092b"), (0xff, "\\255b")] {
        bytes[13] = odd;
        assert_eq!(Query::parse(&bytes).unwrap().name, text);
    }
}

#[test]
fn what_is_no_question_is_told_so() {
    let query = asked("web", A, None);
    let code = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = query.clone();
        change(&mut bytes);
        match Query::parse(&bytes) {
            Ok(_) => None,
            Err(Unasked::Ignored) => Some(None),
            Err(Unasked::Answered(answer)) => Some(Some(answer[3] & 0xf)),
        }
    };
    assert_eq!(code(&|_| ()), None);
    assert_eq!(code(&|bytes| bytes.truncate(11)), Some(None));
    assert_eq!(code(&|bytes| bytes[2] |= 0x80), Some(None), "an answer");
    assert_eq!(code(&|bytes| bytes[2] |= 0x28), Some(Some(4)), "an update");
    assert_eq!(code(&|bytes| bytes[5] = 2), Some(Some(1)), "two questions");
    assert_eq!(code(&|bytes| bytes[5] = 0), Some(Some(1)), "none");
    assert_eq!(code(&|bytes| bytes.truncate(15)), Some(Some(1)));
    assert_eq!(code(&|bytes| bytes[11] = 1), Some(Some(1)), "a record is announced and missing");
    assert_eq!(code(&|bytes| bytes[12] = 0xc0), Some(Some(1)), "a pointer to itself");
    assert_eq!(code(&|bytes| bytes[18] = 252), Some(Some(4)), "a zone");
}

#[test]
fn only_the_answer_to_the_question_counts() {
    let query = Query::parse(&asked("Web", A, None)).unwrap();
    let other = Query::parse(&asked("wob", A, None)).unwrap();
    let mut good = query.answer(Code::NoError, &[address("10.0.0.2")], 512);
    rename(&mut good, 99);
    let reply = Reply::to(&query, 99, &good).unwrap();
    assert_eq!((reply.addresses, reply.is_failure), (vec!["10.0.0.2".parse().unwrap()], false));
    assert_eq!(Reply::to(&query, 98, &good), None, "another identifier");
    assert_eq!(Reply::to(&other, 99, &good), None, "another name");
    let kind = Query::parse(&asked("Web", AAAA, None)).unwrap();
    assert_eq!(Reply::to(&kind, 99, &good), None, "another type");
    let mut lower = good.clone();
    lower[13] = b'w';
    assert!(Reply::to(&query, 99, &lower).is_some(), "servers may write the name otherwise");
    assert!(Reply::to(&query, 7, &query.answer(Code::Refused, &[], 512)).unwrap().is_failure);
    let mut asking = good.clone();
    asking[2] &= 0x7f;
    assert_eq!(Reply::to(&query, 99, &asking), None, "a question");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        fuzz(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_head_are_survived(flags: u8, counts: [u8; 4], tail: Vec<u8>) {
        let mut bytes = asked("web", A, None);
        bytes[2] = flags;
        for (n, count) in counts.iter().enumerate() {
            bytes[5 + 2 * n] = *count;
        }
        bytes.extend(tail);
        fuzz(&bytes);
    }

    #[test]
    fn any_change_of_a_message_is_survived(at in 0_usize..64, to: u8, records in 0_u8..30) {
        let query = Query::parse(&asked("web.example.org", A, Some(4096))).unwrap();
        let many: Vec<Record> = (0..records).map(|n| address(&format!("10.0.0.{n}"))).collect();
        let mut bytes = query.answer(Code::NoError, &many, 4096);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        fuzz(&bytes);
        let _ = Reply::to(&query, 7, &bytes);
    }
}
