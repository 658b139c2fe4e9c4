use std::collections::BTreeSet;

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::super::ast::Escape;
use super::super::env::Environment;
use super::super::words::{Keep, Lexer, NoEnv, Quotes};

const PLAIN: Lexer = Lexer { escape: Escape::Backslash, quotes: Quotes::Removed, escapes: Keep::No, unset: Keep::No };

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment::of_pairs(pairs.iter().map(|(name, value)| format!("{name}={value}"))).unwrap()
}

fn expand(word: &str, pairs: &[(&str, &str)]) -> String {
    match PLAIN.expand(word, &env(pairs)) {
        Ok(expansion) => expansion.text,
        Err(fault) => format!("error: {fault}"),
    }
}

#[test]
fn a_substitution_may_have_a_modifier() {
    let set = [("FOO", "xxyy"), ("URL", "https://a/b.tar.gz"), ("EMPTY", ""), ("LINES", "a\nb")];
    for (word, want) in [
        ("${FOO:-w}", "xxyy"),
        ("${NONE:-w}", "w"),
        ("${EMPTY:-w}", "w"),
        ("${EMPTY-w}", ""),
        ("${NONE-w}", "w"),
        ("${FOO:+w}", "w"),
        ("${EMPTY:+w}", ""),
        ("${EMPTY+w}", "w"),
        ("${NONE+w}", ""),
        ("${FOO?w}", "xxyy"),
        ("${EMPTY?w}", ""),
        ("${FOO#x}", "xyy"),
        ("${FOO##*x}", "yy"),
        ("${FOO#*x}", "xyy"),
        ("${FOO%y}", "xxy"),
        ("${FOO%%y*}", "xx"),
        ("${FOO%y*}", "xxy"),
        ("${URL##*/}", "b.tar.gz"),
        ("${URL%%.*}", "https://a/b"),
        ("${URL%.*}", "https://a/b.tar"),
        ("${URL#https:\\/\\/}", "a/b.tar.gz"),
        ("${FOO/x/a}", "axyy"),
        ("${FOO//x/a}", "aayy"),
        ("${FOO//x*/a}", "a"),
        ("${FOO/?/ab}", "abxyy"),
        ("${FOO//y/}", "xx"),
        ("${URL//\\//-}", "https:--a-b.tar.gz"),
        ("${FOO/z/a}", "xxyy"),
        ("${LINES#*}", "a\nb"),
        ("${LINES##*}", "\nb"),
        ("${NONE:-${FOO%y}}", "xxy"),
        ("${NONE:-\"a b\"}", "a b"),
    ] {
        assert_eq!(expand(word, &set), want, "{word}");
    }
}

/// BuildKit's own table: the word, what is set, what becomes of it, and what was used and what not there.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// `error` is one.
const TABLE: &[Row] = &[
    ("x", &[("DUMMY", "dummy")], "x", &[], &[]),
    ("x ${UNUSED}", &[("DUMMY", "dummy")], "x ", &[], &["UNUSED"]),
    ("x ${FOO}", &[("FOO", "y")], "x y", &["FOO"], &[]),
    ("${FOO-aaa} ${BAR-bbb} ${BAZ-ccc}", &[("FOO", "xxx"), ("BAR", "")], "xxx  ccc", &["BAR", "FOO"], &["BAZ"]),
    ("${FOO:-aaa} ${BAR:-bbb} ${BAZ:-ccc}", &[("FOO", "xxx"), ("BAR", "")], "xxx bbb ccc", &["BAR", "FOO"], &["BAZ"]),
    ("${FOO:-}", &[("FOO", "xxx"), ("BAR", "")], "xxx", &["FOO"], &[]),
    ("${FOO:-}", &[], "", &[], &["FOO"]),
    ("${FOO+aaa} ${BAR+bbb} ${BAZ+ccc}", &[("FOO", "xxx"), ("BAR", "")], "aaa bbb ", &["BAR", "FOO"], &["BAZ"]),
    ("${FOO:+aaa} ${BAR:+bbb} ${BAZ:+ccc}", &[("FOO", "xxx"), ("BAR", "")], "aaa  ", &["BAR", "FOO"], &["BAZ"]),
    ("${FOO?aaa}", &[("FOO", "xxx"), ("BAR", "")], "xxx", &["FOO"], &[]),
    ("${BAR?bbb}", &[("FOO", "xxx"), ("BAR", "")], "", &["BAR"], &[]),
    ("${BAZ?ccc}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &["BAZ"]),
    ("${FOO:?aaa}", &[("FOO", "xxx"), ("BAR", "")], "xxx", &["FOO"], &[]),
    ("${BAR:?bbb}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &[]),
    ("${BAZ:?ccc}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &["BAZ"]),
    ("${BAZ:?}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &["BAZ"]),
    ("${FOO=aaa}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &[]),
    ("${FOO=:aaa}", &[("FOO", "xxx"), ("BAR", "")], "error", &[], &[]),
    ("${FOO=}", &[], "error", &[], &[]),
    ("${FOO#()[]{\\}^$.\\*\\?|\\\\}", &[("FOO", "()[]{}^$.*?|\\x")], "x", &["FOO"], &[]),
    ("${FOO%%\\**}", &[("FOO", "xx**")], "xx", &["FOO"], &[]),
    ("${FOO#*x*y}", &[("FOO", "xxyy")], "y", &["FOO"], &[]),
    ("${FOO#*}", &[("FOO", "xxyy")], "xxyy", &["FOO"], &[]),
    ("${FOO#$BAR}", &[("FOO", "xxyy"), ("BAR", "x")], "xyy", &["BAR", "FOO"], &[]),
    ("${FOO#$BAR}", &[("FOO", "xxyy"), ("BAR", "")], "xxyy", &["BAR", "FOO"], &[]),
    ("${FOO#}", &[("FOO", "xxyy")], "xxyy", &["FOO"], &[]),
    ("${FOO##*x}", &[("FOO", "xxyy")], "yy", &["FOO"], &[]),
    ("${FOO##}", &[("FOO", "xxyy")], "xxyy", &["FOO"], &[]),
    ("${FOO#?\\?}", &[("FOO", "???y")], "?y", &["FOO"], &[]),
    ("${ABC:-.}${FOO%x}${ABC:-.}", &[("FOO", "xxyy")], ".xxyy.", &["FOO"], &["ABC"]),
    ("${FOO%%\\**\\*}", &[("FOO", "a***yy*")], "a", &["FOO"], &[]),
    ("${FOO%}", &[("FOO", "xxyy")], "xxyy", &["FOO"], &[]),
    ("${FOO%%$BAR}", &[("FOO", "xxyy"), ("BAR", "")], "xxyy", &["BAR", "FOO"], &[]),
    ("${FOO:#}", &[], "error", &[], &[]),
    ("${FOO:##}", &[], "error", &[], &[]),
    ("${FOO:%}", &[], "error", &[], &[]),
    ("${FOO:%%}", &[], "error", &[], &[]),
    (
        "${FOO/$NEEDLE/.} - ${FOO//$NEEDLE/.}",
        &[("FOO", "/foo*/*/*.txt"), ("NEEDLE", "\\*/")],
        "/foo.*/*.txt - /foo..*.txt",
        &["FOO", "NEEDLE"],
        &[],
    ),
    (
        "${FOO/$NEEDLE/} - ${FOO//$NEEDLE/}",
        &[("FOO", "/tmp/tmp/bar.txt"), ("NEEDLE", "/tmp")],
        "/tmp/bar.txt - /bar.txt",
        &["FOO", "NEEDLE"],
        &[],
    ),
    (
        "${FOO/$NEEDLE/$REPLACEMENT} - ${FOO//$NEEDLE/$REPLACEMENT}",
        &[("FOO", "/a/foo/b/c.txt"), ("NEEDLE", "/?/"), ("REPLACEMENT", "/")],
        "/foo/b/c.txt - /foo/c.txt",
        &["FOO", "NEEDLE", "REPLACEMENT"],
        &[],
    ),
    (
        "${FOO/$NEEDLE/$REPLACEMENT}",
        &[("FOO", "http://google.de"), ("NEEDLE", "http://"), ("REPLACEMENT", "https://")],
        "https://google.de",
        &["FOO", "NEEDLE", "REPLACEMENT"],
        &[],
    ),
    ("${FOO//\\//\\/}", &[("FOO", "/tmp/foo.txt")], "\\/tmp\\/foo.txt", &["FOO"], &[]),
    ("${FOO/$BAR/ww}", &[("FOO", "xxyy"), ("BAR", "")], "wwxxyy", &["BAR", "FOO"], &[]),
    ("${FOO//ww}", &[("FOO", "xxyy")], "error", &[], &[]),
    ("${FOO//}", &[("FOO", "xxyy")], "error", &[], &[]),
    ("${FOO///}", &[("FOO", "xxyy")], "xxyy", &["FOO"], &[]),
    ("${FOO///}", &[], "", &[], &["FOO"]),
];

#[test]
fn buildkits_substitutions_become_what_they_become_there() {
    for &(word, set, want, used, unset) in TABLE {
        match (PLAIN.expand(word, &env(set)), want) {
            (Err(_), "error") => {}
            (Ok(expansion), want) => {
                assert_eq!(expansion.text, want, "{word}");
                assert_eq!(expansion.used.iter().collect::<Vec<_>>(), used, "{word}");
                assert_eq!(expansion.unset.iter().collect::<Vec<_>>(), unset, "{word}");
            }
            (Err(fault), want) => panic!("{word}: {fault} instead of {want:?}"),
        }
    }
}

#[test]
fn what_is_wrong_in_a_word_is_said() {
    for (word, want) in [
        ("${NONE:?say why}", "failed to process \"${NONE:?say why}\": NONE: say why"),
        ("${NONE?}", "failed to process \"${NONE?}\": NONE: is not allowed to be unset"),
        ("${E:?}", "failed to process \"${E:?}\": E: is not allowed to be empty"),
        ("${", "failed to process \"${\": syntax error: missing '}'"),
        ("${x", "failed to process \"${x\": unsupported modifier (\u{fffd}) in substitution"),
        ("${}", "failed to process \"${}\": syntax error: bad substitution"),
        ("${x:=y}", "failed to process \"${x:=y}\": unsupported modifier (:=) in substitution"),
        ("${x:#y}", "failed to process \"${x:#y}\": unsupported modifier (:#) in substitution"),
        ("${x!y}", "failed to process \"${x!y}\": unsupported modifier (!) in substitution"),
        ("${x/y}", "failed to process \"${x/y}\": syntax error: missing '/' in ${}"),
        ("${x/y/z", "failed to process \"${x/y/z\": syntax error: missing '}'"),
        ("${x#\\y}", "failed to process \"${x#\\\\y}\": invalid pattern (\\y) in substitution: invalid escape '\\y'"),
        ("a'b", "failed to process \"a'b\": unexpected end of statement while looking for matching single-quote"),
        ("a\"b", "failed to process \"a\\\"b\": unexpected end of statement while looking for matching double-quote"),
    ] {
        assert_eq!(expand(word, &[("E", "")]), format!("error: {want}"));
    }
}

#[test]
fn it_is_known_what_was_used_and_what_was_not_there() {
    let expansion = PLAIN.expand("$A ${B:-$C} ${D:+x} '$E'", &env(&[("A", "1"), ("D", "2")])).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(expansion.text, "1  x $E");
    assert_eq!((expansion.used, expansion.unset), (names(&["A", "D"]), names(&["B", "C"])));
}

#[test]
fn a_words_beginning_survives_a_substitution_with_a_word_in_it() {
    assert_eq!(PLAIN.expand("80${x:-90} 1", &NoEnv).unwrap().words, ["8090", "1"]);
}

#[test]
fn hostile_words_end_soon() {
    let deep = "${a:-".repeat(100_000);
    assert!(expand(&deep, &[]).contains("nested too deeply"), "no limit of depth");
    let long = "x".repeat(1 << 20);
    assert!(expand("$A$A$A$A$A", &[("A", &long)]).contains("it becomes longer than"), "no limit of length");
    assert!(expand("${A//x/$A}", &[("A", &long)]).contains("longer than"), "no limit of replacement");
    let stars = "*x".repeat(20_000);
    assert!(expand(&format!("${{A##{stars}}}"), &[("A", &long)]).contains("too long"), "no limit of patterns");
}

proptest! {
    #[test]
    fn no_word_makes_us_panic(word in any::<String>(), value in any::<String>()) {
        let env = env(&[("A", &value)]);
        for quotes in [Quotes::Removed, Quotes::Kept, Quotes::Plain] {
            for keep in [Keep::Yes, Keep::No] {
                let _ = Lexer { escape: Escape::Backtick, quotes, escapes: keep, unset: keep }.expand(&word, &env);
            }
        }
    }

    #[test]
    fn no_substitution_makes_us_panic(inside in "[A#%/:?+*\\\\${}\"'x-]{0,16}") {
        let _ = PLAIN.expand(&format!("${{A{inside}}}"), &env(&[("A", "xA\nx")]));
    }

    /// What is kept as it is written comes out as it went in.
    #[test]
    fn kept_words_are_not_changed(word in "[a-z'\" \\\\$]{0,12}") {
        let keeping = Lexer { escape: Escape::Backslash, quotes: Quotes::Plain, escapes: Keep::Yes, unset: Keep::Yes };
        if let Ok(expansion) = keeping.expand(&word, &NoEnv) {
            prop_assert_eq!(expansion.text, word);
        }
    }
}
