//! `kist images`.

use std::collections::BTreeSet;

use engine::image::list;
use engine::{Error, Host};
use jiff::Timestamp;
use spec::platform::Platform;
use spec::reference::Reference;
use spec::time::Time;
use store::{Image, Names};

use super::listing::{self, Defaults, TABLE_FORMAT, bad_filter};
use super::logs::moment;
use crate::cli::{Cli, say};
use crate::filter::{Filters, IMAGE_KEYS};
use crate::report::Report;
use crate::template::Row;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::from_image::{Shown, rows};
use crate::wire::image_row::{COLUMNS, RAW, RAW_WITH_DIGESTS, TABLE, TABLE_WITH_DIGESTS};

/// `kist images`.
pub(crate) static IMAGES: Verb = Verb {
    name: "images",
    aliases: &["image ls", "image list"],
    usage: "[OPTIONS] [REPOSITORY[:TAG]]",
    about: "List images",
    words: Words::AtMost(1),
    flags: &[&[
        short('a', "all", Takes::Switch, "Show all images (default hides intermediate images)"),
        flag("digests", Takes::Switch, "Show digests"),
        short('f', "filter", Takes::List("filter"), "Filter output based on conditions provided"),
        flag("format", Takes::One("string"), TABLE_FORMAT),
        flag("no-trunc", Takes::Switch, "Don't truncate output"),
        short('q', "quiet", Takes::Switch, "Only show image IDs"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let mut filters = listing::filters(args, IMAGE_KEYS)?;
    if let [reference] = args.words() {
        filters.add("reference", reference);
    }
    let digests = args.on("digests");
    let listing = listing::listing(
        args,
        &Defaults {
            table: (if digests { TABLE_WITH_DIGESTS } else { TABLE }).to_owned(),
            raw: (if digests { RAW_WITH_DIGESTS } else { RAW }).to_owned(),
            quiet: "{{.ID}}",
            raw_quiet: "image_id: {{.ID}}",
        },
    )?;
    let shown = if digests || listing.speaks_of("Digest") { Shown::Digests } else { Shown::Tags };
    let host = cli.host()?;
    let sift = Sift::new(&host, filters)?;
    let users = if listing.speaks_of("Containers") { list::users(&host)? } else { Default::default() };
    let reader = listing::reader(args);
    let mut all = Vec::new();
    for (image, names) in list::list(&host)? {
        let Some(names) = sift.keeps(&image, &names) else { continue };
        let containers = users.get(&image.id).map_or(0, |users| u64::try_from(users.len()).unwrap_or(u64::MAX));
        all.extend(rows(&image, &names, containers, shown, &reader));
    }
    if args.on("quiet") {
        // An image is one image, whatever it is called.
        let mut seen = BTreeSet::new();
        all.retain(|row| seen.insert(row.id.clone()));
    }
    let all: Vec<&dyn Row> = all.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, COLUMNS, &all)?);
    Ok(0)
}

/// The filters, with what they name looked up.
struct Sift {
    filters: Filters,
    dangling: Option<bool>,
    before: Option<Time>,
    since: Option<Time>,
}

impl Sift {
    fn new(host: &Host, filters: Filters) -> Result<Sift, Report> {
        let dangling = filters.flag("dangling").map_err(bad_filter)?;
        let created = |name: &str| -> Result<Time, engine::Error> {
            Ok(list::view(host, name)?.0.created().unwrap_or(Time::from_ns(0)))
        };
        let mut before = filters.values("before").map(created).collect::<Result<Vec<_>, _>>()?;
        let now = Timestamp::now();
        for text in filters.values("until") {
            before.push(moment(text, now).map_err(|why| {
                Report::plain(format!("Error response from daemon: invalid filter 'until={text}': {why}"))
            })?);
        }
        let since = filters.values("since").map(created).collect::<Result<Vec<_>, _>>()?;
        Ok(Sift { dangling, before: before.into_iter().min(), since: since.into_iter().max(), filters })
    }

    /// The names to show; none: the image is left out.
    fn keeps<'a>(&self, image: &Image, names: &'a Names) -> Option<Vec<&'a Reference>> {
        let created = image.created().unwrap_or(Time::from_ns(0));
        let kept = self.dangling.is_none_or(|dangling| dangling == names.tags.is_empty())
            && self.before.is_none_or(|before| created < before)
            && self.since.is_none_or(|since| created > since)
            && self.filters.labels("label", &image.config.config.labels);
        if !kept {
            return None;
        }
        if !self.filters.has("reference") {
            return Some(names.iter().collect());
        }
        let wanted = |name: &&Reference| self.filters.values("reference").any(|pattern| matches(pattern, name));
        let names: Vec<&Reference> = names.iter().filter(wanted).collect();
        (!names.is_empty()).then_some(names)
    }
}

/// `--platform`: an image has one, and it must be this.
pub(super) fn require(host: &Host, names: &[String], platform: Option<&Platform>) -> Result<(), Error> {
    let Some(platform) = platform else { return Ok(()) };
    names.iter().try_for_each(|name| require_one(host, name, platform))
}

/// The same for one image.
pub(super) fn require_one(host: &Host, name: &str, platform: &Platform) -> Result<(), Error> {
    let (image, _) = list::view(host, name)?;
    list::require(&image, name, platform)
}

/// Whether the familiar name, with or without its tag, fits a pattern of a shell's (distribution `reference.FamiliarMatch`).
fn matches(pattern: &str, name: &Reference) -> bool {
    glob(pattern, &name.familiar()) || glob(pattern, &name.familiar_name())
}

/// Go's `path.Match`, without classes: `*` and `?` do not cross a slash.
fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.take_while(|end| !text[..*end].contains('/')).any(|end| glob(rest.as_str(), &text[end..]))
        }
        Some(first) => {
            let mut of_text = text.chars();
            let literal = if first == '\\' { rest.next() } else { Some(first) };
            match (of_text.next(), literal) {
                (Some(c), Some(wanted)) => {
                    (c == wanted || (first == '?' && c != '/')) && glob(rest.as_str(), of_text.as_str())
                }
                (None, _) | (_, None) => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_fit_patterns() {
        let check = |pattern: &str, name: &str| matches(pattern, &name.parse().unwrap());
        assert!(check("nginx", "nginx:1") && check("ngi*", "nginx") && check("*:1", "nginx:1") && check("a/*", "a/b"));
        assert!(!check("nginx:2", "nginx:1") && !check("*", "a/b") && check("*/*", "a/b") && check("n?inx", "nginx"));
    }
}
