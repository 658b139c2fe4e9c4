//! `RUN --mount`.

use super::ast::Word;
use super::error::Fault;
use super::expand::Expand;
use super::go;
use super::suggest::Case;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

const TYPES: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const SHARING: [&str; 3] = ["shared", "private", "locked"];
const OPTIONS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

impl WrittenMount {
    /// Looks at what can be looked at before values are known.
    pub(super) fn parse(text: &str) -> Result<WrittenMount, Fault> {
        let mut from = None;
        for field in fields(text)? {
            if let Some((key, value)) = field.split_once('=')
                && key.eq_ignore_ascii_case("from")
            {
                if value.find('$').is_some_and(|at| at + 1 != value.len()) {
                    let message = "'from' doesn't support variable expansion, define alias stage instead";
                    return Err(Fault::new(message).about(&field));
                }
                from = Some(value.to_owned());
            }
        }
        Ok(WrittenMount { text: text.to_owned(), from: from.filter(|from| !from.is_empty()) })
    }

    /// Its options, with variables' values.
    ///
    /// # Errors
    /// The expander's; an option is unknown, or not of this type, or its value is wrong.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Mount, Fault> {
        let mut options = Options::default();
        for field in fields(&self.text)? {
            options.read(&field, with).map_err(|fault| fault.about(&field))?;
        }
        options.finish().map_err(|fault| fault.about(&self.text))
    }
}

fn fields(text: &str) -> Result<Vec<String>, Fault> {
    go::csv_fields(text).map_err(|fault| Fault::new(format!("failed to parse csv mounts: {fault}")).about(text))
}

/// Options as they come; the type may come last.
#[derive(Default)]
struct Options {
    kind: Kind,
    from: String,
    source: String,
    target: String,
    read_only: Option<bool>,
    size_bytes: Option<u64>,
    id: String,
    sharing: Option<Sharing>,
    required: bool,
    env: Option<String>,
    owner: Owner,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Bind => "bind",
            Kind::Cache => "cache",
            Kind::Tmpfs => "tmpfs",
            Kind::Secret => "secret",
            Kind::Ssh => "ssh",
        }
    }
}

impl Options {
    fn read(&mut self, field: &str, with: &mut dyn Expand) -> Result<(), Fault> {
        let Some((key, value)) = field.split_once('=') else {
            match field.to_lowercase().as_str() {
                "readonly" | "ro" => self.read_only = Some(true),
                "readwrite" | "rw" => self.read_only = Some(false),
                "required" => self.only(&[Kind::Secret, Kind::Ssh], "required").map(|()| self.required = true)?,
                _ => return Err(Fault::new(format!("invalid field '{field}' must be a key=value pair"))),
            }
            return Ok(());
        };
        let key = key.to_lowercase();
        let value = with.word(&Word(value.to_owned()))?;
        self.set(&key, value, field)
    }

    fn set(&mut self, key: &str, value: String, field: &str) -> Result<(), Fault> {
        let wrong = || Fault::new(format!("invalid value for {key}: {value}"));
        let boolean = || go::parse_bool(&value).ok_or_else(wrong);
        let number = |radix| {
            go::parse_uint32(&value, radix).ok_or_else(|| Fault::new(format!("invalid value {value} for {key}")))
        };
        match key {
            "type" => self.kind = kind(&value)?,
            "from" => self.from = value,
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "readonly" | "ro" => self.read_only = Some(boolean()?),
            "readwrite" | "rw" => self.read_only = Some(!boolean()?),
            "required" => {
                self.only(&[Kind::Secret, Kind::Ssh], key)?;
                self.required = boolean()?;
            }
            "size" => {
                self.only(&[Kind::Tmpfs], key)?;
                self.size_bytes = Some(go::parse_bytes(&value).ok_or_else(wrong)?);
            }
            "id" => self.id = value,
            "sharing" => self.sharing = Some(sharing(&value)?),
            "mode" => self.owner.mode = Some(number(8)?),
            "uid" => self.owner.uid = Some(number(10)?),
            "gid" => self.owner.gid = Some(number(10)?),
            "env" => self.env = Some(value),
            _ => {
                let fault = Fault::new(format!("unexpected key '{key}' in '{field}'"));
                return Err(fault.suggesting(key, OPTIONS, Case::Sensitive));
            }
        }
        Ok(())
    }

    /// Refuses an option that the type, as far as it is known, does not have.
    fn only(&self, kinds: &[Kind], key: &str) -> Result<(), Fault> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        Err(Fault::new(format!("unexpected key '{key}' for mount type '{}'", self.kind.name())))
    }

    fn finish(self) -> Result<Mount, Fault> {
        let kind = self.kind.name();
        let Owner { mode, uid, gid } = self.owner;
        if matches!(self.kind, Kind::Bind | Kind::Tmpfs) {
            for (name, said) in [("mode", mode), ("uid", uid), ("gid", gid)] {
                if said.is_some() {
                    return Err(Fault::new(format!("{name} not allowed for {} type mounts", go::quote(kind))));
                }
            }
        }
        if self.kind == Kind::Secret {
            self.check_secret()?;
        }
        if self.sharing.is_some() && self.kind != Kind::Cache {
            return Err(Fault::new(format!("invalid cache sharing set for {kind} mount")));
        }
        let from = Some(self.from).filter(|from| !from.is_empty());
        let target = Some(self.target.clone()).filter(|target| !target.is_empty());
        Ok(match self.kind {
            Kind::Bind => {
                let read_only = self.read_only.unwrap_or(true);
                Mount::Bind { from, source: self.source, target: self.target, read_only }
            }
            Kind::Cache => Mount::Cache {
                id: if self.id.is_empty() { crate::ignore::clean(&self.target) } else { self.id },
                from,
                source: self.source,
                target: self.target,
                read_only: self.read_only.unwrap_or(false),
                sharing: self.sharing.unwrap_or_default(),
                owner: self.owner,
            },
            Kind::Tmpfs => Mount::Tmpfs {
                target: self.target,
                read_only: self.read_only.unwrap_or(false),
                size_bytes: self.size_bytes.filter(|&bytes| bytes > 0),
            },
            Kind::Secret => {
                let id = [self.source, self.id].into_iter().find(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| base_name(&self.target).to_owned());
                // A secret that is a variable is a file only where that is said.
                let here = || format!("/run/secrets/{}", base_name(&id));
                let target = if self.env.is_some() { target } else { Some(target.unwrap_or_else(here)) };
                Mount::Secret { id, target, env: self.env, required: self.required, owner: self.owner }
            }
            Kind::Ssh => {
                let id = if self.id.is_empty() { "default".to_owned() } else { self.id };
                Mount::Ssh { id, target, required: self.required, owner: self.owner }
            }
        })
    }

    fn check_secret(&self) -> Result<(), Fault> {
        if !self.from.is_empty() {
            return Err(Fault::new("secret mount should not have a from"));
        }
        if self.sharing.is_some() {
            return Err(Fault::new("secret mount should not define sharing"));
        }
        if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
            return Err(Fault::new("invalid secret mount. one of source, target required"));
        }
        if !self.source.is_empty() && !self.id.is_empty() {
            return Err(Fault::new("both source and id can't be set"));
        }
        Ok(())
    }
}

fn kind(value: &str) -> Result<Kind, Fault> {
    match value.to_lowercase().as_str() {
        "bind" => Ok(Kind::Bind),
        "cache" => Ok(Kind::Cache),
        "tmpfs" => Ok(Kind::Tmpfs),
        "secret" => Ok(Kind::Secret),
        "ssh" => Ok(Kind::Ssh),
        _ => {
            let fault = Fault::new(format!("unsupported mount type {}", go::quote(value)));
            Err(fault.suggesting(value, TYPES, Case::Sensitive))
        }
    }
}

fn sharing(value: &str) -> Result<Sharing, Fault> {
    match value.to_lowercase().as_str() {
        "shared" => Ok(Sharing::Shared),
        "private" => Ok(Sharing::Private),
        "locked" => Ok(Sharing::Locked),
        _ => {
            let fault = Fault::new(format!("unsupported sharing value {}", go::quote(value)));
            Err(fault.suggesting(value, SHARING, Case::Sensitive))
        }
    }
}

/// Go's `path.Base`.
fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
