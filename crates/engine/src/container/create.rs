//! `create`: a record, a name and a writable layer; nothing runs yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use disk::{Durability, links, write};
use spec::container::{Config, HostConfig, NamespaceMode, NetworkMode, Settings, Streams};
use spec::event::ContainerAct;
use spec::id::ContainerId;
use spec::image::{Healthcheck, RunConfig};
use spec::mount::{Asked, CopyUp, MissingSource, Naming, UserMount, UserMountKind};
use spec::resources::For;
use store::Image;

use super::{Record, find};
use crate::error::Error;
use crate::facts;
use crate::host::Host;
use crate::network::attach::{self, Wanted};
use crate::{names, volume};

/// What a user may say about the fixed part of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrypoint {
    /// As the image has it.
    Inherit,
    /// None (`--entrypoint ""`); then the image's command does not count either.
    Clear,
    /// These words; then the image's command does not count either.
    Words(Vec<String>),
}

/// All that is asked of a new container.
#[derive(Clone, Debug)]
pub struct Create {
    /// `--name`; none: one is made up.
    pub name: Option<String>,
    /// The image as the user named it.
    pub image_name: String,
    /// `--entrypoint`.
    pub entrypoint: Entrypoint,
    /// The command; empty: the image's.
    pub cmd: Vec<String>,
    /// `NAME=value`, or `NAME` to take one away.
    pub env: Vec<String>,
    /// `-w`.
    pub working_dir: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// Whether the first client's end of input ends the container's.
    pub stdin_once: bool,
    /// `-a`.
    pub attach: Streams,
    /// `-h`.
    pub hostname: Option<String>,
    /// `--domainname`.
    pub domainname: Option<String>,
    /// `-l`, `--label-file`.
    pub labels: BTreeMap<String, String>,
    /// `--expose`.
    pub exposed_ports: Vec<String>,
    /// `-v /path` without a source.
    pub volumes: Vec<String>,
    /// `--stop-signal`.
    pub stop_signal: Option<String>,
    /// `--stop-timeout`, seconds.
    pub stop_timeout_s: Option<i64>,
    /// `--health-*`; what is empty or 0 is the image's.
    pub healthcheck: Option<Healthcheck>,
    /// What concerns the host.
    pub host: HostConfig,
    /// What may change later; its networks are those of `networks`.
    pub settings: Settings,
    /// `--network`, where the container is on networks of its own.
    pub networks: Vec<Wanted>,
}

/// A new container.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its identifier.
    pub id: ContainerId,
    /// What was written down.
    pub record: Record,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Makes a container from an image.
///
/// # Errors
/// A name that is taken or malformed, options that contradict each other; then nothing was made.
pub fn create(host: &Host, image: &Image, request: Create) -> Result<Created, Error> {
    create_as(host, image, request, new_id()?)
}

/// The same, with an identifier from [`super::start::Early`].
///
/// # Errors
/// As [`create`].
pub fn create_as(host: &Host, image: &Image, mut request: Create, id: ContainerId) -> Result<Created, Error> {
    check(&request)?;
    let (mode, networks) = attach::resolve(host, request.host.network, &request.networks)?;
    request.host.network = mode;
    request.settings.networks = networks;
    let name = request.name.clone();
    let durability = if request.host.auto_remove { Durability::Volatile } else { Durability::Durable };
    let mut settings = request.settings.clone();
    settings.resources.fill_defaults();
    let mut config = config(host, image, request, id.clone())?;
    if config.args().next().is_none() {
        return Err(Error::Invalid("no command specified".into()));
    }

    let made = make(host, image, name, &mut config, &settings, durability);
    if made.is_err() {
        // The first error is the one to tell; what this cannot finish, the next command finds in limbo.
        let _ = host.sweep();
    }
    let mut warnings = warnings(&config);
    warnings.extend(made?);
    host.note_named(&config, &config.name, ContainerAct::Create);
    Ok(Created { id, record: Record { config, settings }, warnings })
}

/// Made in limbo, where a crash leaves it to the next command; the commit is the moment the container comes to be. What the user should
/// know of its mounts comes back.
fn make(
    host: &Host,
    image: &Image,
    name: Option<String>,
    config: &mut Config,
    settings: &Settings,
    durability: Durability,
) -> Result<Vec<String>, Error> {
    let making = host.home.begin(&config.id).map_err(Error::io("making the container's directory"))?;
    config.name = claim_name(host, &config.id, name)?;
    if config.host.auto_remove {
        host.store.draft_volatile(&config.id, Some(image))?;
    } else {
        host.store.draft(&config.id, Some(image))?;
    }
    if config.images_used().nth(1).is_some() {
        let mounted = config.images_used().skip(1).map(|id| host.store.image(id));
        host.store.keep_layers(&config.id, &mounted.collect::<Result<Vec<_>, _>>()?)?;
    }
    // Before its anonymous volumes are made: by this record the sweep knows them.
    write(making.dir(), config, durability)?;
    write(making.dir(), settings, durability)?;
    let (_holds, notes) = volume::provide(host, image, config)?;
    making.commit(durability).map_err(Error::io("making the container's directory"))?;
    Ok(notes)
}

/// An identifier whose short form is not all digits, because it becomes the host name.
pub(super) fn new_id() -> Result<ContainerId, Error> {
    loop {
        let mut bytes = [0; 32];
        super::random(&mut bytes)?;
        let id = ContainerId::from_bytes(bytes);
        if id.short().bytes().any(|b| !b.is_ascii_digit()) {
            return Ok(id);
        }
    }
}

fn claim_name(host: &Host, id: &ContainerId, wanted: Option<String>) -> Result<String, Error> {
    let claim = |name: &str| {
        links::claim(&host.home.names(), name, id.as_str()).map_err(Error::io("claiming the container's name"))
    };
    if let Some(name) = wanted {
        let name = name.strip_prefix('/').map_or(name.clone(), str::to_owned);
        if !names::is_valid(&name) {
            return Err(Error::Invalid(format!(
                "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            )));
        }
        return match claim(&name)? {
            None => Ok(name),
            Some(holder) => Err(Error::name_taken(&name, &holder)),
        };
    }
    for attempt in 0.. {
        let mut bytes = [0; 4];
        super::random(&mut bytes)?;
        let name = names::random(bytes, attempt);
        if claim(&name)?.is_none() {
            return Ok(name);
        }
    }
    unreachable!("the attempts do not end")
}

/// What contradicts itself, in Docker's words.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check(request: &Create) -> Result<(), Error> {
    let host = &request.host;
    let conflict = |what: &str| Err(Error::Invalid(format!("conflicting options: {what}")));
    if matches!(host.network, NetworkMode::Container(_)) && request.hostname.is_some() {
        return conflict("hostname and the network mode");
    }
    if host.uts == NamespaceMode::Host && request.hostname.is_some() {
        return conflict("hostname and the UTS mode");
    }
    if matches!(host.network, NetworkMode::Container(_)) && !host.extra_hosts.is_empty() {
        return conflict("custom host-to-IP mapping and the network mode");
    }
    if matches!(host.network, NetworkMode::Container(_)) && !host.dns.is_empty() {
        return conflict("dns and the network mode");
    }
    check_networks(request)?;
    if host.auto_remove && request.settings.restart != spec::container::RestartPolicy::No {
        return conflict("cannot specify both --restart and --rm");
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(Error::Invalid(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            host.oom_score_adj
        )));
    }
    if request.working_dir.as_ref().is_some_and(|dir| !dir.starts_with('/')) {
        let dir = request.working_dir.clone().unwrap_or_default();
        return Err(Error::Invalid(format!(
            "the working directory '{dir}' is invalid, it needs to be an absolute path"
        )));
    }
    let mut targets = BTreeSet::new();
    for mount in &host.mounts {
        if !targets.insert(&mount.target) {
            return Err(Error::Invalid(format!("Duplicate mount point: {}", mount.target.display())));
        }
    }
    for mount in &host.mounts {
        if let UserMountKind::Bind { source, missing: MissingSource::Fail, .. } = &mount.kind
            && std::fs::symlink_metadata(source).is_err()
        {
            return Err(Error::missing_source(source));
        }
    }
    let resources = &request.settings.resources;
    resources.validate(&facts::cpus(resources), For::Create).map_err(|e| Error::Invalid(e.to_string()))
}

/// Networks, ports and links against the network mode (moby `validateNetMode`).
fn check_networks(request: &Create) -> Result<(), Error> {
    let host = &request.host;
    let conflict = |what: &str| Err(Error::Invalid(format!("conflicting options: {what}")));
    let links = request.networks.iter().any(|one| !one.links.is_empty());
    match host.network {
        NetworkMode::Container(_) if links => {
            return conflict(
                "container type network can't be used with links. This would result in undefined behavior",
            );
        }
        NetworkMode::Container(_) if !host.publish.is_empty() || host.publish_all => {
            return conflict("port publishing and the container type network mode");
        }
        NetworkMode::Container(_) if !request.exposed_ports.is_empty() => {
            return conflict("port exposing and the container type network mode");
        }
        NetworkMode::Host if links => {
            return conflict("host type networking can't be used with links. This would result in undefined behavior");
        }
        // What is not the container's own cannot be closed for it.
        NetworkMode::Host | NetworkMode::Container(_) if host.egress.is_some() => {
            return conflict("egress policy and the network mode");
        }
        NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_) | NetworkMode::Networks(_) => {}
    }
    attach::check(&host.network, &request.networks)
}

/// What works otherwise than the user may think.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.host.network == NetworkMode::Host && !config.host.publish.is_empty() {
        warnings.push("Published ports are discarded when using host network mode".into());
    }
    warnings
}

/// The image's defaults under the user's words (moby `merge` in daemon/commit.go and `verifyContainerSettings`).
///
/// # Errors
/// The container whose network is shared is gone.
pub fn config(host: &Host, image: &Image, request: Create, id: ContainerId) -> Result<Config, Error> {
    let defaults: &RunConfig = &image.config.config;
    let words = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let (entrypoint, cmd) = match request.entrypoint {
        Entrypoint::Inherit if request.cmd.is_empty() => (defaults.entrypoint.clone(), defaults.cmd.clone()),
        Entrypoint::Inherit => (defaults.entrypoint.clone(), Some(request.cmd)),
        Entrypoint::Clear => (None, words(request.cmd)),
        Entrypoint::Words(entrypoint) => (Some(entrypoint), words(request.cmd)),
    };
    let mut env = defaults.env.clone();
    crate::bundle::replace_env(&mut env, &request.env);
    let mut labels = defaults.labels.clone();
    labels.extend(request.labels);
    let union = |image: Vec<String>, own: Vec<String>| -> Vec<String> {
        image.into_iter().chain(own).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let volumes = union(defaults.volumes.keys().cloned().collect(), request.volumes);
    let hostname = hostname(host, &request.host, request.hostname, &id)?;
    let mounts = mounts(host, request.host.mounts, &request.host.volumes_from, &volumes)?;
    Ok(Config {
        name: String::new(),
        created: disk::now(),
        image: image.id.clone(),
        image_name: request.image_name,
        platform: image.config.platform(),
        entrypoint,
        cmd,
        env,
        working_dir: request.working_dir.unwrap_or_else(|| defaults.working_dir.clone()),
        user: request.user.unwrap_or_else(|| defaults.user.clone()),
        tty: request.tty,
        open_stdin: request.open_stdin,
        stdin_once: request.stdin_once,
        attach: request.attach,
        hostname,
        domainname: request.domainname.unwrap_or_default(),
        labels,
        exposed_ports: union(defaults.exposed_ports.keys().cloned().collect(), request.exposed_ports),
        volumes,
        stop_signal: request.stop_signal.or_else(|| defaults.stop_signal.clone()),
        stop_timeout_s: request.stop_timeout_s.or(defaults.stop_timeout),
        healthcheck: merge_health(defaults.healthcheck.clone(), request.healthcheck),
        host: HostConfig { mounts, ..request.host },
        id,
    })
}

/// The user's mounts; then those of other containers (`--volumes-from`), of which the last one counts; then a volume without a name for
/// each place that wants one and has none (moby `registerMountPoints`, `createContainerVolumesOS`).
fn mounts(
    host: &Host,
    own: Vec<UserMount>,
    volumes_from: &[String],
    volumes: &[String],
) -> Result<Vec<UserMount>, Error> {
    let mut from: BTreeMap<PathBuf, UserMount> = BTreeMap::new();
    for spec in volumes_from {
        for mount in mounts_from(host, spec)? {
            from.insert(mount.target.clone(), mount);
        }
    }
    let mut mounts = own;
    let has = |mounts: &[UserMount], target: &Path| mounts.iter().any(|mount| mount.target == target);
    from.retain(|target, _| !has(&mounts, target));
    mounts.extend(from.into_values());
    for path in volumes {
        let target: PathBuf = Path::new("/").join(path).components().collect();
        if target == Path::new("/") {
            return Err(Error::Invalid("invalid specification: destination can't be '/'".into()));
        }
        if !has(&mounts, &target) {
            let kind = UserMountKind::Volume {
                name: volume::new_name()?,
                naming: Naming::Anonymous,
                copy: CopyUp::Fill,
                subpath: None,
                recipe: None,
            };
            mounts.push(UserMount { target, readonly: false, asked: Asked::Target, kind });
        }
    }
    Ok(mounts)
}

/// `CONTAINER[:MODE]`: its volumes and bind mounts; memory is its own.
fn mounts_from(host: &Host, spec: &str) -> Result<Vec<UserMount>, Error> {
    if spec.is_empty() {
        return Err(Error::Invalid("volumes-from specification cannot be an empty string".into()));
    }
    let (name, mode) = spec.split_once(':').unwrap_or((spec, ""));
    let known = |word: &str| matches!(word, "ro" | "rw" | "z" | "Z");
    let refused = || Error::Invalid(format!("invalid mode: {mode}"));
    let words: Vec<&str> = mode.split(',').filter(|_| !mode.is_empty()).collect();
    let limits = words.iter().filter(|word| matches!(**word, "ro" | "rw")).count();
    if !words.iter().all(|word| known(word)) || limits > 1 || words.len() - limits > 1 {
        return Err(refused());
    }
    let readonly = words.contains(&"ro");
    let record = find::record(host, &find::find(host, name)?)?;
    let kept = |mount: UserMount| {
        let kind = match mount.kind {
            // Filled already, or to stay empty.
            UserMountKind::Volume { name, naming, subpath, recipe, .. } => {
                UserMountKind::Volume { name, naming, subpath, recipe, copy: CopyUp::No }
            }
            kind @ (UserMountKind::Bind { .. } | UserMountKind::Image { .. }) => kind,
            UserMountKind::Tmpfs { .. } => return None,
        };
        Some(UserMount { kind, readonly: mount.readonly || readonly, asked: Asked::From, target: mount.target })
    };
    Ok(record.config.host.mounts.into_iter().filter_map(kept).collect())
}

fn hostname(host: &Host, options: &HostConfig, asked: Option<String>, id: &ContainerId) -> Result<String, Error> {
    let of_machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(match (asked, &options.network) {
        (Some(name), _) => name,
        (None, NetworkMode::Container(other)) => find::record(host, other)?.config.hostname,
        (None, NetworkMode::Host) => of_machine(),
        (None, NetworkMode::None | NetworkMode::Networks(_)) if options.uts == NamespaceMode::Host => of_machine(),
        (None, NetworkMode::None | NetworkMode::Networks(_)) => id.short().into(),
    })
}

/// A field the user left empty is the image's; a test of `NONE` switches the check off.
fn merge_health(image: Option<Healthcheck>, user: Option<Healthcheck>) -> Option<Healthcheck> {
    let (image, user) = match (image, user) {
        (image, None) => return image,
        (None, user) => return user,
        (Some(image), Some(user)) => (image, user),
    };
    let number = |user: i64, image: i64| if user == 0 { image } else { user };
    Some(Healthcheck {
        test: if user.test.is_empty() { image.test } else { user.test },
        interval: number(user.interval, image.interval),
        timeout: number(user.timeout, image.timeout),
        start_period: number(user.start_period, image.start_period),
        start_interval: number(user.start_interval, image.start_interval),
        retries: number(user.retries, image.retries),
    })
}
