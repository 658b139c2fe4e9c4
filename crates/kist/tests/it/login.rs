//! Logins: shown to a registry, kept in Docker's file, and forgotten.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use expect_test::{Expect, expect};
use testkit::Kist;

use crate::on_this_computer;

/// A registry on loopback that knows one user, `alice` with the password `s3cret`; it lives as long as the tests.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    name
}

fn answer(peer: TcpStream) {
    let mut lines = BufReader::new(&peer).split(b'\n');
    let plain = lines.next().is_some_and(|line| line.is_ok_and(|line| line.starts_with(b"GET /v2/ ")));
    if !plain {
        // TLS: it hears that there is none here.
        return;
    }
    let head: Vec<Vec<u8>> = lines.map_while(Result::ok).take_while(|line| line.len() > 1).collect();
    let knows =
        head.iter().any(|line| line.trim_ascii().eq_ignore_ascii_case(b"authorization: Basic YWxpY2U6czNjcmV0"));
    let reply = if knows { "200 OK\r\n" } else { "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n" };
    let _ = (&peer).write_all(format!("HTTP/1.1 {reply}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
}

fn check(kist: &Kist, registry: &str, args: &[&str], input: &str, expected: Expect) {
    let args: Vec<&str> = args.iter().map(|arg| if *arg == "REGISTRY" { registry } else { arg }).collect();
    expected.assert_eq(&kist.run_with_input(&args, input).scrubbed().replace(registry, "REGISTRY"));
}

#[test]
fn a_login_is_shown_kept_and_forgotten() {
    let (kist, registry) = (on_this_computer(), registry());
    let check = |args: &[&str], input, expected| check(&kist, &registry, args, input, expected);
    check(
        &["login", "-u", "alice", "--password-stdin", "REGISTRY"],
        "wrong\n",
        expect![[r#"
        [stderr]
        Error response from daemon: login attempt to REGISTRY failed: unauthorized
        [exit 1]
    "#]],
    );
    check(
        &["login", "-u", "alice", "--password-stdin", "REGISTRY"],
        "s3cret\n",
        expect![[r#"
        Login Succeeded
        [stderr]

        WARNING! Your credentials are stored unencrypted in '<root>/docker-config/config.json'.
        Configure a credential helper to remove this warning. See
        https://docs.docker.com/go/credential-store/

    "#]],
    );
    check(
        &["login", "REGISTRY"],
        "",
        expect![[r#"
        Login Succeeded
        [stderr]
        Authenticating with existing credentials... [Username: alice]

         Info -> To login with a different account, run 'kist logout' followed by 'kist login'


    "#]],
    );
    check(
        &["login", "-u", "alice", "-p", "s3cret", "REGISTRY"],
        "",
        expect![[r#"
        Login Succeeded
        [stderr]
        WARNING! Using --password via the CLI is insecure. Use --password-stdin.
    "#]],
    );
    let file = kist.scratch().join("docker-config/config.json");
    let text = fs::read_to_string(&file).unwrap().replace(&registry, "REGISTRY");
    expect![[r#"
        {
        	"auths": {
        		"REGISTRY": {
        			"auth": "YWxpY2U6czNjcmV0"
        		}
        	}
        }"#]]
    .assert_eq(&text);
    check(
        &["logout", "REGISTRY"],
        "",
        expect![[r#"
        Removing login credentials for REGISTRY
    "#]],
    );
    check(
        &["login", "REGISTRY"],
        "",
        expect![[r#"
        [stderr]
        Error: Cannot perform an interactive login from a non TTY device
        [exit 1]
    "#]],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\n\t\"auths\": {}\n}");
}

#[test]
fn a_password_is_typed_unseen() {
    let (kist, registry) = (on_this_computer(), registry());
    let mut terminal = kist.pty(&["login", &registry]);
    terminal.read_until("Username: ");
    terminal.write("alice\n");
    terminal.read_until("Password: ");
    terminal.write("s3crt\x7fet\n");
    let (rest, code) = terminal.finish();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.ends_with("Login Succeeded\r\n") && !rest.contains("s3c"), "{rest}");
}
