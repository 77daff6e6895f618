//! What a request names in its path, query and headers. Numbers are plain decimal digits, in one
//! spelling each; everything that is not known is refused.

use super::App;
use super::error::{Code, Problem};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Uri;
use axum::http::request::Parts;
use chorale_types::ids::RollupId;

/// How much of a caller's text an answer repeats.
const ECHO_CHARS_MAX: usize = 40;

/// The query, each parameter at most once and only those that the call has.
pub(super) struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    /// Reads the query of `uri`; a parameter without `=` has an empty value.
    pub(super) fn parse(uri: &'a Uri, allowed: &[&str]) -> Result<Self, Problem> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for part in uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !allowed.contains(&name) {
                let detail = format!("{:?} is none of {allowed:?}", echo(name));
                return Err(Problem::new(Code::UnknownParameter, detail));
            }
            if found.iter().any(|(known, _)| *known == name) {
                let detail = format!("{name} is given twice");
                return Err(Problem::new(Code::UnknownParameter, detail));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// The text of a parameter, if it is given.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A parameter's number, if it is given.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.text(name).map(|text| number(name, text)).transpose()
    }
}

/// Refuses every query parameter.
pub(super) fn no_query(uri: &Uri) -> Result<(), Problem> {
    Query::parse(uri, &[]).map(|_| ())
}

/// Reads a number: digits only, no leading zero, at most `u64::MAX`.
pub(super) fn number(what: &'static str, text: &str) -> Result<u64, Problem> {
    let plain = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let parsed = text.parse().ok().filter(|_| plain);
    parsed.ok_or_else(|| bad(what, text, "a number from 0 to 18446744073709551615"))
}

/// The refusal of a value.
pub(super) fn bad(what: &str, got: &str, expected: &str) -> Problem {
    Problem::new(Code::BadParameter, format!("{what} is {:?}, must be {expected}", echo(got)))
}

fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

/// The parts of the path that vary.
pub(super) struct PathParts {
    params: RawPathParams,
}

impl PathParts {
    /// The text at `{name}`.
    pub(super) fn text(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The number at `{name}`.
    pub(super) fn number(&self, name: &'static str) -> Result<u64, Problem> {
        number(name, self.text(name))
    }
}

impl FromRequestParts<App> for PathParts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::new(Code::BadParameter, "the path is not UTF-8"))?;
        Ok(Self { params })
    }
}

/// A registered rollup, named in the path.
pub(super) struct Rollup {
    /// Its id.
    pub(super) id: RollupId,
    /// The rest of the path.
    pub(super) path: PathParts,
}

impl FromRequestParts<App> for Rollup {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = PathParts::from_request_parts(parts, app).await?;
        let id = RollupId::new(path.number("rollup")?);
        match app.handles().ledger.head(id) {
            Some(_) => Ok(Self { id, path }),
            None => {
                let detail = format!("rollup {id} is not registered");
                Err(Problem::new(Code::UnknownRollup, detail))
            }
        }
    }
}
