//! The `kist` command, and the roles the same executable plays: a container's monitor.

mod cli;
mod commands;
mod filter;
mod flags;
#[cfg(test)]
mod generated;
mod progress;
mod prompt;
mod report;
mod table;
mod template;
mod terminal;
mod units;
mod verb;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| name == monitor::ROLE) {
        return monitor::main(words);
    }
    let typed: Result<Vec<String>, _> = words.map(std::ffi::OsString::into_string).collect();
    match typed {
        Ok(typed) => ExitCode::from(cli::run(&typed)),
        Err(_) => {
            cli::note("kist: arguments must be valid UTF-8");
            ExitCode::from(125)
        }
    }
}
