//! Settings as YAML, and what differs between two of them.

use serde_json::{Map, Value as Json};

/// Block style, two spaces, keys in the order given.
pub fn to_yaml(value: &Map<String, Json>) -> String {
    if value.is_empty() {
        return "{}\n".to_owned();
    }
    let mut out = String::new();
    write_map(&mut out, value, 0);
    out
}

/// The keys whose values differ from the defaults, with the blocks that lead to them.
pub fn difference(settings: &Map<String, Json>, defaults: &Map<String, Json>) -> Map<String, Json> {
    let mut differing = Map::new();
    for (key, value) in settings {
        match (value, defaults.get(key)) {
            (value, Some(default)) if value == default => {}
            (Json::Object(value), Some(Json::Object(default))) => {
                differing.insert(key.clone(), Json::Object(difference(value, default)));
            }
            (value, _) => {
                differing.insert(key.clone(), value.clone());
            }
        }
    }
    differing
}

/// Hides the passwords of URLs, `scheme://name:password@host`, in all text of a tree. Whole secrets are
/// hidden by their types; an address is shown, because whoever looks needs to see it.
pub(crate) fn mask_urls(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let Some(masked) = masked_url(text) {
                *text = masked;
            }
        }
        Json::Array(elements) => elements.iter_mut().for_each(mask_urls),
        Json::Object(fields) => fields.values_mut().for_each(mask_urls),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn masked_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    // A password may hold a slash that should have been encoded, as keys of S3 do. Hiding a piece of an
    // odd path does less harm than showing a password.
    let at = rest.rfind('@')?;
    let colon = rest[..at].find(':')?;
    Some(format!("{scheme}://{}:********{}", &rest[..colon], &rest[at..]))
}

fn write_map(out: &mut String, map: &Map<String, Json>, indent: usize) {
    for (key, value) in map {
        push_indent(out, indent);
        out.push_str(&scalar_text(key));
        out.push(':');
        write_below(out, value, indent);
    }
}

/// What stands behind a key's colon, up to the end of its lines.
fn write_below(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            out.push('\n');
            write_map(out, map, indent + 2);
        }
        Json::Array(elements) if !elements.is_empty() => {
            out.push('\n');
            write_list(out, elements, indent + 2);
        }
        other => {
            out.push(' ');
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

fn write_list(out: &mut String, elements: &[Json], indent: usize) {
    for element in elements {
        push_indent(out, indent);
        out.push('-');
        match element {
            Json::Object(map) if !map.is_empty() => {
                // The first key stands beside the dash, the others below it.
                let mut block = String::new();
                write_map(&mut block, map, indent + 2);
                out.push(' ');
                out.push_str(block.trim_start());
            }
            other => write_below(out, other, indent),
        }
    }
}

fn push_indent(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => scalar_text(text),
        other => other.to_string(),
    }
}

/// Plain where YAML reads it back as the same text, quoted as JSON (which is YAML) where not.
fn scalar_text(text: &str) -> String {
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '.'));
    let stays_plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | '+' | '='))
            || (text.contains(':') && is_plain_with_colons(text));
    let lower = text.to_ascii_lowercase();
    let special =
        matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n")
            || matches!(lower.as_str(), ".inf" | ".nan" | "inf" | "infinity" | "nan");
    let number = text.parse::<f64>().is_ok();
    // Spans and sizes such as 30d1h and 256KB begin with a digit but are no numbers.
    let measure = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && !number
        && !lower.starts_with("0x")
        && !lower.starts_with("0o");
    if (begins_plain && stays_plain && !special && !number) || measure {
        return text.to_owned();
    }
    Json::String(text.to_owned()).to_string()
}

/// Addresses and URLs: a colon is plain unless a blank follows it or it ends the text.
fn is_plain_with_colons(text: &str) -> bool {
    !text.ends_with(':')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | '+' | '=' | ':'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::parse_yaml;

    fn object(value: Json) -> Map<String, Json> {
        match value {
            Json::Object(map) => map,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn block_style() {
        let value = object(json!({
            "target": "all", "empty": "", "yes": "yes", "n": 3, "f": 0.5, "b": true,
            "server": {"addr": "127.0.0.1:3100", "url": "http://x:9093", "none": {}, "list": []},
            "span": "30d1h", "size": "256KB", "number_text": "0x10", "exp": "1e3", "point": ".0",
            "list": [1, "two: 2", {"a": 1, "b": {"c": [2]}}, [3]],
        }));
        let want = "\
target: all
empty: \"\"
\"yes\": \"yes\"
\"n\": 3
f: 0.5
b: true
server:
  addr: \"127.0.0.1:3100\"
  url: http://x:9093
  none: {}
  list: []
span: 30d1h
size: 256KB
number_text: \"0x10\"
exp: \"1e3\"
point: \".0\"
list:
  - 1
  - \"two: 2\"
  - a: 1
    b:
      c:
        - 2
  -
    - 3
";
        assert_eq!(to_yaml(&value), want);
        assert_eq!(to_yaml(&Map::new()), "{}\n");
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (text, want) in [
            ("http://name:secret@host:1/path", "http://name:********@host:1/path"),
            ("s3://key:se/cr+et@eu-west-1/bucket", "s3://key:********@eu-west-1/bucket"),
            ("http://name@host", "http://name@host"),
            ("http://host:9093/a@b", "http://host:********@b"),
            ("name:secret@host", "name:secret@host"),
            ("http://host", "http://host"),
        ] {
            let mut value = json!({"a": [text]});
            mask_urls(&mut value);
            assert_eq!(value, json!({"a": [want]}));
        }
    }

    #[test]
    fn differences_keep_their_blocks() {
        let defaults = object(json!({"a": 1, "block": {"x": 1, "y": [1], "z": {"k": 1}}, "same": {"q": 1}}));
        let settings =
            object(json!({"a": 1, "block": {"x": 2, "y": [1, 2], "z": {"k": 1}}, "same": {"q": 1}}));
        assert_eq!(difference(&settings, &defaults), object(json!({"block": {"x": 2, "y": [1, 2]}})));
        assert_eq!(difference(&defaults, &defaults), Map::new());
    }

    fn values() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            "\\PC{0,12}".prop_map(Json::from),
            "[-0-9a-z.:/+ ]{0,8}".prop_map(Json::from),
            "[0-9eExX_]{1,5}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map("[a-z ]{1,6}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(map in prop::collection::hash_map("[a-zA-Z0-9_~]{1,6}", values(), 1..5)) {
            let value: Map<String, Json> = map.into_iter().collect();
            let text = to_yaml(&value);
            let node = parse_yaml("printed", &text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(node.to_json(), Json::Object(value), "{}", text);
        }
    }
}
