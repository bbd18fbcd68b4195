//! `service_name`: every stream has one.

use larch_types::Labels;

const SERVICE_NAME: &str = "service_name";

/// What a stream is called that says nothing about its service.
const UNKNOWN: &str = "unknown_service";

/// Streams of Larch's own making are left alone.
const INTERNAL: [&str; 2] = ["__aggregated_metric__", "__pattern__"];

/// The value to add: that of the first of the candidates that the stream has. `None`: nothing is added,
/// because the stream has the label, is an internal one, or the tenant has no candidates.
pub fn service_name<'l>(labels: &'l Labels, candidates: &[impl AsRef<str>]) -> Option<&'l str> {
    let is_internal = INTERNAL.iter().any(|name| labels.get(name).is_some());
    if candidates.is_empty() || is_internal || labels.get(SERVICE_NAME).is_some() {
        return None;
    }
    Some(candidates.iter().find_map(|name| labels.get(name.as_ref())).unwrap_or(UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_candidate_counts() {
        const CANDIDATES: [&str; 4] = ["service", "app", "container", "job"];
        for (labels, want) in [
            (&[("service", "s1"), ("app", "a1"), ("job", "j")][..], Some("s1")),
            (&[("job", "j"), ("container", "c")], Some("c")),
            (&[("app", ""), ("job", "j")], Some("j")),
            (&[("filename", "/x")], Some("unknown_service")),
            (&[], Some("unknown_service")),
            (&[("service_name", "given"), ("app", "a")], None),
            (&[("__aggregated_metric__", "x"), ("app", "a")], None),
            (&[("__pattern__", "x")], None),
        ] {
            let labels = Labels::from_pairs(labels.iter().copied()).unwrap();
            assert_eq!(service_name(&labels, &CANDIDATES), want, "{labels}");
            let none: [&str; 0] = [];
            assert_eq!(service_name(&labels, &none), None);
        }
    }
}
