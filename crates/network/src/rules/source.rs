//! Whom a policed container can claim to be: itself. A chain of each at the host's end of its link, in a table of family `netdev`.

use disk::{Home, faults};
use rustix::io::Errno;
use spec::network::Endpoint;

use super::nft::Field::{ArpSender4, ArpSenderMac, EtherType, Icmp6Type, Source4, Source6, SourceMac, Transport};
use super::nft::Step::{Accept, Drop, Is, IsNot, Within};
use super::nft::{self, NETDEV, Step, Table};
use super::table_name;
use crate::error::NetworkError;
use crate::netlink::{self, Batch, Refusal, filter};
use crate::place;

const IP: &[u8] = &[0x08, 0x00];
const ARP: &[u8] = &[0x08, 0x06];
const IP6: &[u8] = &[0x86, 0xdd];
const ICMP6: &[u8] = &[58];
/// Router and neighbour solicitation, neighbour advertisement, and reports of who listens to a group.
const NEIGHBOURLY: [&[u8]; 5] = [&[133], &[135], &[136], &[131], &[143]];

/// Begins to look at what comes from a container; the link must be there.
pub(crate) fn bind(home: &Home, endpoint: &Endpoint) -> Result<(), NetworkError> {
    match made(home, endpoint, false)? {
        // Of the run before: kernels since 6.16 keep a chain whose device is gone.
        Err(refusal) if refusal.errno == Errno::EXIST => Ok(made(home, endpoint, true)??),
        other => Ok(other?),
    }
}

/// The same for all whose rules were lost, of those that have a link now.
pub(super) fn bind_again(home: &Home, endpoint: &Endpoint) -> Result<(), NetworkError> {
    match bind(home, endpoint) {
        Err(NetworkError::Kernel(_, error))
            if [Errno::NODEV, Errno::NOENT].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error())) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// No longer.
pub(super) fn unbind(home: &Home, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let Some(peer) = &endpoint.peer else { return Ok(()) };
    let name = table_name(home);
    let mut batch = Batch::default();
    delete(&mut Table { batch: &mut batch, family: NETDEV, name: &name }, peer);
    match filter(|socket| socket.commit(batch, None))? {
        Err(refusal) if refusal.errno != Errno::NOENT => Err(refusal.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn delete(table: &mut Table<'_>, peer: &str) {
    table.message(nft::DELETE_CHAIN, 0, "removing the chain of a container's link");
    table.batch.text(3, peer);
}

fn made(home: &Home, endpoint: &Endpoint, again: bool) -> Result<Result<(), Refusal>, NetworkError> {
    let Some(peer) = &endpoint.peer else { return Ok(Ok(())) };
    let name = table_name(home);
    let mut batch = Batch::default();
    let mut table = Table { batch: &mut batch, family: NETDEV, name: &name };
    table.message(nft::NEW_TABLE, netlink::CREATE, "making the packet filter's table of links");
    if again {
        delete(&mut table, peer);
    }
    table.ingress(peer);
    let mac = &endpoint.mac.0;
    let mut rule = |steps: &[Step<'_>]| table.rule(peer, steps);
    rule(&[IsNot(SourceMac, mac), Drop]);
    if let Some((address, _)) = endpoint.ipv4 {
        for sender in [address.octets(), [0; 4]] {
            rule(&[Is(EtherType, ARP), Is(ArpSenderMac, mac), Is(ArpSender4, &sender), Accept]);
        }
        rule(&[Is(EtherType, IP), Is(Source4, &address.octets()), Accept]);
    }
    if let Some((address, _)) = endpoint.ipv6 {
        rule(&[Is(EtherType, IP6), Is(Source6, &address.octets()), Accept]);
        for kind in NEIGHBOURLY {
            let of_kind = [Is(Transport, ICMP6), Is(Icmp6Type, kind)];
            let link_local = Within(Source6, &LINK_LOCAL_BITS, &LINK_LOCAL);
            rule(&[Is(EtherType, IP6), link_local, of_kind[0], of_kind[1], Accept]);
            rule(&[Is(EtherType, IP6), Is(Source6, &[0; 16]), of_kind[0], of_kind[1], Accept]);
        }
    }
    faults::act("bind source").map_err(place::failed("changing the rules of", home.run()))?;
    filter(|socket| socket.commit(batch, None))
}

const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const LINK_LOCAL_BITS: [u8; 16] = [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0];
