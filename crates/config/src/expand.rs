//! `${VAR}` and `${VAR:-default}` in a configuration file's text.

use crate::{Environment, Origin, Problem};

/// Replaces variables before the text is parsed. As in Loki, an unset variable without a default is
/// empty, and a pair of backslashes becomes one.
pub fn expand_environment(name: &str, text: &str, environment: &Environment) -> Result<String, Problem> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("${") {
            let Some(end) = rest.find('}') else {
                let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
                let origin = Origin::File { name: name.into(), line };
                return Err(Problem::new(origin, "", "a variable that begins with ${ is not closed with }"));
            };
            out.push_str(&value_of(&rest[2..end], environment));
            rest = &rest[end + 1..];
        } else {
            // A lone dollar, a lone backslash, or the first of a pair of backslashes.
            out.push_str(&rest[..1]);
            rest = rest.strip_prefix("\\\\").unwrap_or(&rest[1..]);
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn value_of(reference: &str, environment: &Environment) -> String {
    let (variable, default) = reference.split_once(":-").unwrap_or((reference, ""));
    match environment.get(variable) {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => default.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_backslashes() {
        let environment = Environment::from_pairs([("A", "1"), ("EMPTY", "")]);
        for (text, want) in [
            ("x: ${A}", "x: 1"),
            ("${A}${A}", "11"),
            ("${B}", ""),
            ("${B:-two}", "two"),
            ("${EMPTY:-two}", "two"),
            ("${A:-two}", "1"),
            ("$A $$ $", "$A $$ $"),
            (r"a\\b\c", r"a\b\c"),
            ("ä${A}ö", "ä1ö"),
        ] {
            assert_eq!(expand_environment("f", text, &environment).as_deref(), Ok(want), "{text}");
        }
        let error = expand_environment("f.yaml", "a\nb: ${A", &environment).unwrap_err();
        assert_eq!(error.to_string(), "f.yaml:2: a variable that begins with ${ is not closed with }");
    }
}
