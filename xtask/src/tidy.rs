//! The rules of the house that no compiler checks. Each finding is `path:line: what is wrong`.

use crate::run::{output, workspace};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn tidy() -> Result<()> {
    let listed = output(Command::new("git").current_dir(workspace()).args(["ls-files", "-z"]))?;
    let mut files = BTreeMap::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // Removed but not yet committed, or not text: neither is ours to judge.
        if let Ok(text) = fs::read_to_string(workspace().join(path)) {
            files.insert(path.to_owned(), text);
        }
    }
    let layers = files.get("layers.toml").context("layers.toml is not tracked")?;
    let layers = Layers::parse(layers);
    let mut findings = Vec::new();
    for (path, text) in &files {
        findings.extend(names(path));
        findings.extend(machine_paths(path, text));
        if path.ends_with("Cargo.toml") && path != "Cargo.toml" {
            findings.extend(imports(&layers, path, text));
        }
        if path.ends_with(".rs") {
            findings.extend(size(path, text));
            findings.extend(code(path, text));
        }
        if path.ends_with(".sh") || path.starts_with(".ci/") {
            findings.extend(script(path, text));
        }
    }
    findings.extend(formats(&files));
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} findings", findings.len());
    println!("tidy: {} files", files.len());
    Ok(())
}

/// Floors of the rooms, and what stands beside the house.
struct Layers {
    floors: BTreeMap<String, u32>,
    beside: BTreeMap<String, String>,
}

impl Layers {
    fn parse(text: &str) -> Layers {
        let floors = table(text, "floors").into_iter().filter_map(|(room, floor)| Some((room, floor.parse().ok()?)));
        Layers { floors: floors.collect(), beside: table(text, "beside").into_iter().collect() }
    }

    fn knows(&self, name: &str) -> bool {
        self.floors.contains_key(name) || self.beside.contains_key(name)
    }

    /// Why `from` may not import `to`.
    fn refusal(&self, from: &str, to: &str, for_tests: bool) -> Option<String> {
        if self.beside.get(to).is_some_and(|role| role == "dev") && for_tests && self.floors.contains_key(from) {
            return None;
        }
        match (self.floors.get(from), self.floors.get(to)) {
            (Some(upper), Some(lower)) if upper > lower => None,
            (Some(upper), Some(lower)) => Some(format!("{from} (floor {upper}) may not import {to} (floor {lower})")),
            (None, Some(_) | None) | (Some(_), None) => Some(format!("{from} may not import {to}")),
        }
    }
}

/// The `key = value` lines of one table of a TOML file, without quotes.
fn table(text: &str, name: &str) -> Vec<(String, String)> {
    let header = format!("[{name}]");
    let lines = text.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect()
}

fn imports(layers: &Layers, path: &str, text: &str) -> Vec<String> {
    let Some((_, name)) = table(text, "package").into_iter().find(|(key, _)| key == "name") else {
        return vec![format!("{path}:1: no package name")];
    };
    if !layers.knows(&name) {
        return vec![format!("{path}:1: {name} has no floor in layers.toml")];
    }
    let mut findings = Vec::new();
    for (section, for_tests) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
        for (key, _) in table(text, section) {
            let import = key.split('.').next().unwrap_or(&key);
            if layers.knows(import) {
                findings.extend(layers.refusal(&name, import, for_tests).map(|why| format!("{path}:1: {why}")));
            }
        }
    }
    findings
}

const LINES: usize = 600;

/// Tests at the end of a file, and files of tests, do not count.
fn size(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    (!is_test_file(path) && lines > LINES).then(|| format!("{path}:1: {lines} lines without tests, of at most {LINES}"))
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Words that say nothing about what is in the file.
const EMPTY_NAMES: [&str; 10] =
    ["manager", "handler", "helper", "helpers", "util", "utils", "common", "info", "data", "impl"];

fn names(path: &str) -> Option<String> {
    let code = Path::new(path).extension().is_some_and(|extension| extension == "rs");
    let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    let mut words = parts.flat_map(|part| part.split('_'));
    let empty = words.find(|word| EMPTY_NAMES.contains(word))?;
    code.then(|| format!("{path}:1: the name `{empty}` does not say what is in it"))
}

fn code(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let mut find = |what: &str| findings.push(format!("{path}:{}: {what}", n + 1));
        let line = line.split("//").next().unwrap_or_default();
        // Put together here, so that this file does not find itself.
        for unfinished in [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")] {
            if line.contains(unfinished) {
                find(&format!("unfinished: {unfinished})"));
            }
        }
        let danger = ["{", "fn ", "impl ", "extern "].iter().any(|after| line.contains(&format!("unsafe {after}")));
        if danger && !path.starts_with("crates/sys/") && !line.contains('"') {
            find("unsafe code outside sys");
        }
        if line.trim() == concat!("#[ign", "ore]") {
            find("a test is ignored without a reason");
        }
    }
    findings
}

/// A file that names where it lay on somebody's machine is wrong on the next.
fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for machine in [concat!("/wo", "rk/"), concat!("/ro", "ot/")] {
            let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_./}>".contains(c));
            if line.match_indices(machine).any(|(at, _)| begins(at)) {
                findings.push(format!("{path}:{}: a path of one machine: {machine}", n + 1));
            }
        }
    }
    findings
}

fn script(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    let is_script = path.ends_with(".sh") || text.starts_with("#!");
    (is_script && lines > 20).then(|| format!("{path}:1: {lines} lines of shell, of at most 20: write it in xtask"))
}

/// A format nobody links to is a format nobody finds.
fn formats(files: &BTreeMap<String, String>) -> Vec<String> {
    let pages = files.keys().filter_map(|path| path.strip_prefix("docs/formats/")).filter(|page| *page != "README.md");
    let text: String =
        ["ARCHITECTURE.md", "docs/formats/README.md"].iter().filter_map(|page| files.get(*page)).cloned().collect();
    let unknown = pages.filter(|page| !text.contains(page.split('/').next().unwrap_or(page)));
    unknown
        .map(|page| format!("docs/formats/{page}:1: not named in ARCHITECTURE.md or docs/formats/README.md"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Layers, code, formats, imports, machine_paths, names, script, size};
    use expect_test::{Expect, expect};

    const LAYERS: &str =
        "[floors]\nspec = 0\nsys = 1\ndisk = 1\nstore = 2\n[beside]\ntestkit = \"dev\"\nxtask = \"alone\"\n";

    fn check_imports(manifest: &str, want: Expect) {
        want.assert_eq(&imports(&Layers::parse(LAYERS), "Cargo.toml", manifest).join("\n"));
    }

    #[test]
    fn down_is_allowed_and_testkit_for_tests() {
        let manifest = "[package]\nname = \"store\"\n[dependencies]\nserde.workspace = true\nspec.workspace = true\n\
                        disk = { workspace = true }\n[dev-dependencies]\ntestkit.workspace = true\n";
        check_imports(manifest, expect![""]);
    }

    #[test]
    fn sideways_up_and_the_product_on_testkit_are_refused() {
        let manifest = "[package]\nname = \"disk\"\n[dependencies]\nsys.workspace = true\nstore.workspace = true\ntestkit.workspace = true\n";
        check_imports(
            manifest,
            expect![[r#"
                Cargo.toml:1: disk (floor 1) may not import sys (floor 1)
                Cargo.toml:1: disk (floor 1) may not import store (floor 2)
                Cargo.toml:1: disk may not import testkit"#]],
        );
    }

    #[test]
    fn what_stands_beside_imports_no_room() {
        check_imports(
            "[package]\nname = \"testkit\"\n[dependencies]\nspec.workspace = true\n",
            expect!["Cargo.toml:1: testkit may not import spec"],
        );
        check_imports("[package]\nname = \"new\"\n", expect!["Cargo.toml:1: new has no floor in layers.toml"]);
    }

    #[test]
    fn tests_do_not_count() {
        let code = "x\n".repeat(600);
        assert_eq!(size("a.rs", &format!("{code}#[cfg(test)]\nmod tests {{}}\n{code}")), None);
        assert_eq!(
            size("a.rs", &format!("{code}x")),
            Some("a.rs:1: 601 lines without tests, of at most 600".to_owned())
        );
        assert_eq!(size("crates/a/src/b/tests.rs", &format!("{code}x")), None);
    }

    #[test]
    fn empty_names() {
        assert!(names("crates/a/src/utils.rs").is_some() && names("crates/a/src/path_helper.rs").is_some());
        assert!(names("crates/a/src/common/tree.rs").is_some());
        assert_eq!(names("crates/a/src/container.rs"), None);
    }

    #[test]
    fn unfinished_and_unsafe_code() {
        let text = "a = later!();\n// later!()\nunsafe { x }\n#[ignore]\n#[ignore = \"needs a disk\"]\n";
        let text = text.replace("later", concat!("to", "do"));
        expect![[r"
            crates/a/b.rs:1: unfinished: later!()
            crates/a/b.rs:3: unsafe code outside sys
            crates/a/b.rs:4: a test is ignored without a reason"]]
        .assert_eq(&code("crates/a/b.rs", &text).join("\n").replace(concat!("to", "do"), "later"));
        assert_eq!(code("crates/sys/src/b.rs", "unsafe { x }"), Vec::<String>::new());
    }

    #[test]
    fn paths_of_a_machine() {
        let text = concat!("see /wo", "rk/x\n<root>/ro", "ot/x network/work\n");
        assert_eq!(machine_paths("a", text), [concat!("a:1: a path of one machine: /wo", "rk/")]);
    }

    #[test]
    fn long_scripts_and_lost_formats() {
        assert!(script("a.sh", &"x\n".repeat(21)).is_some() && script("a.sh", &"# x\n".repeat(21)).is_none());
        let mut files = [("docs/formats/claims.md".to_owned(), String::new())].into_iter().collect();
        assert_eq!(formats(&files).len(), 1);
        files.insert("ARCHITECTURE.md".to_owned(), "`docs/formats/claims.md`".to_owned());
        assert_eq!(formats(&files).len(), 0);
    }
}
