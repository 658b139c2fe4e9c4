//! `kist ps`.

use std::collections::BTreeMap;

use engine::Host;
use engine::container::find;
use engine::container::list::{self, View};
use engine::network::places::{Place, places};

use spec::digest::ImageId;
use spec::mount::UserMountKind;

use super::listing::{self, Defaults, TABLE_FORMAT};
use crate::cli::{Cli, say};
use crate::filter::{CONTAINER_KEYS, Filters, HEALTHS, STATES};
use crate::report::Report;
use crate::template::Row;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::container_row::{COLUMNS, RAW, TABLE, TABLE_WITH_SIZE};
use crate::wire::from_container::networks::row_ports;
use crate::wire::from_container::{self, phase, verdict};
use crate::wire::phase::Phase;

/// `kist ps`.
pub(crate) static PS: Verb = Verb {
    name: "ps",
    aliases: &["container ls", "container list", "container ps"],
    usage: "[OPTIONS]",
    about: "List containers",
    words: Words::None,
    flags: &[&[
        short('a', "all", Takes::Switch, "Show all containers (default shows just running)"),
        short('f', "filter", Takes::List("filter"), "Filter output based on conditions provided"),
        flag("format", Takes::One("string"), TABLE_FORMAT),
        short('n', "last", Takes::One("int"), "Show n last created containers (includes all states) (default -1)"),
        short('l', "latest", Takes::Switch, "Show the latest created container (includes all states)"),
        flag("no-trunc", Takes::Switch, "Don't truncate output"),
        short('q', "quiet", Takes::Switch, "Only display container IDs"),
        short('s', "size", Takes::Switch, "Display total file sizes"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let filters = listing::filters(args, CONTAINER_KEYS)?;
    let number =
        |text: &str| text.parse::<i64>().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    let last = args.parsed(&PS, "last", number)?.unwrap_or(-1);
    let last = usize::try_from(if args.on("latest") && last == -1 { 1 } else { last }).ok().filter(|last| *last > 0);
    let sized = args.on("size");
    let listing = listing::listing(
        args,
        &Defaults {
            table: (if sized { TABLE_WITH_SIZE } else { TABLE }).to_owned(),
            raw: format!("{RAW}{}", if sized { "size: {{.Size}}\n" } else { "" }),
            quiet: "{{.ID}}",
            raw_quiet: "container_id: {{.ID}}",
        },
    )?;
    let host = cli.host()?;
    let sift = Sift::new(&host, filters)?;
    // To know them costs a file more of each container.
    let with_networks = listing.speaks_of("Networks");
    let all = args.on("all") || last.is_some() || sift.filters.has("status");
    let views = if all { list::list(&host)? } else { list::running(&host)? };
    let mut wanted = Vec::new();
    for view in views {
        if last.is_some_and(|last| wanted.len() == last) {
            break;
        }
        if sift.keeps(&host, &view)? {
            wanted.push(view);
        }
    }
    let with_sizes = sized || (listing.speaks_of("Size") && !args.on("quiet"));
    let reader = listing::reader(args);
    let mut rows = Vec::new();
    for view in &wanted {
        let sizes = if with_sizes { Some(sizes(&host, view)?) } else { None };
        let networks = if with_networks { names(&host, view)? } else { Vec::new() };
        rows.push(from_container::row(view, sizes, networks, &reader));
    }
    let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, COLUMNS, &rows)?);
    Ok(0)
}

/// The networks' names, sorted as Docker's map is.
fn names(host: &Host, view: &View) -> Result<Vec<String>, Report> {
    let mut names: Vec<String> = places(host, view)?.into_iter().map(|place| place.name).collect();
    names.sort_unstable();
    Ok(names)
}

/// What a container wrote, and that with its image.
pub(super) fn sizes(host: &Host, view: &View) -> Result<(u64, u64), Report> {
    let config = &view.config;
    let own = host.store.draft_size_bytes(&config.id).map_err(engine::Error::from)?;
    // An image that was removed by force leaves its containers alone.
    let image = host.store.image(&config.image).map_or(0, |image| image.size_bytes);
    Ok((own, own + image))
}

/// The filters, with what they name looked up.
struct Sift {
    filters: Filters,
    exited: Vec<i32>,
    /// Images named by `ancestor`, by their IDs.
    ancestors: BTreeMap<ImageId, store::Image>,
    before: Vec<View>,
    since: Vec<View>,
}

impl Sift {
    fn new(host: &Host, filters: Filters) -> Result<Sift, Report> {
        let bad = listing::bad_filter;
        filters.choices("status", "state", STATES).map_err(bad)?;
        filters.choices("health", "health", HEALTHS).map_err(bad)?;
        filters.flag("is-task").map_err(bad)?;
        let exited = filters.numbers("exited").map_err(bad)?;
        let named = |key: &str| -> Result<Vec<View>, engine::Error> {
            filters.values(key).map(|name| list::view(host, &find(host, name)?)).collect()
        };
        let (before, since) = (named("before")?, named("since")?);
        // As with Docker, an image that is not there matches nothing.
        let ancestors = filters.values("ancestor").filter_map(|name| host.store.resolve(name).ok());
        let ancestors = ancestors.map(|image| (image.id.clone(), image)).collect();
        Ok(Sift { exited, ancestors, before, since, filters })
    }

    fn keeps(&self, host: &Host, view: &View) -> Result<bool, Report> {
        let config = &view.config;
        let phase = phase(view);
        let filters = &self.filters;
        let created = |other: &View| other.config.created;
        let health = view.state.health.as_ref().map_or("none", |health| verdict(health.verdict).as_str());
        let exit_code = match phase {
            Phase::Exited { exit_code, .. } => Some(exit_code),
            Phase::Created
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::Restarting { .. }
            | Phase::Removing => None,
        };
        let any = |key: &str, holds: &dyn Fn(&str) -> bool| !filters.has(key) || filters.values(key).any(holds);
        Ok(filters.prefix("id", config.id.as_str())
            && (filters.pattern("name", &view.name) || filters.pattern("name", &format!("/{}", view.name)))
            && filters.labels("label", &config.labels)
            && filters.exact("status", phase.state())
            && filters.exact("health", health)
            && (!filters.has("exited") || exit_code.is_some_and(|code| self.exited.contains(&code)))
            && self.before.iter().all(|other| config.created < created(other))
            && self.since.iter().all(|other| config.created > created(other))
            && self.descends(host, &config.image)
            && any("volume", &|wanted| config.host.mounts.iter().any(|mount| is_mount(mount, wanted)))
            && self.is_on(host, view)?
            && self.has_port(view)
            && filters.flag("is-task").is_ok_and(|task| task != Some(true)))
    }

    /// Whether it is on one of the networks, by name or beginning of an identifier.
    fn is_on(&self, host: &Host, view: &View) -> Result<bool, Report> {
        if !self.filters.has("network") {
            return Ok(true);
        }
        let places = places(host, view)?;
        let is =
            |place: &Place, wanted: &str| place.name == wanted || place.attachment.network.as_str().starts_with(wanted);
        Ok(self.filters.values("network").any(|wanted| places.iter().any(|place| is(place, wanted))))
    }

    /// Whether it has one of the ports now; as with Docker, one that is published or one that is exposed will do.
    fn has_port(&self, view: &View) -> bool {
        let filters = &self.filters;
        let wanted = |key: &str, number: u16, protocol: &str| {
            filters.values(key).any(|wanted| is_port(number, protocol, wanted))
        };
        !(filters.has("publish") || filters.has("expose"))
            || row_ports(view).iter().any(|port| {
                port.published.is_some_and(|(_, number)| wanted("publish", number, port.protocol))
                    || wanted("expose", port.private, port.protocol)
            })
    }

    /// Whether it was made from one of the ancestors, or from an image built on one.
    fn descends(&self, host: &Host, image: &ImageId) -> bool {
        if !self.filters.has("ancestor") || self.ancestors.contains_key(image) {
            return true;
        }
        let Ok(image) = host.store.image(image) else { return false };
        self.ancestors
            .values()
            .any(|ancestor| !ancestor.chains.is_empty() && image.chains.starts_with(&ancestor.chains))
    }
}

fn is_mount(mount: &spec::mount::UserMount, wanted: &str) -> bool {
    let source = match &mount.kind {
        UserMountKind::Bind { source, .. } => source.to_str() == Some(wanted),
        UserMountKind::Volume { name, .. } => name.as_str() == wanted,
        UserMountKind::Image { name, .. } => name == wanted,
        UserMountKind::Tmpfs { .. } => false,
    };
    source || mount.target.to_str() == Some(wanted)
}

/// `80` means `80/tcp`; `8000-8010/udp` means any of them.
fn is_port(number: u16, of: &str, wanted: &str) -> bool {
    let (range, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    of == protocol && matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(a), Ok(b)) if (a..=b).contains(&number))
}
