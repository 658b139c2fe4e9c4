//! Programs that people run: nginx, redis and postgres from Debian's packages, used as they are used.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testkit::{App, Machine, Root};

use super::{HOST, OUTSIDE, Site, page, silent};
use crate::inspect;

/// A site with the program's image, or the reason why it cannot be had.
fn site(apps: &[App]) -> Result<Site, String> {
    let images = apps.iter().map(|app| app.image()).collect::<Result<Vec<_>, _>>()?;
    let site = Site::new();
    for image in images {
        site.kist.load(&image);
    }
    Ok(site)
}

macro_rules! site {
    ($($app:ident),+) => {
        match site(&[$(App::$app),+]) {
            Ok(site) => site,
            Err(reason) => testkit::skip!("{reason}"),
        }
    };
}

/// A connection to a redis server, which may be on its way up.
struct Redis(BufReader<TcpStream>);

impl Redis {
    #[track_caller]
    fn connect(from: &Machine, address: &str) -> Redis {
        let address: SocketAddr = address.parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let stream = from.inside(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)));
            // A port that is published answers before the server listens: it is the first question that tells.
            if let Ok(stream) = stream {
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut redis = Redis(BufReader::new(stream));
                if redis.ask(&["PING"]).is_ok_and(|answer| answer == "PONG") {
                    return redis;
                }
            }
            assert!(Instant::now() < deadline, "no redis at {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One command in redis' protocol: an array of strings with their lengths. Answers are a line, or a length and as many bytes.
    fn ask(&mut self, words: &[&str]) -> std::io::Result<String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(command.as_bytes())?;
        let line = self.line()?;
        match line.split_at_checked(1) {
            Some(("$", "-1")) => Ok("(nil)".to_owned()),
            Some(("$", _)) => self.line(),
            Some((_, rest)) => Ok(rest.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

#[test]
fn nginx_serves_a_directory_that_changes() {
    let site = site!(Nginx);
    let pages = Root::new();
    pages.write("index.html", "first\n");
    let mount = format!("{}:/usr/share/nginx/html:ro", pages.path().display());
    let run = ["run", "-d", "--name", "web", "-p", "8080:80", "-v", &mount, "nginx"];
    site.kist.ok(&run);
    for (from, to) in [(&site.host, "127.0.0.1:8080".to_owned()), (&site.outside, format!("{HOST}:8080"))] {
        assert_eq!(page(from, &to), "first", "{to}");
    }
    fs::write(pages.join("index.html"), "second\n").unwrap();
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "second");
    assert_eq!(site.kist.ok(&["ps", "--format", "{{.Ports}}"]), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
    site.kist.ok(&["restart", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "second");
    site.kist.ok(&["stop", "web"]);
    assert_eq!(inspect(&site.kist, "web", "{{.State.ExitCode}}"), "0", "by its own stop signal");
    silent(&site.outside, &format!("{HOST}:8080"));
}

#[test]
fn nginx_logs_who_asked() {
    let site = site!(Nginx);
    site.kist.ok(&["run", "-d", "--name", "web", "-p", "8080:80", "nginx"]);
    site.kist.ok(&["network", "create", "other"]);
    site.idle("far", "--network other");
    page(&site.outside, &format!("{HOST}:8080"));
    site.wget("far", &format!("{HOST}:8080"));
    site.kist.wait_until("both are logged", |kist| kist.ok(&["logs", "web"]).matches("GET /").count() >= 2);
    let log = site.kist.ok(&["logs", "web"]);
    let clients: Vec<_> = log.lines().filter_map(|line| line.split(" - - ").next()).collect();
    assert_eq!(clients.first(), Some(&OUTSIDE), "{log}");
    assert_eq!(clients.get(1).copied(), Some(site.address("far").as_str()), "{log}");
}

#[test]
fn nginx_survives_what_kills_it() {
    let site = site!(Nginx);
    site.kist.ok(&["run", "-d", "--name", "web", "--restart", "always", "-p", "8080:80", "nginx"]);
    let address = format!("{HOST}:8080");
    assert!(page(&site.outside, &address).contains("Welcome to nginx!"));
    let pid = crate::pid(&site.kist, "web");
    site.host.ok(&format!("kill -9 {pid}"));
    site.kist.wait_until("it runs again", |kist| {
        let state = kist.ok(&["inspect", "--format", "{{.State.Running}} {{.State.Pid}}", "web"]);
        state.starts_with("true ") && state != format!("true {pid}")
    });
    assert!(page(&site.outside, &address).contains("Welcome to nginx!"));
}

#[test]
fn nginx_is_a_front_for_what_is_behind_it() {
    let site = site!(Nginx);
    let conf = Root::new();
    let file = conf.write(
        "front.conf",
        "upstream behind { server one; server two; }\nserver { listen 80; location / { proxy_pass http://behind; } }\n",
    );
    site.kist.ok(&["network", "create", "behind"]);
    site.serve("one", "--network behind");
    site.serve("two", "--network behind");
    let mount = format!("{}:/etc/nginx/conf.d/default.conf:ro", file.display());
    site.kist.ok(&["run", "-d", "--name", "front", "--network", "behind", "-p", "80:80", "-v", &mount, "nginx"]);
    page(&site.outside, &format!("{HOST}:80"));
    let served: std::collections::BTreeSet<_> = (0..10).map(|_| page(&site.outside, &format!("{HOST}:80"))).collect();
    assert_eq!(served, ["one", "two"].map(str::to_owned).into());
}

#[test]
fn redis_is_asked_from_everywhere_and_keeps_its_data() {
    let site = site!(Redis);
    site.kist.ok(&["network", "create", "net"]);
    let run = ["run", "-d", "--name", "redis", "--network", "net", "-p", "6379:6379", "-v", "kept:/data", "redis"];
    site.kist.ok(&run);
    let mut here = Redis::connect(&site.host, "127.0.0.1:6379");
    assert_eq!(here.ask(&["SET", "colour", "green"]).unwrap(), "OK");
    let mut there = Redis::connect(&site.outside, &format!("{HOST}:6379"));
    assert_eq!(there.ask(&["GET", "colour"]).unwrap(), "green");
    let cli = ["run", "--rm", "--network", "net", "redis", "redis-cli", "-h", "redis", "GET", "colour"];
    assert_eq!(site.kist.ok(&cli), "green");
    // A neighbour comes and goes on another network; those who are connected do not notice.
    site.kist.ok(&["network", "create", "more"]);
    site.kist.ok(&["network", "connect", "more", "redis"]);
    let cli = ["run", "--rm", "--network", "more", "redis", "redis-cli", "-h", "redis", "GET", "colour"];
    assert_eq!(site.kist.ok(&cli), "green");
    site.kist.ok(&["network", "disconnect", "more", "redis"]);
    assert_eq!(there.ask(&["GET", "colour"]).unwrap(), "green");
    assert_eq!(there.ask(&["SAVE"]).unwrap(), "OK");
    drop((here, there));
    site.kist.ok(&["rm", "-f", "redis"]);
    site.kist.ok(&run);
    assert_eq!(Redis::connect(&site.outside, &format!("{HOST}:6379")).ask(&["GET", "colour"]).unwrap(), "green");
    site.kist.ok(&["stop", "redis"]);
    assert_eq!(inspect(&site.kist, "redis", "{{.State.ExitCode}}"), "0");
    site.kist.ok(&["rm", "redis"]);
    site.kist.ok(&["volume", "rm", "kept"]);
}

/// `psql` in a container of its own; the server may be on its way up.
#[track_caller]
fn psql(site: &Site, query: &str) -> String {
    let args = ["run", "--rm", "--network", "net", "-e", "PGPASSWORD=secret", "postgres", "psql"];
    let args = [&args[..], &["-h", "db", "-U", "postgres", "-tAc", query]].concat();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = site.kist.run(&args);
        if output.code == 0 {
            return output.stdout.trim_end().to_owned();
        }
        assert!(Instant::now() < deadline, "{query}: {output:?}\n{:?}", site.kist.run(&["logs", "db"]));
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn postgres_keeps_what_it_was_told() {
    let site = site!(Postgres);
    site.kist.ok(&["network", "create", "net"]);
    let data = "kept:/var/lib/postgresql/data";
    let run = ["run", "-d", "--name", "db", "--network", "net", "-p", "5432:5432"];
    let run = [&run[..], &["-e", "POSTGRES_PASSWORD=secret", "-v", data, "postgres"]].concat();
    site.kist.ok(&run);
    assert_eq!(psql(&site, "create table t (n int); insert into t values (1), (2)"), "CREATE TABLE\nINSERT 0 2");
    let said = site.exec("db", "psql -h 127.0.0.1 -U postgres -tAc 'select 1' 'password=wrong' 2>&1 || true");
    assert!(said.contains("password authentication failed"), "{said}");
    // Without a word of farewell: the write-ahead log has it.
    site.kist.ok(&["kill", "db"]);
    site.kist.ok(&["start", "db"]);
    assert_eq!(psql(&site, "select sum(n) from t"), "3");
    site.kist.ok(&["rm", "-f", "db"]);
    site.kist.ok(&run);
    assert_eq!(psql(&site, "select sum(n) from t"), "3");
    assert_eq!(psql(&site, "select host(inet_client_addr()) <> host(inet_server_addr())"), "t");
    site.kist.ok(&["stop", "db"]);
    assert_eq!(inspect(&site.kist, "db", "{{.State.ExitCode}}"), "0");
    site.kist.ok(&["rm", "db"]);
    site.kist.ok(&["volume", "rm", "kept"]);
}

#[test]
fn a_shop_of_three_works_together() {
    let site = site!(Nginx, Redis, Postgres);
    site.kist.ok(&["network", "create", "net"]);
    site.kist.ok(&["run", "-d", "--name", "db", "--network", "net", "-e", "POSTGRES_PASSWORD=secret", "postgres"]);
    site.kist.ok(&["run", "-d", "--name", "cache", "--network", "net", "redis"]);
    site.kist.ok(&["run", "-d", "--name", "web", "--network", "net", "-p", "80:80", "nginx"]);
    assert!(page(&site.outside, &format!("{HOST}:80")).contains("Welcome to nginx!"));
    assert_eq!(psql(&site, "select 1"), "1");
    let cli = ["run", "--rm", "--network", "net", "redis", "redis-cli", "-h", "cache", "PING"];
    assert_eq!(site.kist.ok(&cli), "PONG");
    // Neither is published.
    silent(&site.outside, &format!("{HOST}:5432"));
    silent(&site.outside, &format!("{HOST}:6379"));
    site.kist.ok(&["restart", "-t", "1", "web", "cache", "db"]);
    assert!(page(&site.outside, &format!("{HOST}:80")).contains("Welcome to nginx!"));
    assert_eq!(psql(&site, "select 2"), "2");
    assert_eq!(site.kist.ok(&cli), "PONG");
    site.kist.ok(&["rm", "-f", "-v", "web", "cache", "db"]);
}
