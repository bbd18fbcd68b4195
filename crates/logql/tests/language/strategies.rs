//! Generators of trees that the parser can make.

use larch_logql::{
    BinaryExpr, BinaryOp, CompareOp, Conversion, Expr, Extraction, FormatValue, Group, Grouping, LabelFilter,
    LabelFormat, LabelReplace, LabelTarget, LineFilter, LineOp, LineOperand, LogExpr, LogRange, Logfmt,
    MetricExpr, RangeAggregation, RangeOp, Side, Stage, Text, Unwrap, VectorAggregation, VectorMatching,
    VectorOp,
};
use larch_types::{MatchOp, Matcher, Span};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const REGEXES: [&str; 6] = [".*", "", "x|y", "[a-z]+\\d", "(?i)a\"b", "^$"];

fn name() -> BoxedStrategy<String> {
    let odd = vec![
        "sum",
        "ip",
        "duration",
        "vector",
        "label_replace",
        "rate",
        "!",
        "@",
        "~",
        "'x'",
        "größe",
        "__error__",
    ];
    // Two letters at the start that no reserved word has.
    prop_oneof![3 => "z[a-z0-9_]{0,5}", 1 => select(odd).prop_map(str::to_owned)].boxed()
}

fn names() -> BoxedStrategy<Vec<String>> {
    vec(name(), 0..3).boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![3 => "[a-z \"\\\\`{}|]{0,12}", 1 => any::<String>()].boxed()
}

fn regex() -> BoxedStrategy<String> {
    select(REGEXES.to_vec()).prop_map(str::to_owned).boxed()
}

fn matcher() -> BoxedStrategy<Matcher> {
    let by_text = (select(vec![MatchOp::Equal, MatchOp::NotEqual]), text());
    let by_regex = (select(vec![MatchOp::Regex, MatchOp::NotRegex]), regex());
    (name(), prop_oneof![by_text, by_regex])
        .prop_map(|(name, (op, value))| Matcher { name, op, value })
        .boxed()
}

/// At least one matcher refuses the empty text.
fn matchers() -> BoxedStrategy<Vec<Matcher>> {
    (vec(matcher(), 0..3), name(), "[a-z]{1,5}")
        .prop_map(|(mut matchers, name, value)| {
            matchers.push(Matcher { name, op: MatchOp::Equal, value });
            matchers
        })
        .boxed()
}

fn compare_op() -> BoxedStrategy<CompareOp> {
    select(vec![
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
    ])
    .boxed()
}

fn finite() -> BoxedStrategy<f64> {
    prop_oneof![(-1000i32..1000).prop_map(|n| f64::from(n) / 8.0), any::<f64>()]
        .prop_filter("finite", |value| value.is_finite())
        .boxed()
}

/// Sizes are read as floats.
fn size() -> BoxedStrategy<u64> {
    let round = (0u64..10_000, 0u32..16).prop_map(|(n, zeros)| n.saturating_mul(10u64.pow(zeros)));
    prop_oneof![round, any::<u64>()].prop_map(|bytes| (bytes / 2) as f64 as u64).boxed()
}

pub(crate) fn label_filter() -> BoxedStrategy<LabelFilter> {
    let number = (name(), compare_op(), finite());
    let duration = (name(), compare_op(), any::<i64>());
    let bytes = (name(), compare_op(), size());
    let leaf = prop_oneof![
        matcher().prop_map(LabelFilter::Text),
        number.prop_map(|(name, op, value)| LabelFilter::Number { name, op, value }),
        duration.prop_map(|(name, op, nanos)| {
            LabelFilter::Duration { name, op, value: Span::from_nanos(nanos) }
        }),
        bytes.prop_map(|(name, op, value)| LabelFilter::Bytes { name, op, value }),
        (name(), any::<bool>(), text()).prop_map(|(name, negated, pattern)| LabelFilter::Ip {
            name,
            negated,
            pattern
        }),
    ];
    leaf.prop_recursive(4, 8, 2, |inner| {
        (any::<bool>(), inner.clone(), inner).prop_map(|(and, left, right)| {
            let (left, right) = (Box::new(left), Box::new(right));
            if and { LabelFilter::And(left, right) } else { LabelFilter::Or(left, right) }
        })
    })
    .boxed()
}

fn line_filter() -> BoxedStrategy<Stage> {
    let bytes = prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..6)];
    let operand = prop_oneof![
        3 => bytes.prop_map(|bytes| LineOperand::Text(Text::new(bytes))),
        1 => text().prop_map(LineOperand::Ip),
    ];
    let ops = vec![
        LineOp::Contains,
        LineOp::NotContains,
        LineOp::Regex,
        LineOp::NotRegex,
        LineOp::Pattern,
        LineOp::NotPattern,
    ];
    (select(ops), vec(operand, 1..4))
        .prop_map(|(op, mut operands)| {
            if op.is_negative() {
                operands.truncate(1);
            }
            Stage::LineFilter(LineFilter { op, operands })
        })
        .boxed()
}

fn extractions(least: usize) -> BoxedStrategy<Vec<Extraction>> {
    vec((name(), text()).prop_map(|(label, path)| Extraction { label, path }), least..3).boxed()
}

fn label_format() -> BoxedStrategy<LabelFormat> {
    let value = prop_oneof![name().prop_map(FormatValue::Rename), text().prop_map(FormatValue::Template)];
    (name(), value).prop_map(|(label, value)| LabelFormat { label, value }).boxed()
}

fn targets() -> BoxedStrategy<Vec<LabelTarget>> {
    let target = prop_oneof![name().prop_map(LabelTarget::Name), matcher().prop_map(LabelTarget::Matching)];
    vec(target, 1..4).boxed()
}

fn stage() -> BoxedStrategy<Stage> {
    let logfmt = (any::<bool>(), any::<bool>(), extractions(0))
        .prop_map(|(strict, keep_empty, extractions)| Logfmt { strict, keep_empty, extractions });
    prop_oneof![
        4 => line_filter(),
        2 => label_filter().prop_map(Stage::LabelFilter),
        1 => extractions(0).prop_map(Stage::Json),
        1 => logfmt.prop_map(Stage::Logfmt),
        1 => select(vec!["(?P<a>x)", "(?P<b>\"\\d+\")|y"]).prop_map(|regex| Stage::Regexp(regex.to_owned())),
        1 => select(vec!["<a>", "<a> <_>\n<b>"]).prop_map(|pattern| Stage::Pattern(pattern.to_owned())),
        1 => select(vec![Stage::Unpack, Stage::Decolorize]),
        1 => text().prop_map(Stage::LineFormat),
        1 => vec(label_format(), 1..3).prop_map(Stage::LabelFormat),
        1 => targets().prop_map(Stage::Drop),
        1 => targets().prop_map(Stage::Keep),
    ]
    .boxed()
}

pub(crate) fn log() -> BoxedStrategy<LogExpr> {
    (matchers(), vec(stage(), 0..5))
        .prop_map(|(matchers, stages)| {
            let mut pipeline: Vec<Stage> = Vec::new();
            for stage in stages {
                // `| drop a != "x"` is a condition of `drop`, so such a pair can only stand apart.
                if let Stage::LineFilter(_) = stage
                    && let Some(Stage::Drop(_) | Stage::Keep(_)) = pipeline.last()
                {
                    pipeline.push(Stage::Decolorize);
                }
                pipeline.push(stage);
            }
            LogExpr { matchers, pipeline }
        })
        .boxed()
}

fn grouping() -> BoxedStrategy<Grouping> {
    (any::<bool>(), names()).prop_map(|(without, labels)| Grouping { without, labels }).boxed()
}

fn unwrap() -> BoxedStrategy<Unwrap> {
    let conversions =
        vec![Conversion::Number, Conversion::Bytes, Conversion::Duration, Conversion::DurationSeconds];
    (name(), select(conversions), vec(label_filter(), 0..3))
        .prop_map(|(label, conversion, filters)| Unwrap { label, conversion, filters })
        .boxed()
}

fn range_aggregation() -> BoxedStrategy<MetricExpr> {
    let millis = prop_oneof![Just(0i64), 0..1_000_000i64, 0..i64::MAX / 1_000_000];
    let offset = prop_oneof![2 => Just(0i64), 1 => (-5000..5000i64).prop_map(|s| s * 60_000_000_000), 1 => any::<i64>()];
    let quantile = finite().prop_map(f64::abs);
    (
        select(RangeOp::ALL.to_vec()),
        log(),
        unwrap(),
        any::<bool>(),
        millis,
        offset,
        option::of(grouping()),
        quantile,
    )
        .prop_map(|(op, log, unwrap, wants_unwrap, millis, offset, grouping, quantile)| {
            let counts = matches!(op, RangeOp::CountOverTime | RangeOp::BytesOverTime | RangeOp::BytesRate);
            let either = matches!(op, RangeOp::Rate | RangeOp::AbsentOverTime);
            let groups = !counts && !either && !matches!(op, RangeOp::SumOverTime | RangeOp::RateCounter);
            let has_unwrap = !counts && (!either || wants_unwrap);
            MetricExpr::Range(Box::new(RangeAggregation {
                op,
                quantile: (op == RangeOp::QuantileOverTime).then_some(quantile),
                range: LogRange {
                    log,
                    unwrap: has_unwrap.then_some(unwrap),
                    range: Span::from_millis(millis),
                    offset: Span::from_nanos(offset),
                },
                grouping: grouping.filter(|_| groups),
            }))
        })
        .boxed()
}

fn vector_aggregation(inner: BoxedStrategy<MetricExpr>) -> BoxedStrategy<MetricExpr> {
    (select(VectorOp::ALL.to_vec()), 1usize..1000, grouping(), inner)
        .prop_map(|(op, count, mut grouping, expr)| {
            match op {
                VectorOp::ApproxTopk => grouping = Grouping::default(),
                VectorOp::Sort | VectorOp::SortDesc => grouping.labels.clear(),
                _ => {}
            }
            let count = op.takes_count().then_some(count);
            MetricExpr::Vector(Box::new(VectorAggregation { op, count, grouping, expr }))
        })
        .boxed()
}

fn matching() -> BoxedStrategy<VectorMatching> {
    let group =
        (select(vec![Side::Left, Side::Right]), names()).prop_map(|(many, include)| Group { many, include });
    (any::<bool>(), names(), option::of(group))
        .prop_map(|(on, labels, group)| VectorMatching { on, labels, group })
        .boxed()
}

fn binary(inner: BoxedStrategy<MetricExpr>) -> BoxedStrategy<MetricExpr> {
    (select(BinaryOp::ALL.to_vec()), any::<bool>(), option::of(matching()), inner.clone(), inner)
        .prop_map(|(op, return_bool, matching, left, right)| {
            let is_literal = |leg: &MetricExpr| matches!(leg, MetricExpr::Literal(_));
            // Literals do not meet literals or set operators.
            let left = if is_literal(&left) && (op.is_set() || is_literal(&right)) {
                MetricExpr::VectorOf(1.0)
            } else {
                left
            };
            let right = if is_literal(&right) && op.is_set() { MetricExpr::VectorOf(2.0) } else { right };
            MetricExpr::Binary(Box::new(BinaryExpr { op, return_bool, matching, left, right }))
        })
        .boxed()
}

fn label_replace(inner: BoxedStrategy<MetricExpr>) -> BoxedStrategy<MetricExpr> {
    (inner, text(), text(), text(), regex())
        .prop_map(|(expr, target, replacement, source, regex)| {
            MetricExpr::LabelReplace(Box::new(LabelReplace { expr, target, replacement, source, regex }))
        })
        .boxed()
}

pub(crate) fn metric() -> BoxedStrategy<MetricExpr> {
    let infinite = select(vec![f64::INFINITY, f64::NEG_INFINITY]);
    let leaf = prop_oneof![
        6 => range_aggregation(),
        1 => prop_oneof![4 => finite(), 1 => infinite].prop_map(MetricExpr::Literal),
        1 => finite().prop_map(|value| MetricExpr::VectorOf(value.abs())),
    ];
    leaf.prop_recursive(5, 12, 2, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            3 => vector_aggregation(inner.clone()),
            4 => binary(inner.clone()),
            1 => label_replace(inner),
        ]
    })
    .boxed()
}

pub(crate) fn expr() -> BoxedStrategy<Expr> {
    prop_oneof![1 => log().prop_map(Expr::Log), 2 => metric().prop_map(Expr::Metric)].boxed()
}
