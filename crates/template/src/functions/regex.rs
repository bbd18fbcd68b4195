//! Functions with regexes. What a regex means is the caller's: it brings the compiler.

use regex::bytes::Regex as Matcher;

use crate::budget::{OverBudget, append};
use crate::functions::{Call, CallError, CallResult, Function, Type, fixed};
use crate::go::{Readable, quote_bytes, runes};
use crate::value::Value;

const THREE: &[Type] = &[Type::Text, Type::Text, Type::Text];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("regexReplaceAll", THREE, |call| replace(call, Replacement::Expanded)),
    fixed("regexReplaceAllLiteral", THREE, |call| replace(call, Replacement::Literal)),
    fixed("count", &[Type::Text, Type::Text], |call| {
        let (regex, text) = (call.text(0), call.text(1));
        let count = with_regex(call, &regex, |regex| Ok(regex.count(&text)))?;
        Ok(Value::int(i64::try_from(count).unwrap_or(i64::MAX)))
    }),
];

/// The functions whose first argument is a regex.
pub(crate) const NAMES: [&str; 3] = ["regexReplaceAll", "regexReplaceAllLiteral", "count"];

/// A compiled regex, as templates need it.
#[derive(Debug, Clone)]
pub struct Regex {
    pub matcher: Matcher,
    /// By group number; the first is the whole match and has no name.
    pub names: Vec<Option<Box<str>>>,
}

/// Compiles a regex, or says why not.
pub type RegexCompiler = fn(&str) -> Result<Regex, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// With `$1` and `${name}`.
    Expanded,
    Literal,
}

/// Compiling one takes longer than hundreds of other steps.
const STEPS_PER_COMPILATION: usize = 2_000;

/// A regex as it is spelled, and what became of it.
type Ready = (Box<[u8]>, Result<Regex, String>);

/// Regexes that a template spells out are compiled once.
pub(crate) struct Regexes {
    compile: RegexCompiler,
    ready: Vec<Ready>,
}

impl std::fmt::Debug for Regexes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ready.iter().map(|(text, _)| quote_bytes(text))).finish()
    }
}

impl Regexes {
    pub(crate) fn new(compile: RegexCompiler, literals: Vec<&[u8]>) -> Self {
        let mut ready: Vec<Ready> = Vec::new();
        for literal in literals {
            if !ready.iter().any(|(known, _)| &**known == literal) {
                ready.push((literal.into(), compile_bytes(compile, literal)));
            }
        }
        Self { compile, ready }
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.ready.iter().map(|(text, _)| &**text)
    }
}

fn compile_bytes(compile: RegexCompiler, text: &[u8]) -> Result<Regex, String> {
    match str::from_utf8(text) {
        Ok(text) => compile(text),
        Err(_) => Err(format!("error parsing regexp: invalid UTF-8: `{}`", String::from_utf8_lossy(text))),
    }
}

fn with_regex<T>(
    call: &mut Call<'_, '_>,
    text: &[u8],
    run: impl FnOnce(&Regex) -> Result<T, OverBudget>,
) -> Result<T, CallError> {
    if let Some((_, ready)) = call.regexes.ready.iter().find(|(known, _)| &**known == text) {
        return match ready {
            Ok(regex) => Ok(run(regex)?),
            Err(message) => Err(CallError(message.clone())),
        };
    }
    call.budget.steps(STEPS_PER_COMPILATION)?;
    let regex = compile_bytes(call.regexes.compile, text).map_err(CallError)?;
    Ok(run(&regex)?)
}

fn replace<'a>(call: &mut Call<'_, 'a>, replacement: Replacement) -> CallResult<'a> {
    let (regex, text, new) = (call.text(0), call.text(1), call.text(2));
    let replaced = with_regex(call, &regex, |regex| regex.replace_all(&text, &new, replacement))?;
    Ok(Value::text(replaced))
}

impl Regex {
    fn count(&self, text: &[u8]) -> usize {
        let text = Readable::new(text);
        self.matcher.find_iter(text.bytes()).filter(|m| text.is_boundary(m.start())).count()
    }

    fn replace_all(&self, text: &[u8], new: &[u8], replacement: Replacement) -> Result<Vec<u8>, OverBudget> {
        let mut out = Vec::with_capacity(text.len());
        let text = Readable::new(text);
        let mut copied = 0;
        for captures in self.matcher.captures_iter(text.bytes()) {
            let Some(whole) = captures.get(0).filter(|m| text.is_boundary(m.start())) else {
                continue;
            };
            append(&mut out, text.original(copied..whole.start()))?;
            match replacement {
                Replacement::Literal => append(&mut out, new)?,
                Replacement::Expanded => {
                    let group = |index: usize| captures.get(index).map(|m| text.original(m.range()));
                    expand(new, &self.names, group, |text| append(&mut out, text))?;
                }
            }
            copied = whole.end();
        }
        append(&mut out, text.original(copied..text.bytes().len()))?;
        Ok(out)
    }
}

/// Writes a replacement: `$1`, `${1}`, `$name`, `${name}` are what the group matched, a name is as long as
/// it can be, `$$` is a dollar sign, and what is malformed stands for itself. Groups that do not exist or
/// took no part are empty; of several with one name the first that took part counts.
pub fn expand<'m, E>(
    replacement: &[u8],
    names: &[Option<Box<str>>],
    group: impl Fn(usize) -> Option<&'m [u8]>,
    mut push: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = replacement;
    while let Some(dollar) = memchr::memchr(b'$', rest) {
        push(&rest[..dollar])?;
        rest = &rest[dollar + 1..];
        if let Some(tail) = rest.strip_prefix(b"$") {
            push(b"$")?;
            rest = tail;
            continue;
        }
        let Some((name, len)) = group_name(rest) else {
            push(b"$")?;
            continue;
        };
        rest = &rest[len..];
        let found = match group_number(name) {
            Some(number) => group(number),
            None => {
                let named = |n: &Option<Box<str>>| n.as_deref().is_some_and(|n| n.as_bytes() == name);
                names.iter().enumerate().filter(|(_, n)| named(n)).find_map(|(index, _)| group(index))
            }
        };
        push(found.unwrap_or(b""))?;
    }
    push(rest)
}

/// The name behind a dollar sign, and the length of all that belongs to it.
fn group_name(text: &[u8]) -> Option<(&[u8], usize)> {
    let in_braces = text.first() == Some(&b'{');
    let inner = if in_braces { &text[1..] } else { text };
    let is_name = |c: char| c == '_' || c.is_alphanumeric();
    let end = runes(inner).find(|(_, rune)| !is_name(rune.c)).map_or(inner.len(), |(at, _)| at);
    if end == 0 {
        return None;
    }
    let name = &inner[..end];
    if !in_braces {
        return Some((name, end));
    }
    (inner.get(end) == Some(&b'}')).then_some((name, end + 2))
}

/// Decimal without leading zeros.
fn group_number(name: &[u8]) -> Option<usize> {
    if !name.iter().all(u8::is_ascii_digit) || (name.len() > 1 && name[0] == b'0') || name.len() > 9 {
        return None;
    }
    str::from_utf8(name).ok()?.parse().ok()
}
