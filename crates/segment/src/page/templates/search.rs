//! Finds a needle without putting lines together. For each template all ways are found in which the
//! needle can lie over its pieces and slots; what a slot must hold then is looked up in its column.

use memchr::{memchr_iter, memmem};

use crate::page::lines::{DecodedPlain, Plain};
use crate::page::templates::Template;
use crate::page::templates::decode::TemplateLines;
use crate::page::templates::stored::StoredColumn;

/// What the value of a slot must be for the needle to lie there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition<'a> {
    column: usize,
    relation: Relation,
    text: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equals,
    StartsWith,
    EndsWith,
    Contains,
}

/// A needle that can lie in more ways than this is searched in the lines themselves.
const MAX_CONDITIONS: usize = 128;

/// What a template has to do with the needle.
enum Answer {
    /// No row of it has the needle.
    None,
    /// All rows have it.
    All,
    /// A row has it if all conditions of one of these hold.
    Any(Vec<Vec<usize>>),
}

/// All conditions once: templates that share columns share them.
#[derive(Default)]
struct Conditions<'a> {
    list: Vec<Condition<'a>>,
}

impl<'a> Conditions<'a> {
    fn numbers(&mut self, way: Vec<Condition<'a>>) -> Vec<usize> {
        let mut numbers = Vec::with_capacity(way.len());
        for condition in way {
            let known = self.list.iter().position(|known| *known == condition);
            numbers.push(known.unwrap_or(self.list.len()));
            if known.is_none() {
                self.list.push(condition);
            }
        }
        numbers
    }

    /// For each condition, of which values of its column it holds.
    fn hold(&self, columns: &[StoredColumn]) -> Vec<Vec<bool>> {
        let mut texts: Vec<Option<DecodedPlain>> = columns.iter().map(|_| None).collect();
        let mut held = Vec::with_capacity(self.list.len());
        for condition in &self.list {
            let column = condition.column;
            let values = texts[column].get_or_insert_with(|| columns[column].get().joined()).view();
            held.push(condition.holds(values));
        }
        held
    }

    /// Columns of the template that are asked about.
    fn columns_of(&self, template: &Template) -> Vec<usize> {
        let is_asked = |column: &usize| self.list.iter().any(|condition| condition.column == *column);
        template.slots.iter().map(|slot| slot.column).filter(is_asked).collect()
    }
}

impl TemplateLines {
    /// Rows whose line contains the needle, which is not empty.
    pub(crate) fn rows_with(&self, needle: &[u8]) -> Vec<u32> {
        let found = self.rows_of(&self.templates, needle);
        found.unwrap_or_else(|| self.plain().rows_with(&memmem::Finder::new(needle)))
    }

    /// As `rows_with`, where ASCII letters of either case are the same. The needle's are lower case, as those
    /// of slots always are.
    pub(crate) fn rows_with_any_case(&self, needle: &[u8]) -> Vec<u32> {
        let mut templates = self.templates.clone();
        templates.iter_mut().for_each(|template| template.text.make_ascii_lowercase());
        let found = self.rows_of(&templates, needle);
        found.unwrap_or_else(|| self.plain().rows_with_any_case(needle))
    }

    /// None if the needle can lie in too many ways. The templates are those of the lines, in some case.
    fn rows_of(&self, templates: &[Template], needle: &[u8]) -> Option<Vec<u32>> {
        let mut conditions = Conditions::default();
        let mut answers = Vec::with_capacity(templates.len());
        for template in templates {
            answers.push(self.answer(template, needle, &mut conditions));
            if conditions.list.len() > MAX_CONDITIONS {
                return None;
            }
        }
        if answers.iter().all(|answer| matches!(answer, Answer::None)) {
            return Some(Vec::new());
        }
        let held = conditions.hold(&self.columns);
        let asked: Vec<Vec<usize>> =
            self.templates.iter().map(|template| conditions.columns_of(template)).collect();
        let mut next = vec![0_usize; self.columns.len()];
        let mut rows = Vec::new();
        for (row, template) in self.rows.iter().enumerate() {
            let template = usize::from(*template);
            let holds = |number: &usize| held[*number][next[conditions.list[*number].column]];
            let has_it = match &answers[template] {
                Answer::None => false,
                Answer::All => true,
                Answer::Any(ways) => ways.iter().any(|way| way.iter().all(holds)),
            };
            if has_it {
                rows.push(row as u32);
            }
            for column in &asked[template] {
                next[*column] += 1;
            }
        }
        Some(rows)
    }

    fn answer<'a>(&self, template: &Template, needle: &'a [u8], conditions: &mut Conditions<'a>) -> Answer {
        let mut ways = Vec::new();
        let Some(first) = needle.first() else { return Answer::All };
        for (number, piece) in template.pieces().enumerate() {
            for at in memchr_iter(*first, piece) {
                if let Some(way) = walk(template, needle, number, at, 0, Vec::new()) {
                    if way.is_empty() {
                        return Answer::All;
                    }
                    ways.push(way);
                }
            }
        }
        for (number, slot) in template.slots.iter().enumerate() {
            let run = slot.kind.run(needle);
            if run == 0 {
                continue;
            }
            let relation = if run == needle.len() { Relation::Contains } else { Relation::EndsWith };
            let way = vec![Condition { column: slot.column, relation, text: &needle[..run] }];
            if run == needle.len() {
                ways.push(way);
            } else {
                ways.extend(walk(template, needle, number + 1, 0, run, way));
            }
        }
        ways.retain(|way| way.iter().all(|condition| condition.is_possible(&self.columns)));
        if ways.is_empty() {
            return Answer::None;
        }
        Answer::Any(ways.into_iter().map(|way| conditions.numbers(way)).collect())
    }
}

/// Lays the needle from byte `done` on over the template, from byte `at` of a piece on. None if it does
/// not fit; else what the slots must hold.
fn walk<'a>(
    template: &Template,
    needle: &'a [u8],
    mut number: usize,
    mut at: usize,
    mut done: usize,
    mut way: Vec<Condition<'a>>,
) -> Option<Vec<Condition<'a>>> {
    loop {
        let piece = &template.piece(number)[at..];
        let len = piece.len().min(needle.len() - done);
        if piece[..len] != needle[done..done + len] {
            return None;
        }
        done += len;
        if done == needle.len() {
            return Some(way);
        }
        let slot = template.slots.get(number)?;
        let run = slot.kind.run(&needle[done..]);
        if run == 0 {
            return None;
        }
        let text = &needle[done..done + run];
        done += run;
        let relation = if done == needle.len() { Relation::StartsWith } else { Relation::Equals };
        way.push(Condition { column: slot.column, relation, text });
        if done == needle.len() {
            return Some(way);
        }
        number += 1;
        at = 0;
    }
}

impl Condition<'_> {
    fn is_possible(&self, columns: &[StoredColumn]) -> bool {
        columns[self.column].can_hold(self.text, self.relation == Relation::Equals)
    }

    fn holds(&self, values: Plain<'_>) -> Vec<bool> {
        if self.relation == Relation::Contains {
            let mut held = vec![false; values.len()];
            for row in values.rows_with(&memmem::Finder::new(self.text)) {
                held[row as usize] = true;
            }
            return held;
        }
        let holds = |value: &[u8]| match self.relation {
            Relation::Equals | Relation::Contains => value == self.text,
            Relation::StartsWith => value.starts_with(self.text),
            Relation::EndsWith => value.ends_with(self.text),
        };
        values.iter().map(holds).collect()
    }
}
