//! What a client says about itself: the header `X-Query-Tags`.

use http::{HeaderMap, HeaderName};

const HEADER: HeaderName = HeaderName::from_static("x-query-tags");
/// Logs and metrics repeat it; clients send tens of bytes.
const MAX_BYTES: usize = 1024;
/// The app that shows partial results and internal streams.
const DRILLDOWN: &str = "grafana-lokiexplore-app";

/// The header without what could break a log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryTags(String);

impl QueryTags {
    pub fn read(headers: &HeaderMap) -> Self {
        let header = headers.get(HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut text = String::new();
        let mut replaced = false;
        for c in header.as_deref().unwrap_or_default().chars().take(MAX_BYTES) {
            let is_safe = c.is_ascii_alphanumeric() || matches!(c, '-' | '=' | '.' | '@' | ',' | ' ');
            match (is_safe, replaced) {
                (true, _) => text.push(c),
                // A run of other characters is one underscore.
                (false, false) => text.push('_'),
                (false, true) => {}
            }
            replaced = !is_safe;
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Pairs with their keys in lower case. What is no pair is left out.
    pub fn pairs(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.split(',').filter_map(|pair| {
            let mut parts = pair.split('=').filter(|part| !part.is_empty());
            let (key, value, rest) = (parts.next()?, parts.next()?, parts.next());
            rest.is_none().then(|| (key.to_ascii_lowercase(), value))
        })
    }

    /// Where the query comes from.
    pub fn source(&self) -> Option<&str> {
        self.pairs().find(|(key, _)| key == "source").map(|(_, value)| value)
    }

    /// Whether it comes from the app that is given partial results and internal streams.
    pub fn is_drilldown(&self) -> bool {
        self.source().is_some_and(|source| source.eq_ignore_ascii_case(DRILLDOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> QueryTags {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
        QueryTags::read(&headers)
    }

    #[test]
    fn tags_are_made_safe() {
        assert_eq!(tags("Source=logvolhist,Feature=a\"{}b").as_str(), "Source=logvolhist,Feature=a_b");
        assert_eq!(tags("user=jörg@x.y").as_str(), "user=j_rg@x.y");
        assert_eq!(tags(&"x".repeat(5000)).as_str().len(), MAX_BYTES);
        assert_eq!(QueryTags::read(&HeaderMap::new()).as_str(), "");
    }

    #[test]
    fn pairs_and_source() {
        let read = tags("Source=logvolhist,x,Feature=beta,a=b=c,=,k=");
        let pairs: Vec<_> = read.pairs().collect();
        assert_eq!(pairs, [("source".to_owned(), "logvolhist"), ("feature".to_owned(), "beta")]);
        assert_eq!(read.source(), Some("logvolhist"));
        assert!(!read.is_drilldown());
        assert!(tags("Source=Grafana-LokiExplore-App").is_drilldown());
        assert!(!tags("").is_drilldown());
    }
}
