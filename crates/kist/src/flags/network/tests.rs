use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// A line for each text: what it becomes, or why it does not. The texts of errors are those of docker 28.2.
fn check<T>(texts: &[&str], parse: impl Fn(&str) -> Result<T, String>, show: impl Fn(T) -> String, expected: Expect) {
    let mut table = String::new();
    for text in texts {
        let said = parse(text).map_or_else(|why| format!("! {why}"), &show);
        writeln!(table, "{text:30} {said}").unwrap();
    }
    expected.assert_eq(&table);
}

fn show_publish(all: Vec<Publish>) -> String {
    let one = |one: &Publish| {
        let ip = one.host_ip.map_or_else(|| "*".to_owned(), |ip| ip.to_string());
        let ports = match one.host_ports {
            None => "any".to_owned(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}..{last}"),
        };
        format!("{ip} {ports} -> {}", one.port)
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn published_ports() {
    check(
        &[
            "80",
            "80/udp",
            "80/TCP",
            "8080:80",
            "8080:80/sctp",
            ":80",
            "0:80",
            "127.0.0.1:8080:80",
            "127.0.0.1::80",
            "[::1]:8080:80",
            "::1:8080:80",
            "[::]::80/udp",
            "8000-8010:80",
            "80-82",
            "9080-9082:80-82",
            "127.0.0.1:9080-9082:80-82/udp",
            "127.0.0.1::80-81",
            "80-80",
            "published=8080,target=80",
            "published=8080,target=80,protocol=udp,mode=host",
            "target=80",
        ],
        publish,
        show_publish,
        expect![[r#"
            80                             * any -> 80/tcp
            80/udp                         * any -> 80/udp
            80/TCP                         * any -> 80/tcp
            8080:80                        * 8080 -> 80/tcp
            8080:80/sctp                   * 8080 -> 80/sctp
            :80                            * any -> 80/tcp
            0:80                           * any -> 80/tcp
            127.0.0.1:8080:80              127.0.0.1 8080 -> 80/tcp
            127.0.0.1::80                  127.0.0.1 any -> 80/tcp
            [::1]:8080:80                  ::1 8080 -> 80/tcp
            ::1:8080:80                    ::1 8080 -> 80/tcp
            [::]::80/udp                   :: any -> 80/udp
            8000-8010:80                   * 8000..8010 -> 80/tcp
            80-82                          * any -> 80/tcp, * any -> 81/tcp, * any -> 82/tcp
            9080-9082:80-82                * 9080 -> 80/tcp, * 9081 -> 81/tcp, * 9082 -> 82/tcp
            127.0.0.1:9080-9082:80-82/udp  127.0.0.1 9080 -> 80/udp, 127.0.0.1 9081 -> 81/udp, 127.0.0.1 9082 -> 82/udp
            127.0.0.1::80-81               127.0.0.1 any -> 80/tcp, 127.0.0.1 any -> 81/tcp
            80-80                          * any -> 80/tcp
            published=8080,target=80       * 8080 -> 80/tcp
            published=8080,target=80,protocol=udp,mode=host * 8080 -> 80/udp
            target=80                      * any -> 80/tcp
        "#]],
    );
}

#[test]
fn ports_that_make_no_sense() {
    check(
        &[
            "",
            "x",
            "0",
            "65536",
            "+80",
            "80-",
            "-80",
            "82-80",
            "80-82:90-91",
            "80-82:90-93",
            "x:80",
            "70000:80",
            "90-80:80",
            "80:",
            "::",
            "127.0.0.1:",
            "/tcp",
            "80/foo",
            "80:80/FOO",
            "1.2.3:80:80",
            "localhost:80:80",
            "80:81:82:83",
            "[::1:80:80",
            "a=b,c",
            "published=8080",
        ],
        publish,
        show_publish,
        expect![[r#"
                                           ! no port specified: <empty>
            x                              ! invalid containerPort: x
            0                              ! invalid containerPort: 0
            65536                          ! invalid containerPort: 65536
            +80                            ! invalid containerPort: +80
            80-                            ! invalid containerPort: 80-
            -80                            ! invalid containerPort: -80
            82-80                          ! invalid containerPort: 82-80
            80-82:90-91                    ! invalid ranges specified for container and host Ports: 90-91 and 80-82
            80-82:90-93                    ! invalid ranges specified for container and host Ports: 90-93 and 80-82
            x:80                           ! invalid hostPort: x
            70000:80                       ! invalid hostPort: 70000
            90-80:80                       ! invalid hostPort: 90-80
            80:                            ! no port specified: 80:<empty>
            ::                             ! no port specified: ::<empty>
            127.0.0.1:                     ! no port specified: 127.0.0.1:<empty>
            /tcp                           ! no port specified: /tcp<empty>
            80/foo                         ! invalid proto: foo
            80:80/FOO                      ! invalid proto: foo
            1.2.3:80:80                    ! invalid IP address: 1.2.3
            localhost:80:80                ! invalid IP address: localhost
            80:81:82:83                    ! invalid IP address: 80:81
            [::1:80:80                     ! invalid IP address [::1: address [::1:: missing ']' in address
            a=b,c                          ! invalid publish opts format (should be name=value but got 'c')
            published=8080                 ! no port specified: 8080:/tcp<empty>
        "#]],
    );
}

#[test]
fn exposed_ports() {
    let show = |ports: Vec<Port>| ports.iter().map(Port::to_string).collect::<Vec<_>>().join(" ");
    check(
        &["80", "80/udp", "80-82", "80-81/UDP", "x", "80-70", "80/foo", "/tcp", "70000"],
        expose,
        show,
        expect![[r#"
        80                             80/tcp
        80/udp                         80/udp
        80-82                          80/tcp 81/tcp 82/tcp
        80-81/UDP                      80/udp 81/udp
        x                              ! invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax
        80-70                          ! invalid range format for --expose: 80-70, error: invalid range specified for port: 80-70
        80/foo                         ! invalid proto: foo
        /tcp                           ! invalid range format for --expose: /tcp, error: empty string specified for ports
        70000                          ! invalid range format for --expose: 70000, error: strconv.ParseUint: parsing "70000": value out of range
    "#]],
    );
}

#[test]
fn networks_in_long_and_short() {
    let show = |one: Attachment| {
        let Attachment { name, aliases, ipv4, ipv6, mac, driver_options, gateway_priority } = one;
        format!("{name} {aliases:?} {ipv4:?} {ipv6:?} {mac:?} {driver_options:?} {gateway_priority}")
    };
    check(
        &[
            "net",
            "container:x",
            "a=",
            "name=net",
            "name=Net,alias=A,alias=b,ip=1.2.3.4,ip6=fd00::1",
            "\"name=net\",mac-address=02:42:00:00:00:01",
            "name=net,driver-opt=a=b,gw-priority=-5",
            "alias=a",
            "name=net,foo=b",
            "name=net,foo",
            "name=net,=x",
            "name=net,gw-priority=x",
            "name=net,driver-opt=x",
            "name=net,link-local-ip=169.254.1.1",
        ],
        attachment,
        show,
        expect![[r#"
            net                            net [] "" "" "" {} 0
            container:x                    container:x [] "" "" "" {} 0
            a=                             a= [] "" "" "" {} 0
            name=net                       net [] "" "" "" {} 0
            name=Net,alias=A,alias=b,ip=1.2.3.4,ip6=fd00::1 net ["a", "b"] "1.2.3.4" "fd00::1" "" {} 0
            "name=net",mac-address=02:42:00:00:00:01 net [] "" "" "02:42:00:00:00:01" {} 0
            name=net,driver-opt=a=b,gw-priority=-5 net [] "" "" "" {"a": "b"} -5
            alias=a                        ! network name/id is not specified
            name=net,foo=b                 ! invalid field key foo
            name=net,foo                   ! invalid field foo
            name=net,=x                    ! invalid field =x
            name=net,gw-priority=x         ! invalid gw-priority (x): invalid syntax
            name=net,driver-opt=x          ! invalid key value pair format in driver options
            name=net,link-local-ip=169.254.1.1 ! link-local-ip is not there yet in kist
        "#]],
    );
}

#[test]
fn links() {
    let show = |Link { container, alias }| format!("{container} as {alias}");
    check(
        &["db", "db:data", "/db:/web/data", "", "a:b:c"],
        link,
        show,
        expect![[r#"
            db                             db as db
            db:data                        db as data
            /db:/web/data                  db as data
                                           ! empty string specified for links
            a:b:c                          ! bad format for links: a:b:c
        "#]],
    );
}

#[test]
fn egress_policies() {
    let check = |texts: &[&str], expected: Expect| {
        let said = match egress(texts) {
            Ok(None) => "anything".into(),
            Ok(Some(Egress { subnets, names })) => format!("{subnets:?} {names:?}"),
            Err((text, why)) => format!("! {text}: {why}"),
        };
        expected.assert_eq(&said);
    };
    check(&[], expect!["anything"]);
    check(&["none"], expect!["[] []"]);
    check(
        &["allow=10.1.2.3/8,fd00::/8,192.0.2.1,2001:db8::1"],
        expect!["[10.0.0.0/8, fd00::/8, 192.0.2.1/32, 2001:db8::1/128] []"],
    );
    check(
        &["allow=Example.org., *.example.com", "allow=10.0.0.0/8"],
        expect![[r#"[10.0.0.0/8] ["example.org", "*.example.com"]"#]],
    );
    check(&["allow=_dmarc.example.org"], expect![[r#"[] ["_dmarc.example.org"]"#]]);
    check(&["none", "none"], expect!["[] []"]);
    check(&["none", "allow=10.0.0.0/8"], expect!["! none: another --egress allows something"]);
    check(&["all"], expect![[r#"! all: must be "none" or "allow=" and a list of addresses, ranges and names"#]]);
    check(
        &["allow="],
        expect![[r#"! allow=: "" is no address, no range of addresses and no name (*. may stand before one)"#]],
    );
    check(
        &["allow=a,,b"],
        expect![[r#"! allow=a,,b: "" is no address, no range of addresses and no name (*. may stand before one)"#]],
    );
    check(&["allow=10.0.0.0/33"], expect!["! allow=10.0.0.0/33: invalid CIDR address: 10.0.0.0/33"]);
    check(
        &["allow=10.0.0"],
        expect![[
            r#"! allow=10.0.0: "10.0.0" is no address, no range of addresses and no name (*. may stand before one)"#
        ]],
    );
    check(
        &["allow=a.*.b"],
        expect![[
            r#"! allow=a.*.b: "a.*.b" is no address, no range of addresses and no name (*. may stand before one)"#
        ]],
    );
    check(
        &["allow=*"],
        expect![[r#"! allow=*: "*" is no address, no range of addresses and no name (*. may stand before one)"#]],
    );
    check(
        &["allow=http://example.org"],
        expect!["! allow=http://example.org: invalid CIDR address: http://example.org"],
    );
    check(
        &["allow=example.org:443"],
        expect![[
            r#"! allow=example.org:443: "example.org:443" is no address, no range of addresses and no name (*. may stand before one)"#
        ]],
    );
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused(text in "([0-9]{0,6}|[a-z/.:,=\\[\\]*-]{0,4}|tcp|udp|name=|allow=|::1|127\\.0\\.0\\.1){0,8}|.{0,30}") {
        let _ = (publish(&text), expose(&text), attachment(&text), link(&text), egress(&[&text]));
    }
}
