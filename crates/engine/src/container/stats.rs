//! `stats`: what a container uses of the machine, as read at one moment.

use std::fs;

use monitor::burial;
use spec::container::NetworkMode;

use super::View;
use crate::error::Error;
use crate::host::Host;
use crate::system::facts;

/// What was read. What is counted is counted since the container started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Time on processors.
    pub cpu_ns: u64,
    /// Time of all processors of the machine, idle or not.
    pub machine_ns: u64,
    /// How many processors there are.
    pub cpus: u32,
    /// Memory, without the page cache that would go first.
    pub memory_bytes: u64,
    /// The container's limit, or all there is.
    pub limit_bytes: u64,
    /// Received by its network devices, but for the loopback one.
    pub received_bytes: u64,
    /// Sent by them.
    pub sent_bytes: u64,
    /// Read from block devices.
    pub read_bytes: u64,
    /// Written to them.
    pub written_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl Reading {
    /// Of one processor, since an earlier reading: 200 where two were busy all the time (docker/cli `calculateCPUPercentUnix`).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    pub fn cpu_percent(&self, earlier: &Reading) -> f64 {
        let own = self.cpu_ns.saturating_sub(earlier.cpu_ns) as f64;
        let machine = self.machine_ns.saturating_sub(earlier.machine_ns) as f64;
        if own > 0.0 && machine > 0.0 { own / machine * f64::from(self.cpus) * 100.0 } else { 0.0 }
    }
}

/// Reads what a container uses; none where it does not run.
///
/// # Errors
/// Of the control groups.
pub fn read(host: &Host, view: &View) -> Result<Option<Reading>, Error> {
    let Some(life) = view.state.status.life() else { return Ok(None) };
    let failed = Error::other("reading what the container uses");
    let Some(cgroup) = burial::cgroup(&host.home, &view.config.id).map_err(failed)? else { return Ok(None) };
    let (machine_ns, cpus) = machine(&fs::read_to_string("/proc/stat")?);
    let stats = match cgroup.stats() {
        Ok(stats) => stats,
        Err(error) if error.is_gone() => return Ok(None),
        Err(error) => return Err(Error::other("reading what the container uses")(error)),
    };
    let all = facts::memory_bytes();
    let usage = stats.memory.usage_bytes;
    let cache = stats.memory.inactive_file_bytes;
    let (received_bytes, sent_bytes) = match view.config.host.network {
        // What the machine sends is not the container's.
        NetworkMode::Host => (0, 0),
        NetworkMode::None | NetworkMode::Networks(_) | NetworkMode::Container(_) => {
            traffic(&fs::read_to_string(format!("/proc/{}/net/dev", life.pid)).unwrap_or_default())
        }
    };
    Ok(Some(Reading {
        cpu_ns: stats.cpu.usage_ns,
        machine_ns,
        cpus,
        memory_bytes: if cache < usage { usage - cache } else { usage },
        limit_bytes: stats.memory.limit_bytes.map_or(all, |limit| limit.min(all)),
        received_bytes,
        sent_bytes,
        read_bytes: stats.io.iter().map(|device| device.read_bytes).sum(),
        written_bytes: stats.io.iter().map(|device| device.write_bytes).sum(),
        pids: stats.pids.current,
    }))
}

/// What all processors did together, and how many there are (moby `readSystemCPUUsage`).
fn machine(stat: &str) -> (u64, u32) {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let mut ticks = 0;
    let mut cpus = 0;
    for line in stat.lines().take_while(|line| line.starts_with("cpu")) {
        match line.strip_prefix("cpu ") {
            Some(all) => ticks = all.split_whitespace().take(7).filter_map(|word| word.parse::<u64>().ok()).sum(),
            None => cpus += 1,
        }
    }
    (ticks.saturating_mul(1_000_000_000 / per_second), cpus)
}

/// Bytes received and sent, from `/proc/PID/net/dev`.
fn traffic(dev: &str) -> (u64, u64) {
    let mut sum = (0_u64, 0_u64);
    for line in dev.lines().skip(2) {
        let Some((name, counts)) = line.split_once(':') else { continue };
        let counts: Vec<u64> = counts.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect();
        if name.trim() != "lo" && counts.len() >= 9 {
            sum = (sum.0.saturating_add(counts[0]), sum.1.saturating_add(counts[8]));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_time_and_number() {
        let stat = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 0 1 2 3 4 5 6 7 8 9\nintr 5\n";
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        assert_eq!(machine(stat), (28 * tick_ns, 2));
    }

    #[test]
    fn percents_are_of_one_processor() {
        let before = Reading { cpu_ns: 1_000, machine_ns: 10_000, cpus: 4, ..Reading::default() };
        let after = |cpu_ns, machine_ns| Reading { cpu_ns, machine_ns, ..before };
        let percent = |reading: Reading| format!("{:.2}", reading.cpu_percent(&before));
        assert_eq!(percent(after(2_000, 14_000)), "100.00");
        assert_eq!(percent(after(1_500, 14_000)), "50.00");
        assert_eq!(percent(after(500, 14_000)), "0.00", "another run of the container");
        assert_eq!(percent(before), "0.00");
    }

    #[test]
    fn devices_but_the_loopback_one_are_added_up() {
        let dev = "Inter-|   Receive                                                |  Transmit\n \
                   face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n    \
                   lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n  \
                   eth1:5 1 0 0 0 0 0 0 6 2 0 0 0 0 0 0\n";
        assert_eq!(traffic(dev), (105, 26));
        assert_eq!(traffic(""), (0, 0));
    }
}
