//! Hosts for `bench net`: a network namespace each, so that no engine's rules stand in another's way. A process that reads a pipe of ours
//! holds it, and ends with us however we end.

use super::sample::promptly;
use crate::run::output;
use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(super) struct Host {
    holder: Child,
    net: File,
}

impl Host {
    pub(super) fn new() -> Result<Host> {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("unshare")?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take().context("no pipe")?).read_line(&mut said)?;
        ensure!(said == "ready\n", "unshare makes no network namespace");
        let net = File::open(format!("/proc/{}/ns/net", holder.id()))?;
        Ok(Host { holder, net })
    }

    /// Does something in a thread that is in the namespace, as are the processes it starts.
    pub(super) fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let enter = || {
            move_into_link_name_space(self.net.as_fd(), Some(LinkNameSpaceType::Network))?;
            act()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().expect("it returns its errors"))
    }

    pub(super) fn ok(&self, command: &mut Command) -> Result<String> {
        self.inside(|| output(command))
    }

    pub(super) fn promptly(&self, command: &mut Command) -> Result<Duration> {
        self.inside(|| promptly(command))
    }

    /// Runs a line of words, none of which has blanks.
    fn words(&self, line: &str) -> Result<()> {
        let mut words = line.split(' ');
        self.ok(Command::new(words.next().unwrap_or_default()).args(words)).map(drop)
    }

    /// Joins two hosts by a pair of links with these addresses.
    pub(super) fn connect(&self, other: &Host, name: &str, here: &str, there: &str) -> Result<()> {
        self.words(&format!("ip link add {name}a type veth peer name {name}b netns {}", other.holder.id()))?;
        for (host, link, address) in [(self, format!("{name}a"), here), (other, format!("{name}b"), there)] {
            host.words(&format!("ip address add {address}/24 dev {link}"))?;
            host.words(&format!("ip link set {link} up"))?;
        }
        Ok(())
    }

    pub(super) fn route(&self, to: &str, by: &str) -> Result<()> {
        self.words(&format!("ip route add {to} via {by}"))
    }

    pub(super) fn forward(&self) -> Result<()> {
        self.inside(|| Ok(fs::write("/proc/sys/net/ipv4/ip_forward", "1")?))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
