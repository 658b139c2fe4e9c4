//! `cargo test --release -p runtime --test launch -- bench`: what a launch costs, from bundle to reaped process, and what parts of it
//! cost by leaving them out.

use std::time::{Duration, Instant};

use spec::bundle::{Namespace, Seccomp};
use spec::mount::MountKind;

use crate::host::{Host, finish, pipes};

pub(crate) fn run() {
    let host = || Host::new(&["/bin/true"]);
    measure("all", &host());
    measure("no cgroup mounts", &host().with(|bundle| bundle.mounts.retain(|mount| mount.kind != MountKind::Cgroup)));
    measure("no filter", &host().with(|bundle| bundle.seccomp = Seccomp::Unconfined));
    measure("host network", &host().with(|bundle| bundle.namespaces.network = Namespace::Host));
    measure(
        "no masks",
        &host().with(|bundle| {
            bundle.masked_paths.clear();
            bundle.readonly_paths.clear();
        }),
    );
    measure("tiny init", &host().with(|bundle| bundle.init = true));
}

fn measure(name: &str, host: &Host) {
    let mut times: Vec<[Duration; 2]> = (0..200)
        .map(|_| {
            let (stdio, reader) = pipes();
            let start = Instant::now();
            let launched = host.launch(stdio).unwrap();
            let running = start.elapsed();
            finish(&launched, reader);
            [running, start.elapsed()]
        })
        .collect();
    let mut show = |column: usize| {
        times.sort_unstable_by_key(|time| time[column]);
        format!("min {:>7.3?} median {:>7.3?}", times[0][column], times[times.len() / 2][column])
    };
    println!("{name:18} runs after {}; ended after {}", show(0), show(1));
}
