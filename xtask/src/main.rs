//! The workshop: what a developer or the build machine does to the project, one word each. It sees nothing of the house but its files
//! and its programs.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it runs programs and prints; the house's rules for its own code do not fit it"
)]

mod bench;
mod court;
mod leaks;
mod load;
mod run;
mod tidy;
mod vmtest;

use anyhow::{Result, bail};
use std::process::ExitCode;

const WORDS: &str = "cargo xtask <word>

  tidy           layers, sizes, names, unsafe code, unfinished code, paths of this machine
  check          rustfmt, clippy without warnings, tidy
  test           the pure court, then the host court (as root); compares skips with .ci/skips when CI is set
  it [ARGS]      the host court alone; ARGS go to the test binaries
  bench [WHAT]   kist against its peers in one run: run, exec, memory, ps, storm, churn, pull, pull-zstd,
                 net or all (as root; --quick: fewer samples)
  vmtest [TEST]  the host court in a virtual machine with pure cgroup v2, plain and with systemd
  leaks          what killed tests left on this machine
  release        the release build, and its size
  load ARGS      what bench net runs inside namespaces and containers
";

fn main() -> ExitCode {
    let Err(error) = word() else { return ExitCode::SUCCESS };
    eprintln!("xtask: {error:#}");
    ExitCode::FAILURE
}

fn word() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["tidy"] => tidy::tidy(),
        ["check"] => court::check(),
        ["test"] => court::test(),
        ["it", rest @ ..] => court::host(rest),
        ["bench", rest @ ..] => bench::bench(rest),
        ["vmtest", rest @ ..] => vmtest::vmtest(rest),
        ["leaks"] => leaks::leaks(),
        ["release"] => court::release(),
        ["load", rest @ ..] => load::load(rest),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{WORDS}");
            Ok(())
        }
        _ => bail!("unknown: {}\n\n{WORDS}", args.join(" ")),
    }
}
