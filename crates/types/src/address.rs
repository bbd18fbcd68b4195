//! Where another process can be reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a host in DNS, and the longest port with its colon.
const MAX_ADDRESS_BYTES: usize = 253 + 6;

/// `host:port`. The host is a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address, expected host:port: {}", crate::quoted(.0))]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.chars().take(MAX_ADDRESS_BYTES).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        if text.len() > MAX_ADDRESS_BYTES || !is_host(host) || !is_port(port) {
            return Err(invalid());
        }
        Ok(Self(Arc::from(text)))
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(allowed)
}

/// Port 0 asks for any port and so leads nowhere. Only one text for each port.
fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port)
}

impl Address {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the port and without the brackets of an IPv6 address: what a certificate names.
    pub fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(&*self.0, |(host, _)| host);
        host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hosts_with_ports() {
        for (text, host) in [
            ("ingester-0.ingester.logs.svc:9095", "ingester-0.ingester.logs.svc"),
            ("10.0.0.7:9095", "10.0.0.7"),
            ("[::1]:1", "::1"),
            ("localhost:65535", "localhost"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.as_str(), text);
            assert_eq!(address.host(), host);
        }
    }

    #[test]
    fn refuses_what_cannot_be_reached() {
        let long = format!("{}:1", "h".repeat(300));
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":1",
            "host:0",
            "host:01",
            "host:65536",
            "::1:9095",
            "a/b:1",
            "a b:1",
            &long,
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let error = "host".parse::<Address>().expect_err("no port");
        assert_eq!(error.to_string(), r#"not an address, expected host:port: "host""#);
    }
}
