//! `import -c` and `commit -c`: Dockerfile instructions change an image's defaults (moby `builder/dockerfile`, `BuildFromConfig`).

use std::path::{Component, Path, PathBuf};

use spec::image::{Empty, Healthcheck, RunConfig};

use crate::error::Error;

/// Applies instructions in their order.
///
/// # Errors
/// One is none that changes defaults, or makes no sense.
pub(crate) fn apply_all(config: &mut RunConfig, changes: &[String]) -> Result<(), Error> {
    let mut command = Command::Inherited;
    changes.iter().try_for_each(|change| apply(config, change, &mut command))
}

/// Whose the command is that an `ENTRYPOINT` finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    /// The image's.
    Inherited,
    /// Of these instructions: it was meant for the new entry point.
    Ours,
}

fn apply(config: &mut RunConfig, change: &str, given: &mut Command) -> Result<(), Error> {
    let change = change.trim();
    let (instruction, rest) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
    let (instruction, rest) = (instruction.to_ascii_uppercase(), rest.trim());
    let needs = |words: &str| Err(Error::Invalid(format!("{instruction} requires {words}")));
    if rest.is_empty() && !matches!(instruction.as_str(), "CMD" | "ENTRYPOINT") {
        return match instruction.as_str() {
            "ENV" | "EXPOSE" | "LABEL" | "VOLUME" | "ONBUILD" => needs("at least one argument"),
            "USER" | "WORKDIR" | "STOPSIGNAL" => needs("exactly one argument"),
            "HEALTHCHECK" => needs("at least one argument"),
            _ => Err(unknown(&instruction)),
        };
    }
    let env = config.env.clone();
    let words = || words(rest, &env);
    match instruction.as_str() {
        "CMD" => {
            config.cmd = command(rest);
            *given = if config.cmd.is_some() { Command::Ours } else { *given };
        }
        "ENTRYPOINT" => {
            config.entrypoint = command(rest);
            // A new fixed part makes the image's old command meaningless.
            if *given == Command::Inherited {
                config.cmd = None;
            }
        }
        "ENV" => {
            let pairs = pairs(rest, &env, "ENV")?;
            crate::bundle::replace_env(
                &mut config.env,
                &pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
            );
        }
        "LABEL" => config.labels.extend(pairs(rest, &env, "LABEL")?),
        "EXPOSE" => {
            for word in words()? {
                config.exposed_ports.extend(ports(&word)?.into_iter().map(|port| (port, Empty {})));
            }
        }
        "VOLUME" => {
            let paths = json_words(rest).map_or_else(words, Ok)?;
            if paths.iter().any(String::is_empty) {
                return Err(Error::Invalid("VOLUME specified can not be an empty string".into()));
            }
            config.volumes.extend(paths.into_iter().map(|path| (path, Empty {})));
        }
        "USER" => config.user = words()?.join(" "),
        "WORKDIR" => config.working_dir = join(&config.working_dir, &words()?.join(" ")),
        "STOPSIGNAL" => {
            let name = words()?.join(" ");
            crate::container::signal::parse(&name)?;
            config.stop_signal = Some(name);
        }
        "HEALTHCHECK" => config.healthcheck = Some(healthcheck(rest)?),
        "ONBUILD" => {
            let first = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            match first.as_str() {
                "ONBUILD" => return Err(Error::Invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into())),
                "FROM" | "MAINTAINER" => {
                    return Err(Error::Invalid(format!("{first} isn't allowed as an ONBUILD trigger")));
                }
                _ => config.on_build.push(rest.to_owned()),
            }
        }
        _ => return Err(unknown(&instruction)),
    }
    Ok(())
}

fn unknown(instruction: &str) -> Error {
    Error::Invalid(format!("{} is not a valid change command", instruction.to_ascii_lowercase()))
}

/// The JSON form, or else a line for the shell; nothing at all clears it.
fn command(rest: &str) -> Option<Vec<String>> {
    let words = json_words(rest).unwrap_or_else(|| match rest {
        "" => Vec::new(),
        line => vec!["/bin/sh".into(), "-c".into(), line.into()],
    });
    (!words.is_empty()).then_some(words)
}

fn json_words(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

/// `a=b c="d e"`, or `a and the rest is its value`.
fn pairs(rest: &str, env: &[String], instruction: &str) -> Result<Vec<(String, String)>, Error> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let Some((key, value)) = rest.split_once(char::is_whitespace) else {
            return Err(Error::Invalid(format!("{instruction} must have two arguments")));
        };
        return Ok(vec![(key.into(), words(value, env)?.join(" "))]);
    }
    words(rest, env)?
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some(("", _)) => Err(Error::Invalid(format!("{instruction} names can not be blank"))),
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => {
                Err(Error::Invalid(format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value")))
            }
        })
        .collect()
}

/// Words as the Dockerfile's shell lexer makes them: quotes go, `\` takes the next character as it is, `$NAME` and `${NAME}` are values
/// of the image's environment.
fn words(text: &str, env: &[String]) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(chars.next().unwrap_or('\\')),
            ('$', None | Some('"')) => {
                let braced = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                if braced && chars.next() != Some('}') {
                    return Err(Error::Invalid(format!(
                        "failed to process {text:?}: only $NAME and ${{NAME}} are understood here"
                    )));
                }
                let value = env.iter().find_map(|pair| pair.strip_prefix(&name)?.strip_prefix('='));
                word.get_or_insert_default().push_str(if name.is_empty() { "$" } else { value.unwrap_or_default() });
            }
            (c, None | Some(_)) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(Error::Invalid(format!(
            "failed to process {text:?}: unexpected end of statement while looking for matching {open}"
        )));
    }
    words.extend(word);
    Ok(words)
}

/// `80`, `53/udp`, `8000-8002`: one entry a port.
fn ports(word: &str) -> Result<Vec<String>, Error> {
    let invalid = || Error::Invalid(format!("invalid containerPort: {word}"));
    let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (first.parse::<u16>().map_err(|_| invalid())?, last.parse::<u16>().map_err(|_| invalid())?);
    if first > last || !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(invalid());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// Relative to what it was; clean.
fn join(before: &str, dir: &str) -> String {
    let mut path = PathBuf::from("/");
    for component in Path::new("/").join(before).join(dir).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// `NONE`, or `[--interval=…] CMD command`.
fn healthcheck(rest: &str) -> Result<Healthcheck, Error> {
    let mut check = Healthcheck::default();
    let mut rest = rest;
    while rest.starts_with("--") {
        let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let bad = || Error::Invalid(format!("invalid {name} of HEALTHCHECK: {value:?}"));
        match name {
            "--interval" => check.interval = duration_ns(value).ok_or_else(bad)?,
            "--timeout" => check.timeout = duration_ns(value).ok_or_else(bad)?,
            "--start-period" => check.start_period = duration_ns(value).ok_or_else(bad)?,
            "--start-interval" => check.start_interval = duration_ns(value).ok_or_else(bad)?,
            "--retries" => check.retries = value.parse().ok().filter(|n| *n >= 0).ok_or_else(bad)?,
            _ => return Err(Error::Invalid(format!("unknown flag: {}", name.trim_start_matches('-')))),
        }
        rest = after.trim_start();
    }
    let (kind, line) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let line = line.trim();
    check.test = match (kind.to_ascii_uppercase().as_str(), line) {
        ("NONE", "") => vec!["NONE".into()],
        ("NONE", _) => return Err(Error::Invalid("HEALTHCHECK NONE takes no arguments".into())),
        ("CMD", "") => return Err(Error::Invalid("missing command after HEALTHCHECK CMD".into())),
        ("CMD", line) => match json_words(line) {
            Some(words) => std::iter::once("CMD".to_owned()).chain(words).collect(),
            None => vec!["CMD-SHELL".into(), line.into()],
        },
        (other, _) => return Err(Error::Invalid(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)"))),
    };
    Ok(check)
}

/// `1m30s`, `500ms`: Go's durations without their fractions.
fn duration_ns(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let unit_len = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, after) = behind.split_at(unit_len);
        let scale: i64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(changes: &[&str], expected: Expect) {
        let mut config = RunConfig { env: vec!["PATH=/bin".into()], ..RunConfig::default() };
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        let told = apply_all(&mut config, &changes);
        let text = match told {
            Ok(()) => serde_json::to_string(&config).unwrap(),
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
        let mut config = RunConfig { cmd: Some(vec!["old".into()]), ..RunConfig::default() };
        apply_all(&mut config, &["ENTRYPOINT [\"/init\"]".to_owned()]).unwrap();
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
            expect![[r#"failed to process "A=\"x": unexpected end of statement while looking for matching ""#]],
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
        check(&["STOPSIGNAL NOPE"], expect!["Invalid signal: NOPE"]);
    }
}
