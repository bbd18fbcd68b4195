//! The patterns of one stream and level, and how a line finds its own.
//!
//! Lines of as many parts share a branch, which forks at each part: a part with a digit is taken to vary
//! from the start, others get branches of their own until there are too many. At a leaf the pattern that
//! agrees in the most parts takes the line in, and what differs varies from then on.

use std::time::Duration;

use larch_types::{Monotonic, Timestamp};

use super::samples::{Intervals, Samples};
use super::tokens::{Token, Tokens, rendered};

/// Parts that a branch forks at; behind them lines only have to be alike.
const DEPTH: usize = 30;

/// More different texts than this at one place are a value, not a choice of words.
const MAX_TEXTS: usize = 15;

/// The share of parts in which a line agrees with its pattern at least. Most of them agree by the branch
/// already.
const LIKENESS: f64 = 0.3;

/// A stream whose patterns push one another out has none; it is left alone for so long.
const PAUSE: Duration = Duration::from_mins(10);

/// What a node and a pattern take in memory besides their texts.
const NODE_BYTES: usize = size_of::<Node>() + 32;
const CLUSTER_BYTES: usize = size_of::<Cluster>() + 16;
const TOKEN_BYTES: usize = size_of::<Token<Box<str>>>() + size_of::<bool>();

#[derive(Debug)]
pub(super) struct Tree {
    /// The first one is the root. Those that are not used are listed beside.
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    clusters: Vec<Option<Cluster>>,
    active: usize,
    uses: u64,
    /// Since mining last began, to see how many of the new ones push others out.
    added: u32,
    evicted: u32,
    paused_since: Option<Monotonic>,
    bytes: usize,
}

/// Bounds, and what is so for one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) max_clusters: usize,
    pub(super) max_eviction_ratio: f64,
    pub(super) intervals: Intervals,
    /// Whether there is memory for more than there is.
    pub(super) has_room: bool,
    pub(super) now: Monotonic,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Known,
    /// It began a pattern, perhaps in the place of another.
    New {
        evicted: bool,
    },
    /// There is no pattern for it, and there are no new ones for a while.
    Paused,
    /// There is no memory for it.
    Full,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    key: Key,
    children: Vec<u32>,
    clusters: Vec<u32>,
}

#[derive(Debug, PartialEq, Eq)]
enum Key {
    Root,
    Count(usize),
    Text(Box<str>),
    Any,
}

#[derive(Debug)]
struct Cluster {
    leaf: u32,
    tokens: Vec<Token<Box<str>>>,
    spaced: Vec<bool>,
    samples: Samples,
    last_use: u64,
}

const ROOT: u32 = 0;

impl Default for Tree {
    fn default() -> Self {
        let root = Node { parent: ROOT, key: Key::Root, children: Vec::new(), clusters: Vec::new() };
        Self {
            nodes: vec![root],
            free_nodes: Vec::new(),
            clusters: Vec::new(),
            active: 0,
            uses: 0,
            added: 0,
            evicted: 0,
            paused_since: None,
            bytes: size_of::<Self>() + NODE_BYTES,
        }
    }
}

impl Tree {
    pub(super) fn add(&mut self, line: &Tokens<'_>, time: Timestamp, rules: Rules) -> Outcome {
        self.uses += 1;
        if let Some(place) = self.find(line) {
            return self.count(place, Some(line), time, rules, Outcome::Known);
        }
        if self.is_paused(rules.now) {
            return Outcome::Paused;
        }
        if !rules.has_room {
            return Outcome::Full;
        }
        let evicted = self.active >= rules.max_clusters && self.evict();
        self.added += 1;
        self.evicted += u32::from(evicted);
        if f64::from(self.evicted) > f64::from(self.added) * rules.max_eviction_ratio {
            self.paused_since = Some(rules.now);
        }
        let place = self.insert(line);
        self.count(place, None, time, rules, Outcome::New { evicted })
    }

    /// The patterns as texts, with how often they came.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (String, &Samples)> {
        let clusters = self.clusters.iter().flatten();
        clusters.map(|cluster| (rendered(&cluster.tokens, &cluster.spaced), &cluster.samples))
    }

    /// Forgets what came before, and patterns that have not come since.
    pub(super) fn forget_before(&mut self, time: Timestamp, intervals: Intervals) {
        for place in 0..self.clusters.len() as u32 {
            let Some(cluster) = self.cluster_mut(place) else { continue };
            let before = cluster.samples.bytes();
            cluster.samples.forget_before(time, intervals);
            let (after, is_over) = (cluster.samples.bytes(), cluster.samples.is_empty());
            self.bytes -= before - after;
            if is_over {
                self.remove(place);
            }
        }
    }

    /// How many patterns there are.
    pub(super) fn len(&self) -> usize {
        self.active
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_paused(&mut self, now: Monotonic) -> bool {
        let Some(since) = self.paused_since else { return false };
        if now.since(since) < PAUSE {
            return true;
        }
        self.paused_since = None;
        (self.added, self.evicted) = (0, 0);
        false
    }

    /// Takes the row into a pattern, which takes in what differs of the line.
    fn count(
        &mut self,
        place: u32,
        line: Option<&Tokens<'_>>,
        time: Timestamp,
        rules: Rules,
        outcome: Outcome,
    ) -> Outcome {
        let uses = self.uses;
        let Some(cluster) = self.cluster_mut(place) else { return Outcome::Full };
        cluster.last_use = uses;
        let before = cluster.bytes();
        if let Some(line) = line {
            cluster.take_in(line);
        }
        let counted = cluster.samples.add(time, rules.intervals, rules.has_room);
        let after = cluster.bytes();
        self.bytes = self.bytes + after - before;
        if counted { outcome } else { Outcome::Full }
    }

    fn cluster_mut(&mut self, place: u32) -> Option<&mut Cluster> {
        self.clusters.get_mut(place as usize)?.as_mut()
    }

    fn node(&self, place: u32) -> &Node {
        &self.nodes[place as usize]
    }

    fn child(&self, of: u32, is_wanted: impl Fn(&Key) -> bool) -> Option<u32> {
        self.node(of).children.iter().copied().find(|child| is_wanted(&self.node(*child).key))
    }

    fn find(&self, line: &Tokens<'_>) -> Option<u32> {
        let count = line.tokens.len();
        let mut at = self.child(ROOT, |key| *key == Key::Count(count))?;
        for token in line.tokens.iter().take(DEPTH) {
            let text = match token {
                Token::Text(text) => {
                    self.child(at, |key| matches!(key, Key::Text(known) if **known == **text))
                }
                Token::Any => None,
            };
            at = text.or_else(|| self.child(at, |key| *key == Key::Any))?;
        }
        let mut best: Option<(usize, usize, u32)> = None;
        for place in &self.node(at).clusters {
            let Some(cluster) = &self.clusters[*place as usize] else { continue };
            // Where spaces are is part of what a pattern shows.
            if cluster.spaced != line.spaced {
                continue;
            }
            let (equal, any) = cluster.likeness(line);
            if best.is_none_or(|(most, most_any, _)| (equal, any) > (most, most_any)) {
                best = Some((equal, any, *place));
            }
        }
        let (equal, _, place) = best?;
        (equal as f64 >= LIKENESS * count as f64).then_some(place)
    }

    fn insert(&mut self, line: &Tokens<'_>) -> u32 {
        let count = line.tokens.len();
        let known = self.child(ROOT, |key| *key == Key::Count(count));
        let mut at = known.unwrap_or_else(|| self.add_node(ROOT, Key::Count(count)));
        for token in line.tokens.iter().take(DEPTH) {
            at = self.branch(at, *token);
        }
        let tokens = line.tokens.iter().map(|token| match token {
            Token::Text(text) => Token::Text(Box::from(*text)),
            Token::Any => Token::Any,
        });
        let cluster = Cluster {
            leaf: at,
            tokens: tokens.collect(),
            spaced: line.spaced.clone(),
            samples: Samples::default(),
            last_use: self.uses,
        };
        self.bytes += cluster.bytes();
        self.active += 1;
        let place = match self.clusters.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.clusters.push(None);
                self.clusters.len() - 1
            }
        };
        self.clusters[place] = Some(cluster);
        self.nodes[at as usize].clusters.push(place as u32);
        place as u32
    }

    /// Where a new pattern goes on from a node.
    fn branch(&mut self, at: u32, token: Token<&str>) -> u32 {
        if let Token::Text(text) = token
            && !text.bytes().any(|byte| byte.is_ascii_digit())
        {
            let known = self.child(at, |key| matches!(key, Key::Text(known) if **known == *text));
            if let Some(known) = known {
                return known;
            }
            let is_text = |child: &&u32| matches!(self.node(**child).key, Key::Text(_));
            if self.node(at).children.iter().filter(is_text).count() < MAX_TEXTS {
                return self.add_node(at, Key::Text(text.into()));
            }
        }
        self.child(at, |key| *key == Key::Any).unwrap_or_else(|| self.add_node(at, Key::Any))
    }

    fn add_node(&mut self, parent: u32, key: Key) -> u32 {
        let node = Node { parent, key, children: Vec::new(), clusters: Vec::new() };
        self.bytes += node.bytes();
        let place = match self.free_nodes.pop() {
            Some(free) => {
                self.nodes[free as usize] = node;
                free
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        };
        self.nodes[parent as usize].children.push(place);
        place
    }

    /// Removes the pattern that has not come for longest.
    fn evict(&mut self) -> bool {
        let clusters = self.clusters.iter().enumerate();
        let used = clusters.filter_map(|(place, cluster)| Some((cluster.as_ref()?.last_use, place)));
        let Some((_, place)) = used.min() else { return false };
        self.remove(place as u32);
        true
    }

    /// Removes a pattern, and the branches that led to nothing else.
    fn remove(&mut self, place: u32) {
        let Some(cluster) = self.clusters[place as usize].take() else { return };
        self.active -= 1;
        self.bytes -= cluster.bytes();
        let mut at = cluster.leaf;
        self.nodes[at as usize].clusters.retain(|other| *other != place);
        while at != ROOT && self.node(at).clusters.is_empty() && self.node(at).children.is_empty() {
            self.bytes -= self.node(at).bytes();
            let parent = self.node(at).parent;
            self.nodes[parent as usize].children.retain(|child| *child != at);
            self.nodes[at as usize].key = Key::Any;
            self.free_nodes.push(at);
            at = parent;
        }
    }
}

impl Node {
    fn bytes(&self) -> usize {
        NODE_BYTES + if let Key::Text(text) = &self.key { text.len() } else { 0 }
    }
}

impl Cluster {
    /// Parts that are equal, and parts that vary.
    fn likeness(&self, line: &Tokens<'_>) -> (usize, usize) {
        let (mut equal, mut any) = (0, 0);
        for (known, token) in self.tokens.iter().zip(&line.tokens) {
            match (known, token) {
                (Token::Any, _) => any += 1,
                (Token::Text(known), Token::Text(text)) if **known == **text => equal += 1,
                _ => {}
            }
        }
        (equal, any)
    }

    fn take_in(&mut self, line: &Tokens<'_>) {
        for (known, token) in self.tokens.iter_mut().zip(&line.tokens) {
            let is_equal =
                matches!((&*known, token), (Token::Text(known), Token::Text(text)) if **known == **text);
            if !is_equal {
                *known = Token::Any;
            }
        }
    }

    fn bytes(&self) -> usize {
        let texts =
            self.tokens.iter().map(|token| if let Token::Text(text) = token { text.len() } else { 0 });
        CLUSTER_BYTES + self.tokens.len() * TOKEN_BYTES + texts.sum::<usize>() + self.samples.bytes()
    }
}

#[cfg(test)]
mod tests;
