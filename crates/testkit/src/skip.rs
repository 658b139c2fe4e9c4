//! A test that cannot run here says why, and is counted: `cargo xtask test` compares the list with `.ci/skips`.

use std::fs::OpenOptions;
use std::io::Write;

/// Ends the test, saying why it cannot run on this machine.
///
/// ```ignore
/// if !std::path::Path::new("/sys/kernel/security/apparmor").is_dir() { testkit::skip!("no AppArmor"); }
/// ```
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::record_skip(module_path!(), &format!($($reason)+));
        return;
    }};
}

/// Prints the reason and, where `KIST_TEST_SKIPS` names a file, appends `module::test: reason` to it. The macro [`skip!`] calls it.
///
/// [`skip!`]: crate::skip
pub fn record_skip(module: &str, reason: &str) {
    // The harness names the thread of a test after the test, with its path; alone in one thread it runs on `main`.
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").unwrap_or(module);
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("KIST_TEST_SKIPS") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{test}: {reason}\n").as_bytes()).unwrap();
    }
}
