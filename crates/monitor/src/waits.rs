//! Who waits for what: visitors whose answer comes later, in the order they asked.

use crate::protocol::Until;
use crate::status::Phase;

/// What a visitor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// To hear how it ended.
    End(Until),
    /// To hear that its `stop` has come true.
    Stopped,
    /// To hear that its `remove` has come true.
    Removed,
}

/// The waiting visitors.
#[derive(Debug, Default)]
pub(crate) struct Waits(Vec<(u64, For)>);

impl Waits {
    /// Takes a wait. True: it is met already, and the visitor is to be told now.
    pub(crate) fn ask(&mut self, visitor: u64, what: For, phase: Phase) -> bool {
        let met = match (what, phase) {
            (For::End(Until::NotRunning), Phase::Created | Phase::Exited | Phase::Removing) => true,
            (For::End(Until::NotRunning), Phase::Running | Phase::Paused | Phase::Restarting)
            | (For::End(Until::NextExit | Until::Removed) | For::Stopped | For::Removed, _) => false,
        };
        if !met {
            self.0.push((visitor, what));
        }
        met
    }

    /// The process ended: who hears of it now. That it will be started again is no reason to wait on (moby `SetRestarting`).
    pub(crate) fn ended(&mut self) -> Vec<u64> {
        self.extract(|what| matches!(what, For::End(Until::NotRunning | Until::NextExit)))
    }

    /// Whether a user waits for it to stop.
    pub(crate) fn is_stop_awaited(&self) -> bool {
        self.0.iter().any(|(_, what)| *what == For::Stopped)
    }

    /// It stays down and what it held is given back.
    pub(crate) fn stopped(&mut self) -> Vec<u64> {
        self.extract(|what| what == For::Stopped)
    }

    /// Nobody finds the container any more: who wanted to hear how it ended.
    pub(crate) fn vanished(&mut self) -> Vec<u64> {
        self.extract(|what| what == For::End(Until::Removed))
    }

    /// Nothing is left of the container: who wanted it gone.
    pub(crate) fn removed(&mut self) -> Vec<u64> {
        self.extract(|what| what == For::Removed)
    }

    /// A visitor has left.
    pub(crate) fn forget(&mut self, visitor: u64) {
        self.0.retain(|(who, _)| *who != visitor);
    }

    fn extract(&mut self, which: impl Fn(For) -> bool) -> Vec<u64> {
        self.0.extract_if(.., |(_, what)| which(*what)).map(|(who, _)| who).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_answered_once_and_by_the_right_event() {
        let mut waits = Waits::default();
        assert!(waits.ask(1, For::End(Until::NotRunning), Phase::Created));
        assert!(!waits.ask(2, For::End(Until::NextExit), Phase::Exited), "the next exit has never happened yet");
        assert!(!waits.ask(3, For::End(Until::NotRunning), Phase::Paused));
        assert!(!waits.ask(4, For::End(Until::Removed), Phase::Running));
        assert!(!waits.ask(5, For::Stopped, Phase::Running));
        assert!(!waits.ask(6, For::Removed, Phase::Running));
        assert_eq!(waits.ended(), [2, 3]);
        assert!(waits.ended().is_empty());
        assert_eq!(waits.stopped(), [5]);
        assert_eq!(waits.vanished(), [4]);
        assert_eq!(waits.removed(), [6]);
    }

    #[test]
    fn a_visitor_that_left_waits_no_more() {
        let mut waits = Waits::default();
        waits.ask(1, For::End(Until::NextExit), Phase::Running);
        waits.ask(2, For::End(Until::NextExit), Phase::Running);
        waits.forget(1);
        assert_eq!(waits.ended(), [2]);
    }
}
