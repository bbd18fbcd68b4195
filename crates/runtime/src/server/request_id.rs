//! The name of one request, in its answer and in every log line about it.

use http::{HeaderMap, HeaderValue};
use larch_types::RequestId;

use crate::Random;

/// Takes the client's own if it is one, else makes one.
pub(crate) fn request_id(headers: &HeaderMap, random: &Random) -> RequestId {
    let given = headers.get(RequestId::HEADER).and_then(|given| given.to_str().ok()?.parse().ok());
    given.unwrap_or_else(|| RequestId::from_random(random.next_u64()))
}

#[expect(clippy::expect_used, reason = "request ids are visible ASCII by their type")]
pub(crate) fn header_value(id: &RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).expect("visible ASCII is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_or_made() {
        let random = Random::from_seed(1);
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RequestId::HEADER, given.parse().unwrap());
            header_value(&request_id(&headers, &random)).to_str().unwrap().to_owned()
        };
        assert_eq!(id("abc-1"), "abc-1");
        for refused in ["", "two words", &"x".repeat(129)] {
            assert_eq!(id(refused).len(), 16, "{refused}");
        }
        assert_eq!(request_id(&HeaderMap::new(), &random).as_str().len(), 16);
    }
}
