//! Addresses in texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::stage::StageError;

/// One address, a network, or a range, of either family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpPattern {
    /// Both ends are part of it and of one family.
    first: IpAddr,
    last: IpAddr,
}

impl IpPattern {
    pub fn parse(text: &str) -> Result<Self, StageError> {
        parse_pattern(text).ok_or_else(|| StageError::IpPattern(text.to_owned()))
    }

    fn contains(&self, address: IpAddr) -> bool {
        // Addresses of the two families do not mix: v4 ones sort first.
        self.first <= address && address <= self.last && address.is_ipv4() == self.first.is_ipv4()
    }

    /// Whether the text has such an address. Whatever looks like the start of one is taken as far as its
    /// characters go, and must then be an address as a whole.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let len = if looks_like_v4(rest) {
                run(rest, |b| b.is_ascii_digit() || b == b'.')
            } else if looks_like_v6(rest) {
                run(rest, |b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
            } else {
                at += 1;
                continue;
            };
            if parse_address(&rest[..len]).is_some_and(|address| self.contains(address)) {
                return true;
            }
            at += len + 1;
        }
        false
    }
}

fn parse_pattern(text: &str) -> Option<IpPattern> {
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let pattern = IpPattern { first, last };
        return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(pattern);
    }
    let Some((address, bits)) = text.split_once('/') else {
        let address = text.parse().ok()?;
        return Some(IpPattern { first: address, last: address });
    };
    if !bits.bytes().all(|b| b.is_ascii_digit()) || (bits.len() > 1 && bits.starts_with('0')) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let first = address.to_bits() & mask;
            Some(IpPattern {
                first: Ipv4Addr::from_bits(first).into(),
                last: Ipv4Addr::from_bits(first | !mask).into(),
            })
        }
        IpAddr::V6(address) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            let first = address.to_bits() & mask;
            Some(IpPattern {
                first: Ipv6Addr::from_bits(first).into(),
                last: Ipv6Addr::from_bits(first | !mask).into(),
            })
        }
        _ => None,
    }
}

fn parse_address(text: &[u8]) -> Option<IpAddr> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn run(text: &[u8], belongs: fn(u8) -> bool) -> usize {
    text.iter().position(|b| !belongs(*b)).unwrap_or(text.len())
}

/// A digit, and a dot within the next three bytes, of at least four.
fn looks_like_v4(text: &[u8]) -> bool {
    text.len() > 3 && text[0].is_ascii_digit() && text[1..4].contains(&b'.')
}

/// Up to four hexadecimal digits and a colon, or two colons and such a digit.
fn looks_like_v6(text: &[u8]) -> bool {
    if text.starts_with(b"::") {
        return text.get(2).is_some_and(u8::is_ascii_hexdigit);
    }
    let digits = text.iter().take(5).take_while(|b| b.is_ascii_hexdigit()).count();
    (1..=4).contains(&digits) && text.get(digits) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for text in
            ["10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "::1", "2001:db8::/32", "::1-::ff", "0.0.0.0/0"]
        {
            assert!(IpPattern::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "abc",
            "10.0.0",
            "10.0.0.1/33",
            "10.0.0.1/08",
            "10.0.0.9-10.0.0.1",
            "10.0.0.1-::1",
            "010.0.0.1",
            "bad/99",
            "10.0.0.1 - 10.0.0.2",
            "::1/129",
            "1.2.3.4/+8",
        ] {
            let error = IpPattern::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("ip: invalid pattern: \"{text}\""));
        }
    }

    #[test]
    fn addresses_in_text() {
        for (pattern, text, want) in [
            ("10.0.0.0/8", "from 10.2.3.4:80", true),
            ("10.0.0.1-10.0.0.9", "10.0.0.10", false),
            ("10.0.0.1-10.0.0.9", "10.0.0.9", true),
            ("10.0.0.1", "ip 10.0.0.1.", false),
            ("10.0.0.1", "v10.0.0.1", true),
            ("10.0.0.1", "cafe10.0.0.1", true),
            ("::1", "addr=[::1]:3100", true),
            ("1.2.3.9", "1.2.3.4-1.2.3.9", true),
            ("10.0.0.1", "::ffff:10.0.0.1", false),
            ("2001:db8::/32", "src=2001:db8:0:1::1a dst=10.0.0.1", true),
            ("8.8.8.8", "src=172.16.3.79 dst=8.8.8.8 ok", true),
            ("0.0.0.0/0", "broken 300.1.2.3 addr", false),
            ("0.0.0.0/0", "", false),
            ("1.1.1.1", "1.1.1.1", true),
            ("0.0.0.0/0", "version 1.2", false),
        ] {
            assert_eq!(
                IpPattern::parse(pattern).unwrap().is_in(text.as_bytes()),
                want,
                "{pattern} in {text}"
            );
        }
    }
}
