//! The graph is done: steps in parallel, each result taken from the cache or made and put there.
//!
//! - [`load`] reads the Dockerfile and opens contexts; `plan` makes steps of it.
//! - [`board`] says which step is next; [`solver`] finds its result or makes it ([`copy`], [`run`], [`remote`]).
//! - [`result`] is what comes of it; [`report`] tells meanwhile, [`error`] when it fails.

mod board;
mod checks;
mod copy;
mod error;
mod foreign;
mod load;
mod remote;
mod report;
mod result;
mod run;
mod secret;
mod solver;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::thread;

use disk::Home;
use spec::digest::Digest;
use spec::time::Time;
use store::Store;

use checks::Bases;
pub use error::{BuildError, FailedStep, Place, Source};
use load::Contexts;
use report::{Report, told};
use solver::Solver;

use crate::cache::Session;
use crate::exchange::Imported;
use crate::ignore::Patterns;
use crate::plan::graph::What;
use crate::plan::{Described, Facts, Plan, Wanted, plan};
use crate::progress::Progress;
use crate::{Built, Machine, MachineError, Request};

/// Builds. What is made is kept by the build cache; [`crate::cache::trim`] is for when it is done.
///
/// # Errors
/// [`BuildError`].
pub fn build(
    home: &Home,
    store: &Store,
    machine: &dyn Machine,
    request: &Request,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Built, BuildError> {
    let built = solve(home, store, machine, request, on);
    // Whatever failed because of it.
    if built.is_err() && machine.is_interrupted() { Err(BuildError::Cancelled) } else { built }
}

fn solve(
    home: &Home,
    store: &Store,
    machine: &dyn Machine,
    request: &Request,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Built, BuildError> {
    let report = Report { on };
    let session = Session::open(home, store)?;
    // What is found stays until it is used: nobody collects meanwhile.
    let _kept = store.share()?;
    let contexts = Contexts::new(request, store, &session, machine, report);
    let loaded = contexts.load()?;
    let facts = Asking { contexts: &contexts, bases: Bases::default(), known: Mutex::default() };
    let planned = plan(&loaded.file, request, &facts);
    // What the author should know is told even if there is no plan.
    let ignore = contexts.open(load::MAIN)?.ignore.clone();
    let checked = checks::check(&loaded, ignore.as_deref(), request, &facts.bases, on);
    let plan = planned.map_err(|error| BuildError::unplanned(error, &loaded.source))?;
    checked?;
    let caches = foreign::caches(machine, request, report);
    let warn = |text: &str| foreign::warn(report, text);
    let known = Imported::new(store, caches, &warn);
    let ended = Mutex::default();
    let mut solver = Solver {
        home,
        store,
        machine,
        request,
        session: &session,
        contexts: &contexts,
        report,
        plan: &plan,
        source: &loaded.source,
        known: &known,
        absent_will_do: true,
        absent_needed: AtomicBool::new(false),
        keys: plan.steps.iter().map(|_| Mutex::default()).collect(),
        digests: digests(&plan),
        cancelled: AtomicBool::new(false),
        made_any: AtomicBool::new(false),
        trees: Mutex::default(),
        commands: AtomicUsize::new(plan.steps.iter().filter(|step| matches!(step.what, What::Run(_))).count()),
        ended: &ended,
        pulled: plan.steps.iter().map(|_| Mutex::new(false)).collect(),
    };
    let mut built = finish(&solver);
    // What was made until then is known now, and what is missing must be made.
    if solver.is_absent_needed() {
        solver.absent_will_do = false;
        solver.absent_needed = AtomicBool::new(false);
        solver.cancelled = AtomicBool::new(false);
        built = finish(&solver);
    }
    contexts.remember();
    for tree in solver.trees.lock().unwrap_or_else(std::sync::PoisonError::into_inner).values() {
        tree.remember();
    }
    built
}

/// A Dockerfile that was read, and not built.
#[derive(Debug)]
pub struct Read {
    /// Its instructions.
    pub file: crate::dockerfile::ast::Dockerfile,
    /// Its text.
    pub source: Source,
    /// What is not seen of the context.
    pub ignore: Option<Arc<Patterns>>,
}

/// Reads the Dockerfile, and does nothing with it: for what is asked of one without building it.
///
/// # Errors
/// [`BuildError`].
pub fn read(
    home: &Home,
    store: &Store,
    machine: &dyn Machine,
    request: &Request,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Read, BuildError> {
    let session = Session::open(home, store)?;
    let contexts = Contexts::new(request, store, &session, machine, Report { on });
    let loaded = contexts.load()?;
    let ignore = contexts.open(load::MAIN)?.ignore.clone();
    Ok(Read { file: loaded.file, source: loaded.source, ignore })
}

fn finish(solver: &Solver<'_>) -> Result<Built, BuildError> {
    let made = board::solve(solver)?;
    let mut variants = Vec::new();
    for target in &solver.plan.targets {
        variants.push(solver.variant(target, &made).map_err(|error| BuildError::refused(error.message))?);
    }
    // Images of which no layer was needed: what they are is known, as of those that are here.
    for (at, step) in solver.plan.steps.iter().enumerate() {
        let id = crate::plan::graph::StepId(at);
        if matches!(step.what, What::Image(_)) && !solver.was_pulled(id) {
            let shown = solver.shown(id);
            shown.begin();
            shown.done();
        }
    }
    Ok(Built { variants, dockerfile: (solver.source.name.clone(), solver.source.text.to_vec()) })
}

/// What steps are shown by: what they do, to what.
fn digests(plan: &Plan) -> Vec<Digest> {
    let mut digests: Vec<Digest> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let mut text = format!("step\0{}\0{:?}", step.name, step.what);
        for input in step.what.inputs() {
            text.push_str(digests[input.0].hex());
        }
        digests.push(Digest::sha256(text.as_bytes()));
    }
    digests
}

/// Asks the machine: for images' configs, several at once; for what is elsewhere.
struct Asking<'a> {
    contexts: &'a Contexts<'a>,
    bases: Bases,
    /// What was told: several stages may begin with one image.
    known: Mutex<BTreeMap<String, Described>>,
}

impl Facts for Asking<'_> {
    fn describe(&self, wanted: &[Wanted]) -> Vec<Result<Described, MachineError>> {
        let lock = || self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut unknown: BTreeMap<String, &Wanted> = BTreeMap::new();
        for one in wanted.iter().filter(|one| !lock().contains_key(&one.name())) {
            unknown.insert(one.name(), one);
        }
        let mut failed = self.ask(unknown.into_values().collect());
        let found = wanted.iter().map(|one| match lock().get(&one.name()) {
            Some(described) => Ok(described.clone()),
            None => Err(failed.remove(&one.name()).unwrap_or_else(gone)),
        });
        found.collect()
    }

    fn time_of(&self, what: &What) -> Result<Option<Time>, MachineError> {
        self.contexts.time_of(what).map_err(|error| MachineError { message: error.message, source: None })
    }
}

fn gone() -> MachineError {
    MachineError { message: "asking for an image's config ended badly".into(), source: None }
}

impl Asking<'_> {
    /// Keeps what is told, and answers what is not there.
    fn ask(&self, wanted: Vec<&Wanted>) -> BTreeMap<String, MachineError> {
        let answers: Vec<(&Wanted, Result<Described, MachineError>)> = match wanted.as_slice() {
            [] => Vec::new(),
            [one] => vec![(*one, self.one(one))],
            several => thread::scope(|scope| {
                let asked: Vec<_> = several.iter().map(|one| (*one, scope.spawn(|| self.one(one)))).collect();
                asked.into_iter().map(|(one, asked)| (one, asked.join().unwrap_or_else(|_| Err(gone())))).collect()
            }),
        };
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut failed = BTreeMap::new();
        for (one, answer) in answers {
            match answer {
                Ok(described) => drop(known.insert(one.name(), described)),
                Err(error) => drop(failed.insert(one.name(), error)),
            }
        }
        failed
    }

    fn one(&self, wanted: &Wanted) -> Result<Described, MachineError> {
        let shown = self.contexts.report.step(Digest::sha256(wanted.name().as_bytes()), Vec::new(), &wanted.shown);
        shown.begin();
        let described = self.contexts.machine.describe(&wanted.image, &|progress| shown.relay(progress));
        match &described {
            Ok(described) => {
                self.bases.note(&wanted.image.name, &described.config);
                shown.done();
            }
            Err(error) => shown.failed(&told(error)),
        }
        described
    }
}
