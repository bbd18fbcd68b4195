//! Runs a process until it is told to stop, and stops it in order.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use larch_runtime::{Budgets, Env, Process, Scope, Signals};
use larch_telemetry::{
    LevelHandle, LogOptions, Options, Registry, Telemetry, TraceOptions, TracingSettings, install,
    register_build_info, register_go_aliases, register_process_metrics,
};
use tracing::{error, info, warn};

use crate::assemble::{assemble, open_store};
use crate::build_facts;
use crate::health::chain;
use crate::program::{Program, say_error};
use crate::settings::{Loaded, SharedSettings};

/// A cut uploads what only this process holds; an orchestrator that kills earlier loses nothing, because
/// the log on disk is read again.
const CUT_BUDGET: Duration = Duration::from_secs(600);
const LEAVE_BUDGET: Duration = Duration::from_secs(20);
const CLOSE_BUDGET: Duration = Duration::from_secs(5);
/// For the last spans and log lines.
const FLUSH_BUDGET: Duration = Duration::from_secs(1);

/// On a machine with few cores the steps of long reads can occupy a thread for each; then the system lets a
/// short query run on another one at once. Measured with two tenants on two cores: with two threads the slowest
/// hundredth of the small one's queries took 42 to 55 ms, with four 29 to 37 ms, and no push took longer.
const LEAST_WORKER_THREADS: usize = 4;

fn worker_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    cores.max(LEAST_WORKER_THREADS)
}

/// The exit code of the process.
pub(crate) fn run(program: &Program, loaded: Loaded, warnings: &[String], log_config: bool) -> ExitCode {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(worker_threads()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say_error(&format!("start worker threads: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match install_telemetry(program, &loaded.shared) {
            Ok((env, metrics, mut telemetry)) => {
                // In a scope of its own, which nothing closes: the last spans are those of stopping.
                let exports = Scope::default();
                if let Some(task) = telemetry.take_export_task() {
                    exports.spawn("export spans", task.run());
                }
                say_first(program, &loaded, warnings, log_config);
                let code = serve(program, loaded, env, metrics, telemetry.level().clone()).await;
                telemetry.finish_spans(FLUSH_BUDGET).await;
                telemetry.flush_lines(FLUSH_BUDGET);
                code
            }
            Err(error) => {
                say_error(&format!("{}: {error}\n", program.name));
                ExitCode::FAILURE
            }
        }
    });
    // Whatever still blocks a thread has been named in the log.
    runtime.shutdown_timeout(CLOSE_BUDGET);
    code
}

/// What the log begins with.
fn say_first(program: &Program, loaded: &Loaded, warnings: &[String], log_config: bool) {
    let roles: Vec<&str> = program.roles.iter().map(|role| role.name()).collect();
    info!(version = build_facts::VERSION, roles = %roles.join(","), "starting {}", program.name);
    for warning in warnings {
        warn!("{warning}");
    }
    if log_config {
        let text = larch_config::to_yaml(&loaded.effective.settings);
        for line in text.lines().rev() {
            info!("{line}");
        }
    }
}

type Installed = (Env, Registry, Telemetry);

fn install_telemetry(program: &Program, settings: &SharedSettings) -> Result<Installed, String> {
    let env = Env::system();
    let metrics = registry(settings)?;
    let log = log_options(settings, &env, &metrics);
    let trace = trace_options(program, &settings.tracing, &env, &metrics)?;
    let telemetry = install(Options { log, trace }).map_err(|error| chain(&error))?;
    Ok((env, metrics, telemetry))
}

/// `None` if no spans are exported.
fn trace_options(
    program: &Program,
    settings: &TracingSettings,
    env: &Env,
    metrics: &Registry,
) -> Result<Option<TraceOptions>, String> {
    if !settings.enabled || settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let path = &settings.otlp_ca_file;
    let ca = (!path.is_empty()).then(|| std::fs::read(path)).transpose();
    let random = Arc::clone(&env.random);
    Ok(Some(TraceOptions {
        endpoint: settings.otlp_endpoint.clone(),
        ca: ca.map_err(|error| format!("tracing.otlp_ca_file: read {path}: {error}"))?,
        service_name: program.name.to_owned(),
        sample_ratio: settings.sample_ratio,
        random: Arc::new(move || random.next_u128()),
        metrics: metrics.clone(),
    }))
}

pub(crate) fn log_options(settings: &SharedSettings, env: &Env, metrics: &Registry) -> LogOptions {
    let clock = Arc::clone(&env.clock);
    LogOptions {
        level: settings.server.log_level,
        format: settings.server.log_format,
        clock: Arc::new(move || clock.now()),
        metrics: metrics.clone(),
    }
}

/// The metrics that every process has.
pub(crate) fn registry(settings: &SharedSettings) -> Result<Registry, String> {
    let namespace =
        settings.top.metrics_namespace.parse().map_err(|error| format!("metrics_namespace: {error}"))?;
    let metrics = Registry::new(namespace);
    register_build_info(&metrics, build_facts::info());
    register_process_metrics(&metrics);
    register_go_aliases(&metrics, alive_tasks, anonymous_memory);
    Ok(metrics)
}

fn alive_tasks() -> u64 {
    let runtime = tokio::runtime::Handle::try_current();
    runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks() as u64)
}

/// Memory that is backed by no file: what the allocator holds, and stacks.
fn anonymous_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

async fn serve(
    program: &Program,
    loaded: Loaded,
    env: Env,
    metrics: Registry,
    level: LevelHandle,
) -> ExitCode {
    let shutdown_delay = loaded.shared.top.shutdown_delay.to_std();
    let budgets = Budgets {
        refuse: CLOSE_BUDGET,
        drain: loaded.shared.server.graceful_shutdown_timeout.to_std(),
        cut: CUT_BUDGET,
        leave: LEAVE_BUDGET,
        close: CLOSE_BUDGET,
    };
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "catch signals");
            return ExitCode::FAILURE;
        }
    };
    let process = open_store(&loaded, &metrics)
        .and_then(|store| assemble(program, loaded, &env, &metrics, Some(level), store));
    let process = match process {
        Ok(process) => process,
        Err(error) => {
            error!(error = %chain(&error), "not started");
            return ExitCode::FAILURE;
        }
    };
    let code = live(&process, &mut signals, &env, shutdown_delay).await;
    if before_signal(&mut signals, process.stop(&budgets)).await.is_none() {
        warn!("stopped at once by a second signal");
        return ExitCode::FAILURE;
    }
    code
}

/// Starts the process and lets it run. Gives back when and how it is to stop.
async fn live(process: &Process, signals: &mut Signals, env: &Env, shutdown_delay: Duration) -> ExitCode {
    match before_signal(signals, process.start()).await {
        Some(Ok(())) => {}
        // The module that failed has been named in the log.
        Some(Err(_)) => return ExitCode::FAILURE,
        None => {
            info!("told to stop before everything was started");
            return ExitCode::SUCCESS;
        }
    }
    let failed = std::pin::pin!(process.failed());
    let asked = std::pin::pin!(process.asked_to_end());
    match before_signal(signals, select(failed, asked)).await {
        Some(Either::Left((failure, _))) => {
            error!(error = %failure, "stopping because a task failed");
            return ExitCode::FAILURE;
        }
        Some(Either::Right(_)) | None => info!("told to stop"),
    }
    if !shutdown_delay.is_zero() {
        process.announce_stop();
        info!(delay_ms = shutdown_delay.as_millis(), "serving on while load balancers look elsewhere");
        before_signal(signals, env.sleep(shutdown_delay)).await;
    }
    ExitCode::SUCCESS
}

/// `None` if a signal came first. The future is dropped then.
async fn before_signal<T>(signals: &mut Signals, future: impl Future<Output = T>) -> Option<T> {
    let signal = std::pin::pin!(signals.next());
    match select(signal, std::pin::pin!(future)).await {
        Either::Left(_) => None,
        Either::Right((value, _)) => Some(value),
    }
}
