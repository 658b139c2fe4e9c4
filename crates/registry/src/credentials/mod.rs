//! Who we are to a registry: Docker's `config.json`, and the programs it names for keeping secrets.
//!
//! ```text
//! DOCKER_AUTH_CONFIG     {"auths":{KEY:{"auth":base64}}}         looked at first, never written
//! config.json            credHelpers[KEY], else credsStore  ---> docker-credential-NAME get | store | erase
//!                        else auths[KEY]                         user:password in base64, or an identity token
//! ```
//!
//! The file belongs to the user and to Docker: what is not understood stays as it is written, byte for byte and in its place. It is read
//! for each question, so that nothing is lost that another program wrote while a password was being typed.
//!
//! No secret is in a message, in `Debug` or on a command line.

mod document;
mod keychain;
mod keys;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use disk::Durability;

use crate::client::{Credentials, Login};

pub use document::Document;
pub use keychain::KeychainError;
pub use keys::{key_of, registry_of};

use keychain::Keychain;

/// Links that are followed from `config.json` on; the kernel's own limit.
const LINKS_MAX: u32 = 40;

/// Why a login could not be read, kept or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("reading {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The file cannot be replaced.
    #[error("writing {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// It is not what Docker writes.
    #[error("{file}: {why}")]
    Document {
        /// The file, or the variable.
        file: String,
        /// Where and what; without the value.
        why: DocumentError,
    },
    /// A credential helper.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
}

/// What is wrong in a `config.json`. serde's own messages would quote the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON.
    #[error("invalid JSON in line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Another type than it must have.
    #[error("{key}: must be {wanted}")]
    Type {
        /// The key, with those above it.
        key: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Not base64 of `user:password`.
    #[error("auths.{0}.auth: must be base64 of user:password")]
    Auth(String),
    /// A bearer token for one registry, which Docker reads and never writes.
    #[error("auths.{0}.registrytoken is not there yet in kist; log in with a password or a token in its place")]
    RegistryToken(String),
}

/// What the user's environment says; read once, by the command line.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// `PATH`: where credential helpers are looked up.
    pub path: String,
    /// `DOCKER_AUTH_CONFIG`.
    pub auth_config: Option<String>,
}

/// Where a login went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was there already, the same.
    Unchanged,
    /// Into this file, readable by whoever reads the file.
    Plainly(PathBuf),
    /// To a credential helper.
    ByKeychain,
}

/// Docker's `config.json` as the keeper of logins.
pub struct ConfigFile {
    path: PathBuf,
    surroundings: Surroundings,
}

impl ConfigFile {
    /// The file in `dir`, which need not be there.
    #[must_use]
    pub fn open(dir: &Path, surroundings: Surroundings) -> ConfigFile {
        ConfigFile { path: dir.join("config.json"), surroundings }
    }

    /// The login for a registry, named by its host and port or by Docker's key.
    ///
    /// # Errors
    /// The file is unreadable or makes no sense at this registry; a credential helper fails.
    pub fn login_of(&self, registry: &str) -> Result<Option<Login>, CredentialsError> {
        let registry = registry_of(registry);
        if let Some(text) = self.surroundings.auth_config.as_deref().filter(|text| !text.is_empty()) {
            let in_variable = |why| CredentialsError::Document { file: "DOCKER_AUTH_CONFIG".to_owned(), why };
            let found = Document::parse(text).and_then(|document| document.login_of(&registry)).map_err(in_variable)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let document = self.read()?;
        match self.keychain(&document, &registry)? {
            Some(keychain) => Ok(keychain.get(&key_of(&registry))?),
            None => document.login_of(&registry).map_err(|why| self.wrong(why)),
        }
    }

    /// Keeps a login.
    ///
    /// # Errors
    /// As for reading; the file cannot be replaced.
    pub fn store(&self, registry: &str, login: &Login) -> Result<Kept, CredentialsError> {
        let registry = registry_of(registry);
        let mut document = self.read()?;
        let key = key_of(&registry);
        let Some(keychain) = self.keychain(&document, &registry)? else {
            // A damaged old login is no reason to refuse the new one.
            if document.login_of(&registry).is_ok_and(|old| old.as_ref() == Some(login)) {
                return Ok(Kept::Unchanged);
            }
            document.store(&key, login).map_err(|why| self.wrong(why))?;
            self.write(&document)?;
            return Ok(Kept::Plainly(self.path.clone()));
        };
        keychain.store(&key, login)?;
        // Docker notes that there is something at the helper, without the secret.
        if document.store_empty(&key).map_err(|why| self.wrong(why))? {
            self.write(&document)?;
        }
        Ok(Kept::ByKeychain)
    }

    /// Forgets the login for a registry, under whichever key it was kept. What is not there is no error.
    ///
    /// # Errors
    /// As for reading; the file cannot be replaced.
    pub fn erase(&self, registry: &str) -> Result<(), CredentialsError> {
        let registry = registry_of(registry);
        let mut document = self.read()?;
        let by_keychain = match self.keychain(&document, &registry)? {
            Some(keychain) => keychain.erase(&key_of(&registry)),
            None => Ok(()),
        };
        if document.erase(&registry).map_err(|why| self.wrong(why))? {
            self.write(&document)?;
        }
        Ok(by_keychain?)
    }

    fn keychain(&self, document: &Document, registry: &str) -> Result<Option<Keychain>, CredentialsError> {
        let name = document.helper_of(registry).map_err(|why| self.wrong(why))?;
        Ok(name.map(|name| Keychain::find(&name, &self.surroundings.path)).transpose()?)
    }

    fn wrong(&self, why: DocumentError) -> CredentialsError {
        CredentialsError::Document { file: self.path.display().to_string(), why }
    }

    fn read(&self) -> Result<Document, CredentialsError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Document::parse(&text).map_err(|why| self.wrong(why)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Document::default()),
            Err(e) => Err(CredentialsError::Read(self.path.clone(), e)),
        }
    }

    /// A link stays a link: people keep this file in a repository of their own.
    fn write(&self, document: &Document) -> Result<(), CredentialsError> {
        let written = || {
            let file = end_of_links(&self.path)?;
            if let Some(dir) = file.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            }
            let owner = fs::metadata(&file).ok().map(|old| (old.uid(), old.gid()));
            disk::replace(&file, document.to_string().as_bytes(), Durability::Durable)?;
            if let Some((user, group)) = owner {
                // `sudo kist login` in a user's own directory must leave him his file; that only root can is no error, as in Docker.
                let _ = std::os::unix::fs::chown(&file, Some(user), Some(group));
            }
            Ok(())
        };
        written().map_err(|e| CredentialsError::Write(self.path.clone(), e))
    }
}

impl Credentials for ConfigFile {
    fn of(&self, registry: &str) -> Result<Option<Login>, String> {
        self.login_of(registry).map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }
}

fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("/")).join(to),
            // No link, or nothing there yet.
            Err(_) => return Ok(path),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

#[cfg(test)]
mod tests;
