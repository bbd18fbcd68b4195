//! Parts of keys that are longer than a file's name may be.
//!
//! Many stores keep objects in files, and refuse such parts; tenants with many signs in their ids have them,
//! because each sign takes three bytes. A long part is spread over nested folders, each but the last with a
//! mark at its end that no key contains.

use object_store::path::Path;

/// File systems take names of 255 bytes; the mark is one of them.
const MAX_NAME_BYTES: usize = 250;

const CONTINUED: char = '~';

/// As the store sees a key.
pub(super) fn split(key: &str) -> String {
    let mut text = String::new();
    for part in key.split('/').filter(|part| !part.is_empty()) {
        let mut rest = part;
        while rest.len() > MAX_NAME_BYTES {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(MAX_NAME_BYTES));
            text.push_str(piece);
            text.push(CONTINUED);
            text.push('/');
            rest = behind;
        }
        text.push_str(rest);
        text.push('/');
    }
    text.truncate(text.trim_end_matches('/').len());
    text
}

/// As its users see it.
pub(super) fn rejoin(name: &str) -> String {
    name.replace(&format!("{CONTINUED}/"), "")
}

/// Whether the name of a folder goes on in the folders inside it.
pub(super) fn goes_on(folder: &Path) -> bool {
    folder.as_ref().ends_with(CONTINUED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_names_stay() {
        assert_eq!(split("t/seg/x"), "t/seg/x");
        assert_eq!(split("/t//x/"), "t/x");
        assert_eq!(split(""), "");
        assert_eq!(split(&"x".repeat(250)), "x".repeat(250));
    }

    proptest! {
        #[test]
        fn names_come_back(key in "[A-Za-z0-9%_-]{1,600}(/[A-Za-z0-9%_-]{1,600}){0,3}") {
            let split = split(&key);
            prop_assert!(split.split('/').all(|part| part.len() <= 251));
            prop_assert_eq!(rejoin(&split), key);
        }
    }
}
