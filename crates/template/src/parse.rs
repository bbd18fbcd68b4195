//! Tokens to trees: text, control structures and definitions. Pipelines are in `pipeline.rs`.

use std::collections::BTreeMap;

use crate::ast::{Branch, Node, Pipe};
use crate::go::unquote;
use crate::lex::{Kind, Lexer, Token};

/// Parentheses and control structures inside one another, `else if` included. Parsing and execution
/// recurse, and a query is text from outside.
pub(crate) const MAX_DEPTH: usize = 200;

/// The text that Go gives, with the template's name and the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

/// The trees of a template by name; its own is in `root`.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) name: Box<str>,
    pub(crate) root: Vec<Node>,
    pub(crate) defined: BTreeMap<Box<[u8]>, Vec<Node>>,
}

pub(crate) fn parse(name: &str, text: &str) -> Result<Trees, ParseError> {
    let mut parser =
        Parser { name, lexer: Lexer::new(text), tree: TreeState::new(), depth: 0, defined: BTreeMap::new() };
    let mut root = parser.top_level()?;
    // A definition of the template's own name counts if the template is otherwise empty.
    if let Some(own) = parser.defined.remove(name.as_bytes()) {
        if is_blank(&root) {
            root = own;
        } else if !is_blank(&own) {
            let quoted = larch_types::quoted(name);
            return parser.error(&format!("template: multiple definition of template {quoted}"));
        }
    }
    Ok(Trees { name: name.into(), root, defined: parser.defined })
}

impl Trees {
    pub(crate) fn find(&self, name: &[u8]) -> Option<&[Node]> {
        if name == self.name.as_bytes() {
            return Some(&self.root);
        }
        self.defined.get(name).map(Vec::as_slice)
    }
}

pub(crate) struct Parser<'t> {
    name: &'t str,
    lexer: Lexer<'t>,
    pub(crate) tree: TreeState,
    depth: usize,
    defined: BTreeMap<Box<[u8]>, Vec<Node>>,
}

/// What begins anew inside a definition. The look-ahead is part of it because the line of an error is
/// that of the token read last by the same tree.
pub(crate) struct TreeState {
    tokens: [Token; 3],
    peeked: usize,
    pub(crate) variables: Vec<Box<str>>,
    range_depth: usize,
    /// The line on which the current action began, 0 outside.
    action_line: usize,
}

impl TreeState {
    fn new() -> Self {
        let none = || Token { kind: Kind::Eof, pos: 0, text: "".into(), line: 0 };
        Self {
            tokens: [none(), none(), none()],
            peeked: 0,
            variables: vec!["$".into()],
            range_depth: 0,
            action_line: 0,
        }
    }
}

enum Item {
    Node(Node),
    End,
    Else,
}

// Tokens with up to three of look-ahead.
impl Parser<'_> {
    pub(crate) fn next(&mut self) -> Token {
        if self.tree.peeked > 0 {
            self.tree.peeked -= 1;
        } else {
            self.tree.tokens[0] = self.lexer.next();
        }
        self.tree.tokens[self.tree.peeked].clone()
    }

    pub(crate) fn backup(&mut self) {
        self.tree.peeked += 1;
    }

    /// Pushes back the last token and `first` before it.
    pub(crate) fn backup_two(&mut self, first: Token) {
        self.tree.tokens[1] = first;
        self.tree.peeked = 2;
    }

    pub(crate) fn backup_three(&mut self, first: Token, second: Token) {
        self.tree.tokens[1] = second;
        self.tree.tokens[2] = first;
        self.tree.peeked = 3;
    }

    pub(crate) fn peek(&mut self) -> Token {
        let token = self.next();
        self.backup();
        token
    }

    pub(crate) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(crate) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    pub(crate) fn error<T>(&self, message: &str) -> Result<T, ParseError> {
        Err(ParseError(format!("template: {}:{}: {message}", self.name, self.tree.tokens[0].line)))
    }

    pub(crate) fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, ParseError> {
        if token.kind != Kind::Error {
            return self.error(&format!("unexpected {} in {context}", token_text(token)));
        }
        let started = self.tree.action_line;
        if started == 0 || started == token.line {
            return self.error(&token.text);
        }
        // "unclosed action" already says what it is that started.
        let link = if token.text.ends_with(" action") { "" } else { " in action" };
        self.error(&format!("{}{link} started at {}:{started}", token.text, self.name))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, ParseError> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    pub(crate) fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.error("max expression depth exceeded") } else { Ok(()) }
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

fn token_text(token: &Token) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Error => token.text.to_string(),
        Kind::Block
        | Kind::Break
        | Kind::Continue
        | Kind::Dot
        | Kind::Define
        | Kind::Else
        | Kind::End
        | Kind::If
        | Kind::Nil
        | Kind::Range
        | Kind::Template
        | Kind::With => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let head: String = token.text.chars().take(10).collect();
            format!("{}...", larch_types::quoted(&head))
        }
        _ => larch_types::quoted(&token.text),
    }
}

impl Parser<'_> {
    fn top_level(&mut self) -> Result<Vec<Node>, ParseError> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.backup_two(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End => return self.error("unexpected {{end}}"),
                Item::Else => return self.error("unexpected {{else}}"),
            }
        }
        Ok(nodes)
    }

    fn definition(&mut self) -> Result<(), ParseError> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::replace(&mut self.tree, TreeState::new());
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let (body, ends_with_else) = self.item_list()?;
        if ends_with_else {
            return self.error(&format!("unexpected {{{{else}}}} in {CONTEXT}"));
        }
        self.define(name, body)?;
        self.tree = outer;
        Ok(())
    }

    /// A definition may be replaced while it is empty of everything but space.
    fn define(&mut self, name: Box<[u8]>, body: Vec<Node>) -> Result<(), ParseError> {
        let is_new = self.defined.get(&name).is_none_or(|old| is_blank(old));
        if is_new {
            self.defined.insert(name, body);
        } else if !is_blank(&body) {
            let quoted = crate::go::quote_bytes(&name);
            return self.error(&format!("template: multiple definition of template {quoted}"));
        }
        Ok(())
    }

    /// Up to `end` or `else`; whether it was `else`.
    fn item_list(&mut self) -> Result<(Vec<Node>, bool), ParseError> {
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End => return Ok((nodes, false)),
                Item::Else => return Ok((nodes, true)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item, ParseError> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::LeftDelim => {
                self.tree.action_line = token.line;
                let item = self.action()?;
                self.tree.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item, ParseError> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_control(Node::Break, "{{break}}")?,
            Kind::Continue => self.loop_control(Node::Continue, "{{continue}}")?,
            Kind::Else => return self.else_or_chained(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End);
            }
            Kind::If => Node::If(self.control("if")?),
            Kind::Range => Node::Range(self.control("range")?),
            Kind::Template => self.template()?,
            Kind::With => Node::With(self.control("with")?),
            _ => {
                self.backup();
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Item::Node(node))
    }

    /// `else if` and `else with` leave the keyword for whoever parses the rest.
    fn else_or_chained(&mut self) -> Result<Item, ParseError> {
        if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Item::Else)
    }

    fn loop_control(&mut self, node: Node, text: &str) -> Result<Node, ParseError> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, text);
        }
        if self.tree.range_depth == 0 {
            return self.error(&format!("{text} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn control(&mut self, context: &'static str) -> Result<Branch, ParseError> {
        self.enter()?;
        let known = self.tree.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let is_range = context == "range";
        self.tree.range_depth += usize::from(is_range);
        let (body, has_else) = self.item_list()?;
        self.tree.range_depth -= usize::from(is_range);
        let otherwise = if has_else { Some(self.otherwise(context)?) } else { None };
        self.tree.variables.truncate(known);
        self.leave();
        Ok(Branch { pipe, body, otherwise })
    }

    fn otherwise(&mut self, context: &'static str) -> Result<Vec<Node>, ParseError> {
        let next = self.peek().kind;
        if context == "if" && next == Kind::If {
            self.next();
            return Ok(vec![Node::If(self.control("if")?)]);
        }
        if context == "with" && next == Kind::With {
            self.next();
            return Ok(vec![Node::With(self.control("with")?)]);
        }
        let (body, ends_with_else) = self.item_list()?;
        if ends_with_else { self.error("expected end; found {{else}}") } else { Ok(body) }
    }

    /// Defines a template and uses it at once.
    fn block(&mut self) -> Result<Node, ParseError> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        self.enter()?;
        let outer = std::mem::replace(&mut self.tree, TreeState::new());
        let (body, ends_with_else) = self.item_list()?;
        self.define(name.clone(), body)?;
        self.tree = outer;
        self.leave();
        if ends_with_else {
            return self.error(&format!("unexpected {{{{else}}}} in {CONTEXT}"));
        }
        Ok(Node::Template { pos: token.pos, name, pipe: Some(pipe) })
    }

    fn template(&mut self) -> Result<Node, ParseError> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe: Option<Pipe> = if self.next_non_space().kind == Kind::RightDelim {
            None
        } else {
            self.backup();
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template { pos: token.pos, name, pipe })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Result<Box<[u8]>, ParseError> {
        match token.kind {
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(name) => Ok(name.into()),
                None => self.error("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }
}

fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
