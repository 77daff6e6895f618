//! The node's decoder and the judge's, which were written apart: they must accept the same bytes,
//! and write back what they read. Any disagreement is a finding, about one of them or about the
//! document.

use chorale_judge::wire::Wire as _;
use chorale_judge::wire::message::Message as Judged;
use chorale_types::codec::{Encode as _, decode_exact};
use chorale_types::message::Message;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use std::path::Path;

/// Spoiled messages that are tried of each example.
const TRIES: u32 = 100_000;

fn examples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("types/tests/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["request_", "response_", "signed"].iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let text: String = std::fs::read_to_string(&path).unwrap().split_whitespace().collect();
        let digits = text.trim_start_matches("0x");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        found.push((name, (0..digits.len()).step_by(2).map(byte).collect()));
    }
    found.sort();
    found
}

struct Spoiler(ChaCha8Rng);

impl Spoiler {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// A small change: of a bit, a byte, a count, a piece left out, doubled, or from elsewhere.
    fn spoil(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let length = 1 + self.below(40);
        let end = bytes.len().min(at + length);
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = [0, 1, 2, 0xff][self.below(4)],
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let from = self.below(other.len());
                let piece = &other[from..other.len().min(from + length)];
                bytes.splice(at..end, piece.iter().copied());
            }
            _ => bytes.push(0),
        }
        if bytes.is_empty() {
            bytes.push(1);
        }
    }
}

#[test]
fn two_decoders_written_apart_accept_the_same_bytes() {
    let examples = examples();
    assert!(examples.len() >= 14, "{} examples", examples.len());
    let mut spoiler = Spoiler(ChaCha8Rng::seed_from_u64(7));
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for (name, whole) in &examples {
        for _ in 0..TRIES {
            let mut bytes = whole.clone();
            for _ in 0..spoiler.below(3) {
                let other = spoiler.below(examples.len());
                spoiler.spoil(&mut bytes, &examples[other].1);
            }
            let (node, judge) = (decode_exact::<Message>(&bytes), Judged::read(&bytes));
            match (&node, &judge) {
                (Ok(node), Ok(judge)) => {
                    accepted += 1;
                    assert_eq!(node.to_bytes(), bytes, "{name}: the node writes other bytes");
                    assert_eq!(judge.bytes(), bytes, "{name}: the judge writes other bytes");
                }
                (Err(_), Err(_)) => refused += 1,
                _ => panic!("{name}: {node:?}, {judge:?}: {bytes:02x?}"),
            }
        }
    }
    println!("{accepted} accepted and {refused} refused by both");
    assert!(accepted > 10_000 && refused > 10_000, "{accepted} accepted, {refused} refused");
}
