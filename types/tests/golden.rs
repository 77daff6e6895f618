//! The bytes on the wire and on disk, held still. A changed byte fails a test here and needs a
//! line in the changelog; `GOLDEN=write cargo test -p chorale-types --test golden` writes anew.

#[allow(dead_code, reason = "each test binary uses some")]
mod samples;

use chorale_types::codec::{Decode, DecodeError, Encode, decode_exact};
use chorale_types::message::{Message, Request, Response};
use proptest::prelude::*;
use std::fmt::Debug;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"))
}

fn hold_still<T: Encode + Decode + PartialEq + Debug>(name: &str, value: &T) {
    let bytes = value.to_bytes();
    let text: Vec<String> = hex::encode(&bytes)
        .as_bytes()
        .chunks(96)
        .map(|c| String::from_utf8_lossy(c).into())
        .collect();
    let text = text.join("\n") + "\n";
    let path = fixture(name);
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("make the folder");
        std::fs::write(&path, &text).expect("write the fixture");
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, held, "the bytes of {name} changed");
    assert_eq!(&decode_exact::<T>(&bytes).expect("its own encoding decodes"), value);
}

/// Every cut of the encoding is refused, and so is one byte more.
fn only_whole<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    for cut in 0..bytes.len() {
        assert!(decode_exact::<T>(&bytes[..cut]).is_err(), "cut at {cut} of {}", bytes.len());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(decode_exact::<T>(&longer), Err(DecodeError::TrailingBytes { left: 1 }));
}

#[test]
fn the_bytes_of_every_message_stay_as_they_are() {
    for (name, message) in samples::messages() {
        hold_still(name, &message);
        only_whole(&message);
    }
}

#[test]
fn the_bytes_of_every_question_and_answer_stay_as_they_are() {
    for (name, request) in samples::requests() {
        hold_still(name, &request);
        only_whole(&request);
    }
    for (name, response) in samples::responses() {
        hold_still(name, &response);
        only_whole(&response);
    }
}

#[test]
fn signed_bytes_and_hashes_stay_as_they_are() {
    let lines: Vec<String> =
        samples::signed().into_iter().map(|(n, b)| format!("{n} {b}")).collect();
    let path = fixture("signed");
    let text = lines.join("\n") + "\n";
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        std::fs::write(&path, &text).expect("write the fixture");
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default());
}

#[test]
fn an_unknown_version_or_message_is_refused() {
    assert_eq!(
        decode_exact::<Message>(&[9, 0]),
        Err(DecodeError::UnknownVersion { got: 9, known: 1 })
    );
    assert!(matches!(
        decode_exact::<Message>(&[1, 200]),
        Err(DecodeError::BadValue { what: "message", got: 200 })
    ));
    assert!(matches!(decode_exact::<Request>(&[99]), Err(DecodeError::BadValue { .. })));
    assert!(matches!(decode_exact::<Response>(&[99]), Err(DecodeError::BadValue { .. })));
    assert!(decode_exact::<Message>(&[]).is_err());
}

proptest! {
    /// Whatever decodes is canonical: encoding it again gives the same bytes.
    #[test]
    fn a_changed_message_is_refused_or_is_another_canonical_one(
        which in 0usize..64, at in 0usize..4096, to in any::<u8>(),
    ) {
        let all = samples::messages();
        let (_, message) = &all[which % all.len()];
        let mut bytes = message.to_bytes();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(other) = decode_exact::<Message>(&bytes) {
            prop_assert_eq!(other.to_bytes(), bytes);
        }
    }

    #[test]
    fn random_bytes_never_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let framed = [&[1][..], &bytes].concat();
        for bytes in [&bytes, &framed] {
            if let Ok(message) = decode_exact::<Message>(bytes) {
                prop_assert_eq!(&message.to_bytes(), bytes);
            }
            if let Ok(response) = decode_exact::<Response>(bytes) {
                prop_assert_eq!(&response.to_bytes(), bytes);
            }
        }
    }
}
