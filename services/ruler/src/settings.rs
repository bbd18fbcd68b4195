//! Settings of the ruler: `ruler` and `ruler_storage`.

mod evaluation;
mod old_keys;
mod remote_write;
mod ring;
mod storage;

use std::collections::BTreeMap;

use larch_limits::{AlertmanagerClientSettings, RelabelSettings};
use larch_rpc::GrpcClientSettings;
use larch_types::{InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

pub use evaluation::{EvaluationMode, EvaluationSettings, QueryFrontendSettings};
pub use remote_write::{RemoteWriteClients, WalCleanerSettings, WalSettings};
pub use ring::{RulerRingSettings, ShardingAlgorithm, ShardingStrategy};
pub use storage::{RuleStoreKind, RuleStoreSettings, RulerBackend, RulerStorageSettings};

/// The block `ruler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulerSettings {
    /// URL of Grafana, for the links in alerts.
    pub external_url: String,
    /// Data source in Grafana, for the links in alerts.
    pub datasource_uid: String,
    /// Labels that every alert gets.
    pub external_labels: BTreeMap<String, String>,
    /// The connections to other rulers.
    pub ruler_client: GrpcClientSettings,
    /// How often groups are evaluated that do not say it themselves.
    pub evaluation_interval: Span,
    /// How often it is looked for changed rules.
    pub poll_interval: Span,
    /// Where rules are kept, in the older form.
    pub storage: RuleStoreSettings,
    /// Directory for work in progress.
    pub rule_path: String,
    /// URLs of Alertmanagers, all of which get every alert.
    pub alertmanager_url: Vec<String>,
    /// Takes the host names in the URLs as DNS service records.
    pub enable_alertmanager_discovery: bool,
    /// How often DNS is asked again.
    pub alertmanager_refresh_interval: Span,
    /// Must stay on: the first version of the API is gone.
    pub enable_alertmanager_v2: bool,
    /// Changes to the labels of alerts before they are sent.
    pub alert_relabel_configs: Vec<RelabelSettings>,
    /// Most alerts of a tenant that wait for sending; the oldest go first.
    pub notification_queue_capacity: u32,
    /// How long sending may take.
    pub notification_timeout: Span,
    /// How the Alertmanagers are reached.
    pub alertmanager_client: AlertmanagerClientSettings,
    /// Longest outage after which the time that an alert has been pending still counts.
    pub for_outage_tolerance: Span,
    /// Alerts with a shorter `for` begin anew after a restart.
    pub for_grace_period: Span,
    /// Wait before an alert is sent again.
    pub resend_delay: Span,
    /// Shares groups among rulers; without it every ruler evaluates every group.
    pub enable_sharding: bool,
    /// How many rulers a tenant's groups are shared among.
    pub sharding_strategy: ShardingStrategy,
    /// What is shared.
    pub sharding_algo: ShardingAlgorithm,
    /// The ring of rulers.
    pub ring: RulerRingSettings,
    /// Serves the endpoints for rules.
    pub enable_api: bool,
    /// Tenants whose rules are evaluated; none means all.
    pub enabled_tenants: Vec<String>,
    /// Tenants whose rules are not evaluated.
    pub disabled_tenants: Vec<String>,
    /// Logs how long the queries of rules take.
    pub query_stats_enabled: bool,
    /// Leaves the label `rule_group` out of the metrics.
    pub disable_rule_group_label: bool,
    /// Samples that wait for remote write.
    pub wal: WalSettings,
    /// Removing what tenants without rules have left there.
    pub wal_cleaner: WalCleanerSettings,
    /// Where results of recording rules go.
    pub remote_write: RemoteWriteClients,
    /// Who evaluates the queries of rules.
    pub evaluation: EvaluationSettings,
}

impl Default for RulerSettings {
    fn default() -> Self {
        Self {
            external_url: String::new(),
            datasource_uid: String::new(),
            external_labels: BTreeMap::new(),
            ruler_client: GrpcClientSettings::default(),
            evaluation_interval: Span::from_mins(1),
            poll_interval: Span::from_mins(1),
            storage: RuleStoreSettings::default(),
            rule_path: "/rules".to_owned(),
            alertmanager_url: Vec::new(),
            enable_alertmanager_discovery: false,
            alertmanager_refresh_interval: Span::from_mins(1),
            enable_alertmanager_v2: true,
            alert_relabel_configs: Vec::new(),
            notification_queue_capacity: 10_000,
            notification_timeout: Span::from_secs(10),
            alertmanager_client: AlertmanagerClientSettings::default(),
            for_outage_tolerance: Span::from_hours(1),
            for_grace_period: Span::from_mins(10),
            resend_delay: Span::from_mins(1),
            enable_sharding: false,
            sharding_strategy: ShardingStrategy::default(),
            sharding_algo: ShardingAlgorithm::default(),
            ring: RulerRingSettings::default(),
            enable_api: true,
            enabled_tenants: Vec::new(),
            disabled_tenants: Vec::new(),
            query_stats_enabled: false,
            disable_rule_group_label: false,
            wal: WalSettings::default(),
            wal_cleaner: WalCleanerSettings::default(),
            remote_write: RemoteWriteClients::default(),
            evaluation: EvaluationSettings::default(),
        }
    }
}

impl Section for RulerSettings {
    const OLD_KEYS: &'static [OldKey] = old_keys::RULER;

    fn check(&self) -> Result<(), InvalidSetting> {
        self.check_notifications()?;
        for (key, span) in [
            ("evaluation_interval", self.evaluation_interval),
            ("poll_interval", self.poll_interval),
            ("resend_delay", self.resend_delay),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        for (key, span) in
            [("for_outage_tolerance", self.for_outage_tolerance), ("for_grace_period", self.for_grace_period)]
        {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        self.ruler_client.check_at("ruler_client.")?;
        self.storage.check_at("storage.")?;
        self.ring.check_at("ring.")?;
        self.wal.check_at("wal.")?;
        self.wal_cleaner.check_at("wal_cleaner.")?;
        self.remote_write.check_at("remote_write.")?;
        self.evaluation.check_at("evaluation.")
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = self.ruler_client.files_at("ruler_client.");
        files.extend(self.storage.files_at("storage."));
        files.extend(self.alertmanager_client.files_at("alertmanager_client."));
        files.extend(self.remote_write.files_at("remote_write."));
        files.extend(self.evaluation.files_at("evaluation."));
        files
    }
}

impl RulerSettings {
    fn check_notifications(&self) -> Result<(), InvalidSetting> {
        check_url("external_url", &self.external_url)?;
        for url in &self.alertmanager_url {
            check_url("alertmanager_url", url)?;
        }
        ensure(
            self.enable_alertmanager_v2,
            "enable_alertmanager_v2",
            "Alertmanager's first API is gone; set it to true",
        )?;
        ensure(self.notification_queue_capacity > 0, "notification_queue_capacity", "must be above 0")?;
        for (key, span) in [
            ("alertmanager_refresh_interval", self.alertmanager_refresh_interval),
            ("notification_timeout", self.notification_timeout),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        self.alertmanager_client.check_at("alertmanager_client.")
    }
}

fn check_url(key: &str, url: &str) -> Result<(), InvalidSetting> {
    let is_url = url.starts_with("http://") || url.starts_with("https://");
    ensure(url.is_empty() || is_url, key, "must be a URL with http:// or https://")
}

#[cfg(test)]
mod tests;
