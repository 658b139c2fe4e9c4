//! `kist network ls`.

use std::cmp::Ordering;

use engine::network::list::{self, View};

use crate::cli::{Cli, say};
use crate::commands::listing::{self, Defaults, TABLE_FORMAT};
use crate::filter::{Filters, NETWORK_KEYS};
use crate::report::Report;
use crate::template::Row;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::network::{COLUMNS, NetworkRow, RAW, TABLE, is_predefined};

/// `kist network ls`.
pub(crate) static NETWORK_LS: Verb = Verb {
    name: "network ls",
    aliases: &["network list"],
    usage: "[OPTIONS]",
    about: "List networks",
    words: Words::None,
    flags: &[&[
        short('f', "filter", Takes::List("filter"), "Provide filter values (e.g. \"driver=bridge\")"),
        flag("format", Takes::One("string"), TABLE_FORMAT),
        flag("no-trunc", Takes::Switch, "Do not truncate the output"),
        short('q', "quiet", Takes::Switch, "Only display network IDs"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let sift = Sift::new(listing::filters(args, NETWORK_KEYS)?)?;
    let defaults =
        Defaults { table: TABLE.to_owned(), raw: RAW.to_owned(), quiet: "{{.ID}}", raw_quiet: "network_id: {{.ID}}" };
    let listing = listing::listing(args, &defaults)?;
    let mut views = list::list(&cli.host()?)?;
    views.retain(|view| sift.keeps(view));
    views.sort_by(|a, b| natural(&a.network.name, &b.network.name));
    let reader = listing::reader(args);
    let rows: Vec<NetworkRow<'_>> =
        views.into_iter().map(|view| NetworkRow { reader: &reader, network: view.network }).collect();
    let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, COLUMNS, &rows)?);
    Ok(0)
}

struct Sift {
    filters: Filters,
    dangling: Option<bool>,
}

impl Sift {
    fn new(filters: Filters) -> Result<Sift, Report> {
        let refuse = |why: String| Err(Report::plain(format!("Error response from daemon: {why}")));
        let dangling: Vec<&str> = filters.values("dangling").collect();
        let dangling = match dangling.as_slice() {
            [] => None,
            ["1" | "true"] => Some(true),
            ["0" | "false"] => Some(false),
            [_] => {
                return refuse(
                    "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")".into(),
                );
            }
            _ => return refuse("got more than one value for filter key \"dangling\"".into()),
        };
        if let Some(odd) = filters.values("type").find(|kind| !matches!(*kind, "builtin" | "custom")) {
            return refuse(format!("invalid filter: 'type'='{odd}'"));
        }
        Ok(Sift { filters, dangling })
    }

    fn keeps(&self, view: &View) -> bool {
        let (network, filters) = (&view.network, &self.filters);
        let kind = if is_predefined(network) { "builtin" } else { "custom" };
        let is_dangling = !is_predefined(network) && view.members.is_empty();
        filters.exact("driver", network.driver.as_str())
            && filters.pattern("id", network.id.as_str())
            && filters.pattern("name", &network.name)
            && filters.labels("label", &network.labels)
            && filters.exact("scope", "local")
            && filters.exact("type", kind)
            && self.dangling.is_none_or(|wanted| wanted == is_dangling)
    }
}

/// `net9` before `net10`: runs of digits are numbers (fvbommel/sortorder).
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (left, right) = (chunk(a), chunk(b));
        let by_number = |text: &str| text.trim_start_matches('0').len();
        let order = if is_digits(left) && is_digits(right) {
            let bare = |text| str::trim_start_matches(text, '0');
            by_number(left)
                .cmp(&by_number(right))
                .then_with(|| bare(left).cmp(bare(right)))
                .then(left.len().cmp(&right.len()))
        } else {
            left.cmp(right)
        };
        if order != Ordering::Equal || left.is_empty() {
            return order;
        }
        (a, b) = (&a[left.len()..], &b[right.len()..]);
    }
}

fn is_digits(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

/// A run of digits, or one other letter.
fn chunk(text: &str) -> &str {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let first = text.chars().next().map_or(0, char::len_utf8);
    &text[..digits.max(first)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["net10", "net9", "bridge", "net", "a1b10", "a1b9", "net09", "ä"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a1b9", "a1b10", "bridge", "net", "net9", "net09", "net10", "ä"]);
    }
}
