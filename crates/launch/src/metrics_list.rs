//! `metrics list`: every metric that a process of these roles exports.

use std::process::ExitCode;
use std::sync::Arc;

use larch_runtime::Env;
use larch_telemetry::{inventory_json, inventory_table};
use object_store::memory::InMemory;

use crate::program::{Program, say, say_error};
use crate::run::{assemble, registry};
use crate::settings::Loaded;

/// Puts the process together without starting it, which declares all metrics.
pub(crate) fn show(program: &Program, loaded: Loaded, as_json: bool) -> ExitCode {
    let listed = registry(&loaded.shared).and_then(|metrics| {
        assemble(program, loaded, &Env::system(), &metrics, None, Arc::new(InMemory::new()))
            .map_err(|error| error.to_string())?;
        Ok(metrics.inventory())
    });
    match listed {
        Ok(inventory) if as_json => say(&inventory_json(&inventory)),
        Ok(inventory) => say(&inventory_table(&inventory)),
        Err(error) => {
            say_error(&format!("{error}\n"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
