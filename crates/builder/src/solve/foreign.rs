//! `--cache-from`: what caches of other machines there are. One that cannot be read is told, and the build goes on without it.

use spec::platform::Platform;

use super::report::Report;
use crate::exchange::{Foreign, directory};
use crate::{CacheFrom, Machine, MachineError, Request};

/// Says what became of one later.
pub(crate) fn warn(report: Report<'_>, text: &str) {
    let shown = report.internal("importing cache");
    shown.begin();
    shown.log(2, format!("WARNING: {text}\n").as_bytes());
    shown.done();
}

/// All of them, in the order they were named in.
pub(crate) fn caches(machine: &dyn Machine, request: &Request, report: Report<'_>) -> Vec<Foreign> {
    let host = [Platform::host()];
    let platforms = if request.platforms.is_empty() { host.as_slice() } else { &request.platforms };
    let mut caches = Vec::new();
    for from in &request.cache_from {
        let found = match from {
            CacheFrom::Local(dir) => importing(report, &dir.display().to_string(), || {
                directory::read(dir).map(|found| found.into_iter().collect())
            }),
            CacheFrom::Registry(name) => importing(report, name, || {
                let mut found = Vec::new();
                for platform in platforms {
                    found.extend(machine.cache(name, platform)?);
                }
                Ok(found)
            }),
        };
        caches.extend(found);
    }
    caches
}

/// What it is shown as is BuildKit's.
fn importing(
    report: Report<'_>,
    name: &str,
    find: impl FnOnce() -> Result<Vec<Foreign>, MachineError>,
) -> Vec<Foreign> {
    let shown = report.internal(&format!("importing cache manifest from {name}"));
    shown.begin();
    match find() {
        Ok(found) if found.is_empty() => {
            shown.failed(&format!("there is no build cache in {name}"));
            Vec::new()
        }
        Ok(found) => {
            shown.done();
            found
        }
        Err(error) => {
            shown.failed(&super::report::told(&error));
            Vec::new()
        }
    }
}
