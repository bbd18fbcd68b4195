//! What a template will ask for, known before it runs.

use crate::ast::{Branch, Command, Node, Operand, OperandKind, Pipe};
use crate::functions;
use crate::parse::Trees;

/// Which of the named values a template reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Sorted, each once.
    pub fields: Vec<String>,
    /// It may read any value, because it takes all of them at once.
    pub all_fields: bool,
    pub line: bool,
}

/// Whether dot and dollar are the named values or something taken from them.
#[derive(Debug, Clone, Copy)]
struct Scope {
    dot_is_root: bool,
    dollar_is_root: bool,
}

const ROOT: Scope = Scope { dot_is_root: true, dollar_is_root: true };

pub(crate) fn uses(trees: &Trees) -> Uses {
    let mut inspector = Inspector { uses: Uses::default(), regexes: Vec::new() };
    inspector.run(trees);
    let mut uses = inspector.uses;
    uses.fields.sort_unstable();
    uses.fields.dedup();
    uses
}

/// The regexes that are spelled out.
pub(crate) fn regex_literals(trees: &Trees) -> Vec<&[u8]> {
    let mut inspector = Inspector { uses: Uses::default(), regexes: Vec::new() };
    inspector.run(trees);
    inspector.regexes
}

struct Inspector<'a> {
    uses: Uses,
    regexes: Vec<&'a [u8]>,
}

impl<'a> Inspector<'a> {
    fn run(&mut self, trees: &'a Trees) {
        self.nodes(&trees.root, ROOT);
        // A definition may be given anything, so it is taken to be given everything.
        for nodes in trees.defined.values() {
            self.nodes(nodes, ROOT);
        }
    }

    fn nodes(&mut self, nodes: &'a [Node], scope: Scope) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe, scope),
                Node::If(branch) => self.branch(branch, scope, scope),
                Node::With(branch) | Node::Range(branch) => {
                    self.branch(branch, scope, Scope { dot_is_root: false, ..scope });
                }
                Node::Template { pipe, .. } => {
                    if let Some(pipe) = pipe {
                        self.pipe(pipe, scope);
                    }
                }
            }
        }
    }

    fn branch(&mut self, branch: &'a Branch, scope: Scope, body: Scope) {
        self.pipe(&branch.pipe, scope);
        self.nodes(&branch.body, body);
        if let Some(otherwise) = &branch.otherwise {
            self.nodes(otherwise, scope);
        }
    }

    fn pipe(&mut self, pipe: &'a Pipe, scope: Scope) {
        for command in &pipe.commands {
            self.command(command, scope);
        }
    }

    fn command(&mut self, command: &'a Command, scope: Scope) {
        if let [Operand { kind: OperandKind::Function(function), .. }, first, ..] = command.args.as_slice()
            && functions::REGEX_FUNCTIONS.contains(&function.name)
            && let OperandKind::Text { value, .. } = &first.kind
        {
            self.regexes.push(value);
        }
        for operand in &command.args {
            self.operand(operand, scope);
        }
    }

    fn operand(&mut self, operand: &'a Operand, scope: Scope) {
        match &operand.kind {
            OperandKind::Dot => self.uses.all_fields |= scope.dot_is_root,
            OperandKind::Field(names) if scope.dot_is_root => self.uses.fields.push(names[0].to_string()),
            OperandKind::Variable(names) if &*names[0] == "$" && scope.dollar_is_root => match names.get(1) {
                Some(name) => self.uses.fields.push(name.to_string()),
                None => self.uses.all_fields = true,
            },
            OperandKind::Chain { of, .. } => self.operand(of, scope),
            OperandKind::Pipe(pipe) => self.pipe(pipe, scope),
            OperandKind::Function(function) => self.uses.line |= function.name == "__line__",
            _ => {}
        }
    }
}
