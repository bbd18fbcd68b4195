//! `metrics list`: every metric that a process of these roles exports.

use std::process::ExitCode;

use larch_runtime::Env;
use larch_store::Backing;
use larch_telemetry::{MetricInfo, inventory_json, inventory_table, subscriber_over};

use crate::assemble::assemble;
use crate::program::{Program, say, say_error};
use crate::run::{log_options, registry};
use crate::settings::Loaded;

pub(crate) fn show(program: &Program, loaded: Loaded, as_json: bool) -> ExitCode {
    match inventory(program, loaded) {
        Ok(inventory) if as_json => say(&inventory_json(&inventory)),
        Ok(inventory) => say(&inventory_table(&inventory)),
        Err(error) => {
            say_error(&format!("{error}\n"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Puts the process together without starting it, which declares all metrics.
fn inventory(program: &Program, loaded: Loaded) -> Result<Vec<MetricInfo>, String> {
    let env = Env::system();
    let metrics = registry(&loaded.shared)?;
    drop(subscriber_over(log_options(&loaded.shared, &env, &metrics), std::io::sink()));
    assemble(program, loaded, &env, &metrics, None, Backing::memory()).map_err(|error| error.to_string())?;
    Ok(metrics.inventory())
}
