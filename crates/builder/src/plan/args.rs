//! `ARG`s before the first `FROM`, those every build has, and the proxies.

use std::collections::BTreeMap;

use spec::platform::Platform;
use spec::time::Time;

use super::env::Env;
use super::error::PlanError;
use super::words::Words;
use crate::dockerfile::ast::Dockerfile;

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
        for arg in &instruction.value {
            let name = &arg.name.0;
            let value = match (said.get(name), &arg.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => {
                    Some(words.word(default, &env).map_err(|fault| PlanError::from(fault).at(instruction.span))?)
                }
                (None, None) => None,
            };
            if let Some(value) = value {
                env.set(name, &value);
            }
        }
    }
    Ok(env)
}

/// `SOURCE_DATE_EPOCH` of the file or the caller.
pub(crate) fn epoch(env: &Env, said: &BTreeMap<String, String>) -> Result<Option<Time>, PlanError> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let value = said.get(NAME).map(String::as_str).or_else(|| env.value(NAME)).unwrap_or_default();
    if value.is_empty() {
        return Ok(None);
    }
    let seconds = value.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
    match seconds {
        Some(ns) => Ok(Some(Time::from_ns(ns))),
        None => Err(PlanError::new(format!("invalid SOURCE_DATE_EPOCH: {value}"))),
    }
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
