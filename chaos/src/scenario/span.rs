//! Spans of time as people write them: `250ms`, `1500us`, `2s`.

use crate::sim::queue::Micros;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// The units, longest first.
const UNITS: [(&str, Micros); 4] =
    [("min", 60_000_000), ("ms", 1_000), ("us", 1), ("s", 1_000_000)];

/// No span is longer than a day: everything that adds spans up stays far from overflow.
const SPAN_MAX: Micros = 86_400_000_000;

/// Reads a span.
///
/// # Errors
/// A sentence that says what a span looks like.
pub fn parse(text: &str) -> Result<Micros, String> {
    let refused = || format!("`{text}` is no span of time: write 250ms, 1500us, 2s or 3min");
    let unit = UNITS.iter().find(|(name, _)| text.ends_with(name)).ok_or_else(refused)?;
    let number: Micros = text[..text.len() - unit.0.len()].parse().map_err(|_| refused())?;
    let span = number.checked_mul(unit.1).filter(|span| *span <= SPAN_MAX);
    span.ok_or_else(|| format!("`{text}` is longer than a day"))
}

/// Writes a span in the largest unit that leaves nothing over.
#[must_use]
pub fn text(span: Micros) -> String {
    let (name, unit) = match span {
        0 => ("s", 1_000_000),
        span if span.is_multiple_of(1_000_000) => ("s", 1_000_000),
        span if span.is_multiple_of(1_000) => ("ms", 1_000),
        _ => ("us", 1),
    };
    format!("{}{name}", span / unit)
}

pub(crate) fn serialize<S: Serializer>(span: &Micros, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(*span))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Micros, D::Error> {
    let written = String::deserialize(from)?;
    parse(&written).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_is_written() {
        for span in [0, 1, 999, 1_000, 250_000, 1_500_000, 2_000_000, 86_400_000_000] {
            assert_eq!(parse(&text(span)), Ok(span));
        }
        assert_eq!(parse("3min"), Ok(180_000_000));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for wrong in
            ["", "5", "s", "-1s", "1.5s", "1 s", "1h", "é", "99999999999999999999s", "2000min"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
