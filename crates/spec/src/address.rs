//! Addresses of networks: subnets, hardware addresses, ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `address/bits`.
    #[error("invalid CIDR address: {0}")]
    Subnet(String),
    /// Not six pairs of hex digits.
    #[error("address {0}: invalid MAC address")]
    Mac(String),
    /// Not `number[/protocol]`.
    #[error("invalid containerPort: {0}")]
    Port(String),
    /// Neither tcp, udp nor sctp.
    #[error("invalid proto: {0}")]
    Protocol(String),
}

/// A range of addresses with a common prefix. What was typed behind the prefix is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: IpAddr,
    bits: u8,
}

impl Subnet {
    /// None where there are no so many bits.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Subnet> {
        let width = width(address);
        (bits <= width).then(|| Subnet { address: from_number(address, number(address) & mask(width, bits)), bits })
    }

    /// Its first address, which names it.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The length of the prefix.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Its last address; an IPv4 subnet's broadcast address.
    #[must_use]
    pub fn last(self) -> IpAddr {
        let width = width(self.address);
        from_number(self.address, number(self.address) | (mask(width, width) & !mask(width, self.bits)))
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        width(address) == width(self.address) && Subnet::new(address, self.bits) == Some(self)
    }

    /// Whether they have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The address so many after the first; none behind the last.
    #[must_use]
    pub fn nth(self, n: u128) -> Option<IpAddr> {
        let sum = number(self.address).checked_add(n)?;
        (sum <= number(self.last())).then(|| from_number(self.address, sum))
    }

    /// How far `address` is behind the first.
    #[must_use]
    pub fn position(self, address: IpAddr) -> Option<u128> {
        self.contains(address).then(|| number(address) - number(self.address))
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The upper `bits` of `width`.
fn mask(width: u8, bits: u8) -> u128 {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    let host = if bits == 128 { 0 } else { (u128::MAX >> bits) >> (128 - width) };
    all & !host
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Of the family of `like`.
fn from_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

impl FromStr for Subnet {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Subnet, AddressError> {
        let parsed =
            text.split_once('/').and_then(|(address, bits)| Subnet::new(address.parse().ok()?, bits.parse().ok()?));
        parsed.ok_or_else(|| AddressError::Subnet(text.into()))
    }
}

impl TryFrom<String> for Subnet {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Subnet, AddressError> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl FromStr for Mac {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Mac, AddressError> {
        let malformed = || AddressError::Mac(text.into());
        let mut bytes = [0; 6];
        let mut pairs = text.split([':', '-']);
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or_else(malformed)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        if pairs.next().is_some() { Err(malformed()) } else { Ok(Mac(bytes)) }
    }
}

impl TryFrom<String> for Mac {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Mac, AddressError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What ports belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the protocols' names")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl FromStr for Protocol {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Protocol, AddressError> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "sctp" => Ok(Protocol::Sctp),
            _ => Err(AddressError::Protocol(text.into())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        })
    }
}

/// A port of a protocol: `80/tcp`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Whose.
    pub protocol: Protocol,
}

impl FromStr for Port {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Port, AddressError> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let number = number.parse().map_err(|_| AddressError::Port(number.into()))?;
        Ok(Port { number, protocol: protocol.parse()? })
    }
}

impl TryFrom<String> for Port {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Port, AddressError> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
