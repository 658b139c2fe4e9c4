//! The loops that fail, or kill, at every durable act in turn. The acts are counted by the program under test
//! (`disk::faults` says how, under the cargo feature `faults`); here the switch is set and the loop ends.

use crate::Root;
use std::path::PathBuf;
use std::process::Command;

/// What happens at the chosen act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to the process that does the act.
    Kill,
    /// The act fails with ENOSPC.
    NoSpace,
    /// The act fails with EIO.
    Io,
}

/// One round of a loop: hits the n-th act of all programs started with its environment.
#[derive(Debug)]
pub struct Faults {
    fault: Fault,
    at: usize,
    log: PathBuf,
}

impl Faults {
    /// Arms a command: it, and what it starts (the monitor too, which inherits the environment), share one count.
    pub fn arm(&self, command: &mut Command) {
        for (name, value) in self.env() {
            command.env(name, value);
        }
    }

    /// The same as pairs, for [`crate::Kist::env`].
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![("KIST_FAULT_LOG", self.log.display().to_string())];
        match self.fault {
            Fault::Kill => env.push(("KIST_KILL_AT", self.at.to_string())),
            Fault::NoSpace => env.push(("KIST_FAIL_AT", self.at.to_string())),
            Fault::Io => env.extend([("KIST_FAIL_AT", self.at.to_string()), ("KIST_FAIL_WITH", "EIO".to_owned())]),
        }
        env
    }

    /// The number of the act that is hit, from 1.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The acts so far, in order: `<pid> <name>`.
    pub fn acts(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    fn reached(&self) -> bool {
        self.acts().len() >= self.at
    }
}

/// Calls `round` with the 1st, 2nd, ... act failing with `fault`, until a round ends without reaching it; returns the number of acts.
/// The round makes its own `Kist`, arms the commands it wants hit, then runs others unarmed and asserts its invariants.
///
/// # Panics
/// When the 1st act is not reached: then the program was built without the feature and the loop would prove nothing.
pub fn for_each_fault(fault: Fault, mut round: impl FnMut(&Faults)) -> usize {
    let root = Root::new();
    for at in 1.. {
        let faults = Faults { fault, at, log: root.join(format!("acts-{at}")) };
        eprintln!("{fault:?} at act {at}");
        round(&faults);
        let acts = faults.acts();
        eprintln!("{fault:?} at act {at}: {}", acts.get(at - 1).map_or("not reached", |act| act));
        if !faults.reached() {
            assert!(
                at > 1,
                "no act was counted: the program under test lacks the feature `faults`, or the environment was lost"
            );
            return at - 1;
        }
    }
    unreachable!("a round ends before counting ends")
}

/// [`for_each_fault`] with [`Fault::Kill`].
pub fn for_each_kill(round: impl FnMut(&Faults)) -> usize {
    for_each_fault(Fault::Kill, round)
}
