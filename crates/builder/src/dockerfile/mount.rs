//! `RUN --mount`.

use super::error::Fault;
use super::expand::Expand;

/// As in the file: its words may hold variables, even its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMount {
    /// What follows `--mount=`.
    pub text: String,
    /// `from`, which may hold no variable: the graph of stages is known before any value is.
    pub from: Option<String>,
}

/// A mount, all of it known. Paths are as written; a relative target is below the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// Files of the context, of a stage or of an image.
    Bind {
        /// Where they come from; none: the context.
        from: Option<String>,
        /// Where there; empty: all.
        source: String,
        /// Where it is mounted.
        target: String,
        /// `false`: writes are seen by the command and then forgotten.
        read_only: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// What it is known by; the cleaned target unless said.
        id: String,
        /// What it begins with when it is new; none: nothing.
        from: Option<String>,
        /// Where there; empty: all.
        source: String,
        /// Where it is mounted.
        target: String,
        /// Whether it may only be read.
        read_only: bool,
        /// Who else may use it meanwhile.
        sharing: Sharing,
        /// Of the directory, when it is new and begins with nothing (0755, 0, 0).
        owner: Owner,
    },
    /// Memory.
    Tmpfs {
        /// Where it is mounted.
        target: String,
        /// Whether it may only be read.
        read_only: bool,
        /// How much at most.
        size_bytes: Option<u64>,
    },
    /// A secret.
    Secret {
        /// Which.
        id: String,
        /// As a file here; `/run/secrets/<id>` unless said; none: as a variable only.
        target: Option<String>,
        /// As this variable.
        env: Option<String>,
        /// Whether the build fails without it.
        required: bool,
        /// Of the file (0400, 0, 0).
        owner: Owner,
    },
    /// An ssh agent.
    Ssh {
        /// Which; `default` unless said.
        id: String,
        /// Its socket; none: `/run/buildkit/ssh_agent.N`.
        target: Option<String>,
        /// Whether the build fails without it.
        required: bool,
        /// Of the socket (0600, 0, 0).
        owner: Owner,
    },
}

/// Who may use a cache at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// All.
    #[default]
    Shared,
    /// Each gets one of its own, when another uses it.
    Private,
    /// One after the other.
    Locked,
}

/// `mode`, `uid`, `gid`; none: the kind's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

impl WrittenMount {
    /// Its options, with variables' values.
    ///
    /// # Errors
    /// The expander's; an option is unknown, or not of this type, or its value is wrong.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Mount, Fault> {
        let _ = with;
        Err(Fault::new("mounts are not read yet"))
    }
}
