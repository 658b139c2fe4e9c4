//! `kist volume create`, `ls` and `rm`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use engine::volume::create::{Create, create};
use engine::volume::list::{self, View};
use engine::volume::{parse_name, remove};
use engine::{Error, Host};
use spec::volume::{LOCAL, VolumeName};

use super::each::{Done, each_done};
use super::listing::{self, Defaults, TABLE_FORMAT, bad_filter};
use crate::cli::{Cli, say};
use crate::filter::Filters;
use crate::report::Report;
use crate::template::Row;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::volume::{COLUMNS, RAW, TABLE, VolumeRow};

/// `kist volume create`.
pub(crate) static VOLUME_CREATE: Verb = Verb {
    name: "volume create",
    aliases: &[],
    usage: "[OPTIONS] [VOLUME]",
    about: "Create a volume",
    words: Words::AtMost(1),
    flags: &[&[
        short('d', "driver", Takes::One("string"), "Specify volume driver name (default \"local\")"),
        flag("label", Takes::List("list"), "Set metadata for a volume"),
        // As in Docker, where the word behind took its place.
        flag("name", Takes::One("string"), ""),
        short('o', "opt", Takes::List("map"), "Set driver specific options (default map[])"),
    ]],
    run: create_one,
};

/// `kist volume ls`.
pub(crate) static VOLUME_LS: Verb = Verb {
    name: "volume ls",
    aliases: &["volume list"],
    usage: "[OPTIONS]",
    about: "List volumes",
    words: Words::None,
    flags: &[&[
        short('f', "filter", Takes::List("filter"), "Provide filter values (e.g. \"dangling=true\")"),
        flag("format", Takes::One("string"), TABLE_FORMAT),
        short('q', "quiet", Takes::Switch, "Only display volume names"),
    ]],
    run: list_all,
};

/// `kist volume rm`.
pub(crate) static VOLUME_RM: Verb = Verb {
    name: "volume rm",
    aliases: &["volume remove"],
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Remove one or more volumes",
    words: Words::AtLeast(1),
    flags: &[&[short('f', "force", Takes::Switch, "Force the removal of one or more volumes")]],
    run: |cli, args| {
        let host = cli.host()?;
        let force = args.on("force");
        let act = |name: &str| match remove::remove(&host, name) {
            // What is gone already is what was wanted; Docker says its name all the same.
            Err(Error::NotFound(_)) if force => Ok(Done::Said),
            other => Ok(other.map(|()| Done::Said)?),
        };
        each_done(args.words(), act, |_| None::<String>)
    },
};

fn create_one(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let name = match (args.words(), args.text("name")) {
        ([_], Some(_)) => {
            return Err(Report::plain(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
            ));
        }
        ([name], None) => Some(name.as_str()),
        (_, name) => name,
    };
    let pairs = |flag: &str| -> Option<BTreeMap<String, String>> {
        let pair =
            |text: &str| text.split_once('=').map_or((text.into(), String::new()), |(k, v)| (k.into(), v.into()));
        args.given(flag).then(|| args.list(flag).into_iter().map(pair).collect())
    };
    let request = Create {
        name: name.filter(|name| !name.is_empty()).map(parse_name).transpose()?,
        driver: args.text("driver").unwrap_or(LOCAL).to_owned(),
        options: pairs("opt"),
        labels: pairs("label"),
    };
    say(create(&cli.host()?, request)?.as_str());
    Ok(0)
}

fn list_all(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let filters = listing::filters(args, &["dangling", "driver", "label", "name"])?;
    let dangling = filters.flag("dangling").map_err(bad_filter)?;
    let listing = listing::listing(
        args,
        &Defaults { table: TABLE.to_owned(), raw: RAW.to_owned(), quiet: "{{.Name}}", raw_quiet: "name: {{.Name}}" },
    )?;
    let host = cli.host()?;
    let used = used(&host, dangling)?;
    let mut views = list::list(&host)?;
    views.retain(|view| keeps(&filters, view) && used.as_ref().is_none_or(|wanted| wanted(&view.name)));
    sort(&mut views);
    let rows: Vec<VolumeRow> = views.iter().map(|view| VolumeRow::new(view, None)).collect();
    let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, COLUMNS, &rows)?);
    Ok(0)
}

/// Whether a volume is as dangling as it is to be; all containers are asked only where it matters.
fn used(host: &Host, dangling: Option<bool>) -> Result<Option<impl Fn(&VolumeName) -> bool + use<>>, Report> {
    let Some(dangling) = dangling else { return Ok(None) };
    let users = list::users(host)?;
    Ok(Some(move |name: &VolumeName| users.contains_key(name) != dangling))
}

fn keeps(filters: &Filters, view: &View) -> bool {
    filters.pattern("name", view.name.as_str())
        && filters.exact("driver", LOCAL)
        && filters.labels("label", &view.record.labels.clone().unwrap_or_default())
}

/// In the order of Docker's client.
pub(super) fn sort(views: &mut [View]) {
    views.sort_by(|a, b| natural(a.name.as_str(), b.name.as_str()));
}

/// Numbers in names count as numbers: `v2` comes before `v10` (fvbommel/sortorder `NaturalLess`).
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        if !(x.is_ascii_digit() && y.is_ascii_digit()) {
            if x != y {
                return x.cmp(y);
            }
            (a, b) = (&a[1..], &b[1..]);
            continue;
        }
        let (m, n) = (digits(a), digits(b));
        let (p, q) = (trimmed(&a[..m]), trimmed(&b[..n]));
        match p.len().cmp(&q.len()).then_with(|| p.cmp(q)).then_with(|| m.cmp(&n)) {
            Ordering::Equal => (a, b) = (&a[m..], &b[n..]),
            unequal @ (Ordering::Less | Ordering::Greater) => return unequal,
        }
    }
    a.len().cmp(&b.len())
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["v10", "v2", "v02", "a", "v", "v2x", "v1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "v", "v1", "v2", "v2x", "v02", "v10"]);
    }
}
