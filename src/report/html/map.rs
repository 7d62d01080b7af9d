//! The picture of a namespace: limits, roles, bindings and subjects from left to right, with an edge for each step.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    chains::{GrantChain, NamespacePart},
    markup::Markup,
};
use crate::report::model::GrantOutcome;

const WIDTH: usize = 240;
const HEIGHT: usize = 40;
const GAP: usize = 58;
const ROW: usize = 50;
const TOP: usize = 28;
const COLUMNS: usize = 4;
/// Characters of a name that fit.
const FITS: usize = 32;
const HEADS: [&str; COLUMNS] = ["Limits", "Roles and federated users", "Bindings", "Who"];
const CLASSES: [&str; COLUMNS] = ["limit", "role", "binding", "who"];

/// Something in a column.
#[derive(Debug)]
struct Node {
    kind: String,
    name: String,
    is_off: bool,
    chains: BTreeSet<usize>,
}

/// The columns, and what leads where.
#[derive(Debug, Default)]
struct Map {
    nodes: [Vec<Node>; COLUMNS],
    found: [BTreeMap<(String, String), usize>; COLUMNS],
    /// Column and place from which it leads to the next column, and whether it gives nothing.
    edges: BTreeMap<(usize, usize, usize), (bool, BTreeSet<usize>)>,
}

impl Map {
    fn node(&mut self, column: usize, kind: &str, name: &str, is_off: bool, chain: usize) -> usize {
        let (Some(nodes), Some(found)) = (self.nodes.get_mut(column), self.found.get_mut(column)) else {
            return 0;
        };
        let at = *found
            .entry((kind.to_owned(), name.to_owned()))
            .or_insert_with(|| {
                nodes.push(Node {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    is_off,
                    chains: BTreeSet::new(),
                });
                nodes.len() - 1
            });
        if let Some(node) = nodes.get_mut(at) {
            node.is_off &= is_off;
            node.chains.insert(chain);
        }
        at
    }

    fn edge(&mut self, column: usize, from: usize, to: usize, is_off: bool, chain: usize) {
        let edge = self
            .edges
            .entry((column, from, to))
            .or_insert((true, BTreeSet::new()));
        edge.0 &= is_off;
        edge.1.insert(chain);
    }

    fn chain(&mut self, number: usize, chain: &GrantChain<'_>) {
        let (kind, target, role_off) = match chain {
            GrantChain::Bound(binding, Some(role)) => {
                let account = binding.account.as_deref();
                (role.kind, said(&role.name, account), role.outcome)
            }
            // A federated user, or a role that is not there.
            GrantChain::Bound(binding, None) => match binding.target.split_once(' ') {
                Some(("federated", _)) => {
                    let user = binding.target.trim_start_matches("federated user ");
                    ("federated user", user.to_owned(), binding.outcome)
                }
                Some((_, name)) => ("not there", name.to_owned(), GrantOutcome::Undecided),
                None => ("not there", "?".to_owned(), GrantOutcome::Undecided),
            },
            GrantChain::Unbound(role) => (role.kind, said(&role.name, role.account.as_deref()), role.outcome),
        };
        let role_off = role_off != GrantOutcome::Accepted;
        let role = self.node(1, kind, &target, role_off, number);
        for limit in chain.limits() {
            let limit = self.node(0, "DelegationLimit", limit, false, number);
            self.edge(0, limit, role, role_off, number);
        }
        let GrantChain::Bound(binding, _) = chain else {
            return;
        };
        let is_off = binding.outcome != GrantOutcome::Accepted;
        let at = self.node(2, binding.kind, &binding.name, is_off, number);
        self.edge(1, role, at, is_off, number);
        for subject in &binding.subjects {
            let kind = if subject.missing {
                format!("{}, not there", subject.kind)
            } else {
                subject.kind.to_owned()
            };
            let who = self.node(3, &kind, &subject.name, is_off || subject.missing, number);
            self.edge(2, at, who, is_off || subject.missing, number);
        }
    }
}

fn said(name: &str, account: Option<&str>) -> String {
    match account {
        Some(account) => format!("{name} · {account}"),
        None => name.to_owned(),
    }
}

/// The picture of a namespace.
pub fn map(namespace: &str, part: &NamespacePart<'_>) -> Markup {
    let mut map = Map::default();
    for (i, chain) in part.chains.iter().enumerate() {
        map.chain(part.first + i, chain);
    }
    let most = map.nodes.iter().map(Vec::len).max().unwrap_or_default();
    let height = TOP + most * ROW + 4;
    let width = COLUMNS * WIDTH + (COLUMNS - 1) * GAP;
    let mut svg = Markup::default();
    svg.raw("<svg class=\"map\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\"");
    svg.attribute("viewBox", format_args!("0 0 {width} {height}"));
    let [limits, roles, bindings, who] = map.nodes.each_ref().map(Vec::len);
    svg.attribute(
        "aria-label",
        format_args!(
            "Access map of namespace {namespace}: {limits} limits, {roles} roles and federated users, {bindings} bindings, {who} subjects. \
             The table below says the same."
        ),
    );
    svg.raw(">");
    for (column, head) in HEADS.iter().enumerate() {
        svg.raw("<text class=\"h\" y=\"14\"")
            .attribute("x", x(column))
            .raw(">")
            .raw(head)
            .raw("</text>");
    }
    edges(&map, most, &mut svg);
    for (column, (nodes, class)) in map.nodes.iter().zip(CLASSES).enumerate() {
        for (i, node) in nodes.iter().enumerate() {
            draw(node, class, x(column), y(i, nodes.len(), most), &mut svg);
        }
    }
    svg.raw("</svg>");
    svg
}

fn x(column: usize) -> usize {
    column * (WIDTH + GAP)
}

/// A short column stands in the middle of a long one.
fn y(place: usize, of: usize, most: usize) -> usize {
    TOP + (most - of) * ROW / 2 + place * ROW
}

fn chains(of: &BTreeSet<usize>) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn edges(map: &Map, most: usize, svg: &mut Markup) {
    for ((column, from, to), (is_off, of)) in &map.edges {
        let count = |column: usize| map.nodes.get(column).map_or(0, Vec::len);
        let begin = (x(*column) + WIDTH, y(*from, count(*column), most) + HEIGHT / 2);
        let end = (x(*column + 1), y(*to, count(*column + 1), most) + HEIGHT / 2);
        let middle = begin.0 + GAP / 2;
        svg.raw("<path");
        if *is_off {
            svg.raw(" class=\"off\"");
        }
        svg.attribute("data-c", chains(of)).attribute(
            "d",
            format_args!(
                "M{} {}C{middle} {} {middle} {} {} {}",
                begin.0, begin.1, begin.1, end.1, end.0, end.1
            ),
        );
        svg.raw("/>");
    }
}

fn draw(node: &Node, class: &'static str, x: usize, y: usize, svg: &mut Markup) {
    svg.raw("<g class=\"").raw(class);
    if node.is_off {
        svg.raw(" off");
    }
    svg.raw("\"").attribute("data-c", chains(&node.chains)).raw(">");
    svg.raw("<title>")
        .text(&format!("{} {}", node.kind, node.name))
        .raw("</title>");
    svg.raw("<rect class=\"box\" rx=\"6\"")
        .attribute("x", x)
        .attribute("y", y)
        .attribute("width", WIDTH)
        .attribute("height", HEIGHT)
        .raw("/><rect class=\"bar\" rx=\"2\" width=\"4\"")
        .attribute("x", x)
        .attribute("y", y)
        .attribute("height", HEIGHT)
        .raw("/>");
    let line = |svg: &mut Markup, start: &'static str, y: usize, text: &str| {
        svg.raw(start)
            .attribute("x", x + 12)
            .attribute("y", y)
            .raw(">")
            .text(text)
            .raw("</text>");
    };
    line(svg, "<text", y + 17, &fitting(&node.name));
    line(svg, "<text class=\"k\"", y + 32, &fitting(&node.kind));
    svg.raw("</g>");
}

/// As much of a name as fits: its beginning and its end, by which long ones differ.
fn fitting(name: &str) -> String {
    let count = name.chars().count();
    if count <= FITS {
        return name.to_owned();
    }
    let half = (FITS - 1) / 2;
    let begin: String = name.chars().take(FITS - 1 - half).collect();
    let end: String = name.chars().skip(count - half).collect();
    format!("{begin}…{end}")
}
