//! `--secret` and `--ssh`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use builder::Secret;
use engine::Host;
use engine::build::keyring::{Key, Keyring};

use crate::cli::Cli;
use crate::flags::mount::fields;
use crate::report::{Report, chain};
use crate::verb::Args;

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

/// What commands may speak to, by id.
#[derive(Default)]
pub(super) struct Agents {
    pub(super) sockets: BTreeMap<String, PathBuf>,
    /// Those of our own, which hold keys while this lives.
    keyrings: Vec<Keyring>,
}

/// No key is longer (BuildKit `sshprovider`).
const KEY_MAX_BYTES: u64 = 100 << 10;

/// `--ssh default|<id>[=<socket>|<key>[,<key>]]`; the last one of an id counts.
pub(super) fn agents(cli: &Cli, host: &Host, args: &Args) -> Result<Agents, Report> {
    let mut wanted = BTreeMap::new();
    for text in args.list("ssh").into_iter().filter(|text| !text.is_empty()) {
        let (id, paths) = text.split_once('=').unwrap_or((text, ""));
        wanted.insert(if id.is_empty() { "default" } else { id }, paths);
    }
    let mut agents = Agents::default();
    for (id, paths) in wanted {
        let socket = agent(cli, host, paths, &mut agents).map_err(|why| {
            let paths = paths.replace(',', " ");
            let doing = format!("failed to convert agent config {{{id} [{paths}] false}}");
            Report::plain(format!("ERROR: {doing}: {why}"))
        })?;
        agents.sockets.insert(id.to_owned(), socket);
    }
    Ok(agents)
}

fn agent(cli: &Cli, host: &Host, paths: &str, agents: &mut Agents) -> Result<PathBuf, String> {
    let own = || cli.variable("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
    let paths = match paths {
        "" => own().ok_or("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")?,
        paths => paths.to_owned(),
    };
    let (mut sockets, mut keys) = (Vec::new(), Vec::new());
    for name in paths.split(',') {
        let path = cli.working_dir().join(name);
        let gone = |_| format!("stat {name}: no such file or directory");
        if std::os::unix::fs::FileTypeExt::is_socket(&std::fs::metadata(&path).map_err(gone)?.file_type()) {
            sockets.push(path);
            continue;
        }
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(KEY_MAX_BYTES).read_to_end(&mut text));
        read.map_err(|e| format!("failed to read {name}: {e}"))?;
        keys.push((name, text));
    }
    match (sockets.as_slice(), keys.as_slice()) {
        ([socket], []) => Ok(socket.clone()),
        ([_, _, ..], []) => Err("only single socket allowed".into()),
        ([_, ..], _) => Err("invalid combination of keys and sockets".into()),
        ([], keys) => {
            let keys: Vec<Key<'_>> = keys.iter().map(|(name, text)| Key { name, text }).collect();
            let keyring = Keyring::start(host, &cli.environment(), &keys).map_err(|error| chain(&error))?;
            let socket = keyring.socket();
            agents.keyrings.push(keyring);
            Ok(socket)
        }
    }
}
