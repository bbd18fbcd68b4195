//! Lines of a chunk: in one buffer that is searched as a whole, or as templates and columns that are
//! searched without it.

use std::sync::OnceLock;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::templates::{self, Choice, Split, TemplateLines, Templates};
use crate::page::{codec, separated, sized};

/// What a writer puts behind each line. It occurs in no line of a buffer that relies on it.
pub(crate) const SEPARATOR: u8 = 0;

/// The lines of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Plain(Plain<'a>),
    Templates(&'a TemplateLines),
}

impl<'a> Lines<'a> {
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Plain(lines) => lines.len(),
            Source::Templates(lines) => lines.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Panics if there is no such row.
    pub fn get(&self, row: usize) -> &'a [u8] {
        self.plain().get(row)
    }

    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.plain().iter()
    }

    /// All lines in one piece, for searches that check their hits with [`Lines::row_at`]. What lies
    /// between two lines is no part of either.
    pub fn buffer(&self) -> &'a [u8] {
        self.plain().buffer()
    }

    /// The row whose line holds these bytes of the buffer; none if they are not all in one line.
    pub fn row_at(&self, hit: std::ops::Range<usize>) -> Option<usize> {
        self.plain().row_at(hit)
    }

    /// Rows whose line contains the needle, ascending.
    pub fn rows_with(&self, needle: &memmem::Finder<'_>) -> Vec<u32> {
        if needle.needle().is_empty() {
            return (0..self.len() as u32).collect();
        }
        match self.0 {
            Source::Templates(lines) if !lines.is_joined() => lines.rows_with(needle.needle()),
            _ => self.plain().rows_with(needle),
        }
    }

    /// Rows whose line contains the needle, ASCII letters of either case being the same; ascending. The
    /// needle's own are lower case.
    pub fn rows_with_any_case(&self, needle: &[u8]) -> Vec<u32> {
        if needle.is_empty() {
            return (0..self.len() as u32).collect();
        }
        match self.0 {
            Source::Templates(lines) if !lines.is_joined() => lines.rows_with_any_case(needle),
            _ => self.plain().rows_with_any_case(needle),
        }
    }

    /// Some of the lines: where they are few, the others are not put together. The rows ascend. Panics if
    /// there is no such row.
    pub fn pick<'r>(&self, rows: &'r [u32]) -> PickedLines<'r>
    where
        'a: 'r,
    {
        match self.0 {
            Source::Templates(lines) if !lines.is_joined() && rows.len() * FEW < lines.len() => {
                PickedLines(Picked::Apart(lines.pick(rows)))
            }
            _ => PickedLines(Picked::Among(self.plain(), rows)),
        }
    }

    /// None if they are not kept as templates, or were put together already.
    pub fn templates(&self) -> Option<Templates<'a>> {
        match self.0 {
            Source::Templates(lines) if !lines.is_joined() => Some(Templates(lines)),
            _ => None,
        }
    }

    fn plain(&self) -> Plain<'a> {
        match self.0 {
            Source::Plain(lines) => lines,
            Source::Templates(lines) => lines.plain(),
        }
    }

    /// Lines with a separator behind each. `starts` is as long as the lines are many, and one more.
    pub(crate) const fn joined(bytes: &'a [u8], starts: &'a [u32], is_separated: bool) -> Self {
        let rows = starts.len().saturating_sub(1);
        Self(Source::Plain(Plain { bytes, starts: Starts::Known(starts), gap: 1, rows, is_separated }))
    }
}

/// Putting one line together by itself costs no more than four in a row.
const FEW: usize = 4;

/// Lines that were asked for, in that order.
#[derive(Debug)]
pub struct PickedLines<'a>(Picked<'a>);

#[derive(Debug)]
enum Picked<'a> {
    Among(Plain<'a>, &'a [u32]),
    Apart(DecodedPlain),
}

impl PickedLines<'_> {
    /// Panics if fewer were asked for.
    pub fn get(&self, number: usize) -> &[u8] {
        match &self.0 {
            Picked::Among(lines, rows) => lines.get(rows[number] as usize),
            Picked::Apart(lines) => lines.view().get(number),
        }
    }
}

/// Lines one behind the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    bytes: &'a [u8],
    starts: Starts<'a>,
    /// Bytes between a line and the next: 1 if there is a separator.
    gap: u32,
    rows: usize,
    /// Whether separators alone tell the lines apart.
    is_separated: bool,
}

/// Where each line begins, and behind the last the end.
#[derive(Debug, Clone, Copy)]
enum Starts<'a> {
    Known(&'a [u32]),
    /// Found when first asked for, by the separators.
    Lazy(&'a OnceLock<Vec<u32>>),
}

impl<'a> Plain<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn get(&self, row: usize) -> &'a [u8] {
        let starts = self.starts();
        &self.bytes[starts[row] as usize..(starts[row + 1] - self.gap) as usize]
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.rows).map(move |row| self.get(row))
    }

    pub(crate) const fn buffer(&self) -> &'a [u8] {
        self.bytes
    }

    fn row_at(&self, hit: std::ops::Range<usize>) -> Option<usize> {
        let starts = self.starts();
        let row = starts.partition_point(|start| *start as usize <= hit.start).checked_sub(1)?;
        let end = starts.get(row + 1)? - self.gap;
        (hit.end <= end as usize).then_some(row)
    }

    pub(crate) fn rows_with(&self, needle: &memmem::Finder<'_>) -> Vec<u32> {
        if self.is_separated && matches!(self.starts, Starts::Lazy(starts) if starts.get().is_none()) {
            self.rows_between_separators(needle)
        } else {
            self.rows_between_starts(needle)
        }
    }

    /// In a copy of all lines in lower case: that is made faster than anything else is searched.
    pub(crate) fn rows_with_any_case(&self, needle: &[u8]) -> Vec<u32> {
        let lower = self.bytes.to_ascii_lowercase();
        Plain { bytes: &lower, ..*self }.rows_with(&memmem::Finder::new(needle))
    }

    /// Counts separators only up to the hits, so that a search with few of them never finds all lines.
    fn rows_between_separators(&self, needle: &memmem::Finder<'_>) -> Vec<u32> {
        let mut rows = Vec::new();
        if memchr(SEPARATOR, needle.needle()).is_some() {
            return rows;
        }
        let (mut at, mut row) = (0, 0);
        while let Some(hit) = needle.find(&self.bytes[at..]) {
            row += memchr_iter(SEPARATOR, &self.bytes[at..at + hit]).count() as u32;
            rows.push(row);
            at += hit;
            match memchr(SEPARATOR, &self.bytes[at..]) {
                Some(end) => at += end + 1,
                None => break,
            }
            row += 1;
        }
        rows
    }

    fn rows_between_starts(&self, needle: &memmem::Finder<'_>) -> Vec<u32> {
        let mut rows = Vec::new();
        let starts = self.starts();
        let mut at = 0;
        while let Some(hit) = needle.find(&self.bytes[at..]) {
            let hit = at + hit;
            match self.row_at(hit..hit + needle.needle().len()) {
                Some(row) => {
                    rows.push(row as u32);
                    at = starts[row + 1] as usize;
                }
                None => at = hit + 1,
            }
        }
        rows
    }

    fn starts(&self) -> &'a [u32] {
        match self.starts {
            Starts::Known(starts) => starts,
            Starts::Lazy(starts) => starts.get_or_init(|| {
                let mut starts = Vec::with_capacity(self.rows + 1);
                starts.push(0);
                starts.extend(memchr_iter(SEPARATOR, self.bytes).map(|end| end as u32 + 1));
                starts
            }),
        }
    }
}

/// Lines that a page was decoded to.
#[derive(Debug)]
pub(crate) enum DecodedLines {
    Plain(DecodedPlain),
    Templates(TemplateLines),
}

impl DecodedLines {
    /// Gives back the buffer of the lines, if there is one.
    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(lines) => Some(lines.bytes),
            Self::Templates(lines) => lines.into_joined().map(|lines| lines.bytes),
        }
    }

    pub(crate) fn view(&self) -> Lines<'_> {
        Lines(match self {
            Self::Plain(lines) => Source::Plain(lines.view()),
            Self::Templates(lines) => Source::Templates(lines),
        })
    }
}

#[derive(Debug)]
pub(crate) struct DecodedPlain {
    bytes: Vec<u8>,
    starts: OnceLock<Vec<u32>>,
    gap: u32,
    rows: usize,
}

impl DecodedPlain {
    /// Lines without anything between them. `starts` has one number more than there are lines, ascends,
    /// and stays within the bytes.
    pub(crate) fn with_starts(bytes: Vec<u8>, starts: Vec<u32>) -> Self {
        let rows = starts.len().saturating_sub(1);
        Self { bytes, starts: OnceLock::from(starts), gap: 0, rows }
    }

    /// Every line is followed by one separator and contains none, as whoever made them knows.
    pub(crate) fn joined(bytes: Vec<u8>, starts: Vec<u32>) -> Self {
        let rows = starts.len().saturating_sub(1);
        Self { bytes, starts: OnceLock::from(starts), gap: 1, rows }
    }

    /// Lines with a separator behind each, as many as rows.
    pub(crate) fn separated(bytes: Vec<u8>, rows: usize, section: Section) -> Result<Self, Corrupt> {
        let ends = memchr_iter(SEPARATOR, &bytes).count();
        if ends != rows || bytes.last().is_some_and(|last| *last != SEPARATOR) {
            return Err(Corrupt::new(section, "the lines are not as many as the rows"));
        }
        Ok(Self { bytes, starts: OnceLock::new(), gap: 1, rows })
    }

    pub(crate) fn view(&self) -> Plain<'_> {
        let starts = Starts::Lazy(&self.starts);
        Plain { bytes: &self.bytes, starts, gap: self.gap, rows: self.rows, is_separated: self.gap == 1 }
    }
}

/// How hard to try to make a page of lines short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// Take what is very likely shortest.
    Quick,
    /// Make all and take the shortest, but for what is clear at once: no level of zstd takes a fifth off
    /// what the first level makes of log lines.
    Thorough,
}

/// A page, and whether all lines were told on the way.
pub(crate) struct EncodedLines {
    pub(crate) page: Vec<u8>,
    pub(crate) is_told: bool,
}

/// `tell` gets the lines as they are split, if they are.
pub(crate) fn encode(
    lines: Lines<'_>,
    care: Care,
    encoder: &mut Encoder,
    tell: &mut dyn FnMut(Split<'_>),
) -> EncodedLines {
    let lines = lines.plain();
    if !lines.is_separated {
        return EncodedLines { page: sized::encode(lines.iter(), encoder), is_told: false };
    }
    let choice = if care == Care::Quick { Choice::Likely } else { Choice::Always };
    let Some(split) = templates::encode(lines, choice, encoder, tell) else {
        return EncodedLines { page: separated::encode(lines.bytes, encoder), is_told: false };
    };
    if care == Care::Thorough && split.len() * 10 > encoder.quick_len(lines.bytes) * 8 {
        let plain = separated::encode(lines.bytes, encoder);
        if plain.len() <= split.len() {
            return EncodedLines { page: plain, is_told: true };
        }
    }
    EncodedLines { page: split, is_told: true }
}

/// Lines as plain pages or as templates.
pub(crate) fn decode(page: &Bytes, rows: usize, decoder: &mut Decoder) -> Result<DecodedLines, Corrupt> {
    match page.first() {
        Some(&codec::LINES_TEMPLATES) => {
            templates::decode(&page.slice(1..), rows, decoder).map(DecodedLines::Templates)
        }
        _ => decode_plain(page, rows, Section::Lines, decoder).map(DecodedLines::Plain),
    }
}

/// Plain pages only.
pub(crate) fn decode_plain(
    page: &[u8],
    rows: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<DecodedPlain, Corrupt> {
    match page.first() {
        Some(&codec::LINES_SEPARATED) => separated::decode(&page[1..], rows, section, decoder),
        Some(&codec::LINES_SIZED) => sized::decode(&page[1..], rows, section, decoder),
        _ => Err(Corrupt::new(section, "unknown codec")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(lines: &[Vec<u8>], needle: &[u8]) {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        for line in lines {
            bytes.extend_from_slice(line);
            bytes.push(SEPARATOR);
            starts.push(bytes.len() as u32);
        }
        let is_separated = !lines.iter().any(|line| line.contains(&SEPARATOR));
        let before = Lines::joined(&bytes, &starts, is_separated);
        let finder = memmem::Finder::new(needle);
        let want: Vec<u32> =
            (0..lines.len() as u32).filter(|row| finder.find(&lines[*row as usize]).is_some()).collect();
        assert_eq!(before.rows_with(&finder), want, "in memory");
        assert_eq!(before.rows_with_any_case(needle), want, "in any case");
        for care in [Care::Quick, Care::Thorough] {
            let page = Bytes::from(encode(before, care, &mut Encoder::new(1), &mut |_| {}).page);
            let after = decode(&page, lines.len(), &mut Decoder::new()).unwrap();
            let after = after.view();
            assert_eq!(after.rows_with(&finder), want);
            assert_eq!(after.rows_with_any_case(needle), want);
            let picked = after.pick(&want);
            for (number, row) in want.iter().enumerate() {
                assert_eq!(picked.get(number), lines[*row as usize]);
            }
            assert!(after.iter().eq(lines.iter().map(Vec::as_slice)));
            assert_eq!(after.rows_with(&finder), want, "once the starts are known");
            assert!(decode(&page, lines.len() + 1, &mut Decoder::new()).is_err());
        }
    }

    proptest! {
        #[test]
        fn lines_come_back_and_are_found(
            lines in prop::collection::vec(prop::collection::vec(0_u8..4, 0..6), 0..40),
            needle in prop::collection::vec(0_u8..4, 0..4),
            lift in 0_u8..2,
        ) {
            let lift = |bytes: &Vec<u8>| bytes.iter().map(|byte| byte + 2 * lift).collect::<Vec<u8>>();
            check(&lines.iter().map(lift).collect::<Vec<_>>(), &lift(&needle));
        }
    }
}
