//! Whose request it is.

use http::{HeaderMap, HeaderName};
use larch_types::{ErrorKind, InvalidTenant, TenantId, TenantSet};

/// The header that names the tenant, or several for some reads.
pub const ORG_ID: HeaderName = HeaderName::from_static("x-scope-orgid");

/// How a process learns the tenant of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenancy {
    /// Every request names its tenant.
    Header,
    /// All requests belong to one tenant; the header is not looked at.
    Single(TenantId),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no_auth_tenant: {0}")]
pub struct InvalidTenancy(#[source] pub InvalidTenant);

/// Why a request has no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TenantError(pub InvalidTenant);

impl TenantError {
    /// A missing tenant is a matter of authentication; a malformed one is the client's mistake.
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            InvalidTenant::Missing => ErrorKind::Unauthenticated,
            _ => ErrorKind::Invalid,
        }
    }
}

impl Tenancy {
    /// From `auth_enabled` and `no_auth_tenant`.
    pub fn new(auth_enabled: bool, no_auth_tenant: &str) -> Result<Self, InvalidTenancy> {
        if auth_enabled {
            return Ok(Self::Header);
        }
        no_auth_tenant.parse().map(Self::Single).map_err(InvalidTenancy)
    }

    /// The tenants that a request names.
    pub fn tenants(&self, headers: &HeaderMap) -> Result<TenantSet, TenantError> {
        match self {
            Self::Single(tenant) => Ok(tenant.clone().into()),
            Self::Header => {
                let header = headers.get(ORG_ID).map(|value| String::from_utf8_lossy(value.as_bytes()));
                header.as_deref().unwrap_or_default().parse().map_err(TenantError)
            }
        }
    }

    /// The tenant of a request that may name only one.
    pub fn tenant(&self, headers: &HeaderMap) -> Result<TenantId, TenantError> {
        self.tenants(headers)?.single().cloned().map_err(TenantError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORG_ID, http::HeaderValue::from_bytes(value).unwrap());
        headers
    }

    #[test]
    fn a_header_names_the_tenant() {
        let tenancy = Tenancy::new(true, "fake").unwrap();
        assert_eq!(tenancy.tenant(&headers(b"acme:note")).unwrap().as_str(), "acme");
        assert_eq!(tenancy.tenant(&headers(b"a|a")).unwrap().as_str(), "a");
        assert_eq!(tenancy.tenants(&headers(b"b|a")).unwrap().as_slice().len(), 2);
        for (value, text, kind) in [
            (&b""[..], "no org id", ErrorKind::Unauthenticated),
            (b"a|b", "multiple org IDs present", ErrorKind::Invalid),
            (b"a b", "tenant ID 'a b' contains unsupported character ' '", ErrorKind::Invalid),
            (b"\xff", "tenant ID '\u{fffd}' contains unsupported character '\u{fffd}'", ErrorKind::Invalid),
        ] {
            let error = tenancy.tenant(&headers(value)).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (text, kind));
        }
        assert_eq!(tenancy.tenant(&HeaderMap::new()).unwrap_err().to_string(), "no org id");
    }

    #[test]
    fn without_authentication_the_header_is_not_looked_at() {
        let tenancy = Tenancy::new(false, "fake").unwrap();
        assert_eq!(tenancy.tenant(&headers(b"a|b")).unwrap().as_str(), "fake");
        assert_eq!(Tenancy::new(false, "").unwrap_err().to_string(), "no_auth_tenant: no org id");
    }
}
