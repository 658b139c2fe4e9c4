//! Where files and instructions come from (buildx `build/opt.go`, `loadInputs`).

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use builder::{BuildContext, Dockerfile};
use engine::Host;
use engine::build::layout::Layout;

use crate::cli::Cli;
use crate::report::Report;

/// No Dockerfile is longer.
const DOCKERFILE_MAX_BYTES: u64 = 16 << 20;

/// What was typed.
pub(super) struct Typed<'a> {
    /// `PATH | URL | -`.
    pub(super) context: &'a str,
    /// `-f`.
    pub(super) file: Option<&'a str>,
}

/// Where things are, and what must be kept open meanwhile.
pub(super) struct Inputs {
    pub(super) context: BuildContext,
    pub(super) dockerfile: Dockerfile,
    /// A context that came by standard input.
    pub(super) _spool: Option<File>,
}

/// Finds context and Dockerfile; what comes by standard input is read.
pub(super) fn inputs(cli: &Cli, host: &Host, typed: &Typed<'_>) -> Result<Inputs, Report> {
    let failed = |text: &str| Err(Report::plain(format!("ERROR: {text}")));
    let here = |context, dockerfile| Ok(Inputs { context, dockerfile, _spool: None });
    let text = || Ok::<_, Report>(Dockerfile::Text(dockerfile_of(std::io::stdin().lock())?));
    let (context, file) = (typed.context, typed.file);
    if context.is_empty() {
        return failed("please specify build context (e.g. \".\" for the current directory)");
    }
    if context == "-" {
        if file == Some("-") {
            return failed("invalid argument: can't use stdin for both build context and dockerfile");
        }
        return from_stdin(host, file);
    }
    let dir = cli.working_dir().join(context);
    if dir.is_dir() {
        let dockerfile = match file {
            Some("-") => text()?,
            Some(file) => beside(cli, &dir, file),
            None => Dockerfile::InContext(default_name(&dir)),
        };
        return here(BuildContext::Directory(dir), dockerfile);
    }
    if is_remote(context) {
        let dockerfile = match file {
            Some("-") => text()?,
            Some(file) => Dockerfile::InContext(file.into()),
            None => Dockerfile::InContext("Dockerfile".into()),
        };
        return here(BuildContext::Url(context.to_owned()), dockerfile);
    }
    failed(&format!("unable to prepare context: path {context:?} not found"))
}

/// `Dockerfile`, or `dockerfile` where only that is there.
fn default_name(dir: &Path) -> PathBuf {
    let has = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if !has("Dockerfile") && has("dockerfile") { "dockerfile".into() } else { "Dockerfile".into() }
}

/// `-f`: where the user is, or in the context. One that lies in the context is one of it.
fn beside(cli: &Cli, context: &Path, file: &str) -> Dockerfile {
    let path = cli.working_dir().join(file);
    if path.symlink_metadata().is_err() && Path::new(file).is_relative() {
        return Dockerfile::InContext(file.into());
    }
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().map(whole).unwrap_or_default();
    match (dir.strip_prefix(whole(context)), path.file_name()) {
        (Ok(below), Some(name)) => Dockerfile::InContext(below.join(name)),
        (Ok(_) | Err(_), _) => Dockerfile::Host(path),
    }
}

/// An archive is the context; anything else is a Dockerfile alone.
fn from_stdin(host: &Host, file: Option<&str>) -> Result<Inputs, Report> {
    let failed = |e: std::io::Error| Report::plain(format!("ERROR: failed to read the build context from stdin: {e}"));
    let mut stdin = std::io::stdin().lock();
    let mut head = Vec::new();
    stdin.by_ref().take(512).read_to_end(&mut head).map_err(failed)?;
    if !is_archive(&head) {
        if file.is_some() {
            let text = "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles";
            return Err(Report::plain(format!("ERROR: {text}")));
        }
        let text = dockerfile_of(head.as_slice().chain(stdin))?;
        return Ok(Inputs { context: BuildContext::Empty, dockerfile: Dockerfile::Text(text), _spool: None });
    }
    let mut spool = host.store.spool().map_err(|e| Report::from(engine::Error::from(e)))?;
    spool.write_all(&head).and_then(|()| std::io::copy(&mut stdin, &mut spool).map(drop)).map_err(failed)?;
    spool.seek(SeekFrom::Start(0)).map_err(failed)?;
    // It has no name, and goes with us whatever happens.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&spool));
    Ok(Inputs {
        context: BuildContext::Tar(path.into()),
        dockerfile: Dockerfile::InContext(file.unwrap_or("Dockerfile").into()),
        _spool: Some(spool),
    })
}

fn dockerfile_of(from: impl Read) -> Result<Vec<u8>, Report> {
    let mut text = Vec::new();
    let read = from.take(DOCKERFILE_MAX_BYTES).read_to_end(&mut text);
    read.map_err(|e| Report::plain(format!("ERROR: failed to read Dockerfile from stdin: {e}")))?;
    Ok(text)
}

/// A tar, or something that tars are packed with (moby `pkg/archive`, buildx `isArchive`).
pub(super) fn is_archive(head: &[u8]) -> bool {
    let packed: [&[u8]; 4] = [&[0x1f, 0x8b], b"BZh", &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]];
    packed.iter().any(|magic| head.starts_with(magic)) || is_tar_header(head)
}

/// Old tars have no mark but the sum of their first block.
fn is_tar_header(head: &[u8]) -> bool {
    let Some(block) = head.get(..512) else { return false };
    if block[257..].starts_with(b"ustar") {
        return true;
    }
    let field: String = block[148..156].iter().map(|byte| char::from(*byte)).collect();
    let wanted = u32::from_str_radix(field.trim_matches([' ', '\0']), 8);
    let sum: u32 =
        (0..).zip(block).map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    wanted == Ok(sum)
}

/// A URL or an address of git (BuildKit `gitutil`, buildx `build.IsRemoteURL`).
pub(super) fn is_remote(context: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    if schemes.iter().any(|scheme| context.starts_with(scheme)) {
        return true;
    }
    // `user@host:path`, as ssh writes it.
    context.split_once('@').is_some_and(|(user, rest)| {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        plain(user) && rest.split_once(':').is_some_and(|(host, path)| plain(host) && !path.is_empty())
    })
}

/// `--build-context name=value`.
pub(super) fn named(cli: &Cli, text: &str) -> Result<(String, BuildContext), Report> {
    let wrong = || Report::plain(format!("ERROR: invalid context value: {text}, expected key=value"));
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    if name.is_empty() {
        return Err(wrong());
    }
    let context = if let Some(image) = value.strip_prefix("docker-image://") {
        BuildContext::Image(image.to_owned())
    } else if let Some(layout) = Layout::parse(value) {
        BuildContext::Layout(Layout { dir: cli.working_dir().join(&layout.dir), ..layout }.to_string())
    } else if value.starts_with("target:") {
        BuildContext::Other(value.to_owned())
    } else if is_remote(value) {
        BuildContext::Url(value.to_owned())
    } else {
        let dir = cli.working_dir().join(value);
        if !dir.is_dir() {
            return Err(Report::plain(format!("ERROR: failed to get build context {name}: path {value:?} not found")));
        }
        BuildContext::Directory(dir)
    };
    Ok((name.to_lowercase(), context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_elsewhere_are_told_from_paths() {
        for remote in [
            "https://a.example/x.tar",
            "https://a.example/x.git#main:dir",
            "git@github.com:a/b.git",
            "github.com/a/b",
            "ssh://git@a/b",
            "me@host.example:repo",
        ] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in [".", "dir", "/a/b", "a@b", "gitlab.com/a", "./x:y@z"] {
            assert!(!is_remote(local), "{local}");
        }
    }

    #[test]
    fn archives_are_told_from_dockerfiles() {
        let mut header = [0_u8; 512];
        header[..4].copy_from_slice(b"file");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        assert!(is_archive(&header));
        header[0] = b'x';
        assert!(!is_archive(&header));
        assert!(is_archive(&[0x1f, 0x8b, 8]));
        assert!(!is_archive(b"FROM scratch\n"));
        assert!(!is_archive(&[b'\n'; 600]));
    }
}
