//! Containers launched for real, one test after the other in one thread: only a single-threaded process clones.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod host;
mod isolation;
mod mounts;
mod process;

use std::process::ExitCode;

type Test = (&'static str, fn());

/// Makes a module's list of tests from their names.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "bench") {
        bench::run();
        return ExitCode::SUCCESS;
    }
    match arguments.first().map(String::as_str) {
        Some("monitor") => return isolation::monitor(),
        Some("overwrite") => return isolation::overwrite(),
        _ => {}
    }
    let wanted = |name: &str| {
        let mut words = arguments.iter().filter(|word| !word.starts_with('-')).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word.as_str()))
    };
    let tests = process::TESTS.iter().chain(mounts::TESTS).chain(isolation::TESTS).filter(|(name, _)| wanted(name));
    if arguments.iter().any(|word| word == "--list") {
        tests.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !rustix::process::geteuid().is_root() {
        testkit::record_skip("launch", "not root");
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    let mut passed = 0;
    for (name, test) in tests {
        match std::panic::catch_unwind(test) {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
        }
    }
    println!("test result: {passed} passed; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
