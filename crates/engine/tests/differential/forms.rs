//! Lines of few forms in pages that are templates, which the engine need not put together.

use larch_logql::{Steps, parse_metric};
use larch_types::{Labels, Span, StreamId, Timestamp};

use crate::metrics::{FILTERS, SHAPES, STAGES, check};
use crate::rows::{Copy, HeldRow, SECONDS, STREAMS, metadata};

/// Forms that belong together, and stages for them beside those of the other tests.
const FAMILIES: [(std::ops::Range<usize>, &[&str]); 3] = [
    (
        0..18,
        &[
            "| json",
            "| json",
            "| json | status >= 400",
            "| json | status =~ \"1.*\" | keep user, status",
            "| json | took > 3 | drop status",
            "| json | user_extracted != \"\"",
            "| json | label_format user=status",
            "| json | label_format user=\"{{.status}}/{{.took}}\"",
            "| json | label_format user=\"{{__timestamp__ | unixEpoch}}\"",
            "| json | label_format user=\"{{__line__ | len}}\"",
            "| json a=\"a\", status=\"req.user\", user=\"a.c[1].d\"",
            "| json status=\"status\", user",
            "| json | json user=\"took\"",
            "| json | logfmt",
        ],
    ),
    (
        18..24,
        &[
            "| logfmt",
            "| logfmt | status < 300",
            "| logfmt | took > 40ms",
            "| logfmt | keep user, status | status != \"7\"",
            "| logfmt --strict",
            "| logfmt --strict | __error__=\"\"",
            "| logfmt --strict | drop __error__",
            "| logfmt --strict user, k1 | __error__=\"\"",
            "| logfmt --strict user, status",
            "| logfmt k1, user, status=\"k1\"",
            "| logfmt --keep-empty | k1 = \"\"",
        ],
    ),
    (
        24..28,
        &[
            "| pattern \"[<method>] [<user>] status=<status> <_>\"",
            "| pattern \"<user> - \\\"<method> <_>\\\" <status> <_>\"",
            "| pattern \"<_>id <user> <status>\"",
            "| pattern \"<_> d<user> <status>\"",
            "| pattern \"<_>1<user> <status>\"",
        ],
    ),
];

const MORE_SHAPES: [&str; 15] = [
    "sum by (status) (count_over_time({}[10s]))",
    "sum by (user) (count_over_time({}[25s]))",
    "sum by (user, status, app) (rate({}[10s]))",
    "sum by (status, user_extracted) (count_over_time({}[30s]))",
    "sum by (k1, trace, env) (count_over_time({}[30s]))",
    "sum by (status, __error_details__) (count_over_time({}[30s]))",
    "sum by (took, __error__) (count_over_time({}[30s]))",
    "topk(2, sum by (user, detected_level) (count_over_time({}[60s])))",
    "quantile_over_time(0.9, {} | unwrap took | __error__=\"\" [20s]) by (app)",
    "quantile_over_time(0.3, {} | unwrap status | __error__=\"\" [20s]) by (app, env)",
    "avg_over_time({} | unwrap took | __error__=\"\" [30s]) by (status)",
    "avg_over_time({} | unwrap status | __error__=\"\" | status > 20 [20s]) by (user)",
    "max_over_time({} | unwrap duration(took) | __error__=\"\" [20s]) by (user)",
    "max_over_time({} | unwrap bytes(size) | __error__=\"\" [20s]) by (app)",
    "last_over_time({} | unwrap user | __error__=\"\" [20s]) by (app)",
];

/// Values that come from slots, and what else may look at their labels.
const VALUES: [&str; 14] = [
    "quantile_over_time(0.9, {app=~\".+\"} | json | unwrap took | __error__=\"\" [5s]) by (app)",
    "quantile_over_time(0.5, {app=~\".+\"} | json | unwrap took | __error__=\"\" [9s]) by (user)",
    "quantile_over_time(0.5, {app=~\".+\"} | json | unwrap took | __error__=\"\" [30s]) by (env)",
    "avg_over_time({app=~\".+\"} | json | unwrap took | __error__=\"\" [8s]) by (app)",
    "avg_over_time({app=~\".+\"} | json | unwrap took | __error__=\"\" | took > 20 [8s]) by (app)",
    "avg_over_time({app=~\".+\"} | json | took < 50 | unwrap took | __error__=\"\" [20s]) by (app)",
    "max_over_time({app=~\".+\"} | json | unwrap took | __error__=\"\" [20s]) by (took)",
    "max_over_time({app=~\".+\"} | json | drop took | unwrap took | __error__=\"\" [20s]) by (app)",
    "max_over_time({app=~\".+\"} | json | label_format took=status | unwrap took | __error__=\"\" [20s]) by (app)",
    "avg_over_time({app=~\".+\"} | json | unwrap user | __error__=\"\" [9s]) by (app)",
    "quantile_over_time(0.3, {app=~\".+\"} | json | unwrap status | __error__=\"\" [9s]) by (app, env)",
    "min_over_time({app=~\".+\"} | json | unwrap duration(took) | __error__=\"\" [20s]) by (app)",
    "quantile_over_time(0.7, {app=~\".+\"} | json took=\"took\" | unwrap took | __error__=\"\" [9s]) by (app)",
    "quantile_over_time(0.7, {app=~\".+\"} | json | unwrap took [9s]) by (app)",
];

/// Forms that have such values.
const VALUED: [usize; 5] = [0, 3, 4, 7, 16];

/// A stream of numbers that a seed decides, and whether its digits begin with zeros now and then.
struct Rng(u64, bool);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        // Xorshift: good enough to pick by.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one_of<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// Mostly short ones, now and then one that begins with zeros or that no column keeps as a number.
    fn digits(&mut self) -> String {
        match self.below(12) {
            0 | 1 if self.1 => format!("{:02}", self.below(40)),
            2 => format!("{}", self.below(100_000)),
            3 if self.below(200) == 0 => format!("{:022}", self.below(90_000_000)),
            4..7 => self.below(8).to_string(),
            _ => self.below(600).to_string(),
        }
    }

    fn id(&mut self) -> String {
        let start = self.one_of(&["ab", "d0", "de"]);
        let id = format!("{start}{:04x}{:04x}", self.below(40) + 0xcdef, self.below(3) * 0x77);
        if self.below(30) == 0 { format!("{id}beef{id}beef{id}") } else { id }
    }
}

fn line(rng: &mut Rng, form: usize) -> String {
    let (n, m, k, id) = (rng.digits(), rng.digits(), rng.digits(), rng.id());
    let word = rng.one_of(&["info", "error"]);
    let method = rng.one_of(&["GET", "POST"]);
    let name = rng.one_of(&["status", "user", "k1"]);
    match form {
        0 => format!(r#"{{"level":"{word}","status":{n},"took":{m}.{k},"user":{k},"id":"{id}"}}"#),
        1 => format!(
            r#"{{"a":{{"b":{n},"c":[{m},{{"d":{k}}}]}},"status":{m},"took":{n}.5,"size":"{n}KB","req":{{"user":"u{m}"}}}}"#
        ),
        2 => {
            let (n, m, k) = (rng.below(2), rng.below(2), rng.below(2));
            match rng.below(2) {
                0 => format!(r#"{{"user":{k},"status":{n},"status":{m},"user_extracted":{m}}}"#),
                _ => format!(r#"{{"status":{n},"user_extracted":{m},"user":{k},"user":{n}}}"#),
            }
        }
        3 => format!(r#"{{"user_extracted":{m},"user":"{k}","status":"{word}","took":-{n}.{k}}}"#),
        4 => format!(r#"{{"status":"a\t{n}","user":"\\{m}","took":"{k}","msg":"q\"{n}\"","id":"{id}"}}"#),
        5 => format!(r#"{{"status":"\u00{n}1","user":"\{m}","took":{k}}}"#),
        6 => format!(r#"{{"status":{n},"user":"{m}","took":tru{k}"#),
        7 => format!(r#"{{"status":00{n},"took":-{n}.0{m}e1,"user":1e{m}}}"#),
        8 => format!(r#"{{"k{m}":{n},"status":{n},"took":{k}}}"#),
        9 => format!(r#"{{"app":"a {n}","env":{m},"trace":"{id}","detected_level":{n},"status":{k}}}"#),
        10 => format!(r#" {{ "status" : {n} , "took" :{m},"user": "x{k}" }} tail {n}"#),
        11 => format!(r#"{{"status":{id},"user":{n}}}"#),
        12 => format!(r#"{{"status":{n},"took":{m},}}"#),
        13 => format!(r#"[{{"status":{n}}}]"#),
        14 => format!(r#"{{"{name}":{n},"took":{m}}}"#),
        15 => format!(r#"{{"status":"\u00e{}bcd","user":"\u0{}abc","took":{k}}}"#, n.len(), 100 + m.len()),
        16 => format!(r#"{{"status":"{n}x{m}","took":{k}.{:03},"user":"{word}{n}"}}"#, rng.below(40)),
        17 => format!(r#"{{"status":{n},"k1":"{m}","user":null,"took":[{k}],"size":true}}"#),
        18 => format!("level={word} status={n} took={m}ms user=\"u {k}\" method={method} size={n}KB id={id}"),
        19 => format!("status={n} status={m} user={k} k{}={n} bad\"{n} took={m}.{k}s", rng.below(3)),
        20 => format!(r#"status={n} user="a\t{m}" took="{k}" id={id}"#),
        21 => format!(r#"status="\u00e{}bcd" user="\{m}" took={k}"#, n.len()),
        22 => format!("{name}={n} took={m}s k{k}"),
        23 => format!("status={n} user={word}{m} bad\"{k}"),
        24 => format!("error {n} of id {id} and {m}"),
        25 => format!("[{method}] [x{m}] status={n} Error {n} of {m}"),
        26 => format!("10.0.{m}.{n} - \"{method} /p/{n}\" {n} {m}"),
        _ => format!("head {id} id {n} {id} d{m} {k}"),
    }
}

/// Few streams and forms, and two segments one behind the other: so that pages are templates and nothing is
/// contested.
fn rows(rng: &mut Rng, forms: &[usize]) -> Vec<HeldRow> {
    let forms: Vec<usize> = (0..1 + rng.below(3)).map(|_| forms[rng.below(forms.len())]).collect();
    let (first_stream, streams) = (rng.below(STREAMS.len()), 1 + rng.below(3));
    let has_extras = rng.below(3) == 0;
    let mut rows = Vec::new();
    for number in 0..240_i64 {
        if number % 120 == 0 {
            rng.1 = rng.below(2) == 0;
        }
        let labels: Labels =
            STREAMS[(first_stream + rng.below(streams)) % STREAMS.len()].parse().expect("labels");
        // All times differ.
        let time = Timestamp::from_nanos(number * SECONDS * 1_000_000_000 / 240);
        let form = forms[rng.below(forms.len())];
        let line = line(rng, form).into_bytes();
        let extras = if has_extras && rng.below(2) == 0 { rng.below(30) as u8 } else { 63 };
        let metadata = metadata(extras, rng.below(3) as u32);
        let level = if has_extras { [None, Some("info")][rng.below(2)] } else { None };
        let stream = StreamId::of(&labels);
        let copies = vec![Copy { holder: 1 + number as u8 / 120, stamp: number as u128 }];
        rows.push(HeldRow { labels, stream, time, line, metadata, level, copies });
    }
    rows
}

fn query(rng: &mut Rng, more: &[&str]) -> String {
    let filter = if rng.below(3) > 0 { "" } else { rng.one_of(&FILTERS) };
    let stages = if rng.below(8) == 0 { rng.one_of(&STAGES) } else { rng.one_of(more) };
    let shape = if rng.below(8) == 0 { rng.one_of(&SHAPES) } else { rng.one_of(&MORE_SHAPES) };
    shape.replace("{}", &format!("{{app=~\".+\"}} {filter} {stages} "))
}

/// How many rows were told by their forms, of how many.
fn run(
    seed: u64,
    forms: &[usize],
    queries: &mut dyn FnMut(&mut Rng) -> String,
    each: &mut dyn FnMut(&str, u64),
) {
    let range = (Timestamp::EPOCH, Timestamp::from_secs(SECONDS));
    let steps = Steps::range(Timestamp::from_secs(5), range.1, Span::from_secs(9)).expect("steps");
    let mut rng = Rng((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), true);
    let rows = rows(&mut rng, forms);
    for _ in 0..4 {
        let text = queries(&mut rng);
        match check(&text, steps, &rows, range, 1 + rng.below(2)) {
            Ok(told) => each(&text, told),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
}

#[test]
fn lines_of_few_forms() {
    let (mut told, mut of) = ([0_u64; 3], 0);
    for seed in 0..400_u64 {
        let (forms, stages) = &FAMILIES[(seed as usize % 4).saturating_sub(1)];
        let forms: Vec<usize> = forms.clone().collect();
        run(seed, &forms, &mut |rng| query(rng, stages), &mut |text, by_form| {
            of += 240;
            for (told, parser) in told.iter_mut().zip(["| json", "| logfmt", "| pattern"]) {
                *told += by_form * u64::from(text.contains(parser));
            }
        });
    }
    assert!(told.iter().all(|told| *told * 40 > of), "told by forms: {told:?} of {of}");
}

#[test]
fn all_are_queries() {
    let of_shapes = MORE_SHAPES.iter().map(|shape| shape.replace("{}", "{app=\"a\"} | json "));
    for text in of_shapes.chain(VALUES.iter().map(|text| (*text).to_owned())) {
        assert!(parse_metric(&text).is_ok(), "{text}");
    }
}

#[test]
fn values_of_slots() {
    let (mut told, mut of) = (0, 0);
    for seed in 0..200_u64 {
        run(seed, &VALUED, &mut |rng| rng.one_of(&VALUES).to_owned(), &mut |_, by_form| {
            (told, of) = (told + by_form, of + 240);
        });
    }
    assert!(told * 4 > of, "told by forms: {told} of {of}");
}
