//! `kist events`.

use std::io::Write as _;

use engine::container::logs::More;
use engine::system::events::{Span, events};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use spec::event::{Event, Kind};
use spec::reference::Reference;
use spec::time::Time;

use super::listing::{self, OBJECT_FORMAT};
use super::logs::moment;
use crate::cli::Cli;
use crate::filter::{EVENT_KEYS, Filters};
use crate::report::{Code, Report};
use crate::template::{Template, TemplateError};
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::event::{GO_TYPE, Message, SCOPE, line};

/// `kist events`.
pub(crate) static EVENTS: Verb = Verb {
    name: "events",
    aliases: &["system events"],
    usage: "[OPTIONS]",
    about: "Get real time events",
    words: Words::None,
    flags: &[&[
        short('f', "filter", Takes::List("filter"), "Filter output based on conditions provided"),
        flag("format", Takes::One("string"), OBJECT_FORMAT),
        flag("since", Takes::One("string"), "Show all events created since timestamp"),
        flag("until", Takes::One("string"), "Stream events until this timestamp"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let template = template(args)?;
    let span = span(args)?;
    let filters = listing::filters(args, EVENT_KEYS)?;
    let host = cli.host()?;
    let zone = TimeZone::system();
    let mut failed = None;
    let mut print = |event: Event| {
        if !keeps(&filters, &event) {
            return More::Yes;
        }
        let text = match &template {
            None => line(&event, &zone),
            Some(template) => match template.render_struct(&Message::new(&event), GO_TYPE) {
                Ok(text) => text,
                Err(error) => {
                    failed = Some(error);
                    return More::No;
                }
            },
        };
        let mut out = std::io::stdout().lock();
        // A reader that left is no error.
        if writeln!(out, "{text}").and_then(|()| out.flush()).is_ok() { More::Yes } else { More::No }
    };
    events(&host, span, &mut print)?;
    match failed {
        None => Ok(0),
        Some(error) => Err(Report::plain(error.text())),
    }
}

fn template(args: &Args) -> Result<Option<Template>, Report> {
    let text = match args.text("format") {
        None => return Ok(None),
        Some("json") => "{{json .}}",
        Some(text) => text,
    };
    let refused = |error: TemplateError| Report {
        text: format!("Error parsing format: {}", error.text()),
        code: Code::Exactly(64),
    };
    let template = Template::parse(text).map_err(refused)?;
    // A field that no event has is found out before the first one comes.
    template.render_struct(&Message::empty(), GO_TYPE).map_err(refused)?;
    Ok(Some(template))
}

fn span(args: &Args) -> Result<Span, Report> {
    let now = Timestamp::now();
    let read = |long: &str| args.text(long).map(|text| moment(text, now)).transpose().map_err(Report::plain);
    let (since, until) = (read("since")?, read("until")?);
    if let (Some(from), Some(to)) = (since, until)
        && to < from
    {
        let [from, to] = [from, to].map(unix);
        let text = format!("Error response from daemon: `since` time ({from}) cannot be after `until` time ({to})");
        return Err(Report::plain(text));
    }
    Ok(Span { since, until })
}

fn unix(time: Time) -> String {
    format!("{}.{:09}", time.seconds(), time.ns().rem_euclid(1_000_000_000))
}

/// moby `daemon/events/filter.go`.
fn keeps(filters: &Filters, event: &Event) -> bool {
    let Event { kind, action, actor, .. } = event;
    let attribute = |key: &str| actor.attributes.get(key).map_or("", String::as_str);
    // A command or a verdict follows these words, which nobody wants to spell out.
    let begins = filters.values("event").any(|word| matches!(word, "health_status" | "exec_create" | "exec_start"));
    let is_action = if begins { filters.prefix("event", action) } else { filters.exact("event", action) };
    // Docker asks this of every event, of whatever type it is.
    let is_called = |key: &str| filters.prefix(key, &actor.id) || filters.prefix(key, attribute("name"));
    let image = attribute(if *kind == Kind::Image { "name" } else { "image" });
    let is_image =
        [&actor.id, image, &untagged(&actor.id), &untagged(image)].iter().any(|name| filters.exact("image", name));
    is_action
        && is_image
        && filters.exact("type", kind.as_str())
        && filters.exact("scope", SCOPE)
        && ["config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume"]
            .into_iter()
            .all(is_called)
        && filters.labels("label", &actor.attributes)
}

fn untagged(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |name| name.familiar_name())
}

#[cfg(test)]
mod tests {
    use spec::event::Actor;

    use super::*;

    fn check(filter: &[&str], kind: Kind, action: &str, attributes: &[(&str, &str)], kept: bool) {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let actor = Actor { id: "4f0c21".into(), attributes };
        let event = Event { kind, action: action.into(), actor, at: Time::from_ns(0) };
        assert_eq!(keeps(&Filters::parse(filter).unwrap(), &event), kept, "{filter:?} {event:?}");
    }

    #[test]
    fn filters_are_dockers() {
        let web = [("image", "docker.io/library/nginx:1"), ("name", "web"), ("tier", "front")];
        for (filter, kept) in [
            (&[][..], true),
            (&["container=web"], true),
            (&["container=we"], true),
            (&["container=4f0c"], true),
            (&["container=db"], false),
            (&["container=db", "container=web"], true),
            (&["container=web", "type=image"], false),
            (&["image=nginx"], true),
            (&["image=ngin"], false),
            (&["image=docker.io/library/nginx:1"], true),
            (&["event=die"], true),
            (&["event=di"], false),
            (&["event=start", "event=die"], true),
            (&["label=tier"], true),
            (&["label=tier=front"], true),
            (&["label=tier=back"], false),
            (&["scope=local"], true),
            (&["scope=swarm"], false),
            (&["network=web"], true),
        ] {
            check(filter, Kind::Container, "die", &web, kept);
        }
        check(&["event=health_status"], Kind::Container, "health_status: healthy", &web, true);
        check(&["event=health_status: healthy"], Kind::Container, "health_status: healthy", &web, true);
        check(&["event=exec_create"], Kind::Container, "exec_create: sh -c ls", &web, true);
        check(&["event=exec"], Kind::Container, "exec_create: sh -c ls", &web, false);
        check(&["image=nginx"], Kind::Image, "pull", &[("name", "nginx")], true);
    }
}
