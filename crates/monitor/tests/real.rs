//! Real containers under real monitors. Each test has its own directories, and leaves nothing of the machine changed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests stop at the first surprise and run what they like"
)]

mod house;
mod networks;

use std::io::Read;
use std::time::{Duration, Instant};

use monitor::protocol::{Ask, FailureKind, Framing, Intent, Replay, Size, Target, Tell, Until};
use monitor::status::{Phase, Status};
use monitor::{Client, ClientError, Exit, health::Verdict, status};
use spec::container::{RestartPolicy, Streams};

use house::{Container, House, attach, both, exec, exec_process, exited, stream_pair, until};

fn main() {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| name == monitor::ROLE) {
        let code = monitor::main(words);
        // ExitCode cannot be told to a function that returns nothing else.
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
    let filter = words.next().map(|word| word.to_string_lossy().into_owned()).filter(|word| !word.starts_with('-'));
    if rustix::process::geteuid().as_raw() != 0 {
        println!("skipped: these tests need root");
        return;
    }
    let mut failed = 0;
    for (name, test) in TESTS {
        if filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let result = std::panic::catch_unwind(test);
        println!("test {name} ... {} ({:?})", if result.is_ok() { "ok" } else { "FAILED" }, begin.elapsed());
        failed += u8::from(result.is_err());
    }
    assert!(failed == 0, "{failed} tests failed");
}

const TESTS: &[(&str, fn())] = &[
    ("run_and_remove", run_and_remove),
    ("output_reaches_visitor_and_log", output_reaches_visitor_and_log),
    ("input_is_passed_on_and_ended", input_is_passed_on_and_ended),
    ("much_output_to_a_slow_visitor_is_whole", much_output_to_a_slow_visitor_is_whole),
    ("a_command_that_is_not_there", a_command_that_is_not_there),
    ("nobody_starts_it", nobody_starts_it),
    ("stop_by_signal_and_by_force", stop_by_signal_and_by_force),
    ("pause_and_unpause", pause_and_unpause),
    ("execs", execs),
    ("terminal", terminal),
    ("restarts", restarts),
    ("health", health),
    ("lost_monitor", lost_monitor),
    ("nonsense_does_not_hurt", nonsense_does_not_hurt),
    ("start_again", start_again),
    ("idle_memory", idle_memory),
    ("networks_are_joined_and_left", networks::joined_and_left),
    ("networks_outlast_a_restart", networks::outlast_a_restart),
    ("networks_of_a_lost_monitor_are_given_back", networks::of_a_lost_monitor),
    ("networks_and_a_port_that_is_taken_keep_it_from_running", networks::a_taken_port),
    ("networks_change_while_it_runs", networks::change_while_it_runs),
];

fn run_and_remove() {
    let house = House::new();
    let container = house.create(Container { auto_remove: true, ..Container::new(&["true"]) });
    let client = house.spawn(&container);
    client.ask(&Ask::Wait(Until::Removed), &[]).unwrap();
    client.ask(&Ask::Start { console: None, given: Vec::new() }, &[]).unwrap();
    assert!(matches!(client.tell().unwrap(), Tell::Started { pid, .. } if pid > 1));
    let exit = exited(&client);
    assert_eq!((exit.code, exit.signal), (0, None));
    assert!(!house.home.container(&container.id).exists(), "told before it was gone");
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn output_reaches_visitor_and_log() {
    let house = House::new();
    let container = house.create(Container::new(&["sh", "-c", "echo out; echo err >&2; printf end"]));
    let client = house.spawn(&container);
    let mut stream = attach(&client, both(), Framing::Mux, Replay::Nothing);
    house.start(&client);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut demux = monitor::framing::Demux::default();
    let mut rest = &bytes[..];
    while let Some((from, piece)) = demux.next(&mut rest).unwrap() {
        if from == monitor::framing::Stream::Stdout { &mut out } else { &mut err }.extend_from_slice(piece);
    }
    assert_eq!((&out[..], &err[..]), (&b"out\nend"[..], &b"err\n"[..]));
    // End of file was released: the exit is on the disk.
    let Status::Exited(exit) = status::of(&house.home, &container.id).unwrap().status else { panic!() };
    assert_eq!(exit.code, 0);
    house.wait_gone(&container.id);
    let text: String = house.log(&container.id).into_iter().map(|entry| entry.text).collect();
    assert!(text.contains("out\n") && text.contains("err\n") && text.contains("end"), "{text:?}");
    house.assert_clean();
}

fn input_is_passed_on_and_ended() {
    let house = House::new();
    let container = house.create(Container { stdin: true, ..Container::new(&["cat"]) });
    let client = house.spawn(&container);
    let mut stream = attach(&client, Streams { stdin: true, ..both() }, Framing::Raw, Replay::Nothing);
    house.start(&client);
    // More than both pipes and the sockets hold, so both directions must flow at once.
    let input: Vec<u8> = (0..2_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = input.clone();
    let thread = std::thread::spawn(move || {
        use std::io::Write;
        writer.write_all(&sent).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    thread.join().unwrap();
    assert!(output == input, "{} bytes came back", output.len());
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn much_output_to_a_slow_visitor_is_whole() {
    let house = House::new();
    let container = house.create(Container::new(&["seq", "1", "200000"]));
    let client = house.spawn(&container);
    let mut stream = attach(&client, both(), Framing::Raw, Replay::Nothing);
    house.start(&client);
    // Longer than a dead process's streams are waited for.
    std::thread::sleep(Duration::from_millis(2500));
    let mut output = String::new();
    stream.read_to_string(&mut output).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines.len(), lines.last()), (200_000, Some(&"200000")));
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn a_command_that_is_not_there() {
    let house = House::new();
    let container = house.create(Container::new(&["nonesuch"]));
    let client = house.spawn(&container);
    client.ask(&Ask::Start { console: None, given: Vec::new() }, &[]).unwrap();
    let Tell::Failed(failure) = client.tell().unwrap() else { panic!() };
    assert_eq!((failure.kind, failure.exit_code), (FailureKind::Command, 127));
    assert!(failure.message.ends_with("exec: \"nonesuch\": executable file not found in $PATH"), "{}", failure.message);
    house.wait_gone(&container.id);
    let Status::Exited(exit) = status::of(&house.home, &container.id).unwrap().status else { panic!() };
    assert_eq!((exit.code, exit.started), (127, None));
    house.assert_clean();
}

fn nobody_starts_it() {
    let house = House::new();
    let container = house.create(Container::new(&["true"]));
    drop(house.spawn(&container));
    house.wait_gone(&container.id);

    let client = house.spawn(&container);
    client.ask(&Ask::Wait(Until::NextExit), &[]).unwrap();
    let second = until(|| Client::connect(&house.home, &container.id).unwrap());
    drop(client);
    std::thread::sleep(Duration::from_millis(50));
    assert!(house.home.sandbox(&container.id).exists(), "somebody is still there");
    assert!(matches!(monitor::Berth::take(&house.home, &container.id), Err(monitor::ClientError::Living)));
    drop(second);
    house.wait_gone(&container.id);
    assert_eq!(status::of(&house.home, &container.id).unwrap().status, Status::Created);
    house.assert_clean();
}

fn stop_by_signal_and_by_force() {
    let house = House::new();
    for (script, code) in
        [("trap 'exit 3' TERM; sleep 1000 & wait", 3), ("trap '' TERM; while :; do sleep 1000; done", 137)]
    {
        let container = house.create(Container::new(&["sh", "-c", script]));
        let client = house.spawn(&container);
        client.ask(&Ask::Wait(Until::NextExit), &[]).unwrap();
        house.start(&client);
        std::thread::sleep(Duration::from_millis(100));
        client.ask(&Ask::Stop { signal: 15, timeout_s: Some(1) }, &[]).unwrap();
        let exit = exited(&client);
        assert_eq!((exit.code, exit.by_user), (code, true));
        assert_eq!(client.tell().unwrap(), Tell::Done);
        house.wait_gone(&container.id);
    }
    house.assert_clean();
}

fn pause_and_unpause() {
    let house = House::new();
    let container = house.create(Container::new(&["sleep", "1000"]));
    let client = house.spawn(&container);
    let refused = |client: &Client, ask: &Ask| {
        client.ask(ask, &[]).unwrap();
        let Tell::Refused(refused) = client.tell().unwrap() else { panic!() };
        refused.sentence("X")
    };
    assert_eq!(refused(&client, &Ask::Pause), "container X is not running");
    house.start(&client);
    assert_eq!(refused(&client, &Ask::Start { console: None, given: Vec::new() }), "container X is already running");
    assert_eq!(house.call(&client, &Ask::Pause), Tell::Done);
    assert_eq!(status::of(&house.home, &container.id).unwrap().status.phase(), Phase::Paused);
    assert_eq!(refused(&client, &Ask::Pause), "container X is already paused");
    let exec = exec("e", exec_process(&["true"]), Streams::default());
    assert_eq!(refused(&client, &exec), "container X is paused, unpause the container before exec");
    assert_eq!(house.call(&client, &Ask::Unpause), Tell::Done);
    assert_eq!(refused(&client, &Ask::Unpause), "container X is not paused");
    assert_eq!(house.call(&client, &Ask::Pause), Tell::Done);
    client.ask(&Ask::Wait(Until::NotRunning), &[]).unwrap();
    assert_eq!(house.call(&client, &Ask::Signal { number: 9, intent: Intent::End }), Tell::Done);
    assert_eq!(exited(&client).code, 137);
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn execs() {
    let house = House::new();
    let container = house.create(Container::new(&["sleep", "1000"]));
    let client = house.spawn(&container);
    house.start(&client);
    let streams: Vec<_> = (0..3)
        .map(|n| {
            let (ours, its) = stream_pair();
            let script = format!("cat; echo {n}; exit {n}");
            let ask = exec(&format!("e{n}"), exec_process(&["sh", "-c", &script]), Streams { stdin: true, ..both() });
            client.ask(&ask, &[std::os::fd::AsFd::as_fd(&its)]).unwrap();
            assert!(matches!(client.tell().unwrap(), Tell::ExecStarted { .. }));
            ours
        })
        .collect();
    for (n, mut stream) in streams.into_iter().enumerate().rev() {
        use std::io::Write;
        stream.write_all(b"in ").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("in {n}\n"));
        // Released: so it is recorded.
        let state = status::of(&house.home, &container.id).unwrap();
        let known = state.execs.iter().find(|exec| exec.id.as_str() == format!("e{n}")).unwrap();
        assert_eq!(known.ended.map(|end| end.code), Some(i32::try_from(n).unwrap()));
        assert!(matches!(client.tell().unwrap(), Tell::ExecExited { code, .. } if code == i32::try_from(n).unwrap()));
    }
    client.ask(&exec("missing", exec_process(&["nonesuch"]), Streams::default()), &[]).unwrap();
    assert!(matches!(client.tell().unwrap(), Tell::Failed(failure) if failure.exit_code == 127));
    client.ask(&exec("long", exec_process(&["sleep", "1000"]), Streams::default()), &[]).unwrap();
    assert!(matches!(client.tell().unwrap(), Tell::ExecStarted { .. }));
    assert_eq!(house.call(&client, &Ask::Signal { number: 9, intent: Intent::End }), Tell::Done);
    assert!(matches!(client.tell().unwrap(), Tell::ExecExited { code: 137, .. }), "it dies with the container");
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn terminal() {
    let house = House::new();
    let container =
        house.create(Container { tty: true, stdin: true, ..Container::new(&["sh", "-c", "stty size; cat"]) });
    let client = house.spawn(&container);
    let mut stream = attach(&client, Streams { stdin: true, ..both() }, Framing::Raw, Replay::Nothing);
    client.ask(&Ask::Start { console: Some(Size { rows: 33, columns: 77 }), given: Vec::new() }, &[]).unwrap();
    assert!(matches!(client.tell().unwrap(), Tell::Started { .. }));
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "33 77");
    let resize = Ask::Resize { process: Target::Init, size: Size { rows: 10, columns: 20 } };
    assert_eq!(house.call(&client, &resize), Tell::Done);
    use std::io::Write;
    stream.write_all(b"hello\n").unwrap();
    read_until(&mut stream, &mut seen, "hello\r\nhello\r\n");
    stream.write_all(&[16, 17]).unwrap();
    assert_eq!(client.tell().unwrap(), Tell::Detached);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    // Attached again, it gets what was said before.
    let mut again = attach(&client, both(), Framing::Raw, Replay::Log);
    let mut replayed = String::new();
    read_until(&mut again, &mut replayed, "hello\r\nhello\r\n");
    drop(again);
    assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
    assert!(!house.home.container(&container.id).exists());
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn read_until(stream: &mut impl Read, seen: &mut String, wanted: &str) {
    let mut bytes = [0; 256];
    while !seen.contains(wanted) {
        let n = stream.read(&mut bytes).unwrap();
        assert!(n > 0, "the end came before {wanted:?}: {seen:?}");
        seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
}

fn restarts() {
    let house = House::new();
    let script = "echo x >>/count; [ $(wc -l </count) = 3 ]";
    let container =
        house.create(Container { restart: RestartPolicy::OnFailure(5), ..Container::new(&["sh", "-c", script]) });
    let client = house.spawn(&container);
    client.ask(&Ask::Wait(Until::NextExit), &[]).unwrap();
    house.start(&client);
    assert_eq!(exited(&client).code, 1);
    drop(client);
    house.wait_gone(&container.id);
    let state = status::of(&house.home, &container.id).unwrap();
    let Status::Exited(Exit { code: 0, restarts: 2, .. }) = state.status else { panic!("{state:?}") };

    let container = house.create(Container { restart: RestartPolicy::Always, ..Container::new(&["false"]) });
    let client = house.spawn(&container);
    house.start(&client);
    until(|| (status::of(&house.home, &container.id).unwrap().restarts >= 2).then_some(()));
    until(|| (status::of(&house.home, &container.id).unwrap().status.phase() == Phase::Restarting).then_some(()));
    client.ask(&Ask::Stop { signal: 15, timeout_s: None }, &[]).unwrap();
    assert_eq!(client.tell().unwrap(), Tell::Done);
    house.wait_gone(&container.id);
    assert!(monitor::needs_start(&house.home).unwrap().contains(&container.id), "`always` means after a boot too");
    house.assert_clean();
}

fn health() {
    let house = House::new();
    let container = house.create(Container {
        health: Some("echo checked; test -e /well"),
        ..Container::new(&["sh", "-c", "sleep 0.4; touch /well; sleep 1000"])
    });
    let client = house.spawn(&container);
    house.start(&client);
    let verdict = || status::of(&house.home, &container.id).unwrap().health.unwrap();
    assert_eq!(verdict().verdict, Verdict::Starting);
    until(|| (verdict().verdict == Verdict::Unhealthy).then_some(()));
    until(|| (verdict().verdict == Verdict::Healthy).then_some(()));
    assert_eq!(verdict().log.last().unwrap().output, "checked\n");
    assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn lost_monitor() {
    let house = House::new();
    for auto_remove in [false, true] {
        let container =
            house.create(Container { auto_remove, ..Container::new(&["sh", "-c", "sleep 1000 & sleep 1000"]) });
        let client = house.spawn(&container);
        house.start(&client);
        house.kill_monitor(&container.id);
        drop(client);
        let mut found = house.recover();
        assert_eq!(found.len(), 1);
        let exit = found.remove(0).exit.unwrap();
        assert_eq!((exit.code, exit.error.as_str()), (137, "the monitor was lost"));
        assert!(!house.home.sandbox(&container.id).exists());
        assert_eq!(house.home.container(&container.id).exists(), !auto_remove);
        assert_eq!(house.recover(), []);
        if !auto_remove {
            assert!(matches!(status::of(&house.home, &container.id).unwrap().status, Status::Exited(e) if e == exit));
        }
    }
    house.assert_clean();
}

fn nonsense_does_not_hurt() {
    let house = House::new();
    let container = house.create(Container::new(&["sleep", "1000"]));
    let client = house.spawn(&container);
    house.start(&client);
    let socket = house.raw_connection(&container.id);
    for nonsense in
        [&b"x"[..], b"{}", br#"{"v":9,"m":"pause"}"#, br#"{"v":1,"m":{"attach":{}}}"#, &[0; 100_000], &[b'['; 60_000]]
    {
        use rustix::net::{SendFlags, send};
        send(&socket, nonsense, SendFlags::NOSIGNAL).unwrap();
        let mut answer = vec![0; 100_000];
        let (_, length) = rustix::net::recv(&socket, &mut answer[..], rustix::net::RecvFlags::empty()).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.contains("misunderstood"), "{answer}");
    }
    assert_eq!(house.call(&client, &Ask::Pause), Tell::Done);
    assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
    house.wait_gone(&container.id);
    house.assert_clean();
}

fn start_again() {
    let house = House::new();
    let container = house.create(Container::new(&["sh", "-c", "echo run"]));
    let mut runs = 0;
    while runs < 20 {
        // Whoever comes while the last monitor is going either reaches it or finds its place free; reached on its way out, it may be
        // gone before it hears the last word.
        let client = house.reach(&container);
        let asked = client
            .ask(&Ask::Wait(Until::NextExit), &[])
            .and_then(|()| client.ask(&Ask::Start { console: None, given: Vec::new() }, &[]));
        match asked.and_then(|()| client.tell_within(Duration::from_secs(20))) {
            Ok(Tell::Started { .. }) => {
                assert_eq!(exited(&client).code, 0);
                runs += 1;
            }
            Err(ClientError::Gone) => {}
            other => panic!("{other:?}"),
        }
    }
    house.wait_gone(&container.id);
    assert_eq!(house.log(&container.id).len(), 20);
    house.assert_clean();
}

fn idle_memory() {
    let house = House::new();
    let container = house.create(Container::new(&["sleep", "1000"]));
    let client = house.spawn(&container);
    house.start(&client);
    drop(client);
    std::thread::sleep(Duration::from_millis(1200));
    let pid = house.monitor_pid(&container.id);
    // By mapping: what is private, and all that is there.
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let (mut name, mut resident) = (String::new(), 0_u64);
    let (mut private, mut all) = (0, 0);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let number = |words: &mut std::str::SplitWhitespace<'_>| words.next().unwrap().parse::<u64>().unwrap();
        match words.next().unwrap() {
            "Rss:" => resident = number(&mut words),
            "Private_Dirty:" if resident > 0 => {
                let dirty = number(&mut words);
                println!("  {name}: {resident} kB, private {dirty} kB");
                (private, all) = (private + dirty, all + resident);
            }
            first if !first.ends_with(':') => {
                name = format!("{} {}", words.next().unwrap(), words.nth(3).unwrap_or_default());
            }
            _ => {}
        }
    }
    println!("  idle monitor: {all} kB, private {private} kB");
    let client = Client::connect(&house.home, &container.id).unwrap().unwrap();
    assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
    house.wait_gone(&container.id);
    house.assert_clean();
}
