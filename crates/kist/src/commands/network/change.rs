//! `kist network connect`, `disconnect`, `prune`, `reload` and `rm`.

use std::collections::BTreeMap;

use engine::container::find;
use engine::network::attach::Wanted;
use engine::network::connect::connect;
use engine::network::disconnect::{IfGone, disconnect};
use engine::network::{prune, reload, remove};
use engine::{Error, Host};
use spec::time::Time;

use super::strings;
use crate::cli::say;
use crate::commands::each::{Done, each_done};
use crate::commands::prune::{FILTER, FORCE, Sift, confirmed};
use crate::filter::PRUNE_KEYS;
use crate::flags::container::number;
use crate::flags::network::{driver_option, ipv4, ipv6, link};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist network connect`.
pub(crate) static NETWORK_CONNECT: Verb = Verb {
    name: "network connect",
    aliases: &[],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Connect a container to a network",
    words: Words::Exactly(2),
    flags: &[&[
        flag("alias", Takes::List("strings"), "Add network-scoped alias for the container"),
        flag("driver-opt", Takes::List("strings"), "driver options for the network"),
        flag(
            "gw-priority",
            Takes::One("int"),
            "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
        ),
        flag("ip", Takes::One("string"), "IPv4 address (e.g., \"172.30.100.104\")"),
        flag("ip6", Takes::One("string"), "IPv6 address (e.g., \"2001:db8::33\")"),
        flag("link", Takes::List("list"), "Add link to another container"),
        flag("link-local-ip", Takes::List("strings"), ""),
    ]],
    run: |cli, args| {
        let [_, container] = args.words() else { return Err(Report::plain("no container")) };
        let wanted = wanted(args)?;
        let host = cli.host()?;
        connect(&host, &find(&host, container)?, &wanted)?;
        Ok(0)
    },
};

fn wanted(args: &Args) -> Result<Wanted, Report> {
    if args.given("link-local-ip") {
        return Err(Report::plain("--link-local-ip is not there yet in kist"));
    }
    let invalid = |what: String| Report::from(Error::Invalid(format!("invalid endpoint settings:\n{what}")));
    let mut driver_options = BTreeMap::new();
    for text in strings(&args.list("driver-opt")) {
        let (key, value) =
            driver_option(text).ok_or_else(|| Report::plain("invalid key/value pair format in driver options"))?;
        driver_options.insert(key, value);
    }
    Ok(Wanted {
        network: args.words().first().cloned().unwrap_or_default(),
        ipv4: ipv4(args.text("ip").unwrap_or_default()).map_err(invalid)?,
        ipv6: ipv6(args.text("ip6").unwrap_or_default()).map_err(invalid)?,
        mac: None,
        aliases: strings(&args.list("alias")).into_iter().map(str::to_owned).collect(),
        links: args.parsed_list(&NETWORK_CONNECT, "link", link)?,
        driver_options,
        gateway_priority: number(&NETWORK_CONNECT, args, "gw-priority")?.unwrap_or(0),
    })
}

/// `kist network disconnect`.
pub(crate) static NETWORK_DISCONNECT: Verb = Verb {
    name: "network disconnect",
    aliases: &[],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Disconnect a container from a network",
    words: Words::Exactly(2),
    flags: &[&[short('f', "force", Takes::Switch, "Force the container to disconnect from a network")]],
    run: |cli, args| {
        let [network, container] = args.words() else { return Err(Report::plain("no container")) };
        let if_gone = if args.on("force") { IfGone::Forget } else { IfGone::Refuse };
        let host = cli.host()?;
        disconnect(&host, &find(&host, container)?, network, if_gone)?;
        Ok(0)
    },
};

/// `kist network rm`.
pub(crate) static NETWORK_RM: Verb = Verb {
    name: "network rm",
    aliases: &["network remove"],
    usage: "NETWORK [NETWORK...]",
    about: "Remove one or more networks",
    words: Words::AtLeast(1),
    flags: &[&[short('f', "force", Takes::Switch, "Do not error if the network does not exist")]],
    run: |cli, args| {
        let host = cli.host()?;
        let force = args.on("force");
        let act = |name: &str| match remove::remove(&host, name) {
            Err(Error::NotFound(_)) if force => Ok(Done::Silent),
            other => Ok(other.map(|()| Done::Said)?),
        };
        each_done(args.words(), act, |_| None::<String>)
    },
};

/// `kist network prune`.
pub(crate) static NETWORK_PRUNE: Verb = Verb {
    name: "network prune",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Remove all unused networks",
    words: Words::None,
    flags: &[&[FILTER, FORCE]],
    run: |cli, args| {
        let sift = Sift::new(args, PRUNE_KEYS)?;
        let warning = "WARNING! This will remove all custom networks not used by at least one container.\n";
        if !confirmed(args, warning) {
            return Ok(0);
        }
        let text = pruned(&cli.host()?, &|created, labels| sift.wants(Some(created), labels))?;
        if !text.is_empty() {
            say(&format!("{text}\n"));
        }
        Ok(0)
    },
};

/// Removes the networks nobody uses; says which.
pub(crate) fn pruned(host: &Host, wanted: &dyn Fn(Time, &BTreeMap<String, String>) -> bool) -> Result<String, Report> {
    let removed = prune::prune(host, wanted)?;
    let mut text = String::new();
    if !removed.is_empty() {
        text.push_str("Deleted Networks:\n");
        removed.iter().for_each(|name| text.push_str(&format!("{name}\n")));
    }
    Ok(text)
}

/// `kist network reload`.
pub(crate) static NETWORK_RELOAD: Verb = Verb {
    name: "network reload",
    aliases: &[],
    usage: "",
    about: "Make the firewall rules of all networks anew, from what runs",
    words: Words::None,
    flags: &[],
    run: |cli, _| {
        reload::reload(&cli.host()?)?;
        Ok(0)
    },
};
