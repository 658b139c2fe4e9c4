//! Whether and when a container is started again (moby `restartmanager`).

use std::time::Duration;

use spec::container::RestartPolicy;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// A run of this length was no failed start: the next pause is the first again.
const SETTLED: Duration = Duration::from_secs(10);

/// What a run was like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) ran: Duration,
    /// A user wanted it to end.
    pub(crate) by_user: bool,
}

/// The restarts since a user started the container.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restarts {
    pub(crate) count: u32,
    pause: Option<Duration>,
}

impl Restarts {
    /// The pause before the next start, which is counted; none: it stays down.
    pub(crate) fn after(&mut self, ended: Ended, policy: RestartPolicy) -> Option<Duration> {
        let again = match policy {
            _ if ended.by_user => false,
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(most) => ended.code != 0 && (most == 0 || self.count < most),
        };
        if !again {
            return None;
        }
        let pause = match self.pause {
            Some(last) if ended.ran < SETTLED => (last * 2).min(LONGEST),
            Some(_) | None => FIRST,
        };
        self.pause = Some(pause);
        self.count += 1;
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: RestartPolicy, runs: &[(i32, u64)], expected: &[Option<u64>]) {
        let mut restarts = Restarts::default();
        let pauses: Vec<_> = runs
            .iter()
            .map(|(code, ran_s)| {
                restarts.after(Ended { code: *code, ran: Duration::from_secs(*ran_s), by_user: false }, policy)
            })
            .map(|pause| pause.map(|pause| u64::try_from(pause.as_millis()).unwrap()))
            .collect();
        assert_eq!(pauses, expected);
    }

    #[test]
    fn pauses_double_until_a_run_settles() {
        let always = RestartPolicy::Always;
        check(
            always,
            &[(0, 0), (1, 0), (0, 9), (0, 10), (0, 0)],
            &[Some(100), Some(200), Some(400), Some(100), Some(200)],
        );
        let mut restarts = Restarts::default();
        let ended = Ended { code: 1, ran: Duration::ZERO, by_user: false };
        let last = (0..50).filter_map(|_| restarts.after(ended, always)).last();
        assert_eq!((last, restarts.count), (Some(LONGEST), 50));
    }

    #[test]
    fn policies_are_dockers() {
        check(RestartPolicy::No, &[(1, 0)], &[None]);
        check(RestartPolicy::OnFailure(2), &[(1, 0), (1, 0), (1, 0)], &[Some(100), Some(200), None]);
        check(RestartPolicy::OnFailure(0), &[(1, 0), (0, 0)], &[Some(100), None]);
        for policy in [RestartPolicy::Always, RestartPolicy::UnlessStopped] {
            let ended = Ended { code: 137, ran: Duration::ZERO, by_user: true };
            assert_eq!(Restarts::default().after(ended, policy), None, "a stop cancels it");
        }
    }
}
