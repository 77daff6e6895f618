//! Sending to one endpoint, and reading what it answers.

use super::Client;
use crate::api;
use crate::error::ClientError;
use chorale_types::limits::WINDOW_IDS_MAX;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest answer that is read, in bytes: a checkpoint of the largest window in base64.
const ANSWER_BYTES_MAX: usize = WINDOW_IDS_MAX * 48;
/// How long a query may take; a submit call waits longer by what it asked for.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);

impl Client {
    /// Asks each endpoint once, from `first` on, until one answers or refuses for good.
    pub(super) async fn try_each<T, F>(
        &self,
        first: usize,
        ask: impl Fn(usize) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut last = ClientError::NoEndpoint;
        for step in 0..self.endpoints.len() {
            let at = first.wrapping_add(step) % self.endpoints.len();
            match ask(at).await {
                Ok(answer) => {
                    self.prefer(at);
                    return Ok(answer);
                }
                Err(error) if !error.is_passing() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) async fn get_from<T: DeserializeOwned>(
        &self,
        at: usize,
        path: &str,
        query: &[(&str, u64)],
    ) -> Result<T, ClientError> {
        let request = self.http.get(self.url(at, path)).query(query).timeout(QUERY_TIMEOUT);
        let response = self.send(at, request).await?;
        self.json(at, response).await
    }

    pub(crate) fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// The next call starts at the endpoint that answered this one.
    pub(crate) fn prefer(&self, at: usize) {
        self.preferred.store(at % self.endpoints.len(), Ordering::Relaxed);
    }

    pub(crate) fn post(&self, at: usize, path: &str) -> RequestBuilder {
        self.http.post(self.url(at, path))
    }

    pub(crate) fn get_stream(&self, at: usize, path: &str) -> RequestBuilder {
        self.http.get(self.url(at, path))
    }

    pub(crate) fn name(&self, at: usize) -> String {
        self.endpoints[at % self.endpoints.len()].as_str().trim_end_matches('/').into()
    }

    fn url(&self, at: usize, path: &str) -> Url {
        let base = &self.endpoints[at % self.endpoints.len()];
        base.join(path).expect("paths here are plain")
    }

    /// Sends, and turns a refusal into an error.
    pub(crate) async fn send(
        &self,
        at: usize,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(at, &error))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let endpoint = self.name(at);
        let problem = match self.json::<api::Problem>(at, response).await {
            Ok(problem) => problem,
            // A proxy on the way, or something that is no node: only the status is known.
            Err(_) => api::Problem {
                kind: "about:blank".into(),
                title: status.canonical_reason().unwrap_or("Error").into(),
                status: status.as_u16(),
                detail: format!("answered {status} without a problem document"),
                code: "no_problem_document".into(),
            },
        };
        Err(ClientError::Refused { endpoint, problem: Box::new(problem) })
    }

    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        at: usize,
        mut response: Response,
    ) -> Result<T, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.unreachable(at, &error))?
        {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                let max = ANSWER_BYTES_MAX;
                return Err(ClientError::TooLong { endpoint: self.name(at), max });
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer {
            endpoint: self.name(at),
            why: error.to_string(),
        })
    }

    pub(crate) fn unreachable(&self, at: usize, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { endpoint: self.name(at), why: causes(error) }
    }
}

/// An error with everything below it: reqwest's own text leaves out what really happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(super) fn parse(text: &str) -> Result<Url, ClientError> {
    let bad = |why: String| ClientError::BadEndpoint { text: text.into(), why };
    let slashed = format!("{}/", text.trim_end_matches('/'));
    let url = Url::parse(&slashed).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" => Ok(url),
        other => Err(bad(format!("the scheme is {other:?}"))),
    }
}
