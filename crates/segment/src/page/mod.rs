//! Pages: one column of one chunk each. The first byte of a page names its codec; one file per codec.

pub(crate) mod lines;
pub(crate) mod optional;
pub(crate) mod runs;
pub(crate) mod separated;
pub(crate) mod shapes;
pub(crate) mod sized;
pub(crate) mod stamps;
pub(crate) mod templates;
pub(crate) mod times;

/// Codec bytes. They are stored: numbers are never used again for something else.
pub(crate) mod codec {
    pub(crate) const TIMES: u8 = 1;
    pub(crate) const RUNS: u8 = 2;
    pub(crate) const STAMPS: u8 = 3;
    pub(crate) const OPTIONAL: u8 = 4;
    pub(crate) const SHAPES: u8 = 5;
    pub(crate) const LINES_SEPARATED: u8 = 16;
    pub(crate) const LINES_SIZED: u8 = 17;
    pub(crate) const LINES_TEMPLATES: u8 = 18;
    pub(crate) const TEXT_STRINGS: u8 = 32;
    pub(crate) const TEXT_CONSTANT: u8 = 33;
    pub(crate) const TEXT_DICTIONARY: u8 = 34;
    pub(crate) const TEXT_INTEGERS: u8 = 35;
    pub(crate) const TEXT_DECIMALS: u8 = 36;
    pub(crate) const TEXT_HEX: u8 = 37;
    pub(crate) const TEXT_UUID: u8 = 38;
}
