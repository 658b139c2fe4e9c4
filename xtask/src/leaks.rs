//! What tests left behind that were killed: testkit marks everything with the path of a private root, `/var/tmp/kist-test-<pid>-<n>`,
//! which says whose it was. What belongs to a living process is not a leak.

use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MARK: &str = "/var/tmp/kist-test-";

pub(crate) fn leaks() -> Result<()> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/var/tmp")?.flatten() {
        let path = entry.path().display().to_string();
        found.extend(orphans(&path).map(|root| format!("directory {root}")));
    }
    for line in read("/proc/self/mountinfo").lines() {
        found.extend(orphans(line).map(|root| format!("mount below {root}")));
    }
    for entry in fs::read_dir("/proc")?.flatten() {
        let proc = entry.path();
        let is_process = entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit());
        if is_process && entry.file_name().to_string_lossy() != std::process::id().to_string() {
            let text = read(proc.join("cmdline")) + &read(proc.join("environ")) + &read(proc.join("mountinfo"));
            let name = read(proc.join("comm"));
            let pid = entry.file_name().to_string_lossy().into_owned();
            found.extend(orphans(&text).map(|root| format!("process {pid} ({}) of {root}", name.trim_end())));
        }
    }
    for leak in &found {
        println!("{leak}");
    }
    ensure!(found.is_empty(), "{} leaks", found.len());
    println!("no leaks");
    Ok(())
}

/// The roots named in the text whose test is no longer running.
fn orphans(text: &str) -> impl Iterator<Item = String> {
    roots(text).into_iter().filter(|(pid, _)| !Path::new(&format!("/proc/{pid}")).is_dir()).map(|(_, root)| root)
}

fn roots(text: &str) -> Vec<(u32, String)> {
    let root = |(at, _): (usize, &str)| {
        let (pid, rest) = text[at + MARK.len()..].split_once('-')?;
        let n: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let pid = pid.parse().ok()?;
        Some((pid, format!("{MARK}{pid}-{n}")))
    };
    text.match_indices(MARK).filter_map(root).collect()
}

fn read(path: impl Into<PathBuf>) -> String {
    fs::read(path.into()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::roots;

    #[test]
    fn a_mount_line_names_its_root() {
        let line =
            "1 2 0:3 / /var/tmp/kist-test-12-3/root/x rw - overlay overlay rw,upperdir=/var/tmp/kist-test-12-3/u";
        let root = (12, "/var/tmp/kist-test-12-3".to_owned());
        assert_eq!(roots(line), [root.clone(), root]);
        assert_eq!(roots("/var/tmp/kist-test-x"), []);
    }
}
