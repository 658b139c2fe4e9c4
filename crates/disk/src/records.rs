//! The file names of the documents of `spec`: they know nothing of files, so it is said here.

use spec::bundle::Bundle;
use spec::container::{Config, Settings};
use spec::network::Network;
use spec::volume::Volume;

use crate::record::Record;

impl Record for Config {
    const FILE: &'static str = "config.json";
    const FORMAT: u32 = 1;
}

impl Record for Settings {
    const FILE: &'static str = "settings.json";
    const FORMAT: u32 = 1;
}

impl Record for Bundle {
    const FILE: &'static str = "bundle.json";
    const FORMAT: u32 = 1;
}

impl Record for Network {
    const FILE: &'static str = "network.json";
    const FORMAT: u32 = 1;
}

impl Record for Volume {
    const FILE: &'static str = "volume.json";
    const FORMAT: u32 = 1;
}
