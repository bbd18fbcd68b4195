//! The name of one request, in its answer and in every log line about it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Random;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are not taken: they would be repeated on every log line of the request.
const LONGEST: usize = 128;

/// Takes the client's own if it can be printed as one word, else makes one.
pub(crate) fn request_id(headers: &HeaderMap, random: &Random) -> HeaderValue {
    if let Some(given) = headers.get(REQUEST_ID) {
        let bytes = given.as_bytes();
        if !bytes.is_empty() && bytes.len() <= LONGEST && bytes.iter().all(u8::is_ascii_graphic) {
            return given.clone();
        }
    }
    let text = format!("{:016x}", random.next_u64());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_or_made() {
        let random = Random::from_seed(1);
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, given.parse().unwrap());
            request_id(&headers, &random).to_str().unwrap().to_owned()
        };
        assert_eq!(id("abc-1"), "abc-1");
        for refused in ["", "two words", &"x".repeat(129)] {
            assert_eq!(id(refused).len(), 16, "{refused}");
        }
        assert_eq!(request_id(&HeaderMap::new(), &random).len(), 16);
    }
}
