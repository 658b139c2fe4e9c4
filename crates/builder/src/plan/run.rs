//! `RUN`: a command with its mounts.

use super::dispatch::Makes;
use super::env::Env;
use super::error::PlanError;
use super::graph::{Begins, Bits, RunFiles, RunMount, RunStep, Tree, What, devices};
use super::stages::Command;
use super::{Planner, go, names, paths};
use crate::dockerfile::ast::{self, Expanded, Run};
use crate::dockerfile::mount::Mount;

/// Where a script that says its interpreter lies while it runs.
const SCRIPTS: &str = "/dev/pipes/";

/// What runs.
struct Words {
    args: Vec<String>,
    /// Its file, if it is a script.
    script: Option<RunMount>,
    /// What its name says after the instruction.
    note: String,
}

impl Planner<'_> {
    pub(super) fn run(&mut self, at: usize, command: &Command, run: &Run<Expanded>) -> Result<(), PlanError> {
        let words = self.run_words(at, run)?;
        let mut mounts: Vec<RunMount> = words.script.into_iter().collect();
        for (mount, from) in run.mounts.iter().zip(command.from.iter().copied()) {
            mounts.push(self.run_mount(at, mount, from)?);
        }
        let stage = &self.stages.all[at];
        let config = &stage.state.image.config;
        let step = RunStep {
            on: stage.state.tree,
            args: words.args.clone(),
            env: stage.state.env.lines(),
            proxy: self.proxies.clone(),
            working_dir: paths::workdir("/", &config.working_dir),
            user: config.user.clone(),
            mounts,
            network: run.network,
            security: run.security,
            devices: devices(&run.devices),
            platform: stage.platform.clone().unwrap_or_else(|| self.target.clone()),
            epoch: self.layer_epoch(stage),
        };
        let history = stage.state.history_of(&words.args, &stage.state.env);
        let text = format!("{}{}", command.said.original, words.note);
        let shown = names::shouted(&self.words.shown_command(&text, &masked(&stage.state.env, run)));
        let on = self.rooted(step.on);
        self.step(at, command, &shown, What::Run(Box::new(RunStep { on, ..step })));
        self.stages.all[at].state.note(format!("RUN {history} # buildkit"), Makes::Layer);
        Ok(())
    }

    fn run_words(&self, at: usize, run: &Run<Expanded>) -> Result<Words, PlanError> {
        let state = &self.stages.all[at].state;
        let plain = |args| Words { args, script: None, note: String::new() };
        let text = match &run.command {
            ast::Command::Exec(words) => return Ok(plain(words.clone())),
            ast::Command::Shell(text) => text,
        };
        let Some(first) = run.heredocs.first() else { return Ok(plain(state.shell(text))) };
        if !is_heredoc_alone(text) {
            let mut whole = text.clone();
            for heredoc in &run.heredocs {
                whole.push('\n');
                whole.push_str(&heredoc.content);
                whole.push_str(&heredoc.name);
            }
            return Ok(plain(state.shell(&whole)));
        }
        let note = format!(" ({})", summary(&first.content));
        let content = first.chomped();
        if !content.starts_with("#!") {
            return Ok(Words { note, ..plain(state.shell(&content)) });
        }
        let args = state.shell(&format!("{SCRIPTS}{}", first.name));
        let what = RunFiles::Script { name: first.name.clone(), content };
        let script = Some(RunMount { target: SCRIPTS.into(), read_only: true, what });
        Ok(Words { args, script, note })
    }

    fn run_mount(&mut self, at: usize, mount: &Mount, from: usize) -> Result<RunMount, PlanError> {
        let working_dir = self.stages.all[at].state.image.config.working_dir.clone();
        Ok(match mount {
            Mount::Bind { from: None, source, target, read_only } => {
                let tree = Some(self.main_context());
                files(inside(&working_dir, target)?, *read_only, tree, source)
            }
            Mount::Bind { from: Some(name), source, target, read_only } => {
                let tree = self.mounted(at, name, target, from)?;
                files(inside(&working_dir, target)?, *read_only, tree, source)
            }
            Mount::Cache { id, from: name, source, target, read_only, sharing, owner } => {
                let tree = match name {
                    Some(name) => self.mounted(at, name, target, from)?,
                    None => None,
                };
                let id = match self.said.get("BUILDKIT_CACHE_MOUNT_NS") {
                    Some(namespace) if !namespace.is_empty() => format!("{namespace}/{id}"),
                    Some(_) | None => id.clone(),
                };
                let source = paths::join("/", source);
                // As with BuildKit, where a directory of this mode and owner is a step, and what is kept belongs to its result.
                let owner = Bits::from(*owner);
                let is_step = tree.is_none() && owner != Bits::default();
                let begins = if is_step && self.stages.all[at].anew { Begins::Anew } else { Begins::Kept };
                let what = RunFiles::Cache { id, from: tree, source, sharing: *sharing, owner, begins };
                RunMount { target: inside(&working_dir, target)?, read_only: *read_only, what }
            }
            Mount::Tmpfs { target, read_only, size_bytes } => RunMount {
                target: inside(&working_dir, target)?,
                read_only: *read_only,
                what: RunFiles::Tmpfs { size_bytes: *size_bytes },
            },
            Mount::Secret { id, target, env, required, owner } => RunMount {
                target: target.as_ref().map(|target| paths::workdir(&working_dir, target)).unwrap_or_default(),
                read_only: true,
                what: RunFiles::Secret {
                    id: id.clone(),
                    env: env.clone(),
                    required: *required,
                    owner: (*owner).into(),
                },
            },
            Mount::Ssh { id, target, required, owner } => RunMount {
                target: target.as_ref().map(|target| paths::workdir(&working_dir, target)).unwrap_or_default(),
                read_only: true,
                what: RunFiles::Ssh { id: id.clone(), required: *required, owner: (*owner).into() },
            },
        })
    }

    /// The files of a stage that is gone through already.
    fn mounted(&self, at: usize, name: &str, target: &str, from: usize) -> Result<Tree, PlanError> {
        let source = &self.stages.all[from];
        if from >= at && !source.aside || !source.done {
            return Err(PlanError::new(format!(
                "cannot mount from stage {} to {}, stage needs to be defined before current command",
                go::quoted(name),
                go::quoted(target)
            )));
        }
        Ok(source.state.tree)
    }
}

fn files(target: String, read_only: bool, from: Tree, source: &str) -> RunMount {
    RunMount { target, read_only, what: RunFiles::Tree { from, source: paths::join("/", source) } }
}

/// Where a mount goes.
fn inside(working_dir: &str, target: &str) -> Result<String, PlanError> {
    let target = if paths::clean(target).starts_with('/') {
        target.to_owned()
    } else {
        paths::join(&paths::workdir("/", working_dir), target)
    };
    if target == "/" {
        return Err(PlanError::new(format!("invalid mount target {}", go::quoted(&target))));
    }
    Ok(target)
}

/// Variables with stars for those that are secrets.
fn masked(env: &Env, run: &Run<Expanded>) -> Env {
    let mut env = env.clone();
    for mount in &run.mounts {
        match mount {
            Mount::Secret { env: Some(name), .. } => env.set(name, "****"),
            Mount::Secret { env: None, .. }
            | Mount::Bind { .. }
            | Mount::Cache { .. }
            | Mount::Tmpfs { .. }
            | Mount::Ssh { .. } => {}
        }
    }
    env
}

/// Whether a command is `<<EOF` and nothing else.
fn is_heredoc_alone(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(rest) = rest.strip_prefix("<<") else { return false };
    let word = rest.strip_prefix('-').unwrap_or(rest);
    !word.is_empty() && !word.contains('<') && !word.contains(char::is_whitespace)
}

/// The first line of a script, and whether there are more.
fn summary(content: &str) -> String {
    let content = content.trim().replace("\r\n", "\n");
    match content.split_once('\n') {
        Some((first, _)) => format!("{first}..."),
        None => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heredocs_alone_are_scripts() {
        for alone in ["<<EOF", "<<-'EOF'", "3<<E"] {
            assert!(is_heredoc_alone(alone), "{alone}");
        }
        for more in ["cat <<EOF", "<<EOF cat", "<<A <<B", "<<"] {
            assert!(!is_heredoc_alone(more), "{more}");
        }
        assert_eq!(summary("\necho a\necho b\n"), "echo a...");
    }
}
