//! The path as routes see it: percent-encoded letters decoded, no empty or dotted segments.

use http::Uri;
use http::uri::PathAndQuery;

/// What is to be done with a request's path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cleaned {
    AsIs,
    /// The same path, written in the one usual way.
    Rewritten(Uri),
    /// Another path: the client is sent there. Holds path and query.
    Redirect(String),
}

pub(crate) fn clean(uri: &Uri) -> Cleaned {
    let path = uri.path();
    let decoded = decode_unreserved(path);
    let needs_cleaning =
        decoded.contains("//") || decoded.split('/').any(|segment| segment == "." || segment == "..");
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if needs_cleaning {
        return Cleaned::Redirect(format!("{}{query}", without_dots(&decoded)));
    }
    if decoded == path {
        return Cleaned::AsIs;
    }
    let mut parts = uri.clone().into_parts();
    // Decoding letters, digits and `-._~` cannot make a path invalid.
    let Ok(path_and_query) = PathAndQuery::try_from(format!("{decoded}{query}")) else {
        return Cleaned::AsIs;
    };
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).map_or(Cleaned::AsIs, Cleaned::Rewritten)
}

/// Decodes `%70` to `p`, but leaves `%2F` alone: an encoded slash is part of a name.
fn decode_unreserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            _ => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Goes up at `..`, never above the root; a slash at the end stays.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let directory = path.ends_with(['/']) && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if directory { "/" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (uri, want) in [
            ("/ready", Cleaned::AsIs),
            ("/rules/a%2Fb?x=%70", Cleaned::AsIs),
            ("/%72eady?q=%2e%2e", Cleaned::Rewritten("/ready?q=%2e%2e".parse().unwrap())),
            ("//ready", Cleaned::Redirect("/ready".into())),
            ("/a//b/./c/../d?x=1", Cleaned::Redirect("/a/b/d?x=1".into())),
            ("/a/../../..", Cleaned::Redirect("/".into())),
            ("/a/%2e%2e/b/", Cleaned::Redirect("/b/".into())),
            ("/%", Cleaned::AsIs),
            ("/%zz%4", Cleaned::AsIs),
        ] {
            assert_eq!(clean(&uri.parse().unwrap()), want, "{uri}");
        }
    }
}
