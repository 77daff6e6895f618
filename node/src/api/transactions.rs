//! From the body of a submit call to named transactions: strict reading, nothing kept beyond the
//! bounds.

use super::body::{Kind, Whole};
use super::error::{Code, Problem};
use chorale_consensus::input::HashedTransaction;
use chorale_types::ids::RollupId;
use chorale_types::limits::SUBMIT_TRANSACTIONS_MAX;
use chorale_types::transaction::transaction_id;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The transactions of a call, in order, with their ids. Sizes of single transactions are not
/// judged here: an answer is given for each.
pub(super) fn named(rollup: RollupId, body: &Whole) -> Result<Vec<HashedTransaction>, Problem> {
    let name = |payload: Vec<u8>| HashedTransaction {
        rollup,
        id: transaction_id(rollup, &payload),
        payload: payload.into(),
    };
    match body.kind {
        Kind::Octets if body.bytes.is_empty() => {
            Err(Problem::new(Code::EmptyTransaction, "a transaction has at least one byte"))
        }
        Kind::Octets => Ok(vec![name(body.bytes.clone())]),
        Kind::Json => Ok(listed(&body.bytes)?.into_iter().map(name).collect()),
    }
}

/// The payloads in a `{"transactions":["0x…"]}` document.
fn listed(text: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
    let call: Call<'_> = serde_json::from_slice(text).map_err(|error| {
        Problem::new(Code::BadJson, format!("not a document of transactions: {error}"))
    })?;
    let count = call.transactions.count;
    if count > SUBMIT_TRANSACTIONS_MAX {
        let detail = format!("{count} transactions, a call has at most {SUBMIT_TRANSACTIONS_MAX}");
        return Err(Problem::new(Code::TooManyTransactions, detail));
    }
    if count == 0 {
        return Err(Problem::new(Code::BadJson, "transactions is empty"));
    }
    let texts = call.transactions.texts.iter().enumerate();
    texts.map(|(index, text)| from_hex(index, text)).collect()
}

fn from_hex(index: usize, text: &str) -> Result<Vec<u8>, Problem> {
    let bad = |why: &str| Problem::new(Code::BadJson, format!("transactions[{index}]: {why}"));
    let digits = text.strip_prefix("0x").ok_or_else(|| bad("must start with 0x"))?;
    hex::decode(digits).map_err(|error| bad(&error.to_string()))
}

/// The document. A field named twice, or any other, is an error.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Call<'a> {
    #[serde(borrow)]
    transactions: Texts<'a>,
}

/// The first texts of a list, as many as a call may have, and how many there are.
struct Texts<'a> {
    texts: Vec<Cow<'a, str>>,
    count: usize,
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of transactions as 0x-hex")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while texts.len() < SUBMIT_TRANSACTIONS_MAX {
                    match list.next_element::<Text<'de>>()? {
                        Some(Text(text)) => texts.push(text),
                        None => return Ok(Texts { count: texts.len(), texts }),
                    }
                }
                let mut count = texts.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count = count.saturating_add(1);
                }
                Ok(Texts { texts, count })
            }
        }

        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &[u8]) -> Code {
        listed(text).unwrap_err().code
    }

    #[test]
    fn reads_payloads_in_order() {
        let text = br#" {"transactions": ["0x00ff", "0xAb", "0x"]} "#;
        assert_eq!(listed(text).unwrap(), [vec![0, 0xff], vec![0xab], vec![]]);
    }

    #[test]
    fn refuses_what_is_not_the_document() {
        let deep = [b"{\"transactions\":".to_vec(), vec![b'['; 100_000]].concat();
        let cases: [&[u8]; 16] = [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"[\"0x01\"]",
            b"{\"transactions\":null}",
            b"{\"transactions\":{}}",
            b"{\"transactions\":[]}",
            b"{\"transactions\":[1]}",
            b"{\"transactions\":[\"01\"]}",
            b"{\"transactions\":[\"0x1\"]}",
            b"{\"transactions\":[\"0xzz\"]}",
            b"{\"transactions\":[\"0x01\"],\"more\":1e400}",
            b"{\"transactions\":[\"0x01\"],\"transactions\":[\"0x02\"]}",
            b"{\"transactions\":[\"\xff\xfe\"]}",
            &deep,
        ];
        for text in cases {
            let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
            assert_eq!(code_of(text), Code::BadJson, "{shown}");
        }
    }

    #[test]
    fn counts_but_does_not_keep_what_is_over_the_bound() {
        let one = "\"0x01\",".repeat(100_000);
        let text = format!("{{\"transactions\":[{}]}}", one.trim_end_matches(','));
        let problem = listed(text.as_bytes()).unwrap_err();
        assert_eq!(problem.code, Code::TooManyTransactions);
        assert!(problem.detail.contains("100000"), "{}", problem.detail);
        let call: Call<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(call.transactions.texts.len(), SUBMIT_TRANSACTIONS_MAX);
    }
}
