//! What a segment file is called: its id, then the tenant, so that a file can be told from others when the log
//! that names it is damaged. Files with rows that cannot be cut are called likewise.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larch_types::{SegmentId, TenantId};
use larch_wal::FileName;

/// What a finished file is called at the end. A file is finished once it has this name.
const SUFFIX: &str = ".seg";

/// What a file is called while it is written. Whoever finds such a file removes it.
const UNFINISHED: &str = ".seg-new";

/// What a file of rows that cannot be cut is called, while it is written, and once it was found damaged and its rows
/// are elsewhere.
const COPY: &str = ".rows";
const UNFINISHED_COPY: &str = ".rows-new";
const DAMAGED: &str = "-damaged";

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: SegmentId,
    /// `None` if the name does not say whose file it is.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) is_finished: bool,
}

pub(crate) fn finished(id: SegmentId, tenant: &TenantId) -> FileName {
    named(id, tenant, SUFFIX)
}

pub(crate) fn unfinished(id: SegmentId, tenant: &TenantId) -> FileName {
    named(id, tenant, UNFINISHED)
}

pub(crate) fn copied(id: SegmentId, tenant: &TenantId) -> FileName {
    named(id, tenant, COPY)
}

pub(crate) fn copying(id: SegmentId, tenant: &TenantId) -> FileName {
    named(id, tenant, UNFINISHED_COPY)
}

/// The name of a copy that is of no more use to a program.
#[expect(clippy::expect_used, reason = "letters, digits, dots, `-` and `_`, fewer than 255")]
pub(crate) fn damaged(copy: &FileName) -> FileName {
    format!("{copy}{DAMAGED}").parse().expect("a file name")
}

/// A ULID, 150 characters of a tenant in base64, dots and the longest suffix are 242 bytes.
#[expect(clippy::expect_used, reason = "letters, digits, dots, `-` and `_`, fewer than 255")]
fn named(id: SegmentId, tenant: &TenantId, suffix: &str) -> FileName {
    let text = if is_plain(tenant.as_str()) {
        format!("{id}.{tenant}{suffix}")
    } else {
        format!("{id}..{}{suffix}", URL_SAFE_NO_PAD.encode(tenant.as_str()))
    };
    text.parse().expect("a file name")
}

/// `None` if it is not the name of a segment file.
pub(crate) fn parse(name: &FileName) -> Option<Named> {
    parse_as(name, SUFFIX, UNFINISHED)
}

/// `None` if it is not the name of a file with rows that cannot be cut.
pub(crate) fn parse_copy(name: &FileName) -> Option<Named> {
    parse_as(name, COPY, UNFINISHED_COPY)
}

fn parse_as(name: &FileName, finished: &str, unfinished: &str) -> Option<Named> {
    let name = name.as_str();
    let (rest, is_finished) = match name.strip_suffix(finished) {
        Some(rest) => (rest, true),
        None => (name.strip_suffix(unfinished)?, false),
    };
    let (id, tenant) = match rest.split_once('.') {
        None => (rest, None),
        Some((id, tenant)) => (id, Some(parse_tenant(tenant)?)),
    };
    Some(Named { id: id.parse().ok()?, tenant, is_finished })
}

fn parse_tenant(text: &str) -> Option<TenantId> {
    let Some(encoded) = text.strip_prefix('.') else {
        return text.parse().ok().filter(|_| is_plain(text));
    };
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

fn is_plain(tenant: &str) -> bool {
    tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let id = SegmentId::from_u128(7);
        let longest = "'".repeat(150);
        for tenant in ["acme", "a-b_C9", "a.seg", "..x", "o'neill(1)*!", &longest] {
            let tenant: TenantId = tenant.parse().unwrap();
            let named = |is_finished| Some(Named { id, tenant: Some(tenant.clone()), is_finished });
            assert_eq!(parse(&finished(id, &tenant)), named(true), "{tenant}");
            assert_eq!(parse(&unfinished(id, &tenant)), named(false), "{tenant}");
            assert_eq!(parse_copy(&copied(id, &tenant)), named(true), "{tenant}");
            assert_eq!(parse_copy(&copying(id, &tenant)), named(false), "{tenant}");
            assert_eq!(parse(&copied(id, &tenant)), None, "{tenant}");
            assert_eq!(parse_copy(&damaged(&copied(id, &tenant))), None, "{tenant}");
        }
        let name = finished(id, &"acme".parse().unwrap());
        assert_eq!(name.as_str(), "00000000000000000000000007.acme.seg");
    }

    #[test]
    fn others_are_none_of_ours() {
        let whose = |name: &str| parse(&name.parse().unwrap());
        let id = SegmentId::from_u128(7);
        let nobodys = Named { id, tenant: None, is_finished: true };
        assert_eq!(whose("00000000000000000000000007.seg"), Some(nobodys));
        for name in
            ["node", "lock", "00000000000000000001.wal", "x.seg", "00000000000000000000000007..a%.seg"]
                .map(|name| name.replace('%', "_"))
        {
            assert_eq!(whose(&name), None, "{name}");
        }
    }
}
