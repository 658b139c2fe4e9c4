//! The bytes of the monitor's files and of every message, as another version of kist wrote them: what is here must be read, and written
//! again as the same. A change of these texts is a change of the format or of the protocol.

use serde::Serialize;
use serde::de::DeserializeOwned;
use testkit::Root;

use crate::burial::Claim;
use crate::exit::Exit;
use crate::health::Verdict;
use crate::protocol::{Ask, FailureKind, Framing, Intent, Replay, Target, Tell, Until, decode, encode};
use crate::status::{Phase, StartMark, State, Verb};

const LIFE: &str = r#"{"pid":7,"start_time":9,"since":"2026-01-02T15:04:05.123456789Z"}"#;
const EXIT: &str = r#"{"code":137,"signal":9,"oom_killed":true,"error":"e","started":"2026-01-02T15:04:05.5Z","finished":"2026-01-02T15:04:06Z","restarts":2,"by_user":true}"#;
const NEVER_RAN: &str =
    r#"{"code":127,"oom_killed":false,"error":"e","finished":"2026-01-02T15:04:06Z","restarts":0,"by_user":false}"#;
const PROCESS: &str = r#"{"args":["a"],"env":[],"cwd":"/","user":"","group_add":[],"terminal":false,"capabilities":[],"no_new_privileges":false,"rlimits":[]}"#;
const STREAMS: &str = r#"{"stdin":true,"stdout":true,"stderr":false}"#;

fn endpoint() -> String {
    let id = "ab".repeat(32);
    format!(
        r#"{{"id":"{id}","network":"{id}","interface":"eth0","peer":"vethabababa","mac":"02:42:ac:11:00:02","ipv4":["172.17.0.2",16],"ipv6":null,"gateway4":"172.17.0.1","gateway6":null,"names":["web"]}}"#
    )
}

fn check_record<R: disk::Record>(record: &str) {
    let dir = Root::new();
    let text = format!(r#"{{"format":1,"record":{record}}}"#);
    dir.write(R::FILE, &text);
    let record: R = disk::read(dir.path()).unwrap().unwrap();
    disk::write(dir.path(), &record, disk::Durability::Volatile).unwrap();
    assert_eq!(std::fs::read_to_string(dir.join(R::FILE)).unwrap(), text);
}

fn check_message<M: Serialize + DeserializeOwned>(message: &str) {
    let text = format!(r#"{{"v":1,"m":{message}}}"#);
    let read: M = decode(text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(encode(&read).unwrap()).unwrap(), text);
}

fn check_words<T: Serialize + DeserializeOwned>(words: &[&str]) {
    for word in words {
        assert_eq!(serde_json::to_string(&serde_json::from_str::<T>(word).unwrap()).unwrap(), *word);
    }
}

#[test]
fn files() {
    for exit in [EXIT, NEVER_RAN] {
        check_record::<Exit>(exit);
    }
    check_record::<StartMark>(r#"{"since":"2026-01-02T15:04:05.123456789Z"}"#);
    for status in [
        r#""created""#.to_owned(),
        format!(r#"{{"running":{LIFE}}}"#),
        format!(r#"{{"paused":{LIFE}}}"#),
        format!(r#"{{"restarting":{{"due":"2026-01-02T15:04:07Z","last":{EXIT}}}}}"#),
        format!(r#"{{"exited":{NEVER_RAN}}}"#),
        r#""removing""#.to_owned(),
    ] {
        check_record::<State>(&format!(r#"{{"status":{status},"restarts":2}}"#));
    }
    check_record::<State>(
        r#"{"status":"created","restarts":0,"health":{"verdict":"healthy","failing_streak":1,"log":[{"start":"2026-01-02T15:04:05Z","end":"2026-01-02T15:04:06Z","code":-1,"output":"o"}]},"execs":[{"id":"e1","pid":8},{"id":"e2","pid":9,"ended":{"code":1,"at":"2026-01-02T15:04:06Z"}}]}"#,
    );
    check_record::<State>(&format!(
        r#"{{"status":"created","restarts":0,"endpoints":[{}],"published":[{{"port":"80/tcp","host_ip":"0.0.0.0","host_port":8080}}]}}"#,
        endpoint()
    ));
    check_words::<Verdict>(&[r#""starting""#, r#""healthy""#, r#""unhealthy""#]);
}

#[test]
fn claims() {
    let dir = Root::new();
    let text = concat!(
        r#"{"take":{"cgroup":{"v2":"/a","v1":[{"controllers":"cpu,cpuacct","path":"/b"}]}}}"#,
        "\n",
        r#"{"give":0}"#,
        "\n",
        r#"{"take":{"cgroup":{"v2":"/a","scope":{"unit":"u","slice":"s"}}}}"#,
        "\n"
    );
    dir.write(crate::burial::CLAIMS, text);
    let id = "cd".repeat(32);
    let of_network = [
        format!(r#"{{"network":{{"endpoint":{{"container":"{id}","endpoint":{}}}}}}}"#, endpoint()),
        format!(
            r#"{{"network":{{"published":{{"container":"{id}","endpoints":[{}],"ports":[{{"port":"80/tcp","host_ip":"0.0.0.0","host_port":8080}}]}}}}}}"#,
            endpoint()
        ),
    ];
    for claim in of_network {
        let read: Claim = serde_json::from_str(&claim).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), claim);
    }
    let read = disk::Journal::<Claim>::open(&dir.join(crate::burial::CLAIMS)).unwrap();
    let held: Vec<Claim> = read.held().cloned().collect();
    assert_eq!(held.len(), 1, "the first was given back");
    let mut again = disk::Journal::open(&dir.join("again")).unwrap();
    again.take(held[0].clone()).unwrap();
    let written = std::fs::read_to_string(dir.join("again")).unwrap();
    assert_eq!(Some(written.trim_end()), text.lines().last());
}

#[test]
fn messages_of_visitors() {
    for message in [
        r#"{"start":{"console":{"rows":24,"columns":80}}}"#.to_owned(),
        r#"{"start":{"console":null}}"#.to_owned(),
        format!(r#"{{"attach":{{"streams":{STREAMS},"framing":"mux","replay":"log","detach_keys":[16,17]}}}}"#),
        format!(
            r#"{{"exec":{{"id":"e1","process":{PROCESS},"streams":{STREAMS},"framing":"raw","detach_keys":[],"console":null}}}}"#
        ),
        r#"{"resize":{"process":"init","size":{"rows":1,"columns":2}}}"#.to_owned(),
        r#"{"signal":{"number":15,"intent":"notify"}}"#.to_owned(),
        r#"{"stop":{"signal":15,"timeout_s":10}}"#.to_owned(),
        r#"{"stop":{"signal":15,"timeout_s":null}}"#.to_owned(),
        r#""pause""#.to_owned(),
        r#""unpause""#.to_owned(),
        r#"{"wait":"not-running"}"#.to_owned(),
        r#"{"update":{"restart":"no","resources":{"memory_bytes":1}}}"#.to_owned(),
        r#"{"networks":[]}"#.to_owned(),
        format!(
            r#"{{"networks":[{{"network":"{0}","ipv4":"10.0.0.2","ipv6":null,"mac":null,"aliases":["a"],"links":[],"driver_options":{{}},"gateway_priority":0}}]}}"#,
            "ab".repeat(32)
        ),
        r#""remove""#.to_owned(),
        r#""remove-stopped""#.to_owned(),
        r#""enclosed""#.to_owned(),
    ] {
        check_message::<Ask>(&message);
    }
    check_words::<Framing>(&[r#""raw""#, r#""mux""#]);
    check_words::<Replay>(&[r#""nothing""#, r#""log""#]);
    check_words::<Target>(&[r#""init""#, r#"{"exec":"e1"}"#]);
    check_words::<Intent>(&[r#""notify""#, r#""end""#]);
    check_words::<Until>(&[r#""not-running""#, r#""next-exit""#, r#""removed""#]);
}

#[test]
fn messages_of_the_monitor() {
    for message in [
        r#"{"started":{"pid":7}}"#.to_owned(),
        r#"{"started":{"pid":7,"warnings":["w"]}}"#.to_owned(),
        r#""attached""#.to_owned(),
        r#""detached""#.to_owned(),
        r#"{"exec-started":{"id":"e1","pid":8}}"#.to_owned(),
        r#"{"exec-exited":{"id":"e1","code":126}}"#.to_owned(),
        format!(r#"{{"exited":{EXIT}}}"#),
        r#""done""#.to_owned(),
        r#"{"failed":{"kind":"command","message":"m","exit_code":127}}"#.to_owned(),
        r#"{"refused":{"verb":"pause","met":"paused"}}"#.to_owned(),
        r#"{"misunderstood":"m"}"#.to_owned(),
    ] {
        check_message::<Tell>(&message);
    }
    check_words::<FailureKind>(&[r#""command""#, r#""exec""#, r#""network""#, r#""system""#]);
    let verbs = ["start", "attach", "exec", "resize", "signal", "stop", "pause", "unpause", "remove"];
    check_words::<Verb>(&verbs.map(|verb| format!("{verb:?}")).each_ref().map(String::as_str));
    let phases = ["created", "running", "paused", "restarting", "exited", "removing"];
    check_words::<Phase>(&phases.map(|phase| format!("{phase:?}")).each_ref().map(String::as_str));
}
