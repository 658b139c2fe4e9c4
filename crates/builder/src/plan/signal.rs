//! `STOPSIGNAL`: whether there is such a signal (moby `sys/signal`).

/// Linux' names, without `SIG`.
const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// Refuses what is none.
pub(crate) fn check(written: &str) -> Result<(), String> {
    let refused = || format!("invalid signal: {written}");
    if let Ok(number) = written.parse::<i64>() {
        return if number == 0 { Err(refused()) } else { Ok(()) };
    }
    let name = written.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let real_time = |prefix: &str, most: u8| {
        name.strip_prefix(prefix).and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=most).contains(&n))
    };
    if NAMES.contains(&name) || real_time("RTMIN+", 15) || real_time("RTMAX-", 14) { Ok(()) } else { Err(refused()) }
}
