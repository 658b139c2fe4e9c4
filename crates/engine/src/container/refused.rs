//! `logs --network`: what a container's egress policy refused. Names stand in a file beside its log and stay as long as it does;
//! connections are counted by the kernel, for an hour, while the container has its addresses.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use network::resolver::{NOTES, Note, OLDER_NOTES};
use network::rules::{self, Refusal};
use spec::id::ContainerId;
use spec::time::Time;

use crate::error::Error;
use crate::host::Host;

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it was last.
    pub time: Time,
    /// What.
    pub what: What,
}

/// What a container wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The address of a name.
    Name(String),
    /// To speak to somebody.
    Connection {
        /// As IANA numbers it.
        protocol: u8,
        /// To whom.
        to: IpAddr,
        /// 0 where the protocol has none.
        port: u16,
        /// How often.
        packets: u64,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Name(name) => write!(f, "name {name}"),
            What::Connection { protocol, to, port, packets } => {
                match protocol {
                    1 | 58 => f.write_str("icmp")?,
                    6 => f.write_str("tcp")?,
                    17 => f.write_str("udp")?,
                    132 => f.write_str("sctp")?,
                    other => write!(f, "protocol {other}")?,
                }
                let s = if *packets == 1 { "" } else { "s" };
                match port {
                    0 => write!(f, " {to} ({packets} packet{s})"),
                    _ => write!(f, " {} ({packets} packet{s})", SocketAddr::new(*to, *port)),
                }
            }
        }
    }
}

/// What was refused to a container, the oldest first.
///
/// # Errors
/// Of the files, of the kernel.
pub fn refused(host: &Host, id: &ContainerId) -> Result<Vec<Refused>, Error> {
    let mut all = Vec::new();
    for file in [OLDER_NOTES, NOTES] {
        let path = host.home.container(id).join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => all.extend(names(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::Io(format!("reading {}", path.display()), e)),
        }
    }
    let state = monitor::status::of(&host.home, id)?;
    let own: BTreeSet<IpAddr> = state.endpoints.iter().flat_map(spec::network::Endpoint::addresses).collect();
    if !own.is_empty() {
        let now = disk::now();
        // The kernel remembers for an hour: what was before this run may have been another's, who had the address then.
        let since = state.status.life().map(|life| life.since);
        let refusals = rules::refusals(&host.home)?;
        let own = refusals.iter().filter(|one| own.contains(&one.from)).map(|one| seen(one, now));
        all.extend(own.filter(|one| since.is_none_or(|since| one.time >= since)));
    }
    all.sort_by_key(|one| one.time);
    Ok(all)
}

/// A line that a crash cut short is not one.
fn names(text: &str) -> impl Iterator<Item = Refused> {
    let note = |line| serde_json::from_str::<Note>(line).ok();
    text.lines().filter_map(note).map(|note| Refused { time: note.time, what: What::Name(note.name) })
}

fn seen(refusal: &Refusal, now: Time) -> Refused {
    let ago = i64::try_from(refusal.ago.as_nanos()).unwrap_or(i64::MAX);
    let Refusal { to, port, protocol, packets, .. } = *refusal;
    Refused {
        time: Time::from_ns(now.ns().saturating_sub(ago)),
        what: What::Connection { protocol, to, port, packets },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;

    #[test]
    fn what_was_refused_is_a_line_each() {
        let notes = "{\"time\":\"2026-11-25T20:00:00Z\",\"name\":\"example.org\",\"kind\":1,\"verdict\":\"refused\"}\n{\"time\":\"20";
        let kernel = [
            ("203.0.113.5", 443, 6, 3),
            ("2001:db8::1", 53, 17, 1),
            ("203.0.113.5", 0, 1, 2),
            ("203.0.113.5", 0, 47, 2),
        ];
        let kernel = kernel.map(|(to, port, protocol, packets)| Refusal {
            from: IpAddr::from([10, 0, 0, 2]),
            to: to.parse().unwrap(),
            port,
            protocol,
            packets,
            bytes: 60,
            ago: Duration::from_secs(1),
        });
        let now: Time = "2026-11-25T20:00:02Z".parse().unwrap();
        let all: String = names(notes)
            .chain(kernel.iter().map(|one| seen(one, now)))
            .map(|one| format!("{} refused {}\n", one.time.fixed(), one.what))
            .collect();
        expect![[r#"
            2026-11-25T20:00:00.000000000Z refused name example.org
            2026-11-25T20:00:01.000000000Z refused tcp 203.0.113.5:443 (3 packets)
            2026-11-25T20:00:01.000000000Z refused udp [2001:db8::1]:53 (1 packet)
            2026-11-25T20:00:01.000000000Z refused icmp 203.0.113.5 (2 packets)
            2026-11-25T20:00:01.000000000Z refused protocol 47 203.0.113.5 (2 packets)
        "#]]
        .assert_eq(&all);
    }
}
