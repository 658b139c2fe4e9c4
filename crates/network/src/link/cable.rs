//! A cable from the host to itself. With `"firewall": "respect-input"`, what comes to a published port goes through the host's own rules for
//! its input first, and what they let through is sent into this cable: that it comes out of it is how `publish` knows it may pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use disk::Home;
use rustix::io::Errno;
use spec::address::Mac;
use sys::netlink::Family;

use super::route::{self, New};
use super::{GROUP, set};
use crate::error::NetworkError;
use crate::netlink::{Batch, Socket};
use crate::place;

/// The largest there is: nothing is cut on the way.
const MTU: u32 = 65_535;

/// The two ends, and who is behind the first.
pub(crate) struct Cable {
    /// What is to be passed on goes in here.
    pub(crate) outer: String,
    /// Here it comes out.
    pub(crate) inner: String,
    /// The neighbours behind the first, in both families.
    pub(crate) behind: [IpAddr; 2],
}

impl Cable {
    pub(crate) fn of(home: &Home) -> Cable {
        let is_default = home.run() == Path::new("/run/kist");
        let hash = place::hash(home.run());
        let name = |end| if is_default { format!("kist-{end}") } else { format!("k{end}-{hash:08x}") };
        // Each run root has its own, as each has its cable.
        let [.., a, b] = if is_default { [0, 0, 13, 0] } else { hash.to_be_bytes() };
        let behind = Ipv4Addr::new(169, 254, 64 + a % 128, (b & 0xfc) | 2);
        let behind6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from_be_bytes([a, b]), 2);
        Cable { outer: name('o'), inner: name('i'), behind: [behind.into(), behind6.into()] }
    }

    /// Makes it where it is missing; answers the number of the first end.
    pub(crate) fn make(&self) -> Result<u32, NetworkError> {
        let mut socket = Socket::open(Family::Route)?;
        if let Some(outer) = route::find(&mut socket, &self.outer)?
            && outer.is_up
        {
            return Ok(outer.index);
        }
        let end = |name, mac| New {
            name,
            mac: Some(Mac(mac)),
            mtu: Some(MTU),
            group: GROUP,
            master: None,
            lower: None,
            namespace: None,
            is_up: false,
        };
        let (outer_mac, inner_mac) = ([2, 0x42, 0, 0, 0, 1], [2, 0x42, 0, 0, 0, 2]);
        let (outer, inner) = (end(&self.outer, outer_mac), end(&self.inner, inner_mac));
        let mut batch = Batch::default();
        let doing = format!("making the devices {} and {}", self.outer, self.inner);
        route::make(&mut batch, &outer, "veth", |batch| route::other_end(batch, &inner), doing);
        socket.tell(batch, &[Errno::EXIST])?;
        let gone = || NetworkError::Invalid(format!("the device {} was removed while it was made", self.outer));
        let outer = route::find(&mut socket, &self.outer)?.ok_or_else(gone)?.index;
        let inner = route::find(&mut socket, &self.inner)?.ok_or_else(gone)?.index;
        // What comes out has the client's address, to which the way is another.
        set(&format!("net/ipv4/conf/{}/rp_filter", self.inner), "2")?;
        let mut batch = Batch::default();
        for index in [inner, outer] {
            route::without_link_local(&mut batch, index);
        }
        route::up(&mut batch, inner, format!("switching {} on", self.inner));
        if let IpAddr::V4(behind) = self.behind[0] {
            let own = Ipv4Addr::from_bits(behind.to_bits() - 1);
            route::address(&mut batch, inner, own.into(), 32, format!("giving {} an address", self.inner));
        }
        route::up(&mut batch, outer, format!("switching {} on", self.outer));
        for address in self.behind {
            route::neighbour(&mut batch, outer, address, Mac(inner_mac));
        }
        socket.tell(batch, &[Errno::EXIST, Errno::AFNOSUPPORT])?;
        Ok(outer)
    }

    /// Takes it away.
    pub(crate) fn remove(&self) -> Result<(), NetworkError> {
        super::remove_own(&mut Socket::open(Family::Route)?, &self.outer)
    }
}
