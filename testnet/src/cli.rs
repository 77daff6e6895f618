//! The command line. What the commands do is in [`crate::commands`].

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Many real nodes on one machine: real processes, real disks, real signatures.
///
/// `testnet up` makes a network, puts signed transactions on it, follows every rollup with clients
/// that verify what they read, and ends with a summary. With --detach the network stays, and the
/// other commands work on it.
#[derive(Debug, Parser)]
#[command(name = "testnet", version, after_help = AFTER, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

const AFTER: &str = "\
Files in DIR:
  testnet.json    nodes (name, http, p2p, admin, pid, home) and rollups
  nodes/NAME/     the home of each node, as `chorale --home` takes it
  logs/NAME.log   what it printed
  record/         histories, with --record; `testnet/scripts/recount.py DIR/record` judges them
DIR is --home, else $TESTNET_HOME, else $XDG_STATE_HOME/chorale/testnet, else
~/.local/state/chorale/testnet. `up` replaces an older testnet in DIR once its nodes have ended.

Exit codes:
  0  done; for a load: nothing lost, doubled, reordered or unverifiable
  1  failed; for a load: the summary says what was lost, doubled, reordered or unverifiable;
     for status: some node does not run or does not answer
  2  wrong usage, or DIR holds no testnet, or holds one that is in the way

Colours are used on a terminal only, and not when NO_COLOR is set.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a network and put load on it, until Ctrl-C or for --seconds.
    Up(Up),
    /// Put load on a network that runs.
    Load(LoadCommand),
    /// Show every node.
    Status(StatusCommand),
    /// Send a signal to nodes; by default they are killed on the spot.
    Kill(Kill),
    /// Start nodes again from what is on their disks.
    Start(Start),
    /// Show what a node printed.
    Logs(Logs),
    /// Stop all nodes, and the load in the background; their files stay.
    Down(Down),
    /// Kill, destroy and cut off nodes under load, and see what that does to the others.
    CrashTest(CrashTest),
}

/// Where the testnet is.
#[derive(Clone, Debug, Args)]
pub struct HomeArg {
    /// The testnet's folder
    #[arg(long, value_name = "DIR", env = "TESTNET_HOME")]
    pub home: Option<PathBuf>,
}

/// Where a report goes.
#[derive(Clone, Debug, Args)]
pub struct JsonArg {
    /// Write the report as JSON to FILE, or to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<PathBuf>,
}

/// Which node program runs.
#[derive(Clone, Debug, Args)]
pub struct BinaryArg {
    /// The node program; by default `chorale` beside this one
    #[arg(long, value_name = "PATH")]
    pub node_binary: Option<PathBuf>,
}

/// How much load.
#[derive(Clone, Debug, Args)]
pub struct Amount {
    /// Transactions a second over all nodes and rollups [default: 200]
    #[arg(long, value_name = "TX_PER_S")]
    pub rate: Option<u64>,
    /// Size of each signed transaction in bytes
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub tx_bytes: usize,
    /// End the load after this long; without it, at Ctrl-C
    #[arg(long, value_name = "S")]
    pub seconds: Option<u64>,
}

/// Makes a network.
#[derive(Debug, Args)]
pub struct Up {
    /// How many validators; one is a single sequencer
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: usize,
    /// How many rollups; their ids, which are EVM chain ids too, start at 91001
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rollups: usize,
    /// The load.
    #[command(flatten)]
    pub amount: Amount,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
    /// The report.
    #[command(flatten)]
    pub json: JsonArg,
    /// Record histories of nodes, load and followers in DIR/record
    #[arg(long)]
    pub record: bool,
    /// Return once the nodes are ready and leave them running; a load starts in the background
    /// only if --rate is given (see DIR/logs/load.log)
    #[arg(long)]
    pub detach: bool,
    /// The node.
    #[command(flatten)]
    pub binary: BinaryArg,
}

/// Puts load on.
#[derive(Debug, Args)]
pub struct LoadCommand {
    /// How much.
    #[command(flatten)]
    pub amount: Amount,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
    /// The report.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Shows the nodes.
#[derive(Debug, Args)]
pub struct StatusCommand {
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
    /// The report.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Signals nodes.
#[derive(Debug, Args)]
pub struct Kill {
    /// Names or numbers of nodes, or `all`
    #[arg(value_name = "NODE", required = true)]
    pub nodes: Vec<String>,
    /// The signal's number: 9 kills, 15 asks to stop, 19 pauses, 18 goes on
    #[arg(long, value_name = "N", default_value_t = 9)]
    pub signal: i32,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
}

/// Starts nodes.
#[derive(Debug, Args)]
pub struct Start {
    /// Names or numbers of nodes, or `all` for those that do not run
    #[arg(value_name = "NODE", required = true)]
    pub nodes: Vec<String>,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
}

/// Shows a log.
#[derive(Debug, Args)]
pub struct Logs {
    /// The name or number of a node, or `load`
    #[arg(value_name = "NODE")]
    pub node: String,
    /// Go on with what is printed from now on, until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last lines to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub lines: usize,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
}

/// Stops everything.
#[derive(Debug, Args)]
pub struct Down {
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
}

/// What happens to the nodes in a crash test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Kill the current leader and start it again, --kills times
    Leader,
    /// Kill a node that does not lead and start it again, --kills times
    Follower,
    /// Kill all nodes at once and start them again
    All,
    /// Destroy a node, data and all, the moment it answered `available`
    Destroy,
    /// The same, with the link between it and one other node cut before
    DestroyCut,
}

/// Crashes nodes.
#[derive(Debug, Args)]
pub struct CrashTest {
    /// Only these; each makes a network of its own in DIR/crash-test [default: all of them]
    #[arg(long = "scenario", value_name = "SCENARIO")]
    pub scenarios: Vec<Scenario>,
    /// How often a node is killed where a scenario kills one at a time
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub kills: u32,
    /// How many validators; at least 4, so that one may fail
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: usize,
    /// How many rollups
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rollups: usize,
    /// Transactions a second while it happens
    #[arg(long, value_name = "TX_PER_S", default_value_t = 300)]
    pub rate: u64,
    /// Longest pause between commits that passes, where one node at a time is killed
    #[arg(long, value_name = "MS", default_value_t = 2_500)]
    pub gap_limit_ms: u64,
    /// Where.
    #[command(flatten)]
    pub home: HomeArg,
    /// The report.
    #[command(flatten)]
    pub json: JsonArg,
    /// The node.
    #[command(flatten)]
    pub binary: BinaryArg,
}
