//! Connections that the kernel tracks, and that would go on as they began: forgotten when ports move or a policy begins.

use std::net::IpAddr;

use rustix::io::Errno;
use spec::address::Protocol;
use spec::network::Published;

use super::elements;
use crate::error::NetworkError;
use crate::netlink::{Batch, attribute, filter};

const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const ORIGINAL: u16 = 1;
const FILTER: u16 = 25;

/// Flows of datagrams to host ports. A connection of TCP ends by itself, a flow lives as long as somebody sends.
pub(super) fn forget_ports(ports: &[Published]) -> Result<(), NetworkError> {
    const PROTOCOL: u32 = 8;
    const DESTINATION_PORT: u32 = 32;
    for port in ports.iter().filter(|port| port.port.protocol == Protocol::Udp) {
        forget(port.host_ip.is_ipv4(), PROTOCOL | DESTINATION_PORT, |batch| {
            batch.nest(2, |batch| {
                batch.put(1, &[elements::number(port.port.protocol)]);
                batch.put(3, &port.host_port.to_be_bytes());
            });
        })?;
    }
    Ok(())
}

/// All that an address began.
pub(super) fn forget_from(address: IpAddr) -> Result<(), NetworkError> {
    const SOURCE: u32 = 1;
    forget(address.is_ipv4(), SOURCE, |batch| {
        batch.nest(1, |batch| match address {
            IpAddr::V4(v4) => batch.put(1, &v4.octets()),
            IpAddr::V6(v6) => batch.put(3, &v6.octets()),
        });
    })
}

/// Forgets what is alike in the parts that `flags` name. Kernels before 5.8 cannot say what is, and keep it.
fn forget(is_four: bool, flags: u32, alike: impl FnOnce(&mut Batch)) -> Result<(), NetworkError> {
    let family = [if is_four { 2 } else { 10 }, 0, 0, 0];
    let mut batch = Batch::default();
    batch.list(GET, &family, "listing tracked connections");
    batch.nest(ORIGINAL, alike);
    batch.nest(FILTER, |batch| {
        batch.number(1, flags);
        batch.number(2, 0);
    });
    let answers = filter(|socket| socket.ask(batch))?;
    if answers.iter().any(|answer| answer.refusal.is_some()) {
        return Ok(());
    }
    let mut batch = Batch::default();
    for reply in answers.iter().flat_map(|answer| &answer.replies) {
        if let Some(original) = reply.get(4..).and_then(|told| attribute(told, ORIGINAL)) {
            batch.message(DELETE, 0, &family, "forgetting a tracked connection");
            batch.nest(ORIGINAL, |batch| batch.raw(original));
        }
    }
    filter(|socket| socket.tell(batch, &[Errno::NOENT]))
}
