//! The limits of a tenant in the form in which rows are held against them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use larch_limits::{LimitsSettings, PriorityStream, ShardStreamsSettings};
use larch_logql::{FieldFinder, LabelMatcher, LevelDetector, parse_any_selector};
use larch_types::Labels;
use tracing::warn;

use crate::attributes::OtlpRules;

/// What is made of one tenant's limits, once for all of its pushes.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Arc<LimitsSettings>,
    /// `None` if levels are not looked for.
    pub(crate) levels: Option<LevelDetector>,
    /// `None` if no other fields are looked for.
    pub(crate) fields: Option<FieldFinder>,
    pub(crate) otlp: OtlpRules,
    /// Highest priority first, then by name.
    policies: Vec<Selected<Arc<str>>>,
    /// Highest priority first; hours as metrics show them.
    retention: Vec<Selected<Arc<str>>>,
    default_retention: Arc<str>,
}

/// What holds for the streams that a selector fits.
#[derive(Debug)]
struct Selected<T> {
    priority: i64,
    matchers: Vec<LabelMatcher>,
    value: T,
}

const NANOS_PER_HOUR: i64 = 3_600_000_000_000;

impl Rules {
    fn new(limits: Arc<LimitsSettings>, defaults: &RuleDefaults) -> Self {
        let looks_for_levels = limits.allow_structured_metadata && limits.discover_log_levels;
        let depth = i64::from(limits.log_level_from_json_max_depth);
        let mut policies = Vec::new();
        let mut mapping = defaults.policies.clone();
        mapping.extend(limits.policy_stream_mapping.clone());
        for (policy, streams) in &mapping {
            for stream in streams {
                policies.extend(selected(&stream.selector, stream.priority, Arc::from(policy.as_str())));
            }
        }
        // Both lists begin in the order that decides between equal priorities.
        policies.sort_by_key(|policy| std::cmp::Reverse(policy.priority));
        let mut retention = Vec::new();
        for stream in &limits.retention_stream {
            retention.extend(selected(&stream.selector, stream.priority, hours(stream.period.nanos())));
        }
        retention.sort_by_key(|stream| std::cmp::Reverse(stream.priority));
        Self {
            fields: FieldFinder::new(&limits.discover_generic_fields.fields)
                .filter(|_| limits.allow_structured_metadata),
            levels: looks_for_levels.then(|| LevelDetector::new(&limits.log_level_fields, depth)),
            otlp: OtlpRules::new(&limits.otlp_config, &defaults.label_attributes),
            policies,
            retention,
            default_retention: hours(limits.retention_period.nanos()),
            limits,
        }
    }

    /// The policy of a stream, if it has one.
    pub(crate) fn policy(&self, labels: &Labels) -> Option<Arc<str>> {
        first_that_fits(&self.policies, labels).cloned()
    }

    /// How fast streams of a policy are before they are spread.
    pub(crate) fn shard_streams(&self, policy: &str) -> &ShardStreamsSettings {
        let own = self.limits.policy_override_limits.get(policy);
        own.and_then(|own| own.shard_streams.as_ref()).unwrap_or(&self.limits.shard_streams)
    }

    /// How many whole hours streams are kept that no selector names.
    pub(crate) fn default_retention(&self) -> &Arc<str> {
        &self.default_retention
    }

    /// How many whole hours a stream is kept, as metrics show it; `0` is for ever.
    pub(crate) fn retention_hours(&self, labels: &Labels) -> Arc<str> {
        Arc::clone(first_that_fits(&self.retention, labels).unwrap_or(&self.default_retention))
    }
}

fn hours(nanos: i64) -> Arc<str> {
    (nanos / NANOS_PER_HOUR).to_string().into()
}

/// Nothing for a selector that cannot be read: what it was meant for is then limited as the rest.
fn selected<T>(selector: &str, priority: i64, value: T) -> Option<Selected<T>> {
    let matchers = match parse_any_selector(selector) {
        Ok(matchers) => matchers,
        Err(error) => {
            warn!(selector, %error, "a selector in the limits is ignored");
            return None;
        }
    };
    // Selectors are compiled when they are parsed, so none fails here.
    let matchers = matchers.iter().map(LabelMatcher::new).collect::<Result<_, _>>().ok()?;
    Some(Selected { priority, matchers, value })
}

fn first_that_fits<'s, T>(selected: &'s [Selected<T>], labels: &Labels) -> Option<&'s T> {
    let fits =
        |matcher: &LabelMatcher| matcher.matches(labels.get(matcher.name()).unwrap_or_default().as_bytes());
    selected.iter().find(|one| one.matchers.iter().all(fits)).map(|one| &one.value)
}

/// What holds where a tenant does not say.
#[derive(Debug, Default)]
pub(crate) struct RuleDefaults {
    /// Policies under those of the tenant's own.
    pub(crate) policies: BTreeMap<String, Vec<PriorityStream>>,
    /// Attributes of OTLP resources that become labels.
    pub(crate) label_attributes: Vec<String>,
}

/// Rules by the limits that they are made of. Tenants without limits of their own share them.
#[derive(Debug)]
pub(crate) struct RuleBook {
    defaults: RuleDefaults,
    /// By the address of the limits, which the rules keep alive, so that it stays theirs.
    made: Mutex<HashMap<usize, Arc<Rules>>>,
}

/// Limits that are no longer in force are forgotten with all others once there are so many.
const MAX_RULES: usize = 4096;

impl RuleBook {
    pub(crate) fn new(defaults: RuleDefaults) -> Self {
        Self { defaults, made: Mutex::default() }
    }

    pub(crate) fn rules(&self, limits: Arc<LimitsSettings>) -> Arc<Rules> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::as_ptr(&limits).addr();
        if let Some(rules) = made.get(&key) {
            return Arc::clone(rules);
        }
        if made.len() >= MAX_RULES {
            made.clear();
        }
        let rules = Arc::new(Rules::new(limits, &self.defaults));
        made.insert(key, Arc::clone(&rules));
        rules
    }
}

#[cfg(test)]
mod tests {
    use larch_limits::StreamRetention;
    use larch_types::Span;

    use super::*;

    fn stream(selector: &str, priority: i64) -> PriorityStream {
        PriorityStream { selector: selector.to_owned(), priority }
    }

    #[test]
    fn the_highest_priority_wins_then_the_name() {
        let policies = BTreeMap::from([
            ("a".to_owned(), vec![stream(r#"{app="x"}"#, 5)]),
            ("wide".to_owned(), vec![stream(r#"{app=~".+"}"#, 0)]),
        ]);
        let limits = LimitsSettings {
            policy_stream_mapping: BTreeMap::from([
                ("a".to_owned(), vec![stream(r#"{app="y"}"#, 1), stream("{broken", 9)]),
                ("b".to_owned(), vec![stream(r#"{app="y", env!="dev"}"#, 1), stream(r#"{app="z"}"#, 0)]),
            ]),
            retention_period: Span::from_mins(119),
            retention_stream: vec![
                StreamRetention { period: Span::from_days(1), priority: 1, selector: r#"{app="x"}"#.into() },
                StreamRetention { period: Span::from_days(2), priority: 2, selector: r#"{env="p"}"#.into() },
            ],
            ..LimitsSettings::default()
        };
        let book = RuleBook::new(RuleDefaults { policies, ..RuleDefaults::default() });
        let limits = Arc::new(limits);
        let rules = book.rules(Arc::clone(&limits));
        assert!(Arc::ptr_eq(&rules, &book.rules(limits)), "made once");
        for (text, policy, hours) in [
            (r#"{app="x"}"#, Some("wide"), "24"),
            (r#"{app="y"}"#, Some("a"), "1"),
            (r#"{app="z", env="p"}"#, Some("b"), "48"),
            (r#"{app="x", env="p"}"#, Some("wide"), "48"),
            (r#"{env="q"}"#, None, "1"),
        ] {
            let labels: Labels = text.parse().unwrap();
            assert_eq!(rules.policy(&labels).as_deref(), policy, "{text}");
            assert_eq!(&*rules.retention_hours(&labels), hours, "{text}");
        }
    }
}
