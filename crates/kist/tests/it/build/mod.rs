//! `build`, with the real program and images of busybox.

mod cache;
mod deaths;
mod debian;
mod epoch;
mod errors;
mod inputs;
mod instructions;
mod outputs;
mod packed;
mod runs;
mod shape;
mod shown;

use std::path::PathBuf;

use testkit::{Kist, Output};

use crate::{busybox, empty};

/// A context in a directory of its own: files by their names, `Dockerfile` among them.
fn context(kist: &Kist, name: &str, files: &[(&str, &str)]) -> String {
    for (file, text) in files {
        kist.scratch().write(&format!("{name}/{file}"), text);
    }
    kist.scratch().join(name).to_str().unwrap().to_owned()
}

/// Builds a context, in words that do not depend on a terminal.
fn build(kist: &Kist, flags: &[&str], dir: &str) -> Output {
    kist.run(&[&["build", "--progress", "plain"], flags, &[dir]].concat())
}

/// Builds a Dockerfile alone.
fn build_text(kist: &Kist, flags: &[&str], text: &str) -> Output {
    kist.run_with_input(&[&["build", "--progress", "plain"], flags, &["-"]].concat(), text)
}

/// The image that a build makes, which must succeed.
#[track_caller]
fn image(kist: &Kist, flags: &[&str], dir: &str) -> String {
    let out = kist.run(&[&["build", "-q"], flags, &[dir]].concat());
    assert_eq!(out.code, 0, "{}", out.stderr);
    out.stdout.trim().to_owned()
}

/// The same of a Dockerfile alone.
#[track_caller]
fn image_of(kist: &Kist, flags: &[&str], text: &str) -> String {
    let out = kist.run_with_input(&[&["build", "-q"], flags, &["-"]].concat(), text);
    assert_eq!(out.code, 0, "{}", out.stderr);
    out.stdout.trim().to_owned()
}

/// What a command in an image prints.
#[track_caller]
fn within(kist: &Kist, image: &str, script: &str) -> String {
    kist.ok(&["run", "--rm", "--network", "none", "--entrypoint", "", image, "/bin/sh", "-c", script])
}

/// What the config of an image says.
#[track_caller]
fn config(kist: &Kist, image: &str, format: &str) -> String {
    kist.ok(&["image", "inspect", "--format", format, image])
}

/// The steps of a build but for the images they begin with, and how each came by its result: `[2/3] RUN x: CACHED`.
fn steps(out: &Output) -> Vec<String> {
    let mut names = std::collections::BTreeMap::new();
    let mut ends = Vec::new();
    for line in out.stderr.lines() {
        let Some((number, text)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else { continue };
        if text.starts_with('[') && !text.starts_with("[internal]") && !text.contains("] FROM ") {
            names.entry(number.to_owned()).or_insert_with(|| text.to_owned());
        }
        let end = text.split(' ').next().unwrap_or_default();
        if let (Some(name), "DONE" | "CACHED" | "ERROR:" | "CANCELED") = (names.get(number), end) {
            ends.push(format!("{name}: {}", end.trim_end_matches(':')));
        }
    }
    // In parallel builds the order differs.
    ends.sort();
    ends
}

/// What builds have left of drafts and of what says that they go on.
fn leftovers(kist: &Kist) -> Vec<PathBuf> {
    let below = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let builds = below(kist.run_root().join("builds")).filter(|path| !path.ends_with("steps"));
    // What was never finished, and what passes through, is the collector's to take away.
    let is_passing = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let is_whole = |path: &PathBuf| !is_passing(path) && path.join("draft.json").exists();
    let drafts = below(kist.root().join("drafts")).filter(is_whole);
    drafts.chain(builds).chain(below(kist.root().join("build-cache/tmp"))).collect()
}
