//! Functions with their lengths, and the items that only tests compile.

use super::mask::mask;
use super::token::{Token, closing, tokens};

pub(crate) struct Function {
    pub(crate) name: String,
    /// Where its `fn` stands, from 1.
    pub(crate) line: usize,
    /// From the line of `fn` to the one of the closing brace, both counted.
    pub(crate) lines: usize,
}

/// What one source holds.
pub(crate) struct Items {
    /// Those with a body, outside test items. Nested ones are listed as well as counted in the outer.
    pub(crate) functions: Vec<Function>,
    /// How many lines belong to test items.
    pub(crate) test_lines: usize,
    /// Modules in files of their own that only tests compile: `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

pub(crate) fn scan(source: &str) -> Items {
    let code = mask(source);
    let tokens = tokens(&code);
    let tests = test_items(&tokens);
    let mut test_lines = 0;
    let mut test_modules = Vec::new();
    let mut counted_to = 0;
    for test in &tests {
        let first = tokens[test.first].line.max(counted_to + 1);
        let last = tokens[test.last].line;
        test_lines += (last + 1).saturating_sub(first);
        counted_to = counted_to.max(last);
        if let [.., keyword, name, end] = &tokens[test.first..=test.last]
            && (keyword.text, end.text) == ("mod", ";")
        {
            test_modules.push(name.text.to_owned());
        }
    }
    Items { functions: functions(&tokens, &tests), test_lines, test_modules }
}

/// A range of tokens, both ends counted.
struct Span {
    first: usize,
    last: usize,
}

/// Items, statements and fields under `#[cfg(test)]`, attributes included; all of a file under
/// `#![cfg(test)]`. In order, and never overlapping.
fn test_items(tokens: &[Token<'_>]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(attribute) = attribute(tokens, at) else {
            at += 1;
            continue;
        };
        // A broken source may end with its bracket still open.
        let content = tokens.get(attribute.open + 1..attribute.close).unwrap_or_default();
        // Deeper down an inner attribute is about a block, and a block is not worth the trouble.
        let is_nested = tokens[..at].iter().any(|token| token.text == "{");
        if !needs_test(content) || (attribute.is_inner && is_nested) {
            at = attribute.close + 1;
        } else if attribute.is_inner {
            return vec![Span { first: 0, last: tokens.len() - 1 }];
        } else {
            let last = item_end(tokens, attribute.close + 1);
            spans.push(Span { first: at, last });
            at = last + 1;
        }
    }
    spans
}

struct Attribute {
    is_inner: bool,
    open: usize,
    close: usize,
}

fn attribute(tokens: &[Token<'_>], at: usize) -> Option<Attribute> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let is_inner = text(at + 1) == "!";
    let open = if is_inner { at + 2 } else { at + 1 };
    (text(at) == "#" && text(open) == "[").then(|| Attribute { is_inner, open, close: closing(tokens, open) })
}

/// `cfg(test)` or `cfg(all(test, ...))`: what is never compiled without tests.
fn needs_test(attribute: &[Token<'_>]) -> bool {
    let texts: Vec<&str> = attribute.iter().map(|token| token.text).collect();
    texts == ["cfg", "(", "test", ")"] || texts.starts_with(&["cfg", "(", "all", "(", "test"])
}

/// The last token of what starts at `start`, after its further attributes.
fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while let Some(attribute) = attribute(tokens, at) {
        at = attribute.close + 1;
    }
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    if text(at) == "pub" {
        at += 1;
        if text(at) == "(" {
            at = closing(tokens, at) + 1;
        }
    }
    match text(at) {
        "const" if !matches!(text(at + 1), "fn" | "unsafe" | "async" | "extern") => semicolon(tokens, at),
        "use" | "static" | "type" | "let" => semicolon(tokens, at),
        "{" => closing(tokens, at),
        "mod" | "fn" | "const" | "struct" | "enum" | "union" | "impl" | "trait" | "unsafe" | "async"
        | "extern" | "macro_rules" => match body(tokens, at) {
            Body::Braces { close } => close,
            Body::None { end } => end,
        },
        _ => part_end(tokens, at),
    }
}

fn semicolon(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            "(" | "[" | "{" => at = closing(tokens, at),
            ";" => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len() - 1
}

/// The end of a field, a variant, an arm of a `match`, a parameter or a statement: its comma or
/// semicolon, the brace after which nothing goes on, or what comes before the bracket around it.
fn part_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            "(" | "[" => at = closing(tokens, at),
            "{" => {
                at = closing(tokens, at);
                let next = tokens.get(at + 1).map_or("", |token| token.text);
                if !matches!(next, "," | ";" | "=>" | "." | "?" | "else" | "if" | "|") {
                    return at;
                }
            }
            ")" | "]" | "}" => return at.saturating_sub(1).max(start),
            "," | ";" => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len() - 1
}

enum Body {
    Braces { close: usize },
    None { end: usize },
}

/// The body of the item whose header starts at `start`. Braces inside the header's own brackets or
/// angle brackets are types and constants, not the body.
fn body(tokens: &[Token<'_>], start: usize) -> Body {
    let mut angles = 0_usize;
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            "<" => angles += 1,
            ">" => angles = angles.saturating_sub(1),
            "(" | "[" => at = closing(tokens, at),
            "{" if angles > 0 => at = closing(tokens, at),
            "{" => return Body::Braces { close: closing(tokens, at) },
            ";" => return Body::None { end: at },
            ")" | "]" | "}" => return Body::None { end: at.saturating_sub(1).max(start) },
            _ => {}
        }
        at += 1;
    }
    Body::None { end: tokens.len() - 1 }
}

fn functions(tokens: &[Token<'_>], tests: &[Span]) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut tests = tests.iter().peekable();
    let mut at = 0;
    while at + 1 < tokens.len() {
        if let Some(test) = tests.next_if(|test| test.first == at) {
            at = test.last + 1;
            continue;
        }
        // After the keyword comes a name; in the type `fn(u8)` comes a bracket.
        let name = tokens[at + 1].text;
        if tokens[at].text == "fn"
            && name != "("
            && let Body::Braces { close } = body(tokens, at + 1)
        {
            let line = tokens[at].line;
            functions.push(Function { name: name.to_owned(), line, lines: tokens[close].line - line + 1 });
        }
        at += 1;
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each function as `name@line+lines`.
    #[track_caller]
    fn check_functions(source: &str, want: &[&str]) {
        let items = scan(source);
        let got: Vec<String> =
            items.functions.iter().map(|f| format!("{}@{}+{}", f.name, f.line, f.lines)).collect();
        assert_eq!(got, want, "{source}");
    }

    #[track_caller]
    fn check_tests(source: &str, lines: usize, modules: &[&str]) {
        let items = scan(source);
        assert_eq!(items.test_lines, lines, "{source}");
        assert_eq!(items.test_modules, modules, "{source}");
    }

    #[test]
    fn finds_functions_of_every_shape() {
        check_functions("fn a() {}\npub(crate) const fn b()\n{\n}\n", &["a@1+1", "b@2+3"]);
        check_functions("trait T {\n fn a();\n fn b() {\n }\n}", &["b@3+2"]);
        check_functions("type F = fn(u8) -> u8; struct S { f: fn(), g: for<'a> fn(&'a u8) }", &[]);
        check_functions("fn a() {\n fn b() {\n }\n}", &["a@1+4", "b@2+2"]);
        check_functions("macro_rules! m { ($n:ident) => { fn $n() {\n} } }", &["$n@1+2"]);
        check_functions("fn r#fn() {\n}", &["r_fn@1+2"]);
        check_functions("let x = (\"fn a() {\", '{', r#\"}\"#); // fn b() {}", &[]);
    }

    #[test]
    fn braces_of_a_signature_are_no_body() {
        check_functions("fn a<const N: usize>() -> A<{ N }> {\n\n}", &["a@1+3"]);
        check_functions("fn a() -> [u8; { 1 }] {\n}", &["a@1+2"]);
        check_functions("fn a<F>(f: F) -> Box<dyn Fn() -> u8>\nwhere F: Fn(u8) -> B<C<u8>> {\n}", &["a@1+3"]);
    }

    #[test]
    fn braces_in_literals_do_not_end_a_function() {
        let source =
            "fn a<'a>(x: &'a str) {\n let _ = ('}', \"}\", b'}', br\"}\");\n /* } */ // }\n}\nfn b() {}";
        check_functions(source, &["a@1+4", "b@5+1"]);
    }

    #[test]
    fn test_items_are_not_counted() {
        check_functions("#[cfg(test)]\nmod tests {\n fn a() {}\n}\nfn b() {}", &["b@5+1"]);
        check_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n}\n", 3, &[]);
        check_tests("#[cfg(test)]\n#[path = \"x.rs\"]\npub(crate) mod x;\nmod y;", 3, &["x"]);
        check_tests("#[cfg(all(test, unix))] use a::{b, c};\nfn d() {}", 1, &[]);
        check_tests("#[cfg(test)]\nimpl<A, B> T for X<A, B>\n{\n}\nfn d() {}", 4, &[]);
        check_tests("#[cfg(test)]\nconst X: A = A { b: [1; 2],\n c: 3 };\nfn d() {}", 3, &[]);
        check_tests("#[cfg(test)]\nconst fn x() {\n}\nfn d() {}", 3, &[]);
        check_tests("struct A {\n #[cfg(test)]\n a: B<C>,\n d: u8,\n #[cfg(test)]\n e: u8\n}", 4, &[]);
        check_tests("match a {\n #[cfg(test)]\n A => f(1, 2),\n B => {}\n}", 2, &[]);
        check_tests("match a {\n #[cfg(test)]\n A { b } => {\n f();\n }\n B => 1,\n}", 4, &[]);
        check_tests("fn a() {\n #[cfg(test)]\n if b { c() } else { d() }\n e();\n}", 2, &[]);
        check_tests("fn a() {\n #[cfg(test)]\n {\n }\n b();\n}", 3, &[]);
        check_tests("#![allow(x)]\n#![cfg(test)]\nfn a() {\n}\n", 4, &[]);
        check_tests("mod a {\n #![cfg(test)]\n}\nfn b() {}\n", 0, &[]);
        check_tests("#[cfg(test)] mod a; #[cfg(test)] mod b;\n", 1, &["a", "b"]);
    }

    #[test]
    fn other_conditions_are_counted() {
        for source in ["#[cfg(any(test, unix))]\nfn a() {}", "#[cfg(all(unix, not(test)))]\nfn a() {}"] {
            check_functions(source, &["a@2+1"]);
            check_tests(source, 0, &[]);
        }
    }

    /// A deterministic source of numbers (xorshift), so that a failure comes back.
    fn next(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % 1_000_003).unwrap()
    }

    #[test]
    fn broken_sources_do_no_harm() {
        let pieces = [
            "#",
            "!",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "<",
            ">",
            "->",
            ";",
            ",",
            "'",
            "\"",
            "\\",
            "/*",
            "*/",
            "//",
            "\n",
            "r#\"",
            "b'",
            "#[cfg(test)]",
            "#![cfg(test)]",
            "cfg(all(test",
            "fn a",
            "mod b",
            "pub",
            "const ",
            "use ",
            "ä",
        ];
        let mut state = 0x1a2c_4b00_51ed;
        for _ in 0..20_000 {
            let count = next(&mut state) % 12;
            let source: String = (0..count).map(|_| pieces[next(&mut state) % pieces.len()]).collect();
            let items = scan(&source);
            assert!(items.test_lines <= source.lines().count(), "{source:?}");
        }
    }
}
