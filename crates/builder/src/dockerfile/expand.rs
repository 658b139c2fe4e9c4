//! Variables are put in: from [`Written`] to [`Expanded`].

use super::ast::{Add, Copy, CopyFlags, Expanded, Inline, Instruction, Pair, Run, Sources, Word, Written};
use super::error::Fault;

/// Who knows the variables. It notes what was used and what was not found, if it likes.
pub trait Expand {
    /// The word as one, without its quotes (BuildKit's `ProcessWord`).
    ///
    /// # Errors
    /// Its syntax; `${name:?why}` without a value.
    fn word(&mut self, word: &Word) -> Result<String, Fault>;

    /// The words it falls into when spaces that come from variables divide (`ProcessWords`).
    ///
    /// # Errors
    /// As [`Expand::word`].
    fn words(&mut self, word: &Word) -> Result<Vec<String>, Fault>;

    /// The content of a heredoc: quotes mean nothing, `\` always escapes.
    ///
    /// # Errors
    /// As [`Expand::word`].
    fn content(&mut self, content: &Word) -> Result<String, Fault>;
}

impl Instruction<Written> {
    /// The same with variables' values. `ARG` stays as it is.
    ///
    /// # Errors
    /// The expander's; a mount's options.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Instruction<Expanded>, Fault> {
        Ok(match self {
            Instruction::Add(add) => Instruction::Add(add.expand(with)?),
            Instruction::Arg(args) => Instruction::Arg(args.clone()),
            Instruction::Cmd(command) => Instruction::Cmd(command.clone()),
            Instruction::Copy(copy) => Instruction::Copy(copy.expand(with)?),
            Instruction::Entrypoint(command) => Instruction::Entrypoint(command.clone()),
            Instruction::Env(pairs) => Instruction::Env(expand_pairs(pairs, with)?),
            Instruction::Expose(words) => {
                let mut ports = Vec::new();
                for word in words {
                    ports.extend(with.words(word)?);
                }
                Instruction::Expose(ports)
            }
            Instruction::Healthcheck(health) => Instruction::Healthcheck(health.clone()),
            Instruction::Label(pairs) => Instruction::Label(expand_pairs(pairs, with)?),
            Instruction::Maintainer(name) => Instruction::Maintainer(name.clone()),
            Instruction::Onbuild(onbuild) => Instruction::Onbuild(onbuild.clone()),
            Instruction::Run(run) => Instruction::Run(run.expand(with)?),
            Instruction::Shell(words) => Instruction::Shell(words.clone()),
            Instruction::Stopsignal(signal) => Instruction::Stopsignal(with.word(signal)?),
            Instruction::User(user) => Instruction::User(with.word(user)?),
            Instruction::Volume(paths) => Instruction::Volume(expand_all(paths, with)?),
            Instruction::Workdir(path) => Instruction::Workdir(with.word(path)?),
        })
    }
}

impl Run<Written> {
    /// The same with its mounts read.
    ///
    /// # Errors
    /// The expander's; a mount's options.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Run<Expanded>, Fault> {
        Ok(Run {
            command: self.command.clone(),
            heredocs: self.heredocs.clone(),
            mounts: self.mounts.iter().map(|mount| mount.expand(with)).collect::<Result<_, _>>()?,
            network: self.network,
            security: self.security,
            devices: self.devices.clone(),
        })
    }
}

impl Copy<Written> {
    /// The same with variables' values.
    ///
    /// # Errors
    /// The expander's.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Copy<Expanded>, Fault> {
        Ok(Copy {
            from: self.from.clone(),
            how: self.how.expand(with)?,
            sources: self.sources.expand(with)?,
            dest: with.word(&self.dest)?,
            parents: self.parents,
        })
    }
}

impl Add<Written> {
    /// The same with variables' values.
    ///
    /// # Errors
    /// The expander's.
    pub fn expand(&self, with: &mut dyn Expand) -> Result<Add<Expanded>, Fault> {
        Ok(Add {
            how: self.how.expand(with)?,
            checksum: expand_some(self.checksum.as_ref(), with)?,
            sources: self.sources.expand(with)?,
            dest: with.word(&self.dest)?,
            keep_git_dir: self.keep_git_dir,
            unpack: self.unpack,
        })
    }
}

impl CopyFlags<Written> {
    fn expand(&self, with: &mut dyn Expand) -> Result<CopyFlags<Expanded>, Fault> {
        Ok(CopyFlags {
            chown: expand_some(self.chown.as_ref(), with)?,
            chmod: expand_some(self.chmod.as_ref(), with)?,
            link: self.link,
            exclude: self.exclude.clone(),
        })
    }
}

impl Sources<Written> {
    fn expand(&self, with: &mut dyn Expand) -> Result<Sources<Expanded>, Fault> {
        let mut inline = Vec::with_capacity(self.inline.len());
        let paths = expand_all(&self.paths, with)?;
        for file in &self.inline {
            let content = if file.expand { with.content(&file.content)? } else { file.content.0.clone() };
            inline.push(Inline { name: file.name.clone(), content, expand: file.expand });
        }
        Ok(Sources { paths, inline })
    }
}

fn expand_pairs(pairs: &[Pair], with: &mut dyn Expand) -> Result<Vec<Pair<Expanded>>, Fault> {
    pairs
        .iter()
        .map(|pair| Ok(Pair { name: with.word(&pair.name)?, value: with.word(&pair.value)?, form: pair.form }))
        .collect()
}

fn expand_all(words: &[Word], with: &mut dyn Expand) -> Result<Vec<String>, Fault> {
    words.iter().map(|word| with.word(word)).collect()
}

fn expand_some(word: Option<&Word>, with: &mut dyn Expand) -> Result<Option<String>, Fault> {
    word.map(|word| with.word(word)).transpose()
}
