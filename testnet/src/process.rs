//! Processes by number: whether one is still the one that was started, signals, and what it used.
//! A number alone proves nothing, since the system hands it out again; a process counts as ours
//! only while its command line names the folder it was started for.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Whether process `pid` runs and was started for `folder`. A process that has ended and waits to
/// be collected does not run.
#[must_use]
pub fn runs(pid: u32, folder: &Path) -> bool {
    arguments(pid).iter().any(|argument| Path::new(argument) == folder)
}

fn arguments(pid: u32) -> Vec<String> {
    if let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) {
        let parts = line.split(|byte| *byte == 0);
        return parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    }
    if Path::new("/proc/self").exists() {
        return Vec::new();
    }
    // Elsewhere than on Linux. A folder with spaces in it is not recognised there.
    let asked = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    let line = asked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Turns a number into a signal.
///
/// # Errors
/// When it is not the number of a named signal.
pub fn signal(number: i32) -> Result<Signal> {
    Signal::from_named_raw(number).with_context(|| format!("{number} is not a signal"))
}

/// Sends `signal` to `pid` if it still is the process started for `folder`; says whether it was.
///
/// # Errors
/// When the system refuses.
pub fn send(pid: u32, folder: &Path, signal: Signal) -> Result<bool> {
    if !runs(pid, folder) {
        return Ok(false);
    }
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).context("process number")?;
    match kill_process(raw, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => bail!("cannot signal process {pid}: {error}"),
    }
}

/// Waits until `pid` no longer runs; says whether that happened within `limit`.
pub async fn wait_gone(pid: u32, folder: &Path, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while runs(pid, folder) {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor milliseconds, in user and system mode together.
    pub cpu_ms: u64,
    /// The most memory it ever held, in megabytes of a million bytes.
    pub rss_mb: f64,
}

/// Reads what `pid` has used; `None` when it is gone or the system does not say.
#[must_use]
pub fn usage(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ticks = cpu_ticks(&stat)?;
    let cpu_ms = ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1);
    Some(Usage { cpu_ms, rss_mb: peak_kib(&status)? as f64 * 1_024.0 / 1e6 })
}

/// User and system ticks out of `/proc/PID/stat`. The name in it may hold spaces and brackets, so
/// fields are counted from the last closing one.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse().ok()?);
    user.checked_add(system)
}

/// The high-water mark of resident memory out of `/proc/PID/status`, in KiB.
fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ticks_behind_a_name_with_brackets() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 90 0 0 0 250 50 0 0 20 0 1 0 99 0 0";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn reads_peak_memory() {
        assert_eq!(peak_kib("VmPeak:\t  9 kB\nVmHWM:\t  2048 kB\n"), Some(2_048));
        assert_eq!(peak_kib("VmPeak:\t 9 kB\n"), None);
    }

    #[test]
    fn own_process_uses_something() {
        let used = usage(std::process::id()).expect("this system has /proc");
        assert!(used.rss_mb > 0.0, "{used:?}");
    }

    #[test]
    fn a_number_of_another_program_is_not_ours() {
        let own = std::process::id();
        assert!(!runs(own, Path::new("/no/such/folder")));
        assert!(!send(own, Path::new("/no/such/folder"), Signal::KILL).unwrap());
        let program = std::env::args().next().expect("a program has a name");
        assert!(runs(own, Path::new(&program)));
    }

    #[test]
    fn only_named_signals_are_signals() {
        assert_eq!(signal(9).unwrap(), Signal::KILL);
        assert!(signal(0).is_err() && signal(-3).is_err() && signal(4_000).is_err());
    }
}
