//! What is read before there is a plan: the Dockerfile, `.dockerignore`, contexts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};
use spec::digest::Digest;
use store::Store;

use super::checks;
use super::error::{BuildError, Place, Source};
use super::remote::Dated;
use super::report::{Report, told};
use crate::attest::provenance::{Material, without_credentials};
use crate::cache::Session;
use crate::context::{FilesError, Tree, is_archive};
use crate::copy::hash_download;
use crate::dockerfile::ast;
use crate::dockerfile::error::Mistakes;
use crate::dockerfile::{MAX_BYTES, parse, parse_before};
use crate::ignore::{self, Patterns};
use crate::plan::git_source;
use crate::{BuildContext, Dockerfile, Machine, Request, Validators};

/// The name of the context that `COPY` without `--from` means.
pub(crate) const MAIN: &str = "context";

const IGNORE: &str = ".dockerignore";

/// More patterns than this say nothing that a person wrote.
const IGNORE_MAX_BYTES: u64 = 4 << 20;

/// Images that are this builder, whatever version they ask for, and from whichever mirror: `mirror.example/hub/docker/dockerfile:1`.
const OWN_SYNTAX: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// A Dockerfile, read.
pub(crate) struct Loaded {
    pub(crate) file: ast::Dockerfile,
    pub(crate) source: Source,
    /// The step that read it.
    pub(crate) vertex: Digest,
}

/// Contexts, opened when they are first wanted.
pub(crate) struct Contexts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) store: &'a Store,
    pub(crate) session: &'a Session,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) report: Report<'a>,
    open: Mutex<BTreeMap<String, Arc<Opened>>>,
    materials: Mutex<BTreeSet<Material>>,
}

/// A context that is open.
pub(crate) struct Opened {
    pub(crate) tree: Tree,
    /// What is not seen of it.
    pub(crate) ignore: Option<Arc<Patterns>>,
    /// How old it is.
    pub(crate) dated: Dated,
}

/// Before it is known what is seen of it.
struct Raw {
    tree: Tree,
    /// It was the Dockerfile itself.
    dockerfile: Option<Vec<u8>>,
    /// `.dockerignore` counts for what is on this machine alone.
    is_local: bool,
    dated: Dated,
}

impl<'a> Contexts<'a> {
    pub(crate) fn new(
        request: &'a Request,
        store: &'a Store,
        session: &'a Session,
        machine: &'a dyn Machine,
        report: Report<'a>,
    ) -> Contexts<'a> {
        Contexts { request, store, session, machine, report, open: Mutex::default(), materials: Mutex::default() }
    }

    /// Reads the Dockerfile, and opens the main context.
    pub(crate) fn load(&self) -> Result<Loaded, BuildError> {
        let raw = self.raw(MAIN, &self.request.context)?;
        let (name, path) = match &self.request.dockerfile {
            Dockerfile::InContext(path) | Dockerfile::Host(path) => (file_name(path), path.clone()),
            Dockerfile::Text(_) => ("Dockerfile".to_owned(), PathBuf::from("Dockerfile")),
        };
        let (text, vertex) = self.report.during(&format!("[internal] load build definition from {name}"), |shown| {
            let began = disk::now();
            let text = match (&self.request.dockerfile, &raw.dockerfile) {
                (Dockerfile::Text(text), _) => text.clone(),
                (Dockerfile::Host(path), _) => read_host(path)?,
                (Dockerfile::InContext(_), Some(text)) => text.clone(),
                (Dockerfile::InContext(path), None) => read_inside(&raw.tree, path)?,
            };
            shown.part_done("transferring dockerfile:", text.len() as u64, began);
            Ok::<_, BuildError>((text, shown.digest().clone()))
        })?;
        let source = Source { name, text: text.into() };
        let file = match parse(&source.text) {
            Ok(file) => file,
            Err(mistakes) => {
                self.tell_before(&mistakes, &source, vertex);
                return Err(BuildError::Mistaken(mistakes, source));
            }
        };
        self.refuse_foreign(&file, &source)?;
        if raw.is_local {
            let opened = self.report.during("[internal] load .dockerignore", |shown| {
                let began = disk::now();
                let text = self.read_ignore(&raw.tree, &path)?;
                shown.part_done("transferring context:", text.as_ref().map_or(2, Vec::len) as u64, began);
                seen(raw.tree, text)
            })?;
            self.keep(MAIN, opened);
        } else {
            self.keep(MAIN, Opened { tree: raw.tree.called(MAIN), ignore: None, dated: raw.dated });
        }
        Ok(Loaded { file, source, vertex })
    }

    /// What is odd about the part of a file before its first mistake is told too. What ends that look is not: the mistake does.
    fn tell_before(&self, mistakes: &Mistakes, source: &Source, vertex: Digest) {
        if let Some(file) = parse_before(&source.text, mistakes) {
            let before = Loaded { file, source: source.clone(), vertex };
            let _ended = checks::check(&before, None, self.request, &checks::Bases::default(), self.report.on);
        }
    }

    /// `<name of the Dockerfile>.dockerignore` goes before `.dockerignore`.
    fn read_ignore(&self, context: &Tree, dockerfile: &Path) -> Result<Option<Vec<u8>>, BuildError> {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(IGNORE);
        let text = match &self.request.dockerfile {
            Dockerfile::Host(_) => read_host_if_there(Path::new(&own))?,
            Dockerfile::InContext(_) | Dockerfile::Text(_) => context.read(&own.to_string_lossy(), IGNORE_MAX_BYTES)?,
        };
        match text {
            Some(text) => Ok(Some(text)),
            None => Ok(context.read(IGNORE, IGNORE_MAX_BYTES)?),
        }
    }

    fn refuse_foreign(&self, file: &ast::Dockerfile, source: &Source) -> Result<(), BuildError> {
        let said = self.request.build_args.get("BUILDKIT_SYNTAX").map(String::as_str);
        let asked = said.or_else(|| file.directives.syntax.as_ref().map(|syntax| syntax.value.as_str()));
        let Some(image) = asked.and_then(|asked| asked.split_whitespace().next()) else { return Ok(()) };
        let repository = image.parse::<spec::reference::Reference>().map(|reference| reference.repository());
        let is_own = |repository: String| OWN_SYNTAX.iter().any(|own| repository.ends_with(&format!("/{own}")));
        if repository.is_ok_and(is_own) {
            return Ok(());
        }
        let line = file.directives.syntax.as_ref().filter(|_| said.is_none()).map(|syntax| syntax.line);
        let message = format!(
            "syntax {image}: only the language of docker/dockerfile is read here; leave the line out if the file is written in it"
        );
        let place = line.map(|line| Place { source: source.clone(), lines: vec![(line, line)] });
        Err(BuildError::Refused { message, place, source: None })
    }

    /// A context by its name; `context` is the main one.
    pub(crate) fn open(&self, name: &str) -> Result<Arc<Opened>, BuildError> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = lock().get(name) {
            return Ok(opened.clone());
        }
        let Some(context) = self.request.named_contexts.get(name) else {
            return Err(BuildError::refused(format!("there is no build context {name}")));
        };
        let raw = self.raw(name, context)?;
        let opened = if raw.is_local {
            self.report.during(&format!("[context {name}] load {IGNORE}"), |shown| {
                let began = disk::now();
                let text = raw.tree.read(IGNORE, IGNORE_MAX_BYTES)?;
                shown.part_done("transferring context:", text.as_ref().map_or(2, Vec::len) as u64, began);
                seen(raw.tree, text)
            })?
        } else {
            Opened { tree: raw.tree, ignore: None, dated: raw.dated }
        };
        Ok(self.keep(name, opened))
    }

    fn keep(&self, name: &str, opened: Opened) -> Arc<Opened> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(name.to_owned()).or_insert_with(|| Arc::new(opened)).clone()
    }

    /// Something came from elsewhere.
    pub(crate) fn note(&self, material: Material) {
        self.materials.lock().unwrap_or_else(PoisonError::into_inner).insert(material);
    }

    /// All that came from elsewhere but images.
    pub(crate) fn materials(&self) -> BTreeSet<Material> {
        self.materials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down what became known of files.
    pub(crate) fn remember(&self) {
        for opened in self.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            opened.tree.remember();
        }
    }

    fn raw(&self, name: &str, context: &BuildContext) -> Result<Raw, BuildError> {
        let cache = self.store.build_cache_dir();
        let local = |tree: Tree| Raw { tree: tree.called(name), dockerfile: None, is_local: true, dated: Dated::Never };
        match context {
            BuildContext::Directory(dir) => Ok(local(Tree::directory(dir, &cache)?)),
            BuildContext::Empty => Ok(local(Tree::directory(&self.session.temporary()?, &cache)?)),
            // As with BuildKit: what was packed was meant.
            BuildContext::Tar(tar) => {
                let tree = Tree::unpacked(tar, &self.session.temporary()?)?;
                Ok(Raw { is_local: false, ..local(tree) })
            }
            BuildContext::Url(url) => self.bring(name, url),
            BuildContext::Image(image) => {
                Err(BuildError::refused(format!("docker-image://{image} cannot be the main build context")))
            }
            BuildContext::Layout(text) | BuildContext::Other(text) => {
                Err(BuildError::refused(format!("unsupported context source {text} for {name}")))
            }
        }
    }

    fn bring(&self, name: &str, url: &str) -> Result<Raw, BuildError> {
        let far = |tree: Tree, dockerfile, dated| Raw { tree: tree.called(name), dockerfile, is_local: false, dated };
        if let Some(mut checkout) = git_source(url).map_err(BuildError::refused)? {
            let keep = self
                .request
                .build_args
                .get("BUILDKIT_CONTEXT_KEEP_GIT_DIR")
                .is_some_and(|said| said == "1" || said == "true");
            checkout.keep_git_dir |= keep;
            let name = format!("[internal] load git source {}", without_credentials(url));
            let brought = self.report.during(&name, |shown| self.check_out(&checkout, shown));
            let (tree, dated) = brought.map_err(|error| BuildError::refused(error.message))?;
            return Ok(far(tree, None, dated));
        }
        let into = self.session.temporary()?;
        let mut file = self.store.spool()?;
        let fetched = self.report.during("[internal] load remote build context", |shown| {
            let began = disk::now();
            let fetched = self.machine.fetch(url, &Validators::default(), &mut file, &|done, total| {
                shown.part("transferring context:", done, total, began)
            });
            fetched.map_err(|e| BuildError::refused(told(&e)))
        })?;
        let modified_s = fetched.and_then(|fetched| fetched.modified_s);
        let failed = |source| FilesError::Io { act: "reading", path: url.to_owned(), source };
        file.rewind().map_err(failed)?;
        self.note(Material::of_file(url, &hash_download(&file, None)?));
        if is_archive(&file) {
            let tar = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            return Ok(far(Tree::unpacked(&tar, &into)?, None, Dated::of(file, modified_s)));
        }
        file.rewind().map_err(failed)?;
        let mut text = Vec::new();
        (&file).take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        Ok(far(Tree::directory(&into, &self.store.build_cache_dir())?, Some(text), Dated::of(file, modified_s)))
    }
}

/// A directory of a checkout, wherever its links lead: it stays inside.
pub(crate) fn subtree(root: &Path, below: Option<&str>, cache: &Path) -> Result<Tree, FilesError> {
    let Some(below) = below.filter(|below| !below.is_empty()) else { return Tree::directory(root, cache) };
    let failed = |e: rustix::io::Errno| FilesError::Io { act: "opening", path: below.to_owned(), source: e.into() };
    let dir = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = openat2(&dir, below, flags, Mode::empty(), resolve).map_err(failed)?;
    Tree::directory(&PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd())), cache)
}

/// A context of this machine, which has no age.
fn seen(tree: Tree, ignore: Option<Vec<u8>>) -> Result<Opened, BuildError> {
    let patterns = ignore::read(&ignore.unwrap_or_default());
    let patterns = Patterns::new(patterns)
        .map_err(|e| BuildError::refused(format!("failed to read dockerignore patterns: {e}")))?;
    if patterns.is_empty() {
        return Ok(Opened { tree, ignore: None, dated: Dated::Never });
    }
    let ignore = Some(Arc::new(patterns.clone()));
    Ok(Opened { tree: tree.seen_through(patterns), ignore, dated: Dated::Never })
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "Dockerfile".into(), |name| name.to_string_lossy().into_owned())
}

/// `dockerfile` will do where `Dockerfile` is not there.
fn read_inside(context: &Tree, path: &Path) -> Result<Vec<u8>, BuildError> {
    let most = MAX_BYTES as u64;
    if let Some(text) = context.read(&path.to_string_lossy(), most)? {
        return Ok(text);
    }
    if path.file_name().is_some_and(|name| name == "Dockerfile")
        && let Some(text) = context.read(&path.with_file_name("dockerfile").to_string_lossy(), most)?
    {
        return Ok(text);
    }
    Err(not_there(path))
}

fn not_there(path: &Path) -> BuildError {
    BuildError::refused(format!("failed to read dockerfile: open {}: no such file or directory", path.display()))
}

fn read_host(path: &Path) -> Result<Vec<u8>, BuildError> {
    read_host_if_there(path)?.ok_or_else(|| not_there(path))
}

fn read_host_if_there(path: &Path) -> Result<Option<Vec<u8>>, BuildError> {
    let failed = |source: std::io::Error| FilesError::Io { act: "reading", path: path.display().to_string(), source };
    let file = match openat2(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => File::from(other.map_err(|e| failed(e.into()))?),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    Ok(Some(text))
}
