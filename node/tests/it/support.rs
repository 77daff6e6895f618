//! Homes for nodes, and the program that runs them.

use chorale_node::api::ApiConfig;
use chorale_node::config::Config;
use chorale_node::home::Home;
use chorale_node::node::Options;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
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
        self.path(name).to_str().expect("text").to_owned()
    }

    /// A home made by `chorale init`.
    pub(crate) fn init(&self, name: &str) -> Home {
        succeeds(&["init", "--home", &self.text(name), "--chain-name", CHAIN, "--name", name]);
        Home::new(self.path(name))
    }

    /// Homes with one genesis over all of them, whose rollups are 1 and 2.
    pub(crate) fn network(&self, names: &[&str], params: &[&str]) -> Vec<Home> {
        let homes: Vec<Home> = names.iter().map(|name| self.init(name)).collect();
        let genesis = self.text("genesis.json");
        let mut new =
            vec!["genesis", "new", "--chain-name", CHAIN, "--rollup", "2", "--rollup", "1"];
        new.extend(["--out", &genesis]);
        new.extend(params.iter().flat_map(|param| ["--param", param]));
        let cards: Vec<String> = homes.iter().map(|home| text(&home.validator())).collect();
        new.extend(cards.iter().flat_map(|card| ["--validator", card]));
        succeeds(&new);
        for home in &homes {
            succeeds(&["genesis", "install", &genesis, "--home", &text(home.path())]);
        }
        homes
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// What a node of this home is started with, in this process.
pub(crate) fn options(home: &Home) -> Options {
    let config = Config::read(&home.config()).expect("a configuration");
    Options { home: home.clone(), config, record: None, api: ApiConfig::default() }
}
