//! `RUN`.

use super::ast::{Device, Run, RunNetwork, Security};
use super::error::Fault;
use super::flags::{Flags, Takes};
use super::go;
use super::instruction::{Parts, command};
use super::mount::WrittenMount;
use super::suggest::Case;

pub(super) fn parse(parts: &Parts<'_>) -> Result<Run, Fault> {
    let known =
        [("device", Takes::Often), ("mount", Takes::Often), ("network", Takes::Once), ("security", Takes::Once)];
    let flags = Flags::parse(&parts.line.flags, &known)?;
    Ok(Run {
        command: command(parts.line),
        heredocs: parts.heredocs.to_vec(),
        devices: flags.often("device").iter().map(|text| device(text)).collect::<Result<_, _>>()?,
        mounts: flags.often("mount").iter().map(|text| WrittenMount::parse(text)).collect::<Result<_, _>>()?,
        network: network(flags.said("network"))?,
        security: security(flags.said("security"))?,
    })
}

fn network(said: Option<&str>) -> Result<RunNetwork, Fault> {
    match said {
        None | Some("default") => Ok(RunNetwork::Default),
        Some("none") => Ok(RunNetwork::None),
        Some("host") => Ok(RunNetwork::Host),
        Some(other) => Err(Fault::new(format!("invalid network mode {}", go::quote(other))).about(other)),
    }
}

fn security(said: Option<&str>) -> Result<Security, Fault> {
    match said {
        None | Some("sandbox") => Ok(Security::Sandbox),
        Some("insecure") => Ok(Security::Insecure),
        Some(other) => Err(Fault::new(format!("security {} is not valid", go::quote(other))).about(other)),
    }
}

fn device(text: &str) -> Result<Device, Fault> {
    let fields = go::csv_fields(text)
        .map_err(|fault| Fault::new(format!("failed to parse csv devices: {fault}")).about(text))?;
    let mut name: Option<String> = None;
    let mut required = false;
    for field in fields {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        match (key.as_str(), value) {
            ("required", None) => required = true,
            ("required", Some(value)) => {
                required = go::parse_bool(value)
                    .ok_or_else(|| Fault::new(format!("invalid value for {key}: {value}")).about(&field))?;
            }
            ("name", Some(value)) => match &name {
                Some(name) => return Err(Fault::new(format!("device name already set to {name}")).about(&field)),
                None => name = Some(value.to_owned()),
            },
            _ if name.is_none() => name = Some(field),
            (_, None) => {
                return Err(Fault::new(format!("invalid field '{field}' must be a key=value pair")).about(&field));
            }
            (_, Some(_)) => {
                return Err(Fault::new(format!("unexpected key '{key}' in '{field}'"))
                    .suggesting(&key, ["name", "required"], Case::Sensitive)
                    .about(&field));
            }
        }
    }
    Ok(Device { name: name.unwrap_or_default(), required })
}
