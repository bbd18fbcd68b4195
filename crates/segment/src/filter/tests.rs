//! The filter never leaves out a chunk that has the needle, and does leave out most of the others.

use larch_types::Labels;
use memchr::memmem;

use crate::testing::{OwnedRow, Rng, build, labels, provenance};
use crate::{Columns, Decoder, Effort, OrdinalSet, Probe, Segment, SegmentBuilder};
use bytes::Bytes;

/// Lines of several kinds, with ids of all lengths, words that touch one another, and bytes of no text.
fn line(rng: &mut Rng) -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["cache", "Session", "token_x", "überlauf", "a1", "0x7fff", "ERROR", "connection-refused"];
    let word = |rng: &mut Rng| WORDS[rng.below(WORDS.len())];
    let hex = |rng: &mut Rng, digits: usize| {
        let text = format!("{:016x}{:016x}{:016x}{:016x}", rng.next(), rng.next(), rng.next(), rng.next());
        text[..digits].to_owned()
    };
    match rng.below(8) {
        0 => format!(r#"{{"level":"{}","trace_id":"{}","n":{}}}"#, word(rng), hex(rng, 32), rng.next()),
        1 => {
            let h = hex(rng, 32);
            let uuid = format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..]);
            format!("id={uuid}{} took {}ms", word(rng), rng.below(5000))
        }
        2 => format!("sha256:{} {}", hex(rng, 64), word(rng)),
        3 => {
            let digits = 1 + rng.below(20);
            format!("{}{}{}", word(rng), hex(rng, digits), word(rng))
        }
        4 => format!("blk_{} from 10.{}.{}.7", rng.next() % 1_000_000_000, rng.below(256), rng.below(256)),
        5 => return (0..rng.below(40)).map(|_| rng.next() as u8).collect(),
        6 => format!("span={} {}", hex(rng, 16).to_uppercase(), "xyz_".repeat(rng.below(20))),
        _ => format!("{} {}={} {}", word(rng), word(rng), rng.below(100_000_000), hex(rng, 8)),
    }
    .into_bytes()
}

struct Corpus {
    object: Bytes,
    segment: Segment,
    /// Lines of each chunk, joined.
    chunks: Vec<Vec<Vec<u8>>>,
}

/// Some twenty chunks. Streams of one service lie side by side, so each gets enough for a chunk.
fn corpus(kinds: impl Fn(&mut Rng, usize) -> Vec<u8>) -> Corpus {
    let mut rng = Rng::new(42);
    let mut builder = SegmentBuilder::new();
    for number in 0..20 {
        let stream = builder.stream(&labels(&[("app", "a"), ("pod", &number.to_string())])).unwrap();
        let mut bytes = 0;
        let mut time = 0;
        while bytes < 600 << 10 {
            let line = kinds(&mut rng, number);
            bytes += line.len();
            time += 1;
            OwnedRow::new(time, line).with(|row, _| builder.push(stream, row, None)).unwrap();
        }
    }
    let object: Bytes = builder.finish(provenance(), Effort::Fresh).unwrap().bytes.into();
    let segment = Segment::open(&object, object.len() as u64).unwrap();
    let mut decoder = Decoder::new();
    let mut chunks = Vec::new();
    for number in 0..segment.chunks().len() as u32 {
        let chunk = segment.chunk_of(&object, number, Columns { lines: true, ..Columns::default() }).unwrap();
        chunks.push(chunk.lines(&mut decoder).unwrap().iter().map(<[u8]>::to_vec).collect());
    }
    Corpus { object, segment, chunks }
}

impl Corpus {
    fn resolve(&self, probe: &Probe) -> OrdinalSet {
        let page = |range: std::ops::Range<u64>| self.object.slice(range.start as usize..range.end as usize);
        let pages: Vec<Bytes> = probe.ranges().map(page).collect();
        probe.chunks(&pages).unwrap()
    }

    fn candidates(&self, needle: &[u8]) -> OrdinalSet {
        self.resolve(&self.segment.filter().unwrap().substring(needle))
    }

    /// Chunks that truly have it.
    fn holders(&self, needle: &[u8]) -> Vec<u32> {
        let finder = memmem::Finder::new(needle);
        let has = |number: &u32| self.chunks[*number as usize].iter().any(|line| finder.find(line).is_some());
        (0..self.chunks.len() as u32).filter(has).collect()
    }

    #[track_caller]
    fn check(&self, needle: &[u8]) -> usize {
        let candidates = self.candidates(needle);
        for holder in self.holders(needle) {
            assert!(
                candidates.contains(holder),
                "{:?} is in chunk {holder}",
                String::from_utf8_lossy(needle)
            );
        }
        candidates.len()
    }
}

/// Ten thousand, or as many as a longer run asks for.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment how long to go on")]
fn needles() -> u64 {
    let asked = std::env::var("LARCH_SOAK_NEEDLES").ok();
    asked.map_or(10_000, |count| count.parse().unwrap())
}

#[test]
fn no_needle_of_a_line_is_missed() {
    let corpus = corpus(|rng, _| line(rng));
    let mut rng = Rng::new(7);
    for _ in 0..needles() {
        let number = rng.below(corpus.chunks.len());
        let lines = &corpus.chunks[number];
        let line = &lines[rng.below(lines.len())];
        let start = rng.below(line.len() + 1);
        let len = rng.below(line.len() - start + 1);
        let needle = &line[start..start + len];
        let candidates = corpus.candidates(needle);
        assert!(candidates.contains(number as u32), "{:?}", String::from_utf8_lossy(needle));
        let upper = needle.to_ascii_uppercase();
        if let Some(probe) = corpus.segment.filter().unwrap().substring_without_case(&upper) {
            assert!(corpus.resolve(&probe).contains(number as u32), "{:?}", String::from_utf8_lossy(&upper));
        }
    }
}

#[test]
fn what_is_searched_is_found_and_the_rest_left_out() {
    let corpus = corpus(|rng, number| {
        // Even streams have trace ids, odd ones have not.
        let id = format!("{:016x}{:016x}", rng.next(), rng.next());
        let line = if number % 2 == 0 {
            format!("GET /x trace={id} ok")
        } else {
            format!("job {} done", rng.next())
        };
        line.into_bytes()
    });
    let chunks = corpus.chunks.len();
    assert!(chunks >= 20);
    let with_id = (0..chunks).find(|number| corpus.chunks[*number][0].starts_with(b"GET")).unwrap();
    let present = &corpus.chunks[with_id][3][13..45];
    assert!(corpus.check(present) <= 2, "a trace id");
    assert_eq!(corpus.check(b"0123456789abcdef0123456789abcdee"), 0, "an absent one");
    assert_eq!(corpus.check(b"trace="), corpus.holders(b"trace=").len(), "a word of half of the chunks");
    assert_eq!(corpus.check(b"nowhere_at_all_to_be_found"), 0, "longer than any word");
    assert_eq!(corpus.check(b"zq-1"), chunks, "letters by twos");
    assert_eq!(corpus.check(b"doni"), 0, "part of a word that would be");
    assert_eq!(corpus.check(b"xzzq-done"), 0, "letters that are side by side in no word");
    assert_eq!(corpus.check(b"rac"), corpus.holders(b"rac").len(), "part of a word of half of the chunks");
    assert_eq!(corpus.check(b"abc"), chunks, "letters of ids");
    assert!(corpus.check(b"ok") >= corpus.holders(b"ok").len(), "too short for the map");
    assert_eq!(corpus.check(b""), chunks);
    assert_eq!(corpus.check(b"="), chunks, "no word at all");
}

/// Chunks in which nearly all triples of letters are: those are not in the map, and nothing is missed.
#[test]
fn triples_of_encoded_data_are_not_missed() {
    let corpus = corpus(|rng, number| {
        let alphabet: &[u8] =
            if number % 2 == 0 { b"ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ" } else { b"ghij" };
        (0..60).map(|_| alphabet[rng.below(alphabet.len())]).chain(*b" end").collect()
    });
    let mut rng = Rng::new(23);
    for _ in 0..300 {
        let number = rng.below(corpus.chunks.len());
        let line = &corpus.chunks[number][rng.below(corpus.chunks[number].len())];
        let start = rng.below(50);
        corpus.check(&line[start..start + 6]);
    }
    let encoded = corpus.chunks.iter().filter(|lines| lines[0].contains(&b'z')).count();
    let found = corpus.check(b"zzz");
    assert!(found <= corpus.chunks.len() * 2 / 3 && found >= encoded, "{found} of {}", corpus.chunks.len());
}

/// Letters that a regex without regard to case takes for an s or a k.
#[test]
fn kin_of_ascii_letters_are_not_missed() {
    let corpus = corpus(|rng, number| {
        let word =
            ["TASK", "task", "ta\u{17f}k", "tas\u{212a}"][if number % 4 == 0 { rng.below(4) } else { 0 }];
        format!("run {word}_{:08x} kiosk", rng.next() as u32).into_bytes()
    });
    let filter = corpus.segment.filter().unwrap();
    let fold = |line: &[u8]| {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        line.replace('\u{17f}', "s").replace('\u{212a}', "k")
    };
    let mut rng = Rng::new(19);
    for _ in 0..200 {
        let number = rng.below(corpus.chunks.len());
        let line = fold(&corpus.chunks[number][rng.below(corpus.chunks[number].len())]);
        for needle in [&line[4..17], &line[7..17], &line[..12], &line[18..]] {
            let probe = filter.substring_without_case(needle.to_ascii_uppercase().as_bytes()).unwrap();
            assert!(corpus.resolve(&probe).contains(number as u32), "{needle}");
        }
    }
    let odd = (0..corpus.chunks.len() as u32)
        .filter(|number| corpus.chunks[*number as usize].iter().any(|line| !line.is_ascii()))
        .count();
    let absent = corpus.resolve(&filter.substring_without_case(b"task_0123abcdef99").unwrap());
    assert!(absent.len() <= odd && odd < corpus.chunks.len() / 2, "{} of {odd}", absent.len());
    assert!(filter.substring_without_case("stra\u{df}e".as_bytes()).is_none());
}

/// Lines that are split tell the filter their templates once and their slots row by row. Groups of a UUID
/// may be in either.
#[test]
fn ids_in_split_lines_are_found() {
    let corpus = corpus(|rng, number| {
        let letters = |rng: &mut Rng| char::from(b'a' + rng.below(6) as u8);
        let group: String = (0..12).map(|_| letters(rng)).collect();
        let tail = if rng.below(2) == 0 { "abcdefabcdef".to_owned() } else { group };
        let head = format!("{:08x}-{:04x}-{:04x}", rng.next() as u32, rng.next() as u16, rng.next() as u16);
        let (id, run) = (rng.next(), rng.below(100));
        format!(
            "pod{number}x{run} {head}-{:04x}-{tail}y took {}ms id={id:016x}",
            rng.next() as u16,
            rng.below(9)
        )
        .into_bytes()
    });
    let mut rng = Rng::new(13);
    for _ in 0..2000 {
        let number = rng.below(corpus.chunks.len());
        let line = &corpus.chunks[number][rng.below(corpus.chunks[number].len())];
        let start = memmem::find(line, b" ").unwrap() + 1;
        let uuid = &line[start..start + 36];
        assert!(corpus.candidates(uuid).contains(number as u32), "{}", String::from_utf8_lossy(uuid));
        let id = &line[line.len() - 16..];
        assert!(corpus.candidates(id).contains(number as u32), "{}", String::from_utf8_lossy(id));
    }
}

/// Words so long that their parts are not in the map.
#[test]
fn parts_of_huge_words_are_not_missed() {
    let corpus = corpus(|rng, number| {
        let digits = if number % 2 == 0 { 100_000 } else { 40 };
        let word: String = (0..digits / 10).map(|_| format!("{:010x}", rng.next() >> 24)).collect();
        format!("data={word}").into_bytes()
    });
    let mut rng = Rng::new(17);
    for _ in 0..300 {
        let lines = &corpus.chunks[rng.below(corpus.chunks.len())];
        let line = &lines[rng.below(lines.len())];
        let start = 5 + rng.below(line.len() - 25);
        corpus.check(&line[start..start + 20]);
    }
}

/// Required literals of regexes, as a planner would take them.
#[test]
fn literals_of_regexes_are_not_missed() {
    let corpus = corpus(|rng, _| line(rng));
    let mut rng = Rng::new(11);
    for _ in 0..500 {
        let lines = &corpus.chunks[rng.below(corpus.chunks.len())];
        let line = String::from_utf8_lossy(&lines[rng.below(lines.len())]).into_owned();
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let Some(first) = words.first() else { continue };
        let last = words[words.len() - 1];
        let pattern = format!("{}.*{}", regex_syntax::escape(first), regex_syntax::escape(last));
        for literal in required_literals(&pattern) {
            corpus.check(&literal);
        }
    }
}

fn required_literals(pattern: &str) -> Vec<Vec<u8>> {
    use regex_syntax::hir::HirKind;
    let hir = regex_syntax::parse(pattern).unwrap();
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(&hir),
    };
    let literal = |part: &regex_syntax::hir::Hir| match part.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        _ => None,
    };
    parts.iter().filter_map(literal).collect()
}

#[test]
fn metadata_is_found() {
    let mut rows: Vec<(Labels, OwnedRow)> = Vec::new();
    for number in 0..40 {
        let mut row = OwnedRow::new(0, vec![b'x'; 600 << 10]);
        row.metadata = vec![("order".into(), format!("Order-{number}"))];
        rows.push((labels(&[("pod", &number.to_string())]), row));
    }
    let object = build(&rows, Effort::Fresh);
    let segment = Segment::open(&object, object.len() as u64).unwrap();
    let corpus = Corpus { object, segment, chunks: Vec::new() };
    let filter = corpus.segment.filter().unwrap();
    for number in 0..40 {
        let found = corpus.resolve(&filter.metadata("order", &format!("Order-{number}")));
        assert!((1..=3).contains(&found.len()));
    }
    assert!(corpus.resolve(&filter.metadata("user", "Order-1")).len() <= 2, "another name");
    assert_eq!(corpus.resolve(&filter.metadata("order", "Order-77")).len(), 0);
}
