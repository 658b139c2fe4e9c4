//! Who may come in: names and bcrypt hashes as `htpasswd -B` writes them.
//!
//! bcrypt is slow on purpose, 50 ms and more. So each password is tried once in a thread of its own kind, few at a time, and what was
//! right is remembered by a salted hash; requests after that cost microseconds. A name that does not exist costs as much as one that does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use rustix::rand::{GetRandomFlags, getrandom};
use spec::digest::Digest;
use tokio::sync::Semaphore;

use super::reply::Refusal;

/// Passwords tried at once: strangers must not get all processors.
const AT_ONCE: usize = 2;

/// Passwords remembered; then they are forgotten and tried again.
const KNOWN_MAX: usize = 1024;

/// Compared with when nobody has that name: bcrypt's cost 10, which htpasswd and Docker's documentation are near. Of no password.
const NOBODY: &str = "$2y$10$abcdefghijklmnopqrstuuS7cJqjvqsmHZyYm1wG0XnFrkpc8.0aC";

/// Why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("reading {0}")]
    Read(String, #[source] std::io::Error),
    /// A line is not `name:hash`.
    #[error("{file}:{line}: not `name:hash`")]
    Line {
        /// The file.
        file: String,
        /// Its number, from 1.
        line: usize,
    },
    /// A hash of another kind.
    #[error("{file}:{line}: only bcrypt hashes are supported (htpasswd -B)")]
    Hash {
        /// The file.
        file: String,
        /// Its number, from 1.
        line: usize,
    },
}

/// The users of a registry.
#[derive(Debug)]
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    salt: [u8; 32],
    known: Mutex<BTreeSet<Digest>>,
    trying: Semaphore,
}

impl Users {
    pub(super) fn read(path: &Path) -> Result<Users, UsersError> {
        let file = path.display().to_string();
        let failed = |error| UsersError::Read(file.clone(), error);
        let hashes = parse(&file, &fs::read_to_string(path).map_err(failed)?)?;
        let mut salt = [0; 32];
        getrandom(&mut salt, GetRandomFlags::empty()).map_err(|error| failed(error.into()))?;
        Ok(Users { hashes, salt, known: Mutex::default(), trying: Semaphore::new(AT_ONCE) })
    }

    /// Lets in who knows a password.
    pub(super) async fn admit(&self, authorization: Option<&HeaderValue>) -> Result<(), Refusal> {
        let credentials = authorization.and_then(basic).ok_or_else(Refusal::unauthorized)?;
        let Some((name, password)) = credentials.split_once(':') else { return Err(Refusal::unauthorized()) };
        // Salted and hashed: how long the search takes says nothing about what is in the set.
        let mark = Digest::sha256(&[&self.salt, credentials.as_bytes()].concat());
        if self.known.lock().is_ok_and(|known| known.contains(&mark)) {
            return Ok(());
        }
        let (hash, exists) = match self.hashes.get(name) {
            Some(hash) => (hash.clone(), true),
            None => (NOBODY.to_owned(), false),
        };
        let password = password.to_owned();
        let Ok(_one_of_few) = self.trying.acquire().await else { return Err(Refusal::unauthorized()) };
        let right = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await;
        if !exists || !right.unwrap_or(false) {
            return Err(Refusal::unauthorized());
        }
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(mark);
        }
        Ok(())
    }
}

/// `name:password` of `Authorization: Basic`.
fn basic(header: &HeaderValue) -> Option<String> {
    let (scheme, word) = header.to_str().ok()?.split_once(' ')?;
    let bytes = STANDARD.decode(word.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(bytes).ok()
}

fn parse(file: &str, text: &str) -> Result<BTreeMap<String, String>, UsersError> {
    let mut hashes = BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        let line_number = n + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, hash)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
            return Err(UsersError::Line { file: file.into(), line: line_number });
        };
        if hash.parse::<bcrypt::HashParts>().is_err() {
            return Err(UsersError::Hash { file: file.into(), line: line_number });
        }
        hashes.insert(name.to_owned(), hash.to_owned());
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The password is `secret`, the cost 4.
    const LINE: &str = "amy:$2y$04$abcdefghijklmnopqrstuuIN5mO7MrTL2UfVQ5mQ2ZRNzCPWZyRDu";

    #[test]
    fn only_bcrypt_is_taken_and_the_line_is_named() {
        assert!(parse("f", &format!("# users\n\n{LINE}\n")).unwrap().contains_key("amy"));
        for (bad, why) in [
            ("amy", "f:1: not `name:hash`"),
            (":x", "f:1: not `name:hash`"),
            ("\namy:$apr1$x$y", "f:2: only bcrypt hashes are supported (htpasswd -B)"),
            ("amy:{SHA}x", "f:1: only bcrypt hashes are supported (htpasswd -B)"),
            ("amy:plain", "f:1: only bcrypt hashes are supported (htpasswd -B)"),
        ] {
            assert_eq!(parse("f", bad).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn nobody_is_a_hash_like_any_other() {
        assert!(!bcrypt::verify("", NOBODY).unwrap());
    }
}
