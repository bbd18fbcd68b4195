//! A tree in the dialect of the `regex` crate. Nothing is left to defaults on which the two differ.

use crate::regex::ast::{Assertion, Ast, Class, ClassItem, Literal, Repeat};

pub(super) fn emit(out: &mut String, ast: &Ast) {
    match ast {
        Ast::Empty => out.push_str("(?:)"),
        Ast::Literal(literal) => emit_literal(out, literal),
        Ast::Dot { newline: true } => out.push_str("(?s:.)"),
        Ast::Dot { newline: false } => out.push_str(r"[^\n]"),
        Ast::Class(class) => emit_class(out, class),
        Ast::Assertion(assertion) => out.push_str(match assertion {
            Assertion::TextStart => r"\A",
            Assertion::TextEnd => r"\z",
            Assertion::LineStart => "(?m:^)",
            Assertion::LineEnd => "(?m:$)",
            Assertion::WordBoundary => r"(?-u:\b)",
            Assertion::NoWordBoundary => r"(?-u:\B)",
        }),
        Ast::Capture(body) => {
            out.push('(');
            emit(out, body);
            out.push(')');
        }
        Ast::Concat(parts) => {
            for part in parts {
                emit_in_group(out, part);
            }
        }
        Ast::Alternate(branches) => emit_branches(out, branches),
        Ast::Repeat(repeat) => emit_repeat(out, repeat),
    }
}

/// The `regex` crate takes what all branches begin with out of them. If that can match in several ways the
/// order of preference changes, and with it what groups hold: `x.*a|x.*b` finds another match than
/// Go's. Something empty before the first branch prevents it.
fn emit_branches(out: &mut String, branches: &[Ast]) {
    if begin_alike_with_choice(branches) {
        out.push_str(r"(?:\A|)");
    }
    for (index, branch) in branches.iter().enumerate() {
        if index > 0 {
            out.push('|');
        }
        emit(out, branch);
    }
}

fn begin_alike_with_choice(branches: &[Ast]) -> bool {
    let Some((Ast::Concat(first), rest)) = branches.split_first() else {
        return false;
    };
    let mut common = first.as_slice();
    for branch in rest {
        let Ast::Concat(parts) = branch else {
            return false;
        };
        let alike = common.iter().zip(parts).take_while(|(a, b)| a == b).count();
        common = &common[..alike];
    }
    common.iter().any(|part| matches!(part, Ast::Repeat(_) | Ast::Alternate(_) | Ast::Capture(_)))
}

fn emit_in_group(out: &mut String, ast: &Ast) {
    if let Ast::Alternate(_) = ast {
        out.push_str("(?:");
        emit(out, ast);
        out.push(')');
    } else {
        emit(out, ast);
    }
}

fn emit_literal(out: &mut String, literal: &Literal) {
    let escaped = regex::escape(&literal.text);
    if literal.fold {
        out.push_str("(?i:");
        out.push_str(&escaped);
        out.push(')');
    } else {
        out.push_str(&escaped);
    }
}

fn emit_repeat(out: &mut String, repeat: &Repeat) {
    out.push_str("(?:");
    emit(out, &repeat.body);
    out.push(')');
    match (repeat.min, repeat.max) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (min, None) => out.push_str(&format!("{{{min},}}")),
        (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
    }
    if !repeat.greedy {
        out.push('?');
    }
}

fn emit_class(out: &mut String, class: &Class) {
    if class.items.is_empty() {
        // Nothing, or everything.
        out.push_str(if class.negated { "(?s:.)" } else { r"[^\x{0}-\x{10FFFF}]" });
        return;
    }
    // As bytes a class of ASCII compiles in a hundredth of the time, and matches the same.
    let is_ascii = !class.fold && !class.negated && class.items.iter().all(is_ascii);
    out.push_str(match (class.fold, is_ascii) {
        (true, _) => "(?i:[",
        (false, true) => "(?-u:[",
        (false, false) => "[",
    });
    if class.negated {
        out.push('^');
    }
    for item in &class.items {
        match item {
            ClassItem::Range(low, high) => emit_range(out, *low, *high),
            ClassItem::Named { ranges, negated } => {
                out.push_str(if *negated { "[^" } else { "[" });
                for (low, high) in *ranges {
                    emit_range(out, *low, *high);
                }
                out.push(']');
            }
            ClassItem::Property { name, negated } => {
                out.push_str(if *negated { r"\P{" } else { r"\p{" });
                out.push_str(name);
                out.push('}');
            }
        }
    }
    out.push_str(if class.fold || is_ascii { "])" } else { "]" });
}

fn is_ascii(item: &ClassItem) -> bool {
    match item {
        ClassItem::Range(_, high) => high.is_ascii(),
        ClassItem::Named { ranges, negated } => !negated && ranges.iter().all(|(_, high)| high.is_ascii()),
        ClassItem::Property { .. } => false,
    }
}

fn emit_range(out: &mut String, low: char, high: char) {
    out.push_str(&format!(r"\x{{{:X}}}-\x{{{:X}}}", u32::from(low), u32::from(high)));
}
