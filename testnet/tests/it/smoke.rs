//! The real thing: the `testnet` program with the node program beside it.

use chorale_testnet::home::{Home, State};
use chorale_testnet::process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Networks share the machine badly; they take turns.
static TURN: Mutex<()> = Mutex::new(());

struct Bench {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let node = Path::new(env!("CARGO_BIN_EXE_testnet")).with_file_name("chorale");
        assert!(
            node.is_file(),
            "{} is missing; build it with `cargo build --release -p chorale-node`",
            node.display()
        );
        Self { folder: tempfile::tempdir().unwrap(), _turn: turn }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("net")
    }

    fn testnet(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
        command.args(arguments).arg("--home").arg(self.home());
        command.output().unwrap()
    }

    /// Runs a command that must succeed.
    fn well(&self, arguments: &[&str]) -> String {
        let output = self.testnet(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    fn state(&self) -> State {
        Home::new(&self.home()).unwrap().load().unwrap()
    }

    fn assert_nothing_runs(&self) {
        for node in self.state().nodes {
            assert!(node.pid.is_none_or(|pid| !process::runs(pid, &node.home)), "{}", node.name);
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A failed test leaves no nodes behind.
        if self.home().join("testnet.json").exists() {
            self.testnet(&["down"]);
        }
    }
}

/// Brings a network up, orders some transactions on it, and checks the report and the histories.
fn order_some(validators: &str, rollups: &str, rate: &str, seconds: &str) -> Value {
    let bench = Bench::new();
    let text = bench.well(&[
        "up",
        "--validators",
        validators,
        "--rollups",
        rollups,
        "--rate",
        rate,
        "--seconds",
        seconds,
        "--record",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let offered = rate.parse::<u64>().unwrap() * seconds.parse::<u64>().unwrap();
    assert_eq!(report["offered"], offered, "{report}");
    assert_eq!(report["final"], report["submitted"], "{report}");
    for fault in ["lost", "duplicated", "reordered", "unverifiable", "gaps", "mismatched"] {
        assert_eq!(report[fault], 0, "{fault}: {report}");
    }
    assert!(report["submitted"].as_u64().unwrap() > 0 && report["blocks"].as_u64().unwrap() > 0);
    assert!(report["timeouts"].is_u64(), "no node counts its timeouts: {report}");
    assert_eq!(report["nodes"].as_array().unwrap().len(), validators.parse::<usize>().unwrap());
    bench.assert_nothing_runs();
    recount(&bench.home().join("record"), &report);
    report
}

/// The histories alone say the same.
fn recount(record: &Path, report: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recount.py");
    let output = Command::new("python3").arg(script).arg(record).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let count: Value = serde_json::from_str(&text).unwrap();
    for field in ["offered", "submitted", "final", "refused", "unknown"] {
        assert_eq!(count[field], report[field], "{field}");
    }
}

#[test]
fn four_validators_order_three_rollups() {
    let report = order_some("4", "3", "300", "5");
    let state = ["p50", "p99"].map(|p| report["latency_ms"][p].as_f64().unwrap());
    assert!(state[0] > 0.0 && state[0] <= state[1]);
}

#[test]
fn one_validator_is_a_working_sequencer() {
    order_some("1", "2", "200", "3");
}

#[test]
fn seven_validators_work() {
    order_some("7", "1", "100", "3");
}

#[test]
fn a_detached_network_is_killed_started_loaded_and_stopped_by_command() {
    let bench = Bench::new();
    bench.well(&["up", "--validators", "4", "--rollups", "1", "--detach"]);
    assert!(bench.well(&["status"]).contains("node3"));
    let names: Vec<String> = bench.state().nodes.iter().map(|node| node.name.clone()).collect();
    assert_eq!(names, ["node0", "node1", "node2", "node3"]);
    assert_eq!(bench.state().rollups, [91_001]);

    let again = bench.testnet(&["up"]);
    assert_eq!(again.status.code(), Some(2), "a second network in one folder");

    bench.well(&["kill", "node1"]);
    assert_eq!(bench.testnet(&["status"]).status.code(), Some(1));
    assert_eq!(bench.testnet(&["kill", "node1"]).status.code(), Some(2));
    bench.well(&["start", "1"]);
    bench.well(&["status"]);

    bench.well(&["kill", "all"]);
    bench.well(&["start", "all"]);
    let text = bench.well(&["load", "--rate", "100", "--seconds", "2", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["final"], report["submitted"], "{report}");
    assert!(!bench.well(&["logs", "node0", "-n", "5"]).is_empty());

    bench.well(&["down"]);
    bench.assert_nothing_runs();
    assert_eq!(bench.testnet(&["load"]).status.code(), Some(2));
}

/// Starts `testnet up` without an end, and waits until load goes through it.
fn run_on(bench: &Bench) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    command.args(["up", "--rollups", "1", "--rate", "50", "--home"]).arg(bench.home());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (said, heard) = mpsc::channel();
    // Read to the end, so that the program never waits for a reader.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|l| drop(said.send(l))));
    while !heard.recv().expect("it ended early").contains("tx/s final") {}
    child
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

#[test]
fn an_interrupted_run_ends_in_order_with_a_summary() {
    let bench = Bench::new();
    let child = run_on(&bench);
    kill_process(pid_of(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing lost"));
    bench.assert_nothing_runs();
}

#[cfg(target_os = "linux")]
#[test]
fn nodes_do_not_outlive_a_killed_testnet() {
    let bench = Bench::new();
    let mut child = run_on(&bench);
    let nodes = bench.state().nodes;
    let pids: Vec<u32> = nodes.iter().map(|node| node.pid.unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    for (node, pid) in nodes.iter().zip(pids) {
        // The system kills them in a moment; a minute is for ever.
        let gone = (0..6_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !process::runs(pid, &node.home)
        });
        assert!(gone, "{} outlives its testnet", node.name);
    }
}

/// Reads a stream's event ids behind `last` until there are `enough`, or until the node is gone.
async fn read_ids(url: &str, last: u64, enough: usize) -> Vec<u64> {
    let request = reqwest::Client::new().get(url).header("last-event-id", last.to_string());
    let mut response = request.send().await.unwrap();
    let (mut text, mut ids) = (Vec::new(), Vec::new());
    while ids.len() < enough {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
        // Only whole events count, as in any reader of such streams.
        let whole = text.windows(2).rposition(|two| two == b"\n\n").unwrap_or(0);
        let lines = std::str::from_utf8(&text[..whole]).unwrap().lines();
        let id = |line: &str| line.strip_prefix("id:").map(|id| id.trim().parse().unwrap());
        ids = lines.filter_map(id).collect();
    }
    ids
}

#[test]
fn a_stream_goes_on_after_its_node_was_killed_without_gap_or_repeat() {
    let bench = Bench::new();
    bench.well(&["up", "--rollups", "1", "--detach", "--rate", "50"]);
    let url = format!("{}/v1/rollups/91001/stream", bench.state().nodes[0].http);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reading = runtime.spawn({
        let url = url.clone();
        async move { read_ids(&url, 0, usize::MAX).await }
    });
    assert_eq!(runtime.block_on(read_ids(&url, 0, 20)).len(), 20);
    bench.well(&["kill", "node0"]);
    let mut ids = runtime.block_on(reading).unwrap();
    assert!(ids.len() >= 20);
    bench.well(&["start", "node0"]);
    ids.extend(runtime.block_on(read_ids(&url, *ids.last().unwrap(), 20)));
    let wanted: Vec<u64> = (1..).take(ids.len()).collect();
    assert_eq!(ids, wanted);
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let bench = Bench::new();
    for wrong in [
        vec!["status"],
        vec!["kill", "node0"],
        vec!["up", "--validators", "0"],
        vec!["up", "--rollups", "1000"],
        vec!["up", "--rate", "0"],
        vec!["up", "--tx-bytes", "10"],
        vec!["up", "--seconds", "0"],
        vec!["up", "--node-binary", "/no/such/program"],
        vec!["up", "--no-such-flag"],
    ] {
        let output = bench.testnet(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?} says why");
    }
    assert!(!bench.home().join("testnet.json").exists());
}
