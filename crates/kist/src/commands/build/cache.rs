//! `kist builder prune` and `kist builder du`.

use builder::cache::{Pruned, Row};
use engine::build::cache::{Keep, Prune, Space, What, list, prune};
use spec::time::Time;

use super::display::trace::now;
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
        let wanted = wanted(args, if args.on("all") { Keep::Nothing } else { Keep::Shared })?;
        let space = |long: &str| args.parsed(&BUILDER_PRUNE, long, bytes).map(|n| n.map(i64::cast_unsigned));
        let reserved = match space("reserved-space")? {
            Some(reserved) => Some(reserved),
            None => space("keep-storage")?,
        };
        let space = Space {
            reserved_bytes: reserved.unwrap_or_default(),
            max_used_bytes: space("max-used-space")?,
            min_free_bytes: space("min-free-space")?,
        };
        let what = if args.on("all") { "all build cache" } else { "all dangling build cache" };
        if !confirmed(args, &format!("WARNING! This will remove {what}.\n")) {
            return Ok(0);
        }
        let Pruned { rows, freed_bytes } = prune(&cli.host()?, wanted, space)?;
        if !rows.is_empty() {
            say(&table(&rows));
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
        flag("verbose", Takes::Switch, "Provide a more verbose output"),
    ]],
    run: |cli, args| {
        let mut all = list(&cli.host()?)?;
        all.reverse();
        say(&if args.on("verbose") { all.iter().map(verbose).collect::<Vec<_>>().join("\n") } else { table(&all) });
        let sum = |shared: bool| all.iter().filter(|row| row.shared == shared).map(|row| row.size_bytes).sum::<u64>();
        let (shared, own) = (sum(true), sum(false));
        let mut text = String::new();
        if shared > 0 {
            text.push_str(&format!("Shared:\t{}\nPrivate:\t{}\n", size(shared), size(own)));
        }
        text.push_str(&format!("Reclaimable:\t{}\nTotal:\t{}", size(own), size(shared + own)));
        say(&align(&text));
        Ok(0)
    },
};

/// What `system prune` takes of it, in Docker's words, and the bytes that are free now.
pub(crate) fn pruned(cli: &Cli, until: Option<Time>, keep: Keep) -> Result<(String, u64), Report> {
    let wanted = Prune { keep, until, ids: Vec::new(), kind: None, keep_bytes: 0 };
    let Pruned { rows, freed_bytes } = prune(&cli.host()?, wanted, Space::default())?;
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str("Deleted build cache objects:\n");
        rows.iter().for_each(|row| text.push_str(&format!("{}\n", row.id)));
    }
    Ok((text, freed_bytes))
}

/// The filters, read (buildx `toBuildkitPruneInfo`).
fn wanted(args: &Args, keep: Keep) -> Result<Prune, Report> {
    let filters = Filters::parse(args.list("filter")).map_err(|error| Report::plain(error.to_string()))?;
    filters.accept(&["until", "unused-for", "id", "type"]).map_err(bad_filter)?;
    let mut until = None;
    for text in filters.values("until").chain(filters.values("unused-for")) {
        until = Some(moment(text, jiff::Timestamp::now()).map_err(|why| Report::plain(format!("ERROR: {why}")))?);
    }
    let kind = |text: &str| match text {
        "regular" => Ok(What::Step),
        "exec.cachemount" => Ok(What::CacheMount),
        other => {
            Err(Report::plain(format!("ERROR: invalid filter type={other}: there are regular and exec.cachemount")))
        }
    };
    Ok(Prune {
        keep,
        until,
        ids: filters.values("id").map(str::to_owned).collect(),
        kind: filters.values("type").next().map(kind).transpose()?,
        keep_bytes: 0,
    })
}

fn table(all: &[Row]) -> String {
    let mut text = "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED".to_owned();
    for row in all {
        let reclaimable = !row.shared && !row.in_use;
        text.push_str(&format!("\n{}\t{reclaimable}\t{}\t{}", row.id, size(row.size_bytes), ago(row.last_used)));
    }
    align(&text)
}

fn verbose(row: &Row) -> String {
    format!(
        "ID:           {}\nCreated at:   {}\nMutable:      {}\nReclaimable:  {}\nShared:       {}\nSize:         {}\nDescription:  {}\nUsage count:  {}\nLast used:    {}\nType:         {}\n",
        row.id,
        row.created,
        row.kind == What::CacheMount,
        !row.shared && !row.in_use,
        row.shared,
        size(row.size_bytes),
        row.description,
        row.uses,
        ago(row.last_used),
        row.kind.name()
    )
}

fn ago(time: Time) -> String {
    let ns = now().since_ns(time).max(0);
    format!("{} ago", human_duration(std::time::Duration::from_nanos(ns.cast_unsigned())))
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn size(bytes: u64) -> String {
    human_size(bytes as f64)
}
