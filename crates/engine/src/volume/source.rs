//! What is behind a volume: its own directory, or what the options of the driver `local` say (moby `volume/local`).
//!
//! With Docker, the daemon mounts such a volume once, in the host's tree, for all its containers. kist has no daemon that could take it
//! away again, and attaches nothing to the host's tree: each container gets a mount of its own. A network file system and a disk are
//! one file system however often they are mounted, so nobody sees a difference. Memory (`type=tmpfs`) is a new one with each mount.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use spec::mount::MountAttributes;
use spec::volume::Volume;

use crate::error::Error;

/// What is mounted for a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory that kist made.
    Own(PathBuf),
    /// A path of the host (`o=bind`).
    Bind {
        /// Which.
        device: PathBuf,
        /// With what is mounted below it (`o=rbind`).
        recursive: bool,
        /// `ro` and the like.
        attributes: MountAttributes,
    },
    /// A file system.
    Filesystem {
        /// `type`.
        fstype: String,
        /// `device`.
        device: String,
        /// What of `o` the file system itself is told.
        options: Vec<(String, Option<String>)>,
        /// The rest of `o`.
        attributes: MountAttributes,
    },
}

impl Source {
    /// What the volume's record means; `data` is its own directory.
    #[must_use]
    pub fn of(volume: &Volume, data: &Path) -> Source {
        let none = BTreeMap::new();
        let options = volume.options.as_ref().unwrap_or(&none);
        let text = |key: &str| options.get(key).cloned().unwrap_or_default();
        let (fstype, device) = (text("type"), text("device"));
        if fstype.is_empty() && device.is_empty() {
            return Source::Own(data.into());
        }
        let words = Words::of(&text("o"));
        match words.bind {
            Some(recursive) => Source::Bind { device: device.into(), recursive, attributes: words.attributes },
            None => Source::Filesystem { fstype, device, options: words.rest, attributes: words.attributes },
        }
    }

    /// Turns a server's name in `addr=` into its address, which is all that the kernel takes.
    ///
    /// # Errors
    /// There is no such server.
    pub fn resolved(mut self) -> Result<Source, Error> {
        if let Source::Filesystem { fstype, options, .. } = &mut self
            && matches!(fstype.as_str(), "nfs" | "nfs4" | "cifs")
        {
            for (_, value) in options.iter_mut().filter(|(key, _)| key == "addr") {
                let Some(server) = value.as_mut().filter(|server| server.parse::<IpAddr>().is_err()) else { continue };
                let doing = || format!("error resolving passed in network volume address: {server}");
                let mut found = (server.as_str(), 0).to_socket_addrs().map_err(Error::io(doing()))?;
                let address = found.next().ok_or_else(|| Error::Invalid(doing()))?;
                *server = address.ip().to_string();
            }
        }
        Ok(self)
    }
}

/// The words of `o`, as mount(8) reads them (moby `sys/mount.parseOptions`).
#[derive(Default)]
struct Words {
    /// `bind` or `rbind`: whether recursive.
    bind: Option<bool>,
    attributes: MountAttributes,
    rest: Vec<(String, Option<String>)>,
}

impl Words {
    fn of(text: &str) -> Words {
        let mut words = Words::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            words.word(word);
        }
        words
    }

    fn word(&mut self, word: &str) {
        let attributes = &mut self.attributes;
        match word {
            "bind" => self.bind = Some(false),
            "rbind" => self.bind = Some(true),
            "ro" => attributes.readonly = true,
            "rw" => attributes.readonly = false,
            "nosuid" => attributes.nosuid = true,
            "suid" => attributes.nosuid = false,
            "nodev" => attributes.nodev = true,
            "dev" => attributes.nodev = false,
            "noexec" => attributes.noexec = true,
            "exec" => attributes.noexec = false,
            "noatime" => attributes.noatime = true,
            "nodiratime" => attributes.nodiratime = true,
            "strictatime" => attributes.strictatime = true,
            // The kernel's own choice, and what passes between mounts, which here nobody else has.
            "defaults" | "atime" | "diratime" | "relatime" | "norelatime" | "nostrictatime" | "async" | "nomand"
            | "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" | "unbindable" | "runbindable" => {}
            other => self.rest.push(match other.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (other.to_owned(), None),
            }),
        }
    }
}

/// Refuses options that the driver `local` does not take (moby `validateOpts`).
///
/// # Errors
/// What is wrong, in Docker's words.
pub fn validate(options: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(unknown) = options.keys().find(|key| !matches!(key.as_str(), "type" | "o" | "device" | "size")) {
        return Err(format!("invalid option: {unknown:?}"));
    }
    if options.get("size").is_some_and(|size| size.trim().parse() != Ok(0_u64)) {
        return Err("quota size requested but no quota support".into());
    }
    for (given, needed) in [("device", "type"), ("type", "device"), ("o", "device"), ("o", "type")] {
        if options.contains_key(given) && !options.contains_key(needed) {
            return Err(format!("missing required option: {needed:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use spec::time::Time;

    use super::*;

    fn options(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn check(text: &str, expected: expect_test::Expect) {
        let volume = Volume { created: Time::from_ns(0), labels: None, options: Some(options(text)) };
        expected.assert_eq(&match validate(&options(text)) {
            Ok(()) => format!("{:?}", Source::of(&volume, Path::new("/v/_data"))).replace(
                ", nosuid: false, nodev: false, noexec: false, noatime: false, strictatime: false, nodiratime: false",
                "",
            ),
            Err(text) => text,
        });
    }

    #[test]
    fn options_say_what_is_mounted() {
        use expect_test::expect;
        check("", expect![[r#"Own("/v/_data")"#]]);
        check(
            "type=none o=bind,ro device=/srv",
            expect![[
                r#"Bind { device: "/srv", recursive: false, attributes: MountAttributes { readonly: true, readonly_below: false } }"#
            ]],
        );
        check(
            "type=tmpfs o=size=1m,uid=5,defaults device=tmpfs",
            expect![[
                r#"Filesystem { fstype: "tmpfs", device: "tmpfs", options: [("size", Some("1m")), ("uid", Some("5"))], attributes: MountAttributes { readonly: false, readonly_below: false } }"#
            ]],
        );
        check(
            "type=nfs o=addr=10.0.0.1,nolock device=:/x",
            expect![[
                r#"Filesystem { fstype: "nfs", device: ":/x", options: [("addr", Some("10.0.0.1")), ("nolock", None)], attributes: MountAttributes { readonly: false, readonly_below: false } }"#
            ]],
        );
        check("type=none", expect![[r#"missing required option: "device""#]]);
        check("o=bind", expect![[r#"missing required option: "device""#]]);
        check("nope=1", expect![[r#"invalid option: "nope""#]]);
        check("size=1g", expect!["quota size requested but no quota support"]);
        check("size=0", expect![[r#"Own("/v/_data")"#]]);
    }
}
