//! Numbers as the kernel wants them: what both versions of control groups need, and the conversions between their scales.

use spec::resources::{BlockDevice, Resources};

use super::CgroupError;

/// The fair scheduler's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bandwidth {
    /// Negative is unlimited.
    pub(super) quota_us: Option<i64>,
    pub(super) period_us: Option<i64>,
}

/// The kernel's own period.
pub(super) const PERIOD_US: i64 = 100_000;

/// A value that is set: 0 is not.
pub(super) fn number(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value != 0)
}

/// Quota and period, with `--cpus` as a quota of the usual period (moby getCPUResources).
pub(super) fn bandwidth(r: &Resources) -> Bandwidth {
    match number(r.nano_cpus) {
        Some(nano_cpus) => {
            let quota = i128::from(nano_cpus) * i128::from(PERIOD_US) / 1_000_000_000;
            Bandwidth { quota_us: Some(i64::try_from(quota).unwrap_or(i64::MAX)), period_us: Some(PERIOD_US) }
        }
        None => Bandwidth { quota_us: number(r.cpu_quota_us), period_us: number(r.cpu_period_us) },
    }
}

/// `pids.max`.
pub(super) fn pids(limit: i64) -> String {
    if limit > 0 { limit.to_string() } else { "max".into() }
}

/// v1 shares (2 to 262144, usually 1024) as a v2 weight (1 to 10000, usually 100), by the curve through both ends and the middle that
/// runc and crun use since 2025 (opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "1 to 10000 by the bounds above it"
)]
pub(super) fn weight_of_shares(shares: i64) -> u64 {
    match shares {
        ..=2 => 1,
        262_144.. => 10_000,
        shares => {
            let log = (shares as f64).log2();
            10_f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64
        }
    }
}

/// A v1 blkio weight (10 to 1000) on the scale of `io.weight` (1 to 10000).
pub(super) fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9999 / 990
}

/// v2 counts swap apart from memory, Docker counts both together. None: not set.
pub(super) fn swap_alone(memory: Option<i64>, both: Option<i64>) -> Option<i64> {
    match (number(memory), number(both)) {
        // Unlimited memory with no word about swap: v1 would not limit it either.
        (Some(-1), None) => Some(-1),
        (_, None) | (None, Some(0..)) => None,
        (_, Some(both @ ..0)) => Some(both),
        (Some(..0), Some(both)) => Some(both),
        (Some(memory), Some(both)) => Some((both - memory).max(0)),
    }
}

/// -1 is "max" on v2.
pub(super) fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

/// `major:minor` of a block device.
pub(super) fn number_of(device: &BlockDevice) -> Result<String, CgroupError> {
    match device {
        BlockDevice::Number(major, minor) => Ok(format!("{major}:{minor}")),
        BlockDevice::Path(path) => {
            let stat = rustix::fs::stat(path).map_err(|e| CgroupError::NoDevice(path.clone(), e.into()))?;
            Ok(format!("{}:{}", rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights_as_in_runc() {
        // The values of opencontainers/cgroups utils_test.go.
        for (shares, weight) in [(2, 1), (1024, 100), (262_144, 10_000), (1, 1), (300_000, 10_000)] {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
        assert_eq!((io_weight(10), io_weight(1000), io_weight(500)), (1, 10_000, 4950));
    }

    #[test]
    fn swap_is_what_is_above_memory() {
        let table = [
            ((Some(100), Some(300)), Some(200)),
            ((Some(100), Some(100)), Some(0)),
            ((Some(100), Some(-1)), Some(-1)),
            ((Some(100), None), None),
            ((Some(-1), None), Some(-1)),
            ((Some(-1), Some(50)), Some(50)),
            ((None, Some(50)), None),
            ((None, Some(-1)), Some(-1)),
        ];
        for ((memory, both), alone) in table {
            assert_eq!(swap_alone(memory, both), alone, "{memory:?} {both:?}");
        }
    }

    #[test]
    fn cpus_are_a_quota() {
        let r = Resources { nano_cpus: Some(1_500_000_000), ..Resources::default() };
        assert_eq!(bandwidth(&r), Bandwidth { quota_us: Some(150_000), period_us: Some(100_000) });
    }
}
