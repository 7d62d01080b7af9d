//! Where in the source something stands. Only asked when there is something to say, so that reading stays fast.

use std::{collections::HashMap, ops::Range};

use super::limits::MAX_DEPTH;

/// A value of a text that has been read as JSON before.
struct Node {
    span: Range<usize>,
    members: Members,
}

enum Members {
    None,
    List(Vec<Node>),
    /// By key; of two equal keys the later one, which is the one that is too many.
    Object(HashMap<String, Member>),
}

struct Member {
    key_span: Range<usize>,
    value: Node,
}

/// Finds the elements of a policy's text by their path, as errors and lints give it.
pub struct Locator(Option<Node>);

impl Locator {
    /// Reads a text. Of one that is not JSON, or nests more than 12 deep, no element is found.
    pub fn new(text: &str) -> Self {
        let mut walker = Walker { text, at: 0 };
        Self(walker.value(0))
    }

    /// The bytes of the element with a path such as `Statement[0].Action[1]`: of its key when `key` is asked for, else of
    /// its value. A lone string is the first of its list. What is missing is looked for at the beginning of the object
    /// that misses it.
    pub fn find(&self, path: &str, key: bool) -> Option<Range<usize>> {
        let mut node = self.0.as_ref()?;
        let mut key_span = None;
        let mut rest = path;
        while !rest.is_empty() {
            let Some(step) = step(node, rest) else {
                // The opening bracket of what misses the element.
                return Some(node.span.start..node.span.start.saturating_add(1).min(node.span.end));
            };
            (node, rest) = (step.node, step.rest);
            if step.key_span.is_some() {
                key_span = step.key_span;
            }
        }
        if let (true, Some(span)) = (key, key_span) {
            return Some(span);
        }
        Some(node.span.clone())
    }
}

struct Step<'a, 'p> {
    node: &'a Node,
    rest: &'p str,
    key_span: Option<Range<usize>>,
}

/// One step down: an index, or the longest key that the path goes on with (keys may hold dots and brackets).
fn step<'a, 'p>(node: &'a Node, path: &'p str) -> Option<Step<'a, 'p>> {
    if let Some((index, rest)) = index(path) {
        let node = match &node.members {
            Members::List(items) => items.get(index)?,
            _ if index == 0 => node,
            _ => return None,
        };
        let key_span = None;
        return Some(Step { node, rest, key_span });
    }
    let Members::Object(members) = &node.members else {
        return None;
    };
    let path = path.strip_prefix('.').unwrap_or(path);
    let ends = path.match_indices(['.', '[']).map(|(at, _)| at);
    let (member, rest) = ends.rev().fold(members.get(path).map(|m| (m, "")), |found, at| {
        found.or_else(|| {
            let (key, rest) = path.split_at_checked(at)?;
            Some((members.get(key)?, rest))
        })
    })?;
    Some(Step {
        node: &member.value,
        rest,
        key_span: Some(member.key_span.clone()),
    })
}

fn index(path: &str) -> Option<(usize, &str)> {
    let (digits, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((digits.parse().ok()?, rest))
}

/// Reads what another parser has accepted; whatever it can't make sense of ends the walk.
struct Walker<'a> {
    text: &'a str,
    at: usize,
}

impl Walker<'_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let first = self.peek()?;
        let from = self.at;
        let members = match first {
            b'{' => self.object(depth)?,
            b'[' => self.list(depth)?,
            b'"' => {
                self.string()?;
                Members::None
            }
            _ => {
                let bytes = self.text.as_bytes();
                while bytes
                    .get(self.at)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
                {
                    self.at += 1;
                }
                Members::None
            }
        };
        (self.at > from).then_some(Node {
            span: from..self.at,
            members,
        })
    }

    fn object(&mut self, depth: usize) -> Option<Members> {
        let mut members = HashMap::new();
        self.at += 1;
        while !self.eat(b'}') {
            if !members.is_empty() && !self.eat(b',') {
                return None;
            }
            self.peek()?;
            let from = self.at;
            let key = self.string()?;
            let key_span = from..self.at;
            if !self.eat(b':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            members.insert(key, Member { key_span, value });
        }
        Some(Members::Object(members))
    }

    fn list(&mut self, depth: usize) -> Option<Members> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.eat(b']') {
            if !items.is_empty() && !self.eat(b',') {
                return None;
            }
            items.push(self.value(depth + 1)?);
        }
        Some(Members::List(items))
    }

    fn string(&mut self) -> Option<String> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        if bytes.get(from) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(from..self.at)?).ok()
    }
}

#[cfg(test)]
mod tests;
