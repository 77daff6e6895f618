use super::*;

fn new_config() -> NewConfig {
    NewConfig {
        name: NodeName::new("node-0").unwrap(),
        http: "127.0.0.1:8080".parse().unwrap(),
        admin: "[::1]:0".parse().unwrap(),
        p2p: vec!["/ip4/127.0.0.1/tcp/4001".parse().unwrap()],
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("home/config.toml"), text)
}

/// The line blamed, and the whole message.
fn blamed(text: &str) -> (usize, String) {
    match parse(text) {
        Err(error @ ConfigError::Parse { line, .. }) => (line, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// The default text with one line replaced.
fn with(line: &str, other: &str) -> String {
    let text = new_config().text();
    assert!(text.lines().any(|known| known == line), "{line} in {text}");
    text.lines().map(|known| if known == line { other } else { known }).fold(
        String::new(),
        |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        },
    )
}

#[test]
fn the_default_text_says_what_it_was_made_of() {
    let made = new_config();
    let config = parse(&made.text()).unwrap();
    assert_eq!(config.name, made.name);
    assert_eq!((config.http.listen, config.admin.listen), (made.http, made.admin));
    assert_eq!(config.p2p.listen, made.p2p);
    assert_eq!(config.p2p.follower_slots, FOLLOWER_SLOTS_DEFAULT);
    assert_eq!((config.peers, config.log), (vec![], Log::default()));
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_words() {
    let text = with("format = \"pretty\"", "fromat = \"pretty\"");
    let expected = text.lines().position(|line| line.starts_with("fromat")).unwrap() + 1;
    let (line, message) = blamed(&text);
    assert_eq!(line, expected);
    for part in [format!("home/config.toml:{expected}:"), "unknown field `fromat`".into()] {
        assert!(message.contains(&part), "{message}");
    }
    assert!(message.contains("| fromat = \"pretty\""), "{message}");
    for section in ["[http]", "[admin]", "[p2p]"] {
        let text = with(section, &format!("{section}\nunknown_key = 1"));
        assert!(blamed(&text).1.contains("unknown field `unknown_key`"));
    }
    assert!(blamed(&with("[log]", "[logs]")).1.contains("unknown field `logs`"));
}

#[test]
fn a_wrong_value_is_blamed_on_its_line() {
    let cases = [
        ("listen = \"127.0.0.1:8080\"", "listen = \"127.0.0.1:808080\"", "socket address"),
        ("listen = \"127.0.0.1:8080\"", "listen = 8080", "invalid type"),
        ("listen = \"[::1]:0\"", "listen = \"0.0.0.0:0\"", "not a loopback address"),
        ("listen = [\"/ip4/127.0.0.1/tcp/4001\"]", "listen = [\"127.0.0.1:1\"]", "no address like"),
        ("follower_slots = 16", "follower_slots = -1", "invalid value"),
        ("level = \"info\"", "level = \"info,=,\"", "no log filter"),
        ("format = \"pretty\"", "format = \"xml\"", "unknown variant"),
        ("name = \"node-0\"", "name = \"../up\"", "must be 1 to 64"),
        ("name = \"node-0\"", "name = \"\"", "must be 1 to 64"),
        ("name = \"node-0\"", "name = ", ""),
    ];
    for (line, wrong, expected) in cases {
        let text = with(line, wrong);
        let at = text.lines().position(|known| known == wrong).unwrap() + 1;
        let (blamed, message) = blamed(&text);
        assert_eq!(blamed, at, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_missing_part_is_named() {
    let (_, message) = blamed("name = \"a\"\n");
    assert!(message.contains("missing field `http`"), "{message}");
}

#[test]
fn peers_are_appended_and_read_back() {
    let keys = [[1; 32], [2; 32]].map(PublicKey::from_bytes);
    let peers = keys.map(|network| Peer {
        network,
        addresses: vec!["/ip4/10.0.0.1/tcp/1".parse().unwrap(), "/dns4/a.b/tcp/2".parse().unwrap()],
    });
    let text = new_config().text() + &peers_text(&peers);
    assert_eq!(parse(&text).unwrap().peers, peers);
    assert!(blamed(&(text + "port = 1\n")).1.contains("unknown field `port`"));
}

#[test]
fn an_address_cannot_say_more_than_an_address() {
    let key = PublicKey::from_bytes([1; 32]);
    for name in ["a\"]\n[log]\nlevel = \"off", "a\"", "a'", "a\\", "a\u{7f}\r\n", "'''", "\"\"\"\n"]
    {
        let address: Multiaddr = format!("/dns4/{name}/tcp/1").parse().unwrap();
        let peer = Peer { network: key, addresses: vec![address.clone()] };
        let made = NewConfig { p2p: vec![address.clone()], ..new_config() };
        let config = parse(&(made.text() + &peers_text(std::slice::from_ref(&peer)))).unwrap();
        assert_eq!((config.peers, config.p2p.listen), (vec![peer], vec![address]), "{name:?}");
        assert_eq!(config.log, Log::default());
    }
}

#[test]
fn bounds_for_one_address_are_numbers_above_zero() {
    let line = "# streams_per_address = 64";
    let config = parse(&with(line, "streams_per_address = 3")).unwrap();
    assert_eq!(config.http.streams_per_address.map(std::num::NonZeroU32::get), Some(3));
    assert_eq!(config.http.connections_per_address, None);
    for wrong in ["0", "-1", "1.5", "\"3\"", "4294967296", "[]"] {
        let text = with(line, &format!("streams_per_address = {wrong}"));
        let at = text.lines().position(|known| known.ends_with(wrong)).unwrap() + 1;
        assert_eq!(blamed(&text).0, at, "{wrong}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("/nowhere/config.toml")).unwrap_err();
    assert!(error.to_string().contains("cannot read /nowhere/config.toml"), "{error}");
}
