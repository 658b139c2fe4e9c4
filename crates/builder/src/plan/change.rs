//! `commit -c` and `import -c`: instructions that change an image's defaults, and no files (moby `builder/dockerfile`, `BuildFromConfig`).

use spec::image::{ImageConfig, RunConfig};

use super::env;
use super::error::PlanError;
use super::paths;
use super::stages::State;
use super::words::Words;
use crate::dockerfile::ast::{Escape, Instruction};
use crate::dockerfile::parse_trigger;

/// Those that Docker takes.
const CHANGES: [&str; 11] = [
    "cmd",
    "entrypoint",
    "env",
    "expose",
    "healthcheck",
    "label",
    "onbuild",
    "stopsignal",
    "user",
    "volume",
    "workdir",
];

/// Applies instructions in their order.
///
/// # Errors
/// One is none that changes defaults, or makes no sense.
pub fn change(config: RunConfig, changes: &[String]) -> Result<RunConfig, PlanError> {
    let mut state = State { image: ImageConfig { config, ..ImageConfig::default() }, ..State::default() };
    for line in &state.image.config.env {
        let (name, value) = env::pair(line);
        state.env.set(name, value);
    }
    let words = Words { escape: Escape::default() };
    for text in changes {
        let keyword = text.split_whitespace().next().unwrap_or_default().to_lowercase();
        if !CHANGES.contains(&keyword.as_str()) {
            return Err(PlanError::new(format!("{keyword} is not a valid change command")));
        }
        let said = words.instruction(&parse_trigger(text)?, &state.env)?;
        if let Instruction::Workdir(path) = said {
            let config = &mut state.image.config;
            config.working_dir = paths::workdir(&config.working_dir, &path);
        } else {
            state.configure(said)?;
        }
    }
    Ok(state.image.config)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(changes: &[&str], expected: Expect) {
        let config = RunConfig { env: vec!["PATH=/bin".into()], ..RunConfig::default() };
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        let text = match change(config, &changes) {
            Ok(config) => serde_json::to_string(&config).unwrap(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn commands_come_as_json_or_for_the_shell() {
        check(&[r#"CMD ["sh", "-c"]"#], expect![[r#"{"Env":["PATH=/bin"],"Cmd":["sh","-c"]}"#]]);
        check(&["cmd echo $HOME"], expect![[r#"{"Env":["PATH=/bin"],"Cmd":["/bin/sh","-c","echo $HOME"]}"#]]);
        check(
            &[r#"CMD ["x"]"#, r#"ENTRYPOINT ["/init"]"#],
            expect![[r#"{"Env":["PATH=/bin"],"Entrypoint":["/init"],"Cmd":["x"]}"#]],
        );
    }

    #[test]
    fn an_entry_point_takes_the_command_away_that_it_did_not_come_with() {
        let config = RunConfig { cmd: Some(vec!["old".into()]), ..RunConfig::default() };
        let config = change(config, &["ENTRYPOINT [\"/init\"]".to_owned()]).unwrap();
        assert_eq!((config.entrypoint, config.cmd), (Some(vec!["/init".to_owned()]), None));
    }

    #[test]
    fn pairs_may_be_quoted_and_speak_of_each_other() {
        check(
            &["ENV A=1 B='two $A' C=\"x\\\"$PATH\"", "ENV PATH ${PATH}:/sbin", "LABEL a.b=c d=\"e f\""],
            expect![[r#"{"Env":["PATH=/bin:/sbin","A=1","B=two $A","C=x\"/bin"],"Labels":{"a.b":"c","d":"e f"}}"#]],
        );
        check(&["ENV A"], expect!["ENV must have two arguments"]);
        check(
            &["ENV A=\"x"],
            expect![[
                r#"failed to process "\"x": unexpected end of statement while looking for matching double-quote"#
            ]],
        );
    }

    #[test]
    fn the_rest_is_set() {
        check(
            &[
                "EXPOSE 80 53/udp 8000-8001",
                "VOLUME /a /b",
                "VOLUME [\"/c d\"]",
                "USER app:app",
                "WORKDIR /srv",
                "WORKDIR ../www",
                "STOPSIGNAL SIGINT",
            ],
            expect![[
                r#"{"User":"app:app","ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},"Env":["PATH=/bin"],"Volumes":{"/a":{},"/b":{},"/c d":{}},"WorkingDir":"/www","StopSignal":"SIGINT"}"#
            ]],
        );
        check(
            &["HEALTHCHECK --interval=1m30s --retries=2 CMD wget -q localhost", "ONBUILD RUN x"],
            expect![[
                r#"{"Env":["PATH=/bin"],"Healthcheck":{"Test":["CMD-SHELL","wget -q localhost"],"Interval":90000000000,"Retries":2},"OnBuild":["RUN x"]}"#
            ]],
        );
    }

    #[test]
    fn what_is_no_change_is_refused() {
        check(&["RUN x"], expect!["run is not a valid change command"]);
        check(&["EXPOSE http"], expect!["invalid containerPort: http"]);
        check(&["USER"], expect!["USER requires exactly one argument"]);
        check(&["ONBUILD FROM x"], expect!["FROM isn't allowed as an ONBUILD trigger"]);
        check(&["STOPSIGNAL NOPE"], expect!["invalid signal: NOPE"]);
    }
}
