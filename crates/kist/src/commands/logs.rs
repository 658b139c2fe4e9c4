//! `kist logs`.

use std::io::Write as _;

use engine::container::find;
use engine::container::logs::{Follow, More, logs};
use jiff::Timestamp;
use monitor::framing::Stream;
use monitor::log::{Entry, Query};
use spec::time::Time;

use crate::cli::{Cli, print};
use crate::report::Report;
use crate::units;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist logs`.
pub(crate) static LOGS: Verb = Verb {
    name: "logs",
    aliases: &["container logs"],
    usage: "[OPTIONS] CONTAINER",
    about: "Fetch the logs of a container",
    words: Words::Exactly(1),
    flags: &[&[
        flag("details", Takes::Switch, "Show extra details provided to logs"),
        short('f', "follow", Takes::Switch, "Follow log output"),
        flag(
            "since",
            Takes::One("string"),
            "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
        flag(
            "network",
            Takes::Switch,
            "Show what the egress policy of the container refused: names, and connections of the last hour",
        ),
        short('n', "tail", Takes::One("string"), "Number of lines to show from the end of the logs (default \"all\")"),
        short('t', "timestamps", Takes::Switch, "Show timestamps"),
        flag(
            "until",
            Takes::One("string"),
            "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let now = Timestamp::now();
    let moment = |long: &str| -> Result<Option<Time>, Report> {
        let read = |text| moment(text, now);
        args.text(long).map(read).transpose().map_err(|why| Report::plain(format!("invalid value for {long:?}: {why}")))
    };
    let query = Query {
        since: moment("since")?,
        until: moment("until")?,
        // Docker takes what is no number for "all".
        tail: args.text("tail").and_then(|text| text.parse().ok()),
        stdout: true,
        stderr: true,
    };
    let follow = if args.on("follow") { Follow::UntilItStops } else { Follow::No };
    if args.on("network") {
        if follow == Follow::UntilItStops {
            return Err(Report::plain("--network shows what was refused so far: it goes without --follow"));
        }
        return refused(cli, args, &query);
    }
    let (timestamps, details) = (args.on("timestamps"), args.on("details"));
    let host = cli.host()?;
    let id = find(&host, &args.words()[0])?;
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let mut show = |entry: Entry| {
        let mut line = String::new();
        if entry.begins && timestamps {
            line = format!("{} ", entry.time.fixed());
        }
        if entry.begins && details {
            // Attributes of the log, of which there are none, and a space.
            line.push(' ');
        }
        line.push_str(&entry.text);
        let written = match entry.stream {
            Stream::Stdout => out.write_all(line.as_bytes()).and_then(|()| out.flush()),
            Stream::Stderr => err.write_all(line.as_bytes()),
        };
        // A reader that left is no error.
        if written.is_ok() { More::Yes } else { More::No }
    };
    logs(&host, &id, query, follow, &mut show)?;
    Ok(0)
}

/// What the container's policy refused.
fn refused(cli: &Cli, args: &Args, query: &Query) -> Result<u8, Report> {
    let host = cli.host()?;
    let id = find(&host, &args.words()[0])?;
    let mut all = engine::container::refused::refused(&host, &id)?;
    all.retain(|one| {
        query.since.is_none_or(|since| one.time >= since) && query.until.is_none_or(|until| one.time <= until)
    });
    let first = query.tail.map_or(0, |tail| all.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX)));
    let text: String = all[first..].iter().map(|one| format!("{} refused {}\n", one.time.fixed(), one.what)).collect();
    print(&text);
    Ok(0)
}

/// A date, seconds since 1970, or how long ago (moby `timetypes.GetTimestamp`).
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Time, String> {
    let ns = |ns: i128| i64::try_from(ns).map(Time::from_ns).map_err(|_| format!("{text} is too far away"));
    // As a duration 0 would be now; it is 1970.
    if let (Ok(ago), true) = (units::parse_duration(text), text != "0") {
        return ns(now.as_nanosecond() - i128::from(ago));
    }
    let seconds = text.split_once('.').unwrap_or((text, ""));
    if let (Ok(whole), true) = (seconds.0.parse::<i64>(), seconds.1.bytes().all(|b| b.is_ascii_digit())) {
        let fraction: i128 = format!("{:0<9.9}", seconds.1).parse().unwrap_or(0);
        return ns(i128::from(whole) * 1_000_000_000 + fraction);
    }
    if let Ok(time) = text.parse::<Time>() {
        return Ok(time);
    }
    // Without a zone it is the reader's own.
    let zone = jiff::tz::TimeZone::system();
    let local = |text: &str| text.parse::<jiff::civil::DateTime>().ok().and_then(|date| zone.to_timestamp(date).ok());
    let found = local(text).or_else(|| local(&format!("{text}:00"))).or_else(|| local(&format!("{text}:00:00")));
    match found {
        Some(found) => ns(found.as_nanosecond()),
        None => Err(format!("failed to parse value as time or duration: {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_seconds_or_ages() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let check = |text: &str, is: &str| assert_eq!(moment(text, now).unwrap().to_string(), is, "{text}");
        check("90s", "2023-11-14T22:11:50Z");
        check("0", "1970-01-01T00:00:00Z");
        check("0s", "2023-11-14T22:13:20Z");
        check("1700000001", "2023-11-14T22:13:21Z");
        check("1700000000.5", "2023-11-14T22:13:20.5Z");
        check("2013-01-02T13:23:37Z", "2013-01-02T13:23:37Z");
        check("2013-01-02T13:23:37.000000001+01:00", "2013-01-02T12:23:37.000000001Z");
        assert!(moment("yesterday", now).is_err());
        assert!(
            moment("2013-01-02", now).is_ok()
                && moment("2013-01-02T13:23", now).is_ok()
                && moment("2013-01-02T13", now).is_ok()
        );
    }
}
