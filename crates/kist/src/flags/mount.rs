//! `-v`, `--mount` and `--tmpfs` (docker/cli opts/mount.go and internal/volumespec, moby volume/mounts/linux_parser.go).

use std::path::{Component, Path, PathBuf};

use engine::{Error, Host, image, volume};
use spec::digest::ImageId;
use spec::mount::{
    Asked, CopyUp, MissingSource, Naming, Propagation, Submounts, UserMount, UserMountKind, VolumeRecipe,
};

use crate::report::Report;
use crate::units;
use crate::verb::Verb;

/// Who refuses a mount, and so how it is told.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The flag itself.
    Flag(String),
    /// The client.
    Client(String),
    /// The engine.
    Engine(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Engine(error)
    }
}

impl Refusal {
    /// As Docker tells it.
    pub(crate) fn report(self, verb: &Verb, flag: &str, text: &str) -> Report {
        match self {
            Refusal::Flag(why) => verb.bad_value(flag, text, &why),
            Refusal::Client(why) => Report::plain(why),
            Refusal::Engine(error) => error.into(),
        }
    }
}

/// What one `-v` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    /// `-v source:/path`.
    Mount(UserMount),
    /// `-v /path`: a volume without a name.
    Anonymous(PathBuf),
}

/// `-v [source:]target[:mode]`.
pub(crate) fn volume(text: &str, cwd: &Path) -> Result<Volume, Refusal> {
    let refused = |why: &str| {
        let colon = if why.is_empty() { "" } else { ": " };
        Refusal::Engine(Error::Invalid(format!("invalid volume specification: '{text}'{colon}{why}")))
    };
    let spec = |why: &str| Refusal::Client(format!("invalid spec: {text}: {why}"));
    let parts: Vec<&str> = text.split(':').collect();
    if parts.contains(&"") {
        return Err(spec("empty section between colons"));
    }
    let (source, target, mode) = match parts.as_slice() {
        [target] => return Ok(Volume::Anonymous(clean(target).ok_or_else(|| refused(&relative(target)))?)),
        // `/path:ro`: a volume without a name has no mode.
        [_, mode] if Mode::parse(mode).is_some() => return Err(refused("")),
        [source, target] => (*source, *target, ""),
        [source, target, mode] => (*source, *target, *mode),
        _ => return Err(spec("too many colons")),
    };
    let words = Mode::parse(mode).ok_or_else(|| refused(&format!("invalid mode: {mode}")))?;
    let source = if source.starts_with('.') { cwd.join(source) } else { PathBuf::from(source) };
    let kind = if source.is_absolute() { "bind" } else { "volume" };
    let config = |why: &str| refused(&format!("invalid mount config for type {kind:?}: {why}"));
    let plain = |target: &str| clean(target).filter(|target| target == Path::new("/")).is_some();
    if plain(target) {
        return Err(config("invalid specification: destination can't be '/'"));
    }
    let target = clean(target).ok_or_else(|| config(&relative(target)))?;
    let kind = if source.is_absolute() {
        if words.copy == CopyUp::No {
            return Err(config("field VolumeOptions must not be specified"));
        }
        UserMountKind::Bind {
            source: normalise(&source),
            missing: MissingSource::Create,
            propagation: words.propagation.unwrap_or(Propagation::Rprivate),
            submounts: Submounts::Recursive,
        }
    } else {
        if words.propagation.is_some() {
            return Err(config("field BindOptions must not be specified"));
        }
        UserMountKind::Volume {
            name: volume::parse_name(&source.to_string_lossy())?,
            naming: Naming::Given,
            copy: words.copy,
            subpath: None,
            recipe: None,
        }
    };
    Ok(Volume::Mount(UserMount { target, readonly: words.readonly, asked: Asked::Short(mode.to_owned()), kind }))
}

fn relative(target: &str) -> String {
    format!("invalid mount path: '{target}' mount path must be absolute")
}

/// The words behind the second colon: one of each sort.
struct Mode {
    readonly: bool,
    copy: CopyUp,
    propagation: Option<Propagation>,
}

impl Mode {
    fn parse(text: &str) -> Option<Mode> {
        let mut mode = Mode { readonly: false, copy: CopyUp::Fill, propagation: None };
        let mut met = Vec::new();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let sort = match word {
                "ro" | "rw" => "writing",
                // SELinux labels mean nothing where there is no SELinux.
                "z" | "Z" => "label",
                "nocopy" => "copy",
                "consistent" | "cached" | "delegated" => "consistency",
                other => {
                    mode.propagation = Some(propagation_of(other)?);
                    "propagation"
                }
            };
            if met.contains(&sort) {
                return None;
            }
            met.push(sort);
            mode.readonly |= word == "ro";
            if word == "nocopy" {
                mode.copy = CopyUp::No;
            }
        }
        Some(mode)
    }
}

fn propagation_of(word: &str) -> Option<Propagation> {
    Some(match word {
        "private" => Propagation::Private,
        "rprivate" => Propagation::Rprivate,
        "slave" => Propagation::Slave,
        "rslave" => Propagation::Rslave,
        "shared" => Propagation::Shared,
        "rshared" => Propagation::Rshared,
        _ => return None,
    })
}

/// What the fields of a `--mount` have said so far.
#[derive(Default)]
struct Long {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    readonly: bool,
    bind: Option<BindFields>,
    volume: Option<VolumeFields>,
    subpath: Option<PathBuf>,
    tmpfs: Option<(Option<u64>, Option<u32>)>,
}

struct BindFields {
    propagation: Option<String>,
    submounts: Submounts,
    missing: MissingSource,
}

#[derive(Default)]
struct VolumeFields {
    nocopy: bool,
    subpath: Option<PathBuf>,
    recipe: Option<VolumeRecipe>,
}

impl Default for BindFields {
    fn default() -> BindFields {
        BindFields { propagation: None, submounts: Submounts::Recursive, missing: MissingSource::Fail }
    }
}

/// `--mount type=…,source=…,target=…`: a CSV line of keys and values.
pub(crate) fn mount(text: &str, cwd: &Path, images: &dyn Images) -> Result<UserMount, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::Flag("value is empty".into()));
    }
    let mut long = Long::default();
    for field in fields(text) {
        long.field(&field).map_err(Refusal::Flag)?;
    }
    long.finish(cwd, images)
}

impl Long {
    fn field(&mut self, field: &str) -> Result<(), String> {
        let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
        if key.trim() != key {
            return Err(format!("invalid option '{}' in '{field}': option should not have whitespace", key.trim()));
        }
        let key = key.to_ascii_lowercase();
        let key = key.as_str();
        match value {
            Some(value) if value.trim().is_empty() => {
                return Err(format!("invalid value for '{key}': value is empty"));
            }
            Some(value) if value.trim() != value => {
                return Err(format!("invalid value for '{key}' in '{field}': value should not have whitespace"));
            }
            None if !matches!(key, "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" | "bind-create-src") => {
                return Err(format!("invalid field '{field}' must be a key=value pair"));
            }
            Some(_) | None => {}
        }
        let text = value.unwrap_or_default();
        let lower = || text.to_ascii_lowercase();
        match key {
            "type" => self.kind = Some(lower()),
            "source" | "src" => self.source = Some(text.to_owned()),
            "target" | "dst" | "destination" => self.target = Some(text.to_owned()),
            "readonly" | "ro" => self.readonly = switch(key, value)?,
            // For macOS only.
            "consistency" => {}
            "image-subpath" => self.subpath = Some(text.into()),
            "tmpfs-size" | "tmpfs-mode" => self.tmpfs_field(key, text)?,
            key if key.starts_with("bind-") => self.bind_field(key, field, value)?,
            key if key.starts_with("volume-") => self.volume_field(key, field, value)?,
            other => return Err(format!("unknown option '{other}' in '{field}'")),
        }
        Ok(())
    }

    fn bind_field(&mut self, key: &str, field: &str, value: Option<&str>) -> Result<(), String> {
        let text = value.unwrap_or_default();
        let bind = self.bind.get_or_insert_default();
        match key {
            "bind-propagation" => bind.propagation = Some(text.to_ascii_lowercase()),
            "bind-nonrecursive" if switch(key, value)? => bind.submounts = Submounts::None,
            "bind-nonrecursive" => {}
            "bind-recursive" => bind.submounts = submounts_of(text)?,
            "bind-create-src" if switch(key, value)? => bind.missing = MissingSource::Create,
            "bind-create-src" => {}
            other => return Err(format!("unknown option '{other}' in '{field}'")),
        }
        Ok(())
    }

    fn volume_field(&mut self, key: &str, field: &str, value: Option<&str>) -> Result<(), String> {
        let text = value.unwrap_or_default();
        let volume = self.volume.get_or_insert_default();
        let pair = text.split_once('=').unwrap_or((text, ""));
        let pair = || (!pair.0.is_empty()).then(|| (pair.0.to_owned(), pair.1.to_owned()));
        match key {
            "volume-nocopy" => volume.nocopy = switch(key, value)?,
            "volume-subpath" => volume.subpath = Some(text.into()),
            "volume-driver" => text.clone_into(&mut volume.recipe.get_or_insert_default().driver),
            "volume-opt" => volume.recipe.get_or_insert_default().options.extend(pair()),
            "volume-label" => volume.recipe.get_or_insert_default().labels.extend(pair()),
            other => return Err(format!("unknown option '{other}' in '{field}'")),
        }
        Ok(())
    }

    fn tmpfs_field(&mut self, key: &str, text: &str) -> Result<(), String> {
        let bad = || format!("invalid value for {key}: {text}");
        let (size_bytes, mode) = self.tmpfs.get_or_insert_default();
        if key == "tmpfs-size" {
            let size = units::ram_in_bytes(text).map_err(|_| bad())?;
            *size_bytes = Some(u64::try_from(size).map_err(|_| bad())?);
        } else {
            *mode = Some(u32::from_str_radix(text, 8).map_err(|_| bad())?);
        }
        Ok(())
    }

    /// What belongs to one kind of mount is refused with another.
    fn check(&self, kind: &str) -> Result<(), String> {
        let given = [
            ("bind", self.bind.is_some()),
            ("volume", self.volume.is_some()),
            ("image", self.subpath.is_some()),
            ("tmpfs", self.tmpfs.is_some()),
        ];
        if let Some((of, _)) = given.iter().find(|(of, given)| *given && *of != kind) {
            return Err(format!("cannot mix '{of}-*' options with mount type '{kind}'"));
        }
        let submounts = self.bind.as_ref().map(|bind| bind.submounts);
        let requires = |word: &str, what: &str| {
            Err(format!("option 'bind-recursive={word}' requires '{what}' to be specified in conjunction"))
        };
        match submounts {
            Some(Submounts::RecursiveWritable) if !self.readonly => requires("writable", "readonly"),
            Some(Submounts::RecursiveReadonly) if !self.readonly => requires("readonly", "readonly"),
            Some(Submounts::RecursiveReadonly)
                if self.bind.as_ref().and_then(|bind| bind.propagation.as_deref()) != Some("rprivate") =>
            {
                requires("readonly", "bind-propagation=rprivate")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finish(mut self, cwd: &Path, images: &dyn Images) -> Result<UserMount, Refusal> {
        let kind = self.kind.take().unwrap_or_else(|| "volume".into());
        self.check(&kind).map_err(Refusal::Flag)?;
        let refused = |why: &str| Error::Invalid(format!("invalid mount config for type {kind:?}: {why}"));
        let Some(target) = &self.target else { return Err(refused("field Target must not be empty").into()) };
        let target = clean(target).ok_or_else(|| refused(&relative(target)))?;
        if target == Path::new("/") {
            return Err(refused("invalid specification: destination can't be '/'").into());
        }
        let no_source = || refused("field Source must not be empty");
        let mut readonly = self.readonly;
        let found = match (kind.as_str(), self.source.take()) {
            ("bind" | "image", None) => return Err(no_source().into()),
            ("bind", Some(source)) => self.bind(&source, cwd, &refused)?,
            ("tmpfs", Some(_)) => return Err(refused("field Source must not be specified").into()),
            ("tmpfs", None) => {
                let (size_bytes, mode) = self.tmpfs.unwrap_or_default();
                UserMountKind::Tmpfs { size_bytes, mode, options: Vec::new() }
            }
            ("image", Some(name)) => {
                readonly = true;
                let subpath = self.subpath.map(|path| local(path, &refused)).transpose()?;
                UserMountKind::Image { image: images.find(&name)?, name, subpath }
            }
            ("volume", source) => {
                let fields = self.volume.unwrap_or_default();
                if source.is_none() && fields.subpath.is_some() {
                    return Err(refused("must not set Subpath when using anonymous volumes").into());
                }
                UserMountKind::Volume {
                    naming: if source.is_some() { Naming::Given } else { Naming::Anonymous },
                    name: source.map_or_else(volume::new_name, |name| volume::parse_name(&name))?,
                    copy: if fields.nocopy { CopyUp::No } else { CopyUp::Fill },
                    subpath: fields.subpath.map(|path| local(path, &refused)).transpose()?,
                    recipe: fields.recipe,
                }
            }
            (_, _) => return Err(refused("mount type unknown").into()),
        };
        Ok(UserMount { target, readonly, asked: Asked::Long, kind: found })
    }

    fn bind(&self, source: &str, cwd: &Path, refused: &dyn Fn(&str) -> Error) -> Result<UserMountKind, Error> {
        let source = if source.starts_with('.') { cwd.join(source) } else { PathBuf::from(source) };
        if !source.is_absolute() {
            return Err(refused(&relative(&source.to_string_lossy())));
        }
        let none = BindFields::default();
        let fields = self.bind.as_ref().unwrap_or(&none);
        let propagation = match &fields.propagation {
            None => Propagation::Rprivate,
            Some(word) => propagation_of(word).ok_or_else(|| refused(&format!("invalid propagation mode: {word}")))?,
        };
        Ok(UserMountKind::Bind {
            source: normalise(&source),
            missing: fields.missing,
            propagation,
            submounts: fields.submounts,
        })
    }
}

/// Where a `--mount type=image` finds its image.
pub(crate) trait Images {
    fn find(&self, name: &str) -> Result<ImageId, Error>;
}

impl Images for Host {
    fn find(&self, name: &str) -> Result<ImageId, Error> {
        image::list::view(self, name).map(|(image, _)| image.id)
    }
}

/// A path that does not leave where it begins, by its words alone.
fn local(path: PathBuf, refused: &dyn Fn(&str) -> Error) -> Result<PathBuf, Error> {
    let mut depth = 0_i32;
    for part in path.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => depth = i32::MIN / 2,
        }
        if depth < 0 {
            return Err(refused("subpath must be a relative path within the volume"));
        }
    }
    Ok(path)
}

/// `key`, `key=true`, `key=0`.
fn switch(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(format!(
            "invalid value for '{key}': invalid boolean value ({other:?}): must be one of \"true\", \"1\", \"false\", or \"0\" (default \"true\")"
        )),
    }
}

fn submounts_of(word: &str) -> Result<Submounts, String> {
    match word {
        "enabled" => Ok(Submounts::Recursive),
        "disabled" => Ok(Submounts::None),
        "writable" => Ok(Submounts::RecursiveWritable),
        "readonly" => Ok(Submounts::RecursiveReadonly),
        other => Err(format!(
            "invalid value for bind-recursive: {other} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
        )),
    }
}

/// `--tmpfs target[:options]`.
pub(crate) fn tmpfs(text: &str) -> Result<UserMount, String> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let target = clean(target).ok_or_else(|| relative(target))?;
    if target == Path::new("/") {
        return Err("invalid specification: destination can't be '/'".into());
    }
    let options = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let kind = UserMountKind::Tmpfs { size_bytes: None, mode: None, options };
    Ok(UserMount { target, readonly: false, asked: Asked::Long, kind })
}

/// A line of comma-separated fields; quotes keep commas (RFC 4180).
pub(crate) fn fields(text: &str) -> Vec<String> {
    let (mut all, mut one, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut one)),
            other => one.push(other),
        }
    }
    all.push(one);
    all
}

/// An absolute path without `.` and `..`.
fn clean(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    path.is_absolute().then(|| normalise(path))
}

fn normalise(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct NoImages;

    impl Images for NoImages {
        fn find(&self, name: &str) -> Result<ImageId, Error> {
            Err(Error::NotFound(format!("No such image: {name}:latest")))
        }
    }

    fn bind(mount: &UserMount) -> (&Path, &Path, bool) {
        match &mount.kind {
            UserMountKind::Bind { source, .. } => (source, &mount.target, mount.readonly),
            UserMountKind::Tmpfs { .. } | UserMountKind::Volume { .. } | UserMountKind::Image { .. } => {
                panic!("{mount:?}")
            }
        }
    }

    fn named(mount: &UserMount) -> (&str, CopyUp) {
        match &mount.kind {
            UserMountKind::Volume { name, copy, .. } => (name.as_str(), *copy),
            UserMountKind::Tmpfs { .. } | UserMountKind::Bind { .. } | UserMountKind::Image { .. } => {
                panic!("{mount:?}")
            }
        }
    }

    #[test]
    fn short_forms() {
        let cwd = Path::new("/here");
        let of = |text: &str| match volume(text, cwd).unwrap() {
            Volume::Mount(mount) => mount,
            Volume::Anonymous(path) => panic!("{path:?}"),
        };
        assert_eq!(bind(&of("/a:/b")), (Path::new("/a"), Path::new("/b"), false));
        assert_eq!(bind(&of("./a/../c:/b/../d:ro,z")), (Path::new("/here/c"), Path::new("/d"), true));
        assert_eq!(bind(&of("..:/b")).0, Path::new("/"));
        assert_eq!(named(&of("data:/b")), ("data", CopyUp::Fill));
        assert_eq!(named(&of("data:/b:nocopy,ro")), ("data", CopyUp::No));
        assert_eq!(volume("/b", cwd).unwrap(), Volume::Anonymous("/b".into()));
        for bad in [
            "a:b",
            "a:/b",
            "/a:/",
            "/a:/b:nope",
            "a:b:c:d",
            "-x:/b",
            "/a:/b:ro:z",
            "/a:/b:ro,rw",
            "/a:/b:nocopy",
            "data:/b:rshared",
            "/a:ro",
            "data/x:/b",
            "~/x:/b",
            ":/b",
            "/a::ro",
            "data:/",
        ] {
            assert!(volume(bad, cwd).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_forms() {
        let cwd = Path::new("/here");
        let of = |text: &str| {
            mount(text, cwd, &NoImages).map_err(|refusal| match refusal {
                Refusal::Flag(why) | Refusal::Client(why) => why,
                Refusal::Engine(error) => error.to_string(),
            })
        };
        assert_eq!(bind(&of("type=bind,src=/a,dst=/b,readonly").unwrap()), (Path::new("/a"), Path::new("/b"), true));
        assert_eq!(bind(&of("\"type=bind\",\"src=/a,b\",dst=/b").unwrap()).0, Path::new("/a,b"));
        assert_eq!(named(&of("src=vv,dst=/b,volume-nocopy").unwrap()), ("vv", CopyUp::No));
        assert_eq!(named(&of("dst=/b").unwrap()).0.len(), 64);
        let recipe = "src=vv,dst=/b,volume-driver=local,volume-opt=type=tmpfs,volume-opt=o=size=1m,volume-label=a=b";
        let made = format!("{:?}", of(recipe).unwrap().kind);
        let shown =
            r#"VolumeRecipe { driver: "local", options: {"o": "size=1m", "type": "tmpfs"}, labels: {"a": "b"} }"#;
        assert!(made.contains(shown), "{made}");
        for (text, why) in [
            ("type=bind,dst=/b", "invalid mount config for type \"bind\": field Source must not be empty"),
            ("type=what,dst=/b", "invalid mount config for type \"what\": mount type unknown"),
            ("type=bind,src=/a", "invalid mount config for type \"bind\": field Target must not be empty"),
            ("type=bind,src=/a,dst=/b,x=1", "unknown option 'x' in 'x=1'"),
            ("type=bind,src=/a,dst=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("type=image,src=x,dst=/b", "No such image: x:latest"),
            (
                "src=v1,dst=/b,volume-subpath=../x",
                "invalid mount config for type \"volume\": subpath must be a relative path within the volume",
            ),
            (
                "dst=/b,volume-subpath=x",
                "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes",
            ),
            (
                "src=v1,dst=/b,ro=maybe",
                "invalid value for 'ro': invalid boolean value (\"maybe\"): must be one of \"true\", \"1\", \"false\", or \"0\" (default \"true\")",
            ),
        ] {
            assert_eq!(of(text).unwrap_err(), why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_mount_or_refused(
            text in "([a-z/.~:,=\"]{0,6}(bind|volume|tmpfs|image|type|src|dst|ro|size|mode|rshared|subpath|,|:|=|/)){0,8}|.{0,30}"
        ) {
            let cwd = Path::new("/here");
            let _ = (volume(&text, cwd), mount(&text, cwd, &NoImages), tmpfs(&text));
        }
    }
}
