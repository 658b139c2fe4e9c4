//! `network reload`, and what every command does where the rules are gone: the table is made anew from what lives.

use network::{place, rules};

use crate::error::Error;
use crate::host::Host;

/// Makes the table anew, whatever there is of it.
///
/// # Errors
/// Of the kernel, of the files.
pub fn reload(host: &Host) -> Result<(), Error> {
    let _alone = place::alone(&host.home)?;
    rules::restore(&host.home, host.settings.firewall(), &monitor::live(&host.home)?)?;
    Ok(())
}

/// Whether the table had to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// It was there, or there need be none.
    Whole,
    /// It was gone.
    Restored,
}

/// Looks whether the table is there while a container needs it, and makes it again.
///
/// # Errors
/// Of the kernel, of the files.
pub fn ensure(host: &Host) -> Result<Rules, Error> {
    if rules::are_whole(&host.home)? {
        return Ok(Rules::Whole);
    }
    let _alone = place::alone(&host.home)?;
    // Somebody else may have been faster.
    if rules::are_whole(&host.home)? {
        return Ok(Rules::Whole);
    }
    let live = monitor::live(&host.home)?;
    if live.is_empty() {
        return Ok(Rules::Whole);
    }
    rules::restore(&host.home, host.settings.firewall(), &live)?;
    Ok(Rules::Restored)
}
