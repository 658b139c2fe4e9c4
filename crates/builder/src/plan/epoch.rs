//! `SOURCE_DATE_EPOCH`: a number, or what has that time: the context, a named context, what a stage has from elsewhere (BuildKit
//! `dockerfile2llb/epoch.go`, whose texts these are). What has no time leaves it unset.

use spec::time::Time;

use super::graph::What;
use super::{PlanError, Planner, args, copy};
use crate::BuildContext;
use crate::dockerfile::ast::{Dockerfile, Instruction, Stage};

const NAME: &str = "SOURCE_DATE_EPOCH";

impl Planner<'_> {
    /// Finds out what it means; instructions see the number.
    pub(super) fn resolve_epoch(&mut self, file: &Dockerfile) -> Result<(), PlanError> {
        let Some(value) = self.said.get(NAME).map(String::as_str).or_else(|| self.global.value(NAME)) else {
            return Ok(());
        };
        self.epoch = match seconds(value) {
            Some(time) => Some(time),
            None if value.is_empty() => None,
            None => self.time_of(value, file)?,
        };
        // Where it was said, the number is said in its place.
        match self.epoch.map(|time| time.seconds().to_string()) {
            Some(number) => {
                if self.global.value(NAME).is_some() {
                    self.global.set(NAME, &number);
                }
                if let Some(said) = self.said.get_mut(NAME) {
                    *said = number;
                }
            }
            None => {
                self.global.unset(NAME);
                self.said.remove(NAME);
            }
        }
        Ok(())
    }

    fn time_of(&self, value: &str, file: &Dockerfile) -> Result<Option<Time>, PlanError> {
        let what = if value == "context" {
            What::Context(value.into())
        } else if let Some(name) = self.context_named(&value.to_lowercase(), None)? {
            match self.request.named_contexts.get(&name) {
                // As with BuildKit, which asks sources of files alone.
                Some(BuildContext::Image(_) | BuildContext::Layout(_)) => return Ok(None),
                Some(_) | None => What::Context(name),
            }
        } else {
            let is_called =
                |stage: &&Stage| stage.from.value.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(value));
            let Some(stage) = file.stages.iter().find(is_called) else {
                return Err(PlanError::new(format!("invalid {NAME}: {value}")));
            };
            self.source_of(stage).map_err(|error| error.at(stage.from.span))?
        };
        self.facts.time_of(&what).map_err(|error| {
            let message = error.to_string();
            PlanError { source: Some(Box::new(error)), ..PlanError::new(message) }
        })
    }

    /// The one thing that a stage has from elsewhere, if it is nothing else.
    fn source_of(&self, stage: &Stage) -> Result<What, PlanError> {
        const ONE: &str = "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD";
        if self.words.word(&stage.from.value.base, &self.global)? != "scratch" {
            return Err(PlanError::new("SOURCE_DATE_EPOCH stage must use FROM scratch"));
        }
        let (mut env, mut source) = (self.global.clone(), None);
        env.unset(NAME);
        for said in &stage.instructions {
            if let Instruction::Arg(args) = &said.value {
                args::set(&mut env, args, &self.said, &self.words)?;
                continue;
            }
            let Instruction::Add(add) = self.words.instruction(&said.value, &env)? else {
                let keyword = said.keyword.to_lowercase();
                return Err(PlanError::new(format!(
                    "SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported {keyword} instruction"
                )));
            };
            let ([path], []) = (add.sources.paths.as_slice(), add.sources.inline.as_slice()) else {
                return Err(PlanError::new(format!("{ONE} source")));
            };
            let remote = copy::remote(path, &add)?
                .ok_or_else(|| PlanError::new("SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD"))?;
            if source.replace(remote).is_some() {
                return Err(PlanError::new(ONE));
            }
        }
        source.ok_or_else(|| PlanError::new(ONE))
    }
}

fn seconds(text: &str) -> Option<Time> {
    text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000)).map(Time::from_ns)
}
