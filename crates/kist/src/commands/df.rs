//! `kist system df`.

use std::collections::BTreeSet;

use engine::system::df::{Disk, VolumeUsage, df};
use engine::{Host, image};
use monitor::status::Phase;
use serde_json::Value;
use spec::id::ContainerId;

use super::listing::{self, TABLE_FORMAT};
use crate::cli::{Cli, say};
use crate::report::Report;
use crate::template::{Column, Listing, Row};
use crate::units::human_size;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::container_row::{self, Reader, Width};
use crate::wire::from_image::Shown;
use crate::wire::volume::{self, VolumeRow};
use crate::wire::{from_container, from_image, image_row};

/// `kist system df`.
pub(crate) static SYSTEM_DF: Verb = Verb {
    name: "system df",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Show kist disk usage",
    words: Words::None,
    flags: &[&[
        flag("format", Takes::One("string"), TABLE_FORMAT),
        short('v', "verbose", Takes::Switch, "Show detailed information on space usage"),
    ]],
    run,
};

const TABLE: &str = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

const COLUMNS: &[Column] = &[
    ("Active", "ACTIVE"),
    ("Reclaimable", "RECLAIMABLE"),
    ("Size", "SIZE"),
    ("TotalCount", "TOTAL"),
    ("Type", "TYPE"),
];

const IMAGES: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t\
    {{.UniqueSize}}\t{{.Containers}}";

const CONTAINERS: &str = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t\
    {{.Status}}\t{{.Names}}";

const VOLUMES: &str = "table {{.Name}}\t{{.Links}}\t{{.Size}}";

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let format = match args.text("format") {
        Some(_) if args.on("verbose") => {
            return Err(Report::plain("the verbose and the format options conflict"));
        }
        None | Some("table") => TABLE,
        Some(format) => format,
    };
    let listing = Listing::parse(format).map_err(listing::refused)?;
    let host = cli.host()?;
    let disk = df(&host)?;
    if args.on("verbose") {
        say(&verbose(&host, &disk)?);
        return Ok(0);
    }
    let rows = kinds(&disk);
    let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, COLUMNS, &rows)?);
    Ok(0)
}

/// One kind of things that take room, in bytes on the disk.
struct Kind {
    name: &'static str,
    total: usize,
    active: usize,
    size: u64,
    reclaimable: u64,
}

impl Row for Kind {
    fn type_name(&self) -> &'static str {
        "*formatter.diskUsageContext"
    }

    fn names(&self) -> &'static [&'static str] {
        &["Active", "Reclaimable", "Size", "TotalCount", "Type"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::from(match name {
            "Active" => self.active.to_string(),
            "Reclaimable" if self.size == 0 => size(self.reclaimable),
            "Reclaimable" => {
                format!("{} ({}%)", size(self.reclaimable), self.reclaimable.saturating_mul(100) / self.size)
            }
            "Size" => size(self.size),
            "TotalCount" => self.total.to_string(),
            "Type" => self.name.to_owned(),
            _ => return None,
        }))
    }
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn size(bytes: u64) -> String {
    human_size(bytes as f64)
}

fn kinds(disk: &Disk) -> [Kind; 4] {
    let usage = &disk.usage;
    let unused = usage.images.iter().filter(|image| !disk.users.contains_key(&image.id));
    let running: BTreeSet<&ContainerId> = disk
        .containers
        .iter()
        .filter(|view| matches!(view.state.status.phase(), Phase::Running | Phase::Paused | Phase::Restarting))
        .map(|view| &view.config.id)
        .collect();
    let stopped = usage.drafts.iter().filter(|(id, _)| !running.contains(id));
    [
        Kind {
            name: "Images",
            total: usage.images.len(),
            active: usage.images.iter().filter(|image| disk.users.contains_key(&image.id)).count(),
            size: usage.images_disk_bytes,
            // What only unused images have: a layer that a used one shares stays.
            reclaimable: unused.map(|image| image.unique_disk_bytes).sum::<u64>() + usage.garbage_disk_bytes,
        },
        Kind {
            name: "Containers",
            total: disk.containers.len(),
            active: running.len(),
            size: usage.drafts.iter().map(|(_, extent)| extent.disk_bytes).sum(),
            reclaimable: stopped.map(|(_, extent)| extent.disk_bytes).sum(),
        },
        Kind {
            name: "Local Volumes",
            total: disk.volumes.len(),
            active: disk.volumes.iter().filter(|volume| volume.links > 0).count(),
            size: disk.volumes.iter().map(|volume| volume.disk_bytes).sum(),
            reclaimable: disk.volumes.iter().filter(|volume| volume.links == 0).map(|volume| volume.disk_bytes).sum(),
        },
        Kind {
            name: "Build Cache",
            total: usage.steps.len(),
            active: usage.steps.iter().filter(|step| step.is_in_use).count(),
            size: usage.cache_disk_bytes,
            reclaimable: usage.cache_disk_bytes,
        },
    ]
}

fn verbose(host: &Host, disk: &Disk) -> Result<String, Report> {
    let reader = Reader { now: jiff::Timestamp::now(), zone: jiff::tz::TimeZone::system(), width: Width::Short };
    let mut images = Vec::new();
    for (image, names) in image::list::list(host)? {
        let Some(usage) = disk.usage.images.iter().find(|usage| usage.id == image.id) else { continue };
        let users = disk.users.get(&image.id).map_or(0, |users| u64::try_from(users.len()).unwrap_or(u64::MAX));
        let names: Vec<_> = names.iter().collect();
        images.extend(from_image::rows(&image, &names, users, Shown::Tags, &reader).into_iter().map(|row| {
            image_row::ImageRow { size: usage.disk_bytes, shared_size: Some(usage.shared_disk_bytes), ..row }
        }));
    }
    let mut containers = Vec::new();
    for view in &disk.containers {
        let id = &view.config.id;
        let own = disk.usage.drafts.iter().find(|(draft, _)| draft == id).map_or(0, |(_, extent)| extent.disk_bytes);
        containers.push(from_container::row(view, Some((own, 0)), Vec::new(), &reader));
    }
    let usage = |volume: &VolumeUsage| VolumeRow::new(&volume.view, Some((volume.links, volume.disk_bytes)));
    let volumes: Vec<VolumeRow> = disk.volumes.iter().map(usage).collect();
    let table = |format: &str, columns, rows: &[&dyn Row]| -> Result<String, Report> {
        listing::render(&Listing::parse(format).map_err(listing::refused)?, columns, rows)
    };
    let images: Vec<&dyn Row> = images.iter().map(|row| row as &dyn Row).collect();
    let containers: Vec<&dyn Row> = containers.iter().map(|row| row as &dyn Row).collect();
    let volumes: Vec<&dyn Row> = volumes.iter().map(|row| row as &dyn Row).collect();
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}",
        table(IMAGES, image_row::COLUMNS, &images)?,
        table(CONTAINERS, container_row::COLUMNS, &containers)?,
        table(VOLUMES, volume::COLUMNS, &volumes)?
    ))
}
