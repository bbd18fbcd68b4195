//! Sets of labels: as JSON objects, and as the text that streams are ordered by.

use larch_proto::Pair;
use larch_types::quote_into;

use super::strings::{Escaping, string};

/// An object of names and values in their order.
pub(crate) fn object<'a>(
    out: &mut Vec<u8>,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    escaping: Escaping,
) {
    out.push(b'{');
    for (index, (name, value)) in labels.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, name.as_bytes(), escaping);
        out.push(b':');
        string(out, value.as_bytes(), escaping);
    }
    out.push(b'}');
}

pub(super) fn pairs(labels: &[Pair]) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|pair| (pair.name.as_str(), pair.value.as_str()))
}

/// `{a="1", b="2"}` with Go-quoted values.
pub(super) fn canonical(labels: &[Pair]) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in pairs(labels).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push('=');
        quote_into(&mut out, value);
    }
    out.push('}');
    out
}
