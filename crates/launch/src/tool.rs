//! What a command line is given of an installation: the store and the catalog that the servers of the same
//! configuration file have.

use std::future::Future;

use larch_config::{Environment, parse_arguments};
use larch_runtime::Env;
use larch_store::{Catalog, Store};

use crate::assemble::{open_store, store_options};
use crate::health::chain;
use crate::overrides::TenantLimits;
use crate::program::FLAGS;
use crate::run::registry;
use crate::settings::{load, schema};

/// The stored side of an installation.
pub struct Tool {
    pub env: Env,
    pub store: Store,
    pub catalog: Catalog,
    /// Arguments that are no flags, in their order.
    pub words: Vec<String>,
}

/// Reads the settings as servers do (`-config.file`, other flags, environment), opens their store, and runs the
/// command. The error is a text for whoever called.
pub fn with_store<T, F>(arguments: &[String], command: impl FnOnce(Tool) -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let schema = schema(&mut []);
    let irregular =
        |name: &str| crate::LOKI_FLAGS.iter().find(|(flag, _)| *flag == name).map(|(_, path)| *path);
    let is_switch = |name: &str| schema.is_switch(irregular(name).unwrap_or(name));
    let arguments = parse_arguments(arguments, &FLAGS, is_switch).map_err(|error| error.to_string())?;
    let loaded = load(&schema, &arguments, &Environment::of_process(), &mut [])
        .map_err(|problems| format!("failed parsing config: {problems}"))?;
    let metrics = registry(&loaded.shared)?;
    let env = Env::system();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(|error| format!("start worker threads: {error}"))?;
    runtime.block_on(async {
        let backing = open_store(&loaded, &metrics).map_err(|error| chain(&error))?;
        let limits = TenantLimits::new(loaded.shared.limits.clone(), loaded.shared.operational.clone());
        let options = store_options(&loaded.shared, &limits).map_err(|error| chain(&error))?;
        let store = Store::new(backing, options, env.clone(), &metrics);
        let catalog = Catalog::new(store.clone(), env.clone(), &metrics);
        command(Tool { env, store, catalog, words: arguments.words }).await
    })
}
