//! The processes of a testnet: start, wait until ready, signal, stop. Each node leads its own
//! process group, so Ctrl-C in a terminal reaches this program alone, which then stops them in
//! order. Nodes that belong to this program end with it, whatever ends it.
//!
//! # Invariants
//! A process number is used only while that process names the node's home on its command line.

use crate::home::{Home, Node, State};
use crate::http::Http;
use crate::process;
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a node gets to stop by itself.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long a killed process may take to disappear.
const KILL_GRACE: Duration = Duration::from_secs(10);
/// How often a waiting loop looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long nodes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// They end with this program.
    WithUs,
    /// They go on without it.
    Detached,
}

/// The nodes of one testnet.
pub struct Cluster {
    home: Home,
    state: State,
    life: Life,
    /// What this program started and has to collect.
    children: Vec<(usize, Child)>,
}

impl Cluster {
    /// Takes hold of the testnet that `testnet.json` in `home` describes.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(home: &Home, life: Life) -> Result<Self> {
        let state = home.load()?;
        Ok(Self { home: home.clone(), state, life, children: Vec::new() })
    }

    /// The folder.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// What there is; process numbers in it may have changed since, see [`Self::pid`].
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The nodes in order of index.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.state.nodes
    }

    /// The process of a node, while it runs.
    #[must_use]
    pub fn pid(&self, index: usize) -> Option<u32> {
        let state = self.home.load().ok()?;
        let node = state.nodes.get(index)?;
        node.pid.filter(|pid| process::runs(*pid, &node.home))
    }

    /// Starts one node; does not wait for it.
    ///
    /// # Errors
    /// When it already runs or cannot be started.
    pub fn start(&mut self, index: usize) -> Result<()> {
        self.collect();
        let node = self.state.nodes[index].clone();
        if let Some(pid) = self.pid(index) {
            bail!("{} already runs as process {pid}", node.name);
        }
        let stale = node.home.join("data").join("run.json");
        if stale.exists() {
            fs::remove_file(&stale).with_context(|| format!("remove {}", stale.display()))?;
        }
        let mut command = self.command(&node)?;
        let child = command.spawn().with_context(|| format!("start {}", node.name))?;
        let pid = child.id();
        self.children.push((index, child));
        self.home.update(|state| state.nodes[index].pid = Some(pid)).map(drop)
    }

    fn command(&self, node: &Node) -> Result<Command> {
        let mut command = match (self.life, death_tie()) {
            (Life::WithUs, Some(tie)) => {
                let mut command = Command::new(tie);
                command.args(["--pdeathsig", "KILL"]).arg(&self.state.node_binary);
                command
            }
            _ => Command::new(&self.state.node_binary),
        };
        let path = self.home.log(&node.name);
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("open {}", path.display()))?;
        command.args(["start", "--home"]).arg(&node.home);
        if self.state.recording {
            command.arg("--record").arg(self.home.record().join(&node.name));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok(command)
    }

    /// Waits until a node says it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready within `limit`; the message holds the end of its log.
    pub async fn wait_ready(&mut self, index: usize, http: &Http, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let node = self.state.nodes[index].clone();
        loop {
            if self.pid(index).is_none() {
                // While a program replaces another in a process, its command line reads empty.
                tokio::time::sleep(LOOK_AGAIN).await;
                if self.pid(index).is_none() {
                    bail!("{} ended while starting:\n{}", node.name, self.log_tail(index));
                }
            }
            let why = match http.ready(&node.http).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if Instant::now() >= end {
                let log = self.log_tail(index);
                bail!("{} is not ready after {limit:?}: {why:#}\n{log}", node.name);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The last lines that a node printed.
    #[must_use]
    pub fn log_tail(&self, index: usize) -> String {
        let path = self.home.log(&self.state.nodes[index].name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// Sends a signal to a node; if it ends the node, waits until it is gone.
    ///
    /// # Errors
    /// When the node does not run, or does not go.
    pub async fn signal(&mut self, index: usize, signal: Signal) -> Result<()> {
        let node = &self.state.nodes[index];
        let Some(pid) = self.pid(index) else { bail!("{} does not run", node.name) };
        process::send(pid, &node.home, signal)?;
        self.finish_signal(index, signal).await
    }

    /// Waits until a node that got `signal` is gone, if that signal ends it.
    ///
    /// # Errors
    /// When it does not go.
    pub async fn finish_signal(&mut self, index: usize, signal: Signal) -> Result<()> {
        let ends = [Signal::KILL, Signal::TERM, Signal::INT, Signal::QUIT, Signal::ABORT];
        if !ends.contains(&signal) {
            return Ok(());
        }
        let node = self.state.nodes[index].clone();
        if let Some(pid) = self.pid(index)
            && !process::wait_gone(pid, &node.home, KILL_GRACE).await
        {
            bail!("{} (process {pid}) did not end within {KILL_GRACE:?}", node.name);
        }
        self.collect();
        self.forget(index)
    }

    fn forget(&self, index: usize) -> Result<()> {
        self.home.update(|state| state.nodes[index].pid = None).map(drop)
    }

    /// Stops all nodes: asks first, kills those that do not follow. Returns the names of the
    /// killed.
    ///
    /// # Errors
    /// When a process cannot be signalled or stays.
    pub async fn stop_all(&mut self) -> Result<Vec<String>> {
        for index in 0..self.state.nodes.len() {
            if let Some(pid) = self.pid(index) {
                // A paused process would sleep through the request.
                process::send(pid, &self.state.nodes[index].home, Signal::TERM)?;
                process::send(pid, &self.state.nodes[index].home, Signal::CONT)?;
            }
        }
        let (end, mut killed) = (Instant::now() + STOP_GRACE, Vec::new());
        for index in 0..self.state.nodes.len() {
            if let Some(pid) = self.pid(index) {
                let left = end.saturating_duration_since(Instant::now());
                if !process::wait_gone(pid, &self.state.nodes[index].home, left).await {
                    self.signal(index, Signal::KILL).await?;
                    killed.push(self.state.nodes[index].name.clone());
                }
            }
            self.forget(index)?;
        }
        self.collect();
        Ok(killed)
    }

    /// Collects children that have ended.
    pub fn collect(&mut self) {
        self.children.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.life == Life::Detached {
            return;
        }
        for index in 0..self.state.nodes.len() {
            if let Some(pid) = self.pid(index) {
                let _ = process::send(pid, &self.state.nodes[index].home, Signal::KILL);
                let _ = self.forget(index);
            }
        }
        for (_, child) in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// The system's program that ties a child's life to its parent's; Linux systems have it. Where it
/// is missing, a killed `testnet` leaves its nodes, and `testnet down` ends them.
fn death_tie() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|f| f.join("setpriv")).find(|path| path.is_file())
}
