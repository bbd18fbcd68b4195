//! What becomes of the attributes of OTLP logs, in the form in which they are held against it.

use std::collections::HashSet;

use larch_limits::{AttributeAction, AttributesSettings, OtlpLimits};
use larch_logql::LabelMatcher;
use larch_types::{MatchOp, Matcher};
use tracing::warn;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Of the stream.
    Label,
    Metadata,
    Drop,
}

/// The rules of one tenant.
#[derive(Debug)]
pub(crate) struct OtlpRules {
    pub(crate) resource: AttributeRules,
    pub(crate) scope: AttributeRules,
    pub(crate) record: AttributeRules,
    pub(crate) severity_text_as_label: bool,
}

/// The first rule that fits decides.
#[derive(Debug, Default)]
pub(crate) struct AttributeRules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    action: Action,
    test: Test,
}

#[derive(Debug)]
enum Test {
    OneOf(HashSet<Box<[u8]>>),
    Regex(LabelMatcher),
}

impl OtlpRules {
    /// `default_labels` are the attributes of the resource that become labels before anything else, unless
    /// the tenant leaves them out.
    pub(crate) fn new(limits: &OtlpLimits, default_labels: &[String]) -> Self {
        let mut resource = AttributeRules::default();
        if !limits.resource_attributes.ignore_defaults {
            resource.0.push(Rule { action: Action::Label, test: one_of(default_labels) });
        }
        resource.extend(&limits.resource_attributes.attributes_config);
        let (mut scope, mut record) = (AttributeRules::default(), AttributeRules::default());
        scope.extend(&limits.scope_attributes);
        record.extend(&limits.log_attributes);
        Self { resource, scope, record, severity_text_as_label: limits.severity_text_as_label }
    }
}

impl AttributeRules {
    fn extend(&mut self, rules: &[AttributesSettings]) {
        for rule in rules {
            let action = match rule.action {
                AttributeAction::IndexLabel => Action::Label,
                AttributeAction::StructuredMetadata => Action::Metadata,
                AttributeAction::Drop => Action::Drop,
            };
            let test =
                if rule.regex.is_empty() { Some(one_of(&rule.attributes)) } else { regex(&rule.regex) };
            self.0.extend(test.map(|test| Rule { action, test }));
        }
    }

    /// What becomes of the attribute of this name, as it was pushed.
    pub(crate) fn action(&self, name: &[u8]) -> Action {
        let fits = |rule: &&Rule| match &rule.test {
            Test::OneOf(names) => names.contains(name),
            Test::Regex(regex) => regex.matches(name),
        };
        self.0.iter().find(fits).map_or(Action::Metadata, |rule| rule.action)
    }
}

fn one_of(names: &[String]) -> Test {
    Test::OneOf(names.iter().map(|name| name.as_bytes().into()).collect())
}

/// Settings with an expression that cannot be read are refused, so that there is always one.
fn regex(pattern: &str) -> Option<Test> {
    let matcher = Matcher { name: "attribute".to_owned(), op: MatchOp::Regex, value: pattern.to_owned() };
    match LabelMatcher::new(&matcher) {
        Ok(matcher) => Some(Test::Regex(matcher)),
        Err(error) => {
            warn!(pattern, %error, "a rule for attributes is ignored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use larch_limits::ResourceAttributes;

    use super::*;

    fn rule(action: AttributeAction, attributes: &[&str], regex: &str) -> AttributesSettings {
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        AttributesSettings { action, attributes, regex: regex.to_owned() }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        use AttributeAction::{Drop, IndexLabel, StructuredMetadata};
        let attributes_config = vec![
            rule(StructuredMetadata, &["secret.not"], ""),
            rule(Drop, &[], "secret\\..*|x"),
            rule(IndexLabel, &["secret.label", "team.name", "service.name"], ""),
            rule(AttributeAction::default(), &["plain"], ""),
            rule(Drop, &[], "(?i)PL.*"),
        ];
        let mut limits = OtlpLimits {
            resource_attributes: ResourceAttributes { ignore_defaults: false, attributes_config },
            scope_attributes: vec![rule(Drop, &["noise"], "")],
            log_attributes: vec![rule(IndexLabel, &[], "app")],
            severity_text_as_label: true,
        };
        let defaults = ["service.name".to_owned(), "secret.default".to_owned()];
        let rules = OtlpRules::new(&limits, &defaults);
        assert!(rules.severity_text_as_label);
        for (name, action) in [
            ("service.name", Action::Label),
            ("secret.default", Action::Label),
            ("secret.not", Action::Metadata),
            ("secret.label", Action::Drop),
            ("secret_label", Action::Metadata),
            ("x", Action::Drop),
            ("xy", Action::Metadata),
            ("team.name", Action::Label),
            ("team_name", Action::Metadata),
            ("plain", Action::Metadata),
            ("place", Action::Drop),
        ] {
            assert_eq!(rules.resource.action(name.as_bytes()), action, "{name}");
        }
        assert_eq!(rules.scope.action(b"noise"), Action::Drop);
        assert_eq!(rules.scope.action(b"service.name"), Action::Metadata);
        assert_eq!(rules.record.action(b"app"), Action::Label);
        assert_eq!(rules.record.action(b"ap\xff"), Action::Metadata);
        limits.resource_attributes.ignore_defaults = true;
        let rules = OtlpRules::new(&limits, &defaults);
        assert_eq!(rules.resource.action(b"service.name"), Action::Label);
        assert_eq!(rules.resource.action(b"secret.default"), Action::Drop);
    }
}
