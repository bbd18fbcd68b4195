//! Any document must be read or refused, never more.

use larch_types::Section;

use super::Overrides;
use crate::{LimitsSettings, OperationalSettings};

/// Reads bytes as a JSON document of overrides. Panics if what was accepted breaks a promise.
pub fn fuzz_overrides(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice(bytes) else { return };
    let documents = [document];
    let read = || Overrides::read(LimitsSettings::default(), OperationalSettings::default(), &documents);
    let Ok((overrides, ignored)) = read() else { return };
    for (tenant, limits) in overrides.tenants() {
        assert_eq!(limits.check(), Ok(()), "{tenant} was accepted");
    }
    assert_eq!(read(), Ok((overrides, ignored)), "reading again gives the same");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: [&str; 5] = [
        r#"{"overrides": {"a": {"ingestion_rate_mb": 10, "max_line_size": "1MB", "query_timeout": "5m"}}}"#,
        r#"{"overrides": {"a": {"retention_stream": [{"selector": "{a=\"b\"}", "priority": 1, "period": "24h"}],
            "blocked_queries": [{"pattern": ".*", "regex": true, "types": "metric,filter", "hash": 1}]}}}"#,
        r#"{"configs": {"a": {"log_push_request": true}}, "multi_kv_config": {"primary": "consul"}}"#,
        r#"{"overrides": {"a": {"shard_streams": {"enabled": false}, "unordered_writes": true, "x": [1e9]}}}"#,
        r#"{"overrides": {"a": {"ruler_remote_write_config": {"m": {"url": "u", "headers": {"a": "b"}}},
            "policy_override_limits": {"p": {"shard_streams": {"desired_rate": "1KB"}}},
            "block_ingestion_until": "2026-01-02T03:04:05Z"}}}"#,
    ];

    /// xorshift64: small, and the same everywhere.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound.max(1) as u64) as usize
        }
    }

    /// Bytes that mean something in JSON.
    const BYTES: &[u8] = b"0123456789-.eE\"{}[]:, tfn";

    fn mutate(random: &mut Random, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            let from = random.below(bytes.len());
            let to = (from + random.below(24)).min(bytes.len());
            match random.below(4) {
                0 => bytes[at] = BYTES[random.below(BYTES.len())],
                1 => drop(bytes.splice(at..at, bytes[from..to].to_vec())),
                2 => drop(bytes.drain(from..to)),
                _ => bytes[at] ^= 1 << random.below(8),
            }
        }
        bytes
    }

    #[test]
    fn corpus_and_mutations() {
        for text in CORPUS {
            serde_json::from_str::<serde_json::Value>(text).expect(text);
            fuzz_overrides(text.as_bytes());
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..20_000 {
            let text = CORPUS[random.below(CORPUS.len())];
            fuzz_overrides(&mutate(&mut random, text));
        }
    }
}
