//! Any recipe assembles something or is refused. The directory has one file that a recipe can ask for.
#![no_main]

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;

libfuzzer_sys::fuzz_target!(|recipe: &[u8]| {
    let path = fuzz::empty_dir();
    fs::write(path.join("a"), "a body").expect("the directory is writable");
    let dir = File::open(path).expect("it was just made");
    if let Ok(tar) = store::layer::assemble(dir.as_fd(), Cursor::new(recipe)) {
        let _ = io::copy(&mut tar.take(1 << 20), &mut io::sink());
    }
});
