//! `EXPOSE`: ports, ranges and protocols (BuildKit `convert_expose.go`, whose messages these are).

use std::net::IpAddr;

/// `80`, `8000-8010/udp`, and with an address or a port of the host before it, which mean nothing here, as `port/protocol`, each port
/// one.
pub(crate) fn parse(written: &str) -> Result<Vec<String>, String> {
    let (ip, host, container) = parts(written);
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    if ports.is_empty() {
        return Err(format!("invalid port: {}: no port specified", super::go::quoted(written)));
    }
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" => "tcp".to_owned(),
        known @ ("tcp" | "udp" | "sctp") => known.to_owned(),
        _ => return Err(format!("invalid port: {}: invalid proto: {protocol}", super::go::quoted(written))),
    };
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if !ip.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {ip}"));
    }
    let (first, last) = range(ports).ok_or_else(|| format!("invalid containerPort: {ports}"))?;
    if !host.is_empty() {
        let (from, to) = range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?;
        if last - first != to - from && last != first {
            return Err(format!("invalid ranges specified for container and host Ports: {ports} and {host}"));
        }
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// Address, port of the host, the rest.
fn parts(written: &str) -> (&str, &str, &str) {
    let Some((before, container)) = written.rsplit_once(':') else { return ("", "", written) };
    match before.rsplit_once(':') {
        None => ("", before, container),
        Some((ip, host)) => (ip, host, container),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.strip_prefix('+').unwrap_or(text).parse::<u16>().ok();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_out() {
        let check = |text: &str, ports: &str| assert_eq!(parse(text).unwrap().join(" "), ports);
        check("80", "80/tcp");
        check("53/UDP", "53/udp");
        check("8000-8002/sctp", "8000/sctp 8001/sctp 8002/sctp");
        check("127.0.0.1:80:8080", "8080/tcp");
        check("[::1]:80:8080", "8080/tcp");
        check("1000-1001:80", "80/tcp");
        let refused = |text: &str, why: &str| assert_eq!(parse(text).unwrap_err(), why);
        refused("", "invalid port: \"\": no port specified");
        refused("80/x", "invalid port: \"80/x\": invalid proto: x");
        refused("90-80", "invalid containerPort: 90-80");
        refused("65536", "invalid containerPort: 65536");
        refused("300.0.0.1:80:80", "invalid IP address: 300.0.0.1");
    }
}
