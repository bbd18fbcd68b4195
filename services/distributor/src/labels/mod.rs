//! From the labels that were pushed to the labels that a stream has.

mod lex;
mod parse;

use larch_logql::service_name;
use larch_types::{Labels, quote_into, quoted};

use crate::error::PushError;
use crate::label_rules::{Denied, LabelFixes};
use crate::pushed::PushedLabels;

pub(crate) use parse::{InvalidLabelText, parse_labels};

/// What a stream whose rows come late on purpose is marked with. Only Larch sets these.
const BACKFILL: &str = "__backfill__";
const BACKFILL_SHARD: &str = "__backfill_shard__";
/// Given by Larch itself where the client does not.
pub(crate) const SERVICE_NAME: &str = "service_name";
/// Streams that Larch writes for itself have one of these.
const INTERNAL: [&str; 2] = ["__aggregated_metric__", "__pattern__"];

/// Longer label text of one stream is refused: 2^24 bytes, which Loki rounds to 17 MB.
const MAX_LABEL_BYTES: usize = 1 << 24;

/// The labels of one stream, `service_name` included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StreamLabels {
    /// Of a name that comes twice, the first of its values.
    pub(crate) labels: Labels,
    /// As errors name the stream; the canonical text unless a name comes twice.
    pub(crate) text: String,
    /// A name that comes twice.
    pub(crate) duplicate: Option<String>,
    /// What the tenant's rules keep out of the labels.
    pub(crate) denied: Denied,
    /// `service_name` is from the other labels.
    pub(crate) is_discovered: bool,
}

impl StreamLabels {
    /// `discover` are the labels that give a `service_name`; `backfill` is the shard that a header names;
    /// `fixes` are the tenant's rules for labels, if there are any.
    pub(crate) fn new(
        pushed: PushedLabels,
        discover: &[String],
        backfill: Option<&str>,
        fixes: Option<LabelFixes<'_>>,
    ) -> Result<Self, PushError> {
        let mut pairs = read_pairs(pushed, fixes)?;
        let denied = fixes.map(|fixes| fixes.deny(&mut pairs)).unwrap_or_default();
        pairs.retain(|(_, value)| !value.is_empty());
        if pairs.iter().any(|(name, _)| name == BACKFILL || name == BACKFILL_SHARD) {
            return Err(PushError::ReservedLabels);
        }
        if let Some(shard) = backfill {
            pairs.push((BACKFILL.to_owned(), "true".to_owned()));
            pairs.push((BACKFILL_SHARD.to_owned(), shard.to_owned()));
        }
        let duplicate = sort(&mut pairs);
        let all = duplicate.is_some().then(|| pairs.clone());
        pairs.dedup_by(|later, first| later.0 == first.0);
        let mut labels = labels_of(pairs);
        let service = service_name(&labels, discover).map(str::to_owned);
        if let Some(service) = &service {
            let known = labels.iter().map(|label| (label.name.clone(), label.value.clone()));
            labels = labels_of(known.chain([(SERVICE_NAME.into(), service.as_str().into())]));
        }
        let is_discovered = service.is_some();
        let text = match all {
            None => labels.canonical(),
            Some(mut pairs) => {
                pairs.extend(service.map(|service| (SERVICE_NAME.to_owned(), service)));
                sort(&mut pairs);
                text_of(&pairs)
            }
        };
        check_names_come_back(&labels, &text, duplicate.is_some())?;
        Ok(Self { labels, text, duplicate, denied, is_discovered })
    }

    /// Whether Larch writes the stream for itself.
    pub(crate) fn is_internal(&self) -> bool {
        INTERNAL.iter().any(|name| self.labels.get(name).is_some())
    }
}

fn read_pairs(
    pushed: PushedLabels,
    fixes: Option<LabelFixes<'_>>,
) -> Result<Vec<(String, String)>, PushError> {
    let (mut pairs, is_text) = match pushed {
        PushedLabels::Text(text) => {
            check_size(text.len())?;
            (parse_labels(&text)?, true)
        }
        PushedLabels::Pairs(pairs) => {
            check_size(pairs.iter().map(|(name, value)| name.len() + value.len()).sum())?;
            (pairs, false)
        }
    };
    if let Some(fixes) = fixes {
        fixes.rename(&mut pairs);
    }
    if !is_text {
        check_names(&pairs)?;
    }
    Ok(pairs)
}

fn check_size(size: usize) -> Result<(), PushError> {
    if size > MAX_LABEL_BYTES {
        Err(PushError::LabelsTooLarge { size, max: MAX_LABEL_BYTES })
    } else {
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_word) && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()
}

/// Names of pairs must be such as the grammar takes without quotes. What is wrong is told as if the labels
/// had come as text, because that is how clients know it.
fn check_names(pairs: &[(String, String)]) -> Result<(), InvalidLabelText> {
    if pairs.iter().all(|(name, _)| is_name(name)) {
        return Ok(());
    }
    let text = text_of(pairs);
    // A name that holds a whole label of its own is not let in by that.
    Err(parse_labels(text.as_bytes()).err().unwrap_or_else(|| {
        let reason = "unexpected character inside braces: '='".to_owned();
        InvalidLabelText::at(text.as_bytes(), 1, reason)
    }))
}

/// A quoted name may be anything, but streams are known by their text, and not every name is found in it
/// again.
fn check_names_come_back(labels: &Labels, text: &str, has_duplicate: bool) -> Result<(), InvalidLabelText> {
    let odd = labels.iter().find(|label| !is_name(&label.name));
    let comes_back = || text.parse::<Labels>().is_ok_and(|again| again == *labels);
    match odd {
        Some(label) if has_duplicate || !comes_back() => {
            let reason = format!("label name {} cannot be used", quoted(&label.name));
            Err(InvalidLabelText::at(text.as_bytes(), 1, reason))
        }
        _ => Ok(()),
    }
}

/// By name. Gives a name that comes twice.
fn sort(pairs: &mut [(String, String)]) -> Option<String> {
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    let twice = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(twice[0].0.clone())
}

#[expect(clippy::expect_used, reason = "names are not empty and come once, and nothing else is refused")]
fn labels_of<T: Into<Box<str>>>(pairs: impl IntoIterator<Item = (T, T)>) -> Labels {
    Labels::from_pairs(pairs).expect("names are there, and each once")
}

fn text_of(pairs: &[(String, String)]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push('=');
        quote_into(&mut text, value);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests;
