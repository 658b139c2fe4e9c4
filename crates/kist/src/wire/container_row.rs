//! A row of `ps` (docker/cli `formatter/container.go`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::go::local_time;
use super::phase::{Health, Phase, since_then};
use crate::template::gofmt::quote;
use crate::template::{Column, Row};
use crate::units::{ellipsis, human_size_with, short_id};

/// `docker ps`.
pub(crate) const TABLE: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/// `docker ps --size`.
pub(crate) const TABLE_WITH_SIZE: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";

/// `docker ps --format raw`; with `--size`, `size: {{.Size}}\n` follows.
pub(crate) const RAW: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\n\
    created_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n\
    labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n";

/// The header.
pub(crate) const COLUMNS: &[Column] = &[
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("HealthStatus", "HEALTH STATUS"),
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Labels", "LABELS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Names", "NAMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
    ("Ports", "PORTS"),
    ("RunningFor", "CREATED"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("Status", "STATUS"),
];

const NAMES: &[&str] = &[
    "Command",
    "CreatedAt",
    "HealthStatus",
    "ID",
    "Image",
    "Labels",
    "LocalVolumes",
    "Mounts",
    "Names",
    "Networks",
    "Platform",
    "Ports",
    "RunningFor",
    "Size",
    "State",
    "Status",
];

/// Whether long columns are cut (`--no-trunc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Ids of twelve characters, commands of twenty.
    Short,
    /// Whole.
    Full,
}

/// When and where a list is read, which its words depend on.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// Now.
    pub(crate) now: Timestamp,
    /// The reader's time zone.
    pub(crate) zone: TimeZone,
    /// Cut or whole.
    pub(crate) width: Width,
}

/// A port as `ps` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// Where it is published.
    pub(crate) published: Option<(IpAddr, u16)>,
    /// In the container.
    pub(crate) private: u16,
    /// `tcp`, `udp` or `sctp`.
    pub(crate) protocol: &'static str,
}

/// A mount as `ps` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowMount {
    /// The volume's name, or where the mount comes from.
    pub(crate) name: String,
    /// A volume of the driver `local`.
    pub(crate) is_local_volume: bool,
}

/// One container.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRow<'a> {
    /// Who reads.
    pub(crate) reader: &'a Reader,
    /// Whole.
    pub(crate) id: String,
    /// Without `/`.
    pub(crate) names: Vec<String>,
    /// As the user wrote it.
    pub(crate) image: String,
    /// `sha256:…`.
    pub(crate) image_id: String,
    /// The command and its arguments in one line.
    pub(crate) command: String,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// In its life.
    pub(crate) phase: Phase,
    /// Published and exposed.
    pub(crate) ports: Vec<Port>,
    /// Bytes it wrote.
    pub(crate) size_rw: u64,
    /// Bytes with its image.
    pub(crate) size_root_fs: u64,
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// In order.
    pub(crate) mounts: Vec<RowMount>,
    /// By name.
    pub(crate) networks: Vec<String>,
    /// `linux/amd64`.
    pub(crate) platform: Option<String>,
}

impl ContainerRow<'_> {
    fn short(&self) -> bool {
        self.reader.width == Width::Short
    }

    fn shown_image(&self) -> String {
        if self.image.is_empty() {
            return "<no image>".to_owned();
        }
        if !self.short() {
            return self.image.clone();
        }
        let short = short_id(&self.image_id);
        if short == short_id(&self.image) {
            return short.to_owned();
        }
        let name = self.image.split_once('@').map_or(self.image.as_str(), |(name, _)| name);
        let familiar = name.strip_prefix("docker.io/").unwrap_or(name);
        familiar.strip_prefix("library/").unwrap_or(familiar).to_owned()
    }

    fn shown_names(&self) -> String {
        // A name with a slash is the alias of a legacy link.
        match self.names.iter().find(|name| !name.contains('/')) {
            Some(name) if self.short() => name.clone(),
            _ => self.names.join(","),
        }
    }

    fn shown_command(&self) -> String {
        quote(&if self.short() { ellipsis(&self.command, 20) } else { self.command.clone() })
    }

    fn shown_mounts(&self) -> String {
        let cut = |name: &str| if self.short() { ellipsis(name, 15) } else { name.to_owned() };
        self.mounts.iter().map(|mount| cut(&mount.name)).collect::<Vec<_>>().join(",")
    }

    fn shown_size(&self) -> String {
        let own = human_size_with(float(self.size_rw), 3);
        match self.size_root_fs {
            0 => own,
            all => format!("{own} (virtual {})", human_size_with(float(all), 3)),
        }
    }

    fn health(&self) -> &'static str {
        match self.phase {
            Phase::Running { health, .. } => health.map_or("", Health::as_str),
            Phase::Created
            | Phase::Paused { .. }
            | Phase::Restarting { .. }
            | Phase::Removing
            | Phase::Exited { .. } => "",
        }
    }
}

impl Row for ContainerRow<'_> {
    fn type_name(&self) -> &'static str {
        "*formatter.ContainerContext"
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::from(match name {
            "Command" => self.shown_command(),
            "CreatedAt" => local_time(self.created, &self.reader.zone),
            "HealthStatus" => self.health().to_owned(),
            "ID" if self.short() => short_id(&self.id).to_owned(),
            "ID" => self.id.clone(),
            "Image" => self.shown_image(),
            "Labels" => labels_text(&self.labels),
            "LocalVolumes" => self.mounts.iter().filter(|mount| mount.is_local_volume).count().to_string(),
            "Mounts" => self.shown_mounts(),
            "Names" => self.shown_names(),
            "Networks" => self.networks.join(","),
            "Platform" => return Some(self.platform.clone().into()),
            "Ports" => ports_text(&self.ports),
            "RunningFor" => since_then(self.created, self.reader.now) + " ago",
            "Size" => self.shown_size(),
            "State" => self.phase.state().to_owned(),
            "Status" => self.phase.status(self.reader.now),
            _ => return None,
        }))
    }

    fn call(&self, name: &str, argument: &str) -> Option<String> {
        (name == "Label").then(|| self.labels.get(argument).cloned().unwrap_or_default())
    }
}

/// A size for printing; sizes beyond 2^53 bytes lose what no one prints.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn float(size: u64) -> f64 {
    size as f64
}

/// `a=1,b=2`.
pub(crate) fn labels_text(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// `0.0.0.0:8080->80/tcp, 443/tcp`; runs of ports published under their own number are one range.
pub(crate) fn ports_text(ports: &[Port]) -> String {
    let mut ports: Vec<&Port> = ports.iter().collect();
    ports.sort_by_key(|port| (port.private, port.published, port.protocol));
    let mut done = Vec::new();
    let mut moved = Vec::new();
    // In order of first appearance.
    let mut runs: Vec<Run> = Vec::new();
    for port in ports {
        if let Some((ip, public)) = port.published
            && public != port.private
        {
            moved.push(format!("{}->{}/{}", host_port(ip, &public.to_string()), port.private, port.protocol));
            continue;
        }
        let ip = port.published.map(|(ip, _)| ip);
        let start = Run { ip, protocol: port.protocol, first: port.private, last: port.private };
        match runs.iter_mut().find(|run| run.ip == ip && run.protocol == port.protocol) {
            None => runs.push(start),
            Some(run) if run.last.checked_add(1) == Some(port.private) => run.last = port.private,
            Some(run) => done.push(std::mem::replace(run, start).text()),
        }
    }
    done.extend(runs.iter().map(Run::text));
    done.append(&mut moved);
    done.join(", ")
}

/// Ports that follow one another.
struct Run {
    ip: Option<IpAddr>,
    protocol: &'static str,
    first: u16,
    last: u16,
}

impl Run {
    fn text(&self) -> String {
        let Run { ip, protocol, first, last } = self;
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        match ip {
            Some(ip) => format!("{}->{range}/{protocol}", host_port(*ip, &range)),
            None => format!("{range}/{protocol}"),
        }
    }
}

fn host_port(ip: IpAddr, port: &str) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}
