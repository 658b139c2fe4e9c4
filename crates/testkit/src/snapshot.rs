//! What is on the machine that belongs to a test: nothing of it may be left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a thing is known to belong to a test: it carries the path of the test's private root, or the identifier of one of its containers.
#[derive(Debug, Clone)]
pub struct Marker {
    root: PathBuf,
    ids: BTreeSet<String>,
}

impl Marker {
    /// Marks by a path, which must be private to the test.
    pub fn new(root: &Path) -> Marker {
        Marker { root: root.to_owned(), ids: BTreeSet::new() }
    }

    /// Marks by a container's full identifier too: cgroups carry nothing else.
    pub fn add_id(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
    }

    /// Adds every word of 64 hexadecimal digits in the text.
    pub fn add_ids_of(&mut self, text: &str) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        for id in words.filter(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())) {
            self.add_id(id);
        }
    }

    /// A whole component of a path, so that the mark `…-1` is not found in `…-10`.
    fn is_in(&self, text: &str) -> bool {
        let root = self.root.to_string_lossy();
        let whole = |at: usize| !text[at + root.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        text.match_indices(&*root).any(|(at, _)| whole(at))
    }

    /// Only where nothing but containers is named so: a word of the same length in a mount's options may be a layer that tests share.
    fn is_id_in(&self, text: &str) -> bool {
        self.ids.iter().any(|id| text.contains(id.as_str()))
    }
}

/// What carries a mark at one moment: mounts, processes, network namespaces, cgroups, open files. Each is one line of text.
#[derive(Debug, Clone)]
pub struct Snapshot {
    marker: Marker,
    things: BTreeSet<String>,
}

impl Snapshot {
    /// Looks at the machine now.
    pub fn of(marker: &Marker) -> Snapshot {
        let mut things = BTreeSet::new();
        let mounts = read("/proc/self/mountinfo");
        things.extend(mounts.lines().filter(|line| marker.is_in(line)).map(|line| format!("mount {line}")));
        processes(marker, &mut things);
        for hierarchy in hierarchies() {
            cgroups(marker, &hierarchy, &mut things);
        }
        Snapshot { marker: marker.clone(), things }
    }

    /// What a mark that was never used carries.
    pub fn nothing(marker: &Marker) -> Snapshot {
        Snapshot { marker: marker.clone(), things: BTreeSet::new() }
    }

    /// What is there now and was not then.
    pub fn grown(&self) -> Vec<String> {
        let now = Snapshot::of(&self.marker);
        now.things.difference(&self.things).cloned().collect()
    }

    /// Waits up to three seconds for what is on its way out, such as a monitor that has said its last word.
    ///
    /// # Panics
    /// When more is there than was at the time of the snapshot; the message lists it.
    pub fn assert_unchanged(&self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let grown = self.grown();
            if grown.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind:\n  {}", grown.join("\n  "));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Processes that carry the mark in command line or environment, live in a mount namespace where something marked is mounted that is
/// not mounted here, or hold a marked file open; and the network namespaces of those that are not ours.
fn processes(marker: &Marker, things: &mut BTreeSet<String>) {
    let own_netns = fs::read_link("/proc/self/ns/net").ok();
    let own_mntns = fs::read_link("/proc/self/ns/mnt").ok();
    for pid in pids() {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let is_self = pid == std::process::id();
        if !is_self {
            let text = read(proc.join("cmdline")) + &read(proc.join("environ"));
            let elsewhere = fs::read_link(proc.join("ns/mnt")).ok() != own_mntns;
            if marker.is_in(&text) || (elsewhere && marker.is_in(&read(proc.join("mountinfo")))) {
                let name = read(proc.join("comm"));
                things.insert(format!("process {pid} {}: {}", name.trim_end(), text.replace('\0', " ").trim_end()));
                let netns = fs::read_link(proc.join("ns/net")).ok();
                if let Some(netns) = netns.filter(|netns| Some(netns) != own_netns.as_ref()) {
                    things.insert(format!("network namespace {}", netns.display()));
                }
            }
        }
        for fd in fs::read_dir(proc.join("fd")).into_iter().flatten().flatten() {
            let target = fs::read_link(fd.path()).unwrap_or_default();
            if marker.is_in(&target.to_string_lossy()) {
                things.insert(format!("open file {} of process {pid}", target.display()));
            }
        }
    }
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Where cgroup hierarchies are mounted: one of v2, many of v1.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = read("/proc/self/mountinfo");
    let points = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup").then(|| before.split(' ').nth(4).map(PathBuf::from))?
    });
    points.collect()
}

fn cgroups(marker: &Marker, dir: &Path, things: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if marker.is_id_in(&path.to_string_lossy()) {
                things.insert(format!("cgroup {}", path.display()));
            }
            cgroups(marker, &path, things);
        }
    }
}

/// Empty where there is nothing to read: processes come and go while we look.
fn read(path: impl AsRef<Path>) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Snapshot;
    use crate::Root;
    use std::process::Command;

    #[test]
    fn a_process_an_open_file_and_nothing_afterwards() {
        let root = Root::new();
        let before = Snapshot::of(&root.marker());
        let file = std::fs::File::create(root.join("open")).unwrap();
        let mut sleep = Command::new("sleep").arg("100").env("HERE", root.path()).spawn().unwrap();
        let kinds: Vec<_> = before.grown().iter().map(|thing| thing.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["open", "process"]);
        drop(file);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        before.assert_unchanged();
    }

    #[test]
    fn another_test_whose_number_begins_alike_is_not_ours() {
        let marker = super::Marker::new(std::path::Path::new("/var/tmp/kist-test-1-1"));
        assert!(marker.is_in("upperdir=/var/tmp/kist-test-1-1/root/x") && marker.is_in("/var/tmp/kist-test-1-1"));
        assert!(!marker.is_in("upperdir=/var/tmp/kist-test-1-10/root/x"));
    }
}
