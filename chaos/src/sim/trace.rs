//! The digest of a run: a hash over every event and every output, in order. Two runs of one seed
//! that differ anywhere differ here.

use super::queue::Micros;
use std::hash::{Hash, Hasher};

/// The same on every platform and in every process, unlike the standard hasher.
#[derive(Clone, Copy, Debug)]
struct Mixer(u64);

impl Mixer {
    const fn take(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let word = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        word ^ (word >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.take(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        for byte in words.remainder() {
            self.take(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.take(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.take(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.take(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.take(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.take(u64::try_from(value).expect("sizes fit 64 bits"));
    }
}

/// What a run was, so far.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: Mixer,
    /// The last lines, when asked for.
    lines: Option<Lines>,
}

#[derive(Clone, Debug, Default)]
struct Lines {
    last: std::collections::VecDeque<String>,
    print: bool,
}

/// Lines kept for the report of a violation.
const LINES_KEPT: usize = 60;

impl Trace {
    /// A digest, and lines as well when `lines`; each printed at once when `print`.
    #[must_use]
    pub fn new(lines: bool, print: bool) -> Self {
        let lines = (lines || print).then(|| Lines { print, ..Lines::default() });
        Self { hash: Mixer(1), lines }
    }

    /// Adds a fact.
    pub fn add(&mut self, fact: &impl Hash) {
        fact.hash(&mut self.hash);
    }

    /// Adds a line, if lines are kept; `write` makes it.
    pub fn line(&mut self, at: Micros, write: impl FnOnce() -> String) {
        let Some(lines) = &mut self.lines else { return };
        let line = format!("{:>4}.{:06} {}", at / 1_000_000, at % 1_000_000, write());
        if lines.print {
            println!("{line}");
        }
        if lines.last.len() == LINES_KEPT {
            lines.last.pop_front();
        }
        lines.last.push_back(line);
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.hash.finish()
    }

    /// The last lines.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.lines.as_ref().map(|lines| lines.last.iter().cloned().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_every_fact_and_their_order() {
        let digest = |facts: &[&str]| {
            let mut trace = Trace::new(false, false);
            facts.iter().for_each(|fact| trace.add(fact));
            trace.digest()
        };
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["b", "a"]));
        assert_ne!(digest(&["a"]), digest(&["a", "b"]));
    }

    #[test]
    fn keeps_the_last_lines_only_when_asked() {
        let mut trace = Trace::new(true, false);
        (0..100).for_each(|n| trace.line(n, || format!("line {n}")));
        let lines = trace.last_lines();
        assert_eq!(lines.len(), LINES_KEPT);
        assert_eq!(lines.last().unwrap(), "   0.000099 line 99");
        let mut silent = Trace::new(false, false);
        silent.line(0, || unreachable!("no line is made"));
    }
}
