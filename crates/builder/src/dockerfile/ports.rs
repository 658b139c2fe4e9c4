//! What `EXPOSE` exposes.

use super::error::Fault;
use super::go;

/// One word of `EXPOSE`, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// First port.
    pub first: u16,
    /// Last port; the first, unless it is a range.
    pub last: u16,
    /// As written; `tcp` if nothing is.
    pub protocol: String,
    /// Whether an address or a port of the host is there too, which means nothing.
    pub is_mapped: bool,
}

impl Exposed {
    /// `80/tcp`, each port for itself.
    pub fn ports(&self) -> impl Iterator<Item = String> + '_ {
        (self.first..=self.last).map(|port| format!("{port}/{}", self.protocol.to_lowercase()))
    }
}

/// Reads `[address:][port:]port[-port][/protocol]`.
///
/// # Errors
/// It is no such thing.
pub fn expose(word: &str) -> Result<Exposed, Fault> {
    let invalid = |why: &str| Fault::new(format!("invalid port: {}: {why}", go::quote(word))).about(word);
    let (host, container) = word.rsplit_once(':').map_or((None, word), |(host, container)| (Some(host), container));
    let (address, host_port) = match host.map(|host| host.rsplit_once(':')) {
        Some(Some((address, port))) => (address, port),
        Some(None) => ("", host.unwrap_or_default()),
        None => ("", ""),
    };
    let (port, protocol) = container.split_once('/').unwrap_or((container, ""));
    if port.is_empty() {
        return Err(invalid("no port specified"));
    }
    let protocol = match protocol.to_lowercase().as_str() {
        "" => "tcp",
        "tcp" | "udp" | "sctp" => protocol,
        _ => return Err(invalid(&format!("invalid proto: {protocol}"))),
    };
    if !address.is_empty() {
        let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        if bare.parse::<std::net::IpAddr>().is_err() {
            return Err(Fault::new(format!("invalid IP address: {address}")).about(word));
        }
    }
    let (first, last) = range(port).ok_or_else(|| Fault::new(format!("invalid containerPort: {port}")).about(word))?;
    if !host_port.is_empty() {
        let (low, high) =
            range(host_port).ok_or_else(|| Fault::new(format!("invalid hostPort: {host_port}")).about(word))?;
        if last - first != high - low && first != last {
            let message = format!("invalid ranges specified for container and host Ports: {port} and {host_port}");
            return Err(Fault::new(message).about(word));
        }
    }
    let is_mapped = !address.is_empty() || !host_port.is_empty();
    Ok(Exposed { first, last, protocol: protocol.to_owned(), is_mapped })
}

/// `80` or `80-90`.
fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.strip_prefix('+').unwrap_or(text).parse::<u16>().ok();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}
