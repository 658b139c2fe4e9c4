//! Values with a grammar of their own.

use std::fs;
use std::net::IpAddr;

use spec::bundle::Rlimit;
use spec::container::{DeviceMapping, RestartPolicy};
use spec::resources::{BlockDevice, DeviceRate, DeviceWeight};

use crate::units;

/// `--ulimit name=soft[:hard]` (docker/go-units ulimit.go).
pub(crate) fn ulimit(text: &str) -> Result<Rlimit, String> {
    const NAMES: &[&str] = &[
        "as",
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ];
    let (name, limits) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ => text.parse::<u64>().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
    };
    let (soft, hard) = match limits.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(limits)?, number(limits)?),
    };
    if soft > hard {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {} > {}",
            soft.cast_signed(),
            hard.cast_signed()
        ));
    }
    Ok(Rlimit { name: name.into(), soft, hard })
}

/// `--restart no|always|unless-stopped|on-failure[:n]`.
pub(crate) fn restart(text: &str) -> Result<RestartPolicy, String> {
    let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
    let number = |text: &str| text.parse::<u32>().map_err(|_| "maximum retry count must be an integer".to_owned());
    match (name, count) {
        ("no" | "", None) => Ok(RestartPolicy::No),
        ("always", None) => Ok(RestartPolicy::Always),
        ("unless-stopped", None) => Ok(RestartPolicy::UnlessStopped),
        ("on-failure", None) => Ok(RestartPolicy::OnFailure(0)),
        ("on-failure", Some(count)) => Ok(RestartPolicy::OnFailure(number(count)?)),
        ("no" | "always" | "unless-stopped", Some(_)) => {
            Err("invalid restart policy: maximum retry count can only be used with 'on-failure'".into())
        }
        _ => Err(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

/// `--device host[:container[:rwm]]`.
pub(crate) fn device(text: &str) -> Result<DeviceMapping, String> {
    let is_access = |text: &str| !text.is_empty() && text.bytes().all(|b| b"rwm".contains(&b));
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, access) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, second] if is_access(second) => (*host, *host, *second),
        [host, container] => (*host, *container, "rwm"),
        [host, container, access] if is_access(access) => (*host, *container, *access),
        _ => return Err(format!("invalid device specification: {text}")),
    };
    if !container.starts_with('/') {
        return Err(format!("{container} is not an absolute path"));
    }
    Ok(DeviceMapping { host: host.into(), container: container.into(), access: access.into() })
}

/// `--device-read-bps device:rate` with a unit.
pub(crate) fn bytes_rate(text: &str) -> Result<DeviceRate, String> {
    rate(text, |value| units::ram_in_bytes(value).ok().and_then(|n| u64::try_from(n).ok()))
        .ok_or_else(|| format!("invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"))
}

/// `--device-read-iops device:rate`.
pub(crate) fn count_rate(text: &str) -> Result<DeviceRate, String> {
    rate(text, |value| value.parse().ok())
        .ok_or_else(|| format!("invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"))
}

fn rate(text: &str, number: impl Fn(&str) -> Option<u64>) -> Option<DeviceRate> {
    let (path, value) = text.split_once(':').filter(|(path, _)| path.starts_with("/dev/"))?;
    Some(DeviceRate { device: BlockDevice::Path(path.into()), rate: number(value)? })
}

/// `--blkio-weight-device device:weight`.
pub(crate) fn device_weight(text: &str) -> Result<DeviceWeight, String> {
    let (path, value) = text
        .split_once(':')
        .filter(|(path, _)| path.starts_with("/dev/"))
        .ok_or_else(|| format!("bad format for device path: {text}"))?;
    let weight = value.parse::<u16>().ok().filter(|weight| *weight == 0 || (10..=1000).contains(weight));
    Ok(DeviceWeight {
        device: BlockDevice::Path(path.into()),
        weight: weight.ok_or_else(|| format!("invalid weight for device: {text}"))?,
    })
}

/// `--cpus 1.5` as billionths.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, String> {
    let refused = || format!("Failed to parse {text} as a rational number");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return Err("value is too precise".into());
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(refused());
    }
    format!("{whole}{fraction:0<9}").parse().map_err(|_| refused())
}

/// `-e`: `NAME=value`, or `NAME` for the value it has here; a name that is not set here is taken away.
pub(crate) fn env(text: &str, here: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    match text.split_once('=') {
        Some(("", _)) => Err(format!("invalid environment variable: {text}")),
        Some(_) => Ok(text.into()),
        None if text.is_empty() => Err(format!("invalid environment variable: {text}")),
        None => Ok(here(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}"))),
    }
}

/// `--env-file` and `--label-file`: a pair a line, `#` for comments (docker/cli pkg/kvfile).
pub(crate) fn file_lines(path: &str, here: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let bytes = fs::read(path).map_err(|e| crate::commands::opening(path, &e).text)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path}: invalid utf8 bytes"))?;
    let mut all = Vec::new();
    for (n, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err(format!("invalid env file ({path}): no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("invalid env file ({path}): variable '{name}' contains whitespaces (line {})", n + 1));
        }
        match value {
            Some(value) => all.push(format!("{name}={value}")),
            None => all.extend(here(name).map(|value| format!("{name}={value}"))),
        }
    }
    Ok(all)
}

/// `--add-host name:address`, and the newer `name=address`; kept with the colon. `host-gateway` is the host, whatever its address is
/// when the container starts.
pub(crate) fn add_host(text: &str) -> Result<String, String> {
    let malformed = || format!("bad format for add-host: {text:?}");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(malformed)?;
    if name.is_empty() || name.contains(':') {
        return Err(malformed());
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare != HOST_GATEWAY && bare.trim().parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address in add-host: {bare:?}"));
    }
    Ok(format!("{name}:{bare}"))
}

/// The host itself, in `--add-host`.
const HOST_GATEWAY: &str = "host-gateway";

/// `--dns`.
pub(crate) fn dns_server(text: &str) -> Result<String, String> {
    let address = text.trim().parse::<IpAddr>();
    address.map(|address| address.to_string()).map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

/// `--dns-search`; a dot is: none.
pub(crate) fn dns_search(text: &str) -> Result<String, String> {
    let domain = text.trim_matches(' ');
    let bare = domain.trim_end_matches('.');
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let has_letter = bare.bytes().any(|b| b.is_ascii_alphabetic());
    match domain {
        "." => Ok(domain.into()),
        _ if has_letter && bare.len() < 255 && bare.split('.').all(is_label) => Ok(bare.into()),
        _ => Err(format!("{text} is not a valid domain")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cpus() {
        assert_eq!(nano_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(nano_cpus(".25"), Ok(250_000_000));
        assert_eq!(nano_cpus("2"), Ok(2_000_000_000));
        assert!(nano_cpus("1.0000000001").is_err() && nano_cpus("x").is_err() && nano_cpus(".").is_err());
    }

    #[test]
    fn restart_policies() {
        assert_eq!(restart("on-failure:3"), Ok(RestartPolicy::OnFailure(3)));
        assert_eq!(restart("unless-stopped"), Ok(RestartPolicy::UnlessStopped));
        assert!(restart("always:3").is_err() && restart("sometimes").is_err());
    }

    #[test]
    fn ulimits_and_devices() {
        assert_eq!(ulimit("nofile=1:2").unwrap(), Rlimit { name: "nofile".into(), soft: 1, hard: 2 });
        assert_eq!(ulimit("core=-1").unwrap().hard, u64::MAX);
        assert!(ulimit("nofile=3:2").is_err() && ulimit("what=1").is_err());
        assert_eq!(device("/dev/a:r").unwrap().access, "r");
        assert_eq!(device("/dev/a:/dev/b").unwrap().container.to_str(), Some("/dev/b"));
        assert!(device("/dev/a:/dev/b:x").is_err());
    }
}
