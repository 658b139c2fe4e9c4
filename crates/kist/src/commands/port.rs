//! `kist port`.

use engine::container::{find, list};
use spec::address::Port;
use spec::network::Published;

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::verb::{Args, Verb, Words};

/// `kist port`.
pub(crate) static PORT: Verb = Verb {
    name: "port",
    aliases: &["container port"],
    usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List port mappings or a specific mapping for the container",
    words: Words::Between(1, 2),
    flags: &[],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let (name, wanted) = match args.words() {
        [name, wanted, ..] => (name, Some(wanted)),
        [name] => (name, None),
        [] => return Err(Report::plain("no container")),
    };
    let host = cli.host()?;
    let view = list::view(&host, &find(&host, name)?)?;
    let text = match wanted {
        None => all(&view.state.published),
        Some(wanted) => one(name, wanted, &view.state.published)?,
    };
    if !text.is_empty() {
        say(&text);
    }
    Ok(0)
}

fn sorted(published: &[Published]) -> Vec<Published> {
    let mut sorted = published.to_vec();
    sorted.sort_unstable();
    sorted
}

/// Where on the host.
fn place(published: &Published) -> String {
    std::net::SocketAddr::new(published.host_ip, published.host_port).to_string()
}

fn all(published: &[Published]) -> String {
    sorted(published).iter().map(|one| format!("{} -> {}\n", one.port, place(one))).collect()
}

/// The places of one port. Docker asks whether there is one called so, after it was told that the number is one.
fn one(name: &str, wanted: &str, published: &[Published]) -> Result<String, Report> {
    let number = wanted.split('/').next().unwrap_or(wanted);
    if number.parse::<u16>().is_err() {
        let too_large = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let why = if too_large { "value out of range" } else { "invalid syntax" };
        return Err(Report::plain(format!(
            "Error: invalid port ({number}): strconv.ParseUint: parsing {number:?}: {why}"
        )));
    }
    let port = wanted.trim_end_matches('/').parse::<Port>().ok();
    let of_port: String =
        sorted(published).iter().filter(|one| Some(one.port) == port).map(|one| format!("{}\n", place(one))).collect();
    if of_port.is_empty() {
        return Err(Report::plain(format!("Error: No public port '{wanted}' published for {name}")));
    }
    Ok(of_port)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn published() -> Vec<Published> {
        [("443/tcp", "0.0.0.0", 8443), ("80/tcp", "::", 8080), ("80/tcp", "0.0.0.0", 8080), ("53/udp", "127.0.0.1", 53)]
            .map(|(port, ip, host_port)| Published {
                port: port.parse().unwrap(),
                host_ip: ip.parse().unwrap(),
                host_port,
            })
            .to_vec()
    }

    #[test]
    fn all_ports_in_order() {
        expect![[r#"
            53/udp -> 127.0.0.1:53
            80/tcp -> 0.0.0.0:8080
            80/tcp -> [::]:8080
            443/tcp -> 0.0.0.0:8443
        "#]]
        .assert_eq(&all(&published()));
    }

    #[test]
    fn one_port_or_why_not() {
        let said = |wanted: &str| one("web", wanted, &published()).unwrap_or_else(|report| report.text + "\n");
        let all: String = ["80", "80/tcp", "53/udp", "53", "81/tcp", "x", "70000", "80/x"].map(said).concat();
        expect![[r#"
            0.0.0.0:8080
            [::]:8080
            0.0.0.0:8080
            [::]:8080
            127.0.0.1:53
            Error: No public port '53' published for web
            Error: No public port '81/tcp' published for web
            Error: invalid port (x): strconv.ParseUint: parsing "x": invalid syntax
            Error: invalid port (70000): strconv.ParseUint: parsing "70000": value out of range
            Error: No public port '80/x' published for web
        "#]]
        .assert_eq(&all);
    }
}
