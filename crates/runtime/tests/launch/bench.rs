//! `cargo test --release --test launch -- bench`: what a launch costs, from bundle to reaped process.

use std::time::{Duration, Instant};

use crate::host::{Host, finish, pipes};

pub(crate) fn run() {
    let host = Host::new(&["/bin/true"]);
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let (stdio, reader) = pipes();
            let start = Instant::now();
            let launched = host.launch(stdio).unwrap();
            finish(&launched, reader);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("launch and end of `true`: min {:?}, median {:?}", times[0], times[times.len() / 2]);
}
