use std::fs;
use std::path::Path;

use super::*;
use crate::repository::find_root;
use crate::scratch::Scratch;

const MANIFEST: &str = "\
[package]
name = \"NAME\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true
";

/// A small repository in which everything is in order.
struct Repository(Scratch);

impl Repository {
    fn new() -> Self {
        let repository = Self(Scratch::new());
        repository.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"services/*\", \"crates/*\", \"tests\"]\n\
             [workspace.package]\nversion = \"1.0.0\"\nedition = \"2024\"\nrust-version = \"1.95\"\n\
             license = \"Apache-2.0\"\npublish = false\n\
             [workspace.lints.rust]\nunsafe_code = \"deny\"\n\
             [workspace.dependencies]\nregex = \"1\"\n\
             larch-types = { path = \"crates/types\" }\nlarch-wal = { path = \"crates/wal\" }\n\
             larch-testkit = { path = \"crates/testkit\" }\nlarch-ruler = { path = \"services/ruler\" }\n\
             larch-querier = { path = \"services/querier\" }\n",
        );
        repository.write(
            "xtask/layers.toml",
            "[larch-types]\ntier = 0\nmay_use = []\n\
             [larch-wal]\ntier = 2\nmay_use = [\"larch-types\"]\n\
             [larch-ruler]\ntier = 5\nmay_use = [\"larch-types\", \"larch-wal\"]\n\
             [larch-querier]\ntier = 5\nmay_use = [\"larch-types\"]\n\
             [larch]\ntier = 6\nmay_use = [\"larch-ruler\", \"larch-querier\"]\n\
             [larch-testkit]\nmay_use = [\"larch-types\", \"larch-wal\"]\n\
             [larch-tests]\nmay_use = [\"larch-testkit\"]\n",
        );
        repository.write("xtask/ratchet/files.txt", "# None.\n");
        repository.write("xtask/ratchet/functions.txt", "");
        repository.write(".gitignore", "/target\n");
        repository.package("crates/types", "larch-types", "[dependencies]\nregex.workspace = true\n");
        repository.package("crates/testkit", "larch-testkit", "[dependencies]\nlarch-wal.workspace = true\n");
        repository.package("services/ruler", "larch-ruler", "[dependencies]\nlarch-wal.workspace = true\n");
        repository.package("services/querier", "larch-querier", "");
        repository.package(
            "services/larch",
            "larch",
            "[dependencies]\nlarch-ruler.workspace = true\nlarch-querier.workspace = true\n",
        );
        repository.package("tests", "larch-tests", "[dependencies]\nlarch-testkit.workspace = true\n");
        repository.wal(
            "[dependencies]\nlarch-types.workspace = true\n\
             [dev-dependencies]\nlarch-testkit.workspace = true\n",
        );
        repository
    }

    fn root(&self) -> &Path {
        self.0.root()
    }

    fn write(&self, path: &str, text: &str) {
        self.0.write(path, text);
    }

    fn package(&self, folder: &str, name: &str, dependencies: &str) {
        self.write(&format!("{folder}/Cargo.toml"), &(MANIFEST.replace("NAME", name) + dependencies));
        self.write(&format!("{folder}/src/lib.rs"), "//! A crate.\n");
    }

    /// The package that most tests change.
    fn wal(&self, dependencies: &str) {
        self.package("crates/wal", "larch-wal", dependencies);
    }

    /// Replaces a piece of a file that must be there.
    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.0.read(path);
        assert!(text.contains(from), "{path} has no {from}");
        self.write(path, &text.replace(from, to));
    }

    /// The offences are these: place, and a part of the message.
    #[track_caller]
    fn check(&self, want: &[(&str, &str)]) {
        let got: Vec<String> = check_sources(self.root()).unwrap().iter().map(Offence::to_string).collect();
        assert_eq!(got.len(), want.len(), "{got:#?}");
        for (got, (place, message)) in got.iter().zip(want) {
            assert!(got.starts_with(&format!("{place}: ")), "{got} is not at {place}");
            assert!(got.contains(message), "{got} does not say {message}");
        }
    }
}

/// A source with a module doc and `lines` lines altogether.
fn source(lines: usize) -> String {
    String::from("//! A module.\n") + &"// A line.\n".repeat(lines - 1)
}

/// A function of `lines` lines.
fn function(name: &str, lines: usize) -> String {
    format!("fn {name}() {{\n{}}}\n", "// A line.\n".repeat(lines - 2))
}

/// All but the metric names, which `cargo xtask ci` compares after these tests have built larch.
#[test]
fn this_repository_is_tidy() {
    let root = find_root(Path::new(".")).unwrap();
    let offences = check_sources(&root).unwrap();
    assert!(offences.is_empty(), "{}", report(&offences));
}

#[test]
fn a_clean_repository_is_clean() {
    Repository::new().check(&[]);
}

#[test]
fn an_arrow_that_is_not_listed() {
    let repository = Repository::new();
    repository.edit(
        "xtask/layers.toml",
        "[larch-wal]\ntier = 2\nmay_use = [\"larch-types\"]",
        "[larch-wal]\ntier = 2\nmay_use = []",
    );
    repository
        .check(&[("crates/wal/Cargo.toml:12", "the normal dependency of `larch-wal` on `larch-types`")]);
    repository.wal("[build-dependencies]\nlarch-types.workspace = true\n");
    repository.check(&[("crates/wal/Cargo.toml:12", "the build dependency")]);
    repository.wal("[target.'cfg(unix)'.dependencies]\nlarch-types.workspace = true\n");
    repository.check(&[("crates/wal/Cargo.toml:12", "the normal dependency")]);
    // For its tests it may use any lower tier.
    repository.wal("[dev-dependencies]\nlarch-types.workspace = true\n");
    repository.check(&[]);
}

#[test]
fn a_dev_dependency_upwards() {
    let repository = Repository::new();
    repository.package("crates/types", "larch-types", "[dev-dependencies]\nlarch-wal.workspace = true\n");
    repository.check(&[("crates/types/Cargo.toml:12", "the dev dependency of `larch-types` on `larch-wal`")]);
}

#[test]
fn the_testkit_is_for_tests() {
    let repository = Repository::new();
    repository.wal("[dependencies]\nlarch-testkit.workspace = true\n");
    repository.edit("crates/testkit/Cargo.toml", "larch-wal", "larch-types");
    repository
        .check(&[("crates/wal/Cargo.toml:12", "the normal dependency of `larch-wal` on `larch-testkit`")]);
    repository.edit("xtask/layers.toml", "tier = 2\nmay_use = [", "tier = 2\nmay_use = [\"larch-testkit\", ");
    repository
        .check(&[("xtask/layers.toml:4", "may not use `larch-testkit`, which stands outside the tiers")]);
}

#[test]
fn services_do_not_meet() {
    let repository = Repository::new();
    repository.package(
        "services/querier",
        "larch-querier",
        "[dev-dependencies]\nlarch-ruler.workspace = true\n",
    );
    repository.check(&[("services/querier/Cargo.toml:12", "names the service `larch-ruler`")]);
    repository.package("services/querier", "larch-querier", "");
    repository.edit(
        "xtask/layers.toml",
        "tier = 5\nmay_use = [\"larch-types\"]",
        "tier = 5\nmay_use = [\"larch-ruler\"]",
    );
    repository.check(&[(
        "xtask/layers.toml:10",
        "`larch-querier` may not use `larch-ruler`, which is another service",
    )]);
}

#[test]
fn an_end_to_end_test_names_no_service() {
    let repository = Repository::new();
    repository.package("tests", "larch-tests", "[dev-dependencies]\nlarch-ruler.workspace = true\n");
    repository.check(&[("tests/Cargo.toml:12", "the dev dependency of `larch-tests` on `larch-ruler`")]);
}

#[test]
fn the_list_of_arrows_and_the_packages_agree() {
    let repository = Repository::new();
    repository.package("crates/ring", "larch-ring", "");
    repository.check(&[("crates/ring/Cargo.toml:1", "`larch-ring` is not in xtask/layers.toml")]);
    repository.edit(
        "xtask/layers.toml",
        "[larch-testkit]",
        "[larch-ring]\ntier = 0\nmay_use = [\"larch-wal\", \"larch-gone\"]\n\
         [larch-gone]\nmay_use = []\n[larch-testkit]",
    );
    repository.check(&[
        ("xtask/layers.toml:16", "`larch-ring` may not use `larch-gone`, which is no package"),
        ("xtask/layers.toml:16", "`larch-ring` may not use `larch-wal`, which is of a higher tier"),
        ("xtask/layers.toml:19", "there is no package `larch-gone`"),
    ]);
}

#[test]
fn a_list_of_arrows_with_a_slip() {
    for (slip, message) in [
        ("tier = \"low\"\nmay_use = []", "`tier` is a number"),
        ("tier = 0\nuses = []", "`uses` is neither"),
        ("tier = 0", "`may_use` is missing"),
        ("may_use = [1]", "lists names"),
    ] {
        let repository = Repository::new();
        repository.package("crates/ring", "larch-ring", "");
        repository.edit(
            "xtask/layers.toml",
            "[larch-testkit]",
            &format!("[larch-ring]\n{slip}\n[larch-testkit]"),
        );
        repository.check(&[("xtask/layers.toml:16", message)]);
    }
}

#[test]
fn a_manifest_that_does_not_inherit() {
    let repository = Repository::new();
    let path = "crates/wal/Cargo.toml";
    repository.edit(path, "[lints]\nworkspace = true\n", "");
    repository.check(&[(&format!("{path}:1"), "does not inherit the lints")]);
    repository.wal("");
    repository.edit(path, "license.workspace = true", "license = \"MIT\"");
    repository.edit(path, "publish.workspace = true\n", "");
    repository.check(&[
        (&format!("{path}:1"), "does not inherit its publish"),
        (&format!("{path}:6"), "does not inherit its license"),
    ]);
}

#[test]
fn a_dependency_with_a_version_of_its_own() {
    let repository = Repository::new();
    repository.wal(
        "[dependencies]\nregex = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\nbytes = { version = \"1\" }\n",
    );
    repository.check(&[
        ("crates/wal/Cargo.toml:12", "`regex` says itself where it comes from"),
        ("crates/wal/Cargo.toml:14", "`bytes` says itself where it comes from"),
    ]);
    repository.wal("[dependencies]\nlarch-types = { path = \"../types\" }\n");
    repository.check(&[("crates/wal/Cargo.toml:12", "`larch-types` says itself")]);
}

#[test]
fn a_folder_with_another_name() {
    let repository = Repository::new();
    let list = repository.0.read("xtask/layers.toml");
    repository.write("xtask/layers.toml", &(list + "[larch-log]\ntier = 1\nmay_use = []\n"));
    repository.package("crates/journal", "larch-log", "");
    repository.check(&[("crates/journal/Cargo.toml:2", "is called `larch-journal`, not `larch-log`")]);
    fs::remove_dir_all(repository.root().join("crates/journal")).unwrap();
    repository.edit("Cargo.toml", "\"tests\"", "\"tests\", \"log\"");
    repository.package("log", "larch-log", "");
    repository.check(&[("log/Cargo.toml:2", "no package lives in `log`")]);
}

#[test]
fn a_source_without_a_module_doc() {
    let repository = Repository::new();
    for (path, text) in [
        ("crates/wal/src/a.rs", "fn a() {}\n"),
        ("crates/wal/src/b.rs", "\n//! Late.\n"),
        ("crates/wal/src/c.rs", "//! .\n"),
        ("crates/wal/src/d.rs", ""),
        ("crates/wal/src/a/tests.rs", "use super::*;\n"),
        ("crates/wal/tests/fixtures/e.rs", "fn e() {}\n"),
        ("crates/wal/tests/f.rs", "fn f() {}\n"),
        ("target/debug/g.rs", "fn g() {}\n"),
    ] {
        repository.write(path, text);
    }
    let message = "does not begin with a module doc";
    repository.check(&[
        ("crates/wal/src/a.rs:1", message),
        ("crates/wal/src/b.rs:1", message),
        ("crates/wal/src/c.rs:1", message),
        ("crates/wal/src/d.rs:1", message),
        ("crates/wal/tests/f.rs:1", message),
    ]);
}

#[test]
fn a_file_over_budget() {
    let repository = Repository::new();
    repository.write("crates/wal/src/a.rs", &source(500));
    repository.check(&[]);
    repository.write("crates/wal/src/a.rs", &source(501));
    repository.check(&[("crates/wal/src/a.rs:1", "this file has 501 lines outside tests, 500 are allowed")]);
}

#[test]
fn tests_do_not_count() {
    let repository = Repository::new();
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function("long", 200));
    repository.write("crates/wal/src/a.rs", &(source(499) + "#[cfg(test)] mod fakes;\n" + &tests));
    for path in [
        "crates/wal/src/a/tests.rs",
        "crates/wal/src/a/fakes.rs",
        "crates/wal/src/a/fakes/b.rs",
        "tests/src/c.rs",
    ] {
        repository.write(path, &(source(600) + &function("long", 200)));
    }
    repository.check(&[]);
    repository.edit("crates/wal/src/a.rs", "#[cfg(test)] mod fakes;", "mod fakes;");
    let file = "this file has 800 lines";
    let function = "this function has 200 lines";
    repository.check(&[
        ("crates/wal/src/a/fakes.rs:1", file),
        ("crates/wal/src/a/fakes.rs:601", function),
        ("crates/wal/src/a/fakes/b.rs:1", file),
        ("crates/wal/src/a/fakes/b.rs:601", function),
    ]);
}

#[test]
fn a_function_over_budget() {
    let repository = Repository::new();
    repository.write("crates/wal/src/a.rs", &(source(1) + &function("fits", 70) + &function("long", 71)));
    repository
        .check(&[("crates/wal/src/a.rs:72", "this function has 71 lines outside tests, 70 are allowed")]);
}

#[test]
fn the_ratchet_only_shrinks() {
    let repository = Repository::new();
    let list = "xtask/ratchet/files.txt";
    repository.write("crates/wal/src/a.rs", &source(510));
    repository.write(list, "510 crates/wal/src/a.rs\n");
    repository.check(&[]);
    repository.write(list, "509 crates/wal/src/a.rs\n");
    repository.check(&[("crates/wal/src/a.rs:1", "grew from 509 to 510 lines")]);
    repository.write(list, "# One.\n511 crates/wal/src/a.rs\n");
    repository.check(&[(&format!("{list}:2"), "has only 510 lines now: write 510")]);
    repository.write(list, "510 crates/wal/src/a.rs\n510 crates/wal/src/a.rs\nlong crates/wal/src/a.rs\n");
    repository.check(&[(&format!("{list}:2"), "is listed twice"), (&format!("{list}:3"), "is not a number")]);
    repository.write("crates/wal/src/a.rs", &source(500));
    repository.write(list, "510 crates/wal/src/a.rs\n600 crates/wal/src/gone.rs\n");
    repository.check(&[
        (&format!("{list}:1"), "is within the budget now: remove this line"),
        (&format!("{list}:2"), "there is no `crates/wal/src/gone.rs` any more"),
    ]);
}

#[test]
fn the_ratchet_of_functions_goes_by_path_and_name() {
    let repository = Repository::new();
    let list = "xtask/ratchet/functions.txt";
    repository.write("crates/wal/src/a.rs", &(source(1) + &function("long", 72) + &function("long", 80)));
    repository.write(list, "80 crates/wal/src/a.rs long\n");
    repository.check(&[]);
    repository.write(list, "72 crates/wal/src/a.rs long\n");
    repository.check(&[("crates/wal/src/a.rs:74", "this function grew from 72 to 80 lines")]);
}

#[test]
fn banned_code() {
    let repository = Repository::new();
    for (code, named) in [
        ("todo!()", "todo!("),
        ("unimplemented!(\"x\")", "unimplemented!("),
        ("dbg!(x)", "dbg!("),
        ("#[ignore]", "#[ignore"),
        ("#[ignore = \"slow\"]", "#[ignore"),
        ("#[cfg(not(test))]", "cfg(not(test))"),
        ("if cfg!(not(test)) {}", "cfg!(not(test))"),
    ] {
        repository.write(
            "crates/wal/src/a.rs",
            &format!("//! A.\n// {code}\nconst A: &str = r#\"{code}\"#;\n{code}\n"),
        );
        repository.check(&[("crates/wal/src/a.rs:4", &format!("`{named}`: "))]);
    }
}

#[test]
fn banned_words() {
    let repository = Repository::new();
    let word = ["TO", "DO"].concat();
    repository.write("crates/wal/src/a.rs", &format!("//! A.\n// MY{word}S, {word}_X.\n"));
    repository.write("docs/a.md", &format!("{word}\n"));
    repository.check(&[]);
    repository.write("crates/wal/src/a.rs", &format!("//! A.\n// {word}: this.\n"));
    repository.write("run", &format!("# {}\n", ["FIX", "ME"].concat()));
    repository.check(&[("crates/wal/src/a.rs:2", "do it, or write down"), ("run:1", "do it, or write down")]);
}

#[test]
fn banned_paths() {
    let repository = Repository::new();
    let home = ["", "home", "ann", "x"].join("/");
    for line in [
        "a/home/b",
        "https://x.y/home/z",
        "${A}/home/b",
        "/loki/api",
        "/var/log/x",
        "/homes/a",
        "/home",
        "../home/a",
    ] {
        repository.write("docs/a.md", line);
        repository.check(&[]);
    }
    for line in [home.clone(), format!("see `{home}`."), format!("-v {home}:/x"), format!("\"{home}\"")] {
        repository.write("docs/a.md", &line);
        repository.check(&[("docs/a.md:1", &home)]);
    }
}

#[test]
fn a_report_counts() {
    assert_eq!(report(&[]), "tidy: everything is in order");
    let offence = Offence::new("a", 3, "b");
    assert_eq!(report(std::slice::from_ref(&offence)), "a:3: b\ntidy: 1 offence");
    assert_eq!(report(&[offence.clone(), offence]), "a:3: b\na:3: b\ntidy: 2 offences");
}
