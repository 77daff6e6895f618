//! `testnet logs`.

use super::{Failure, Usage, Verdict, home};
use crate::cli::Logs;
use crate::stop::Stop;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

/// How often a followed log is read.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows the end of a log, and goes on with it when asked.
pub(super) async fn logs(command: &Logs) -> Result<Verdict, Failure> {
    let home = home(&command.home)?;
    let state = home.load().usage()?;
    let name = match command.node.as_str() {
        "load" => "load".to_owned(),
        wanted => state.nodes[state.index_of(wanted).usage()?].name.clone(),
    };
    let mut file = open(&home.log(&name)).usage()?;
    show_last(&mut file, command.lines)?;
    if command.follow {
        let stop = Stop::on_signals()?;
        while !stop.is_asked() {
            copy(&mut file)?;
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.asked() => {}
            }
        }
    }
    Ok(Verdict::Passed)
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("no log at {}", path.display()))?;
    Ok(BufReader::new(file))
}

fn show_last(file: &mut BufReader<File>, lines: usize) -> Result<()> {
    let (mut last, mut line) = (VecDeque::new(), Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        last.push_back(std::mem::take(&mut line));
        if last.len() > lines {
            last.pop_front();
        }
    }
    let mut out = std::io::stdout().lock();
    for line in last {
        out.write_all(&line)?;
    }
    Ok(out.flush()?)
}

fn copy(file: &mut BufReader<File>) -> Result<()> {
    let mut more = Vec::new();
    file.read_to_end(&mut more)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&more)?;
    Ok(out.flush()?)
}
