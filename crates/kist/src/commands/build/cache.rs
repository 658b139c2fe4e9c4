//! `kist builder prune` and `kist builder du`.

use engine::build::cache::{Cached, Keep, Pruned, What, list, prune};
use spec::time::Time;

use crate::cli::{Cli, say};
use crate::commands::listing::bad_filter;
use crate::commands::logs::moment;
use crate::commands::prune::{FORCE, confirmed};
use crate::filter::Filters;
use crate::flags::container::bytes;
use crate::report::Report;
use crate::table::align;
use crate::units::{human_duration, human_size};
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist builder prune`.
pub(crate) static BUILDER_PRUNE: Verb = Verb {
    name: "builder prune",
    aliases: &["buildx prune"],
    usage: "[OPTIONS]",
    about: "Remove build cache",
    words: Words::None,
    flags: &[&[
        short('a', "all", Takes::Switch, "Remove all unused build cache, not just dangling ones"),
        flag("builder", Takes::One("string"), "Override the configured builder instance"),
        flag("filter", Takes::List("filter"), "Provide filter values (e.g. \"until=24h\")"),
        FORCE,
        flag("keep-storage", Takes::One("bytes"), "Amount of disk space to keep for cache"),
        flag("max-used-space", Takes::One("bytes"), "Maximum amount of disk space allowed to keep for cache"),
        flag("min-free-space", Takes::One("bytes"), "Target amount of free disk space after pruning"),
        flag("reserved-space", Takes::One("bytes"), "Amount of disk space always allowed to keep for cache"),
        flag("verbose", Takes::Switch, "Provide a more verbose output"),
    ]],
    run: |cli, args| {
        let sift = Sift::new(args)?;
        let space = |long: &str| args.parsed(&BUILDER_PRUNE, long, bytes).map(|n| n.map(i64::cast_unsigned));
        let reserved = match space("reserved-space")? {
            Some(reserved) => Some(reserved),
            None => space("keep-storage")?,
        };
        let keep = Keep {
            reserved_bytes: reserved.unwrap_or_default(),
            max_used_bytes: space("max-used-space")?,
            min_free_bytes: space("min-free-space")?,
        };
        let what = if args.on("all") { "all build cache" } else { "all dangling build cache" };
        if !confirmed(args, &format!("WARNING! This will remove {what}.\n")) {
            return Ok(0);
        }
        let Pruned { removed, freed_bytes } = prune(&cli.host()?, keep, &|one| sift.wants(one))?;
        if !removed.is_empty() {
            say(&table(&removed));
        }
        say(&format!("Total:\t{}", size(freed_bytes)));
        Ok(0)
    },
};

/// `kist builder du`.
pub(crate) static BUILDER_DU: Verb = Verb {
    name: "builder du",
    aliases: &["buildx du"],
    usage: "[OPTIONS]",
    about: "Show disk usage of the build cache",
    words: Words::None,
    flags: &[&[
        flag("builder", Takes::One("string"), "Override the configured builder instance"),
        flag("filter", Takes::List("filter"), "Provide filter values"),
        flag("verbose", Takes::Switch, "Provide a more verbose output"),
    ]],
    run: |cli, args| {
        let sift = Sift::new(args)?;
        let mut all = list(&cli.host()?)?;
        all.retain(|one| sift.wants(one));
        all.reverse();
        say(&if args.on("verbose") { all.iter().map(verbose).collect::<Vec<_>>().join("\n") } else { table(&all) });
        let sum = |shared: Option<bool>| {
            all.iter().filter(|one| shared.is_none_or(|shared| one.is_shared == shared)).map(|one| one.disk_bytes).sum()
        };
        let (shared, own, total) = (sum(Some(true)), sum(Some(false)), sum(None));
        let mut text = String::new();
        if shared > 0 {
            text.push_str(&format!("Shared:\t{}\nPrivate:\t{}\n", size(shared), size(own)));
        }
        text.push_str(&format!("Reclaimable:\t{}\nTotal:\t{}", size(own), size(total)));
        say(&align(&text));
        Ok(0)
    },
};

/// What `system prune` takes of it, in Docker's words, and the bytes that are free now.
pub(crate) fn pruned(cli: &Cli, wants: &dyn Fn(&Cached) -> bool) -> Result<(String, u64), Report> {
    let Pruned { removed, freed_bytes } = prune(&cli.host()?, Keep::default(), wants)?;
    let mut text = String::new();
    if !removed.is_empty() {
        text.push_str("Deleted build cache objects:\n");
        removed.iter().for_each(|one| text.push_str(&format!("{}\n", one.id)));
    }
    Ok((text, freed_bytes))
}

/// The filters, read (buildx `toBuildkitPruneInfo`).
struct Sift {
    filters: Filters,
    unused_since: Option<Time>,
}

impl Sift {
    fn new(args: &Args) -> Result<Sift, Report> {
        let filters = Filters::parse(args.list("filter")).map_err(|error| Report::plain(error.to_string()))?;
        let keys = ["until", "unused-for", "id", "description", "type", "shared", "private", "inuse"];
        filters.accept(&keys).map_err(bad_filter)?;
        let mut unused_since = None;
        for text in filters.values("until").chain(filters.values("unused-for")) {
            unused_since =
                Some(moment(text, jiff::Timestamp::now()).map_err(|why| Report::plain(format!("ERROR: {why}")))?);
        }
        Ok(Sift { filters, unused_since })
    }

    fn wants(&self, one: &Cached) -> bool {
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| !self.filters.has(key) || self.filters.values(key).any(fits);
        let flag = |key: &str, is: bool| any(key, &|value| (value != "false" && value != "0") == is);
        self.unused_since.is_none_or(|since| one.last_used < since)
            && any("id", &|value| one.id.starts_with(value))
            && any("description", &|value| one.description.contains(value))
            && any("type", &|value| value == kind(one))
            && flag("shared", one.is_shared)
            && flag("private", !one.is_shared)
            && flag("inuse", false)
    }
}

fn kind(one: &Cached) -> &'static str {
    match one.what {
        What::Step(_) => "regular",
        What::Mount(_) => "exec.cachemount",
    }
}

fn table(all: &[Cached]) -> String {
    let mut text = "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED".to_owned();
    for one in all {
        text.push_str(&format!("\n{}\t{}\t{}\t{}", one.id, !one.is_shared, size(one.disk_bytes), ago(one.last_used)));
    }
    align(&text)
}

fn verbose(one: &Cached) -> String {
    let created = one.created.map_or_else(|| one.last_used.to_string(), |created| created.to_string());
    format!(
        "ID:           {}\nCreated at:   {created}\nMutable:      {}\nReclaimable:  {}\nShared:       {}\nSize:         {}\nDescription:  {}\nLast used:    {}\nType:         {}\n",
        one.id,
        matches!(one.what, What::Mount(_)),
        !one.is_shared,
        one.is_shared,
        size(one.disk_bytes),
        one.description,
        ago(one.last_used),
        kind(one)
    )
}

fn ago(time: Time) -> String {
    let ns = super::display::trace::now().since_ns(time).max(0);
    format!("{} ago", human_duration(std::time::Duration::from_nanos(ns.cast_unsigned())))
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn size(bytes: u64) -> String {
    human_size(bytes as f64)
}
