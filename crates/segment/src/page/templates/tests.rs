//! Lines come back, and searches find in templates what they find in lines.

use bytes::Bytes;
use memchr::memmem;
use proptest::prelude::*;

use super::*;
use crate::compress::{Decoder, Encoder};
use crate::page::lines::DecodedPlain;
use crate::testing::Rng;

fn joined(lines: &[Vec<u8>]) -> DecodedPlain {
    let mut bytes = Vec::new();
    let mut starts = vec![0];
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.push(0);
        starts.push(bytes.len() as u32);
    }
    DecodedPlain::joined(bytes, starts)
}

#[track_caller]
fn check(lines: &[Vec<u8>], needles: &[&[u8]]) {
    let before = joined(lines);
    let Some(page) = encode(before.view(), Choice::Always, &mut Encoder::new(1), &mut |_| {}) else {
        return;
    };
    let after = decode(&Bytes::copy_from_slice(&page[1..]), lines.len(), &mut Decoder::new()).unwrap();
    for needle in needles {
        let finder = memmem::Finder::new(needle);
        let has = |row: &u32| finder.find(&lines[*row as usize]).is_some();
        let want: Vec<u32> = (0..lines.len() as u32).filter(has).collect();
        assert_eq!(after.rows_with(needle), want, "{}", String::from_utf8_lossy(needle));
        let lower = needle.to_ascii_lowercase();
        let finder = memmem::Finder::new(&lower);
        let has = |row: &u32| finder.find(&lines[*row as usize].to_ascii_lowercase()).is_some();
        let want: Vec<u32> = (0..lines.len() as u32).filter(has).collect();
        assert_eq!(after.rows_with_any_case(&lower), want, "{}", String::from_utf8_lossy(needle));
    }
    let some: Vec<u32> = (0..lines.len() as u32).filter(|row| row % 7 == 2 || row % 11 == 0).collect();
    let picked = after.pick(&some);
    assert!(picked.view().iter().eq(some.iter().map(|row| lines[*row as usize].as_slice())));
    assert!(!after.is_joined());
    assert!(after.plain().iter().eq(lines.iter().map(Vec::as_slice)));
    assert!(decode(&Bytes::copy_from_slice(&page[1..]), lines.len() + 1, &mut Decoder::new()).is_err());
}

/// A few forms, with values that are awkward: leading zeros, long numbers, ids of several lengths.
fn line(rng: &mut Rng, form: usize) -> Vec<u8> {
    let (a, b) = (rng.next(), rng.next());
    match form % 8 {
        0 => format!(r#"{{"user":{},"trace":"{a:016x}{b:016x}","took":{}.{:02}}}"#, a % 99, b % 50, a % 100),
        1 => format!("ts=2026-10-01T{:02}:{:02}:{:02}.{:03}Z n={a}", a % 24, b % 60, a % 60, b % 1000),
        2 => format!("{}", a % 12),
        3 => format!("x{}y{}z {b:08x} {:010x}", a % 5, b % 3, a % 0xff_ffff_ffff),
        4 => format!("id {:x}", a >> (b % 40)),
        5 => format!("{:020}{:020} end", a, b),
        6 => format!("10.{}.{}.{}:{}", a % 4, b % 256, a % 256, b % 60_000),
        _ => "no slot at all".to_owned(),
    }
    .into_bytes()
}

#[test]
fn needles_of_lines_are_found() {
    let mut rng = Rng::new(5);
    for round in 0..60 {
        let lines: Vec<Vec<u8>> =
            (0..200).map(|row| line(&mut rng, if round % 3 == 0 { round / 3 } else { row })).collect();
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for _ in 0..60 {
            let line = &lines[rng.below(lines.len())];
            let start = rng.below(line.len());
            let len = 1 + rng.below((line.len() - start).min(24));
            let mut needle = line[start..start + len].to_vec();
            if rng.below(4) == 0 {
                let at = rng.below(needle.len());
                needle[at] = line[rng.below(line.len())];
            }
            needles.push(needle);
        }
        check(&lines, &needles.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn any_lines_come_back(
        kinds in prop::collection::vec("[0-9a-c .x]{0,12}", 1..6),
        rows in prop::collection::vec((0_usize..6, 0_u32..300), 0..80),
        needle in "[0-9a-c .x]{1,5}",
    ) {
        let lines: Vec<Vec<u8>> = rows
            .iter()
            .map(|(kind, value)| format!("{} {value:03} {value}", kinds[kind % kinds.len()]).into_bytes())
            .collect();
        check(&lines, &[needle.as_bytes()]);
    }
}

#[test]
fn lines_of_many_forms_are_left_alone() {
    let mut rng = Rng::new(6);
    let word = |rng: &mut Rng| char::from(b'g' + rng.below(20) as u8).to_string().repeat(1 + rng.below(9));
    let lines: Vec<Vec<u8>> = (0..2000)
        .map(|_| format!("{} {} {}", word(&mut rng), word(&mut rng), word(&mut rng)).into_bytes())
        .collect();
    assert!(encode(joined(&lines).view(), Choice::Always, &mut Encoder::new(1), &mut |_| {}).is_none());
    let with_mark = [b"a\x01b".to_vec(), b"c".to_vec()];
    assert!(encode(joined(&with_mark).view(), Choice::Always, &mut Encoder::new(1), &mut |_| {}).is_none());
}

/// A line of many numbers, and a needle that can begin at each of them.
#[test]
fn a_needle_with_many_ways() {
    let numbers =
        |from: usize| (from..from + 300).map(|n| format!("{}:", n % 7)).collect::<String>().into_bytes();
    let lines: Vec<Vec<u8>> = (0..40).map(numbers).collect();
    let finder = lines[3][5..45].to_vec();
    let page = encode(joined(&lines).view(), Choice::Always, &mut Encoder::new(1), &mut |_| {}).unwrap();
    let after = decode(&Bytes::copy_from_slice(&page[1..]), lines.len(), &mut Decoder::new()).unwrap();
    assert_eq!(after.rows_with(&finder).len(), lines.len());
    assert!(after.is_joined());
}

/// A page of some bytes that says that each of many rows has very many numbers, all the same.
#[test]
fn too_many_values_are_refused() {
    let slots = 1000;
    let mut encoder = Encoder::new(1);
    let rows_allowed = MAX_VALUES / slots;
    for rows in [rows_allowed, rows_allowed + 1] {
        let mut template = b"\x01.".repeat(slots);
        template.push(0);
        let mut page = Vec::new();
        for part in [template, vec![0; rows]] {
            let mut blob = Vec::new();
            encoder.put_blob(&mut blob, &part);
            crate::wire::put_bytes(&mut page, &blob);
        }
        // Numbers without leading zeros, from 7 on, that take no bits.
        page.extend([0, 0, 7, 0].repeat(slots));
        let decoded = decode(&Bytes::from(page), rows, &mut Decoder::new());
        assert_eq!(decoded.is_ok(), rows == rows_allowed);
    }
}

/// Slots with the same text before them share a column, whatever the rest of the line is.
#[test]
fn columns_are_shared() {
    let mut plan = ColumnPlan::default();
    let first = plan.template(b"level=info status=\x01 took=\x01ms");
    let second = plan.template(b"level=warn status=\x01 took=\x01ms id=\x02");
    let columns = |template: &Template| template.slots.iter().map(|slot| slot.column).collect::<Vec<_>>();
    assert_eq!(columns(&first), columns(&second)[..2]);
    assert_eq!(plan.kinds.len(), 3);
}
