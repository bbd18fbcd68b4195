//! What must hold for any bytes that arrive as parameters.

use http::{HeaderMap, HeaderValue};
use larch_types::{Span, Timestamp};

use crate::{
    Bounds, DetectedFieldsRequest, EncodingFlags, Form, InstantRequest, PatternsRequest, QueryTags,
    RangeRequest, SelectorRequest, SeriesRequest, ShardsRequest, VolumeRequest,
};

/// Reads the bytes as the parameters of every endpoint, and as the headers that change answers.
pub fn fuzz_requests(data: &[u8]) {
    let now = Timestamp::from_secs(1_790_823_600);
    let (body, query) = data.split_at(data.len() / 2);
    if let Ok(form) = Form::parse(body, &String::from_utf8_lossy(query)) {
        read_all(&form, now);
    }
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let mut headers = HeaderMap::new();
        headers.insert("x-query-tags", value.clone());
        headers.insert("x-loki-response-encoding-flags", value);
        let tags = QueryTags::read(&headers);
        assert!(tags.pairs().all(|(key, value)| !key.is_empty() && !value.is_empty()));
        assert!(EncodingFlags::read(&headers).as_slice().len() <= data.len() + 1);
    }
}

/// What is taken makes sense; what is not has a text.
fn read_all(form: &Form, now: Timestamp) {
    let is_ordered = |bounds: Bounds| bounds.start <= bounds.end;
    let mut errors = Vec::new();
    match RangeRequest::read(form, now) {
        Ok(asked) => {
            assert!(is_ordered(asked.bounds) && asked.step > Span::ZERO && !asked.interval.is_negative());
            assert!(asked.limit > 0 && asked.bounds.length().nanos() / asked.step.nanos() <= 11_000);
        }
        Err(error) => errors.push(error),
    }
    match PatternsRequest::read(form, now) {
        Ok(asked) => assert!(is_ordered(asked.bounds) && asked.step >= Span::from_secs(10)),
        Err(error) => errors.push(error),
    }
    match VolumeRequest::read_range(form, now) {
        Ok(asked) => assert!(is_ordered(asked.bounds) && asked.limit > 0 && asked.step > Span::ZERO),
        Err(error) => errors.push(error),
    }
    errors.extend(InstantRequest::read(form, now).err());
    errors.extend(SelectorRequest::read(form, now).err());
    errors.extend(SeriesRequest::read(form, now).err());
    errors.extend(ShardsRequest::read(form, now).err());
    errors.extend(DetectedFieldsRequest::read(form, now).err());
    assert!(errors.iter().all(|error| !error.to_string().is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: [&str; 8] = [
        "query={app=\"x\"}&start=1790812800&end=1790823600&step=60&limit=100&direction=forward&interval=5s",
        "start=2026-10-01T00:00:00.5Z&end=2026-10-01T02:00:00%2B02:00&since=1h30m&time=1790812800.25",
        "match[]=%7B%7D&match=%7Ba%3D%22b%22%7D&targetLabels=a,b&aggregateBy=labels&targetBytesPerShard=600MB",
        "start=-9223372036854775808&end=9223372036854775807&step=9223372036&limit=-1&line_limit=0",
        "start=1e300.&end=-1e300.&since=292y&step=1e-9&interval=-0&time=NaN.&limit=4294967296",
        "Source=grafana-lokiexplore-app,Feature=x==y,,=",
        "categorize-labels,,foo",
        "a=%&b=%zz;c",
    ];

    /// 20,000 mutations of parameters, the same ones in every run.
    #[test]
    fn any_parameters_are_taken_or_refused() {
        for seed in CORPUS {
            fuzz_requests(seed.as_bytes());
        }
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: usize| {
            // xorshift64: any sequence will do, as long as it is always this one.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap_or_default()
        };
        for _ in 0..20_000 {
            let mut data = CORPUS[next(CORPUS.len())].as_bytes().to_vec();
            for _ in 0..=next(8) {
                let at = next(data.len() + 1);
                match next(5) {
                    0 => data.insert(at, next(256) as u8),
                    1 => data.truncate(at),
                    2 if at < data.len() => data[at] ^= 1 << next(8),
                    3 => data.insert(at, b"0123456789.-+e%&=;,"[next(19)]),
                    _ => {
                        let other = CORPUS[next(CORPUS.len())].as_bytes();
                        data.extend_from_slice(&other[next(other.len())..]);
                    }
                }
            }
            fuzz_requests(&data);
        }
    }
}
