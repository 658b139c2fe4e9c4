//! What steps are called: `[linux/amd64 build  3/12] RUN make` (BuildKit `prefixCommand`).

use spec::platform::Platform;

use super::env::Env;
use super::stages::Stage;

/// Whether names say the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platforms {
    /// One is built, and nobody asks which.
    Silent,
    /// Several are.
    Shown,
}

/// Names the next step of a stage.
pub(crate) fn next(
    stage: &mut Stage,
    text: &str,
    platforms: Platforms,
    platform: Option<&Platform>,
    env: Option<&Env>,
    on_build: bool,
) -> String {
    if stage.total == 0 {
        return text.to_owned();
    }
    let mut name = String::from("[");
    if let (Platforms::Shown, Some(platform)) = (platforms, platform) {
        name.push_str(&platform.to_string());
        name.push_str(&crossed(platform, env));
        name.push(' ');
    }
    if !stage.shown.is_empty() {
        name.push_str(&stage.shown);
        name.push(' ');
    }
    stage.named += 1;
    let width = stage.total.to_string().len();
    name.push_str(&format!("{:width$}/{}] ", stage.named, stage.total));
    if on_build {
        name.push_str("ONBUILD ");
    }
    name + text
}

/// The first word in capitals.
pub(crate) fn shouted(text: &str) -> String {
    match text.split_once(' ') {
        Some((keyword, rest)) => format!("{} {rest}", keyword.to_uppercase()),
        None => text.to_uppercase(),
    }
}

/// `->arm64` where a stage of this machine builds for another, as its `ARG`s tell.
fn crossed(base: &Platform, env: Option<&Env>) -> String {
    let Some(target) = env.and_then(|env| told(base, env)) else { return String::new() };
    if target.os != base.os {
        return format!("->{target}");
    }
    if target.architecture == base.architecture {
        return String::new();
    }
    match &target.variant {
        Some(variant) => format!("->{}/{variant}", target.architecture),
        None => format!("->{}", target.architecture),
    }
}

fn told(base: &Platform, env: &Env) -> Option<Platform> {
    let some = |name: &str| env.value(name).filter(|value| !value.is_empty());
    if let Some(platform) = some("TARGETPLATFORM").and_then(|text| text.parse().ok()) {
        return Some(platform);
    }
    let (os, architecture, variant) = (some("TARGETOS"), some("TARGETARCH"), some("TARGETVARIANT"));
    if os.is_none() && architecture.is_none() && variant.is_none() {
        return None;
    }
    let text = [os.unwrap_or(&base.os), architecture.unwrap_or(&base.architecture)].join("/");
    let text = variant.map_or(text.clone(), |variant| format!("{text}/{variant}"));
    text.parse().ok()
}
