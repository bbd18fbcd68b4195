//! `json a="path"`: only the values at given paths. The document is looked through once, and damage in
//! it goes unnoticed unless it is in a value that was asked for.

use std::borrow::Cow;

use crate::stage::labels::RowLabels;
use crate::stage::path::JsonPath;
use crate::stage::scan::{
    JsonFault, Value, ValueKind, block_end, each_element, skip_space, string_end, value,
};
use crate::stage::text::{json_key, push_unescaped};
use crate::stage::{ErrorName, Hints, Row};

#[derive(Debug, Clone)]
pub struct JsonPaths {
    names: Vec<Box<str>>,
    paths: Vec<JsonPath>,
    longest: usize,
    hints: Hints,
}

impl JsonPaths {
    /// Names of labels and where their values are. Of the hints only "nothing is needed" counts.
    pub fn new(extractions: Vec<(String, JsonPath)>, hints: Hints) -> Self {
        let mut names = Vec::with_capacity(extractions.len());
        let mut paths = Vec::with_capacity(extractions.len());
        for (name, path) in extractions {
            names.push(name.into());
            paths.push(path);
        }
        let longest = paths.iter().map(|path| path.parts.len()).max().unwrap_or(0);
        Self { names, paths, longest, hints }
    }

    pub fn run(&self, row: &mut Row<'_>) {
        let Row { line, labels, .. } = row;
        let text = line.bytes();
        if self.hints.is_nothing() || text.is_empty() {
            return;
        }
        if !matches!(text[0], b'{' | b'[' | b'"') {
            labels.set_parser_error(ErrorName::Json, None, &self.hints);
            return;
        }
        let mut found = 0;
        let mut search = Search::new(self, text);
        search.run(|path, result| match result {
            Ok(value) => {
                found += 1;
                labels.assign(&self.names[path], |out| push_value(out, value));
            }
            Err(fault) => labels.set_parser_error(ErrorName::Json, Some(&fault.to_string()), &self.hints),
        });
        if found < self.names.len() {
            self.fill_missing(labels);
        }
    }

    fn fill_missing(&self, labels: &mut RowLabels<'_>) {
        for name in &self.names {
            if labels.get(name).is_none() {
                labels.set(name, b"");
            }
        }
    }
}

fn push_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value.kind {
        ValueKind::Null => {}
        ValueKind::Object => out.extend_from_slice(value.text),
        _ => push_unescaped(out, value.text),
    }
}

/// One pass through a document.
struct Search<'s> {
    text: &'s [u8],
    paths: &'s [JsonPath],
    longest: usize,
    /// Paths that need no more looking for.
    done: Vec<bool>,
    left: usize,
    /// How many brackets and braces are open; below zero in damaged documents.
    level: isize,
    /// The names of the members that lead here, outermost first; those below the level are stale.
    keys: Vec<Cow<'s, [u8]>>,
}

impl<'s> Search<'s> {
    fn new(stage: &'s JsonPaths, text: &'s [u8]) -> Self {
        Self {
            text,
            paths: &stage.paths,
            longest: stage.longest,
            done: vec![false; stage.paths.len()],
            left: stage.paths.len(),
            level: 0,
            keys: Vec::with_capacity(stage.longest),
        }
    }

    fn run(&mut self, mut found: impl FnMut(usize, Result<Value<'s>, JsonFault>)) {
        let mut at = 0;
        while at < self.text.len() && self.left > 0 {
            let next = match self.text[at] {
                b'"' => self.string(at, &mut found),
                b'{' => {
                    self.level += 1;
                    Some(at + 1)
                }
                b'[' => self.array(at, &mut found),
                b'}' | b']' => {
                    self.level -= 1;
                    Some(at + 1)
                }
                _ => Some(at + 1),
            };
            match next {
                Some(next) => at = next,
                None => return,
            }
        }
    }

    /// A string that is a key may end a path. Gives where to go on.
    fn string(
        &mut self,
        at: usize,
        found: &mut impl FnMut(usize, Result<Value<'s>, JsonFault>),
    ) -> Option<usize> {
        let inside = at + 1;
        let (len, is_escaped) = string_end(&self.text[inside..])?;
        let behind = inside + len;
        let colon = behind + skip_space(&self.text[behind..])?;
        if self.text[colon] != b':' {
            return Some(behind);
        }
        let raw = &self.text[inside..behind - 1];
        let key = json_key(raw, is_escaped)?;
        let Some(level) = usize::try_from(self.level).ok().filter(|level| *level > 0) else {
            found(0, Err(JsonFault::Malformed));
            return None;
        };
        if level > self.longest {
            return Some(colon + 1);
        }
        self.set_key(level - 1, key);
        for index in 0..self.paths.len() {
            let parts = &self.paths[index].parts;
            if parts.len() == level && !self.done[index] && self.leads_here(parts, level) {
                self.done[index] = true;
                self.left -= 1;
                found(index, value(&self.text[colon + 1..]));
            }
        }
        Some(colon + 1)
    }

    fn set_key(&mut self, depth: usize, key: Cow<'s, [u8]>) {
        while self.keys.len() <= depth {
            self.keys.push(Cow::Borrowed(b""));
        }
        self.keys[depth] = key;
    }

    /// Whether the first parts of a path are the keys so far.
    fn leads_here(&self, parts: &[Box<[u8]>], count: usize) -> bool {
        (0..count).all(|depth| self.keys.get(depth).is_some_and(|key| **key == *parts[depth]))
    }

    /// An array is entered only for paths that name an element of it.
    fn array(
        &mut self,
        at: usize,
        found: &mut impl FnMut(usize, Result<Value<'s>, JsonFault>),
    ) -> Option<usize> {
        let Ok(level) = usize::try_from(self.level) else {
            found(0, Err(JsonFault::Malformed));
            return None;
        };
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        for (path, JsonPath { parts }) in self.paths.iter().enumerate() {
            if parts.len() > level
                && !self.done[path]
                && let Some(index) = element_index(&parts[level])
                && self.leads_here(parts, level)
            {
                wanted.push((index, path));
            }
        }
        if wanted.is_empty() {
            return Some(at + block_end(&self.text[at..], b'[', b']')?);
        }
        self.level += 1;
        let mut index = 0;
        let end = each_element(&self.text[at..], |_, element| {
            for (_, path) in wanted.iter().filter(|(wanted, _)| *wanted == index) {
                self.done[*path] = true;
                self.left -= 1;
                let rest = &self.paths[*path].parts[level + 1..];
                if let Some(offset) = search_parts(element.text, rest) {
                    let is_text = element.kind == ValueKind::String;
                    let inner = Value { text: &element.text[offset..], ..element };
                    found(*path, if is_text { Ok(inner) } else { value(&element.text[offset..]) });
                }
            }
            index += 1;
        });
        Some(at + end)
    }
}

/// Of a part that is written as an index.
fn element_index(part: &[u8]) -> Option<usize> {
    let digits = part.strip_prefix(b"[")?.strip_suffix(b"]")?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the value at a path begins, seen from the value that the text is. Members are only looked for
/// below those that lead to them.
fn search_parts(text: &[u8], parts: &[Box<[u8]>]) -> Option<usize> {
    if parts.is_empty() {
        return Some(0);
    }
    let (mut at, mut level, mut matched) = (0, 0_usize, 0_usize);
    let mut last_matched = true;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let inside = at + 1;
                let (len, is_escaped) = string_end(&text[inside..])?;
                let behind = inside + len;
                let colon = behind + skip_space(&text[behind..])?;
                if text[colon] != b':' {
                    at = behind;
                    continue;
                }
                let raw = &text[inside..behind - 1];
                let key = json_key(raw, is_escaped)?;
                let part = parts.get(level.checked_sub(1)?)?;
                last_matched = **part == *key;
                if last_matched && matched == level - 1 {
                    matched += 1;
                    if matched == parts.len() {
                        return Some(colon + 1);
                    }
                }
                at = colon + 1;
            }
            b'{' if last_matched => {
                level += 1;
                at += 1;
            }
            b'{' => at += block_end(&text[at..], b'{', b'}')?,
            b'}' => {
                level = level.checked_sub(1)?;
                if level == matched {
                    matched = matched.checked_sub(1)?;
                }
                at += 1;
            }
            b'[' => {
                if matched == level
                    && let Some(part) = parts.get(level)
                    && part.first() == Some(&b'[')
                {
                    return search_element(text, at, element_index(part)?, &parts[level + 1..]);
                }
                at += block_end(&text[at..], b'[', b']')?;
            }
            b':' => return None,
            _ => at += 1,
        }
    }
    None
}

fn search_element(text: &[u8], array: usize, wanted: usize, rest: &[Box<[u8]>]) -> Option<usize> {
    let mut index = 0;
    let mut place = None;
    each_element(&text[array..], |start, element| {
        if index == wanted {
            place = Some((start, element.end));
        }
        index += 1;
    });
    let (start, len) = place?;
    let start = array + start;
    let blanks = skip_space(&text[start..start + len])?;
    let element = &text[start + blanks..start + len];
    Some(start + blanks + search_parts(element, rest)?)
}
