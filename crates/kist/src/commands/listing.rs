//! What the lists share: who reads, how, and filters.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::note;
use crate::filter::{FilterError, Filters};
use crate::report::Report;
use crate::template::{Column, Listing, Row, TemplateError};
use crate::verb::Args;
use crate::wire::container_row::{Reader, Width};

/// The help of `--format` where there are tables.
pub(super) const TABLE_FORMAT: &str = "Format output using a custom template:\n\
    'table':            Print output in table format with column headers (default)\n\
    'table TEMPLATE':   Print output in table format using the given Go template\n\
    'json':             Print in JSON format\n\
    'TEMPLATE':         Print output using the given Go template.\n\
    Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// The help of `--format` where there are none.
pub(super) const OBJECT_FORMAT: &str = "Format output using a custom template:\n\
    'json':             Print in JSON format\n\
    'TEMPLATE':         Print output using the given Go template.\n\
    Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// Who reads, and whether long columns are cut.
pub(super) fn reader(args: &Args) -> Reader {
    Reader {
        now: Timestamp::now(),
        zone: TimeZone::system(),
        width: if args.on("no-trunc") { Width::Full } else { Width::Short },
    }
}

/// A list's own texts for what `--format` leaves to it.
pub(super) struct Defaults {
    pub(super) table: String,
    pub(super) raw: String,
    /// With `-q`.
    pub(super) quiet: &'static str,
    pub(super) raw_quiet: &'static str,
}

/// What is printed for each row (docker/cli `formatter.NewContainerFormat` and its sisters).
pub(super) fn listing(args: &Args, defaults: &Defaults) -> Result<Listing, Report> {
    let quiet = args.on("quiet");
    let format = match args.text("format") {
        Some(_) if quiet => {
            note("WARNING: Ignoring custom format, because both --format and --quiet are set.");
            defaults.quiet
        }
        None | Some("table") if quiet => defaults.quiet,
        None | Some("table") => &defaults.table,
        Some("raw") if quiet => defaults.raw_quiet,
        Some("raw") => &defaults.raw,
        Some(custom) => custom,
    };
    Listing::parse(format).map_err(refused)
}

/// The whole list as printed.
pub(super) fn render(listing: &Listing, columns: &'static [Column], rows: &[&dyn Row]) -> Result<String, Report> {
    listing
        .render(columns, rows)
        .map_err(|error| Report::plain(format!("failed to execute template: {}", error.text())))
}

/// A template that does not parse.
pub(super) fn refused(error: TemplateError) -> Report {
    Report::plain(error.to_string())
}

/// The filters of a command that knows `keys`.
pub(super) fn filters(args: &Args, keys: &[&str]) -> Result<Filters, Report> {
    let filters = Filters::parse(args.list("filter")).map_err(|error| Report::plain(error.to_string()))?;
    filters.accept(keys).map_err(bad_filter)?;
    Ok(filters)
}

/// A filter that the daemon would refuse.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
pub(super) fn bad_filter(error: FilterError) -> Report {
    Report::plain(format!("Error response from daemon: {error}"))
}
