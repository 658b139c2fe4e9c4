//! `--secret` and `--ssh`.

use std::path::PathBuf;

use builder::Secret;

use crate::cli::Cli;
use crate::flags::mount::fields;
use crate::report::Report;

/// BuildKit's limit.
const SECRET_MAX_BYTES: u64 = 500 * 1024;

/// `id=name[,src=path][,env=variable]` (buildx `ParseSecretSpecs`, BuildKit `secretsprovider`).
pub(super) fn secret(cli: &Cli, text: &str) -> Result<(String, Secret), Report> {
    let wrong = |why: String| Report::plain(format!("ERROR: {why}"));
    let (mut id, mut path, mut variable, mut kind) = (None, None, None, "");
    let all = fields(text);
    for field in &all {
        let (key, value) =
            field.split_once('=').ok_or_else(|| wrong(format!("invalid field '{field}' must be a key=value pair")))?;
        match key.to_lowercase().as_str() {
            "type" if matches!(value, "file" | "env") => kind = value,
            "type" => return Err(wrong(format!("unsupported secret type {value:?}"))),
            "id" => id = Some(value.to_owned()),
            "source" | "src" => path = Some(value.to_owned()),
            "env" => variable = Some(value.to_owned()),
            _ => return Err(wrong(format!("unexpected key '{key}' in '{field}'"))),
        }
    }
    if kind == "env" && variable.is_none() {
        variable = path.take();
    }
    let named = id.clone().or_else(|| variable.clone()).or_else(|| path.clone());
    let name = named.filter(|name| !name.is_empty()).ok_or_else(|| wrong("secret missing ID".into()))?;
    if path.is_none() && variable.is_none() {
        match cli.variable(&name) {
            Some(_) => variable = Some(name.clone()),
            None => path = Some(name.clone()),
        }
    }
    if let Some(variable) = variable {
        return Ok((name, Secret::Env(variable)));
    }
    let typed = path.unwrap_or_default();
    let path = cli.working_dir().join(&typed);
    let found = std::fs::metadata(&path)
        .map_err(|_| wrong(format!("failed to stat {typed}: stat {typed}: no such file or directory")))?;
    if found.len() > SECRET_MAX_BYTES {
        return Err(wrong(format!("secret {typed} too big. max size 500KB")));
    }
    Ok((name, Secret::File(path)))
}

/// `default|<id>[=<socket>]`.
pub(super) fn ssh(cli: &Cli, text: &str) -> Result<(String, PathBuf), Report> {
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    let id = if id.is_empty() { "default" } else { id };
    let path = match paths {
        "" => cli
            .variable("SSH_AUTH_SOCK")
            .filter(|path| !path.is_empty())
            .ok_or_else(|| Report::plain("ERROR: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set"))?,
        one => one.to_owned(),
    };
    let path = cli.working_dir().join(path);
    let is_socket =
        std::fs::metadata(&path).is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()));
    if !is_socket {
        return Err(Report::plain(format!(
            "ERROR: --ssh {text}: {} is not the socket of an ssh agent\n  keys themselves are not there yet in kist: add them to an agent, `eval $(ssh-agent); ssh-add KEY`",
            path.display()
        )));
    }
    Ok((id.to_owned(), path))
}
