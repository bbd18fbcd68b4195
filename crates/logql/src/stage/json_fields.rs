//! Where in the JSON of a line its fields are, for clients that want to ask for one of them by its path.

use crate::stage::name::append_part;
use crate::stage::scan::{JsonFault, Members, ValueKind};
use crate::stage::text::unescape_json;

/// Objects inside one another, as deep as the parser looks.
const MAX_DEPTH: usize = 128;
/// More fields than anybody picks from; a line may hold a million.
const MAX_FIELDS: usize = 10_000;

/// The labels that the `json` parser makes of a line, each with the member names that lead to it. Of several
/// members that make one label all are named, in the order of the line. What is damaged ends the list.
pub fn json_fields(line: &[u8]) -> Vec<(String, Vec<String>)> {
    let mut fields = Vec::new();
    // The fields before the damage count.
    walk(line, "", &mut Vec::new(), &mut fields).ok();
    fields
}

fn walk(
    object: &[u8],
    name: &str,
    path: &mut Vec<String>,
    fields: &mut Vec<(String, Vec<String>)>,
) -> Result<(), JsonFault> {
    if path.len() >= MAX_DEPTH {
        return Err(JsonFault::Malformed);
    }
    let mut members = Members::new(object)?;
    while let Some((key, is_escaped)) = members.key()? {
        let mut plain = Vec::new();
        if !is_escaped {
            plain.extend_from_slice(key);
        } else if !unescape_json(&mut plain, key) {
            return Err(JsonFault::Escape);
        }
        let mut name = name.to_owned();
        append_part(&mut name, &plain);
        path.push(String::from_utf8_lossy(&plain).into_owned());
        let value = members.value()?;
        match value.kind {
            ValueKind::Object => walk(value.text, &name, path, fields)?,
            ValueKind::Null | ValueKind::Array => {}
            _ if name.is_empty() || fields.len() >= MAX_FIELDS => {}
            _ => fields.push((name, path.clone())),
        }
        path.pop();
        members.advance()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, want: &[(&str, &[&str])]) {
        let want: Vec<(String, Vec<String>)> = want
            .iter()
            .map(|(name, path)| ((*name).to_owned(), path.iter().map(|part| (*part).to_owned()).collect()))
            .collect();
        assert_eq!(json_fields(line.as_bytes()), want, "{line}");
    }

    #[test]
    fn paths_keep_the_names_of_the_line() {
        check(
            r#"{"user": {"id": 7, "X-Name": "a"}, "s p": 1}"#,
            &[("user_id", &["user", "id"]), ("user_X_Name", &["user", "X-Name"]), ("s_p", &["s p"])],
        );
        check(r#"{"a": null, "b": [1], "": 1, "1st": true}"#, &[("_1st", &["1st"])]);
        check(r#"{"q\"\u00fc": 1}"#, &[("q__", &["q\"ü"])]);
        check(r#"{"a": 1, "b": nul, "c": 2}"#, &[("a", &["a"])]);
        check("plain", &[]);
        check("", &[]);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = r#"{"a":"#.repeat(10_000);
        assert!(json_fields(deep.as_bytes()).is_empty());
    }
}
