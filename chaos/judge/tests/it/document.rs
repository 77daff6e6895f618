//! The decoder against the examples that belong to the document, and the crate against its promise
//! to use nothing of ours.

use chorale_judge::wire::Wire as _;
use chorale_judge::wire::message::Message;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap()
}

#[test]
fn every_example_of_a_message_is_read_and_written_back() {
    let mut read = 0;
    for entry in fs::read_dir(root().join("types/tests/golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let digits: String = text.split_whitespace().collect();
        let other = ["request_", "response_", "signed"].iter().any(|kind| name.starts_with(kind));
        if other {
            continue;
        }
        let bytes = hex::decode(digits.trim_start_matches("0x")).unwrap();
        let message = Message::read(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(message.bytes(), bytes, "{name}");
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Message::read(&longer).is_err(), "{name} with a byte behind it");
        for end in 0..bytes.len() {
            assert!(Message::read(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
        read += 1;
    }
    assert!(read >= 14, "{read} examples");
}

#[test]
fn nothing_of_ours_is_used() {
    let manifest = fs::read_to_string(root().join("chaos/judge/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    assert!(!dependencies.contains("chorale"), "{dependencies}");
    assert!(!dependencies.contains("path"), "{dependencies}");
}
