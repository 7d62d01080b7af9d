//! Certificates with something wrong in them, for tests of the checker. No program is built with the feature `testing`.

use super::certificate::{
    CaseEvidence, CaseNode, CaseTree, Certificate, CertificateEntry, Goal, Indices, NextCase, Picks, Proof,
};

impl Certificate {
    /// The certificate with one thing of it changed, dropped or doubled. `choose` gives a number below its argument,
    /// which is at least 1.
    #[must_use]
    pub fn mutated(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut entries = self.entries.clone();
        let at = choose(entries.len().max(1));
        match choose(8) {
            0 if at < entries.len() => drop(entries.remove(at)),
            1 => entries.extend(self.entries.get(choose(entries.len().max(1))).cloned()),
            _ => {
                if let Some(entry) = entries.get_mut(at) {
                    mutate_entry(entry, choose);
                }
            }
        }
        Self { entries }
    }

    /// Certificates that claim one thing too much, each in another way: a branch less, a branch that keeps more, a
    /// statement that covers although it did not match or looks at more, an element that is taken not to be denied. None
    /// of them proves anything.
    pub fn broken(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (i, entry) in self.entries.iter().enumerate() {
            for proof in broken_proofs(entry) {
                let mut entries = self.entries.clone();
                if let Some(entry) = entries.get_mut(i) {
                    entry.proof = proof;
                }
                all.push(Self { entries });
            }
        }
        all
    }
}

fn broken_proofs(entry: &CertificateEntry) -> Vec<Proof> {
    let mut proofs = Vec::new();
    match (&entry.proof, entry.goal) {
        // The search would have seen that they have nothing in common.
        (Proof::ByDeny(_) | Proof::ByCases(_), Goal::NotDenied(_)) => {
            proofs.extend([Proof::OtherActions, Proof::OtherResources]);
        }
        (_, Goal::Allowed) => proofs.extend([Proof::OtherActions, Proof::OtherResources]),
        _ => {}
    }
    let Proof::ByCases(trees) = &entry.proof else {
        return proofs;
    };
    for (t, (_, used, tree)) in trees.iter().enumerate() {
        for n in 0..tree.nodes.len() {
            for node in tree
                .nodes
                .get(n)
                .map(|node| broken_nodes(node, used.len()))
                .unwrap_or_default()
            {
                let mut trees = trees.clone();
                if let Some(place) = trees.get_mut(t).and_then(|(_, _, tree)| tree.nodes.get_mut(n)) {
                    *place = node;
                }
                proofs.push(Proof::ByCases(trees));
            }
        }
    }
    proofs
}

/// The statements kept by each branch, and where it leads.
type Branches = Vec<(Vec<usize>, NextCase)>;

fn broken_nodes(node: &CaseNode, statements: usize) -> Vec<CaseNode> {
    let mut nodes = Vec::new();
    for (b, (kept, next)) in node.branches.iter().enumerate() {
        let mut with = |change: &dyn Fn(&mut Branches)| {
            let mut node = node.clone();
            change(&mut node.branches);
            nodes.push(node);
        };
        let covered = |i: usize| NextCase::Covered(u32::try_from(i).unwrap_or(u32::MAX));
        let set_next = |branches: &mut Branches, to| {
            if let Some((_, next)) = branches.get_mut(b) {
                *next = to;
            }
        };
        match next {
            NextCase::Covered(_) => {
                let other = (0..=statements).find(|i| !kept.contains(i));
                with(&|branches| set_next(branches, covered(other.unwrap_or(statements))));
            }
            // All that is kept looks at more, or the search would have stopped there.
            NextCase::Node(_) => kept
                .iter()
                .for_each(|i| with(&|branches| set_next(branches, covered(*i)))),
        }
        let others = node.branches.iter().enumerate().filter(|(o, _)| *o != b);
        let alone = !others
            .into_iter()
            .any(|(_, (other, _))| other.iter().all(|i| kept.contains(i)));
        if alone {
            with(&|branches| drop(branches.remove(b)));
            for more in node.alive.iter().filter(|i| !kept.contains(i)) {
                with(&|branches| {
                    if let Some((kept, _)) = branches.get_mut(b) {
                        kept.push(*more);
                    }
                });
            }
        }
    }
    nodes
}

fn shift(number: &mut usize, choose: &mut dyn FnMut(usize) -> usize) {
    *number = match choose(3) {
        0 => number.saturating_sub(1),
        1 => *number + 1,
        _ => choose(4),
    };
}

fn mutate_indices(indices: &mut Indices, choose: &mut dyn FnMut(usize) -> usize) {
    match indices {
        Indices::Range(range) if choose(2) == 0 => shift(&mut range.start, choose),
        Indices::Range(range) => shift(&mut range.end, choose),
        Indices::Some(list) => {
            let at = choose(list.len().max(1));
            match (choose(3), list.get_mut(at)) {
                (0, Some(_)) => drop(list.remove(at)),
                (1, Some(index)) => shift(index, choose),
                _ => list.push(choose(4)),
            }
        }
    }
}

fn mutate_entry(entry: &mut CertificateEntry, choose: &mut dyn FnMut(usize) -> usize) {
    match choose(10) {
        0 => shift(&mut entry.allow.1, choose),
        1 => shift(&mut entry.allow.0, choose),
        2 => mutate_indices(&mut entry.actions, choose),
        3 | 4 => mutate_indices(&mut entry.resources, choose),
        5 => {
            entry.goal = match entry.goal {
                Goal::Allowed => Goal::NotDenied(choose(4)),
                Goal::NotDenied(_) => Goal::Allowed,
            };
        }
        6 => {
            entry.proof = match choose(4) {
                0 => Proof::OtherActions,
                1 => Proof::OtherResources,
                2 => Proof::ByAllow(choose(4)),
                _ => Proof::ByDeny((0, choose(2), choose(4))),
            };
        }
        _ => match &mut entry.proof {
            Proof::ByAllow(n) => shift(n, choose),
            Proof::ByDeny((layer, document, statement)) => {
                shift(
                    match choose(3) {
                        0 => layer,
                        1 => document,
                        _ => statement,
                    },
                    choose,
                );
            }
            Proof::OtherActions | Proof::OtherResources => {}
            Proof::ByCases(trees) => {
                let at = choose(trees.len().max(1));
                if choose(8) == 0 && at < trees.len() {
                    trees.remove(at);
                } else if let Some((others, used, tree)) = trees.get_mut(at) {
                    match choose(8) {
                        0 => others.clear(),
                        1 => {
                            let used = used.get_mut(choose(4));
                            if let Some((actions, resources)) = used {
                                mutate_picks(if choose(2) == 0 { actions } else { resources }, choose);
                            }
                        }
                        _ => mutate_tree(tree, choose),
                    }
                }
            }
        },
    }
}

fn mutate_picks(picks: &mut Picks, choose: &mut dyn FnMut(usize) -> usize) {
    match picks {
        Picks::Only(only) if choose(2) == 0 => drop(only.pop()),
        Picks::Only(_) => *picks = Picks::All,
        Picks::All => *picks = Picks::Only(Vec::new()),
    }
}

fn mutate_tree(tree: &mut CaseTree, choose: &mut dyn FnMut(usize) -> usize) {
    let nodes = tree.nodes.len().max(1);
    match choose(6) {
        0 => drop(tree.worlds.pop()),
        1 => {
            if let Some((_, next)) = tree.worlds.first_mut() {
                *next = other(nodes, choose);
            }
        }
        _ => {
            if let Some(node) = tree.nodes.get_mut(choose(nodes)) {
                mutate_node(node, nodes, choose);
            }
        }
    }
}

fn other(nodes: usize, choose: &mut dyn FnMut(usize) -> usize) -> NextCase {
    let index = |n: usize| u32::try_from(n).unwrap_or(0);
    if choose(2) == 0 {
        NextCase::Covered(index(choose(6)))
    } else {
        NextCase::Node(index(choose(nodes)))
    }
}

fn mutate_node(node: &mut CaseNode, nodes: usize, choose: &mut dyn FnMut(usize) -> usize) {
    let at = choose(node.branches.len().max(1));
    match choose(7) {
        0 => node.dimension = u32::try_from(choose(6)).unwrap_or(0),
        1 => node.alive.push(choose(6)),
        2 => drop(node.alive.pop()),
        3 if at < node.branches.len() => drop(node.branches.remove(at)),
        4 => {
            if let Some((kept, _)) = node.branches.get_mut(at) {
                if choose(2) == 0 {
                    kept.pop();
                } else {
                    kept.push(choose(6));
                }
            }
        }
        5 => {
            if let Some((_, next)) = node.branches.get_mut(at) {
                *next = other(nodes, choose);
            }
        }
        _ => match &mut node.evidence {
            CaseEvidence::Words(states) => {
                let at = choose(states.len().max(1));
                if at < states.len() {
                    states.remove(at);
                }
            }
            CaseEvidence::Key(key) => {
                let at = choose(key.texts.len().max(1));
                match key.texts.get_mut(at) {
                    Some((states, _)) if choose(2) == 0 => drop(states.pop()),
                    Some((_, kinds)) if choose(2) == 0 => drop(kinds.pop()),
                    Some((_, kinds)) => {
                        if let Some(kind) = kinds.first_mut() {
                            kind.remove(choose(4));
                        }
                    }
                    None => {}
                }
            }
            CaseEvidence::Cases => node.evidence = CaseEvidence::Words(Vec::new()),
        },
    }
}
