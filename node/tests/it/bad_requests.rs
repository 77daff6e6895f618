//! The real program under everything that no caller should send: it answers, it does not panic,
//! and what it ordered is what was sent in earnest.

use crate::process::Program;
use crate::support::{Place, chorale};
use chorale_types::limits::TRANSACTION_BYTES_MAX;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const OCTETS: &str = "content-type: application/octet-stream\r\n";
const JSON: &str = "content-type: application/json\r\n";
const SUBMIT: &str = "/v1/rollups/1/transactions";
/// A test that hangs fails instead; nothing is measured by this.
const HANG: Duration = Duration::from_secs(120);

/// Sends these bytes, and reads until the other end closes.
fn raw(address: &Value, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address.as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    // It may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let hangs = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!hangs, "no answer to {}", shown(bytes));
    String::from_utf8(answer).unwrap()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn get(address: &Value, path: &str) -> Value {
    let answer = raw(address, &request(&format!("GET {path}"), "", b""));
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

/// What the program counts: every name with its labels, without the values.
fn series(address: &Value) -> BTreeSet<String> {
    let page = raw(address, &request("GET /metrics", "", b""));
    let lines = page.lines().filter(|line| line.starts_with("chorale_"));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name.to_owned()).collect()
}

/// Requests, each with what its answer must have in it.
fn catalogue() -> Vec<(Vec<u8>, &'static str)> {
    let post = |query: &str, headers: &str, body: &[u8]| {
        request(&format!("POST {SUBMIT}{query}"), headers, body)
    };
    let many = format!("{{\"transactions\":[{}\"0x01\"]}}", "\"0x01\",".repeat(99_999));
    let deep = [b"{\"transactions\":".to_vec(), vec![b'['; 100_000]].concat();
    let gzip = format!("{OCTETS}content-encoding: gzip\r\n");
    let mut all = vec![
        (post("", OCTETS, b""), "empty_transaction"),
        (post("", OCTETS, &vec![7; TRANSACTION_BYTES_MAX + 1]), "transaction_too_large"),
        (post("", JSON, many.as_bytes()), "too_many_transactions"),
        (post("", JSON, &deep), "bad_json"),
        (post("", JSON, br#"{"transactions":["0x01"],"transactions":["0x01"]}"#), "bad_json"),
        (post("", JSON, br#"{"transactions":[1e400]}"#), "bad_json"),
        (post("", JSON, b"{\"transactions\":[\"0x\xff\"]}"), "bad_json"),
        (post("", "content-type: text/plain\r\n", b"x"), "bad_content_type"),
        (post("", &gzip, b"\x1f\x8b"), "bad_content_type"),
        (post("?timeout_ms=1e400", OCTETS, b"x"), "bad_parameter"),
        (post("?wait=final&wait=final", OCTETS, b"x"), "unknown_parameter"),
        (request("POST /v1/rollups/3/transactions", OCTETS, b"x"), "unknown_rollup"),
        (request("POST /v1/rollups/-1/transactions", OCTETS, b"x"), "bad_parameter"),
        (request("POST /v1/rollups/1.5/transactions", OCTETS, b"x"), "bad_parameter"),
        (request("POST /v1/rollups/..%2f1/transactions", OCTETS, b"x"), "bad_parameter"),
        (request("GET /v1/rollups/1/stream?from=2", "", b""), "cursor_in_future"),
        (request("GET /v1/rollups/1/stream?from=-1", "", b""), "bad_parameter"),
        (request("GET /v1/rollups/1/stream?from=0", "", b""), "bad_parameter"),
        (request("GET /v1/rollups/1/stream?token=x", "", b""), "unknown_parameter"),
        (request("GET /v1/rollups/1/stream", "last-event-id: 1\r\n", b""), "cursor_in_future"),
        (request("GET /v1/rollups/1/blocks/1", "", b""), "future_sequence"),
        (request("GET /../../etc/passwd", "", b""), "not_found"),
        (request("GET /debug/pprof/", "", b""), "not_found"),
        (request("DELETE /v1/status", "", b""), "method_not_allowed"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), ""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n".to_vec(), ""),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(), "HTTP/1.1 4"),
    ];
    let long = format!("{OCTETS}content-length: 99999999999\r\n");
    all.push((format!("POST {SUBMIT} HTTP/1.1\r\n{long}\r\n").into_bytes(), "too_large"));
    all
}

#[test]
fn the_program_stands_everything_that_no_caller_should_send() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let errors = place.path("errors");
    let mut program = Program::start_telling(&home, &[], File::create(&errors).unwrap().into());
    let addresses = program.addresses(&home);
    let http = &addresses["http"];
    let known = series(http);
    for (sent, expected) in catalogue() {
        let answer = raw(http, &sent);
        let status = answer.strip_prefix("HTTP/1.1 ").unwrap_or("400 by closing");
        assert!(status.starts_with('4'), "{} is answered {answer}", shown(&sent));
        assert!(answer.contains(expected), "{} is answered {answer}", shown(&sent));
    }
    assert_eq!(get(http, "/v1/rollups/1/blocks")["head"], 0, "nothing of it was ordered");
    for n in 0..300 {
        let paths = [format!("/v1/rollups/77{n:03}/stream"), format!("/marker{n}?marker{n}=1")];
        paths.iter().for_each(|path| drop(raw(http, &request(&format!("GET {path}"), "", b""))));
    }
    let counted = series(http);
    // The chain's id stands in some names, and may hold any two digits.
    let marks = ["\"77", "rollups/77", "marker"];
    let named = counted.iter().find(|name| marks.iter().any(|mark| name.contains(mark)));
    assert_eq!(named, None, "what callers send names no metric");
    assert!(counted.len() < known.len() + 300, "{counted:?}");
    let earnest = request(&format!("POST {SUBMIT}?wait=final&timeout_ms=60000"), OCTETS, b"1");
    assert!(raw(http, &earnest).contains("\"sequence\":1"));
    program.signal("TERM");
    assert_eq!(program.code(), Some(0));
    let errors = fs::read_to_string(errors).unwrap();
    assert!(!errors.contains("panicked"), "{errors}");
}

#[test]
fn one_transaction_sent_a_million_times_is_ordered_once() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let http = &addresses["http"];
    let body = json!({"transactions": vec!["0x0102"; 1_000]}).to_string();
    let head = format!(
        "POST {SUBMIT}?wait=accepted HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {}\r\n",
        body.len()
    );
    // A thousand calls of a thousand each, one after the other on one connection; the last ends it.
    let mut stream = TcpStream::connect(http.as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut last = Vec::new();
        answers.read_to_end(&mut last).unwrap();
        last.windows(12).filter(|window| *window == b"HTTP/1.1 200").count()
    });
    for call in 0..1_000 {
        let end = if call < 999 { "\r\n" } else { "connection: close\r\n\r\n" };
        stream.write_all(format!("{head}{end}{body}").as_bytes()).unwrap();
    }
    assert_eq!(reader.join().unwrap(), 1_000);
    let other = request(&format!("POST {SUBMIT}?wait=final&timeout_ms=60000"), OCTETS, b"other");
    assert!(raw(http, &other).contains("\"level\":\"final\""));
    let page = get(http, "/v1/rollups/1/blocks?limit=64");
    let blocks = page["blocks"].as_array().unwrap();
    let ordered: Vec<&Value> =
        blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap()).collect();
    assert_eq!(ordered, [&json!("0x0102"), &json!("0x6f74686572")]);
}

#[test]
fn a_crowd_that_goes_away_leaves_the_program_as_it_was() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let http = &addresses["http"];
    let files = || fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count();
    let before = files();
    for round in 0..5 {
        let open = (0..100).map(|at| {
            let mut stream = TcpStream::connect(http.as_str().unwrap()).unwrap();
            let line = match at % 4 {
                0 => "GET /v1/rollups/1/stream HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
                1 => "GET /livez HTTP/1.1\r\nho".to_owned(),
                2 => format!("POST {SUBMIT} HTTP/1.1\r\n{OCTETS}content-length: 9\r\n\r\nx"),
                _ => String::new(),
            };
            let _ = stream.write_all(line.as_bytes());
            if at % 3 == 0 {
                let _ = stream.shutdown(Shutdown::Write);
            }
            stream
        });
        drop(open.collect::<Vec<_>>());
        assert_eq!(get(http, "/v1/status")["chain_name"], "test", "round {round}");
    }
    let started = std::time::Instant::now();
    while files() > before + 8 {
        assert!(started.elapsed() < HANG, "{} files are open, {before} before", files());
        std::thread::sleep(Duration::from_millis(20));
    }
    program.signal("TERM");
    assert_eq!(program.code(), Some(0));
}

#[test]
fn the_program_keeps_the_bounds_that_its_configuration_names() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let config = fs::read_to_string(home.config()).unwrap();
    let chosen = config
        .replace("# connections_per_address = 256", "connections_per_address = 5")
        .replace("# streams_per_address = 64", "streams_per_address = 3");
    fs::write(home.config(), chosen).unwrap();
    let mut program = Program::start(&home, &[]);
    let addresses = program.addresses(&home);
    let limits = get(&addresses["http"], "/v1/limits");
    assert_eq!(
        (&limits["connections_per_address"], &limits["streams_per_address"]),
        (&json!(5), &json!(3))
    );
    // This machine is not counted, so that a test network can have many followers.
    let url = format!("http://{}", addresses["http"].as_str().unwrap());
    let streams: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = TcpStream::connect(addresses["http"].as_str().unwrap()).unwrap();
            stream.write_all(b"GET /v1/rollups/1/stream HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200");
            stream
        })
        .collect();
    assert!(chorale(&["status", "--url", &url]).status.success());
    drop(streams);
}
