//! `kist inspect`, `kist container inspect`, `kist image inspect` and `kist volume inspect`.

use std::collections::BTreeMap;

use engine::container::{find, list};
use engine::image::pull::Pull;
use engine::network::list as networks;
use engine::network::places::places;
use engine::registry::Session;
use engine::system::facts::cgroups;
use engine::{Error, Host, image, volume};
use serde::Serialize;
use spec::platform::Platform;
use spec::reference::ReferenceError;

use super::listing::{self, OBJECT_FORMAT};
use super::ps::sizes;
use super::pull::platform;
use crate::cli::{Cli, note, say};
use crate::report::{Report, explain};
use crate::template::Template;
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};
use crate::wire::container::{ContainerInspect, GraphDriver};
use crate::wire::from_container::{self, Surroundings};
use crate::wire::go::Map;
use crate::wire::image::ImageInspect;
use crate::wire::network::{self, NetworkInspect};
use crate::wire::volume::VolumeInspect;
use crate::wire::{self, from_image, json};

/// `kist inspect`.
pub(crate) static INSPECT: Verb = Verb {
    name: "inspect",
    aliases: &[],
    usage: "[OPTIONS] NAME|ID [NAME|ID...]",
    about: "Return low-level information on Docker objects",
    words: Words::AtLeast(1),
    flags: &[&[
        FORMAT,
        short('s', "size", Takes::Switch, "Display total file sizes if the type is container"),
        flag("type", Takes::One("string"), "Only inspect objects of the given type"),
    ]],
    run: |cli, args| {
        let kind = match args.text("type") {
            None => Kind::Any,
            Some("container") => Kind::Container,
            Some("image") => Kind::Image,
            Some("network") => Kind::Network,
            Some("volume") => Kind::Volume,
            Some("plugin" | "node" | "service" | "secret" | "config" | "task") => Kind::None,
            Some(other) => return Err(Report::plain(format!("{other:?} is not a valid value for --type"))),
        };
        run(cli, args, kind)
    },
};

/// `kist container inspect`.
pub(crate) static CONTAINER_INSPECT: Verb = Verb {
    name: "container inspect",
    aliases: &[],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Display detailed information on one or more containers",
    words: Words::AtLeast(1),
    flags: &[&[FORMAT, short('s', "size", Takes::Switch, "Display total file sizes")]],
    run: |cli, args| run(cli, args, Kind::Container),
};

/// `kist image inspect`.
pub(crate) static IMAGE_INSPECT: Verb = Verb {
    name: "image inspect",
    aliases: &[],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Display detailed information on one or more images",
    words: Words::AtLeast(1),
    flags: &[&[
        FORMAT,
        flag(
            "platform",
            Takes::One("string"),
            "Inspect a specific platform of the multi-platform image. An image that is here must be for it. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        flag(
            "remote",
            Takes::Switch,
            "Ask the registry, without pulling; the size is then that of the compressed layers",
        ),
    ]],
    run: inspect_image,
};

/// `kist network inspect`.
pub(crate) static NETWORK_INSPECT: Verb = Verb {
    name: "network inspect",
    aliases: &[],
    usage: "[OPTIONS] NETWORK [NETWORK...]",
    about: "Display detailed information on one or more networks",
    words: Words::AtLeast(1),
    flags: &[&[FORMAT, short('v', "verbose", Takes::Switch, "Verbose output for diagnostics")]],
    run: |cli, args| run(cli, args, Kind::Network),
};

/// `kist volume inspect`.
pub(crate) static VOLUME_INSPECT: Verb = Verb {
    name: "volume inspect",
    aliases: &[],
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Display detailed information on one or more volumes",
    words: Words::AtLeast(1),
    flags: &[&[FORMAT]],
    run: |cli, args| run(cli, args, Kind::Volume),
};

const FORMAT: Flag = short('f', "format", Takes::One("string"), OBJECT_FORMAT);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Containers first, then images, then networks, then volumes.
    Any,
    Container,
    Image,
    Network,
    Volume,
    /// What there is none of yet.
    None,
}

/// An object found.
#[derive(Serialize)]
#[serde(untagged)]
enum Object {
    Container(Box<ContainerInspect>),
    Image(Box<ImageInspect>),
    Network(Box<NetworkInspect>),
    Volume(VolumeInspect),
}

fn run(cli: &Cli, args: &Args, kind: Kind) -> Result<u8, Report> {
    let template = template(args)?;
    let host = cli.host()?;
    let with_sizes = matches!(kind, Kind::Any | Kind::Container) && args.on("size");
    show(args, template.as_ref(), &|name| object(&host, name, kind, with_sizes))
}

fn inspect_image(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let template = template(args)?;
    if args.on("remote") {
        let platform = platform(cli, args, &IMAGE_INSPECT)?;
        let session = Session::open(&cli.registries())?;
        return show(args, template.as_ref(), &|name| remote(&session, name, platform.as_ref()));
    }
    let platform = args.parsed(&IMAGE_INSPECT, "platform", str::parse::<Platform>)?;
    let host = cli.host()?;
    show(args, template.as_ref(), &|name| Ok(view(&host, name, platform.as_ref())?))
}

fn template(args: &Args) -> Result<Option<Template>, Report> {
    let text = match args.text("format") {
        None => return Ok(None),
        Some("json") => "{{json .}}",
        Some(text) => text,
    };
    Template::parse(text).map(Some).map_err(listing::refused)
}

/// Prints what is found of the names; a line for each that is not.
fn show(
    args: &Args,
    template: Option<&Template>,
    find: &dyn Fn(&str) -> Result<Object, Missing>,
) -> Result<u8, Report> {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for name in args.words() {
        match find(name) {
            Ok(object) => found.push(object),
            Err(Missing::Object) => failed.push(format!("error: no such object: {name}")),
            Err(Missing::Why(report)) => failed.push(report.text),
        }
    }
    match template {
        None => say(&json::pretty(&found).map_err(|error| Report::plain(error.to_string()))?),
        Some(template) => {
            for object in &found {
                match render(template, object) {
                    Ok(text) => say(&format!("{text}\n")),
                    Err(text) => failed.push(text),
                }
            }
            if found.is_empty() {
                // Docker ends its empty output with a newline, too.
                say("\n");
            }
        }
    }
    for text in &failed {
        note(text);
    }
    if failed.is_empty() { Ok(0) } else { Err(Report::silent(1)) }
}

fn render(template: &Template, object: &Object) -> Result<String, String> {
    let rendered = match object {
        Object::Container(container) => template.render_typed(container),
        Object::Image(image) => template.render_typed(image),
        Object::Network(network) => template.render_typed(network),
        Object::Volume(volume) => template.render_typed(volume),
    };
    rendered.map_err(|error| error.to_string())
}

enum Missing {
    /// Nothing is called so.
    Object,
    /// Something else.
    Why(Report),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Missing {
        let missing = matches!(error, Error::NotFound(_));
        Missing::Why(if missing { Report::plain(without_remedies(&error)) } else { error.into() })
    }
}

fn object(host: &Host, name: &str, kind: Kind, with_sizes: bool) -> Result<Object, Missing> {
    if matches!(kind, Kind::Any | Kind::Container) {
        match find(host, name).and_then(|id| list::view(host, &id)) {
            Ok(view) => {
                return container(host, &view, with_sizes)
                    .map(|found| Object::Container(Box::new(found)))
                    .map_err(Missing::Why);
            }
            Err(Error::NotFound(_)) if kind == Kind::Any => {}
            Err(error) => return Err(error.into()),
        }
    }
    if matches!(kind, Kind::Any | Kind::Image) {
        match view(host, name, None) {
            Err(Error::NotFound(_) | Error::Invalid(_)) if kind == Kind::Any => {}
            other => return other.map_err(Missing::from),
        }
    }
    if matches!(kind, Kind::Any | Kind::Network) {
        match networks::view(host, name) {
            Err(Error::NotFound(_) | Error::Invalid(_)) if kind == Kind::Any => {}
            other => return Ok(Object::Network(Box::new(network::inspect(&other?)))),
        }
    }
    match kind {
        Kind::Any | Kind::Volume => match volume::list::view(host, name) {
            Ok(view) => Ok(Object::Volume(wire::volume::inspect(&view, &jiff::tz::TimeZone::system()))),
            Err(Error::NotFound(_)) if kind == Kind::Any => Err(Missing::Object),
            Err(error) => Err(error.into()),
        },
        Kind::Container | Kind::Image | Kind::Network | Kind::None => Err(Missing::Object),
    }
}

fn view(host: &Host, name: &str, platform: Option<&Platform>) -> Result<Object, Error> {
    let (image, names) = image::list::view(host, name)?;
    if let Some(platform) = platform {
        image::list::require(&image, name, platform)?;
    }
    let graph = graph(&[("LowerDir", lowers(&host.store.layer_places(&image.chains)))]);
    Ok(Object::Image(Box::new(from_image::inspect(&image, &names, graph))))
}

/// An image of a registry.
fn remote(session: &Session, name: &str, platform: Option<&Platform>) -> Result<Object, Missing> {
    let invalid = |e: ReferenceError| Missing::Why(Report::plain(e.to_string()));
    let request = Pull { reference: name.parse().map_err(invalid)?, platform: platform.cloned() };
    let (image, names) = image::remote::view(session, &request)?;
    Ok(Object::Image(Box::new(from_image::inspect_remote(&image, &names))))
}

/// One line an object: several may be missing.
fn without_remedies(error: &Error) -> String {
    let text = explain(error);
    format!("Error response from daemon: {}", text.lines().next().unwrap_or_default())
}

fn container(host: &Host, view: &list::View, with_sizes: bool) -> Result<ContainerInspect, Report> {
    let id = &view.config.id;
    let networks = places(host, view)?;
    let places = host.store.draft_places(id).map_err(Error::from)?;
    let mut data = vec![
        ("LowerDir", lowers(&places.lowers)),
        ("UpperDir", places.upper.display().to_string()),
        ("WorkDir", places.work.display().to_string()),
    ];
    // The mount has no place in the host's tree; this is where it can be walked while the container runs.
    data.extend(view.state.status.life().map(|life| ("MergedDir", format!("/proc/{}/root", life.pid))));
    let around = Surroundings {
        settings: find::record(host, id)?.settings,
        places: networks,
        cgroups: cgroups(),
        dir: host.home.container(id),
        volumes: host.home.volumes(),
        graph: graph(&data),
        sizes: if with_sizes { Some(sizes(host, view)?) } else { None },
    };
    Ok(from_container::inspect(view, around))
}

fn lowers(paths: &[std::path::PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

fn graph(data: &[(&str, String)]) -> GraphDriver {
    let data: BTreeMap<String, String> = data.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    GraphDriver { data: Map(Some(data)), name: "overlay2".to_owned() }
}
