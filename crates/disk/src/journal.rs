//! The claims journal: what is taken is written down before it is taken, and given back newest first.
//!
//! One line of JSON a step: `{"take":CLAIM}` before the act, `{"give":N}` after claim number N (from 0) was given back. A line that a
//! crash cut short was written before its act began, so it claims nothing and is skipped. The file lies in the run directory (tmpfs):
//! a reboot takes it away together with everything it could name, so it is never synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::faults;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<C> {
    Take(C),
    Give(usize),
}

/// An open journal and the claims it holds.
#[derive(Debug)]
pub struct Journal<C> {
    file: File,
    claims: Vec<Option<C>>,
}

impl<C: Serialize + DeserializeOwned + Clone> Journal<C> {
    /// Opens or begins the journal at `path`.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(path: &Path) -> io::Result<Journal<C>> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Journal { file, claims: claims_of(&text) })
    }

    /// What somebody else holds now; nothing where there is no journal.
    ///
    /// # Errors
    /// Of the file system.
    pub fn look(path: &Path) -> io::Result<Vec<C>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(claims_of(&text).into_iter().flatten().collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Writes down a claim; call this before taking it.
    ///
    /// # Errors
    /// Of the file system; then nothing may be taken.
    pub fn take(&mut self, claim: C) -> io::Result<()> {
        faults::act("claim")?;
        self.line(&Line::Take(claim.clone()))?;
        self.claims.push(Some(claim));
        Ok(())
    }

    /// What is claimed, oldest first.
    pub fn held(&self) -> impl Iterator<Item = &C> {
        self.claims.iter().flatten()
    }

    /// Gives everything back, newest first. A claim that `release` cannot give back stays written down; the rest is still given back.
    ///
    /// # Errors
    /// The first of `release`'s errors, or of the file system.
    pub fn give_back<E: From<io::Error>>(&mut self, release: impl FnMut(&C) -> Result<(), E>) -> Result<(), E> {
        self.give_back_if(|_| true, release)
    }

    /// The same, of some claims alone.
    ///
    /// # Errors
    /// As [`Journal::give_back`].
    pub fn give_back_if<E: From<io::Error>>(
        &mut self,
        which: impl Fn(&C) -> bool,
        mut release: impl FnMut(&C) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut first = Ok(());
        for n in (0..self.claims.len()).rev() {
            let Some(claim) = self.claims[n].as_ref().filter(|claim| which(claim)) else { continue };
            let given = release(claim).and_then(|()| {
                faults::act("give back")?;
                self.file.write_all(&line_of(&Line::<C>::Give(n))?)?;
                Ok(())
            });
            match given {
                Ok(()) => self.claims[n] = None,
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    fn line(&mut self, line: &Line<C>) -> io::Result<()> {
        self.file.write_all(&line_of(line)?)
    }
}

fn claims_of<C: DeserializeOwned>(text: &str) -> Vec<Option<C>> {
    let mut claims = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Take(claim)) => claims.push(Some(claim)),
            Ok(Line::Give(n)) => {
                if let Some(claim) = claims.get_mut(n) {
                    *claim = None;
                }
            }
            Err(_) => {}
        }
    }
    claims
}

fn line_of<C: Serialize>(line: &Line<C>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
