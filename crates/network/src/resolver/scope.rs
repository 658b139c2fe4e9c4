//! What a container's resolver knows, and what it says of itself.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use disk::Home;
use rustix::rand::{GetRandomFlags, getrandom};
use spec::id::{ContainerId, NetworkId};
use spec::network::{Egress, Endpoint};

use crate::dns::{A, AAAA, Code, Query, Record};
use crate::place;

/// The name of a container's address: what a question for it is answered.
pub type NameOf = fn(&Home, &ContainerId, IpAddr) -> Option<String>;

/// What a resolver may know and do: all that changes when a network comes or goes.
#[derive(Debug)]
pub struct Scope {
    /// Where names lie.
    pub home: Home,
    /// Whose resolver it is.
    pub container: ContainerId,
    /// The networks with names that the container is on, best first.
    pub networks: Vec<Known>,
    /// The container's places: whose traffic is opened where a policy allows a name.
    pub endpoints: Vec<Endpoint>,
    /// What any of them forbids is forbidden.
    pub policies: Vec<Egress>,
    /// Who is asked for the rest.
    pub forward: Forward,
    /// Whether names without a dot are for nobody else: `--dns-option ndots:N`.
    pub bare: Bare,
    /// Where refused names are written down.
    pub notes: PathBuf,
    /// Who knows the names of addresses.
    pub name_of: NameOf,
}

/// A network with names.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which.
    pub id: NetworkId,
    /// Its name, which may be written behind those of its containers: `web.backend`.
    pub name: String,
    /// `--link`: names that this container alone uses.
    pub links: Vec<(String, ContainerId)>,
}

/// Who is asked for what we do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nobody: the container has no way out.
    Nobody,
    /// The host's servers.
    Host,
    /// `--dns`.
    To(Vec<IpAddr>),
}

/// What becomes of an unknown name without a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// It is asked of servers, too.
    Forward,
    /// It is not there.
    Keep,
}

/// What is done about a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// We know.
    Answer(Code, Vec<Record>),
    /// Others may know.
    Forward,
    /// A policy says no.
    Refuse,
}

/// The most containers of one name that are answered.
const MOST: usize = 1024;

impl Scope {
    pub(super) fn decide(&self, query: &Query) -> Decision {
        if query.is_internet() {
            if let Some(addresses) = self.lookup(&query.name) {
                let is_asked = |address: &IpAddr| match query.kind {
                    A => address.is_ipv4(),
                    AAAA => address.is_ipv6(),
                    _ => false,
                };
                let mut records: Vec<_> = addresses.into_iter().filter(is_asked).map(Record::Address).collect();
                shuffle(&mut records);
                return Decision::Answer(Code::NoError, records);
            }
            if let Some(name) = query.reversed().and_then(|address| self.name_of(address)) {
                return Decision::Answer(Code::NoError, vec![Record::Name(name)]);
            }
        }
        let is_bare = [A, AAAA].contains(&query.kind) && !query.name.contains('.');
        match (self.bare, &self.forward) {
            (Bare::Keep, _) if is_bare => Decision::Answer(Code::NoError, Vec::new()),
            (Bare::Keep | Bare::Forward, _) if !self.allows(query) => Decision::Refuse,
            (Bare::Keep | Bare::Forward, Forward::Nobody) => Decision::Answer(Code::ServerFailure, Vec::new()),
            (Bare::Keep | Bare::Forward, Forward::Host | Forward::To(_)) => Decision::Forward,
        }
    }

    /// The addresses of a container's name; none: nobody has it. A network's name may follow, and both may have dots (moby `ResolveName`).
    fn lookup(&self, name: &str) -> Option<Vec<IpAddr>> {
        let with_network = name.match_indices('.').map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
        std::iter::once((name, None)).chain(with_network.rev()).find_map(|(name, network)| {
            let named = |known: &&Known| network.is_none_or(|network| known.name.eq_ignore_ascii_case(network));
            self.networks.iter().filter(named).find_map(|known| self.lookup_in(known, name))
        })
    }

    fn lookup_in(&self, known: &Known, name: &str) -> Option<Vec<IpAddr>> {
        let names = place::names(&self.home, &known.id);
        if let Some((_, linked)) = known.links.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)) {
            // Every container has its short identifier for a name.
            return addresses(&names.join(linked.short()).join(linked.as_str())).ok();
        }
        // Labels are not empty, and what no host name has is escaped: the name leads nowhere else. The root is no name.
        if name.is_empty() {
            return None;
        }
        let entries = fs::read_dir(names.join(name)).ok()?;
        let mut all = Vec::new();
        for entry in entries.flatten().take(MOST) {
            // Gone meanwhile: it has none.
            all.extend(addresses(&entry.path()).unwrap_or_default());
        }
        // A directory may outlive its last link.
        (!all.is_empty()).then_some(all)
    }

    fn name_of(&self, address: IpAddr) -> Option<String> {
        self.networks.iter().find_map(|known| {
            let holder = disk::links::holder(&place::leases(&self.home, &known.id), &address.to_string()).ok()??;
            let name = (self.name_of)(&self.home, &holder.parse().ok()?, address)?;
            Some(format!("{name}.{}", known.name))
        })
    }

    fn allows(&self, query: &Query) -> bool {
        self.policies.iter().all(|policy| match query.reversed() {
            Some(address) => policy.subnets.iter().any(|subnet| subnet.contains(address)),
            None => policy.names.iter().any(|pattern| matches(pattern, &query.name)),
        })
    }
}

/// `*.example.com` is all below `example.com`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => name == pattern,
    }
}

/// What a name's link says.
fn addresses(link: &Path) -> io::Result<Vec<IpAddr>> {
    let text = fs::read_link(link)?;
    Ok(text.to_string_lossy().split(' ').filter_map(|address| address.parse().ok()).collect())
}

/// Another order at each question: what clients take for a fair share.
fn shuffle<T>(list: &mut [T]) {
    for end in (2..=list.len()).rev() {
        list.swap(end - 1, usize::from(random()) % end);
    }
}

pub(super) fn random() -> u16 {
    let mut bytes = [0; 2];
    // Two bytes come whole, once the machine is up.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    u16::from_ne_bytes(bytes)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make the names themselves")]
mod tests {
    use std::os::unix::fs::symlink;

    use testkit::Root;

    use super::*;
    use crate::dns::PTR;

    fn id(digit: char) -> ContainerId {
        digit.to_string().repeat(64).parse().unwrap()
    }

    fn network(digit: char) -> NetworkId {
        digit.to_string().repeat(64).parse().unwrap()
    }

    /// Network 1, `back`, with `web` twice and `db`; network 2, `front.end`, with another `db`.
    fn scope(root: &Root, policies: Vec<Egress>) -> Scope {
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        let add = |of: char, name: &str, container: char, addresses: &str| {
            let dir = place::names(&home, &network(of)).join(name);
            fs::create_dir_all(&dir).unwrap();
            symlink(addresses, dir.join(id(container).as_str())).unwrap();
            let leases = place::leases(&home, &network(of));
            fs::create_dir_all(&leases).unwrap();
            for address in addresses.split(' ') {
                let _ = symlink(id(container).as_str(), leases.join(address));
            }
        };
        add('1', "web", 'a', "10.0.0.2 fd00::2");
        add('1', "web", 'b', "10.0.0.3");
        add('1', "db", 'c', "10.0.0.4");
        add('1', &"d".repeat(12), 'd', "10.0.0.5");
        add('2', "db", 'e', "10.1.0.4");
        fs::create_dir_all(place::names(&home, &network('1')).join("empty")).unwrap();
        let known = |of: char, name: &str, links| Known { id: network(of), name: name.into(), links };
        Scope {
            home,
            container: id('a'),
            networks: vec![known('1', "back", vec![("Other".into(), id('d'))]), known('2', "front.end", Vec::new())],
            endpoints: Vec::new(),
            policies,
            forward: Forward::Host,
            bare: Bare::Forward,
            notes: root.join("notes"),
            name_of: |_, container, _| Some(format!("name-of-{}", &container.as_str()[..1])),
        }
    }

    fn said(scope: &Scope, name: &str, kind: u16) -> String {
        let query = Query::of(name, kind);
        match scope.decide(&query) {
            Decision::Answer(code, mut records) => {
                records.sort_by_key(|record| format!("{record:?}"));
                let records = records.iter().map(|record| match record {
                    Record::Address(address) => format!(" {address}"),
                    Record::Name(name) => format!(" {name}"),
                });
                format!("{code:?}{}", records.collect::<String>())
            }
            Decision::Forward => "forward".into(),
            Decision::Refuse => "refuse".into(),
        }
    }

    #[test]
    fn names_are_those_of_the_containers_networks() {
        let root = Root::new();
        let scope = scope(&root, Vec::new());
        for (name, kind, expected) in [
            ("web", A, "NoError 10.0.0.2 10.0.0.3"),
            ("WEB", A, "NoError 10.0.0.2 10.0.0.3"),
            ("web", AAAA, "NoError fd00::2"),
            ("db", AAAA, "NoError"),
            ("db", 15, "NoError"),
            ("db", A, "NoError 10.0.0.4"),
            ("db.back", A, "NoError 10.0.0.4"),
            ("db.front.end", A, "NoError 10.1.0.4"),
            ("db.end", A, "forward"),
            ("other", A, "NoError 10.0.0.5"),
            ("empty", A, "forward"),
            ("nobody", A, "forward"),
            ("example.org", A, "forward"),
            ("3.0.0.10.in-addr.arpa", PTR, "NoError name-of-b.back"),
            ("9.0.0.10.in-addr.arpa", PTR, "forward"),
        ] {
            assert_eq!(said(&scope, name, kind), expected, "{name} {kind}");
        }
    }

    #[test]
    fn without_a_way_out_nobody_is_asked() {
        let root = Root::new();
        let scope = Scope { forward: Forward::Nobody, ..scope(&root, Vec::new()) };
        assert_eq!(said(&scope, "example.org", A), "ServerFailure");
        assert_eq!(said(&scope, "db", A), "NoError 10.0.0.4");
    }

    #[test]
    fn bare_names_stay_here_if_the_user_wants_dots() {
        let root = Root::new();
        let scope = Scope { bare: Bare::Keep, ..scope(&root, Vec::new()) };
        assert_eq!(said(&scope, "nobody", A), "NoError");
        assert_eq!(said(&scope, "example.org", A), "forward");
    }

    #[test]
    fn what_one_policy_forbids_is_forbidden() {
        let root = Root::new();
        let policy = |subnet: &str, names: &[&str]| Egress {
            subnets: vec![subnet.parse().unwrap()],
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let one = policy("1.0.0.0/8", &["*.example.org", "a.net", "b.net"]);
        let other = policy("1.2.0.0/16", &["*.example.org", "b.net"]);
        let scope = scope(&root, vec![one, other]);
        for (name, kind, expected) in [
            ("www.example.org", A, "forward"),
            ("a.b.example.org", A, "forward"),
            ("example.org", A, "refuse"),
            ("badexample.org", A, "refuse"),
            ("a.net", A, "refuse"),
            ("b.net", A, "forward"),
            ("b.net", 16, "forward"),
            ("4.3.2.1.in-addr.arpa", PTR, "forward"),
            ("4.3.1.1.in-addr.arpa", PTR, "refuse"),
            ("db", A, "NoError 10.0.0.4"),
        ] {
            assert_eq!(said(&scope, name, kind), expected, "{name} {kind}");
        }
    }

    #[test]
    fn every_order_comes_up() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let mut list = [1, 2, 3];
            shuffle(&mut list);
            seen.insert(list);
        }
        assert_eq!(seen.len(), 6);
    }
}
