//! Configuration files against the built binary: those that people run start, those with mistakes are
//! refused with the place and the remedy.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test is told by its environment whether to update its table"
)]

use std::path::Path;
use std::process::{Command, Output};

fn larch(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larch"));
    command.current_dir(folder).env_clear();
    command
}

/// Everything that the command says, and whether it succeeded.
fn said(output: &Output) -> (bool, String) {
    (output.status.success(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// Fixtures are read where they are; the working directory is empty.
fn verify_fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixtures.join(name), folder.path().join(name)).unwrap();
    let output = larch(folder.path())
        .env("OVERRIDES", fixtures.join("overrides.yaml"))
        .args([&format!("-config.file={name}"), "-config.expand-env", "-verify-config"])
        .output()
        .unwrap();
    let (success, text) = said(&output);
    assert!(success, "{name}: {text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "verifying writes nothing");
    text
}

#[test]
fn configurations_that_people_run_are_valid_with_warnings() {
    for name in ["compose-v11-boltdb.yaml", "microservices-memberlist.yaml", "single-v13-tsdb.yaml"] {
        let text = verify_fixture(name);
        let (warnings, verdict) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(verdict, "config is valid");
        for line in warnings.lines() {
            assert!(line.starts_with(&format!("warning: {name}:")), "{line}");
        }
    }
    assert_eq!(verify_fixture("everything-in-common.yaml"), "config is valid\n");
}

#[test]
fn what_has_no_effect_is_said_where_it_is_asked_for() {
    let text = verify_fixture("without-effect.yaml");
    let mut places: Vec<&str> = text.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    places.sort_unstable();
    let lines = [11, 2, 5, 7].map(|line| format!("without-effect.yaml:{line}"));
    assert_eq!(places, lines, "{text}");
    assert_eq!(text.matches("has no effect: ").count(), 4, "{text}");
    assert!(text.ends_with("config is valid\n"));
}

#[test]
fn old_settings_take_effect() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let shown = |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = larch(folder.path())
            .env("OVERRIDES", fixtures.join("overrides.yaml"))
            .arg(format!("-config.file={}", fixtures.join(name).display()))
            .args(["-config.expand-env", "-verify-config", "-print-config-stderr"])
            .output()
            .unwrap();
        said(&output).1
    };
    for (name, block, lines) in [
        ("compose-v11-boltdb.yaml", "limits_config", vec!["  retention_period: 30d"]),
        ("compose-v11-boltdb.yaml", "compactor", vec!["  retention_enabled: true"]),
        ("microservices-memberlist.yaml", "querier", vec!["  multi_tenant_queries_enabled: true"]),
        ("microservices-memberlist.yaml", "limits_config", vec!["  query_timeout: 5m"]),
        ("microservices-memberlist.yaml", "runtime_config", vec!["  period: 10s"]),
        (
            "microservices-memberlist.yaml",
            "query_range",
            vec!["        enabled: true", "        max_size_items: 1024", "        ttl: 1d"],
        ),
        ("microservices-memberlist.yaml", "common", vec!["  replication_factor: 3"]),
        (
            "everything-in-common.yaml",
            "ingester",
            vec![
                "      replication_factor: 2",
                "    num_tokens: 64",
                "    heartbeat_period: 7s",
                "    availability_zone: a",
                "    address: \"10.0.0.1\"",
                "    tokens_file_path: /loki/tokens",
                "    dir: /loki/wal",
            ],
        ),
        ("everything-in-common.yaml", "ruler", vec!["      store: inmemory", "    heartbeat_timeout: 2m"]),
        ("everything-in-common.yaml", "compactor", vec!["  working_directory: /loki/compactor"]),
    ] {
        let text = shown(name);
        let begin = text.find(&format!("\n{block}:\n")).unwrap_or_else(|| panic!("{block} is not in {text}"));
        let body: Vec<&str> =
            text[begin + 1..].lines().skip(1).take_while(|line| line.starts_with(' ')).collect();
        for line in lines {
            assert!(body.contains(&line), "{name}: {line:?} is not below {block}:\n{}", body.join("\n"));
        }
    }
}

/// The cases of the table: name, file, what is said.
fn bad_cases(table: &str) -> Vec<(String, String, String)> {
    let mut cases = Vec::new();
    for case in table.split("\n### ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (file, said) = rest.split_once("\n---\n").unwrap_or((rest.trim_end_matches("\n---"), ""));
        cases.push((name.to_owned(), file.replace("---8<---", "---"), said.trim_end().to_owned()));
    }
    cases
}

/// With `UPDATE_EXPECT` set, the table is written anew; the change is then reviewed as a diff.
#[test]
fn mistakes_are_refused_with_place_and_remedy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_configs.txt");
    let table = std::fs::read_to_string(&path).unwrap();
    let cases = bad_cases(&table);
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut updated = table.split("\n### ").next().unwrap().to_owned();
    let mut wrong = Vec::new();
    for (name, file, want) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.yaml"), &file).unwrap();
        let output = larch(folder.path()).args(["-config.file=bad.yaml", "-verify-config"]).output().unwrap();
        let (success, text) = said(&output);
        let text = text.trim_end();
        if success || text != want {
            wrong.push(format!("{name}: {text}"));
        }
        let file = file.replace("\n---\n", "\n---8<---\n");
        updated.push_str(&format!("\n### {name}\n{file}\n---\n{text}\n"));
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, updated).unwrap();
    }
    assert!(wrong.is_empty(), "not as the table has it:\n{}", wrong.join("\n"));
}
