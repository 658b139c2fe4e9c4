//! The verbs of networks, and what they print.

use expect_test::{Expect, expect};

use super::{HOST, Site, page, refused};
use crate::inspect;

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that a call reads as a row")]
fn check(site: &Site, args: &[&str], want: Expect) {
    want.assert_eq(&site.kist.run(args).scrubbed());
}

#[test]
fn three_networks_are_always_there() {
    let site = Site::new();
    check(
        &site,
        &["network", "ls"],
        expect![[r#"
            NETWORK ID   NAME   DRIVER   SCOPE
            <id>   bridge   bridge   local
            <id>   host   host   local
            <id>   none   null   local
        "#]],
    );
    check(&site, &["network", "ls", "--filter", "type=custom", "-q"], expect![""]);
    for name in ["bridge", "host", "none"] {
        refused(
            &site.kist.run(&["network", "rm", name]),
            1,
            &format!("{name} is a pre-defined network and cannot be removed"),
        );
        refused(
            &site.kist.run(&["network", "create", name]),
            1,
            &format!("operation is not permitted on predefined {name} network"),
        );
    }
}

#[test]
fn a_network_is_created_listed_and_removed() {
    let site = Site::new();
    let id = site.kist.ok(&["network", "create", "--label", "a=b", "net"]);
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    check(
        &site,
        &["network", "ls", "--filter", "name=net"],
        expect![[r#"
            NETWORK ID   NAME   DRIVER   SCOPE
            <id>   net   bridge   local
        "#]],
    );
    assert_eq!(site.kist.ok(&["network", "ls", "-q", "--no-trunc", "--filter", "label=a"]), id);
    assert_eq!(
        site.kist.ok(&["network", "ls", "--filter", "driver=null", "--format", "{{.Name}} {{.Driver}}"]),
        "none null"
    );
    refused(&site.kist.run(&["network", "create", "net"]), 1, "network with name net already exists");
    assert_eq!(site.kist.ok(&["network", "rm", &id[..12]]), id[..12]);
    refused(&site.kist.run(&["network", "rm", "net"]), 1, "network net not found");
    refused(&site.kist.run(&["network", "create", "-d", "nonsense", "x"]), 1, "nonsense");
}

#[test]
fn inspect_has_docker_s_shape() {
    let site = Site::new();
    site.kist.ok(&[
        "network",
        "create",
        "--subnet",
        "10.77.0.0/24",
        "--gateway",
        "10.77.0.1",
        "--label",
        "a=b",
        "--internal",
        "net",
    ]);
    let id = site.idle("web", "--network net");
    check(
        &site,
        &[
            "network",
            "inspect",
            "--format",
            "{{.Name}} {{.Scope}} {{.Driver}} {{.EnableIPv4}} {{.EnableIPv6}} {{.Internal}} {{.Attachable}} {{.Ingress}} {{json .IPAM}} {{json .ConfigFrom}} {{.ConfigOnly}} {{json .Options}} {{json .Labels}}",
            "net",
        ],
        expect![[r#"
            net local bridge true false true false false {"Driver":"default","Options":{},"Config":[{"Subnet":"10.77.0.0/24","Gateway":"10.77.0.1"}]} {"Network":""} false {} {"a":"b"}
        "#]],
    );
    let endpoint = inspect(&site.kist, "web", "{{.NetworkSettings.Networks.net.EndpointID}}");
    let mac = inspect(&site.kist, "web", "{{.NetworkSettings.Networks.net.MacAddress}}");
    assert_eq!(
        site.kist.ok(&["network", "inspect", "--format", "{{json .Containers}}", "net"]),
        format!(
            r#"{{"{id}":{{"Name":"web","EndpointID":"{endpoint}","MacAddress":"{mac}","IPv4Address":"10.77.0.2/24","IPv6Address":""}}}}"#
        )
    );
    assert_eq!(
        inspect(&site.kist, "web", "{{.NetworkSettings.Networks.net.NetworkID}}"),
        site.kist.ok(&["network", "inspect", "--format", "{{.Id}}", "net"])
    );
    let missing = site.kist.run(&["network", "inspect", "nothing"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (1, "[]\n"));
    assert!(missing.stderr.contains("network nothing not found"), "{}", missing.stderr);
}

#[test]
fn a_network_in_use_is_not_removed() {
    let site = Site::new();
    let net = site.kist.ok(&["network", "create", "net"]);
    site.idle("web", "--network net");
    let endpoint = inspect(&site.kist, "web", "{{.NetworkSettings.Networks.net.EndpointID}}");
    refused(
        &site.kist.run(&["network", "rm", "net"]),
        1,
        &format!(
            r#"error while removing network: network net has active endpoints (name:"web" id:"{}")"#,
            &endpoint[..12]
        ),
    );
    site.kist.ok(&["stop", "-t", "0", "web"]);
    assert_eq!(site.kist.ok(&["network", "rm", "net"]), "net");
    refused(&site.kist.run(&["start", "web"]), 1, &format!("network {net} not found"));
}

#[test]
fn prune_removes_what_no_container_uses() {
    let site = Site::new();
    for net in ["unused", "used"] {
        site.kist.ok(&["network", "create", net]);
    }
    site.idle("web", "--network used");
    check(
        &site,
        &["network", "prune", "-f"],
        expect![[r#"
            Deleted Networks:
            unused

        "#]],
    );
    check(&site, &["network", "prune", "-f"], expect![""]);
    assert_eq!(site.kist.ok(&["network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"]), "used");
}

#[test]
fn a_running_container_moves_between_networks() {
    let site = Site::new();
    for net in ["one", "two"] {
        site.kist.ok(&["network", "create", net]);
    }
    site.serve("web", "--network one -p 8080:80");
    site.idle("in-one", "--network one");
    site.idle("in-two", "--network two");
    let pid = crate::pid(&site.kist, "web");
    assert_eq!(site.kist.ok(&["network", "connect", "two", "web"]), "");
    refused(
        &site.kist.run(&["network", "connect", "two", "web"]),
        1,
        "endpoint with name web already exists in network two",
    );
    assert_eq!((site.wget("in-one", "web"), site.wget("in-two", "web")), ("web".to_owned(), "web".to_owned()));
    assert_eq!(site.kist.ok(&["network", "disconnect", "one", "web"]), "");
    assert_eq!(site.wget("in-two", "web"), "web");
    assert_ne!(site.try_exec("in-one", "timeout 1 wget -qO- http://web/").code, 0);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web", "its port is led to where it is now");
    assert_eq!(crate::pid(&site.kist, "web"), pid, "and it has not been restarted");
    refused(&site.kist.run(&["network", "disconnect", "one", "web"]), 1, "is not connected to network one");
    site.kist.ok(&["network", "disconnect", "two", "web"]);
    assert_eq!(site.exec("web", "ls /sys/class/net"), "lo");
    site.kist.ok(&["network", "connect", "bridge", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_created_container_is_connected_when_it_starts() {
    let site = Site::new();
    for net in ["one", "two"] {
        site.kist.ok(&["network", "create", net]);
    }
    site.kist.ok(&["create", "--name", "box", "--network", "one", "busybox", "sleep", "1000"]);
    site.kist.ok(&["network", "connect", "two", "box"]);
    site.kist.ok(&["network", "disconnect", "one", "box"]);
    site.kist.ok(&["start", "box"]);
    assert_eq!(inspect(&site.kist, "box", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"), "two ");
    for net in ["host", "none"] {
        assert_eq!(site.kist.run(&["network", "connect", net, "box"]).code, 1, "{net}");
    }
    site.idle("hosts", "--network host");
    refused(
        &site.kist.run(&["network", "connect", "one", "hosts"]),
        1,
        "container sharing network namespace with another container or host cannot be connected to any other network",
    );
}

#[test]
fn subnets_do_not_overlap() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "--subnet", "10.77.0.0/24", "net"]);
    refused(
        &site.kist.run(&["network", "create", "--subnet", "10.77.0.128/25", "other"]),
        1,
        "Pool overlaps with other one on this address space",
    );
    for (flags, text) in [
        (["--subnet", "10.78.0.0/24", "--gateway", "10.79.0.1"], "no matching subnet for gateway 10.79.0.1"),
        (["--subnet", "10.78.0.0/24", "--ip-range", "10.79.0.0/25"], "no matching subnet for range 10.79.0.0/25"),
    ] {
        refused(&site.kist.run(&[&["network", "create"], &flags[..], &["other"]].concat()), 1, text);
    }
    assert_eq!(site.kist.run(&["network", "create", "--subnet", "nonsense", "other"]).code, 1);
    assert_eq!(site.kist.ok(&["network", "ls", "-q", "--filter", "type=custom"]).lines().count(), 1);
}

#[test]
fn a_network_that_is_not_there_is_named() {
    let site = Site::new();
    let out = site.kist.run(&["run", "--name", "box", "--network", "nothing", "busybox", "true"]);
    refused(&out, 125, "network nothing not found");
}

#[test]
fn containers_are_filtered_by_network_and_port() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.idle("in-net", "--network net");
    site.idle("web", "-p 8080:80 --expose 81");
    let names = |filter: &str| site.kist.ok(&["ps", "--filter", filter, "--format", "{{.Names}}"]);
    assert_eq!(names("network=net"), "in-net");
    assert_eq!(names("network=bridge"), "web");
    assert_eq!(names("publish=8080"), "web");
    assert_eq!(names("expose=81"), "web");
    assert_eq!(names("publish=81"), "");
    assert_eq!(site.kist.ok(&["ps", "--filter", "name=in-net", "--format", "{{.Networks}}"]), "net");
}
