//! What is in an image: an SPDX 2.3 document of the packages that its files name. Everything that is read was written by whoever made the
//! image or what it was made of: a list that cannot be read names no packages, and fails nothing.
//!
//! Read are lists of Debian and Alpine, what `npm`, `pip`, `cargo`, `gem` and `composer` leave, and what Go writes into programs.

mod license;
mod package;
mod parse;
mod spdx;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use spec::attestation::Predicate;
use spec::digest::ImageId;
use spec::time::Time;

use super::files::{Files, Met};
use package::{Package, Packages};
use parse::{Os, Reader};

/// More packages than any image has; an image may be made to have more.
const PACKAGES: usize = 200_000;

/// What the document is about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The image: the document is named by it.
    pub image: &'a ImageId,
    /// What it is called, if anything.
    pub name: Option<&'a str>,
    /// The document's time: the image's.
    pub created: Time,
}

/// Looks through an image's files, of which `root` is the root, and says what is in them. The same image gives the same bytes.
///
/// # Errors
/// The file system's; nothing in the files is an error.
pub fn sbom(root: BorrowedFd<'_>, subject: &Subject<'_>) -> io::Result<Predicate> {
    let scan = Scan::of(root)?;
    Ok(Predicate { kind: "https://spdx.dev/Document".into(), body: spdx::document(subject, &scan) })
}

/// Reads these bytes as every kind of list, and as a program: for fuzzing.
///
/// # Panics
/// That is what is looked for.
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let os = Os::parse(bytes);
    for reader in Reader::ALL {
        reader.packages(&text, os.as_ref());
    }
    let file = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).map(std::fs::File::from);
    if let Ok(mut file) = file
        && io::Write::write_all(&mut file, bytes).is_ok()
    {
        let _ = parse::go::program(&file, bytes.len() as u64);
    }
}

/// What was found.
pub(crate) struct Scan {
    os: Option<Os>,
    packages: Packages,
    /// What was passed over.
    skipped: Vec<String>,
}

impl Scan {
    fn of(root: BorrowedFd<'_>) -> io::Result<Scan> {
        let mut files = Files::new(root);
        let mut scan = Scan { os: None, packages: Packages::default(), skipped: Vec::new() };
        for path in ["etc/os-release", "usr/lib/os-release"] {
            if scan.os.is_none()
                && let Some(text) = files.read(Path::new(path))?
            {
                scan.os = Os::parse(&text);
            }
        }
        for path in ["var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed"] {
            scan.read(&mut files, Path::new(path))?;
        }
        // Images without dpkg have a file a package.
        for path in files.list(Path::new("var/lib/dpkg/status.d"))?.unwrap_or_default() {
            scan.read(&mut files, &path)?;
        }
        files.walk(&mut |files, met| scan.meet(files, met))?;
        scan.skipped.append(&mut files.skipped);
        Ok(scan)
    }

    fn meet(&mut self, files: &mut Files<'_>, met: &Met<'_>) -> io::Result<()> {
        if Reader::of(met.path).is_some_and(|reader| !reader.is_systems()) {
            return self.read(files, met.path);
        }
        if met.is_executable
            && met.size > parse::go::LEAST_BYTES
            && let Some((file, size)) = files.open(met.path)?
        {
            let found = parse::go::program(&file, size)?;
            self.add(found, met.path);
        }
        Ok(())
    }

    fn read(&mut self, files: &mut Files<'_>, path: &Path) -> io::Result<()> {
        let Some(reader) = Reader::of(path) else { return Ok(()) };
        if let Some(bytes) = files.read(path)? {
            let found = reader.packages(&String::from_utf8_lossy(&bytes), self.os.as_ref());
            self.add(found, path);
        }
        Ok(())
    }

    fn add(&mut self, found: Vec<Package>, path: &Path) {
        let place = format!("/{}", path.display());
        for package in found {
            if !self.packages.add(package, &place, PACKAGES) {
                let note = format!("packages after the first {PACKAGES}");
                if !self.skipped.contains(&note) {
                    self.skipped.push(note);
                }
                return;
            }
        }
    }
}
