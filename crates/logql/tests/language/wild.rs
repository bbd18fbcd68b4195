//! Texts that nobody wrote: the corpus with seeded damage.

use larch_logql::fuzz_parse;

use crate::recorded::cases_of;
use crate::texts::{CASES, SYNTAX_ERRORS};
use crate::{lines, text};

const MUTATIONS: usize = 20_000;

/// Splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for file in [CASES, SYNTAX_ERRORS] {
        for case in lines(file) {
            corpus.push(text(&case, "query").expect("a query").as_bytes().to_vec());
        }
    }
    for case in cases_of("parse-error").into_iter().chain(cases_of("format_query")) {
        corpus.push(text(&case["params"], "query").expect("a query").as_bytes().to_vec());
    }
    corpus
}

/// Pieces that mean something wherever they land.
const PIECES: [&str; 40] = [
    "(",
    ")",
    "{",
    "}",
    "[5m]",
    " or ",
    " and ",
    ",",
    "|",
    "|=",
    "!=",
    "=~",
    "\"",
    "`",
    "'",
    "-",
    "-0",
    "!",
    "\\",
    " by (a) ",
    " without ",
    "sum(",
    "rate(",
    "ip(\"",
    "unwrap ",
    "| json ",
    "| drop a",
    "offset -5m",
    "1e9",
    "0x1p9",
    "5KB",
    "5m",
    "#",
    "/*",
    "*/",
    "\u{fffd}",
    "\0",
    "bool",
    "group_left",
    "__error__",
];

fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.insert(at, random.next() as u8),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            3 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            4 => bytes.truncate(at),
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                bytes.splice(at..at, other[from..].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn the_corpus_as_it_is() {
    for query in corpus() {
        fuzz_parse(&query);
    }
}

#[test]
fn the_corpus_with_damage() {
    let corpus = corpus();
    let mut random = Random(7);
    for _ in 0..MUTATIONS {
        fuzz_parse(&mutate(&mut random, &corpus));
    }
}
