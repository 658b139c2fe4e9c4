//! The table in nftables: `inet kist`; another run root than /run/kist has its own, with a suffix.
//!
//! Its rules are always the same; what comes and goes are elements of its sets, in one atomic batch a change. Only [`restore`] makes it. Who
//! finds it missing hears [`NetworkError::TableGone`], lets go of the shared lock, restores under the lock alone with what it reads of
//! all that live, and does again what it did.

mod elements;
mod expression;
mod heed;
mod nft;
mod source;
mod table;
mod track;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use disk::{Durability, Home, faults};
use rustix::io::Errno;
use spec::address::Subnet;
use spec::id::ContainerId;
use spec::network::{Driver, Egress, Endpoint, GatewayMode, Network, Published};
use sys::netlink::Family;

use crate::error::NetworkError;
use crate::netlink::{self, Answer, Batch, Socket, attribute, attributes, filter, string};
use crate::{link, place, record};
use nft::{Element, INET, Table};

pub(crate) use source::bind;

/// Raised when the sets, chains or rules change: a table of another edition counts as none.
const EDITION: &str = "kist 1";

/// `"firewall"` in `engine.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Published ports are open to whom they are bound for.
    #[default]
    Open,
    /// What the host's own rules for its input drop, published ports drop too.
    RespectInput,
}

/// A container that the table must know.
#[derive(Clone, Debug)]
pub struct Live {
    /// Which.
    pub container: ContainerId,
    /// From its status; first those that have the default routes, as ports lead there.
    pub endpoints: Vec<Endpoint>,
    /// From its status.
    pub published: Vec<Published>,
    /// From its record.
    pub egress: Option<Egress>,
}

/// Whether the table is as it should be, as far as one cheap look tells: true also where there need be none, as nobody has had to do with
/// networks since the machine started.
///
/// # Errors
/// Of the kernel.
pub fn are_whole(home: &Home) -> Result<bool, NetworkError> {
    if !is_made(home)? {
        return Ok(!place::is_used(home)?);
    }
    let name = table_name(home);
    let mut batch = Batch::default();
    batch.question(nft::kind(nft::TABLE), &nft::family(INET), "looking for the packet filter's table");
    batch.text(1, &name);
    batch.list(nft::kind(nft::CHAIN), &nft::family(INET), "looking for the packet filter's chains");
    for sentinel in elements::sentinels() {
        nft::look_up(&mut batch, &name, &sentinel);
    }
    if heed::firewall(home)? == Firewall::RespectInput {
        for family in [nft::IPV4, nft::IPV6] {
            nft::look_up_last(&mut batch, family, &heed::name(home));
        }
    }
    // By a socket of its own, closed at once: a command that still has one at its end, when its container's ports have just been taken
    // out, waits for the kernel to forget them (see `filter`).
    let answers = Socket::open(Family::Filter)?.ask(batch)?;
    let [table, chains, sentinels @ ..] = &answers[..] else { return Ok(false) };
    let told =
        |answer: &'_ Answer| answer.replies.first().and_then(|reply| attribute(reply.get(4..)?, 6).map(<[u8]>::to_vec));
    let mut rules = 0;
    for chain in chains.replies.iter().filter_map(|chain| chain.get(4..)) {
        let text = |kind| attribute(chain, kind).map(string);
        if text(1).as_deref() == Some(&name)
            && let (Some(chain_name), Some(uses)) = (text(3), attribute(chain, 6).and_then(big))
        {
            rules += usize::from(uses >= rules_of(&chain_name));
        }
    }
    Ok(told(table) == Some(comment())
        && rules == table::CHAINS.len()
        && sentinels.iter().all(|sentinel| !sentinel.replies.is_empty()))
}

/// How many rules a chain has at least.
fn rules_of(chain: &str) -> u32 {
    let rules = table::RULES.iter().chain(table::OPEN);
    u32::try_from(rules.filter(|(of, _)| *of == chain).count()).unwrap_or(u32::MAX)
}

/// As nft(8) keeps comments: kind 0, length, text with a zero.
fn comment() -> Vec<u8> {
    let length = u8::try_from(EDITION.len() + 1).unwrap_or(u8::MAX);
    [&[0, length], EDITION.as_bytes(), &[0]].concat()
}

/// Makes the table anew, in one batch, from what lives. Hold [`crate::place::alone`].
///
/// # Errors
/// Of the kernel.
pub fn restore(home: &Home, firewall: Firewall, live: &[Live]) -> Result<(), NetworkError> {
    let networks = record::here(home)?;
    let name = table_name(home);
    let mut batch = Batch::default();
    let mut table = Table { batch: &mut batch, family: INET, name: &name };
    // The first makes sure that the second finds one.
    table.message(nft::NEW_TABLE, netlink::CREATE, "making the packet filter's table");
    table.message(nft::DELETE_TABLE, 0, "removing the packet filter's old table");
    table.message(nft::NEW_TABLE, netlink::CREATE, "making the packet filter's table");
    table.batch.put(6, &comment());
    table::SETS.iter().zip(1..).for_each(|(set, id)| table.set(set, id));
    table::CHAINS.iter().for_each(|chain| table.chain(chain));
    table::RULES.iter().for_each(|(chain, steps)| table.rule(chain, steps));
    let mut all = elements::sentinels();
    for is_four in [true, false] {
        all.extend(place::is_closed(home, is_four)?.then(|| elements::closed(is_four)));
        all.extend(link::is_filtered(is_four).then(|| elements::filtered(is_four)));
    }
    all.extend(networks.iter().flat_map(elements::of_network));
    for one in live {
        all.extend(of_live(&networks, one));
    }
    all.sort_by(|a, b| (a.set, &a.key).cmp(&(b.set, &b.key)));
    all.dedup_by(|a, b| (a.set, &a.key) == (b.set, &b.key));
    let doing = "filling the packet filter's sets";
    table.add(&all, doing);
    heed::put(home, &mut batch, firewall)?;
    let mark = place::table_mark(home);
    disk::replace(&mark, heed::mark(firewall), Durability::Volatile).map_err(place::failed("writing", &mark))?;
    heed::follow(home, &mut batch, &all, |table, copies| table.add(copies, doing))?;
    faults::act("restore rules").map_err(place::failed("restoring the rules of", home.run()))?;
    filter(|socket| socket.commit(batch, None))??;
    for one in live {
        policies(&networks, one).try_for_each(|(endpoint, _)| source::bind_again(home, endpoint))?;
    }
    Ok(())
}

/// The endpoints of a container that have a policy.
fn policies<'a>(networks: &'a [Network], live: &'a Live) -> impl Iterator<Item = (&'a Endpoint, Vec<Subnet>)> {
    live.endpoints.iter().filter_map(|endpoint| {
        let network = networks.iter().find(|network| network.id == endpoint.network)?;
        let allowed = network.allowed(live.egress.as_ref())?;
        matches!(network.driver, Driver::Bridge(_)).then_some((endpoint, allowed))
    })
}

fn of_live(networks: &[Network], live: &Live) -> Vec<Element> {
    let of = |endpoint: &Endpoint| networks.iter().find(|network| network.id == endpoint.network);
    let policed = policies(networks, live).flat_map(|(endpoint, allowed)| elements::of_policy(endpoint, &allowed));
    let mut all: Vec<Element> = policed.collect();
    let ends: Vec<_> = live.endpoints.iter().filter_map(|end| leads(end, of(end)?)).collect();
    all.extend(elements::of_ports(&ends, &live.published));
    all
}

/// How published ports lead to an endpoint, if they do.
fn leads<'a>(endpoint: &'a Endpoint, network: &Network) -> Option<(&'a Endpoint, GatewayMode, GatewayMode)> {
    match &network.driver {
        Driver::Bridge(bridge) if !network.internal => {
            let [four, six] = bridge.gateway_mode;
            Some((endpoint, four, six))
        }
        Driver::Bridge(_) | Driver::Macvlan { .. } | Driver::Ipvlan { .. } | Driver::Host | Driver::Null => None,
    }
}

/// Whether somebody made the table since the machine started.
pub(crate) fn is_made(home: &Home) -> Result<bool, NetworkError> {
    place::is_there(&place::table_mark(home))
}

/// Lets the table know a network. Without a table: nothing, as who makes one reads the records.
pub(crate) fn add_network(home: &Home, network: &Network) -> Result<(), NetworkError> {
    match add(home, &elements::of_network(network), "adding the network to the packet filter") {
        Err(NetworkError::TableGone) => Ok(()),
        other => other,
    }
}

/// The same, where a container will need it.
pub(crate) fn need_network(home: &Home, network: &Network) -> Result<(), NetworkError> {
    if !is_made(home)? {
        return Err(NetworkError::TableGone);
    }
    add(home, &elements::of_network(network), "adding the network to the packet filter")
}

/// The host is about to pass on packets of a family, which it did not: those of others than kist's it shall drop.
pub(crate) fn close(home: &Home, is_four: bool) -> Result<(), NetworkError> {
    add(home, &[elements::closed(is_four)], "keeping the host from passing on what is not ours")
}

/// A network is no more.
pub(crate) fn remove_network(home: &Home, network: &Network) -> Result<(), NetworkError> {
    remove(home, &elements::of_network(network), "removing the network from the packet filter")
}

/// A policy begins.
pub(crate) fn add_policy(home: &Home, endpoint: &Endpoint, allowed: &[Subnet]) -> Result<(), NetworkError> {
    add(home, &elements::of_policy(endpoint, allowed), "adding the container's policy to the packet filter")?;
    // What the address began under another holder.
    endpoint.addresses().try_for_each(track::forget_from)
}

/// A policy ends, if there is one. Nobody else may have the addresses yet.
pub(crate) fn remove_policy(home: &Home, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let policed: Vec<Element> = endpoint.addresses().map(elements::policed).collect();
    if !is_made(home)? || look(home, &policed)?.there.is_empty() {
        return Ok(());
    }
    source::unbind(home, endpoint)?;
    let mut all = Vec::new();
    for address in endpoint.addresses() {
        for sets in [["allowed4", "allowed6"], ["named4", "named6"]] {
            let set = elements::by_family(address, sets);
            let from = nft::Key::default().address(address).done();
            all.extend(listed(home, set)?.into_iter().map(|(element, _)| element).filter(|e| e.key.starts_with(&from)));
        }
    }
    all.extend(policed);
    remove(home, &all, "removing the container's policy from the packet filter")
}

/// Opens addresses to a container whose policy names them: the resolver has just learnt them, and says them to the container after this.
/// They stay open for an hour after they were learnt last, as programs keep addresses longer than the names' servers wish.
///
/// # Errors
/// Of the kernel; [`NetworkError::TableGone`].
pub fn allow(home: &Home, endpoints: &[Endpoint], addresses: &[IpAddr]) -> Result<(), NetworkError> {
    const HOUR_MS: u64 = 3_600_000;
    let mut all = Vec::new();
    for from in endpoints.iter().flat_map(Endpoint::addresses) {
        let to = addresses.iter().filter(|to| to.is_ipv4() == from.is_ipv4());
        all.extend(to.map(|to| elements::named(from, *to, HOUR_MS)));
    }
    all.sort_by(|a, b| (a.set, &a.key).cmp(&(b.set, &b.key)));
    all.dedup();
    // An element that is there keeps its old time: it is taken out before.
    replace(home, &all, "letting the container speak to an address")
}

/// Ports begin to lead to a container.
pub(crate) fn publish(home: &Home, ends: &[Endpoint], ports: &[Published]) -> Result<(), NetworkError> {
    let all = of_ports(home, ends, ports)?;
    let doing = "publishing ports in the packet filter";
    let added = match add(home, &all, doing) {
        // Of somebody who died without giving it back: the port is ours by now, or we would not have its socket.
        Err(NetworkError::Kernel(_, error)) if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => {
            replace(home, &all, doing)
        }
        other => other,
    };
    added.and_then(|()| track::forget_ports(ports))
}

/// Ports lead to a container no more; those that lead to another by now stay.
pub(crate) fn unpublish(home: &Home, ends: &[Endpoint], ports: &[Published]) -> Result<(), NetworkError> {
    remove(home, &of_ports(home, ends, ports)?, "taking published ports out of the packet filter")?;
    track::forget_ports(ports)
}

fn of_ports(home: &Home, endpoints: &[Endpoint], ports: &[Published]) -> Result<Vec<Element>, NetworkError> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    Ok(elements::of_ports(&ends(home, endpoints)?, ports))
}

/// Where the relay of published ports leads, if they lead to any of these.
pub(crate) fn relayed(home: &Home, endpoints: &[Endpoint]) -> Result<Option<IpAddr>, NetworkError> {
    Ok(elements::relayed(&ends(home, endpoints)?))
}

fn ends<'a>(
    home: &Home,
    endpoints: &'a [Endpoint],
) -> Result<Vec<(&'a Endpoint, GatewayMode, GatewayMode)>, NetworkError> {
    let mut ends = Vec::new();
    for endpoint in endpoints {
        let network = record::read(home, &endpoint.network)?;
        ends.extend(network.and_then(|network| leads(endpoint, &network)));
    }
    Ok(ends)
}

/// Adds elements; those that are there already stay.
fn add(home: &Home, all: &[Element], doing: &'static str) -> Result<(), NetworkError> {
    if all.is_empty() {
        return Ok(());
    }
    let name = table_name(home);
    let mut batch = Batch::default();
    Table { batch: &mut batch, family: INET, name: &name }.add(all, doing);
    heed::follow(home, &mut batch, all, |table, copies| table.add(copies, doing))?;
    faults::act("add elements").map_err(place::failed("changing the rules of", home.run()))?;
    missing(filter(|socket| socket.commit(batch, None))?)
}

/// A batch about elements finds everything but the table.
fn missing(result: Result<(), netlink::Refusal>) -> Result<(), NetworkError> {
    result.map_err(|refusal| match refusal.errno {
        Errno::NOENT => NetworkError::TableGone,
        _ => refusal.into(),
    })
}

/// Adds elements in the place of those with the same keys.
fn replace(home: &Home, all: &[Element], doing: &'static str) -> Result<(), NetworkError> {
    alter(home, all, doing, |looked| (looked.there, all.to_vec()))
}

/// Takes elements out; those that are not there are gone already, those with another value are another's.
fn remove(home: &Home, all: &[Element], doing: &'static str) -> Result<(), NetworkError> {
    if all.is_empty() || !is_made(home)? {
        return Ok(());
    }
    let is_ours = |there: &Element| {
        all.iter().any(|one| (one.set, &one.key, &one.value) == (there.set, &there.key, &there.value))
    };
    match alter(home, all, doing, |looked| (looked.there.into_iter().filter(is_ours).collect(), Vec::new())) {
        Err(NetworkError::TableGone) => Ok(()),
        other => other,
    }
}

/// Looks, and changes what it saw: when somebody else changed anything in between, the kernel refuses, and it looks again.
fn alter(
    home: &Home,
    keys: &[Element],
    doing: &'static str,
    mut change: impl FnMut(Looked) -> (Vec<Element>, Vec<Element>),
) -> Result<(), NetworkError> {
    let name = table_name(home);
    loop {
        let looked = look(home, keys)?;
        let generation = looked.generation;
        let (out, new) = change(looked);
        if out.is_empty() && new.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        let mut table = Table { batch: &mut batch, family: INET, name: &name };
        table.delete(&out, doing);
        table.add(&new, doing);
        heed::follow(home, &mut batch, &out, |table, copies| table.delete(copies, doing))?;
        heed::follow(home, &mut batch, &new, |table, copies| table.add(copies, doing))?;
        faults::act("change elements").map_err(place::failed("changing the rules of", home.run()))?;
        match filter(|socket| socket.commit(batch, Some(generation)))? {
            Err(refusal) if refusal.errno.raw_os_error() == libc::ERESTART => {}
            other => return missing(other),
        }
    }
}

/// What the sets have.
struct Looked {
    generation: u32,
    /// Of the elements asked for, with the values they have there.
    there: Vec<Element>,
}

fn look(home: &Home, all: &[Element]) -> Result<Looked, NetworkError> {
    // So many answers fit what a socket keeps for its reader.
    const AT_ONCE: usize = 64;
    let name = table_name(home);
    let mut looked: Option<Looked> = None;
    for some in all.chunks(AT_ONCE) {
        let mut batch = Batch::default();
        batch.question(nft::kind(nft::GENERATION), &nft::family(0), "asking for the packet filter's generation");
        some.iter().for_each(|element| nft::look_up(&mut batch, &name, element));
        let mut answers = filter(|socket| socket.ask(batch))?.into_iter();
        let generation = answers.next().and_then(|answer| big(attribute(answer.replies.first()?.get(4..)?, 1)?));
        let looked = looked.get_or_insert_with(|| Looked { generation: generation.unwrap_or(0), there: Vec::new() });
        for (answer, element) in answers.zip(some) {
            let found = answer.replies.iter().flat_map(|reply| elements_of(reply.get(4..).unwrap_or_default()));
            let found = found.map(|raw| Element { end: element.end.clone(), ..nft::read(element.set, raw) });
            looked.there.extend(found);
        }
    }
    Ok(looked.unwrap_or(Looked { generation: 0, there: Vec::new() }))
}

/// All elements of a set, with their attributes. Of no table: none.
fn listed(home: &Home, set: &'static str) -> Result<Vec<(Element, Vec<u8>)>, NetworkError> {
    let name = table_name(home);
    let mut batch = Batch::default();
    batch.list(nft::kind(nft::ELEMENT), &nft::family(INET), "listing a set of the packet filter");
    batch.text(1, &name);
    batch.text(2, set);
    let answers = filter(|socket| socket.ask(batch))?;
    let replies = answers.iter().flat_map(|answer| &answer.replies);
    let raw = replies.flat_map(|reply| elements_of(reply.get(4..).unwrap_or_default()));
    Ok(raw.map(|raw| (nft::read(set, raw), raw.to_vec())).collect())
}

fn elements_of(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    attributes(attribute(reply, 3).unwrap_or_default()).map(|(_, element)| element)
}

fn big(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Whether a host port is some container's of this run root.
pub(crate) fn is_published(home: &Home, port: &Published) -> Result<bool, NetworkError> {
    let mut keys = vec![elements::host_port(port)];
    let any = |host_ip| elements::host_port(&Published { host_ip, ..*port });
    keys.push(any(std::net::Ipv4Addr::UNSPECIFIED.into()));
    keys.push(any(std::net::Ipv6Addr::UNSPECIFIED.into()));
    Ok(is_made(home)? && !look(home, &keys)?.there.is_empty())
}

/// What policies refused in the last hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A container's address.
    pub from: IpAddr,
    /// Whom it tried to speak to.
    pub to: IpAddr,
    /// 0 where the protocol has none.
    pub port: u16,
    /// As IANA numbers it: 6 is TCP.
    pub protocol: u8,
    /// How often.
    pub packets: u64,
    /// How much.
    pub bytes: u64,
    /// How long ago it did last.
    pub ago: Duration,
}

/// What policies of all containers refused in the last hour.
///
/// # Errors
/// Of the kernel.
pub fn refusals(home: &Home) -> Result<Vec<Refusal>, NetworkError> {
    let mut all = Vec::new();
    for set in ["refused4", "refused6"] {
        all.extend(listed(home, set)?.iter().filter_map(|(element, raw)| refusal(&element.key, raw)));
    }
    Ok(all)
}

fn refusal(key: &[u8], raw: &[u8]) -> Option<Refusal> {
    let width = if key.len() == 16 { 4 } else { 16 };
    let address = |at: usize| -> Option<IpAddr> {
        let bytes = key.get(at..at + width)?;
        <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
    };
    let long = |bytes: Option<&[u8]>| bytes.and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
    let counter = attribute(raw, 7).and_then(|expression| attribute(expression, 2)).unwrap_or_default();
    let left = Duration::from_millis(long(attribute(raw, 5)));
    Some(Refusal {
        from: address(0)?,
        to: address(width)?,
        protocol: *key.get(2 * width)?,
        port: u16::from_be_bytes(key.get(2 * width + 4..2 * width + 6)?.try_into().ok()?),
        bytes: long(attribute(counter, 1)),
        packets: long(attribute(counter, 2)),
        ago: Duration::from_secs(3600).saturating_sub(left),
    })
}

/// `kist`, or `kist-` with eight hex digits of another run root.
pub(crate) fn table_name(home: &Home) -> String {
    if home.run() == Path::new("/run/kist") {
        return "kist".into();
    }
    format!("kist-{:08x}", place::hash(home.run()))
}
