//! Limits of single tenants from files that are read again every few seconds.
//!
//! A broken new file keeps the old one and is counted; the process neither stops nor forgets.

mod document;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use larch_config::{Problem, Problems};
use larch_limits::{LimitsSettings, OperationalSettings, Overrides};
use larch_runtime::{Env, Job, Module, Next, Rhythm, Scope, StartError, spawn_job};
use larch_telemetry::{Family, Gauge, Registry, Spec};
use larch_types::{TenantId, Timestamp};
use tracing::{info, warn};

use crate::fetch;
use crate::health::chain;
use crate::settings::Loaded;
use document::{Base, Document, read_documents};

/// The limits of every tenant, as they are now. Cheap to clone; all clones see a change at once.
#[derive(Debug, Clone)]
pub struct TenantLimits(Arc<ArcSwap<Overrides>>);

impl TenantLimits {
    /// Nobody has overrides yet.
    pub fn new(limits: LimitsSettings, operational: OperationalSettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Overrides::none(limits, operational))))
    }

    pub fn limits(&self, tenant: &TenantId) -> Arc<LimitsSettings> {
        Arc::clone(self.0.load().limits(tenant))
    }

    pub fn operational(&self, tenant: &TenantId) -> Arc<OperationalSettings> {
        Arc::clone(self.0.load().operational(tenant))
    }

    /// The limits of tenants without overrides.
    pub fn default_limits(&self) -> Arc<LimitsSettings> {
        Arc::clone(self.0.load().default_limits())
    }

    fn set(&self, overrides: Overrides) {
        self.0.store(Arc::new(overrides));
    }

    /// Shows the limits as metrics: those of all, and of single tenants where they differ.
    fn register(&self, metrics: &Registry) {
        let all = self.clone();
        metrics.gauge_fn(DEFAULTS, move || {
            let limits = all.default_limits();
            limits.numbers().into_iter().map(|(name, value)| ([name], value)).collect()
        });
        let single = self.clone();
        metrics.gauge_fn(OVERRIDES, move || {
            let mut samples = Vec::new();
            for (tenant, numbers) in single.0.load().differing_numbers() {
                for (name, value) in numbers {
                    samples.push(([name, tenant.to_string()], value));
                }
            }
            samples
        });
    }
}

const DEFAULTS: Spec<1> = Spec {
    name: "loki_overrides_defaults",
    help: "Limits of tenants without overrides; durations in nanoseconds.",
    labels: ["limit_name"],
};
const OVERRIDES: Spec<2> = Spec {
    name: "loki_overrides",
    help: "Limits of single tenants where they differ; durations in nanoseconds.",
    labels: ["limit_name", "user"],
};

/// Where the files are and what they lie over.
#[derive(Debug, Clone)]
struct Source {
    files: Vec<String>,
    base: Base,
}

/// An answer larger than a configuration may be is refused anyway.
const MAX_BYTES: usize = larch_config::MAX_DOCUMENT_BYTES;
/// Shorter than the usual period of ten seconds, so that a slow server delays one reading only.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

impl Source {
    fn of(loaded: &Loaded) -> Self {
        Self {
            files: loaded.shared.runtime_config.file.clone(),
            base: Base {
                limits: loaded.shared.limits.clone(),
                operational: loaded.shared.operational.clone(),
                limits_node: loaded.limits_node.clone(),
                operational_node: loaded.operational_node.clone(),
            },
        }
    }

    /// Names and texts of all files. Fails with the text to show.
    async fn fetch(&self) -> Result<Vec<(String, String)>, String> {
        let mut texts = Vec::new();
        for file in &self.files {
            texts.push((file.clone(), fetch_one(file).await?));
        }
        Ok(texts)
    }
}

async fn fetch_one(file: &str) -> Result<String, String> {
    if !file.starts_with("http://") && !file.starts_with("https://") {
        return tokio::fs::read_to_string(file)
            .await
            .map_err(|error| format!("{file}: cannot read: {error}"));
    }
    let (status, body) = fetch::get(file, MAX_BYTES, FETCH_TIMEOUT)
        .await
        .map_err(|error| format!("{file}: {}", chain(&error)))?;
    if !status.is_success() {
        return Err(format!("{file}: {status}"));
    }
    String::from_utf8(body.to_vec()).map_err(|_| format!("{file}: not UTF-8"))
}

/// For `-verify-config`: files that are there must be right. Those behind a URL are not asked for.
///
/// Gives what in them changes nothing.
pub(crate) fn verify(loaded: &Loaded) -> Result<Vec<Problem>, Problems> {
    let source = Source::of(loaded);
    let mut texts = Vec::new();
    for file in source.files.iter().filter(|file| !file.starts_with("http")) {
        if let Ok(text) = std::fs::read_to_string(file) {
            texts.push((file.clone(), text));
        }
    }
    let Document { mut ignored, idle, .. } = read_documents(&source.base, &texts)?;
    ignored.extend(idle);
    Ok(ignored)
}

/// Reads the files at the start, where they must be right, and again and again.
pub(crate) struct OverridesModule {
    source: Source,
    period: Duration,
    limits: TenantLimits,
    env: Env,
    metrics: ReloadMetrics,
}

#[derive(Debug, Clone)]
struct ReloadMetrics {
    successful: Gauge,
    hash: Family<Gauge, 1>,
}

impl OverridesModule {
    pub(crate) fn new(loaded: &Loaded, limits: TenantLimits, env: Env, metrics: &Registry) -> Self {
        limits.register(metrics);
        let metrics =
            ReloadMetrics { successful: metrics.gauge(SUCCESSFUL).with([]), hash: metrics.gauge(HASH) };
        let period = loaded.shared.runtime_config.period.to_std();
        Self { source: Source::of(loaded), period, limits, env, metrics }
    }
}

const SUCCESSFUL: Spec<0> = Spec {
    name: "loki_runtime_config_last_reload_successful",
    help: "1 if the overrides files were right when they were read last.",
    labels: [],
};
const HASH: Spec<1> = Spec {
    name: "loki_runtime_config_hash",
    help: "The overrides in use, as a label of the constant 1.",
    labels: ["sha256"],
};

impl Module for OverridesModule {
    fn name(&self) -> &'static str {
        "runtime-config"
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            self.metrics.successful.set(1);
            if self.source.files.is_empty() {
                return Ok(());
            }
            let mut reload = Reload {
                source: self.source.clone(),
                limits: self.limits.clone(),
                metrics: self.metrics.clone(),
                hash: String::new(),
                told: HashSet::new(),
            };
            reload.once().await.map_err(StartError::new)?;
            spawn_job(scope, &self.env, Rhythm::every(self.period), reload);
            Ok(())
        })
    }
}

/// One reading after another.
struct Reload {
    source: Source,
    limits: TenantLimits,
    metrics: ReloadMetrics,
    /// Of the files in use.
    hash: String,
    /// Keys of tenants in them of which it was said that they change nothing.
    told: HashSet<String>,
}

impl Job for Reload {
    const NAME: &'static str = "overrides-reload";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let reloaded = self.once().await;
        self.metrics.successful.set(i64::from(reloaded.is_ok()));
        if let Err(error) = reloaded {
            warn!(%error, "overrides are not reloaded, the old ones stay in force");
        }
        Next::Wait
    }
}

impl Reload {
    /// Fails with the text to show.
    async fn once(&mut self) -> Result<(), String> {
        let texts = self.source.fetch().await?;
        let hash = hash_of(&texts);
        if hash == self.hash {
            return Ok(());
        }
        let Document { overrides, ignored, idle } =
            read_documents(&self.source.base, &texts).map_err(|problems| problems.to_string())?;
        for problem in ignored {
            warn!("{problem}");
        }
        for problem in self.not_told(idle) {
            warn!("{problem}");
        }
        info!(tenants = overrides.tenants().count(), sha256 = %hash, "overrides loaded");
        self.limits.set(overrides);
        self.metrics.hash.remove([&self.hash]);
        self.metrics.hash.with([&hash]).set(1);
        self.hash = hash;
        Ok(())
    }
}

impl Reload {
    /// Leaves those that earlier files had as well. What has gone from the files is told anew when it comes back.
    fn not_told(&mut self, mut idle: Vec<Problem>) -> Vec<Problem> {
        let all = idle.iter().map(|problem| problem.path.clone()).collect();
        let told = std::mem::replace(&mut self.told, all);
        idle.retain(|problem| !told.contains(&problem.path));
        idle
    }
}

/// Of the texts in order; a file boundary counts.
fn hash_of(texts: &[(String, String)]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (_, text) in texts {
        context.update(&(text.len() as u64).to_le_bytes());
        context.update(text.as_bytes());
    }
    let mut hex = String::new();
    for byte in context.finish().as_ref() {
        hex.push_str(&format!("{byte:02x}"));
    }
    hex
}

#[cfg(test)]
mod tests;
