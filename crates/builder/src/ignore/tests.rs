use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

use super::*;

fn parents(path: &str) -> Vec<&str> {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    if above.is_empty() {
        return Vec::new();
    }
    above.match_indices('/').map(|(at, _)| &path[..at]).filter(|dir| !dir.is_empty()).chain([above]).collect()
}

/// By the walk that knows what was said above.
fn walked(patterns: &Patterns, path: &str) -> bool {
    let mut above = Above::default();
    for dir in parents(path) {
        above = patterns.walk(dir, &above).1;
    }
    patterns.walk(path, &above).0 != Verdict::Keep
}

fn check(patterns: &[&str], path: &str, want: bool) {
    let read = Patterns::new(patterns).unwrap();
    assert_eq!(read.matches(path), want, "{patterns:?} and {path}");
    assert_eq!(walked(&read, path), want, "{patterns:?} and {path}, in a walk");
}

const MOBYS: &[(&str, &str, bool)] = &[
    ("**", "file", true),
    ("**", "file/", true),
    ("**/", "file", true),
    ("**/", "file/", true),
    ("**", "/", true),
    ("**/", "/", true),
    ("**", "dir/file", true),
    ("**/", "dir/file", true),
    ("**", "dir/file/", true),
    ("**/", "dir/file/", true),
    ("**/**", "dir/file", true),
    ("**/**", "dir/file/", true),
    ("dir/**", "dir/file", true),
    ("dir/**", "dir/file/", true),
    ("dir/**", "dir/dir2/file", true),
    ("dir/**", "dir/dir2/file/", true),
    ("**/dir", "dir", true),
    ("**/dir", "dir/file", true),
    ("**/dir2/*", "dir/dir2/file", true),
    ("**/dir2/*", "dir/dir2/file/", true),
    ("**/dir2/**", "dir/dir2/dir3/file", true),
    ("**/dir2/**", "dir/dir2/dir3/file/", true),
    ("**file", "file", true),
    ("**file", "dir/file", true),
    ("**/file", "dir/file", true),
    ("**file", "dir/dir/file", true),
    ("**/file", "dir/dir/file", true),
    ("**/file*", "dir/dir/file", true),
    ("**/file*", "dir/dir/file.txt", true),
    ("**/file*txt", "dir/dir/file.txt", true),
    ("**/file*.txt", "dir/dir/file.txt", true),
    ("**/file*.txt*", "dir/dir/file.txt", true),
    ("**/**/*.txt", "dir/dir/file.txt", true),
    ("**/**/*.txt2", "dir/dir/file.txt", false),
    ("**/*.txt", "file.txt", true),
    ("**/**/*.txt", "file.txt", true),
    ("a**/*.txt", "a/file.txt", true),
    ("a**/*.txt", "a/dir/file.txt", true),
    ("a**/*.txt", "a/dir/dir/file.txt", true),
    ("a/*.txt", "a/dir/file.txt", false),
    ("a/*.txt", "a/file.txt", true),
    ("a/*.txt**", "a/file.txt", true),
    ("a[b-d]e", "ae", false),
    ("a[b-d]e", "ace", true),
    ("a[b-d]e", "aae", false),
    ("a[^b-d]e", "aze", true),
    (".*", ".foo", true),
    (".*", "foo", false),
    ("abc.def", "abcdef", false),
    ("abc.def", "abc.def", true),
    ("abc.def", "abcZdef", false),
    ("abc?def", "abcZdef", true),
    ("abc?def", "abcdef", false),
    ("a\\\\", "a\\", true),
    ("**/foo/bar", "foo/bar", true),
    ("**/foo/bar", "dir/foo/bar", true),
    ("**/foo/bar", "dir/dir2/foo/bar", true),
    ("abc/**", "abc", false),
    ("abc/**", "abc/def", true),
    ("abc/**", "abc/def/ghi", true),
    ("**/.foo", ".foo", true),
    ("**/.foo", "bar.foo", false),
    ("a(b)c/def", "a(b)c/def", true),
    ("a(b)c/def", "a(b)c/xyz", false),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
    (
        "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
        "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
        true,
    ),
    ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true),
    ("a\\*b", "a*b", true),
    ("*", "fileutils.go", true),
    ("*.go", "fileutils.go", true),
    ("a**b", "ab", true),
    ("a**b", "a/b", true),
    ("a**b", "ax/b", true),
    ("a**b", "axb", false),
];

/// moby's own table.
#[test]
fn patterns_match_as_mobys_do() {
    for (pattern, path, want) in MOBYS {
        check(&[pattern], path, *want);
    }
}

#[test]
fn of_several_patterns_the_last_decides() {
    let wheel = "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl";
    check(&["**", "!util/docker/web"], "util/docker/web/foo", false);
    check(&["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true);
    check(&["**", &format!("!{wheel}")], wheel, false);
    check(&["**", "!dist/*.whl"], wheel, false);
    check(&["!fileutils.go", "*.go"], "fileutils.go", true);
    check(&["*.go", "!fileutils.go"], "fileutils.go", false);
    check(&["docs", "!docs/README.md"], "docs/README.md", false);
    check(&["docs/", "!docs/README.md"], "docs/README.md", false);
    check(&["docs/*", "!docs/README.md"], "docs/README.md", false);
    check(&["docs", "  !docs/README.md  ", ""], "docs/README.md", false);
    check(&[], "any/path/there", false);
}

const GOS: &[(&str, &str, &str)] = &[
    ("abc", "abc", "yes"),
    ("*", "abc", "yes"),
    ("*c", "abc", "yes"),
    ("a*", "a", "yes"),
    ("a*", "abc", "yes"),
    ("a*", "ab/c", "no"),
    ("a*/b", "abc/b", "yes"),
    ("a*/b", "a/c/b", "no"),
    ("a*b*c*d*e*/f", "axbxcxdxe/f", "yes"),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", "yes"),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", "no"),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", "no"),
    ("a*b?c*x", "abxbbxdbxebxczzx", "yes"),
    ("a*b?c*x", "abxbbxdbxebxczzy", "no"),
    ("ab[c]", "abc", "yes"),
    ("ab[b-d]", "abc", "yes"),
    ("ab[e-g]", "abc", "no"),
    ("ab[^c]", "abc", "no"),
    ("ab[^b-d]", "abc", "no"),
    ("ab[^e-g]", "abc", "yes"),
    ("a\\*b", "a*b", "yes"),
    ("a\\*b", "ab", "no"),
    ("a?b", "a☺b", "yes"),
    ("a[^a]b", "a☺b", "yes"),
    ("a???b", "a☺b", "no"),
    ("a[^a][^a][^a]b", "a☺b", "no"),
    ("[a-ζ]*", "α", "yes"),
    ("*[a-ζ]", "A", "no"),
    ("a?b", "a/b", "no"),
    ("a*b", "a/b", "no"),
    ("[\\]a]", "]", "yes"),
    ("[\\-]", "-", "yes"),
    ("[x\\-]", "x", "yes"),
    ("[x\\-]", "-", "yes"),
    ("[x\\-]", "z", "no"),
    ("[\\-x]", "x", "yes"),
    ("[\\-x]", "-", "yes"),
    ("[\\-x]", "a", "no"),
    ("[]a]", "]", "."),
    ("[-]", "-", "."),
    ("[x-]", "x", "."),
    ("[x-]", "z", "."),
    ("[-x]", "x", "."),
    ("\\", "a", "."),
    ("[a-b-c]", "a", "."),
    ("[", "a", "."),
    ("[^", "a", "."),
    ("[^bc", "a", "."),
    ("a[", "a", "."),
    ("a[", "ab", "."),
    ("*x", "xxx", "yes"),
    ("**/a", "x/a", "yes"),
    ("**/a", "a", "no"),
];

/// Go's own table of `filepath.Match`; a dot is a pattern that cannot be read.
#[test]
fn paths_match_as_gos_do() {
    for &(pattern, path, want) in GOS {
        let is = match match_path(pattern, path) {
            Ok(true) => "yes",
            Ok(false) => "no",
            Err(_) => ".",
        };
        assert_eq!(is, want, "{pattern} and {path}");
    }
}

#[test]
fn a_pattern_nobody_can_read_is_refused() {
    assert_eq!(Patterns::new(["!"]).unwrap_err(), PatternError::LoneExclamation);
    for pattern in ["[", "a\\", "[Local-Only]/"] {
        assert!(Patterns::new([pattern]).is_err(), "{pattern}");
    }
}

#[test]
fn a_file_of_patterns_is_read_line_by_line() {
    let text = "\u{feff}test1\n/test2\n/a/file/here\r\n\nlastfile\n# this is a comment\n ! /inverted/abs/path\n!\n! \nx/../y/./\n #no\n/\n";
    let want = ["test1", "test2", "a/file/here", "lastfile", "!inverted/abs/path", "!", "!", "y", "#no", "/"]
        .map(str::to_owned);
    assert_eq!(read(text.as_bytes()), want);
    assert!(read(b"").is_empty());
}

#[test]
fn a_directory_is_left_out_whole_unless_an_exception_may_be_below() {
    for (patterns, dir, want) in [
        (&["node_modules"][..], "node_modules", Verdict::Drop),
        (&["node_modules"], "src", Verdict::Keep),
        (&["docs", "!docs/README.md"], "docs", Verdict::DropButLook),
        (&["docs", "!docs/README.md"], "docs/api", Verdict::Drop),
        (&["docs", "!other/README.md"], "docs", Verdict::Drop),
        (&["!docs/README.md", "docs"], "docs", Verdict::Drop),
        (&["**", "!**/*.rs"], "a/b", Verdict::DropButLook),
        (&["**", "!src/*/x"], "src/a", Verdict::DropButLook),
        (&["**", "!src/*/x"], "src/a/b", Verdict::Drop),
        (&["*", "!src/**"], "src", Verdict::DropButLook),
        (&["*", "!src"], "src", Verdict::Keep),
    ] {
        let read = Patterns::new(patterns).unwrap();
        let mut above = Above::default();
        for parent in parents(dir) {
            above = read.walk(parent, &above).1;
        }
        assert_eq!(read.walk(dir, &above).0, want, "{patterns:?} at {dir}");
    }
}

#[test]
fn paths_are_cleaned() {
    for (path, want) in [("", "."), ("a//b/", "a/b"), ("./a/../..", ".."), ("/../a", "/a"), ("/", "/"), ("a/..", ".")] {
        assert_eq!(clean(path), want, "{path}");
    }
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("!?(a|b|\\*|\\*\\*|\\?|/|\\[ab\\]){1,6}", 0..5)
}

proptest! {
    #[test]
    fn no_pattern_makes_us_panic(text in any::<String>(), likely in "[ab/]{0,6}(\n!?[ab*?/\\\\^\\[\\]-]{0,8}){0,5}") {
        fuzz(text.as_bytes());
        fuzz(likely.as_bytes());
    }

    /// The walk, which asks less, says the same. (With exceptions moby's two ways differ at times: the walk does not remember an
    /// exception that matched a directory when there was nothing to except it from. The walk is what chooses a context's files.)
    #[test]
    fn a_walk_says_what_the_whole_path_says(patterns in patterns(), path in "[ab](/[ab]){0,3}") {
        let plain: Vec<&str> = patterns.iter().map(|pattern| pattern.trim_start_matches('!')).collect();
        let read = Patterns::new(plain).unwrap();
        prop_assert_eq!(walked(&read, &path), read.matches(&path), "{:?}", patterns);
    }
}
