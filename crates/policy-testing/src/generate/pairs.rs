//! Candidates and ceilings that are near to each other.

use deputy_policy::{Candidate, Document, PolicyKind};
use serde_json::Value;

use super::{
    edits::edit, identities::CallerNames, model::PolicyDraft, policies::policy, profiles::SoakProfile,
    samples,
};
use crate::choices::Choices;

/// A candidate (layers of policies: a request needs an Allow of each) and a ceiling.
#[derive(Debug, Clone)]
pub struct PairDraft {
    pub layers: Vec<Vec<PolicyDraft>>,
    pub ceiling: PolicyDraft,
}

/// The documents of a pair.
pub struct PairDocuments {
    pub layers: Vec<Vec<Document>>,
    pub ceiling: Document,
}

impl PairDocuments {
    /// What is compared with the ceiling.
    pub fn candidate(&self) -> Candidate<'_> {
        let layers: Vec<Vec<&Document>> = self.layers.iter().map(|layer| layer.iter().collect()).collect();
        let (first, others) = layers.split_first().unwrap();
        let candidate = Candidate::new(first);
        others
            .iter()
            .fold(candidate, |candidate, layer| candidate.layer(layer))
    }
}

/// What a candidate's layer is, from the first to the last.
const LAYERS: [PolicyKind; 3] = [PolicyKind::Identity, PolicyKind::Boundary, PolicyKind::Session];

/// A pair: mostly one layer of one document, whose edited copy is the ceiling.
pub fn pair(c: &mut Choices<'_>, profile: SoakProfile) -> PairDraft {
    let kind = *c.pick(profile.kinds());
    let mut original = if profile == SoakProfile::Managed {
        samples::pick(c)
    } else {
        policy(c, kind, profile)
    };
    let layered = kind == PolicyKind::Identity && c.chance(profile.layered(), 10);
    let count = if layered { c.between(2, 3) } else { 1 };
    let mut layers = Vec::new();
    for kind in &LAYERS[..count] {
        let mut layer = original.clone();
        if layered {
            layer.kind = *kind;
            for _ in 0..c.below(3) {
                edit(c, &mut layer, true);
            }
        }
        layers.push(vec![layer]);
    }
    if !layered && c.chance(1, 6) && original.statements.len() > 1 {
        // One layer of two documents.
        let mut rest = original.clone();
        rest.statements = original.statements.split_off(1);
        layers = vec![vec![original.clone(), rest]];
    }
    let all: Vec<_> = layers[0]
        .iter()
        .flat_map(|policy| policy.statements.clone())
        .collect();
    let mut ceiling = PolicyDraft {
        kind: if kind == PolicyKind::Identity {
            PolicyKind::Boundary
        } else {
            kind
        },
        profile,
        old: original.old,
        statements: all,
    };
    // Mostly wider, so that many are contained; the rest is near to the edge.
    let edits = c.below(4);
    for _ in 0..edits {
        let wider = !c.chance(1, 4);
        edit(c, &mut ceiling, wider);
    }
    if c.chance(1, 12) {
        ceiling = if profile == SoakProfile::Managed {
            PolicyDraft {
                kind: ceiling.kind,
                ..samples::pick(c)
            }
        } else {
            policy(c, ceiling.kind, profile)
        };
    }
    PairDraft { layers, ceiling }
}

impl PairDraft {
    pub fn kind(&self) -> PolicyKind {
        self.layers[0][0].kind
    }

    pub fn policies(&self) -> impl Iterator<Item = &PolicyDraft> {
        self.layers.iter().flatten().chain([&self.ceiling])
    }

    /// The JSON of the layers.
    pub fn values(&self) -> Vec<Vec<Value>> {
        let values = |layer: &Vec<PolicyDraft>| layer.iter().map(PolicyDraft::to_value).collect();
        self.layers.iter().map(values).collect()
    }

    /// Whom the policies name.
    pub fn names(&self) -> CallerNames {
        let values: Vec<Value> = self.policies().map(PolicyDraft::to_value).collect();
        CallerNames::of(&values)
    }

    /// The documents, or why one is refused.
    pub fn documents(&self) -> Result<PairDocuments, String> {
        let read = |policy: &PolicyDraft| {
            let value = policy.to_value();
            Document::from_value(&value, policy.kind).map_err(|e| format!("{value}: {e}"))
        };
        let layers = self
            .layers
            .iter()
            .map(|layer| layer.iter().map(read).collect::<Result<_, _>>())
            .collect::<Result<_, _>>()?;
        Ok(PairDocuments {
            layers,
            ceiling: read(&self.ceiling)?,
        })
    }
}

impl std::fmt::Display for PairDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, layer) in self.layers.iter().enumerate() {
            for policy in layer {
                writeln!(f, "layer {i}, {:?}: {}", policy.kind, policy.to_value())?;
            }
        }
        write!(f, "ceiling, {:?}: {}", self.ceiling.kind, self.ceiling.to_value())
    }
}
