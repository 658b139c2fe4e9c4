//! `build`: what the builder needs of the engine, and what becomes of a build's result.
//!
//! - `run.rs`, `errands.rs`, `mounts.rs`, `stubs.rs`, `agent.rs` are a command of a Dockerfile: an errand on a draft of the build, see [`monitor::Whose`].
//! - `image.rs`, `fetch.rs`, `git.rs`, [`layout`] bring in what is elsewhere; [`keyring`] holds keys for it.
//! - [`attest`] says how images were made and what is in them; [`exchange`] is the build cache of other machines.
//! - [`finish`] makes images of what was built; [`output`] are its other ways out.

mod agent;
pub mod attest;
pub mod cache;
mod errands;
pub mod exchange;
mod fetch;
pub mod finish;
mod git;
pub mod history;
mod image;
pub mod keyring;
pub mod layout;
mod mounts;
pub mod output;
mod program;
mod run;
mod stubs;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::exchange::Foreign;
use builder::progress::Progress;
use builder::{Commit, Ended, Fetched, Git, Machine, MachineError, Run, Stream, Validators, WantedImage};
use spec::id::ContainerId;
use spec::platform::Platform;
use store::Image;

use crate::error::Error;
use crate::host::Host;
use crate::registry::{Session, Settings};

pub use errands::Errands;
pub use git::GIT;

/// What a build asks, done with what the engine has.
pub struct Tools<'a> {
    /// Images, drafts, networks.
    pub host: &'a Host,
    /// How registries and servers are reached.
    pub registries: &'a Settings,
    /// What of the user's surroundings the program git is given: where it finds its own programs, keys and agents.
    pub git_env: &'a [(String, String)],
    /// None at first.
    pub errands: Errands,
    /// Somebody does not want the build any more.
    pub interrupted: &'a AtomicBool,
}

impl Tools<'_> {
    /// A connection of its own for each question: they come from several threads.
    fn session(&self) -> Result<Session, Error> {
        Session::open(self.registries)
    }
}

impl Machine for Tools<'_> {
    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn image(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError> {
        image::image(self, wanted, on).map_err(told)
    }

    fn cache(&self, name: &str, platform: &Platform) -> Result<Vec<Foreign>, MachineError> {
        exchange::find(self, name, platform).map_err(told)
    }

    fn draft_for_command(&self) -> Option<ContainerId> {
        self.errands.promise()
    }

    fn run(
        &self,
        id: &ContainerId,
        run: Run,
        out: &mut (dyn FnMut(Stream, &[u8]) + Send),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError> {
        run::run(self, id, run, out, cancelled).map_err(told)
    }

    fn fetch(
        &self,
        url: &str,
        known: &Validators,
        into: &mut File,
        on: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError> {
        fetch::fetch(self, url, known, into, on).map_err(told)
    }

    fn git(&self, wanted: &Git, into: &Path, on: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError> {
        git::git(self, wanted, into, on).map_err(told)
    }
}

fn told(error: Error) -> MachineError {
    let message = error.to_string();
    // The sentence is said; what follows is why.
    let source = match error {
        Error::Io(_, source) => Some(source.into()),
        Error::Other(_, source) => Some(source),
        other @ (Error::Network(_) | Error::Store(_) | Error::Load(_) | Error::Disk(_) | Error::Home(_)) => {
            std::error::Error::source(&other).map(|source| source.to_string().into())
        }
        Error::NotFound(_)
        | Error::Conflict(_)
        | Error::Invalid(_)
        | Error::Denied(_)
        | Error::NotYet(_)
        | Error::Start { .. }
        | Error::Networking(_)
        | Error::Exec { .. }
        | Error::Files(_) => None,
    };
    MachineError { message, source }
}
