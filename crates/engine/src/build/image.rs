//! An image that a stage begins with, or that files come from.

use std::collections::BTreeMap;

use builder::WantedImage;
use builder::progress::{Progress, Status};
use spec::digest::Digest;
use spec::reference::Reference;
use spec::time::Time;
use store::Image;

use super::Tools;
use super::layout::{self, Layout};
use crate::error::Error;
use crate::image::obtain::{Obtain, Pull, Step, obtain};
use crate::image::progress::{LayerEvent, LayerState};

/// Finds it, or gets it. What is here costs one look.
pub(super) fn image(tools: &Tools<'_>, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Image, Error> {
    if let Some(layout) = Layout::parse(&wanted.name) {
        return layout::load(tools, &layout, &wanted.platform);
    }
    let pull = match wanted.pull {
        builder::Pull::Always => Pull::Always,
        builder::Pull::Missing => Pull::Missing,
    };
    let request = Obtain { name: &wanted.name, pull, platform: Some(wanted.platform.clone()) };
    let mut layers = Layers::default();
    let mut tell = |step: Step| {
        if let Step::Layer(event) = step {
            layers.tell(event).into_iter().for_each(|status| on(Progress::Status(status)));
        }
    };
    obtain(tools.host, &request, &|| tools.session(), &mut tell).map_err(|error| unresolved(&wanted.name, error))
}

/// BuildKit's words, which scripts and people look for.
fn unresolved(name: &str, error: Error) -> Error {
    let Ok(reference) = name.parse::<Reference>() else { return error };
    let (familiar, canonical) = (reference.familiar(), reference.to_string());
    let doing = format!("{familiar}: failed to resolve source metadata for {canonical}");
    let Error::NotFound(text) = &error else { return Error::Other(doing, Box::new(error)) };
    Error::NotFound(match text.split_once("pull access denied") {
        Some(_) => {
            format!("{doing}: pull access denied, repository does not exist or may require authorization: {text}")
        }
        None => format!("{doing}: {canonical}: not found"),
    })
}

/// How far each layer is, in BuildKit's words: a line for its download, one for what is unpacked of it.
#[derive(Default)]
struct Layers {
    began: BTreeMap<String, Time>,
}

impl Layers {
    fn tell(&mut self, event: LayerEvent) -> Vec<Status> {
        let LayerEvent { layer, state } = event;
        let (download, extract) = (format!("sha256:{layer}"), format!("extracting sha256:{layer}"));
        match state {
            LayerState::Downloading { done, total } => vec![self.status(download, done, total, false)],
            LayerState::DownloadComplete => vec![self.status(download, 0, 0, true)],
            LayerState::Extracting { done, total } => vec![self.status(extract, done, total, false)],
            LayerState::PullComplete if self.began.contains_key(&extract) => vec![self.status(extract, 0, 0, true)],
            LayerState::PullComplete
            | LayerState::PullingFsLayer
            | LayerState::Waiting
            | LayerState::VerifyingChecksum
            | LayerState::AlreadyExists
            | LayerState::Preparing
            | LayerState::Pushing { .. }
            | LayerState::Pushed
            | LayerState::LayerExists
            | LayerState::MountedFrom(_)
            | LayerState::Retrying { .. }
            | LayerState::Loading { .. }
            | LayerState::LoadComplete => Vec::new(),
        }
    }

    fn status(&mut self, id: String, current: u64, total: u64, is_done: bool) -> Status {
        let at = disk::now();
        let started = *self.began.entry(id.clone()).or_insert(at);
        Status {
            // Whose part it is, whoever asked for the image knows.
            vertex: Digest::sha256(b""),
            id,
            current,
            total,
            started: Some(started),
            completed: is_done.then_some(at),
            at,
        }
    }
}
