//! What goes wrong with networks.

use std::io;
use std::net::IpAddr;

use spec::id::ContainerId;
use spec::network::Published;

/// Why something about networks could not be done. The texts are Docker's where it has them.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A name or identifier that no network has.
    #[error("network {0} not found")]
    Unknown(String),
    /// Several networks begin so.
    #[error("network {0} is ambiguous ({1} matches found based on ID prefix)")]
    Ambiguous(String, usize),
    /// The name has another network.
    #[error("network with name {0} already exists")]
    NameTaken(String),
    /// Containers are on it.
    #[error("error while removing network: network {network} has active endpoints ({endpoints})")]
    InUse {
        /// Its name.
        network: String,
        /// `name:"web" id:"..."`, filled in by the engine, which knows names.
        endpoints: String,
    },
    /// Somebody has the address: a container, or the network itself.
    #[error("Address already in use")]
    AddressTaken(IpAddr, Option<ContainerId>),
    /// The address lies outside of the network.
    #[error("invalid address {0}: it does not belong to any of this network's subnets")]
    NotOfNetwork(IpAddr),
    /// All addresses are given out.
    #[error("no available IPv{family} addresses on this network's address pools: {network} ({id})")]
    Exhausted {
        /// 4 or 6.
        family: u8,
        /// Its name.
        network: String,
        /// Its identifier.
        id: String,
    },
    /// No free subnet is left in the default pools.
    #[error("all predefined address pools have been fully subnetted")]
    NoSubnet,
    /// The subnet overlaps another network's or a route of the host's.
    #[error("invalid pool request: Pool overlaps with other one on this address space")]
    Overlaps,
    /// The port is a container's.
    #[error("Bind for {}:{} failed: port is already allocated", .0.host_ip, .0.host_port)]
    PortAllocated(Published),
    /// The port is another program's.
    #[error("failed to bind host port {}:{}/{}: address already in use", .0.host_ip, .0.host_port, .0.port.protocol)]
    PortInUse(Published),
    /// bind(2) has another reason.
    #[error("failed to bind host port {}:{}/{}", .0.host_ip, .0.host_port, .0.port.protocol)]
    Bind(Published, #[source] io::Error),
    /// The packet filter's table is not there. Let go of the shared lock, [`crate::rules::restore`], and do it again.
    #[error("the packet filter's rules are gone")]
    TableGone,
    /// What the kernel lacks.
    #[error("{0}")]
    Unsupported(String),
    /// Contradicting or malformed wishes.
    #[error("{0}")]
    Invalid(String),
    /// The kernel refused; with its own words where it gave some.
    #[error("{0}")]
    Kernel(String, #[source] io::Error),
    /// A file.
    #[error("{0}")]
    Io(String, #[source] io::Error),
    /// A record.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
}
