//! The real program: signals, the admin interface, histories.

use crate::support::{Place, text};
use chorale_node::home::Home;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running program; killed if a test fails.
pub(crate) struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    pub(crate) fn start(home: &Home, more: &[&str]) -> Self {
        Self::start_telling(home, more, Stdio::null())
    }

    /// With its standard error going there.
    pub(crate) fn start_telling(home: &Home, more: &[&str], errors: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chorale"));
        command.args(["start", "--home", &text(home.path()), "--log-level", "warn"]).args(more);
        command.env_remove("RUST_LOG").stderr(errors);
        Self(command.spawn().expect("the program runs"))
    }

    /// Where it listens, once it says so.
    pub(crate) fn addresses(&mut self, home: &Home) -> Value {
        loop {
            assert!(self.0.try_wait().unwrap().is_none(), "it ended");
            let text = fs::read_to_string(home.run()).unwrap_or_default();
            let addresses = serde_json::from_str::<Value>(&text).unwrap_or_default();
            if addresses["pid"] == self.0.id() {
                return addresses;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub(crate) fn code(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

/// One request, and the whole answer.
fn http(address: &Value, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address.as_str().unwrap()).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn submit(addresses: &Value, payload: &str) -> String {
    let path = "POST /v1/rollups/1/transactions?wait=final&timeout_ms=60000";
    http(&addresses["http"], path, payload)
}

#[test]
fn a_signal_stops_it_in_order_and_a_kill_loses_nothing_final() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    for (run, signal) in ["TERM", "KILL", "INT", "KILL"].into_iter().enumerate() {
        let mut program = Program::start(&home, &[]);
        let addresses = program.addresses(&home);
        let answer = submit(&addresses, &format!("run {run}"));
        let expected = format!("\"sequence\":{}", run + 1);
        assert!(answer.contains("\"level\":\"final\"") && answer.contains(&expected), "{answer}");
        program.signal(signal);
        let graceful = signal != "KILL";
        assert_eq!(program.code(), graceful.then_some(0), "after {signal}");
        assert_eq!(home.run().exists(), !graceful);
    }
}

#[test]
fn the_admin_interface_stops_it() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let answer = http(&addresses["admin"], "POST /admin/shutdown", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(program.code(), Some(0));
}

#[test]
fn a_history_tells_what_was_answered_and_ordered() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let folder = place.text("histories");
    for run in 0..2 {
        let mut program = Program::start(&home, &["--record", &folder]);
        let addresses = program.addresses(&home);
        submit(&addresses, &format!("run {run}"));
        program.signal("TERM");
        assert_eq!(program.code(), Some(0));
    }
    let history = fs::read_to_string(place.path("histories").join("one.jsonl")).unwrap();
    let lines: Vec<Value> =
        history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("start").len(), of("stop").len(), of("lost").len()), (2, 2, 0));
    assert!(!of("statement").is_empty());
    let ids = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ordered: Vec<Value> = of("ordered")
        .iter()
        .flat_map(|line| ids(&line["rollups"]))
        .flat_map(|rollup| ids(&rollup["ids"]))
        .collect();
    let answered: Vec<Value> = of("answered")
        .iter()
        .filter(|line| line["level"] == "final")
        .flat_map(|line| ids(&line["transactions"]))
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ordered.len(), 2);
    assert_eq!(answered, ordered);
    let heights: Vec<u64> =
        of("commit").iter().map(|line| line["height"].as_u64().unwrap()).collect();
    assert!(heights.windows(2).all(|pair| pair[1] == pair[0] + 1), "{heights:?}");
}
