//! What happened: Docker's events. Each is a line of `events.log`, in Docker's own words, so that what is on disk is what is shown.
//!
//! An event is made by one of the functions below, which know which attributes Docker gives it; nobody writes them by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::ContainerId;
use crate::time::Time;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// To what sort of thing.
    #[serde(rename = "Type")]
    pub kind: Kind,
    /// What: `start`, `exec_create: sh -c ls`.
    #[serde(rename = "Action")]
    pub action: String,
    /// To which.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "timeNano", with = "ns")]
    pub at: Time,
}

/// What an event happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its identifier, or its name where it has none; empty where it is many things.
    #[serde(rename = "ID")]
    pub id: String,
    /// What is said of it.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}

/// What sort of thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A build's leavings.
    Builder,
    /// A container.
    Container,
    /// The engine itself.
    Daemon,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A plugin.
    Plugin,
    /// A volume.
    Volume,
}

impl Kind {
    /// Docker's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Builder => "builder",
            Kind::Container => "container",
            Kind::Daemon => "daemon",
            Kind::Image => "image",
            Kind::Network => "network",
            Kind::Plugin => "plugin",
            Kind::Volume => "volume",
        }
    }
}

/// Which container an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its identifier.
    pub id: &'a ContainerId,
    /// Its image as the user named it.
    pub image: &'a str,
    /// Its name as of now.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// What happens to containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerAct<'a> {
    /// `cp` out of it.
    ArchivePath,
    /// A client was connected.
    Attach,
    /// An image was made of it.
    Commit {
        /// What the user said about it.
        comment: &'a str,
        /// The image.
        image_id: &'a str,
        /// Its name; empty where it got none.
        image_ref: &'a str,
    },
    /// It came to be.
    Create,
    /// It is gone.
    Destroy,
    /// A client left it alone by keys.
    Detach,
    /// Its process ended.
    Die {
        /// As a shell counts.
        exit_code: i32,
        /// Whole seconds.
        ran_s: i64,
    },
    /// One more process is about to be started.
    ExecCreate {
        /// Which.
        exec: &'a str,
        /// Its words.
        command: &'a [String],
    },
    /// A client left that process alone by keys.
    ExecDetach {
        /// Which.
        exec: &'a str,
    },
    /// That process ended.
    ExecDie {
        /// Which.
        exec: &'a str,
        /// As a shell counts.
        exit_code: i32,
    },
    /// That process was started.
    ExecStart {
        /// Which.
        exec: &'a str,
        /// Its words.
        command: &'a [String],
    },
    /// Its files were written out as a tar.
    Export,
    /// `cp` into it.
    ExtractToDir,
    /// Its health check has another verdict.
    HealthStatus {
        /// `healthy`, `unhealthy`.
        verdict: &'a str,
    },
    /// A signal was sent.
    Kill {
        /// Its number.
        signal: i32,
    },
    /// The kernel killed one of its processes for want of memory.
    Oom,
    /// It was frozen.
    Pause,
    /// Its name changed.
    Rename {
        /// What it was called.
        old_name: &'a str,
    },
    /// Its terminal has another size.
    Resize {
        /// Lines.
        rows: u16,
        /// Characters in a line.
        columns: u16,
    },
    /// It was stopped and started by a user.
    Restart,
    /// Its process was started.
    Start,
    /// A user stopped it.
    Stop,
    /// Its processes were listed.
    Top,
    /// It was thawed.
    Unpause,
    /// Its settings changed.
    Update,
}

impl ContainerAct<'_> {
    fn action(&self) -> String {
        let word = match self {
            ContainerAct::ArchivePath => "archive-path",
            ContainerAct::Attach => "attach",
            ContainerAct::Commit { .. } => "commit",
            ContainerAct::Create => "create",
            ContainerAct::Destroy => "destroy",
            ContainerAct::Detach => "detach",
            ContainerAct::Die { .. } => "die",
            ContainerAct::ExecCreate { command, .. } => return exec("exec_create", command),
            ContainerAct::ExecDetach { .. } => "exec_detach",
            ContainerAct::ExecDie { .. } => "exec_die",
            ContainerAct::ExecStart { command, .. } => return exec("exec_start", command),
            ContainerAct::Export => "export",
            ContainerAct::ExtractToDir => "extract-to-dir",
            ContainerAct::HealthStatus { verdict } => return format!("health_status: {verdict}"),
            ContainerAct::Kill { .. } => "kill",
            ContainerAct::Oom => "oom",
            ContainerAct::Pause => "pause",
            ContainerAct::Rename { .. } => "rename",
            ContainerAct::Resize { .. } => "resize",
            ContainerAct::Restart => "restart",
            ContainerAct::Start => "start",
            ContainerAct::Stop => "stop",
            ContainerAct::Top => "top",
            ContainerAct::Unpause => "unpause",
            ContainerAct::Update => "update",
        };
        word.to_owned()
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        match *self {
            ContainerAct::Commit { comment, image_id, image_ref } => {
                words(&[("comment", comment), ("imageID", image_id), ("imageRef", image_ref)])
            }
            ContainerAct::Die { exit_code, ran_s } => {
                words(&[("exitCode", &exit_code.to_string()), ("execDuration", &ran_s.to_string())])
            }
            ContainerAct::ExecCreate { exec, .. }
            | ContainerAct::ExecDetach { exec }
            | ContainerAct::ExecStart { exec, .. } => words(&[("execID", exec)]),
            ContainerAct::ExecDie { exec, exit_code } => {
                words(&[("execID", exec), ("exitCode", &exit_code.to_string())])
            }
            ContainerAct::Kill { signal } => words(&[("signal", &signal.to_string())]),
            // Docker's names begin with a slash, and here it shows.
            ContainerAct::Rename { old_name } => words(&[("oldName", &format!("/{old_name}"))]),
            ContainerAct::Resize { rows, columns } => {
                words(&[("height", &rows.to_string()), ("width", &columns.to_string())])
            }
            ContainerAct::ArchivePath
            | ContainerAct::Attach
            | ContainerAct::Create
            | ContainerAct::Destroy
            | ContainerAct::Detach
            | ContainerAct::Export
            | ContainerAct::ExtractToDir
            | ContainerAct::HealthStatus { .. }
            | ContainerAct::Oom
            | ContainerAct::Pause
            | ContainerAct::Restart
            | ContainerAct::Start
            | ContainerAct::Stop
            | ContainerAct::Top
            | ContainerAct::Unpause
            | ContainerAct::Update => BTreeMap::new(),
        }
    }
}

/// What happens to images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageAct {
    /// It was made here.
    Create,
    /// It is gone.
    Delete,
    /// It was made of a tree of files.
    Import,
    /// It came from an archive.
    Load,
    /// It came from a registry.
    Pull,
    /// It went to a registry.
    Push,
    /// It was written to an archive.
    Save,
    /// It got a name.
    Tag,
    /// It lost a name.
    Untag,
}

impl ImageAct {
    fn as_str(self) -> &'static str {
        match self {
            ImageAct::Create => "create",
            ImageAct::Delete => "delete",
            ImageAct::Import => "import",
            ImageAct::Load => "load",
            ImageAct::Pull => "pull",
            ImageAct::Push => "push",
            ImageAct::Save => "save",
            ImageAct::Tag => "tag",
            ImageAct::Untag => "untag",
        }
    }
}

/// What happens to networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkAct<'a> {
    /// It came to be.
    Create,
    /// It is gone.
    Destroy,
    /// A container was put on it.
    Connect(&'a ContainerId),
    /// A container was taken off it.
    Disconnect(&'a ContainerId),
}

/// What happens to volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeAct<'a> {
    /// It came to be.
    Create,
    /// It is gone.
    Destroy,
    /// A container that starts has it.
    Mount {
        /// Which container.
        container: &'a ContainerId,
        /// Where in the container.
        destination: &'a str,
        /// Whether the container may only read it.
        readonly: bool,
        /// As the user wrote it; usually empty.
        propagation: &'a str,
    },
    /// A container that ended had it.
    Unmount(&'a ContainerId),
}

impl Event {
    /// Something happened to a container. As with Docker its labels are among the attributes, and win over all but image and name.
    #[must_use]
    pub fn container(at: Time, subject: Subject<'_>, act: ContainerAct<'_>) -> Event {
        let mut attributes = act.attributes();
        attributes.extend(subject.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
        if !subject.image.is_empty() {
            attributes.insert("image".into(), subject.image.into());
        }
        attributes.insert("name".into(), subject.name.into());
        let id = subject.id.to_string();
        Event { kind: Kind::Container, action: act.action(), actor: Actor { id, attributes }, at }
    }

    /// Something happened to an image. `id` is its ID, or what the user calls it where it is pulled or pushed; `name` is what Docker
    /// says of it: the ID again, or the name that was given.
    #[must_use]
    pub fn image(at: Time, id: &str, name: &str, labels: &BTreeMap<String, String>, act: ImageAct) -> Event {
        let mut attributes = labels.clone();
        attributes.insert("name".into(), name.into());
        Event { kind: Kind::Image, action: act.as_str().into(), actor: Actor { id: id.into(), attributes }, at }
    }

    /// Something happened to a network. `driver` is `bridge`, `host` and so on.
    #[must_use]
    pub fn network(at: Time, id: &str, name: &str, driver: &str, act: NetworkAct<'_>) -> Event {
        let (action, container) = match act {
            NetworkAct::Create => ("create", None),
            NetworkAct::Destroy => ("destroy", None),
            NetworkAct::Connect(container) => ("connect", Some(container)),
            NetworkAct::Disconnect(container) => ("disconnect", Some(container)),
        };
        let mut attributes = words(&[("name", name), ("type", driver)]);
        attributes.extend(container.map(|container| ("container".to_owned(), container.to_string())));
        Event { kind: Kind::Network, action: action.into(), actor: Actor { id: id.into(), attributes }, at }
    }

    /// Something happened to a volume.
    #[must_use]
    pub fn volume(at: Time, name: &str, driver: &str, act: VolumeAct<'_>) -> Event {
        let mut attributes = words(&[("driver", driver)]);
        let mut more = |pairs: &[(&str, &str)]| attributes.extend(words(pairs));
        let action = match act {
            VolumeAct::Create => "create",
            VolumeAct::Destroy => "destroy",
            VolumeAct::Mount { container, destination, readonly, propagation } => {
                more(&[("container", container.as_str()), ("destination", destination)]);
                more(&[("read/write", if readonly { "false" } else { "true" }), ("propagation", propagation)]);
                "mount"
            }
            VolumeAct::Unmount(container) => {
                more(&[("container", container.as_str())]);
                "unmount"
            }
        };
        Event { kind: Kind::Volume, action: action.into(), actor: Actor { id: name.into(), attributes }, at }
    }

    /// What nobody used was removed.
    #[must_use]
    pub fn pruned(at: Time, kind: Kind, reclaimed_bytes: u64) -> Event {
        let attributes = words(&[("reclaimed", &reclaimed_bytes.to_string())]);
        Event { kind, action: "prune".into(), actor: Actor { id: String::new(), attributes }, at }
    }
}

/// The first word and the rest with a space between, even where there is no rest: moby `containerExecStart`.
fn exec(action: &str, command: &[String]) -> String {
    let (first, rest) = command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    format!("{action}: {first} {}", rest.join(" "))
}

fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A moment as a number.
mod ns {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Time;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    pub(super) fn serialize<S: Serializer>(at: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.ns())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        i64::deserialize(from).map(Time::from_ns)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(event: &Event, expected: Expect) {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), *event);
        expected.assert_eq(&text);
    }

    #[test]
    fn events_are_written_in_dockers_words() {
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let labels = words(&[("exitCode", "mine"), ("name", "mine")]);
        let subject = Subject { id: &id, image: "busybox", name: "web", labels: &labels };
        let at = Time::from_ns(1_767_225_600_000_000_001);
        let of = |act| Event::container(at, subject, act);
        check(
            &of(ContainerAct::Die { exit_code: 137, ran_s: 3 }),
            expect![[
                r#"{"Type":"container","Action":"die","Actor":{"ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","Attributes":{"execDuration":"3","exitCode":"mine","image":"busybox","name":"web"}},"timeNano":1767225600000000001}"#
            ]],
        );
        let command = ["ls".to_owned()];
        assert_eq!(of(ContainerAct::ExecCreate { exec: "e", command: &command }).action, "exec_create: ls ");
        let command = ["sh".to_owned(), "-c".to_owned(), "a b".to_owned()];
        assert_eq!(of(ContainerAct::ExecStart { exec: "e", command: &command }).action, "exec_start: sh -c a b");
        assert_eq!(of(ContainerAct::HealthStatus { verdict: "healthy" }).action, "health_status: healthy");
        assert_eq!(of(ContainerAct::Rename { old_name: "db" }).actor.attributes["oldName"], "/db");
        check(
            &Event::image(at, "busybox:latest", "busybox", &BTreeMap::new(), ImageAct::Pull),
            expect![[
                r#"{"Type":"image","Action":"pull","Actor":{"ID":"busybox:latest","Attributes":{"name":"busybox"}},"timeNano":1767225600000000001}"#
            ]],
        );
        check(
            &Event::network(at, "n1", "front", "bridge", NetworkAct::Connect(&id)),
            expect![[
                r#"{"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{"container":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","name":"front","type":"bridge"}},"timeNano":1767225600000000001}"#
            ]],
        );
        let mount = VolumeAct::Mount { container: &id, destination: "/data", readonly: true, propagation: "" };
        check(
            &Event::volume(at, "v", "local", mount),
            expect![[
                r#"{"Type":"volume","Action":"mount","Actor":{"ID":"v","Attributes":{"container":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","destination":"/data","driver":"local","propagation":"","read/write":"false"}},"timeNano":1767225600000000001}"#
            ]],
        );
        check(
            &Event::pruned(at, Kind::Volume, 12),
            expect![[
                r#"{"Type":"volume","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"12"}},"timeNano":1767225600000000001}"#
            ]],
        );
    }
}
