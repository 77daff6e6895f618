//! Homes for nodes, and the program that runs them.

use chorale_consensus::input::HashedTransaction;
use chorale_consensus::output::Admission;
use chorale_node::api::ApiConfig;
use chorale_node::config::Config;
use chorale_node::handles::Handles;
use chorale_node::home::Home;
use chorale_node::node::Options;
use chorale_types::ids::{RollupId, Sequence};
use chorale_types::level::Level;
use chorale_types::transaction::{TransactionId, transaction_id};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The name every test chain has.
pub(crate) const CHAIN: &str = "test";

/// The program.
pub(crate) fn chorale(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorale"));
    command.args(arguments).env_remove("CHORALE_HOME").env_remove("RUST_LOG");
    command.output().expect("the program runs")
}

/// What the program prints when it succeeds.
pub(crate) fn succeeds(arguments: &[&str]) -> String {
    let output = chorale(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "chorale {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// What the program says when it refuses, and its exit code.
pub(crate) fn fails(arguments: &[&str]) -> (i32, String) {
    let output = chorale(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "chorale {arguments:?} succeeded");
    assert!(!errors.contains("panicked"), "{errors}");
    (output.status.code().expect("it was not killed"), errors)
}

/// A folder with homes in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// A home made by `chorale init`.
    pub(crate) fn init(&self, name: &str) -> Home {
        succeeds(&["init", "--home", &self.text(name), "--chain-name", CHAIN, "--name", name]);
        Home::new(self.path(name))
    }

    /// Homes with one genesis over all of them, whose rollups are 1 and 2.
    pub(crate) fn network(&self, names: &[&str], params: &[&str]) -> Vec<Home> {
        let homes: Vec<Home> = names.iter().map(|name| self.init(name)).collect();
        self.make_genesis(&homes, params);
        let genesis = self.text("genesis.json");
        for home in &homes {
            succeeds(&["genesis", "install", &genesis, "--home", &text(home.path())]);
        }
        homes
    }

    /// As [`Self::network`], each told where the others are.
    pub(crate) fn connected(&self, names: &[&str], params: &[&str]) -> Vec<Home> {
        for (name, port) in names.iter().zip(free_ports(names.len())) {
            let (home, p2p) = (self.text(name), format!("/ip4/127.0.0.1/tcp/{port}"));
            let init = ["init", "--home", &home, "--chain-name", CHAIN, "--name", name];
            succeeds(&[&init[..], &["--p2p", &p2p]].concat());
        }
        let homes: Vec<Home> = names.iter().map(|name| Home::new(self.path(name))).collect();
        self.make_genesis(&homes, params);
        let genesis = self.text("genesis.json");
        for home in &homes {
            let others = homes.iter().filter(|other| *other != home);
            let cards: Vec<String> = others.map(|other| text(&other.validator())).collect();
            let path = text(home.path());
            let mut install = vec!["genesis", "install", &genesis, "--home", &path];
            install.extend(cards.iter().flat_map(|card| ["--peer", card]));
            succeeds(&install);
        }
        homes
    }

    fn make_genesis(&self, homes: &[Home], params: &[&str]) {
        let genesis = self.text("genesis.json");
        let cards: Vec<String> = homes.iter().map(|home| text(&home.validator())).collect();
        let mut new = vec!["genesis", "new", "--chain-name", CHAIN, "--out", &genesis];
        new.extend(["--rollup", "2", "--rollup", "1"]);
        new.extend(params.iter().flat_map(|param| ["--param", param]));
        new.extend(cards.iter().flat_map(|card| ["--validator", card]));
        succeeds(&new);
    }
}

/// Ports that are free now, each given out once. They lie below those that the system gives to
/// connections, one of which could be taken while a node that owns it is stopped.
fn free_ports(count: usize) -> Vec<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Each process has its own twenty, so that two runs at once stay apart.
    let first = 15_000 + 20 * u16::try_from(std::process::id() % 800).unwrap();
    std::iter::repeat_with(|| first + GIVEN.fetch_add(1, Ordering::Relaxed))
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .take(count)
        .collect()
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// What a node of this home is started with, in this process.
pub(crate) fn options(home: &Home) -> Options {
    let config = Config::read(&home.config()).expect("a configuration");
    Options { home: home.clone(), config, record: None, api: ApiConfig::default() }
}

/// The rollup that most tests submit to.
pub(crate) const ROLLUP: RollupId = RollupId::new(2);
/// Longer than anything here takes; nothing is measured by it.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) fn transaction(rollup: RollupId, payload: &[u8]) -> HashedTransaction {
    HashedTransaction { rollup, id: transaction_id(rollup, payload), payload: payload.into() }
}

/// Fifty payloads that no other run has.
pub(crate) fn payloads(run: usize) -> Vec<String> {
    (0..50).map(|n| format!("transaction {n} of run {run}")).collect()
}

/// Submits some transactions and waits until they are final.
pub(crate) async fn order(handles: &Handles, payloads: &[String]) -> Vec<TransactionId> {
    let transactions: Vec<_> =
        payloads.iter().map(|payload| transaction(ROLLUP, payload.as_bytes())).collect();
    let named: Vec<_> = transactions.iter().map(|one| (one.rollup, one.id)).collect();
    let admissions = handles.submissions.submit(transactions).await.unwrap();
    assert!(admissions.iter().all(|one| !matches!(one, Admission::Refused(_))), "{admissions:?}");
    let reached = handles.submissions.wait(&named, Level::Final, LONG).await;
    for progress in &reached {
        assert_eq!(progress.expect("it is known").level, Level::Final);
    }
    named.into_iter().map(|(_, id)| id).collect()
}

/// Every transaction of the rollup in the order of its stream.
pub(crate) fn stream(handles: &Handles) -> Vec<Vec<u8>> {
    let head = handles.ledger.head(ROLLUP).expect("a rollup").sequence;
    let frames = (1..=head.get())
        .map(|sequence| handles.ledger.read_frame(ROLLUP, Sequence::new(sequence)).unwrap());
    frames.flat_map(|view| view.frame.transactions.clone()).collect()
}

/// Waits until something is so, however long it takes.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("it becomes so");
}
