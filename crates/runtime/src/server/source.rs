//! Whose request it is, behind proxies, for the log line.

use std::net::SocketAddr;

use http::HeaderMap;

use crate::settings::ServerSettings;

/// Where to look for the client's address.
#[derive(Debug, Clone)]
pub(crate) struct SourceFinder {
    full: bool,
    header: Option<http::HeaderName>,
}

impl SourceFinder {
    /// `None` if addresses are not to be logged.
    pub(crate) fn new(settings: &ServerSettings) -> Option<Self> {
        if !settings.log_source_ips_enabled {
            return None;
        }
        let header = settings.log_source_ips_header.to_ascii_lowercase().parse().ok();
        Some(Self { full: settings.log_source_ips_full, header })
    }

    /// The address that proxies noted, with the connection's own behind it.
    pub(crate) fn find(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> String {
        let noted = match &self.header {
            Some(name) => text(headers, name.as_str()),
            None => text(headers, "x-real-ip")
                .or_else(|| text(headers, "x-forwarded-for"))
                .or_else(|| text(headers, "forwarded").and_then(forwarded_for)),
        };
        let noted = match noted {
            Some(noted) if self.full => noted.to_owned(),
            Some(noted) => noted.split(',').next().unwrap_or_default().trim().to_owned(),
            None => String::new(),
        };
        let peer = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        match (noted.is_empty(), peer.is_empty()) {
            (true, _) => peer,
            (false, true) => noted,
            (false, false) => format!("{noted}, {peer}"),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// `for=` of the first element of a `Forwarded` header.
fn forwarded_for(header: &str) -> Option<&str> {
    let first = header.split(',').next()?;
    for pair in first.split(';') {
        if let Some((name, value)) = pair.trim().split_once('=')
            && name.eq_ignore_ascii_case("for")
        {
            return Some(value.trim_matches('"'));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(full: bool, own: &str, headers: &[(&'static str, &str)]) -> String {
        let settings = ServerSettings {
            log_source_ips_enabled: true,
            log_source_ips_full: full,
            log_source_ips_header: own.to_owned(),
            ..ServerSettings::default()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        SourceFinder::new(&settings).unwrap().find(&map, Some("10.0.0.1:5".parse().unwrap()))
    }

    #[test]
    fn addresses() {
        assert!(SourceFinder::new(&ServerSettings::default()).is_none());
        assert_eq!(find(false, "", &[]), "10.0.0.1");
        assert_eq!(find(false, "", &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")]), "1.1.1.1, 10.0.0.1");
        assert_eq!(find(true, "", &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")]), "1.1.1.1, 2.2.2.2, 10.0.0.1");
        assert_eq!(
            find(false, "", &[("forwarded", "proto=https;for=\"[::1]\", for=3.3.3.3")]),
            "[::1], 10.0.0.1"
        );
        assert_eq!(
            find(false, "X-Client", &[("x-client", "4.4.4.4"), ("x-real-ip", "5.5.5.5")]),
            "4.4.4.4, 10.0.0.1"
        );
    }
}
