//! `kist container prune`, `kist image prune`, `kist volume prune` and `kist system prune`.

use std::collections::BTreeMap;

use engine::build::cache::Keep;
use engine::container::prune as container;
use engine::image::prune::{self as image, Which};
use engine::volume::prune::{self as volume, Which as WhichVolumes};
use jiff::Timestamp;
use spec::time::Time;
use store::Removed;

use super::listing::{self, bad_filter};
use super::logs::moment;
use super::{build, network};
use crate::cli::{Cli, say};
use crate::filter::{Filters, PRUNE_KEYS};
use crate::prompt::{Echo, ask};
use crate::report::Report;
use crate::units::human_size;
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};

pub(super) const FILTER: Flag =
    flag("filter", Takes::List("filter"), "Provide filter values (e.g. \"until=<timestamp>\")");
pub(super) const FORCE: Flag = short('f', "force", Takes::Switch, "Do not prompt for confirmation");

/// `kist container prune`.
pub(crate) static CONTAINER_PRUNE: Verb = Verb {
    name: "container prune",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Remove all stopped containers",
    words: Words::None,
    flags: &[&[FILTER, FORCE]],
    run: |cli, args| {
        let sift = Sift::new(args, PRUNE_KEYS)?;
        if !confirmed(args, "WARNING! This will remove all stopped containers.\n") {
            return Ok(0);
        }
        let (text, freed) = containers(cli, &sift)?;
        tell(&text, freed);
        Ok(0)
    },
};

/// `kist image prune`.
pub(crate) static IMAGE_PRUNE: Verb = Verb {
    name: "image prune",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Remove unused images",
    words: Words::None,
    flags: &[&[short('a', "all", Takes::Switch, "Remove all unused images, not just dangling ones"), FILTER, FORCE]],
    run: |cli, args| {
        let sift = Sift::new(args, &["dangling", "label", "label!", "until"])?;
        let dangling = sift.filters.flag("dangling").map_err(bad_filter)?;
        if !confirmed(args, &format!("WARNING! This will remove {}.\n", images_called(which(args)))) {
            return Ok(0);
        }
        let which = if dangling == Some(false) { Which::Unused } else { which(args) };
        let (text, freed) = images(cli, &sift, which)?;
        tell(&text, freed);
        Ok(0)
    },
};

/// `kist volume prune`.
pub(crate) static VOLUME_PRUNE: Verb = Verb {
    name: "volume prune",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Remove unused local volumes",
    words: Words::None,
    flags: &[&[
        short('a', "all", Takes::Switch, "Remove all unused volumes, not just anonymous ones"),
        flag("filter", Takes::List("filter"), "Provide filter values (e.g. \"label=<label>\")"),
        FORCE,
    ]],
    run: |cli, args| {
        let sift = Sift::new(args, &["all", "label", "label!"])?;
        if args.on("all") && sift.filters.has("all") {
            return Err(Report::plain("conflicting options: cannot specify both --all and --filter all=1"));
        }
        let all = args.on("all") || sift.filters.flag("all").map_err(bad_filter)? == Some(true);
        let what = if args.on("all") { "all" } else { "anonymous" };
        let warning = format!("WARNING! This will remove {what} local volumes not used by at least one container.\n");
        if !confirmed(args, &warning) {
            return Ok(0);
        }
        let (text, freed) = volumes(cli, &sift, if all { WhichVolumes::All } else { WhichVolumes::Anonymous })?;
        tell(&text, freed);
        Ok(0)
    },
};

/// `kist system prune`.
pub(crate) static SYSTEM_PRUNE: Verb = Verb {
    name: "system prune",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Remove unused data",
    words: Words::None,
    flags: &[&[
        short('a', "all", Takes::Switch, "Remove all unused images not just dangling ones"),
        flag("filter", Takes::List("filter"), "Provide filter values (e.g. \"label=<key>=<value>\")"),
        FORCE,
        flag("volumes", Takes::Switch, "Prune anonymous volumes"),
    ]],
    run: |cli, args| {
        let sift = Sift::new(args, PRUNE_KEYS)?;
        if args.on("volumes") && sift.filters.has("until") {
            return Err(Report::plain("ERROR: The \"until\" filter is not supported with \"--volumes\""));
        }
        let which = which(args);
        let sweeps = SWEEPS.iter().filter(|sweep| sweep.only_with.is_none_or(|flag| args.on(flag)));
        let sweeps: Vec<&Sweep> = sweeps.collect();
        if !confirmed(args, &warning(&sweeps, which, &args.list("filter"))) {
            return Ok(0);
        }
        let mut all_freed = 0;
        for sweep in sweeps {
            let (text, freed) = (sweep.run)(cli, &sift, which)?;
            all_freed += freed;
            if !text.is_empty() {
                say(&format!("{text}\n"));
            }
        }
        tell("", all_freed);
        Ok(0)
    },
};

/// What went, as it is printed, and the bytes that are free now.
type Swept = Result<(String, u64), Report>;

/// A kind of things that `system prune` sweeps away.
struct Sweep {
    /// What the warning calls them.
    called: fn(Which) -> &'static str,
    /// The flag without which they stay.
    only_with: Option<&'static str>,
    /// Sweeps.
    run: fn(&Cli, &Sift, Which) -> Swept,
}

/// In Docker's order: what holds others first.
static SWEEPS: &[Sweep] = &[
    Sweep { called: |_| "all stopped containers", only_with: None, run: |cli, sift, _| containers(cli, sift) },
    Sweep {
        called: |_| "all networks not used by at least one container",
        only_with: None,
        run: |cli, sift, _| {
            Ok((network::pruned(&cli.host()?, &|created, labels| sift.wants(Some(created), labels))?, 0))
        },
    },
    Sweep {
        called: |_| "all anonymous volumes not used by at least one container",
        only_with: Some("volumes"),
        run: |cli, sift, _| volumes(cli, sift, WhichVolumes::Anonymous),
    },
    Sweep { called: images_called, only_with: None, run: images },
    Sweep {
        called: |which| match which {
            Which::Dangling => "unused build cache",
            Which::Unused => "all build cache",
        },
        only_with: None,
        run: |cli, sift, which| {
            let keep = match which {
                Which::Dangling => Keep::Shared,
                Which::Unused => Keep::Nothing,
            };
            build::pruned(cli, sift.until, keep)
        },
    },
];

fn images_called(which: Which) -> &'static str {
    match which {
        Which::Dangling => "all dangling images",
        Which::Unused => "all images without at least one container associated to them",
    }
}

fn which(args: &Args) -> Which {
    if args.on("all") { Which::Unused } else { Which::Dangling }
}

/// What `system prune` is about to do.
fn warning(sweeps: &[&Sweep], which: Which, filters: &[&str]) -> String {
    let mut text = "WARNING! This will remove:\n".to_owned();
    for sweep in sweeps {
        text.push_str(&format!("  - {}\n", (sweep.called)(which)));
    }
    text.push('\n');
    if !filters.is_empty() {
        text.push_str("  Items to be pruned will be filtered with:\n");
        let mut filters = filters.to_vec();
        filters.sort_unstable();
        filters.iter().for_each(|filter| text.push_str(&format!("  - {filter}\n")));
        text.push('\n');
    }
    text
}

fn containers(cli: &Cli, sift: &Sift) -> Swept {
    let pruned = container::prune(&cli.host()?, &|created, labels| sift.wants(Some(created), labels))?;
    let mut text = String::new();
    if !pruned.removed.is_empty() {
        text.push_str("Deleted Containers:\n");
        pruned.removed.iter().for_each(|id| text.push_str(&format!("{id}\n")));
    }
    Ok((text, pruned.freed_bytes))
}

fn images(cli: &Cli, sift: &Sift, which: Which) -> Swept {
    let pruned = image::prune(&cli.host()?, which, &|created, labels| sift.wants(created, labels))?;
    let mut text = String::new();
    if !pruned.removed.is_empty() {
        text.push_str("Deleted Images:\n");
    }
    for removed in &pruned.removed {
        match removed {
            Removed::Untagged(name) => text.push_str(&format!("untagged: {}\n", name.familiar())),
            Removed::Deleted(digest) => text.push_str(&format!("deleted: {digest}\n")),
        }
    }
    Ok((text, pruned.freed_bytes))
}

fn volumes(cli: &Cli, sift: &Sift, which: WhichVolumes) -> Result<(String, u64), Report> {
    let pruned = volume::prune(&cli.host()?, which, &|labels| sift.wants(None, labels))?;
    let mut text = String::new();
    if !pruned.removed.is_empty() {
        text.push_str("Deleted Volumes:\n");
        pruned.removed.iter().for_each(|name| text.push_str(&format!("{name}\n")));
    }
    Ok((text, pruned.freed_bytes))
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn tell(text: &str, freed: u64) {
    if !text.is_empty() {
        say(&format!("{text}\n"));
    }
    say(&format!("Total reclaimed space: {}", human_size(freed as f64)));
}

/// Whether the user wants it.
pub(super) fn confirmed(args: &Args, warning: &str) -> bool {
    if args.on("force") {
        return true;
    }
    say(warning);
    let answer = ask("Are you sure you want to continue? [y/N] ", Echo::Shown);
    answer.is_ok_and(|answer| answer.eq_ignore_ascii_case("y"))
}

/// The filters, read.
pub(super) struct Sift {
    filters: Filters,
    until: Option<Time>,
}

impl Sift {
    pub(super) fn new(args: &Args, keys: &[&str]) -> Result<Sift, Report> {
        let filters = listing::filters(args, keys)?;
        let now = Timestamp::now();
        let mut until = None;
        for text in filters.values("until") {
            if until.is_some() {
                return Err(Report::plain("Error response from daemon: more than one until filter specified"));
            }
            until = Some(moment(text, now).map_err(|why| Report::plain(format!("Error response from daemon: {why}")))?);
        }
        Ok(Sift { filters, until })
    }

    pub(super) fn wants(&self, created: Option<Time>, labels: &BTreeMap<String, String>) -> bool {
        self.until.is_none_or(|until| created.unwrap_or(Time::from_ns(0)) < until)
            && self.filters.labels("label", labels)
            && self.filters.labels_absent("label!", labels)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn system_prune_says_what_goes() {
        expect![[r#"
            WARNING! This will remove:
              - all stopped containers
              - all networks not used by at least one container
              - all anonymous volumes not used by at least one container
              - all images without at least one container associated to them
              - all build cache

              Items to be pruned will be filtered with:
              - label=a
              - until=24h

        "#]]
        .assert_eq(&warning(&SWEEPS.iter().collect::<Vec<_>>(), Which::Unused, &["until=24h", "label=a"]));
    }
}
