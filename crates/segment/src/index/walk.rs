//! What the index says of many streams, one after the other.

use larch_types::write_canonical;

use crate::error::{Corrupt, Section};
use crate::index::reader::Index;
use crate::index::series::{SeriesSpan, SeriesWalk};
use crate::index::symbols::Symbols;

/// Once so many texts were made that this share of all symbols was read again and again, all of them are
/// read once.
const SYMBOLS_A_TEXT: usize = 64;

/// Streams that ascend cost no second reading of what lies before them.
pub struct StreamWalk<'a> {
    index: &'a Index,
    series: SeriesWalk<'a>,
    pairs: Vec<(u32, u32)>,
    /// Texts that were made.
    texts: usize,
    symbols: Option<SymbolTexts>,
}

/// All symbols as texts.
struct SymbolTexts {
    texts: String,
    ends: Vec<usize>,
}

impl<'a> StreamWalk<'a> {
    pub(super) const fn new(index: &'a Index, series: SeriesWalk<'a>) -> Self {
        Self { index, series, pairs: Vec::new(), texts: 0, symbols: None }
    }

    /// In which chunks the stream's rows are, in the place of what is in the list.
    pub fn spans(&mut self, ordinal: u32, spans: &mut Vec<SeriesSpan>) -> Result<(), Corrupt> {
        self.series.spans(ordinal, self.index.chunks(), spans)
    }

    /// The canonical text of the stream's labels.
    pub fn canonical(&mut self, ordinal: u32) -> Result<String, Corrupt> {
        let symbols = self.index.symbols();
        self.texts += 1;
        if self.symbols.is_none() && self.texts.saturating_mul(SYMBOLS_A_TEXT) >= symbols.len() {
            self.symbols = Some(SymbolTexts::of(symbols)?);
        }
        let Some(texts) = &self.symbols else { return Ok(self.index.labels(ordinal)?.canonical()) };
        let pairs = &mut self.pairs;
        pairs.clear();
        self.series.labels(ordinal, |name, value| pairs.push((name, value)))?;
        let mut last = "";
        for (name, value) in pairs.iter() {
            let (name, value) = (texts.get(*name)?, texts.get(*value)?);
            if name <= last || value.is_empty() {
                return Err(Corrupt::new(Section::Series, "labels are not valid"));
            }
            last = name;
        }
        let text = |symbol: u32| texts.get(symbol).unwrap_or_default();
        let mut out = String::new();
        write_canonical(&mut out, pairs.iter().map(|(name, value)| (text(*name), text(*value))));
        Ok(out)
    }
}

impl SymbolTexts {
    fn of(symbols: &Symbols) -> Result<Self, Corrupt> {
        let (mut texts, mut ends) = (String::new(), Vec::with_capacity(symbols.len()));
        let mut walk = symbols.walk();
        for symbol in 0..symbols.len() as u32 {
            texts.push_str(walk.get(symbol)?);
            ends.push(texts.len());
        }
        Ok(Self { texts, ends })
    }

    fn get(&self, symbol: u32) -> Result<&str, Corrupt> {
        let symbol = symbol as usize;
        let start = symbol.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let end = self.ends.get(symbol).copied();
        let range = start.zip(end).map(|(start, end)| start..end);
        let text = range.and_then(|range| self.texts.get(range));
        text.ok_or(Corrupt::new(Section::Symbols, "a symbol is out of range"))
    }
}
