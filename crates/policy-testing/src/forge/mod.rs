//! Certificates with something wrong in them, and certificates of other pairs: what the checker must refuse.

pub mod change;
pub mod claims;

use deputy_policy::{Containment, check, contains};

use self::change::changed;
use crate::generate::{edits::edit, pairs::PairDraft};
use crate::{
    choices::Choices,
    engine::{CheckedVerdict, confirm, contain},
};

/// What happened to forged certificates.
#[derive(Debug, Default, Clone, Copy)]
pub struct Forgeries {
    pub tried: u64,
    pub refused: u64,
    /// Tried on pairs that exceed; all of these must be refused.
    pub on_exceeding: u64,
}

/// The certificate of a contained pair, changed, is held against pairs next to it. None of them may exceed if the checker
/// accepts it.
pub fn forge(c: &mut Choices<'_>, pair: &PairDraft, forgeries: &mut Forgeries) -> Result<(), String> {
    let Ok(documents) = pair.documents() else {
        return Ok(());
    };
    let answer = contains(&documents.candidate(), &documents.ceiling);
    let Containment::Contained(certificate) = answer else {
        return Ok(());
    };
    for _ in 0..4 {
        let mut other = pair.clone();
        for _ in 0..c.below(3) {
            if c.chance(1, 2) {
                edit(c, &mut other.ceiling, false);
            } else {
                let layer = c.below(other.layers.len());
                edit(c, &mut other.layers[layer][0], true);
            }
        }
        let Ok(documents) = other.documents() else {
            continue;
        };
        let mut forged = certificate.clone();
        for _ in 0..c.below(3) {
            forged = changed(&forged, c);
        }
        forgeries.tried += 1;
        let accepted = check(&forged, &documents.candidate(), &documents.ceiling).is_ok();
        forgeries.refused += u64::from(!accepted);
        let verdict = contain(&documents.candidate(), &documents.ceiling);
        if let CheckedVerdict::Exceeds(witness, bounded) = verdict {
            confirm(
                other.kind(),
                &other.values(),
                &other.ceiling.to_value(),
                &witness,
                bounded,
            )?;
            forgeries.on_exceeding += 1;
            if accepted {
                return Err(format!(
                    "the checker accepts what exceeds by {witness:?}\n{other}"
                ));
            }
        }
    }
    Ok(())
}
