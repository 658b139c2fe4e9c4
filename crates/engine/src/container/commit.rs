//! `commit`: what a container wrote becomes a layer, and with its settings an image (moby `daemon/commit.go`).

use monitor::Client;
use monitor::protocol::{Ask, Tell};
use monitor::status::Status;
use spec::container::Config;
use spec::digest::ImageId;
use spec::event::{ContainerAct, ImageAct};
use spec::id::ContainerId;
use spec::image::{Empty, History, ImageConfig, RunConfig};
use spec::reference::Reference;

use super::{find, visit};
use crate::error::Error;
use crate::host::Host;

/// What is said of the new image.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its name.
    pub reference: Option<Reference>,
    /// `-c`: Dockerfile instructions.
    pub changes: Vec<String>,
    /// `-m`.
    pub message: String,
    /// `-a`.
    pub author: String,
    /// What its processes do meanwhile.
    pub processes: Processes,
}

/// What a container's processes do while its files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// They are frozen.
    Pause,
    /// They go on: files that belong together may be read as of different moments.
    GoOn,
}

/// Makes an image of a container, running or not. The container lives on as it is.
///
/// # Errors
/// An instruction that is none; the container is being removed; then nothing stays.
pub fn commit(host: &Host, id: &ContainerId, request: Commit) -> Result<ImageId, Error> {
    if monitor::status::of(&host.home, id)?.status == Status::Removing {
        return Err(Error::Conflict(format!("You cannot commit container {id} which is being removed")));
    }
    let container = find::record(host, id)?.config;
    let below = host.store.image(&container.image)?;
    let config = image_config(&container, below.config, &request)?;
    let paused = match request.processes {
        Processes::Pause => pause(host, id)?,
        Processes::GoOn => None,
    };
    // With the connection goes the pause.
    let image = host.store.commit(id, config, request.reference.as_ref(), || drop(paused))?;
    let name = request.reference.as_ref().map(Reference::familiar).unwrap_or_default();
    host.note_image(&image, None, ImageAct::Create);
    if request.reference.is_some() {
        host.note_image(&image, request.reference.as_ref(), ImageAct::Tag);
    }
    let act = ContainerAct::Commit { comment: &request.message, image_id: &image.to_string(), image_ref: &name };
    host.note_container(&container, act);
    Ok(image)
}

/// Pauses a container for as long as the connection lives, and we with it; none where it does not run or is paused already.
fn pause(host: &Host, id: &ContainerId) -> Result<Option<Client>, Error> {
    let Some(client) = visit::living(host, id)? else { return Ok(None) };
    visit::ask(&client, &Ask::PauseMeanwhile, None)?;
    match client.tell() {
        Ok(Tell::Refused(_)) | Err(monitor::ClientError::Gone) => Ok(None),
        Ok(tell) => visit::answer(id, tell).map(|_| Some(client)),
        Err(error) => Err(Error::other("listening to the container's monitor")(error)),
    }
}

fn image_config(container: &Config, below: ImageConfig, request: &Commit) -> Result<ImageConfig, Error> {
    let mut config =
        builder::change(run_config(container), &request.changes).map_err(|why| Error::Invalid(why.message))?;
    // Cleared both, it would have nothing to run (moby `merge`).
    if config.entrypoint.is_none() && config.cmd.is_none() {
        config.cmd.clone_from(&container.cmd);
    }
    let words = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let created = Some(disk::now().to_string());
    let step = History {
        created: created.clone(),
        created_by: words(&container.cmd.clone().unwrap_or_default().join(" ")),
        author: words(&request.author),
        comment: words(&request.message),
        ..History::default()
    };
    let history = below.history.into_iter().chain([step]).collect();
    Ok(ImageConfig { created, author: words(&request.author), config, history, comment: None, ..below })
}

/// A container's settings as an image's defaults: without its host name, which is its own, and without what only builds read.
fn run_config(container: &Config) -> RunConfig {
    let keys = |list: &[String]| list.iter().map(|key| (key.clone(), Empty {})).collect();
    RunConfig {
        user: container.user.clone(),
        exposed_ports: keys(&container.exposed_ports),
        env: container.env.clone(),
        entrypoint: container.entrypoint.clone(),
        cmd: container.cmd.clone(),
        volumes: keys(&container.volumes),
        working_dir: container.working_dir.clone(),
        labels: container.labels.clone(),
        stop_signal: container.stop_signal.clone(),
        stop_timeout: container.stop_timeout_s,
        healthcheck: container.healthcheck.clone(),
        shell: None,
        on_build: Vec::new(),
    }
}
