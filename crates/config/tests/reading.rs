//! The way from sources to sections, on a small configuration of two blocks.

use std::collections::BTreeMap;

use larch_config::{Environment, Input, Problems, Reader, Schema, Tree, difference, parse_yaml, to_yaml};
use larch_types::{ByteSize, Fate, InvalidSetting, NamedFile, OldKey, Secret, Section, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Top {
    target: String,
    auth_enabled: bool,
}

impl Default for Top {
    fn default() -> Self {
        Self { target: "all".to_owned(), auth_enabled: true }
    }
}

impl Section for Top {}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Fast,
    Exact,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rule {
    selector: String,
    period: Span,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Server {
    port: u16,
    ratio: f64,
    timeout: Span,
    max_size: ByteSize,
    password: Secret,
    cert_file: String,
    mode: Mode,
    tags: Vec<String>,
    rules: Vec<Rule>,
    headers: BTreeMap<String, i32>,
    wal: Wal,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wal {
    enabled: bool,
    dir: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            port: 3100,
            ratio: 0.5,
            timeout: Span::from_secs(30),
            max_size: ByteSize::mib(4),
            password: Secret::default(),
            cert_file: String::new(),
            mode: Mode::Fast,
            tags: Vec::new(),
            rules: Vec::new(),
            headers: BTreeMap::new(),
            wal: Wal::default(),
        }
    }
}

impl Section for Server {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey { path: "listen", fate: Fate::MovedTo("server.port") },
        OldKey { path: "pings", fate: Fate::Meaningless("there are no pings") },
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(!self.timeout.is_zero(), "timeout", "must be above 0")
    }

    fn files(&self) -> Vec<NamedFile> {
        if self.cert_file.is_empty() {
            return Vec::new();
        }
        vec![NamedFile { key: "cert_file".to_owned(), path: self.cert_file.clone().into() }]
    }
}

struct Outcome {
    top: Top,
    server: Server,
    warnings: Vec<String>,
    effective: larch_config::Effective,
}

fn read(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Outcome, Problems> {
    let mut schema = Schema::default();
    schema.block::<Top>("");
    schema.block::<Server>("server");
    schema.foreign("ruler");
    let environment = Environment::from_pairs(environment.iter().copied());
    let flags: Vec<(String, String)> =
        flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let input = Input {
        file: Some(parse_yaml("c.yaml", file)?),
        environment: &environment,
        flags: &flags,
        irregular_flags: &[("auth.enabled", "auth_enabled")],
    };
    let mut tree = Tree::merge(&schema, input)?;
    tree.apply_old_keys(&schema);
    tree.derive("server.wal.dir", "/data/wal", "common.path_prefix");
    let mut reader = Reader::new(&schema, &tree);
    let top = reader.section("");
    let server = reader.section("server");
    let effective = reader.finish()?;
    let warnings = tree.warnings().iter().map(ToString::to_string).collect();
    Ok(Outcome { top, server, warnings, effective })
}

#[track_caller]
fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    match read(file, environment, flags) {
        Ok(_) => panic!("accepted: {file}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn defaults_file_environment_flags_in_that_order() {
    let file = "server: {port: 1, timeout: 1s, ratio: 1, wal: {enabled: true}}";
    let environment = [("LARCH__SERVER__TIMEOUT", "2s"), ("LARCH__SERVER__RATIO", "2")];
    let outcome = read(file, &environment, &[("server.ratio", "3"), ("auth.enabled", "false")]).unwrap();
    let server = outcome.server;
    assert_eq!((server.port, server.timeout, server.ratio), (1, Span::from_secs(2), 3.0));
    assert_eq!(server.max_size, ByteSize::mib(4));
    assert_eq!(server.wal, Wal { enabled: true, dir: "/data/wal".to_owned() });
    assert_eq!(outcome.top, Top { target: "all".to_owned(), auth_enabled: false });
}

#[test]
fn a_derived_value_yields_to_every_source() {
    let outcome = read("server: {wal: {dir: own}}", &[], &[]).unwrap();
    assert_eq!(outcome.server.wal.dir, "own");
    let outcome = read("", &[("LARCH__SERVER__WAL__DIR", "env")], &[]).unwrap();
    assert_eq!(outcome.server.wal.dir, "env");
}

#[test]
fn values_take_every_written_form() {
    let file = "
server:
  port: '8080'
  max_size: 1.572864e+06
  timeout:
  mode: exact
  tags: a, b
  rules: [{selector: '{a=\"b\"}', period: 1w}]
  headers: {x: 1, y: 2}
ruler: {whatever: [1, {deep: true}]}
";
    let server = read(file, &[], &[("server.wal.enabled", "true"), ("server.tags", "c")]).unwrap().server;
    assert_eq!(server.port, 8080);
    assert_eq!(server.max_size, ByteSize::kib(1536));
    assert_eq!(server.timeout, Span::from_secs(30), "a key without a value keeps its default");
    assert_eq!(server.mode, Mode::Exact);
    assert_eq!(server.tags, ["c"]);
    assert_eq!(server.rules, [Rule { selector: "{a=\"b\"}".to_owned(), period: Span::from_days(7) }]);
    assert_eq!(server.headers, BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]));
    let flags = [("server.tags", "a,b"), ("server.tags", "c"), ("server.headers", "{x: 7}")];
    let server = read("", &[], &flags).unwrap().server;
    assert_eq!(server.tags, ["a", "b", "c"]);
    assert_eq!(server.headers, BTreeMap::from([("x".to_owned(), 7)]));
}

#[test]
fn refusals_name_place_key_and_remedy() {
    for (file, want) in [
        ("server: {prot: 1}", "c.yaml:1: server.prot: unknown key; the nearest valid key is port"),
        ("sever: {port: 1}", "c.yaml:1: sever: unknown key; the nearest valid key is server"),
        ("enabled: true", "c.yaml:1: enabled: unknown key; a key of this name exists as server.wal.enabled"),
        ("server:\n  zzzzzzzz: 1", "c.yaml:2: server.zzzzzzzz: unknown key"),
        ("server: {port: abc}", "c.yaml:1: server.port: expected a whole number, found \"abc\""),
        ("server: {port: 70000}", "c.yaml:1: server.port: 70000 is not between 0 and 65535"),
        ("server: {port: [1]}", "c.yaml:1: server.port: expected a whole number, found a list"),
        ("server: {ratio: much}", "c.yaml:1: server.ratio: expected a number, found \"much\""),
        ("server:\n  timeout: soon", "c.yaml:2: server.timeout: not a valid duration string: \"soon\""),
        ("server: {timeout: 0}", "c.yaml:1: server.timeout: must be above 0"),
        ("server: {mode: slow}", "c.yaml:1: server.mode: \"slow\" is not one of fast, exact"),
        ("server: {tags: {a: 1}}", "c.yaml:1: server.tags: expected a list, found a mapping"),
        ("server: {wal: on}", "c.yaml:1: server.wal: expected a mapping of keys, found \"on\""),
        (
            "server: {wal: {enabled: maybe}}",
            "c.yaml:1: server.wal.enabled: expected true or false, found \"maybe\"",
        ),
        (
            "server:\n  rules:\n    - {selector: x}\n    - {periode: 1d}",
            "c.yaml:4: server.rules.1.periode: unknown key; the nearest valid key is period",
        ),
        ("server: {headers: {x: one}}", "c.yaml:1: server.headers.x: expected a whole number, found \"one\""),
        ("[1]", "c.yaml:1: expected a mapping of keys, found a list"),
        ("auth_enabled: 7", "c.yaml:1: auth_enabled: expected true or false, found \"7\""),
        (
            "server: {cert_file: /nowhere/cert.pem}",
            "c.yaml:1: server.cert_file: cannot read /nowhere/cert.pem: No such file or directory (os error 2)",
        ),
        (
            "server: {prot: 1, tmieout: 2s}\nsever: {}",
            "c.yaml:2: sever: unknown key; the nearest valid key is server\n\
             c.yaml:1: server.prot: unknown key; the nearest valid key is port\n\
             c.yaml:1: server.tmieout: unknown key; the nearest valid key is timeout",
        ),
    ] {
        assert_eq!(refused(file, &[], &[]), want, "{file}");
    }
    let max_size = refused("server: {max_size: 1.5MB}", &[], &[]);
    assert!(
        max_size.starts_with("c.yaml:1: server.max_size: not a valid size: \"1.5MB\", expected "),
        "{max_size}"
    );
}

#[test]
fn environment_and_flags_are_named_too() {
    assert_eq!(
        refused("", &[("LARCH__SERVER__PORT", "x")], &[]),
        "environment variable LARCH__SERVER__PORT: server.port: expected a whole number, found \"x\""
    );
    assert_eq!(
        refused("", &[("LARCH__SERVER__PROT", "1")], &[]),
        "environment variable LARCH__SERVER__PROT: unknown setting; the nearest valid one is server.port"
    );
    assert_eq!(
        refused("", &[], &[("server.prot", "1"), ("x", "1")]),
        "flag -server.prot: unknown flag; the nearest valid one is server.port\nflag -x: unknown flag"
    );
    assert_eq!(
        refused("", &[], &[("server.headers", "{x: [")]).lines().count(),
        1,
        "broken YAML in a flag is one problem"
    );
}

#[test]
fn old_keys_move_or_vanish_with_one_warning() {
    let outcome = read("server:\n  listen: 7\n  pings: {every: 1s, deep: {er: 2}}", &[], &[]).unwrap();
    assert_eq!(outcome.server.port, 7);
    assert_eq!(
        outcome.warnings,
        [
            "c.yaml:2: server.listen: deprecated config key, read as server.port",
            "c.yaml:3: server.pings: ignored: there are no pings",
        ]
    );
    let outcome = read("server: {listen: 7, port: 8}", &[], &[]).unwrap();
    assert_eq!(outcome.server.port, 8);
    assert_eq!(
        outcome.warnings,
        ["c.yaml:1: server.listen: deprecated config key, ignored because server.port is set"]
    );
    assert_eq!(
        refused("server: {listen: x}", &[], &[]),
        "c.yaml:1: server.port: expected a whole number, found \"x\""
    );
    assert_eq!(read("", &[], &[("server.listen", "9")]).unwrap().server.port, 9);
}

#[test]
fn secrets_are_never_shown() {
    let outcome = read("server: {password: hunter2, port: 1}", &[], &[]).unwrap();
    assert_eq!(outcome.server.password.reveal(), "hunter2");
    let shown = to_yaml(&outcome.effective.settings);
    assert!(shown.contains("password: \"********\"") && !shown.contains("hunter2"), "{shown}");
    let differing = to_yaml(&difference(&outcome.effective.settings, &outcome.effective.defaults));
    assert_eq!(differing, "server:\n  port: 1\n  password: \"********\"\n  wal:\n    dir: /data/wal\n");
}

/// Mutates documents that parse; whatever comes out, the answer is a tree or a refusal.
#[test]
fn wild_text_never_panics() {
    let corpus = [
        "server: {port: 1, rules: [{selector: a}]}\n",
        "a: &x\n  - 1\n  - |\n    text\nb: *x\nc:\n  <<: {k: v}\n",
        "---\n\"q\\u00e4\": 'it''s'\n? k\n: v\n...\n",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (bound.max(1) as u64)).unwrap()
    };
    for round in 0..20_000 {
        let mut bytes = corpus[round % corpus.len()].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = b" :-[]{}#&*!|>'\"%@`,?\n\t0aA\x00\xff"[random(27)],
                1 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                bytes.push(b'a');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        drop(read(&text, &[], &[]));
        drop(larch_config::expand_environment("f", &text, &Environment::default()));
    }
}
