//! What happens during a build, in the words of BuildKit's `client.SolveStatus`, so that `--progress rawjson` and its API say the same.

use spec::digest::Digest;
use spec::time::Time;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A step appeared, began or ended; it replaces what was said of the same digest before.
    Vertex(Vertex),
    /// How far a part of a step is: a layer's download, the transfer of the context.
    Status(Status),
    /// What a step's command wrote.
    Log(Log),
    /// What the author of the Dockerfile should know.
    Warning(Warning),
}

/// A step, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// What it is known by in this build; the same in each that asks the same.
    pub digest: Digest,
    /// The steps it needs.
    pub inputs: Vec<Digest>,
    /// `[build 2/5] RUN make`, `[internal] load build definition from Dockerfile`.
    pub name: String,
    /// When it began.
    pub started: Option<Time>,
    /// When it ended, well or not.
    pub completed: Option<Time>,
    /// Its result was known.
    pub cached: bool,
    /// Why it failed; `context canceled` when another step's failure ended it.
    pub error: Option<String>,
}

/// A part of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whose part.
    pub vertex: Digest,
    /// `transferring context:`, `sha256:…`, `extracting sha256:…`, `exporting layers`, `writing image sha256:…`, `naming to …`.
    pub id: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all; 0 when that is not known.
    pub total: u64,
    /// When it began.
    pub started: Option<Time>,
    /// When it ended.
    pub completed: Option<Time>,
    /// When this was said.
    pub at: Time,
}

/// Output of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Whose.
    pub vertex: Digest,
    /// 1 or 2.
    pub stream: u8,
    /// As it was written.
    pub bytes: Vec<u8>,
    /// When.
    pub at: Time,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The step that read the Dockerfile.
    pub vertex: Digest,
    /// The rule: `JSONArgsRecommended`.
    pub rule: String,
    /// One line.
    pub short: String,
    /// What the rule is about.
    pub description: String,
    /// Where it is explained.
    pub url: String,
    /// The file's name and text, to show the lines.
    pub source: (String, Vec<u8>),
    /// Lines it is about, from 1, both ends included.
    pub lines: Vec<(u32, u32)>,
}
