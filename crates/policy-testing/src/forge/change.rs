//! One thing of a certificate changed, dropped or doubled; it may still prove what it is held against.

use deputy_policy::{
    Certificate, StatementRef,
    contain::testing::{
        CaseEvidence, CaseNode, CaseTree, CertificateEntry, Combination, Goal, Indices, LayerStatementRef,
        NextCase, Picks, Proof,
    },
};

use crate::choices::Choices;

/// The certificate with one thing of it changed, dropped or doubled.
pub fn changed(certificate: &Certificate, c: &mut Choices<'_>) -> Certificate {
    let mut entries = certificate.to_entries();
    let at = c.below(entries.len().max(1));
    match c.below(8) {
        0 if at < entries.len() => drop(entries.remove(at)),
        1 => {
            let again = entries.get(c.below(entries.len().max(1))).cloned();
            entries.extend(again);
        }
        _ => {
            if let Some(entry) = entries.get_mut(at) {
                change_entry(entry, c);
            }
        }
    }
    Certificate::from_entries(entries)
}

fn shift(number: &mut usize, c: &mut Choices<'_>) {
    *number = match c.below(3) {
        0 => number.saturating_sub(1),
        1 => *number + 1,
        _ => c.below(4),
    };
}

fn change_indices(indices: &mut Indices, c: &mut Choices<'_>) {
    match indices {
        Indices::Range(range) if c.below(2) == 0 => shift(&mut range.start, c),
        Indices::Range(range) => shift(&mut range.end, c),
        Indices::Some(list) => {
            let at = c.below(list.len().max(1));
            match (c.below(3), list.get_mut(at)) {
                (0, Some(_)) => drop(list.remove(at)),
                (1, Some(index)) => shift(index, c),
                _ => list.push(c.below(4)),
            }
        }
    }
}

fn change_entry(entry: &mut CertificateEntry, c: &mut Choices<'_>) {
    match c.below(10) {
        0 => shift(&mut entry.allow.statement, c),
        1 => shift(&mut entry.allow.document, c),
        2 => change_indices(&mut entry.actions, c),
        3 | 4 => change_indices(&mut entry.resources, c),
        5 => {
            entry.goal = match entry.goal {
                Goal::Allowed => Goal::NotDenied(c.below(4)),
                Goal::NotDenied(_) => Goal::Allowed,
            };
        }
        6 => {
            entry.proof = match c.below(4) {
                0 => Proof::OtherActions,
                1 => Proof::OtherResources,
                2 => Proof::ByAllow(c.below(4)),
                _ => Proof::ByDeny(LayerStatementRef {
                    layer: 0,
                    statement: StatementRef {
                        document: c.below(2),
                        statement: c.below(4),
                    },
                }),
            };
        }
        _ => match &mut entry.proof {
            Proof::ByAllow(n) => shift(n, c),
            Proof::ByDeny(LayerStatementRef { layer, statement }) => {
                shift(
                    match c.below(3) {
                        0 => layer,
                        1 => &mut statement.document,
                        _ => &mut statement.statement,
                    },
                    c,
                );
            }
            Proof::OtherActions | Proof::OtherResources => {}
            Proof::ByCases(trees) => {
                let at = c.below(trees.len().max(1));
                if c.below(8) == 0 && at < trees.len() {
                    trees.remove(at);
                } else if let Some(Combination { allows, used, tree }) = trees.get_mut(at) {
                    match c.below(8) {
                        0 => allows.clear(),
                        1 => {
                            let used = used.get_mut(c.below(4));
                            if let Some((actions, resources)) = used {
                                change_picks(if c.below(2) == 0 { actions } else { resources }, c);
                            }
                        }
                        _ => change_tree(tree, c),
                    }
                }
            }
        },
    }
}

fn change_picks(picks: &mut Picks, c: &mut Choices<'_>) {
    match picks {
        Picks::Only(only) if c.below(2) == 0 => drop(only.pop()),
        Picks::Only(_) => *picks = Picks::All,
        Picks::All => *picks = Picks::Only(Vec::new()),
    }
}

fn change_tree(tree: &mut CaseTree, c: &mut Choices<'_>) {
    let nodes = tree.nodes.len().max(1);
    match c.below(6) {
        0 => drop(tree.roots.pop()),
        1 => {
            if let Some((_, next)) = tree.roots.first_mut() {
                *next = other(nodes, c);
            }
        }
        _ => {
            if let Some(node) = tree.nodes.get_mut(c.below(nodes)) {
                change_node(node, nodes, c);
            }
        }
    }
}

fn other(nodes: usize, c: &mut Choices<'_>) -> NextCase {
    let index = |n: usize| u32::try_from(n).unwrap_or(0);
    if c.below(2) == 0 {
        NextCase::Covered(index(c.below(6)))
    } else {
        NextCase::Node(index(c.below(nodes)))
    }
}

fn change_node(node: &mut CaseNode, nodes: usize, c: &mut Choices<'_>) {
    let at = c.below(node.branches.len().max(1));
    match c.below(7) {
        0 => node.dimension = u32::try_from(c.below(6)).unwrap_or(0),
        1 => node.alive.push(c.below(6)),
        2 => drop(node.alive.pop()),
        3 if at < node.branches.len() => drop(node.branches.remove(at)),
        4 => {
            if let Some((kept, _)) = node.branches.get_mut(at) {
                if c.below(2) == 0 {
                    kept.pop();
                } else {
                    kept.push(c.below(6));
                }
            }
        }
        5 => {
            if let Some((_, next)) = node.branches.get_mut(at) {
                *next = other(nodes, c);
            }
        }
        _ => match &mut node.evidence {
            CaseEvidence::Words(states) => {
                let at = c.below(states.len().max(1));
                if at < states.len() {
                    states.remove(at);
                }
            }
            CaseEvidence::Key(key) => {
                let at = c.below(key.texts.len().max(1));
                match key.texts.get_mut(at) {
                    Some((states, _)) if c.below(2) == 0 => drop(states.pop()),
                    Some((_, kinds)) if c.below(2) == 0 => drop(kinds.pop()),
                    Some((_, kinds)) => {
                        if let Some(kind) = kinds.first_mut() {
                            kind.remove(c.below(4));
                        }
                    }
                    None => {}
                }
            }
            CaseEvidence::Cases => node.evidence = CaseEvidence::Words(Vec::new()),
        },
    }
}
