//! The operator's port. It listens on loopback only, and does not listen to web pages: a request
//! that names another host, or that a page sent, is refused.

use super::App;
use super::error::{Code, Problem};
use super::node;
use super::parameters::no_query;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::net::IpAddr;

/// The routes.
pub(super) fn router(app: App) -> Router {
    super::with_fallbacks(
        Router::new()
            .route("/admin/status", get(node::status))
            .route("/admin/shutdown", post(shutdown)),
    )
    .layer(from_fn(only_this_machine))
    .with_state(app)
}

/// `POST /admin/shutdown`: asks for a graceful stop, and answers before it.
async fn shutdown(State(app): State<App>, uri: Uri) -> Result<Json<serde_json::Value>, Problem> {
    no_query(&uri)?;
    tracing::info!("asked to stop");
    app.handles().stop.cancel();
    Ok(Json(json!({ "stopping": true })))
}

async fn only_this_machine(request: Request, next: Next) -> Response {
    match check_caller(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// A browser sends `Origin` with what a page asks for, and the page's own name as `Host` when the
/// name was pointed at this machine.
fn check_caller(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Problem::new(Code::Forbidden, "web pages are not served here"));
    }
    // One `Host`, and if the request line names one too, both: readers in between differ in which
    // they believe.
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_this_machine),
        _ => false,
    };
    if named && uri.authority().is_none_or(|named| is_this_machine(named.as_str())) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden, "the host must be a loopback address or localhost"))
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.split(':').next().unwrap_or(""),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn allowed(host: &'static str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        check_caller(&Uri::from_static("/"), &headers).is_ok()
    }

    #[test]
    fn serves_only_callers_on_this_machine() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "127.1.2.3", "[::1]:80"] {
            assert!(allowed(host, None), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost.", "[::2]:1", "[::1"]
        {
            assert!(!allowed(host, None), "{host}");
        }
    }

    #[test]
    fn every_host_that_is_named_must_be_this_machine() {
        let local = HeaderValue::from_static("localhost");
        let with = |uri: &'static str, more: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, local.clone());
            if let Some(more) = more {
                headers.append(header::HOST, HeaderValue::from_static(more));
            }
            check_caller(&Uri::from_static(uri), &headers).is_ok()
        };
        assert!(with("/", None) && with("http://localhost:1/x", None));
        assert!(!with("http://evil.example/x", None) && !with("http://user@evil.example/", None));
        assert!(!with("/", Some("evil.example")) && !with("/", Some("localhost")));
    }

    #[test]
    fn refuses_web_pages() {
        assert!(!allowed("127.0.0.1:1", Some("http://evil.example")));
        assert!(!allowed("127.0.0.1:1", Some("null")));
    }
}
