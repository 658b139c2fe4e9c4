//! `-v`, `--mount` and `--tmpfs` (docker/cli opts/mount.go, moby volume/mounts/linux_parser.go).

use std::path::{Component, Path, PathBuf};

use spec::mount::{MissingSource, Propagation, Submounts, UserMount, UserMountKind};

use crate::units;

/// What one `-v` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    /// A path of the host.
    Mount(UserMount),
    /// `-v /path`: a volume without a name.
    Anonymous(PathBuf),
    /// `-v name:/path`: a volume with one.
    Named(String),
}

/// `-v [source:]target[:options]`.
pub(crate) fn volume(text: &str, cwd: &Path) -> Result<Volume, String> {
    let invalid = || format!("invalid volume specification: '{text}'");
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => return Ok(Volume::Anonymous(clean(target).ok_or_else(invalid)?)),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(invalid()),
    };
    let target = clean(target)
        .ok_or_else(|| format!("{}: invalid mount path: '{target}' mount path must be absolute", invalid()))?;
    if target == Path::new("/") {
        return Err(format!("{}: invalid specification: destination can't be '/'", invalid()));
    }
    if !source.contains('/') && !matches!(source, "." | "..") {
        let mut letters = source.bytes();
        let first = letters.next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !first || source.len() < 2 || !letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        {
            return Err(format!(
                "{source:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            ));
        }
        return Ok(Volume::Named(source.into()));
    }
    let mut mount = UserMount {
        target,
        readonly: false,
        kind: UserMountKind::Bind {
            source: normalise(&cwd.join(source)),
            missing: MissingSource::Create,
            propagation: Propagation::Rprivate,
            submounts: Submounts::Recursive,
        },
    };
    for word in options.split(',').filter(|word| !word.is_empty()) {
        bind_word(&mut mount, word).map_err(|()| format!("{}: invalid mode: {options}", invalid()))?;
    }
    Ok(Volume::Mount(mount))
}

fn bind_word(mount: &mut UserMount, word: &str) -> Result<(), ()> {
    let UserMountKind::Bind { propagation, submounts, .. } = &mut mount.kind else { return Err(()) };
    match word {
        "ro" | "readonly" => mount.readonly = true,
        // SELinux labels mean nothing where there is no SELinux; copying into a volume nothing for a bind mount.
        "rw" | "z" | "Z" | "nocopy" | "rbind" | "cached" | "delegated" | "consistent" => {}
        "bind" => *submounts = Submounts::None,
        other => *propagation = propagation_of(other).ok_or(())?,
    }
    Ok(())
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

/// `--mount type=…,source=…,target=…`: a CSV line of keys and values.
pub(crate) fn mount(text: &str, cwd: &Path) -> Result<Volume, String> {
    let mut kind = "volume";
    let (mut source, mut target, mut readonly) = (None, None, false);
    let (mut propagation, mut submounts) = (Propagation::Rprivate, Submounts::Recursive);
    let (mut size_bytes, mut mode, mut missing) = (None, None, MissingSource::Fail);
    for field in fields(text) {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_ascii_lowercase();
        let flag = || match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(format!("invalid value for {key}: {other}")),
        };
        let need = || value.ok_or_else(|| format!("invalid field '{field}' must be a key=value pair"));
        match key.as_str() {
            "type" => {
                kind = match need()? {
                    "bind" => "bind",
                    "volume" => "volume",
                    "tmpfs" => "tmpfs",
                    other => return Err(format!("mount type unknown: {other:?}")),
                }
            }
            "source" | "src" => source = Some(need()?.to_owned()),
            "target" | "dst" | "destination" => target = Some(need()?.to_owned()),
            "readonly" | "ro" => readonly = flag()?,
            "bind-propagation" => {
                let word = need()?;
                propagation = propagation_of(word).ok_or_else(|| format!("invalid propagation: {word}"))?;
            }
            "bind-nonrecursive" => submounts = if flag()? { Submounts::None } else { Submounts::Recursive },
            "bind-recursive" => submounts = submounts_of(need()?)?,
            "bind-create-src" => missing = if flag()? { MissingSource::Create } else { MissingSource::Fail },
            "tmpfs-size" => {
                let size = units::ram_in_bytes(need()?)
                    .map_err(|_| format!("invalid value for {key}: {}", value.unwrap_or_default()))?;
                size_bytes = Some(u64::try_from(size).map_err(|_| format!("invalid value for {key}: {size}"))?);
            }
            "tmpfs-mode" => {
                mode = Some(
                    u32::from_str_radix(need()?, 8)
                        .map_err(|_| format!("invalid value for {key}: {}", value.unwrap_or_default()))?,
                );
            }
            "consistency" | "volume-nocopy" => {}
            other => return Err(format!("unexpected key '{other}' in '{field}'")),
        }
    }
    let target = target.ok_or("target is required")?;
    let target = clean(&target).ok_or_else(|| format!("invalid mount path: '{target}' mount path must be absolute"))?;
    let kind = match (kind, source) {
        ("bind", None) => return Err("source is required when type is \"bind\"".into()),
        ("bind", Some(source)) => {
            UserMountKind::Bind { source: normalise(&cwd.join(source)), missing, propagation, submounts }
        }
        ("tmpfs", None) => UserMountKind::Tmpfs { size_bytes, mode, options: Vec::new() },
        ("tmpfs", Some(_)) => return Err("cannot specify a source for a tmpfs mount".into()),
        (_, None) => return Ok(Volume::Anonymous(target)),
        (_, Some(name)) => return Ok(Volume::Named(name)),
    };
    Ok(Volume::Mount(UserMount { target, readonly, kind }))
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
    let target = clean(target).ok_or_else(|| format!("invalid mount path: '{target}' mount path must be absolute"))?;
    let options = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Ok(UserMount { target, readonly: false, kind: UserMountKind::Tmpfs { size_bytes: None, mode: None, options } })
}

/// A line of comma-separated fields; quotes keep commas (RFC 4180).
fn fields(text: &str) -> Vec<String> {
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

    fn bind(volume: &Volume) -> (&Path, &Path, bool) {
        match volume {
            Volume::Mount(UserMount { target, readonly, kind: UserMountKind::Bind { source, .. } }) => {
                (source, target, *readonly)
            }
            Volume::Mount(_) | Volume::Anonymous(_) | Volume::Named(_) => panic!("{volume:?}"),
        }
    }

    #[test]
    fn short_forms() {
        let cwd = Path::new("/here");
        let of = |text: &str| volume(text, cwd).unwrap();
        assert_eq!(bind(&of("/a:/b")), (Path::new("/a"), Path::new("/b"), false));
        assert_eq!(bind(&of("./a/../c:/b/../d:ro,z")), (Path::new("/here/c"), Path::new("/d"), true));
        assert_eq!(of("data:/b"), Volume::Named("data".into()));
        assert_eq!(of("/b"), Volume::Anonymous("/b".into()));
        for bad in ["a:b", "/a:/", "/a:/b:nope", "a:b:c:d", "-x:/b", "/a:/b:ro:z"] {
            assert!(volume(bad, cwd).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_forms() {
        let cwd = Path::new("/here");
        let of = |text: &str| mount(text, cwd);
        assert_eq!(bind(&of("type=bind,src=/a,dst=/b,readonly").unwrap()), (Path::new("/a"), Path::new("/b"), true));
        assert_eq!(bind(&of("\"type=bind\",\"src=/a,b\",dst=/b").unwrap()).0, Path::new("/a,b"));
        assert_eq!(of("type=volume,src=v,dst=/b").unwrap(), Volume::Named("v".into()));
        assert_eq!(of("type=bind,dst=/b").unwrap_err(), "source is required when type is \"bind\"");
        assert_eq!(of("type=what,dst=/b").unwrap_err(), "mount type unknown: \"what\"");
        assert_eq!(of("type=bind,src=/a").unwrap_err(), "target is required");
        assert_eq!(of("type=bind,src=/a,dst=/b,x=1").unwrap_err(), "unexpected key 'x' in 'x=1'");
    }

    proptest! {
        #[test]
        fn any_text_is_a_mount_or_refused(
            text in "([a-z/.~:,=\"]{0,6}(bind|volume|tmpfs|type|src|dst|ro|size|mode|rshared|,|:|=|/)){0,8}|.{0,30}"
        ) {
            let cwd = Path::new("/here");
            let _ = (volume(&text, cwd), mount(&text, cwd), tmpfs(&text));
        }
    }
}
