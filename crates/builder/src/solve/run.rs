//! `RUN`.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{OpenTreeFlags, open_tree};
use spec::digest::Digest;
use spec::id::ContainerId;
use store::{FileTimes, Floor, LayerTimes, Mount, MountImage};

use super::copy::Owner;
use super::report::{CANCELED, Shown};
use super::secret;
use super::solver::{Draft, Inputs, Layers, Looked, Made, Solver, StepError, Todo, key_failed, layers, machine_failed};
use crate::cache::{CacheMount, Reader, Seed, WantedMount};
use crate::context::{Parents, Selection, Wanted};
use crate::copy::{self, Archives, Copy, Source};
use crate::dockerfile::ast::{RunNetwork, Security};
use crate::key::{self, Content};
use crate::plan::go;
use crate::plan::graph::{Begins, RunFiles, RunMount, RunStep, StepId};
use crate::{Ended, Mounted, Run, RunDefaults, Stream};

/// So much of the end of a command's output is told with its failure.
const OUTPUT_BYTES: usize = 16 << 10;
/// Of each step, as much is told (BuildKit's limit).
const LOG_BYTES: usize = 2 << 20;
/// The specification of reproducible-builds.org.
const EPOCH: &str = "SOURCE_DATE_EPOCH=";
/// 1980: zip archives know nothing before it, and who writes them fails.
const EARLIEST_S: i64 = 315_532_800;

/// Where sockets of agents lie.
const AGENTS: &str = "/run/buildkit/ssh_agent.";

/// A command that is to be run.
pub(crate) struct RunTodo {
    keys: Vec<Digest>,
    below: Layers,
    /// What is in its mounts, one for each.
    mounts: Vec<Files>,
}

/// What is in a mount.
enum Files {
    /// No files of others.
    None,
    /// A stage's.
    Layers(Layers),
    /// A context's, and those that are seen of it.
    Selected(Owner, Selection),
}

/// What is held while a command runs.
#[derive(Default)]
struct Held<'a> {
    drafts: Vec<Draft<'a>>,
    caches: Vec<CacheMount>,
}

impl<'s> Solver<'s> {
    pub(crate) fn look_run(&self, id: StepId, step: &RunStep, inputs: &Inputs) -> Result<Looked, StepError> {
        self.commands.fetch_sub(1, Ordering::Relaxed);
        self.refuse_not_allowed(step)?;
        let below = layers(step.on, inputs)?;
        let (mut mounts, mut contents) = (Vec::new(), Vec::new());
        for mount in &step.mounts {
            let (files, content) = self.files_of(mount, inputs)?;
            mounts.push(files);
            contents.push(content);
        }
        let defaults = &self.request.run;
        let mut keys = vec![key::of_run(step, below.content(), &contents, defaults)];
        if let Some(layers) = self.find(id, &keys, &below)? {
            return Ok(self.cached(id, layers));
        }
        // What is mounted of stages is known by its layers; these may have changed where the files did not.
        if self.look_into(step, &mounts, &mut contents)? {
            keys.push(key::of_run(step, below.content(), &contents, defaults));
            if let Some(layers) = self.find(id, &keys, &below)? {
                return Ok(self.cached(id, layers));
            }
        }
        Ok(Looked::Todo(Todo::Run(Box::new(RunTodo { keys, below, mounts }))))
    }

    fn refuse_not_allowed(&self, step: &RunStep) -> Result<(), StepError> {
        let wanted = [
            (step.network == RunNetwork::Host, "network.host"),
            (step.security == Security::Insecure, "security.insecure"),
        ];
        for (is_wanted, name) in wanted {
            if is_wanted && !self.request.allow.contains(name) {
                return Err(StepError::new(format!("{name} is not allowed")));
            }
        }
        if let Some((device, _)) = step.devices.iter().find(|(_, required)| *required) {
            return Err(StepError::new(format!("device {device}: devices of CDI are not given to builds here")));
        }
        Ok(())
    }

    fn files_of(&self, mount: &RunMount, inputs: &Inputs) -> Result<(Files, Content), StepError> {
        match &mount.what {
            RunFiles::Tree { from: Some(from), source } => match inputs.get(from) {
                Some(Made::Layers(layers)) => Ok((Files::Layers(layers.clone()), layers.content())),
                Some(Made::Context(_) | Made::Checkout(_) | Made::Download(_)) | None => {
                    let wanted = Wanted { source, parents: Parents::Drop, exclude: &[] };
                    let (owner, selection) = self.select(Some(*from), &wanted, inputs)?;
                    let content = Content::Files(selection.digest());
                    Ok((Files::Selected(owner, selection), content))
                }
            },
            RunFiles::Cache { from: from @ Some(_), .. } => {
                let layers = layers(*from, inputs)?;
                let content = layers.content();
                Ok((Files::Layers(layers), content))
            }
            RunFiles::Tree { from: None, .. }
            | RunFiles::Cache { from: None, .. }
            | RunFiles::Script { .. }
            | RunFiles::Tmpfs { .. }
            | RunFiles::Secret { .. }
            | RunFiles::Ssh { .. } => Ok((Files::None, Content::Nothing)),
        }
    }

    /// Puts files in the place of layers. Whether there were any.
    fn look_into(&self, step: &RunStep, mounts: &[Files], contents: &mut [Content]) -> Result<bool, StepError> {
        let mut any = false;
        for ((mount, files), content) in step.mounts.iter().zip(mounts).zip(contents) {
            let (RunFiles::Tree { source, .. }, Files::Layers(layers)) = (&mount.what, files) else { continue };
            // All of a stage is not read for this: it takes longer than most commands.
            if source == "/" || layers.chains.is_empty() {
                continue;
            }
            let wanted = Wanted { source, parents: Parents::Drop, exclude: &[] };
            *content = Content::Files(self.tree_of(layers)?.select(&wanted).map_err(key_failed)?.digest());
            any = true;
        }
        Ok(any)
    }

    pub(crate) fn run(&self, id: StepId, step: &RunStep, todo: RunTodo, shown: &Shown<'_>) -> Result<Made, StepError> {
        let times = LayerTimes { epoch: step.epoch, files: FileTimes::Clamp };
        self.make(id, &todo.keys, &todo.below, shown, &mut |draft| {
            let mut held = Held::default();
            let run = self.prepare(step, &todo, shown, &mut held)?;
            let ended = self.execute(draft, step, run, shown);
            // A command that failed has written there as well.
            held.caches.into_iter().try_for_each(|cache| cache.used().map_err(StepError::from))?;
            ended?;
            Ok(times)
        })
    }

    fn execute(&self, draft: &ContainerId, step: &RunStep, run: Run, shown: &Shown<'_>) -> Result<(), StepError> {
        let (mut end, mut told) = (Vec::new(), 0);
        let mut out = |stream, bytes: &[u8]| {
            let stream = if stream == Stream::Stdout { 1 } else { 2 };
            if told <= LOG_BYTES {
                shown.log(stream, &bytes[..bytes.len().min(LOG_BYTES - told)]);
                told += bytes.len();
                if told > LOG_BYTES {
                    shown.log(stream, b"\n[output clipped, log limit 2MiB reached]\n");
                }
            }
            end.extend_from_slice(bytes);
            if end.len() > 2 * OUTPUT_BYTES {
                end.drain(..end.len() - OUTPUT_BYTES);
            }
        };
        let ended = self.machine.run(draft, run, &mut out, &|| self.is_cancelled());
        let failed = |why: String, output| {
            let command = go::quoted(&step.args.join(" "));
            Err(StepError { message: format!("process {command} did not complete successfully: {why}"), output })
        };
        match ended.map_err(|error| machine_failed(&error))? {
            Ended::Exited(0) => Ok(()),
            Ended::Exited(code) => failed(format!("exit code: {code}"), end),
            Ended::OutOfMemory => failed("exit code: 137: cannot allocate memory".into(), end),
            Ended::Cancelled => Err(StepError::new(CANCELED)),
        }
    }

    fn prepare(
        &self,
        step: &RunStep,
        todo: &RunTodo,
        shown: &Shown<'_>,
        held: &mut Held<'s>,
    ) -> Result<Run, StepError> {
        let mut env = step.env.clone();
        env.extend(step.proxy.iter().cloned());
        // Tools that write times down write this one, as that of files will be.
        let epoch_s = step.epoch.ns() / 1_000_000_000;
        if epoch_s >= EARLIEST_S && !env.iter().any(|line| line.starts_with(EPOCH)) {
            env.push(format!("{EPOCH}{epoch_s}"));
        }
        let (mut mounts, mut agents) = (Vec::new(), 0);
        for (mount, files) in step.mounts.iter().zip(&todo.mounts) {
            let what = match &mount.what {
                RunFiles::Tree { source, .. } => Some(self.mount_tree(files, source, mount.read_only, held)?),
                RunFiles::Script { name, content } => Some(self.lay_down(name, content)?),
                RunFiles::Tmpfs { size_bytes } => Some(Mounted::Tmpfs(*size_bytes)),
                RunFiles::Cache { .. } => Some(self.mount_cache(mount, files, shown, held)?),
                RunFiles::Secret { id, env: variable, required, owner } => {
                    let Some(value) = secret::read(&self.request.secrets, id, *required)? else { continue };
                    if let Some(variable) = variable {
                        env.push(format!("{variable}={}", String::from_utf8_lossy(&value)));
                    }
                    let owners = (owner.uid.unwrap_or(0), owner.gid.unwrap_or(0));
                    (!mount.target.is_empty()).then(|| Mounted::Secret(value, owner.mode.unwrap_or(0o400), owners))
                }
                RunFiles::Ssh { id, required, owner } => {
                    let Some(socket) = self.request.ssh.get(id) else {
                        if *required {
                            return Err(StepError::new(format!(
                                "no SSH key {} forwarded from the client",
                                go::quoted(id)
                            )));
                        }
                        continue;
                    };
                    let owners = (owner.uid.unwrap_or(0), owner.gid.unwrap_or(0));
                    Some(Mounted::Agent(socket.clone(), owner.mode.unwrap_or(0o600), owners))
                }
            };
            let Some(what) = what else { continue };
            let mut target = mount.target.clone();
            if let RunFiles::Ssh { .. } = &mount.what {
                if target.is_empty() {
                    target = format!("{AGENTS}{agents}");
                }
                if agents == 0 {
                    env.push(format!("SSH_AUTH_SOCK={target}"));
                }
                agents += 1;
            }
            mounts.push(crate::RunMount { target, read_only: mount.read_only, what });
        }
        Ok(self.run_of(step, env, mounts))
    }

    fn run_of(&self, step: &RunStep, env: Vec<String>, mounts: Vec<crate::RunMount>) -> Run {
        let network = match step.network {
            RunNetwork::Default => self.request.run.network.clone(),
            RunNetwork::None => "none".into(),
            RunNetwork::Host => "host".into(),
        };
        Run {
            args: step.args.clone(),
            env,
            working_dir: step.working_dir.clone(),
            user: step.user.clone(),
            mounts,
            defaults: RunDefaults { network, ..self.request.run.clone() },
            privileged: step.security == Security::Insecure,
            platform: step.platform.clone(),
            more: self.commands.load(Ordering::Relaxed) > 0,
        }
    }

    /// Files of a stage or a context. What is written is seen by the command alone, and forgotten.
    fn mount_tree(
        &self,
        files: &Files,
        source: &str,
        read_only: bool,
        held: &mut Held<'s>,
    ) -> Result<Mounted, StepError> {
        let beneath = source.trim_start_matches('/');
        match files {
            Files::Layers(layers) if !layers.chains.is_empty() => {
                self.pull(layers)?;
                // It keeps the layers while the command runs, and takes what it writes.
                let draft = Draft::new(self, None, &layers.chains)?;
                let mounted = if read_only {
                    let beneath = (!beneath.is_empty()).then(|| Path::new(beneath));
                    self.store.mount_image(&layers.chains, MountImage { id_maps: None, floor: Floor::Bare, beneath })?
                } else {
                    part_of(self.store.mount(&draft.id, Mount { id_maps: None })?, beneath)?
                };
                held.drafts.push(draft);
                Ok(Mounted::Tree(mounted))
            }
            // In place where nothing is hidden: no copy is made of what is only read.
            Files::Selected(Owner::Context(opened), _) if read_only && opened.ignore.is_none() => {
                let at = opened.tree.open(source).map_err(key_failed)?;
                Ok(Mounted::Tree(clone_mount(&at)?))
            }
            Files::Selected(owner, selection) => {
                let dir = self.session.temporary()?;
                let root = fs::File::open(&dir)?;
                let selected = [Source::Selected(owner.tree(), selection)];
                let dest = "/files";
                let wanted = Copy { sources: &selected, dest, owner: None, mode: None, archives: Archives::Keep };
                copy::copy(root.as_fd(), &wanted)?;
                Ok(Mounted::Host(dir.join("files")))
            }
            Files::None | Files::Layers(_) => Ok(Mounted::Host(open_to_all(self.session.temporary()?)?)),
        }
    }

    /// A script that says its interpreter, as a file.
    fn lay_down(&self, name: &str, content: &str) -> Result<Mounted, StepError> {
        let dir = open_to_all(self.session.temporary()?)?;
        let root = fs::File::open(&dir)?;
        let mode = Some("0755".parse()?);
        let sources = [Source::Inline(name, content.as_bytes())];
        let wanted = Copy { sources: &sources, dest: "/", owner: None, mode, archives: Archives::Keep };
        copy::copy(root.as_fd(), &wanted)?;
        Ok(Mounted::Host(dir))
    }

    fn mount_cache(
        &self,
        mount: &RunMount,
        files: &Files,
        shown: &Shown<'_>,
        held: &mut Held<'s>,
    ) -> Result<Mounted, StepError> {
        let RunFiles::Cache { id, source, sharing, owner, begins, .. } = &mount.what else {
            return Err(StepError::new("a mount is no cache"));
        };
        let began = disk::now();
        let mut waits = || shown.part(&format!("waiting for the cache mount {id}"), 0, 0, began);
        let layers = match files {
            Files::Layers(layers) if !layers.chains.is_empty() => Some(layers),
            Files::Layers(_) | Files::None | Files::Selected(..) => None,
        };
        let open = |fill: &mut Reader<'_>| {
            let Some(layers) = layers else { return Ok(()) };
            let place = Path::new(source);
            let failed = |error: StepError| crate::cache::CacheError::Seed(source.clone(), error.message);
            let tree = self.tree_of(layers).map_err(failed)?;
            let dir = tree.open(source).map_err(|error| failed(error.into()))?;
            // It was opened for reference only.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(&dir, ".", flags, Mode::empty());
            let io = |e: rustix::io::Errno| crate::cache::CacheError::Io {
                act: "opening",
                path: place.into(),
                source: e.into(),
            };
            fill(dir.map_err(io)?.as_fd())
        };
        let seed = match layers {
            Some(layers) => Seed::Files(layers.chains.last(), source, &open),
            None => Seed::Nothing,
        };
        let emptied = (*begins == Begins::Anew).then_some(&self.session.emptied);
        let wanted = WantedMount { id, sharing: *sharing, seed, owner: *owner, emptied };
        let cache = CacheMount::take(self.store, &wanted, &mut waits, &|| self.is_cancelled())?;
        let path = cache.path();
        held.caches.push(cache);
        // Without files to begin with, a source is a directory in it.
        let beneath = source.trim_start_matches('/');
        if layers.is_none() && !beneath.is_empty() {
            return Ok(Mounted::Tree(part_of(clone_mount(&fs::File::open(&path)?.into())?, beneath)?));
        }
        Ok(Mounted::Host(path))
    }
}

/// The session's directories are root's; what a command shall see is seen by its user too.
fn open_to_all(dir: PathBuf) -> Result<PathBuf, StepError> {
    let inner = dir.join("files");
    fs::DirBuilder::new().mode(0o755).create(&inner)?;
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o755))?;
    Ok(inner)
}

fn clone_mount(at: &OwnedFd) -> Result<OwnedFd, StepError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(at, "", flags)?)
}

/// A part of a mount that is attached nowhere. It can be cloned since Linux 6.15; before, the mount is attached for a moment, where nobody
/// else sees it.
fn part_of(mount: OwnedFd, beneath: &str) -> Result<OwnedFd, StepError> {
    if beneath.is_empty() {
        return Ok(mount);
    }
    sys::mntns::in_private_mounts(|| {
        let place = Path::new("/proc");
        let flags = rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&mount, "", rustix::fs::CWD, place, flags)?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let at = openat2(&mount, beneath, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        Ok::<_, std::io::Error>(open_tree(&at, "", flags)?)
    })
    .map_err(StepError::from)
}
