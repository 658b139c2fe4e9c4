//! `COPY` and `ADD`.

use spec::digest::Digest;
use spec::time::Time;

use super::dispatch::Makes;
use super::error::PlanError;
use super::graph::{Checkout, CopySource, CopyStep, Http, Step, StepId, Tree, What};
use super::stages::Command;
use super::{Planner, git, go, names, paths};
use crate::dockerfile::ast::{Add, Copy, CopyFlags, Expanded, Sources, Span};

/// What is the same for both, read.
struct Asked<'a> {
    keyword: &'static str,
    sources: &'a Sources<Expanded>,
    dest: &'a str,
    how: &'a CopyFlags<Expanded>,
    parents: bool,
    /// Where paths are looked for.
    from: Tree,
    /// None: `COPY`, which takes nothing from elsewhere.
    remote: Option<&'a Add<Expanded>>,
}

impl Planner<'_> {
    pub(super) fn copy(&mut self, at: usize, command: &Command, copy: &Copy<Expanded>) -> Result<(), PlanError> {
        let from = match command.from.first() {
            None => Some(self.main_context()),
            Some(from) => {
                let source = &self.stages.all[*from];
                if !source.done || *from == at {
                    let name = go::quoted(copy.from.as_deref().unwrap_or_default());
                    let current = go::quoted(&self.stages.all[at].shown);
                    let message =
                        format!("cannot copy from stage {name}, it needs to be defined before current stage {current}");
                    return Err(PlanError::new(message));
                }
                source.state.tree
            }
        };
        let (sources, dest, how, parents) = (&copy.sources, copy.dest.as_str(), &copy.how, copy.parents);
        self.copies(at, command, &Asked { keyword: "COPY", sources, dest, how, parents, from, remote: None })
    }

    pub(super) fn add(&mut self, at: usize, command: &Command, add: &Add<Expanded>) -> Result<(), PlanError> {
        let from = Some(self.main_context());
        let (sources, dest, how) = (&add.sources, add.dest.as_str(), &add.how);
        self.copies(at, command, &Asked { keyword: "ADD", sources, dest, how, parents: false, from, remote: Some(add) })
    }

    /// The files the caller gives.
    pub(super) fn main_context(&mut self) -> StepId {
        let name = "[internal] load build context".to_owned();
        self.graph.add(Step { name, what: What::Context("context".into()), span: None, anew: false })
    }

    fn copies(&mut self, at: usize, command: &Command, asked: &Asked<'_>) -> Result<(), PlanError> {
        let mode = asked.how.chmod.as_deref().filter(|mode| !mode.is_empty());
        mode.map_or(Ok(()), check_mode)?;
        check_checksum(asked)?;
        let stage = &self.stages.all[at];
        let shown = names::shouted(&self.words.shown(&command.said.original, &stage.state.env));
        let dest = paths::destination(&paths::workdir("/", &stage.state.image.config.working_dir), asked.dest);
        let chown = asked.how.chown.clone().filter(|owner| !owner.is_empty());
        // BuildKit copies as if without `--link` where a mode is wanted.
        let link = asked.how.link && mode.is_none();
        let epoch = if link { self.link_epoch() } else { self.layer_epoch(stage) };
        let history = history(asked);
        let name = self.name_step(at, command, &shown);
        let mut sources = Vec::new();
        for path in &asked.sources.paths {
            sources.push(self.source(asked, path, &name, command.said.span)?);
        }
        for file in &asked.sources.inline {
            sources.push(CopySource::Inline { name: file.name.clone(), content: file.content.clone() });
        }
        let onto = self.rooted(self.stages.all[at].state.tree);
        let step = CopyStep {
            onto,
            link,
            sources,
            dest,
            chown,
            chmod: mode.map(str::to_owned),
            exclude: asked.how.exclude.clone(),
            parents: asked.parents,
            epoch,
            is_derived: self.epoch.is_none(),
        };
        self.put_step(at, command.said.span, name, What::Copy(Box::new(step)));
        self.stages.all[at].state.note(history, Makes::Layer);
        Ok(())
    }

    /// What is linked stands on nothing, and has no base that would say a time.
    pub(super) fn link_epoch(&self) -> Time {
        self.epoch.unwrap_or(Time::from_ns(0)).min(Time::from_ns(0))
    }

    fn source(&mut self, asked: &Asked<'_>, path: &str, name: &str, span: Span) -> Result<CopySource, PlanError> {
        let Some(add) = asked.remote else {
            if git::parse(path).map_err(PlanError::new)?.is_some() {
                return Err(PlanError::new("source can't be a git ref for COPY"));
            }
            if is_http(path) {
                return Err(PlanError::new("source can't be a URL for COPY"));
            }
            return Ok(CopySource::Paths { from: asked.from, path: path.to_owned(), unpack: false });
        };
        let Some(what) = remote(path, add)? else {
            let unpack = add.unpack != Some(false);
            return Ok(CopySource::Paths { from: asked.from, path: path.to_owned(), unpack });
        };
        let is_repository = matches!(what, What::Git(_));
        let from = self.graph.add(Step { name: name.to_owned(), what, span: Some(span), anew: false });
        Ok(if is_repository {
            CopySource::Repository(from)
        } else {
            CopySource::Remote { from, unpack: add.unpack == Some(true) }
        })
    }
}

/// What `ADD` has from elsewhere; none: the source is a path.
pub(super) fn remote(path: &str, add: &Add<Expanded>) -> Result<Option<What>, PlanError> {
    Ok(match git::parse(path).map_err(PlanError::new)? {
        Some(checkout) => Some(What::Git(checked_out(checkout, add)?)),
        None if is_http(path) => Some(What::Http(downloaded(path, add)?)),
        None => None,
    })
}

fn downloaded(url: &str, add: &Add<Expanded>) -> Result<Http, PlanError> {
    let checksum = add.checksum.clone().filter(|checksum| !checksum.is_empty());
    if let Some(checksum) = &checksum {
        checksum.parse::<Digest>().map_err(|error| PlanError::new(error.to_string()))?;
    }
    Ok(Http { url: url.to_owned(), file_name: file_name(url), checksum })
}

fn checked_out(mut checkout: Checkout, add: &Add<Expanded>) -> Result<Checkout, PlanError> {
    if let Some(keep) = add.keep_git_dir {
        checkout.keep_git_dir = keep;
    }
    if let Some(checksum) = add.checksum.clone().filter(|checksum| !checksum.is_empty()) {
        if let Some(other) = checkout.checksum.as_ref().filter(|other| **other != checksum) {
            let (one, other) = (go::quoted(&checksum), go::quoted(other));
            return Err(PlanError::new(format!("checksum mismatch {one} != {other}")));
        }
        checkout.checksum = Some(checksum);
    }
    Ok(checkout)
}

fn is_http(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// The last part of the URL's path.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let after_host = path.split_once("://").map_or("", |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    match paths::clean(&format!("/{after_host}")).rsplit('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        Some(_) | None => "__unnamed__".into(),
    }
}

/// `--chmod`: octal, or as `chmod` takes it. The rest is for who copies.
fn check_mode(mode: &str) -> Result<(), PlanError> {
    let refused = || {
        PlanError::new(format!("invalid chmod parameter: '{mode}'. it should be octal string and between 0 and 07777"))
    };
    if mode.bytes().all(|b| b.is_ascii_digit()) {
        return match u32::from_str_radix(mode, 8) {
            Ok(bits) if bits <= 0o7777 => Ok(()),
            Ok(_) | Err(_) => Err(refused()),
        };
    }
    mode.parse::<crate::copy::Chmod>().map(|_| ()).map_err(|error| PlanError::new(error.to_string()))
}

fn check_checksum(asked: &Asked<'_>) -> Result<(), PlanError> {
    let checksum = asked.remote.and_then(|add| add.checksum.as_ref()).filter(|checksum| !checksum.is_empty());
    if checksum.is_none() {
        return Ok(());
    }
    match asked.sources.paths.as_slice() {
        [path] if is_http(path) || git::parse(path).is_ok_and(|repository| repository.is_some()) => Ok(()),
        [_] => Err(PlanError::new("checksum requires HTTP(S) or Git sources")),
        _ => Err(PlanError::new("checksum can't be specified for multiple sources")),
    }
}

fn history(asked: &Asked<'_>) -> String {
    let mut text = asked.keyword.to_owned();
    if asked.parents {
        text.push_str(" --parents");
    }
    for (flag, value) in [("chown", &asked.how.chown), ("chmod", &asked.how.chmod)] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            text.push_str(&format!(" --{flag}={value}"));
        }
    }
    for path in &asked.sources.paths {
        text.push_str(&format!(" {path}"));
    }
    for file in &asked.sources.inline {
        text.push_str(&format!(" <<{}", file.name));
    }
    format!("{text} {} # buildkit", asked.dest)
}
