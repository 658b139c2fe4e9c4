//! `kist load`.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use engine::image::load::{Archive, load};
use spec::digest::DiffId;
use spec::platform::Platform;
use store::{LoadEvent, Loaded};

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::terminal;
use crate::units::{human_size, short_id};
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist load`.
pub(crate) static LOAD: Verb = Verb {
    name: "load",
    aliases: &["image load"],
    usage: "[OPTIONS]",
    about: "Load an image from a tar archive or STDIN",
    words: Words::None,
    flags: &[&[
        short('i', "input", Takes::One("string"), "Read from tar archive file, instead of STDIN"),
        flag(
            "platform",
            Takes::One("string"),
            "Load only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        short('q', "quiet", Takes::Switch, "Suppress the load output"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let platform = args.parsed(&LOAD, "platform", str::parse::<Platform>)?;
    let mut progress = Progress::new(!args.on("quiet") && terminal::stdout_is_terminal());
    let mut on = |event: LoadEvent| progress.tell(&event);
    let loaded = match args.text("input") {
        Some(path) => {
            let file = File::open(cli.working_dir().join(path)).map_err(|e| super::opening(path, &e))?;
            load(&cli.host()?, Archive::File(file), platform.as_ref(), &mut on)
        }
        None => {
            let mut stdin = std::io::stdin();
            if stdin.is_terminal() {
                return Err(Report::plain("requested load from stdin, but stdin is empty"));
            }
            // `< file`: it can be read in place.
            let file = stdin.as_fd().try_clone_to_owned().map(File::from);
            match file.and_then(|file| Ok((file.metadata()?.is_file(), file))) {
                Ok((true, file)) => load(&cli.host()?, Archive::File(file), platform.as_ref(), &mut on),
                Ok((false, _)) | Err(_) => load(&cli.host()?, Archive::Stream(&mut stdin), platform.as_ref(), &mut on),
            }
        }
    };
    progress.end();
    for image in loaded? {
        say(&lines(&image));
    }
    Ok(0)
}

fn lines(image: &Loaded) -> String {
    let mut text = String::new();
    for (name, id) in &image.renamed {
        text.push_str(&format!(
            "The image {} already exists, renaming the old one with ID {id} to empty string\n",
            name.familiar()
        ));
    }
    if image.names.is_empty() {
        text.push_str(&format!("Loaded image ID: {}\n", image.id));
    }
    for name in &image.names {
        text.push_str(&format!("Loaded image: {}\n", name.familiar()));
    }
    text
}

/// A line for each layer that is being read, redrawn in place.
struct Progress {
    shown: bool,
    layers: Vec<DiffId>,
}

impl Progress {
    fn new(shown: bool) -> Progress {
        Progress { shown, layers: Vec::new() }
    }

    fn tell(&mut self, event: &LoadEvent) {
        if !self.shown {
            return;
        }
        let width = terminal::size().map_or(80, |size| usize::from(size.columns));
        match event {
            LoadEvent::Present(_) => {}
            LoadEvent::Reading { layer, done_bytes, total_bytes } => {
                self.draw(layer, &format!("Loading layer  {}", bar(*done_bytes, *total_bytes, width)));
            }
            LoadEvent::Unpacked(layer) => self.draw(layer, "Load complete"),
        }
    }

    /// Draws the line of a layer: up to it, over it, back down.
    fn draw(&mut self, layer: &DiffId, text: &str) {
        let mut out = std::io::stdout().lock();
        let at = self.layers.iter().position(|known| known == layer).unwrap_or_else(|| {
            self.layers.push(layer.clone());
            // A terminal that is gone is no error of ours, here and below.
            let _ = writeln!(out);
            self.layers.len() - 1
        });
        let up = self.layers.len() - at;
        let _ = write!(out, "\x1b[{up}A\r\x1b[2K{}: {text}\r\x1b[{up}B", short_id(&layer.to_string()));
        let _ = out.flush();
    }

    fn end(&mut self) {
        self.layers.clear();
    }
}

/// `[====>   ]  1.2MB/30MB`; the bar itself only on a wide terminal (moby `jsonmessage`).
fn bar(done: u64, total: u64, width: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let numbers = format!("{:>8}/{}", human_size(done as f64), human_size(total as f64));
    if width <= 110 || total == 0 {
        return numbers;
    }
    let filled = usize::try_from(done.saturating_mul(50) / total).unwrap_or(50).min(50);
    let arrow = if filled < 50 { ">" } else { "" };
    format!("[{}{arrow}{}] {numbers}", "=".repeat(filled), " ".repeat(50 - filled - arrow.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_dockers() {
        assert_eq!(bar(500_000, 1_000_000, 120), format!("[{}>{}]    500kB/1MB", "=".repeat(25), " ".repeat(24)));
        assert_eq!(bar(1_000_000, 1_000_000, 120), format!("[{}]      1MB/1MB", "=".repeat(50)));
        assert_eq!(bar(1, 10, 80), "      1B/10B");
    }
}
