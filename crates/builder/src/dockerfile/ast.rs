//! A Dockerfile, read: what each instruction says, in types, and where it stands in the text.
//!
//! An instruction has two states. As [`Written`] its words still hold variables ([`Word`]); [`Instruction::expand`] makes it [`Expanded`],
//! whose words are plain strings. Fields that are `String` in both are never expanded: BuildKit leaves them to the shell (`RUN`'s command)
//! or takes them as they are (`COPY --from`).

use std::fmt::Debug;

use spec::image::Healthcheck;

use super::mount::{Mount, WrittenMount};

/// A part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// Line of the first byte, from 1.
    pub first_line: u32,
    /// Line of the last byte.
    pub last_line: u32,
}

/// A whole file. It has at least one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// What stands in comments at its top.
    pub directives: Directives,
    /// `ARG`s before the first `FROM`, the only instruction allowed there.
    pub global_args: Vec<Spanned<Vec<Arg>>>,
    /// In the order of the file.
    pub stages: Vec<Stage>,
    /// Last lines of instructions that have an empty line among their continuation lines.
    pub empty_continuations: Vec<u32>,
}

/// `# name=value` at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: an image that would read this file.
    pub syntax: Option<Directive>,
    /// `# escape=`.
    pub escape: Escape,
    /// The line of `# escape=`, if it is there.
    pub escape_line: Option<u32>,
    /// `# check=`: `skip=JSONArgsRecommended;error=true`.
    pub check: Option<Directive>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// What follows `=`, without space at its ends.
    pub value: String,
    /// Its line, from 1.
    pub line: u32,
}

/// The character that continues lines and takes others their meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `\`, unless told otherwise.
    #[default]
    Backslash,
    /// `` ` ``, for files that speak of Windows paths.
    Backtick,
}

impl Escape {
    /// The character itself.
    #[must_use]
    pub fn char(self) -> char {
        match self {
            Escape::Backslash => '\\',
            Escape::Backtick => '`',
        }
    }
}

/// An instruction with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What it says.
    pub value: T,
    /// Its keyword in the case it is written in.
    pub keyword: String,
    /// The instruction as one line, continuation lines joined, without what heredocs hold: for the history and names of steps.
    pub original: String,
    /// From its keyword to its end, heredocs included.
    pub span: Span,
    /// The comment lines directly above, without `#` and space at their ends.
    pub comments: Vec<String>,
}

/// From a `FROM` to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it begins with.
    pub from: Spanned<From>,
    /// What follows.
    pub instructions: Vec<Spanned<Instruction>>,
}

/// `FROM [--platform=platform] base [AS name]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An image, an earlier stage, or `scratch`. It sees global `ARG`s only.
    pub base: Word,
    /// `--platform`. It sees global `ARG`s only.
    pub platform: Option<Word>,
    /// The name, in lower case.
    pub name: Option<String>,
    /// The words `AS name` in the case they are written in.
    pub as_written: Option<(String, String)>,
    /// What the comment above says of the name: `# name text`.
    pub doc: String,
}

/// Text in which variables stand as written, with quotes and escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub String);

/// What state words are in: [`Written`] or [`Expanded`].
pub trait State: Clone + Debug + PartialEq + Eq {
    /// A word.
    type Word: Clone + Debug + PartialEq + Eq;
    /// `RUN --mount`, which is read only when its variables are known.
    type Mount: Clone + Debug + PartialEq + Eq;
}

/// As in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written;

/// With variables' values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded;

impl State for Written {
    type Word = Word;
    type Mount = WrittenMount;
}

impl State for Expanded {
    type Word = String;
    type Mount = Mount;
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction<S: State = Written> {
    /// `ADD`
    Add(Add<S>),
    /// `ARG`: each value is expanded when its turn comes, because it sees those before it.
    Arg(Vec<Arg>),
    /// `CMD`
    Cmd(Command),
    /// `COPY`
    Copy(Copy<S>),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `ENV`: no value sees another of the same instruction.
    Env(Vec<Pair<S>>),
    /// `EXPOSE`: ports, ranges and `/protocol`, sorted; one written word may expand to several.
    Expose(Vec<S::Word>),
    /// `HEALTHCHECK`: `NONE`, `CMD …` or `CMD-SHELL …` in `test`.
    Healthcheck(Healthcheck),
    /// `LABEL`
    Label(Vec<Pair<S>>),
    /// `MAINTAINER`
    Maintainer(String),
    /// `ONBUILD`
    Onbuild(Onbuild),
    /// `RUN`
    Run(Run<S>),
    /// `SHELL`
    Shell(Vec<String>),
    /// `STOPSIGNAL`
    Stopsignal(S::Word),
    /// `USER`
    User(S::Word),
    /// `VOLUME`
    Volume(Vec<S::Word>),
    /// `WORKDIR`
    Workdir(S::Word),
}

/// One of an `ARG`'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its name, unexpanded.
    pub name: Word,
    /// Its default.
    pub default: Option<Word>,
    /// What the comment above says of it: `# NAME text`.
    pub doc: String,
}

/// One of `ENV`'s and `LABEL`'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<S: State = Written> {
    /// Left of `=`.
    pub name: S::Word,
    /// Right of it.
    pub value: S::Word,
    /// Which of the two forms.
    pub form: PairForm,
}

/// How a pair is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairForm {
    /// `name=value`
    Equals,
    /// `name value`, to the end of the line.
    Legacy,
}

/// The command of `RUN`, `CMD` and `ENTRYPOINT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Text for the shell; empty if nothing is written.
    Shell(String),
    /// `["word", …]`; may be empty.
    Exec(Vec<String>),
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<S: State = Written> {
    /// What runs. If it is text that is one heredoc and nothing else, the heredoc is the script.
    pub command: Command,
    /// In the order in which their markers stand in the command.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, in order.
    pub mounts: Vec<S::Mount>,
    /// `--network`.
    pub network: RunNetwork,
    /// `--security`.
    pub security: Security,
    /// `--device`.
    pub devices: Vec<Device>,
}

/// `--network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunNetwork {
    /// The build's.
    #[default]
    Default,
    /// None but loopback.
    None,
    /// The host's; the build must be allowed it.
    Host,
}

/// `--security`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// As containers are.
    #[default]
    Sandbox,
    /// Privileged; the build must be allowed it.
    Insecure,
}

/// `--device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// A CDI name.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

/// A text within the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// The number before `<<`; 0 if there is none.
    pub fd: u64,
    /// Whether variables in it are expanded: no part of the word is quoted.
    pub expand: bool,
    /// `<<-`: whether tabs at the beginning of lines are taken away (see [`Heredoc::chomped`]).
    pub chomp: bool,
    /// What is between, as written.
    pub content: String,
}

impl Heredoc {
    /// The content without the tabs that `<<-` takes away.
    #[must_use]
    pub fn chomped(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy<S: State = Written> {
    /// `--from`: a stage, its number, a named context or an image. Never expanded.
    pub from: Option<String>,
    /// What is copied.
    pub sources: Sources<S>,
    /// Where to.
    pub dest: S::Word,
    /// What `ADD` and `COPY` share.
    pub how: CopyFlags<S>,
    /// `--parents`.
    pub parents: bool,
}

/// `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add<S: State = Written> {
    /// Paths and URLs.
    pub sources: Sources<S>,
    /// Where to.
    pub dest: S::Word,
    /// What `ADD` and `COPY` share.
    pub how: CopyFlags<S>,
    /// `--checksum`.
    pub checksum: Option<S::Word>,
    /// `--keep-git-dir`, if it is said.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`, if it is said.
    pub unpack: Option<bool>,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources<S: State = Written> {
    /// Paths (and URLs), in order.
    pub paths: Vec<S::Word>,
    /// Heredocs, in order.
    pub inline: Vec<Inline<S>>,
}

/// A file whose content stands in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline<S: State = Written> {
    /// Its name: the word that ends the heredoc.
    pub name: String,
    /// Its content, tabs of `<<-` taken away.
    pub content: S::Word,
    /// Whether variables in it are expanded.
    pub expand: bool,
}

/// Flags of `ADD` and `COPY` alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFlags<S: State = Written> {
    /// `--chown`.
    pub chown: Option<S::Word>,
    /// `--chmod`.
    pub chmod: Option<S::Word>,
    /// `--link`.
    pub link: bool,
    /// `--exclude`, each a pattern; never expanded.
    pub exclude: Vec<String>,
}

/// `ONBUILD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// As it goes into the config, heredocs included.
    pub expression: String,
    /// The same, read.
    pub instruction: Box<Instruction>,
}
