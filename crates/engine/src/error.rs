//! Why a verb was refused: Docker's sentence first, as scripts match it; cause and remedy in further lines.

use registry::client::ClientError;
use spec::id::ContainerId;
use spec::reference::Reference;

/// One variant for each thing a caller does differently; the API answers 404, 409, 400, 501 and 500 by them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: there is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// 409: the state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// 400: the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// 403: a registry does not let us.
    #[error("{0}")]
    Denied(String),
    /// 501: Docker can, kist cannot yet.
    #[error("{0} is not there yet in kist")]
    NotYet(String),
    /// The container's process could not be started.
    #[error(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: {message}"
    )]
    Start {
        /// From "unable to start container process" on.
        message: String,
        /// 126, 127 or 128.
        exit_code: i32,
    },
    /// The container cannot be on its networks, as its monitor says.
    #[error("{0}")]
    Networking(String),
    /// One more process could not be started.
    #[error("OCI runtime exec failed: exec failed: {message}")]
    Exec {
        /// From "unable to start container process" on.
        message: String,
        /// 126, 127 or 128.
        exit_code: i32,
    },
    /// The image store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// An archive that could not be taken.
    #[error(transparent)]
    Load(#[from] store::LoadError),
    /// Networks, where a caller can do nothing about it.
    #[error(transparent)]
    Network(network::NetworkError),
    /// The engine's own files.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// The engine's directories.
    #[error(transparent)]
    Home(#[from] disk::HomeError),
    /// The file system, outside of any verb's own words.
    #[error("the engine's directories")]
    Files(#[from] std::io::Error),
    /// The file system, doing what the text says.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// Something below with its own explanation.
    #[error("{0}")]
    Other(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn no_container(name: &str) -> Error {
        Error::NotFound(format!("No such container: {name}"))
    }

    pub(crate) fn no_volume(name: &str) -> Error {
        Error::NotFound(format!("get {name}: no such volume"))
    }

    pub(crate) fn name_taken(name: &str, holder: &str) -> Error {
        Error::Conflict(format!(
            "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove (or rename) that container to be able to reuse that name."
        ))
    }

    pub(crate) fn missing_source(source: &std::path::Path) -> Error {
        Error::Invalid(format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            source.display()
        ))
    }

    pub(crate) fn not_running(id: &ContainerId) -> Error {
        Error::Conflict(format!("container {id} is not running"))
    }

    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let doing = doing.into();
        move |e| Error::Io(doing, e)
    }

    pub(crate) fn other<E: std::error::Error + Send + Sync + 'static>(doing: &str) -> impl FnOnce(E) -> Error {
        let doing = doing.to_owned();
        move |e| Error::Other(doing, Box::new(e))
    }

    /// What a registry refused while this was pulled, in Docker's words (moby `distribution/errors.go`).
    pub(crate) fn from_pull(reference: &Reference, error: ClientError) -> Error {
        let name = reference.familiar_name();
        let or = |said: &str, otherwise: &str| if said.is_empty() { otherwise.to_owned() } else { said.to_owned() };
        if let ClientError::NotFound { what, said, .. } = &error
            && !what.starts_with("blob")
        {
            let what = match said.contains("NAME_UNKNOWN") || said.contains("repository name not known") {
                true => format!("repository {name}"),
                false => format!("manifest for {}", reference.familiar()),
            };
            return Error::NotFound(format!("{what} not found: {}", or(said, "manifest unknown")));
        }
        if let ClientError::Denied { said, .. } = &error {
            let why = or(said, "denied: requested access to the resource is denied");
            return Error::NotFound(format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': {why}"
            ));
        }
        if let ClientError::RateLimited { .. } = &error {
            return Error::Other("toomanyrequests".to_owned(), Box::new(error));
        }
        Error::Other(format!("failed to pull {}", reference.familiar()), Box::new(error))
    }

    /// What a registry refused while this was pushed.
    pub(crate) fn from_push(reference: &Reference, error: ClientError) -> Error {
        if let ClientError::Denied { said, .. } = &error {
            let why = if said.is_empty() { "denied: requested access to the resource is denied" } else { said };
            return Error::Denied(format!("push access denied for {}: {why}", reference.familiar_name()));
        }
        Error::Other(format!("failed to push {}", reference.familiar()), Box::new(error))
    }

    /// What to do about it, a line each; nothing where the sentence says it already.
    #[must_use]
    pub fn remedies(&self) -> Vec<String> {
        let text = self.to_string();
        let mut lines = Vec::new();
        let mut say = |when: bool, line: &str| {
            if when {
                lines.push(line.to_owned());
            }
        };
        say(
            text.starts_with("Conflict. The container name"),
            "`kist rm NAME` removes the other container; `kist rename NAME NEW` keeps it under another name",
        );
        say(
            text.contains("executable file not found"),
            "the command is looked up in the image's PATH: is it in the image, and spelled as there?",
        );
        say(
            text.contains("exec format error"),
            "the program is for another processor architecture than this machine's",
        );
        say(
            text.contains("container init: exec ") && text.contains("no such file or directory"),
            "the program is there and what interprets it is not: the first line of a script, or a program's dynamic loader",
        );
        say(
            text.starts_with("No such image"),
            "`kist images` lists what there is; `kist pull` and `kist load -i FILE` bring images in",
        );
        say(
            text.starts_with("pull access denied") || text.starts_with("push access denied"),
            "`kist login REGISTRY` shows the registry who you are; is the name spelled as there?",
        );
        say(text.starts_with("No such container"), "`kist ps -a` lists what there is");
        say(text.ends_with(": no such volume"), "`kist volume ls` lists what there is");
        say(
            text.contains("invalid characters for a local volume name"),
            "a path of the host begins with `/`, or with `./` for one below this directory",
        );
        say(
            text.contains(": volume is in use - ["),
            "`kist ps -a --filter volume=NAME` lists who uses it; `kist rm` takes a container away and leaves its volumes",
        );
        say(
            text.contains(": error looking up volume plugin "),
            "kist has the driver `local`, and no plugins: its options `type`, `device` and `o` mount what mount(8) can",
        );
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                say(
                    io.kind() == std::io::ErrorKind::StorageFull,
                    "the disk is full: `kist system df` shows what kist holds, `kist system prune` frees what nothing uses",
                );
                say(io.kind() == std::io::ErrorKind::PermissionDenied, "kist needs root for this: try it with sudo");
            }
            source = error.source();
        }
        lines
    }
}

impl From<store::ResolveError> for Error {
    fn from(error: store::ResolveError) -> Error {
        match error {
            store::ResolveError::NotFound(_) => Error::NotFound(error.to_string()),
            store::ResolveError::Ambiguous(_) => Error::Invalid(error.to_string()),
            store::ResolveError::Store(error) => Error::Store(error),
        }
    }
}
