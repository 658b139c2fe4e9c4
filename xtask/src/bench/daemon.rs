//! A daemon of our own: started with its log in a file, asked what it used, stopped by its number.

use super::machine::read;
use crate::run::succeed;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ended when dropped.
#[derive(Debug)]
pub(super) struct Daemon(Child);

impl Daemon {
    /// Starts it and waits until it answers.
    pub(super) fn start(command: &mut Command, log: &Path, answers: impl Fn() -> bool) -> Result<Daemon> {
        let file = fs::File::create(log).with_context(|| log.display().to_string())?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        let mut daemon = Daemon(child.with_context(|| format!("{command:?}"))?);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !answers() {
            if Instant::now() > deadline || daemon.0.try_wait()?.is_some() {
                bail!("{command:?} does not answer:\n{}", read(log));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    /// What it and those of its children that have ended used, in user mode and in the kernel.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(self.file("stat"))?;
        // utime, stime, cutime and cstime (proc(5)), in hundredths of a second; the name before them may have spaces.
        let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
        let ticks: Result<Vec<u32>, _> = fields.split(' ').skip(11).take(4).map(str::parse).collect();
        Ok(f64::from(ticks?.iter().sum::<u32>()) / 100.0)
    }

    /// From here on its peak is what comes.
    pub(super) fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(self.file("clear_refs"), "5")?)
    }

    pub(super) fn peak_kb(&self) -> Result<f64> {
        let status = fs::read_to_string(self.file("status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        Ok(peak.context("no VmHWM")?.parse()?)
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = succeed(Command::new("kill").arg(self.0.id().to_string()));
            let _ = self.0.wait();
        }
    }
}
