//! What builds there were: a file for each of the last in `build-cache/history`, with what it printed. A memory that nothing depends on.

use std::fs;
use std::io;
use std::path::PathBuf;

use disk::{Durability, Record};
use serde::{Deserialize, Serialize};
use spec::time::Time;

use crate::error::Error;
use crate::host::Host;

/// So many are kept.
const KEPT: usize = 50;

/// `build-cache/history/<id>.json`: one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// 25 letters and digits.
    pub id: String,
    /// What was built: the context's last name, and the target.
    pub name: String,
    /// The context as typed.
    pub context: String,
    /// Names it was to get.
    pub tags: Vec<String>,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub completed: Time,
    /// Steps in all, of which so many were known.
    pub steps: (usize, usize),
    /// Why it failed; none: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What `--progress plain` would have shown, as much of its end as is kept.
    pub log: String,
}

impl Record for Past {
    const FILE: &'static str = "<id>.json";
    const FORMAT: u32 = 1;
}

fn dir(host: &Host) -> PathBuf {
    host.store.build_cache_dir().join("history")
}

/// Writes one down; the oldest go.
///
/// # Errors
/// Of the file system.
pub fn put(host: &Host, past: &Past) -> Result<(), Error> {
    let dir = dir(host);
    fs::create_dir_all(&dir).map_err(Error::io(format!("making {}", dir.display())))?;
    disk::write_at(&dir.join(format!("{}.json", past.id)), past, Durability::Volatile)?;
    let all = list(host)?;
    for old in all.iter().skip(KEPT) {
        remove(host, &old.id)?;
    }
    Ok(())
}

/// All of them, the youngest first. What cannot be read is none.
///
/// # Errors
/// Of the file system.
pub fn list(host: &Host) -> Result<Vec<Past>, Error> {
    let dir = dir(host);
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io(format!("reading {}", dir.display())))?,
    };
    let named =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ext| ext == "json"));
    let mut all: Vec<Past> = named.filter_map(|path| disk::read_at(&path).ok().flatten()).collect();
    all.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| a.id.cmp(&b.id)));
    Ok(all)
}

/// The one a user means: by the beginning of its identifier; `^0` and nothing are the last, `^1` the one before.
///
/// # Errors
/// None such, or several.
pub fn find(host: &Host, typed: Option<&str>) -> Result<Past, Error> {
    let mut all = list(host)?;
    let none = || Error::NotFound(format!("no record found for {:?}", typed.unwrap_or("^0")));
    let back = match typed {
        None => Some(0),
        Some(text) => text.strip_prefix('^').map(|n| n.parse::<usize>().map_err(|_| none())).transpose()?,
    };
    if let Some(back) = back {
        return if back < all.len() { Ok(all.swap_remove(back)) } else { Err(none()) };
    }
    all.retain(|past| past.id.starts_with(typed.unwrap_or_default()));
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        0 => Err(none()),
        _ => Err(Error::Invalid(format!("multiple records found with prefix {:?}", typed.unwrap_or_default()))),
    }
}

/// Forgets one.
///
/// # Errors
/// Of the file system.
pub fn remove(host: &Host, id: &str) -> Result<(), Error> {
    let path = dir(host).join(format!("{id}.json"));
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::Io(format!("removing {}", path.display()), e)),
        Ok(()) | Err(_) => Ok(()),
    }
}
