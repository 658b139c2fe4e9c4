//! From a Dockerfile to an image: read, planned as a graph of steps that are known by what goes into them, and solved: what is known
//! already is taken, the rest is done, in parallel. `docs/decisions/0011-build.md` says why it is so.
//!
//! - [`dockerfile`] reads the language; [`ignore`] is `.dockerignore`; [`check`] are BuildKit's checks.
//! - `plan` makes steps of instructions (pure); `key` says what a step is known by; `cache` keeps results.
//! - `context` and `copy` are the files: what is copied, and what it is known by.
//! - [`solve`] does it. What it cannot do itself (images of registries, running a command, fetching) it asks a [`Machine`].
//! - [`attest`] says how an image was made and what is in it.
//! - [`exchange`] takes results of builds to other machines, and brings theirs.
//! - [`progress`] is what happens meanwhile, in BuildKit's words.

pub mod attest;
pub mod cache;
pub mod check;
pub mod context;
pub mod copy;
pub mod dockerfile;
pub mod exchange;
mod fields;
pub mod ignore;
mod key;
mod machine;
mod plan;
pub mod progress;
mod request;
mod solve;

pub use machine::{
    Commit, Described, Ended, Fetched, Git, Machine, MachineError, Mounted, Run, RunMount, Stream, Validators,
    WantedImage,
};
pub use plan::{PlanError, change};
pub use request::{
    BuildContext, Built, CacheFrom, CacheTo, Dockerfile, DoneStep, Max, Mention, NoCache, Pull, Request, RunDefaults,
    Secret, Variant,
};
pub use solve::{BuildError, FailedStep, Place, Read, Source, build, read};
