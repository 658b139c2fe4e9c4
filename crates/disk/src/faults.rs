//! The switch of the fault and kill loops: every durable act asks here first.

use std::io;

/// Called before each durable act.
pub fn act(_name: &'static str) -> io::Result<()> {
    Ok(())
}
