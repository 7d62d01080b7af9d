//! Certificates that claim one thing too much, or lack one: none of them proves anything.

use deputy_policy::{
    Certificate,
    contain::testing::{CaseNode, CertificateEntry, Combination, Goal, NextCase, Proof},
};

/// The certificate without each of its entries in turn.
pub fn lacking(certificate: &Certificate) -> Vec<Certificate> {
    let entries = certificate.to_entries();
    let without = |i: usize| {
        let mut entries = entries.clone();
        entries.remove(i);
        Certificate::from_entries(entries)
    };
    (0..entries.len()).map(without).collect()
}

/// Certificates that claim one thing too much, each in another way: a branch less, a branch that keeps more, a
/// statement that covers although it did not match or looks at more, an element that is taken not to be denied.
pub fn claiming_more(certificate: &Certificate) -> Vec<Certificate> {
    let mut all = Vec::new();
    for (i, entry) in certificate.to_entries().iter().enumerate() {
        for proof in broken_proofs(entry) {
            let mut entries = certificate.to_entries();
            entries[i].proof = proof;
            all.push(Certificate::from_entries(entries));
        }
    }
    all
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
    for (t, Combination { used, tree, .. }) in trees.iter().enumerate() {
        for n in 0..tree.nodes.len() {
            for node in broken_nodes(&tree.nodes[n], used.len()) {
                let mut trees = trees.clone();
                trees[t].tree.nodes[n] = node;
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
        let set_next = |branches: &mut Branches, to| branches[b].1 = to;
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
                with(&|branches| branches[b].0.push(*more));
            }
        }
    }
    nodes
}
