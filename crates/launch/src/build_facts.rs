//! Which build this is. Packagers set the variables when they compile.

use larch_runtime::BuildFacts;
use larch_telemetry::BuildInfo;

/// Larch's own version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of Loki whose interfaces are served: Grafana enables features by it.
pub const INTERFACE_VERSION: &str = "3.7.0";

const REVISION: &str = or_unknown(option_env!("LARCH_BUILD_REVISION"));
const BRANCH: &str = or_unknown(option_env!("LARCH_BUILD_BRANCH"));
const USER: &str = or_unknown(option_env!("LARCH_BUILD_USER"));
const DATE: &str = or_unknown(option_env!("LARCH_BUILD_DATE"));
const COMPILER: &str = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"));

const fn or_unknown(given: Option<&'static str>) -> &'static str {
    match given {
        Some(given) => given,
        None => "unknown",
    }
}

pub(crate) const fn facts() -> BuildFacts {
    BuildFacts {
        interface_version: INTERFACE_VERSION,
        revision: REVISION,
        branch: BRANCH,
        user: USER,
        date: DATE,
        compiler: COMPILER,
    }
}

pub(crate) const fn info() -> BuildInfo {
    BuildInfo { version: VERSION, revision: REVISION, branch: BRANCH, compiler: COMPILER }
}

/// What `-version` shows.
pub(crate) fn version_text(program: &str) -> String {
    format!(
        "{program}, version {VERSION} (branch: {BRANCH}, revision: {REVISION})\n  build user:       {USER}\n  \
         build date:       {DATE}\n  compiler:         {COMPILER}\n  serves:           Loki {INTERFACE_VERSION}\n"
    )
}
