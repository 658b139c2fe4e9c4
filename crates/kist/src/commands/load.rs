//! `kist load`.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;

use engine::image::load::{Archive, load};
use engine::image::progress::{LayerEvent, LayerState};
use spec::platform::Platform;
use store::{LoadEvent, Loaded};

use crate::cli::{Cli, say};
use crate::progress::{Progress, To};
use crate::report::Report;
use crate::terminal;
use crate::units::short_id;
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
    // Not a line of it is for scripts, as in Docker.
    let to = if args.on("quiet") || !terminal::stdout_is_terminal() { To::Nowhere } else { To::Stdout };
    let mut progress = Progress::new(to);
    let mut on = |event: LoadEvent| {
        if let Some(event) = layer_event(event) {
            progress.tell(event);
        }
    };
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
    drop(progress);
    for image in loaded? {
        say(&lines(&image));
    }
    Ok(0)
}

fn layer_event(event: LoadEvent) -> Option<LayerEvent> {
    let (layer, state) = match event {
        LoadEvent::Present(_) | LoadEvent::Failed => return None,
        LoadEvent::Reading { layer, done_bytes: done, total_bytes: total } => {
            (layer, LayerState::Loading { done, total })
        }
        LoadEvent::Unpacked(layer) => (layer, LayerState::LoadComplete),
    };
    Some(LayerEvent { layer: short_id(&layer.to_string()).to_owned(), state })
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
