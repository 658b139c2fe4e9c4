//! What becomes of a build: its result goes where it was wanted, and that is shown as one more step.

use std::io;

use builder::progress::{Progress, Status, Vertex};
use builder::{Built, CacheTo};
use engine::Host;
use engine::build::{finish, output};
use engine::image::progress::{LayerEvent, LayerState};
use engine::image::push::push;
use engine::registry::Session;
use spec::digest::{Digest, ImageId};
use spec::reference::Reference;
use spec::time::Time;

use super::display::trace::now;
use super::outputs::{Attest, Output, Push, To};
use crate::cli::Cli;
use crate::report::Report;

/// What there is to tell afterwards.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The image, where there is one.
    pub(super) image: Option<ImageId>,
    /// What registries call it, where it was pushed.
    pub(super) manifest: Option<Digest>,
    /// What it is called.
    pub(super) names: Vec<Reference>,
}

/// Where a build's result goes.
pub(super) struct Orders {
    pub(super) outputs: Vec<Output>,
    pub(super) attests: Vec<Attest>,
    pub(super) cache_to: Vec<CacheTo>,
}

impl Orders {
    /// What cannot be done is said before anything is.
    pub(super) fn check(&self) -> Result<(), Report> {
        attest(&self.attests)?;
        export_cache(&self.cache_to)
    }
}

/// Does all that was ordered.
pub(super) fn deliver(
    cli: &Cli,
    host: &Host,
    built: &Built,
    orders: &Orders,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, Report> {
    let mut outcome = Outcome::default();
    for output in &orders.outputs {
        let step = Export::begin(output, on);
        let done = one(cli, host, built, output, &step, &mut outcome);
        step.end(done.as_ref().err().map(|report| report.text.clone()));
        done?;
    }
    Ok(outcome)
}

fn one(
    cli: &Cli,
    host: &Host,
    built: &Built,
    output: &Output,
    step: &Export<'_>,
    outcome: &mut Outcome,
) -> Result<(), Report> {
    match output {
        Output::CacheOnly => {}
        Output::Image { names, push } => {
            let finished = step.part("exporting layers", || finish::finish(host, built, names))?;
            step.told(&format!("writing image {}", finished.named));
            names.iter().for_each(|name| step.told(&format!("naming to {name}")));
            if *push == Push::Yes {
                for name in names {
                    outcome.manifest = Some(send(cli, host, built, name, step)?);
                }
            }
            outcome.image = Some(finished.named);
            outcome.names.clone_from(names);
        }
        Output::Archive { names, to, .. } => step.part("sending tarball", || match to {
            To::Stdout => Ok(output::archive(host, built, names, io::stdout().lock())?),
            To::File(path) => {
                let write = |file| Ok(output::archive(host, built, names, file)?);
                super::super::output::to_file(cli, path, "ERROR: failed to write the archive", write)
            }
        })?,
        Output::Tar(to) => step.part("sending tarball", || match to {
            To::Stdout => Ok(output::tar(host, built, io::stdout().lock())?),
            To::File(path) => {
                let write = |file| Ok(output::tar(host, built, file)?);
                super::super::output::to_file(cli, path, "ERROR: failed to write the tar", write)
            }
        })?,
        Output::Local(dir) => step.part("copying files", || output::local(host, built, dir))?,
    }
    Ok(())
}

fn send(cli: &Cli, host: &Host, built: &Built, name: &Reference, step: &Export<'_>) -> Result<Digest, Report> {
    if built.variants.len() > 1 {
        let what = "pushing an image of several platforms at once";
        return Err(engine::Error::NotYet(what.into()).into());
    }
    let session = Session::open(&cli.registries())?;
    let pushed = step.part("pushing layers", || {
        push(host, &session, name, &mut |LayerEvent { layer, state }| {
            if let LayerState::Pushing { done, total } = state {
                step.status(&format!("sha256:{layer}"), (done, total), None);
            } else if state.is_last() {
                step.status(&format!("sha256:{layer}"), (0, 0), Some(now()));
            }
        })
    })?;
    step.told(&format!("pushing manifest for {name}@{}", pushed.digest));
    Ok(pushed.digest)
}

/// Documents about the build are not made yet: provenance, SBOM.
fn attest(attests: &[Attest]) -> Result<(), Report> {
    match attests.first() {
        None => Ok(()),
        Some(Attest { kind, attributes }) => {
            let how: Vec<String> = attributes.iter().map(|(key, value)| format!(",{key}={value}")).collect();
            let what = format!("an attestation (type={kind}{})", how.concat());
            Err(engine::Error::NotYet(what).into())
        }
    }
}

/// Results are not written for builds elsewhere yet.
fn export_cache(cache_to: &[CacheTo]) -> Result<(), Report> {
    match cache_to.first() {
        None => Ok(()),
        Some(CacheTo::Inline) => Err(engine::Error::NotYet("--cache-to type=inline".into()).into()),
        Some(CacheTo::Local(..)) => Err(engine::Error::NotYet("--cache-to type=local".into()).into()),
        Some(CacheTo::Registry(..)) => Err(engine::Error::NotYet("--cache-to type=registry".into()).into()),
    }
}

/// A step of ours among the builder's.
struct Export<'a> {
    vertex: Vertex,
    on: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Export<'a> {
    fn begin(output: &Output, on: &'a (dyn Fn(Progress) + Sync)) -> Export<'a> {
        let name = match output {
            Output::Image { .. } => "exporting to image".to_owned(),
            Output::Archive { format, .. } => format!("exporting to {format} image format"),
            Output::Local(_) => "exporting to client directory".to_owned(),
            Output::Tar(_) => "exporting to client tarball".to_owned(),
            Output::CacheOnly => "exporting nothing but the cache".to_owned(),
        };
        let vertex = Vertex {
            digest: Digest::sha256(format!("{name} {output:?}").as_bytes()),
            inputs: Vec::new(),
            name,
            started: Some(now()),
            completed: None,
            cached: false,
            error: None,
        };
        on(Progress::Vertex(vertex.clone()));
        Export { vertex, on }
    }

    fn end(&self, error: Option<String>) {
        (self.on)(Progress::Vertex(Vertex { completed: Some(now()), error, ..self.vertex.clone() }));
    }

    /// Something that takes a while.
    fn part<T, E>(&self, id: &str, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = now();
        self.say(id, (0, 0), started, None);
        let done = act()?;
        self.say(id, (0, 0), started, Some(now()));
        Ok(done)
    }

    /// Something that is done at once.
    fn told(&self, id: &str) {
        let at = now();
        self.say(id, (0, 0), at, Some(at));
    }

    fn status(&self, id: &str, amounts: (u64, u64), completed: Option<Time>) {
        self.say(id, amounts, self.vertex.started.unwrap_or_else(now), completed);
    }

    fn say(&self, id: &str, (current, total): (u64, u64), started: Time, completed: Option<Time>) {
        let vertex = self.vertex.digest.clone();
        let status = Status { vertex, id: id.into(), current, total, started: Some(started), completed, at: now() };
        (self.on)(Progress::Status(status));
    }
}
