//! What becomes of a build: its result goes where it was wanted, and that is shown as one more step.

use std::io;

use builder::attest::Asked;
use builder::progress::{Progress, Status, Vertex};
use builder::{Built, CacheTo, Request};
use engine::build::attest::{Attest, attest};
use engine::build::finish::Finished;
use engine::build::output::Label;
use engine::build::{exchange, finish, output};
use engine::image::progress::{LayerEvent, LayerState};
use engine::image::push::{Together, push_together};
use engine::registry::Session;
use engine::{Error, Host};
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::reference::Reference;
use spec::time::Time;

use super::display::trace::now;
use super::outputs::{Output, Place, Push, To};
use crate::cli::Cli;
use crate::report::{Report, explain};

/// What there is to tell afterwards.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// What the history calls the build.
    pub(super) id: String,
    /// The image, where there is one.
    pub(super) image: Option<ImageId>,
    /// What registries call it, where it was pushed.
    pub(super) manifest: Option<Digest>,
    /// What it is called.
    pub(super) names: Vec<Reference>,
}

/// Why a result is not where it was wanted, in words that follow `failed to solve: `: a build has no daemon to name.
#[derive(Debug)]
pub(super) struct Undelivered(pub(super) String);

impl From<Error> for Undelivered {
    fn from(error: Error) -> Undelivered {
        Undelivered(explain(&error))
    }
}

impl From<Report> for Undelivered {
    fn from(Report { text, .. }: Report) -> Undelivered {
        Undelivered(text.strip_prefix("ERROR: ").map(str::to_owned).unwrap_or(text))
    }
}

/// Where a build's result goes.
pub(super) struct Orders {
    pub(super) outputs: Vec<Output>,
    pub(super) attest: Asked,
    pub(super) cache_to: Vec<CacheTo>,
}

/// What was built, and what it was built from.
pub(super) struct Delivery<'a> {
    pub(super) request: &'a Request,
    pub(super) built: Built,
    pub(super) started: Time,
    /// What the history calls it.
    pub(super) id: &'a str,
}

/// Does all that was ordered.
pub(super) fn deliver(
    cli: &Cli,
    host: &Host,
    delivery: Delivery<'_>,
    orders: &Orders,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, Undelivered> {
    let Delivery { request, mut built, started, id } = delivery;
    let mut outcome = Outcome { id: id.to_owned(), ..Outcome::default() };
    if orders.cache_to.contains(&CacheTo::Inline) {
        exchange::inline_into(host, &mut built)?;
    }
    let clock = (started, now());
    for output in &orders.outputs {
        let step = Export::begin(output_name(output), &format!("{output:?}"), on);
        let wanted = Attest { asked: &orders.attest, request, names: names_of(output), clock, invocation: id };
        let done = said(host, &built, output, &wanted, &step)
            .and_then(|said| one(cli, host, &Product { built: &built, said }, output, &step, &mut outcome));
        step.end(done.as_ref().err().map(|Undelivered(text)| text.clone()));
        done?;
    }
    for to in &orders.cache_to {
        export_cache(cli, host, &built, to, on)?;
    }
    Ok(outcome)
}

/// What was built, with what is said about it.
struct Product<'a> {
    built: &'a Built,
    said: Vec<Vec<Predicate>>,
}

/// Documents about the build: provenance, SBOM.
fn said(
    host: &Host,
    built: &Built,
    output: &Output,
    wanted: &Attest<'_>,
    step: &Export<'_>,
) -> Result<Vec<Vec<Predicate>>, Undelivered> {
    let can = !matches!(output, Output::CacheOnly);
    if !can || *wanted.asked == Asked::default() {
        return Ok(Vec::new());
    }
    Ok(step.part("exporting attestations", || attest(host, built, wanted))?)
}

fn one(
    cli: &Cli,
    host: &Host,
    product: &Product<'_>,
    output: &Output,
    step: &Export<'_>,
    outcome: &mut Outcome,
) -> Result<(), Undelivered> {
    let Product { built, said } = product;
    match output {
        Output::CacheOnly => {}
        Output::Image { names, push, shape } => {
            let label = Label { names, form: &shape.of(built), said };
            label.check(built)?;
            let finished = step.part("exporting layers", || finish::finish(host, built, &label))?;
            step.told(&format!("writing image {}", finished.named));
            names.iter().for_each(|name| step.told(&format!("naming to {name}")));
            if *push == Push::Yes {
                for name in names {
                    outcome.manifest = Some(send(cli, host, &finished, name, step)?);
                }
            }
            outcome.image = Some(finished.named);
            outcome.names.clone_from(names);
        }
        Output::Archive { format, names, to, shape } => {
            if *format == "docker" && built.variants.len() > 1 {
                return Err(Undelivered("docker exporter does not currently support exporting manifest lists".into()));
            }
            let label = Label { names, form: &shape.of(built), said };
            label.check(built)?;
            archive(cli, host, built, &label, to, step)?;
        }
        Output::Tar(to) => tar(cli, host, product, to, step)?,
        Output::Local(dir, split) => step.part("copying files", || output::local(host, built, said, dir, *split))?,
    }
    Ok(())
}

fn tar(cli: &Cli, host: &Host, product: &Product<'_>, to: &To, step: &Export<'_>) -> Result<(), Undelivered> {
    let Product { built, said } = product;
    step.part("sending tarball", || match to {
        To::Stdout => Ok(output::tar(host, built, said, io::stdout().lock())?),
        To::File(path) => {
            let write = |file| Ok(output::tar(host, built, said, file)?);
            Ok(super::super::output::to_file(cli, path, "ERROR: failed to write the tar", write)?)
        }
    })
}

fn archive(
    cli: &Cli,
    host: &Host,
    built: &Built,
    label: &Label<'_>,
    to: &Place,
    step: &Export<'_>,
) -> Result<(), Undelivered> {
    match to {
        Place::Tar(To::Stdout) => {
            step.part("sending tarball", || Ok(output::archive(host, built, label, io::stdout().lock())?))
        }
        Place::Tar(To::File(path)) => step.part("sending tarball", || {
            let write = |file| Ok(output::archive(host, built, label, file)?);
            Ok(super::super::output::to_file(cli, path, "ERROR: failed to write the archive", write)?)
        }),
        Place::Layout(dir) => step.part("copying files", || Ok(output::layout(host, built, label, dir)?)),
    }
}

fn send(
    cli: &Cli,
    host: &Host,
    finished: &Finished,
    name: &Reference,
    step: &Export<'_>,
) -> Result<Digest, Undelivered> {
    let session = Session::open(&cli.registries())?;
    let images = finished.images.iter().map(|(_, id)| host.store.image(id)).collect::<Result<Vec<_>, _>>();
    let images = images.map_err(Error::from)?;
    let all = Together { reference: name, images: &images, named: &finished.named };
    let pushed = step.part("pushing layers", || {
        push_together(host, &session, &all, &mut |LayerEvent { layer, state }| {
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

/// Results for builds elsewhere.
fn export_cache(
    cli: &Cli,
    host: &Host,
    built: &Built,
    to: &CacheTo,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<(), Undelivered> {
    let name = match to {
        CacheTo::Inline => return Ok(()),
        CacheTo::Local(..) => "exporting cache to client directory",
        CacheTo::Registry(..) => "exporting cache to registry",
    };
    let step = Export::begin(name, &format!("{to:?}"), on);
    let session = || Session::open(&cli.registries());
    let done = step.part("preparing build cache for export", || exchange::write(host, &session, built, to));
    step.end(done.as_ref().err().map(ToString::to_string));
    Ok(done?)
}

fn output_name(output: &Output) -> &'static str {
    match output {
        Output::Image { .. } => "exporting to image",
        Output::Archive { format: "oci", .. } => "exporting to oci image format",
        Output::Archive { .. } => "exporting to docker image format",
        Output::Local(..) => "exporting to client directory",
        Output::Tar(_) => "exporting to client tarball",
        Output::CacheOnly => "exporting nothing but the cache",
    }
}

/// What images are called there.
fn names_of(output: &Output) -> &[Reference] {
    match output {
        Output::Image { names, .. } | Output::Archive { names, .. } => names,
        Output::Local(..) | Output::Tar(_) | Output::CacheOnly => &[],
    }
}

/// A step of ours among the builder's.
struct Export<'a> {
    vertex: Vertex,
    on: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Export<'a> {
    fn begin(name: &str, what: &str, on: &'a (dyn Fn(Progress) + Sync)) -> Export<'a> {
        let vertex = Vertex {
            digest: Digest::sha256(format!("{name} {what}").as_bytes()),
            inputs: Vec::new(),
            name: name.to_owned(),
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
