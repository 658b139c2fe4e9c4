//! A volume as `docker volume inspect` and a row of `volume ls` show it (moby `api/types/volume`, docker/cli `formatter/volume.go`).

use std::collections::BTreeMap;

use engine::volume::list::View;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use spec::volume::LOCAL;

use super::container_row::{float, labels_text};
use super::from_container::timestamp;
use super::go::Map;
use crate::template::{Column, Row};
use crate::units::human_size;

/// `docker volume ls`.
pub(crate) const TABLE: &str = "table {{.Driver}}\t{{.Name}}";

/// `docker volume ls --format raw`.
pub(crate) const RAW: &str = "name: {{.Name}}\ndriver: {{.Driver}}\n";

/// The header of `volume ls`.
pub(crate) const COLUMNS: &[Column] = &[
    ("Availability", "AVAILABILITY"),
    ("Driver", "DRIVER"),
    ("Group", "GROUP"),
    ("ID", "ID"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
];

const NAMES: &[&str] =
    &["Availability", "Driver", "Group", "Labels", "Links", "Mountpoint", "Name", "Scope", "Size", "Status"];

/// `docker volume inspect`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VolumeInspect {
    /// To the second, in the zone of whoever reads it.
    pub(crate) created_at: String,
    /// The only one.
    pub(crate) driver: String,
    /// Free words; null where none were given.
    pub(crate) labels: Map<String>,
    /// Where its files lie.
    pub(crate) mountpoint: String,
    /// Its name.
    pub(crate) name: String,
    /// Of the driver; null where none were given.
    pub(crate) options: Map<String>,
    /// This machine.
    pub(crate) scope: String,
}

/// The whole answer.
pub(crate) fn inspect(view: &View, zone: &TimeZone) -> VolumeInspect {
    VolumeInspect {
        created_at: created_at(timestamp(view.record.created), zone),
        driver: LOCAL.to_owned(),
        labels: Map(view.record.labels.clone()),
        mountpoint: view.mountpoint.display().to_string(),
        name: view.name.to_string(),
        options: Map(view.record.options.clone()),
        scope: "local".to_owned(),
    }
}

/// RFC 3339 without fractions, as Go's `time.RFC3339` writes it.
fn created_at(time: Timestamp, zone: &TimeZone) -> String {
    let local = time.to_zoned_datetime(zone.clone());
    let zone = if local.offset().seconds() == 0 { "Z".to_owned() } else { local.strftime("%:z").to_string() };
    format!("{}{zone}", local.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// One line of `volume ls`.
#[derive(Debug, Clone)]
pub(crate) struct VolumeRow {
    /// Its name.
    pub(crate) name: String,
    /// Where its files lie.
    pub(crate) mountpoint: String,
    /// Free words.
    pub(crate) labels: BTreeMap<String, String>,
    /// Containers that use it, and bytes, where they were counted.
    pub(crate) usage: Option<(usize, u64)>,
}

impl VolumeRow {
    /// What a view shows; `usage` where it was counted.
    pub(crate) fn new(view: &View, usage: Option<(usize, u64)>) -> VolumeRow {
        VolumeRow {
            name: view.name.to_string(),
            mountpoint: view.mountpoint.display().to_string(),
            labels: view.record.labels.clone().unwrap_or_default(),
            usage,
        }
    }
}

impl Row for VolumeRow {
    fn type_name(&self) -> &'static str {
        "*formatter.volumeContext"
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        let unknown = || "N/A".to_owned();
        Some(Value::from(match name {
            // Of volumes of a cluster only.
            "Availability" | "Group" | "Status" => unknown(),
            "Driver" => LOCAL.to_owned(),
            "Labels" => labels_text(&self.labels),
            "Links" => self.usage.map_or_else(unknown, |(links, _)| links.to_string()),
            "Mountpoint" => self.mountpoint.clone(),
            "Name" => self.name.clone(),
            "Scope" => "local".to_owned(),
            "Size" => self.usage.map_or_else(unknown, |(_, bytes)| human_size(float(bytes))),
            _ => return None,
        }))
    }

    fn call(&self, name: &str, argument: &str) -> Option<String> {
        (name == "Label").then(|| self.labels.get(argument).cloned().unwrap_or_default())
    }
}
