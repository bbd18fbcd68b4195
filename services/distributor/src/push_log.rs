//! What operators read of single pushes, for tenants that are looked at closely: each of these lines stands
//! in the log only where `operational_config`, or the tenant's own `configs`, asks for it.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use larch_limits::OperationalSettings;
use larch_proto::AppendStream;
use larch_types::{Labels, TenantId};
use tracing::info;
use xxhash_rust::xxh3::xxh3_64;

use crate::check::Checked;
use crate::labels::SERVICE_NAME;
use crate::metrics::Volume;
use crate::work::Work;

/// Who sent a push, as far as that can be known: the first address that proxies have noted, or else the
/// other end of the connection. A client can write what it likes into the header, so that this is for
/// reading only.
pub(crate) fn agent_address(headers: &HeaderMap, peer: Option<SocketAddr>) -> String {
    let noted = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match noted.split(',').next().map(str::trim) {
        Some(first) if !first.is_empty() => first.to_owned(),
        _ => peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default(),
    }
}

/// Whether the lines of a tenant name the sender.
pub(crate) fn needs_address(operational: &OperationalSettings) -> bool {
    operational.log_push_request || operational.log_push_request_streams
}

/// Once the push is checked. What was left out of it is counted in the first line and not among the streams.
pub(crate) fn log_push(work: &Work, checked: &Checked) {
    let Work { tenant, operational, labels_hash, .. } = work;
    let (agent, address) = (work.head.user_agent.as_str(), work.address.as_str());
    if operational.log_push_request {
        let Volume { rows, line_bytes, metadata_bytes } = checked.received;
        let (streams, bytes) = (checked.streams.len(), line_bytes + metadata_bytes);
        info!(
            %tenant, streams, rows, line_bytes, metadata_bytes, bytes, agent, address, labels_hash,
            "push request parsed"
        );
    } else if let Some(labels_hash) = labels_hash {
        info!(%tenant, agent, labels_hash, "labels of a push request");
    }
    if operational.log_push_request_streams && is_shown(&operational.filter_push_request_streams_ips, address)
    {
        for AppendStream { labels, entries, .. } in &checked.streams {
            info!(%tenant, stream = labels, rows = entries.len(), address, "push request stream");
        }
    }
}

/// Whether streams from there are logged. An empty list asks for all.
fn is_shown(addresses: &[String], address: &str) -> bool {
    let same = |wanted: &String| match (wanted.trim().parse::<IpAddr>(), address.parse::<IpAddr>()) {
        (Ok(wanted), Ok(address)) => wanted.to_canonical() == address.to_canonical(),
        _ => wanted.trim() == address,
    };
    addresses.is_empty() || addresses.iter().any(same)
}

/// The same for the same streams in whatever order: whoever sends it again is perhaps the same agent.
pub(crate) fn labels_hash<'l>(streams: impl Iterator<Item = &'l str>) -> String {
    let sum = streams.fold(0_u64, |sum, labels| sum.wrapping_add(xxh3_64(labels.as_bytes())));
    format!("{sum:016x}")
}

/// Says which label gave a stream its name, or that none did.
pub(crate) fn log_discovery(tenant: &TenantId, labels: &Labels, candidates: &[String], service_name: &str) {
    let gives = |name: &&String| *name != SERVICE_NAME && labels.get(name).is_some();
    let from = candidates.iter().find(gives).map_or("nothing", String::as_str);
    info!(%tenant, stream = labels.canonical(), service_name, from, "service name discovered");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_that_is_noted() {
        for (noted, peer, want) in [
            ("", Some("10.0.0.1:5"), "10.0.0.1"),
            ("", Some("[::ffff:10.0.0.1]:5"), "10.0.0.1"),
            ("", None, ""),
            ("1.1.1.1, 2.2.2.2", Some("10.0.0.1:5"), "1.1.1.1"),
            (" , 2.2.2.2", Some("10.0.0.1:5"), "10.0.0.1"),
            ("somewhere", None, "somewhere"),
        ] {
            let mut headers = HeaderMap::new();
            if !noted.is_empty() {
                headers.insert("x-forwarded-for", noted.parse().unwrap());
            }
            let peer = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(agent_address(&headers, peer), want, "{noted:?} {peer:?}");
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        let shown = |wanted: &[&str], address| {
            is_shown(&wanted.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), address)
        };
        assert!(shown(&[], "10.0.0.1") && shown(&[], ""));
        assert!(shown(&["1.1.1.1", " 10.0.0.1"], "10.0.0.1"));
        assert!(shown(&["2001:db8::1"], "2001:0db8:0::1"));
        assert!(shown(&["::ffff:10.0.0.1"], "10.0.0.1"));
        assert!(!shown(&["10.0.0.1"], "10.0.0.11") && !shown(&["10.0.0.1"], ""));
        assert!(shown(&["somewhere"], "somewhere"));
    }

    #[test]
    fn a_hash_knows_no_order() {
        let hash = |streams: &[&str]| labels_hash(streams.iter().copied());
        assert_eq!(hash(&["{a=\"1\"}", "{b=\"2\"}"]), hash(&["{b=\"2\"}", "{a=\"1\"}"]));
        assert_ne!(hash(&["{a=\"1\"}", "{b=\"2\"}"]), hash(&["{a=\"1\"}"]));
        assert_ne!(hash(&["{a=\"1\"}"]), hash(&["{b=\"2\"}"]));
        assert_eq!(hash(&[]), "0000000000000000");
    }
}
