//! An event as Docker's API says it up to version 1.51.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use spec::event::{Event, Kind};

use super::go::Map;

/// `events.Message`. The first three are older than the rest, and many tools read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Actor,
    scope: &'static str,
    time: i64,
    #[serde(rename = "timeNano")]
    time_ns: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes")]
    attributes: Map<String>,
}

/// What Go calls it.
pub(crate) const GO_TYPE: &str = "*events.Message";

/// What all events are.
pub(crate) const SCOPE: &str = "local";

impl Message {
    /// Says an event.
    pub(crate) fn new(event: &Event) -> Message {
        let Event { kind, action, actor, at } = event;
        let (with_id, with_image) = match kind {
            Kind::Container => (true, true),
            Kind::Image => (true, false),
            Kind::Builder | Kind::Daemon | Kind::Network | Kind::Plugin | Kind::Volume => (false, false),
        };
        let image = actor.attributes.get("image").filter(|_| with_image);
        Message {
            status: if with_id { action.clone() } else { String::new() },
            id: if with_id { actor.id.clone() } else { String::new() },
            from: image.cloned().unwrap_or_default(),
            kind: kind.as_str(),
            action: action.clone(),
            actor: Actor { id: actor.id.clone(), attributes: Map(Some(actor.attributes.clone())) },
            scope: SCOPE,
            time: at.seconds(),
            time_ns: at.ns(),
        }
    }

    /// One about nothing, on which a template is tried.
    pub(crate) fn empty() -> Message {
        Message {
            status: String::new(),
            id: String::new(),
            from: String::new(),
            kind: "",
            action: String::new(),
            actor: Actor { id: String::new(), attributes: Map(None::<BTreeMap<String, String>>) },
            scope: "",
            time: 0,
            time_ns: 0,
        }
    }
}

/// A line of `docker events`, in the reader's time zone.
pub(crate) fn line(event: &Event, zone: &TimeZone) -> String {
    let Event { kind, action, actor, at } = event;
    let time = Timestamp::from_nanosecond(at.ns().into()).unwrap_or_default().to_zoned_datetime(zone.clone());
    let offset = if time.offset().is_zero() { "Z".to_owned() } else { time.strftime("%:z").to_string() };
    let time = time.strftime("%Y-%m-%dT%H:%M:%S.%9f");
    let mut line = format!("{time}{offset} {} {action} {}", kind.as_str(), actor.id);
    if !actor.attributes.is_empty() {
        let pairs: Vec<String> = actor.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        line.push_str(&format!(" ({})", pairs.join(", ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use spec::event::Actor;
    use spec::time::Time;

    use super::*;
    use crate::template::Template;

    fn event(kind: Kind) -> Event {
        let attributes = [("image", "nginx"), ("name", "web")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let actor = Actor { id: "4f0c".into(), attributes: attributes.into() };
        Event { kind, action: "create".into(), actor, at: Time::from_ns(1_767_225_601_000_000_000) }
    }

    #[test]
    fn lines_are_dockers() {
        let container = event(Kind::Container);
        assert_eq!(
            line(&container, &TimeZone::UTC),
            "2026-01-01T00:00:01.000000000Z container create 4f0c (image=nginx, name=web)"
        );
        let east = TimeZone::fixed(jiff::tz::offset(5));
        assert!(line(&container, &east).starts_with("2026-01-01T05:00:01.000000000+05:00 container"));
        let bare = Event { actor: Actor { id: String::new(), attributes: BTreeMap::new() }, ..container };
        assert_eq!(line(&bare, &TimeZone::UTC), "2026-01-01T00:00:01.000000000Z container create ");
    }

    #[test]
    fn json_has_what_old_tools_read() {
        let json = |kind| serde_json::to_string(&Message::new(&event(kind))).unwrap();
        expect![[r#"{"status":"create","id":"4f0c","from":"nginx","Type":"container","Action":"create","Actor":{"ID":"4f0c","Attributes":{"image":"nginx","name":"web"}},"scope":"local","time":1767225601,"timeNano":1767225601000000000}"#]]
        .assert_eq(&json(Kind::Container));
        expect![[r#"{"status":"create","id":"4f0c","Type":"image","Action":"create","Actor":{"ID":"4f0c","Attributes":{"image":"nginx","name":"web"}},"scope":"local","time":1767225601,"timeNano":1767225601000000000}"#]]
        .assert_eq(&json(Kind::Image));
        expect![[r#"{"Type":"volume","Action":"create","Actor":{"ID":"4f0c","Attributes":{"image":"nginx","name":"web"}},"scope":"local","time":1767225601,"timeNano":1767225601000000000}"#]]
        .assert_eq(&json(Kind::Volume));
    }

    #[test]
    fn templates_name_the_fields_as_go_does() {
        let check = |text: &str, event: &Message, is: &str| {
            assert_eq!(Template::parse(text).unwrap().render_struct(event, GO_TYPE).unwrap(), is);
        };
        let container = Message::new(&event(Kind::Container));
        check("{{.Status}} {{.ID}} {{.From}} {{.Time}} {{.Scope}}", &container, "create 4f0c nginx 1767225601 local");
        check(
            "{{.Type}} {{.Action}} {{.Actor.ID}} {{.TimeNano}}",
            &container,
            "container create 4f0c 1767225601000000000",
        );
        check("{{.Actor.Attributes.name}} {{index .Actor.Attributes \"image\"}}", &container, "web nginx");
        check("{{.Actor.Attributes.name}}", &Message::empty(), "<no value>");
        assert!(Template::parse("{{.Nope}}").unwrap().render_struct(&Message::empty(), GO_TYPE).is_err());
    }
}
