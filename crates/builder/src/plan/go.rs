//! How Go prints what goes into an image's history: tools and people compare these texts.

use spec::image::Healthcheck;

pub(crate) use crate::dockerfile::go::quote as quoted;

/// `%q` of a list: `["a" "b"]`.
pub(crate) fn quoted_list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// `%v` of a list: `[a b]`.
pub(crate) fn list(words: &[String]) -> String {
    format!("[{}]", words.join(" "))
}

/// `%v` of a `time.Duration`: `1m30s`, `500ms`, `0s`.
pub(crate) fn duration(ns: i64) -> String {
    const UNITS: [(u64, &str); 3] = [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")];
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    if ns == 0 {
        return "0s".into();
    }
    if ns < 1_000_000_000 {
        let (unit, name) = UNITS.into_iter().rev().find(|(unit, _)| ns >= *unit).unwrap_or(UNITS[0]);
        return format!("{sign}{}{name}", fraction(ns, unit));
    }
    let seconds = ns / 1_000_000_000;
    let (h, m) = (seconds / 3600, seconds / 60 % 60);
    let s = fraction(ns % 60_000_000_000, 1_000_000_000);
    match (h, m) {
        (0, 0) => format!("{sign}{s}s"),
        (0, m) => format!("{sign}{m}m{s}s"),
        (h, m) => format!("{sign}{h}h{m}m{s}s"),
    }
}

/// `n / unit` in decimals, without zeros at the end.
fn fraction(n: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    match n % unit {
        0 => (n / unit).to_string(),
        rest => format!("{}.{}", n / unit, format!("{rest:0digits$}").trim_end_matches('0')),
    }
}

/// `%+v` of moby's `HealthcheckConfig`.
pub(crate) fn healthcheck(check: &Healthcheck) -> String {
    format!(
        "{{Test:{} Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
        list(&check.test),
        duration(check.interval),
        duration(check.timeout),
        duration(check.start_period),
        duration(check.start_interval),
        check.retries
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints() {
        assert_eq!(quoted_list(&["/bin/sh".into(), "-c".into()]), r#"["/bin/sh" "-c"]"#);
        let check = |ns: i64, text: &str| assert_eq!(duration(ns), text);
        check(0, "0s");
        check(1, "1ns");
        check(1_100, "1.1µs");
        check(500_000_000, "500ms");
        check(90_000_000_000, "1m30s");
        check(3_600_000_000_000, "1h0m0s");
        check(-1_500_000_000, "-1.5s");
        let health =
            Healthcheck { test: vec!["CMD".into(), "x".into()], interval: 30_000_000_000, ..Healthcheck::default() };
        assert_eq!(
            healthcheck(&health),
            "{Test:[CMD x] Interval:30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"
        );
    }
}
