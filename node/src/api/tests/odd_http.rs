//! Requests that are HTTP, but not as any caller of ours sends it.

use super::http::{get, raw, send};
use super::world::{ROLLUP, World};

const OCTETS: &str = "content-type: application/octet-stream\r\n";
const SUBMIT: &str = "/v1/rollups/7/transactions?wait=accepted";

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line}\r\nhost: x\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn answers_odd_request_lines_as_what_they_are() {
    let world = World::start().await;
    let cases = [
        ("OPTIONS * HTTP/1.1", 404),
        ("OPTIONS /v1/status HTTP/1.1", 405),
        ("TRACE /v1/status HTTP/1.1", 405),
        ("CONNECT example.org:80 HTTP/1.1", 404),
        ("get /livez HTTP/1.1", 405),
        ("GET http://example.org/livez HTTP/1.1", 200),
        ("GET /livez HTTP/1.0", 200),
        ("GET /livez HTTP/2.0", 400),
        ("GET /livez HTTP/3.0", 400),
        ("GET /livez", 400),
        ("GET  /livez HTTP/1.1", 400),
        ("GET livez HTTP/1.1", 404),
        ("GET /livez#x HTTP/1.1", 200),
        ("G\u{e9}T /livez HTTP/1.1", 400),
    ];
    for (line, status) in cases {
        let reply = raw(world.http, &request(line, "", "")).await;
        let reply = reply.unwrap_or_else(|| panic!("{line} has no answer"));
        assert_eq!(reply.status, status, "{line}");
    }
    assert_eq!(get(world.http, "/livez").await.status, 200);
}

#[tokio::test]
async fn an_upgrade_is_not_taken_up() {
    let world = World::start().await;
    for upgrade in
        ["h2c\r\nhttp2-settings: AAMAAABkAAQAAP__", "websocket\r\nsec-websocket-key: eA=="]
    {
        let headers = format!("connection: upgrade\r\nupgrade: {upgrade}\r\n");
        let reply = raw(world.http, &request("GET /livez HTTP/1.1", &headers, "")).await.unwrap();
        assert_eq!((reply.status, reply.header("upgrade")), (200, None), "{upgrade}");
    }
}

#[tokio::test]
async fn refuses_bodies_whose_length_is_a_riddle() {
    let world = World::start().await;
    let line = format!("POST {SUBMIT} HTTP/1.1");
    let cases = [
        "content-length: -1\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 6\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 1e3\r\n",
        "content-length: 0x5\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: \r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ntransfer-encoding: xchunked\r\n",
        "x y: z\r\ncontent-length: 5\r\n",
        "x\0: z\r\ncontent-length: 5\r\n",
    ];
    for framing in cases {
        let body = "5\r\nhello\r\n0\r\n\r\n";
        let sent = request(&line, &format!("{OCTETS}{framing}"), body);
        let reply = raw(world.http, &sent).await.expect("an answer");
        assert!(matches!(reply.status, 400 | 413 | 415), "{framing} is answered {}", reply.status);
        assert_eq!(world.handed_in(), 0, "{framing}");
    }
}

#[tokio::test]
async fn no_body_hides_a_second_request() {
    let world = World::start().await;
    let hidden = format!("POST {SUBMIT} HTTP/1.1\r\nhost: x\r\n{OCTETS}content-length: 1\r\n\r\nz");
    let line = format!("POST {SUBMIT} HTTP/1.1");
    // Framed in two ways at once: the body ends at its last chunk, and so does the connection.
    for order in [
        ["content-length: 3", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 3"],
    ] {
        let before = world.handed_in();
        let headers = format!("{OCTETS}{}\r\n{}\r\n", order[0], order[1]);
        let head = format!("{line}\r\nhost: x\r\n{headers}\r\n");
        let sent = format!("{head}1\r\n{}\r\n0\r\n\r\n{hidden}", before);
        let reply = raw(world.http, sent.as_bytes()).await.expect("an answer");
        assert_eq!((reply.status, world.handed_in()), (200, before + 1), "{order:?}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_not_taken_and_not_unpacked() {
    let world = World::start().await;
    // The start of a bomb: what follows would be megabytes of zeros.
    let bomb =
        [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xec\xc1\x01\x01".as_slice(), &[0; 4_096]]
            .concat();
    for coding in ["gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "", "\u{fc}"] {
        for kind in ["application/octet-stream", "application/json"] {
            let headers = format!("content-type: {kind}\r\ncontent-encoding: {coding}\r\n");
            let reply = send(world.http, "POST", SUBMIT, &headers, &bomb).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (415, "bad_content_type"),
                "{coding}"
            );
        }
    }
    assert_eq!(world.handed_in(), 0);
    // Without that header they are bytes like others, and stay what they are.
    let path = format!("/v1/rollups/{ROLLUP}/transactions?wait=accepted");
    let reply = send(world.http, "POST", &path, OCTETS, &bomb).await;
    assert_eq!(reply.json()["transactions"][0]["id"], super::world::id(&bomb));
}

#[tokio::test]
async fn refuses_other_kinds_of_body() {
    let world = World::start().await;
    for kind in [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonp",
        "application",
        "*/*",
        "",
        "application/json, application/octet-stream",
        "\u{fc}",
    ] {
        let headers = format!("content-type: {kind}\r\n");
        let reply =
            send(world.http, "POST", SUBMIT, &headers, br#"{"transactions":["0x01"]}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "bad_content_type"), "{kind}");
    }
    let twice = format!("{OCTETS}{OCTETS}");
    let reply = send(world.http, "POST", SUBMIT, &twice, b"\x01").await;
    assert_eq!((reply.status, reply.code().as_str()), (415, "bad_content_type"));
    assert_eq!(world.handed_in(), 0);
}

#[tokio::test]
async fn a_filter_over_many_rollups_does_not_exist() {
    let world = World::start().await;
    let few = get(world.http, "/v1/rollups/7/stream?rollups=7,8").await;
    assert_eq!((few.status, few.code().as_str()), (400, "unknown_parameter"));
    let many: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let many = format!("/v1/rollups/7/stream?rollups={}", many.join(","));
    let many = raw(world.http, &request(&format!("GET {many} HTTP/1.1"), "", "")).await.unwrap();
    assert!(matches!(many.status, 414 | 431), "{many:?}");
    let twice = get(world.http, "/v1/rollups/7,8/stream").await;
    assert_eq!((twice.status, twice.code().as_str()), (400, "bad_parameter"));
}

#[tokio::test]
async fn a_cursor_of_another_rollup_is_only_a_number() {
    let world = World::start().await;
    for n in 0..5_u8 {
        world.order(&[(ROLLUP, &[n, 1])]);
    }
    world.order(&[(8, b"one")]);
    for (query, headers) in [("?from=5", ""), ("", "last-event-id: 5\r\n")] {
        let path = format!("/v1/rollups/8/stream{query}");
        let reply = send(world.http, "GET", &path, headers, b"").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "cursor_in_future"), "{headers}");
    }
}

#[tokio::test]
async fn no_file_and_no_profile_is_served() {
    let world = World::start().await;
    for path in [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/metrics/../../etc/passwd",
        "/metrics/..%2fstatus",
        "/%2e%2e/keys/bls",
        "//etc/passwd",
        "/keys/bls",
        "/config/config.toml",
        "/data/run.json",
        "/debug/pprof/",
        "/debug/pprof/profile?seconds=60",
        "/debug/vars",
        "/profile",
        "/metrics/",
        "/metrics%00",
        "/admin/../v1/status",
        "/\u{fc}",
    ] {
        for (port, address) in [("http", world.http), ("admin", world.admin)] {
            let reply = raw(address, &request_to(path)).await.expect("an answer");
            assert!(
                matches!(reply.status, 400 | 404),
                "{port} {path} is answered {}",
                reply.status
            );
            assert!(reply.body.len() < 1_024, "{port} {path}");
        }
    }
}

fn request_to(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn no_answer_repeats_who_the_caller_says_it_asks() {
    let world = World::start().await;
    let paths = ["/", "/livez", "/metrics", "/v1/status", "/v1/limits", "/v1/rollups/9/stream"];
    for path in paths {
        let headers = "host: <evil>.example\r\nx-forwarded-host: <evil>.example\r\n\
            x-forwarded-for: <evil>.example\r\nreferer: http://<evil>.example\r\n";
        let line = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        for address in [world.http, world.admin] {
            let reply = raw(address, line.as_bytes()).await.expect("an answer");
            let whole = format!("{reply:?} {}", String::from_utf8_lossy(&reply.body));
            assert!(!whole.contains("evil"), "{path}: {whole}");
        }
    }
}

#[tokio::test]
async fn the_operator_names_this_machine_once() {
    let world = World::start().await;
    let ask = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").into_bytes()
    };
    let stop = "POST /admin/shutdown";
    let cases = [
        (stop, ""),
        (stop, "host: \r\n"),
        (stop, "host: evil.example\r\n"),
        (stop, "host: localhost.evil.example\r\n"),
        (stop, "host: localhost\r\nhost: evil.example\r\n"),
        (stop, "host: evil.example\r\nhost: localhost\r\n"),
        (stop, "host: localhost\r\norigin: null\r\n"),
        (stop, "host: evil.example\r\nx-forwarded-host: localhost\r\n"),
        ("POST http://evil.example/admin/shutdown", "host: localhost\r\n"),
    ];
    for (line, headers) in cases {
        let reply = raw(world.admin, &ask(line, headers)).await.expect("an answer");
        let got = (reply.status, reply.code());
        assert_eq!(got, (403, "forbidden".into()), "{line} {headers}");
    }
    assert!(!world.is_stopping());
    for line in ["POST /admin/shutdown?now=1", "GET /admin/shutdown", "DELETE /admin/shutdown"] {
        let reply = raw(world.admin, &ask(line, "host: localhost\r\n")).await.expect("an answer");
        assert!(matches!(reply.status, 400 | 405), "{line}");
    }
    assert!(!world.is_stopping());
}
