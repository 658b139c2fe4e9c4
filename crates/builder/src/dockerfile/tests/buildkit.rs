//! BuildKit's own test data, beside the repository (`../shared/data/dockerfile`).

use std::fs;
use std::path::PathBuf;

use super::super::ast::Escape;
use super::super::env::Environment;
use super::super::line::Line;
use super::super::words::{Env, Lexer, Variables};
use super::super::{go, source};

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dockerfile").join(path)
}

fn dirs(path: &str) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(data(path))
        .expect("BuildKit's test data is beside the repository")
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!dirs.is_empty(), "{path} is empty");
    dirs.sort();
    dirs
}

/// A file in the form in which BuildKit dumps its tree.
fn dump(text: &[u8]) -> String {
    let source = source::read(text);
    assert_eq!(source.mistakes, []);
    source.statements.iter().map(|statement| format!("({})\n", dump_line(&statement.line))).collect()
}

fn dump_line(line: &Line) -> String {
    let mut out = line.keyword.to_lowercase();
    if !line.flags.is_empty() {
        let flags: Vec<String> = line.flags.iter().map(|flag| go::quote(flag)).collect();
        out += &format!(" [{}]", flags.join(" "));
    }
    if let Some(trigger) = &line.trigger {
        out += &format!(" ({})", dump_line(trigger));
    }
    for arg in &line.args {
        out += &format!(" {}", go::quote(arg));
    }
    out
}

#[test]
fn every_file_of_buildkits_is_read_as_buildkit_reads_it() {
    for dir in dirs("parser/testfiles") {
        let text = fs::read(dir.join("Dockerfile")).unwrap();
        let want = fs::read_to_string(dir.join("result")).unwrap();
        assert_eq!(dump(&text).trim_end(), want.trim_end(), "{}", dir.display());
    }
}

#[test]
fn every_file_that_buildkit_refuses_is_refused() {
    for dir in dirs("parser/testfiles-negative") {
        let text = fs::read(dir.join("Dockerfile")).unwrap();
        let source = source::read(&text);
        assert!(source.statements.is_empty() || !source.mistakes.is_empty(), "{}", dir.display());
        assert!(super::super::parse(&text).is_err(), "{}", dir.display());
    }
}

#[test]
fn lines_are_counted_as_buildkit_counts_them() {
    let source = source::read(&fs::read(data("parser/testfile-line/Dockerfile")).unwrap());
    let lines: Vec<_> =
        source.statements.iter().map(|statement| (statement.span.first_line, statement.span.last_line)).collect();
    assert_eq!(lines, [(5, 5), (11, 12), (17, 31)]);
}

#[test]
fn variables_are_expanded_as_buildkit_expands_them() {
    let env = Environment::of_pairs(["PWD=/home", "SHELL=bash", "KOREAN=한국어", "NULL="]).unwrap();
    let text = fs::read_to_string(data("shell/envVarTest")).unwrap();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let [platform, word, want] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else { panic!("{line}") };
        if platform == "W" {
            continue;
        }
        count += 1;
        let got = Lexer::new(Escape::Backslash).expand(word, &env).map(|expansion| expansion.text);
        match (want, got) {
            ("error", got) => assert!(got.is_err(), "{line}"),
            (want, got) => assert_eq!(got.as_deref(), Ok(want), "{line}"),
        }
    }
    assert!(count > 100, "only {count} words");
}

#[test]
fn words_are_split_as_buildkit_splits_them() {
    let text = fs::read_to_string(data("shell/wordsTest")).unwrap();
    let mut env = Environment::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(pair) = line.strip_prefix("ENV ") {
            let (name, value) = pair.trim_start_matches(' ').split_once('=').unwrap();
            env.set(name, value).unwrap();
            continue;
        }
        let (word, want) = line.split_once('|').unwrap_or_else(|| panic!("{line}"));
        let want: Vec<&str> = want.trim_start_matches(' ').split(',').collect();
        let got = Lexer::new(Escape::Backslash).expand(word.trim(), &env).map(|expansion| expansion.words);
        assert_eq!(got.unwrap_or_else(|_| vec!["error".to_owned()]), want, "{line}");
    }
}

#[test]
fn a_variable_said_twice_has_its_last_value() {
    let env = Environment::of_pairs(["foo=bar", "car=hat", "car=bike", "bare"]).unwrap();
    assert_eq!(env.value("car"), Some("bike"));
    assert_eq!(env.value("bare"), Some(""));
    assert_eq!(env.value("fo"), None);
    assert_eq!(Variables::new(Escape::Backslash, &env).used.len(), 0);
}
