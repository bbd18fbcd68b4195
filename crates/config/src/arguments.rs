//! The command line as Go programs take it: `-name=value`, `-name value`, `--name`, switches without
//! a value.

use std::collections::BTreeMap;

/// A flag of the program itself, not of a setting.
#[derive(Debug, Clone, Copy)]
pub struct FlagSpec {
    pub name: &'static str,
    /// A switch needs no value.
    pub switch: bool,
}

/// The command line, taken apart.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Flags of the program, by name.
    pub own: BTreeMap<String, String>,
    /// Flags of settings, in the order given.
    pub settings: Vec<(String, String)>,
    /// Words that are no flags.
    pub words: Vec<String>,
}

impl Arguments {
    pub fn switch(&self, name: &str) -> bool {
        self.own.get(name).is_some_and(|value| is_true(value))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }
}

pub(crate) fn is_true(text: &str) -> bool {
    matches!(text, "true" | "t" | "T" | "TRUE" | "True" | "1")
}

/// `own` are the program's flags; `is_switch` tells whether a setting's flag may stand without a
/// value. Fails with the text to show.
pub fn parse_arguments(
    arguments: &[String],
    own: &[FlagSpec],
    is_switch: impl Fn(&str) -> bool,
) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            parsed.words.extend(rest.cloned());
            break;
        }
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            parsed.words.push(argument.clone());
            continue;
        };
        let (name, given) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(format!("bad flag syntax: {argument}"));
        }
        let program = own.iter().find(|spec| spec.name == name);
        let switch = program.map_or_else(|| is_switch(name), |spec| spec.switch);
        let value = match given {
            Some(value) => value,
            None if switch => "true".to_owned(),
            None => rest.next().cloned().ok_or_else(|| format!("flag needs a value: -{name}"))?,
        };
        if program.is_some() {
            parsed.own.insert(name.to_owned(), value);
        } else {
            parsed.settings.push((name.to_owned(), value));
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[FlagSpec] =
        &[FlagSpec { name: "config.file", switch: false }, FlagSpec { name: "version", switch: true }];

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        parse_arguments(&arguments, OWN, |name| name == "auth.enabled")
    }

    #[test]
    fn go_forms() {
        let parsed = parse(&[
            "-config.file=a.yaml",
            "--server.http-listen-port",
            "-1",
            "-auth.enabled",
            "-version=false",
            "metrics",
            "--",
            "-list",
        ])
        .unwrap();
        assert_eq!(parsed.value("config.file"), Some("a.yaml"));
        assert!(!parsed.switch("version"));
        assert_eq!(
            parsed.settings,
            [("server.http-listen-port".into(), "-1".into()), ("auth.enabled".into(), "true".into())]
        );
        assert_eq!(parsed.words, ["metrics", "-list"]);
    }

    #[test]
    fn refusals() {
        assert_eq!(parse(&["-config.file"]).unwrap_err(), "flag needs a value: -config.file");
        assert_eq!(parse(&["-"]).unwrap_err(), "bad flag syntax: -");
        assert_eq!(parse(&["---x"]).unwrap_err(), "bad flag syntax: ---x");
        assert_eq!(parse(&["-=x"]).unwrap_err(), "bad flag syntax: -=x");
    }
}
