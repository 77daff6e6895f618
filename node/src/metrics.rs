//! Every metric's name, unit and help.

/// What is counted. Shared.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// The content type of [`Self::text`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The body of `/metrics`: the node's own metrics, then the wire's, ended by `# EOF`.
    #[must_use]
    pub fn text(&self) -> String {
        todo!()
    }
}
