//! How the trust policy of a role is made of what AWS shows, and whom it leaves out because AWS does not know them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{
    PrincipalId,
    plan::ObservedRole,
    trust::{CompiledTrust, LeftOutPrincipal, NamedPrincipals, ReplacedPrincipals, WrittenTrust},
};
use parking_lot::Mutex;

use super::{
    converge::{Converged, RoleApplyError},
    target::RoleTarget,
};

/// Writes of a trust policy that AWS refuses for a principal, in one go. A policy has room for fewer users and roles than that.
const REFUSALS: usize = 16;

/// What the trust policy of a role is made of, beside what AWS shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleTrust {
    /// What its accepted bindings ask for.
    pub compiled: CompiledTrust,
    /// Users and roles that its bindings name, accepted or not.
    pub named: NamedPrincipals,
    /// Who was replaced, as its status says, by ARN.
    pub remembered: BTreeMap<String, PrincipalId>,
}

impl RoleTrust {
    /// Who was replaced, as far as AWS and the status say.
    fn known(&self, observed: Option<&ObservedRole>) -> ReplacedPrincipals {
        let shown = observed.map(|role| ReplacedPrincipals::shown_by(&role.trust));
        shown.unwrap_or_default().and_remembered(self.remembered.clone())
    }

    /// What is written in place of that, without those whom AWS does not know.
    fn against(&self, known: &ReplacedPrincipals, unknown: &BTreeSet<String>) -> WrittenTrust {
        self.compiled.against(&self.named, known, unknown)
    }
}

/// The attempts to write one trust policy. AWS takes it whole or not at all, and refuses it for one principal that it does not know;
/// so that one is found and left out.
pub struct TrustAttempts<'a> {
    trust: Option<&'a RoleTrust>,
    state: Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    /// Those whom AWS does not know.
    unknown: BTreeSet<String>,
    /// Those of whom one is not known; left out, and tried one by one.
    suspects: BTreeSet<String>,
    /// The one that is tried.
    trying: Option<String>,
    /// How often AWS refused.
    refusals: usize,
    /// What was known when the trust policy was last looked at, with all that AWS showed in it.
    known: ReplacedPrincipals,
    /// Whom the policy leaves out that was last asked for.
    left_out: Vec<LeftOutPrincipal>,
}

impl<'a> TrustAttempts<'a> {
    #[must_use]
    pub fn new(trust: Option<&'a RoleTrust>) -> Self {
        Self {
            trust,
            state: Mutex::default(),
        }
    }

    /// The target, with the trust policy that takes the place of what is there.
    #[must_use]
    pub fn target(&self, target: &RoleTarget, observed: Option<&ObservedRole>) -> RoleTarget {
        let Some(trust) = self.trust else {
            return target.clone();
        };
        let mut state = self.state.lock();
        let without: BTreeSet<String> = state.unknown.union(&state.suspects).cloned().collect();
        let known = trust.known(observed);
        let written = trust.against(&known, &without);
        state.known = known;
        state.left_out = written.left_out;
        target.with_trust(written.document)
    }

    /// Whom the policy leaves out.
    #[must_use]
    pub fn left_out(self) -> Vec<LeftOutPrincipal> {
        self.state.into_inner().left_out
    }

    /// Whether it is worth another try after this.
    pub fn goes_on(&self, converged: &Result<Converged, RoleApplyError>) -> bool {
        let Some(trust) = self.trust else {
            return false;
        };
        let mut state = self.state.lock();
        match converged {
            Ok(_) => state.next_suspect(),
            Err(RoleApplyError::Write(error)) if error.class() == ErrorClass::InvalidPrincipal => {
                state.refused(trust, error)
            }
            Err(_) => false,
        }
    }
}

impl Attempt {
    /// Without those whom AWS does not know it is written. The next one of the suspects is tried.
    fn next_suspect(&mut self) -> bool {
        self.trying = None;
        if self.refusals >= REFUSALS {
            return false;
        }
        self.trying = self.suspects.pop_first();
        self.trying.is_some()
    }

    fn refused(&mut self, trust: &RoleTrust, error: &AwsError) -> bool {
        self.refusals += 1;
        let asked: BTreeSet<String> = trust
            .compiled
            .principals()
            .filter(|arn| !self.unknown.contains(*arn) && !self.suspects.contains(*arn))
            .map(str::to_owned)
            .collect();
        // AWS says: Invalid principal in policy: "AWS":"arn:…".
        let named = error.message().split('"').find(|word| asked.contains(*word));
        let culprit = named.map(str::to_owned).or_else(|| self.trying.clone());
        if self.trying == culprit {
            self.trying = None;
        }
        match culprit {
            Some(culprit) if self.refusals <= REFUSALS => {
                self.unknown.insert(culprit);
            }
            _ => {
                let hidden: BTreeSet<String> = asked
                    .iter()
                    .filter(|arn| !self.known.shows(arn))
                    .cloned()
                    .collect();
                let blamed = if hidden.is_empty() { asked } else { hidden };
                if blamed.is_empty() {
                    return false;
                }
                self.suspects.extend(blamed);
            }
        }
        true
    }
}
