//! `kist wait`.

use engine::container::{find, wait};

use crate::cli::{note, say};
use crate::report::Report;
use crate::verb::{Verb, Words};

/// `kist wait`.
pub(crate) static WAIT: Verb = Verb {
    name: "wait",
    aliases: &["container wait"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Block until one or more containers stop, then print their exit codes",
    words: Words::AtLeast(1),
    flags: &[],
    run: |cli, args| {
        let host = cli.host()?;
        let mut code = 0;
        for name in args.words() {
            match find(&host, name).and_then(|id| wait::wait(&host, &id)) {
                Ok(exit) => say(&exit.to_string()),
                Err(error) => {
                    note(&Report::from(error).text);
                    code = 1;
                }
            }
        }
        Ok(code)
    },
};
