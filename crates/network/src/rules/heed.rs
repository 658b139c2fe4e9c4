//! `"firewall": "respect-input"`: published ports are open to whom the host's own rules for its input let through.
//!
//! What arrives is not rewritten then, and goes on as if the host itself had the port. The last of all who look at the host's input, in
//! tables of their own because only these can copy packets, sends what nobody dropped into a cable ([`crate::link::Cable`]) whose
//! other end is where `publish` takes up.

use std::fs;
use std::io;

use disk::Home;

use super::nft::Field::{Destination4, Destination6, DestinationPort, In, InGroup, State, Transport};
use super::nft::Flavour::Plain;
use super::nft::Step::{Any, Copy, Drop, Goto, Is, IsNot};
use super::nft::{self, Chain, Element, IPV4, IPV6, Set, Step, Table};
use super::{Firewall, table, table_name};
use crate::error::NetworkError;
use crate::link::Cable;
use crate::netlink::{self, Batch};
use crate::place;

const NEW: u32 = 8;
const MARK: &[u8] = b"respect-input\n";

/// What the mark of the table says.
pub(super) fn mark(firewall: Firewall) -> &'static [u8] {
    match firewall {
        Firewall::Open => b"",
        Firewall::RespectInput => MARK,
    }
}

/// How the table was made.
pub(super) fn firewall(home: &Home) -> Result<Firewall, NetworkError> {
    let mark = place::table_mark(home);
    match fs::read(&mark) {
        Ok(text) if text == MARK => Ok(Firewall::RespectInput),
        Ok(_) => Ok(Firewall::Open),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Firewall::Open),
        Err(e) => Err(place::failed("reading", &mark)(e)),
    }
}

/// The name of both tables.
pub(super) fn name(home: &Home) -> String {
    format!("{}-heed", table_name(home))
}

/// Puts the way into `publish`, and whoever looks last, into the batch.
pub(super) fn put(home: &Home, batch: &mut Batch, firewall: Firewall) -> Result<(), NetworkError> {
    let before = self::firewall(home)?;
    let cable = Cable::of(home);
    let name = table_name(home);
    let mut main = Table { batch, family: nft::INET, name: &name };
    match firewall {
        Firewall::Open => {
            table::OPEN.iter().for_each(|(chain, steps)| main.rule(chain, steps));
            if before == Firewall::RespectInput {
                for family in [IPV4, IPV6] {
                    begin(&mut Table { batch, family, name: &self::name(home) });
                }
                cable.remove()?;
            }
        }
        Firewall::RespectInput => {
            let outer = cable.make()?;
            let inner = [cable.inner.as_bytes(), &[0]].concat();
            main.rule("prerouting", &[Is(In, &inner), Goto("publish")]);
            main.rule(
                "prerouting",
                &[Step::In(&[In], "bridges"), Is(nft::Field::Destination, table::LOCAL), Goto("arriving")],
            );
            for (family, address) in [(IPV4, cable.behind[0]), (IPV6, cable.behind[1])] {
                let address = nft::Key::default().address(address).done();
                last(&mut Table { batch, family, name: &self::name(home) }, family == IPV4, &address, outer);
            }
        }
    }
    Ok(())
}

/// No table of that name, whether or not there was one.
fn begin(table: &mut Table<'_>) {
    table.message(nft::NEW_TABLE, netlink::CREATE, "making a table of the packet filter");
    table.message(nft::DELETE_TABLE, 0, "removing a table of the packet filter");
}

fn last(table: &mut Table<'_>, is_four: bool, behind: &[u8], outer: u32) {
    begin(table);
    table.message(nft::NEW_TABLE, netlink::CREATE, "making a table of the packet filter");
    let host = if is_four { HOST4 } else { HOST6 };
    let set = |name, key| Set { name, key, data: &[], flavour: Plain };
    table.set(&set("host", host), 1);
    table.set(&set("any", ANY), 2);
    // Whoever comes later than this is the kernel itself.
    table.chain(&Chain { name: "last", hook: Some((1, 2_147_483_000, "filter")) });
    for (fields, of) in [(host, "host"), (ANY, "any")] {
        let from_outside = [Any(State, NEW), IsNot(In, table::LO), IsNot(InGroup, table::GROUP_BYTES)];
        let [new, not_loopback, not_ours] = from_outside;
        table.rule("last", &[new, not_loopback, not_ours, Step::In(fields, of), Copy(behind, outer), Drop]);
    }
}

const ANY: &[nft::Field] = &[Transport, DestinationPort];
const HOST4: &[nft::Field] = &[Destination4, Transport, DestinationPort];
const HOST6: &[nft::Field] = &[Destination6, Transport, DestinationPort];

/// What those who look last must know of a published port: its family, and the element.
pub(super) fn copy(element: &Element) -> Option<(u8, Element)> {
    let (family, set) = match element.set {
        "any4" => (IPV4, "any"),
        "host4" => (IPV4, "host"),
        "any6" => (IPV6, "any"),
        "host6" => (IPV6, "host"),
        _ => return None,
    };
    // The sentinels are nobody's ports, but do no harm, and tell of a table that was emptied.
    Some((family, Element { set, value: None, ..element.clone() }))
}

/// Adds or deletes copies of ports in the tables of those who look last, if there are any.
pub(super) fn follow(
    home: &Home,
    batch: &mut Batch,
    all: &[Element],
    act: impl Fn(&mut Table<'_>, &[Element]),
) -> Result<(), NetworkError> {
    if all.iter().all(|element| copy(element).is_none()) || firewall(home)? == Firewall::Open {
        return Ok(());
    }
    let name = name(home);
    for family in [IPV4, IPV6] {
        let copies: Vec<Element> =
            all.iter().filter_map(copy).filter(|(of, _)| *of == family).map(|(_, element)| element).collect();
        if !copies.is_empty() {
            act(&mut Table { batch, family, name: &name }, &copies);
        }
    }
    Ok(())
}
