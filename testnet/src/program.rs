//! The node program: where it is, and how its short commands are run.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Longest that a short command (`init`, `genesis ...`) may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// Finds the node program: `wanted` if given, else `chorale` beside this program.
///
/// # Errors
/// When it is not there; the message says how to build it.
pub fn find(wanted: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = wanted {
        if !path.is_file() {
            bail!("no node program at {}", path.display());
        }
        return std::path::absolute(path).context("no working folder");
    }
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let path = own.with_file_name("chorale");
    if !path.is_file() {
        bail!(
            "no node program at {}; build it with `cargo build --release -p chorale-node` \
             or pass --node-binary PATH",
            path.display()
        );
    }
    Ok(path)
}

/// Runs a short command to its end and returns what it printed.
///
/// # Errors
/// When it cannot be run, takes too long, or fails; the message repeats the command and what it
/// said.
pub async fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let words: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect();
    let line = format!("{} {}", program.display(), words.join(" "));
    let done = tokio::time::timeout(COMMAND_LIMIT, command.output()).await;
    let output = done.with_context(|| format!("`{line}` did not end in {COMMAND_LIMIT:?}"))?;
    let output = output.with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}):\n{}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
