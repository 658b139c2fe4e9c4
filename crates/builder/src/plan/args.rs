//! `ARG`s before the first `FROM`, those every build has, and the proxies.

use std::collections::BTreeMap;

use spec::platform::Platform;

use super::env::Env;
use super::error::PlanError;
use super::words::Words;
use crate::dockerfile::ast::{Arg, Dockerfile};
use crate::dockerfile::error::Fault;

/// What every build has: where it runs and for which machine it is.
pub(crate) fn predefined(build: &Platform, target: &Platform, stage: &str, said: &BTreeMap<String, String>) -> Env {
    let variant = |platform: &Platform| platform.variant.clone().unwrap_or_default();
    let all = [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", String::new()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", variant(build)),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", String::new()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", variant(target)),
        ("TARGETSTAGE", if stage.is_empty() { "default".to_owned() } else { stage.to_owned() }),
    ];
    let mut env = Env::default();
    for (name, value) in all {
        env.set(name, said.get(name).unwrap_or(&value));
    }
    env
}

/// The same with the file's own.
pub(crate) fn global(
    file: &Dockerfile,
    mut env: Env,
    said: &BTreeMap<String, String>,
    words: &Words,
) -> Result<Env, PlanError> {
    for instruction in &file.global_args {
        set(&mut env, &instruction.value, said, words).map_err(|fault| PlanError::from(fault).at(instruction.span))?;
    }
    Ok(env)
}

/// Sets what an `ARG` names, where anybody says a value.
pub(crate) fn set(env: &mut Env, args: &[Arg], said: &BTreeMap<String, String>, words: &Words) -> Result<(), Fault> {
    for arg in args {
        let name = &arg.name.0;
        match (said.get(name), &arg.default) {
            (Some(value), _) => env.set(name, value),
            (None, Some(default)) => env.set(name, &words.word(default, env)?),
            (None, None) => {}
        }
    }
    Ok(())
}

/// Variables of the proxies that were given as arguments: each in capitals and not.
pub(crate) fn proxies(said: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"] {
        // Of `HTTP_PROXY` and `http_proxy` the one that is last in order counts.
        let value =
            said.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back();
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(format!("{}={value}", name.to_ascii_uppercase()));
            lines.push(format!("{name}={value}"));
        }
    }
    lines
}
