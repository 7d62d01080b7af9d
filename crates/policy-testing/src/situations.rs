//! The whole decision: policies of every kind that bear on one request, and a second opinion on how AWS puts them together
//! (IAM User Guide, "Policy evaluation logic"), step by step as the guide has it.

use deputy_policy::{AccessDecision, Document, PolicyKind, Situation, SituationError};
use serde_json::Value;

use crate::generate::{
    callers,
    edits::edit,
    identities::CallerNames,
    model::{PolicyDraft, PrincipalsDraft},
    pairs::PairDraft,
    policies::{OWN, policy, principals},
    profiles::SoakProfile,
    requests::{GroupSize, RequestGroup, group, keys_of},
};
use crate::{
    choices::Choices,
    engine::KnownRequest,
    naive::{self, KnownCaller, NaiveDecision, NaiveRequest, NamedAs, Readings},
};

/// Everything that bears on a request.
#[derive(Debug, Clone)]
pub struct Scene {
    identity: Vec<PolicyDraft>,
    resource: Option<PolicyDraft>,
    boundary: Vec<PolicyDraft>,
    session: Vec<PolicyDraft>,
    service_control: Vec<Vec<PolicyDraft>>,
    resource_control: Vec<Vec<PolicyDraft>>,
    resource_account: &'static str,
    management_account: Option<&'static str>,
}

/// A scene whose policies are edited copies of one another, and requests.
pub fn scene(c: &mut Choices<'_>, profile: SoakProfile) -> (Scene, RequestGroup) {
    // Keys that may be anything are another matter; who asks is this one's.
    let profile = if profile == SoakProfile::Managed {
        SoakProfile::Everything
    } else {
        profile
    };
    let original = policy(c, PolicyKind::Identity, profile);
    let copy = |c: &mut Choices<'_>, kind: PolicyKind| {
        let mut copy = original.clone();
        copy.kind = kind;
        for statement in &mut copy.statements {
            statement.principals = kind
                .has_principal()
                .then(|| principals(c, kind, statement.deny, profile));
        }
        for _ in 0..c.below(3) {
            edit(c, &mut copy, true);
        }
        copy
    };
    let identity = vec![copy(c, PolicyKind::Identity)];
    let resource = c.chance(2, 3).then(|| copy(c, PolicyKind::Resource));
    let boundary: Vec<PolicyDraft> = (0..c.below(2)).map(|_| copy(c, PolicyKind::Boundary)).collect();
    let session: Vec<PolicyDraft> = (0..c.below(3)).map(|_| copy(c, PolicyKind::Session)).collect();
    let level = |c: &mut Choices<'_>| {
        (0..c.between(1, 2))
            .map(|_| copy(c, PolicyKind::ServiceControl))
            .collect()
    };
    let service_control = (0..*c.pick(&[0, 0, 1, 2])).map(|_| level(c)).collect();
    let resource_control = if c.chance(1, 4) {
        let mut denies = policy(c, PolicyKind::Identity, profile);
        denies.kind = PolicyKind::ResourceControl;
        for statement in &mut denies.statements {
            statement.deny = true;
            statement.not_action = false;
            statement.principals = Some(PrincipalsDraft {
                negated: false,
                listed: Vec::new(),
            });
        }
        vec![vec![denies]]
    } else {
        Vec::new()
    };
    let scene = Scene {
        resource_account: c.pick::<&'static str>(&[OWN, OWN, "222222222222"]),
        management_account: *c.pick(&[None, None, Some(OWN), Some("222222222222")]),
        identity,
        resource,
        boundary,
        session,
        service_control,
        resource_control,
    };
    let ceiling = scene.resource.clone().unwrap_or_else(|| original.clone());
    let pair = PairDraft {
        layers: vec![vec![ceiling.clone()]],
        ceiling,
    };
    let (keys, names) = (keys_of(&pair), pair.names());
    let mut group = group(c, &pair, &keys, &names, GroupSize::SMALL);
    group.callers = vec![Some(callers::any(c, &names)), Some(callers::any(c, &names))];
    if let Some(policy) = &scene.resource {
        let statement = c.pick(&policy.statements);
        group
            .callers
            .push(Some(callers::of_statement(c, statement, &names)));
    }
    (scene, group)
}

fn read(policies: &[PolicyDraft]) -> Result<Vec<Document>, String> {
    let read = |policy: &PolicyDraft| {
        let value = policy.to_value();
        Document::from_value(&value, policy.kind).map_err(|e| format!("{value}: {e}"))
    };
    policies.iter().map(read).collect()
}

fn values(policies: &[PolicyDraft]) -> Vec<Value> {
    policies.iter().map(PolicyDraft::to_value).collect()
}

impl Scene {
    /// Whether the policies that go with it fit the caller: only users and sessions have boundaries, and only sessions
    /// have session policies.
    fn fits(&self, who: Option<&KnownCaller>) -> bool {
        let Some(who) = who else { return true };
        if who.role.is_some() || who.user.is_some() {
            true
        } else if who.id.is_some() {
            self.session.is_empty()
        } else {
            self.session.is_empty() && self.boundary.is_empty()
        }
    }

    /// Compares both evaluators on all requests of the group; the number of those that were allowed and of all.
    pub fn compare(&self, group: &RequestGroup) -> Result<(u64, u64), String> {
        let identity = read(&self.identity)?;
        let resource = read(self.resource.as_slice())?;
        let (boundary, session) = (read(&self.boundary)?, read(&self.session)?);
        let levels = |levels: &[Vec<PolicyDraft>]| {
            levels
                .iter()
                .map(|level| read(level))
                .collect::<Result<Vec<_>, _>>()
        };
        let (scps, rcps) = (levels(&self.service_control)?, levels(&self.resource_control)?);
        let mut situation = Situation::new()
            .identity(&identity)
            .boundaries(&boundary)
            .session(&session)
            .service_control(&scps)
            .resource_control(&rcps)
            .resource_account(self.resource_account);
        if let Some(policy) = resource.first() {
            situation = situation.resource_policy(policy);
        }
        if let Some(account) = self.management_account {
            situation = situation.management_account(account);
        }
        let names = CallerNames::of(&values(self.resource.as_slice()));
        let (mut allowed, mut all, mut wrong) = (0, 0, None);
        for asked in group.requests() {
            if !self.fits(asked.who.as_ref()) {
                continue;
            }
            let ours = match situation
                .evaluate(&asked.request())
                .map(|evaluation| evaluation.decision)
            {
                Ok(AccessDecision::Allowed) => NaiveDecision::Allowed,
                Ok(AccessDecision::ExplicitDeny) => NaiveDecision::ExplicitDeny,
                Ok(AccessDecision::ImplicitDeny) => NaiveDecision::ImplicitDeny,
                // Its answer would depend on ids that it does not know.
                Err(SituationError::UnknownCaller(_)) => continue,
                Err(e) => {
                    wrong = Some(format!("{e}: {asked:?}"));
                    continue;
                }
            };
            all += 1;
            allowed += u64::from(ours == NaiveDecision::Allowed);
            for variant in asked.variants(&names) {
                let other = self.decide(&variant);
                if ours != other {
                    wrong = Some(format!(
                        "the evaluator says {ours:?}, the second one {other:?} to {variant:?}\n{self}"
                    ));
                }
            }
        }
        wrong.map_or(Ok((allowed, all)), Err)
    }

    /// The second opinion.
    fn decide(&self, asked: &KnownRequest) -> NaiveDecision {
        let who = asked.who.clone().map(|who| KnownCaller {
            bounded: !self.boundary.is_empty(),
            ..who
        });
        self.steps(&NaiveRequest {
            action: &asked.action,
            resource: &asked.resource,
            who: who.as_ref(),
            context: &asked.keys(),
            readings: &Readings::EVALUATOR,
        })
    }

    fn steps(&self, ask: &NaiveRequest<'_>) -> NaiveDecision {
        let (identity, boundary, session) = (
            values(&self.identity),
            values(&self.boundary),
            values(&self.session),
        );
        let resource = values(self.resource.as_slice());
        let levels =
            |levels: &[Vec<PolicyDraft>]| levels.iter().map(|level| values(level)).collect::<Vec<_>>();
        let (mut scps, mut rcps) = (levels(&self.service_control), levels(&self.resource_control));
        let account = ask.who.and_then(KnownCaller::account);
        // SCPs bind principals of member accounts, RCPs resources of member accounts.
        let no_account = ask.who.is_some() && account.is_none();
        if no_account || (account.is_some() && account.map(|(_, id)| id) == self.management_account) {
            scps.clear();
        }
        if Some(self.resource_account) == self.management_account {
            rcps.clear();
        }
        // 0. An explicit Deny in any policy that applies.
        let of_levels = |levels: &[Vec<Value>]| levels.iter().any(|level| denies(level, ask));
        let own = [&identity, &boundary, &session, &resource];
        if of_levels(&scps) || of_levels(&rcps) || own.iter().any(|layer| denies(layer, ask)) {
            return NaiveDecision::ExplicitDeny;
        }
        // Partitions have nothing to do with each other.
        let partition = ask.resource.split(':').nth(1);
        if account.is_some_and(|(own, _)| partition.is_some_and(|p| p != own)) {
            return NaiveDecision::ImplicitDeny;
        }
        let answer = |allowed: bool| {
            if allowed {
                NaiveDecision::Allowed
            } else {
                NaiveDecision::ImplicitDeny
            }
        };
        let grant = resource.first().and_then(|policy| naive::grant(policy, ask));
        // 1. RCPs: RCPFullAWSAccess is attached at every level.
        // 2. SCPs: an Allow at every level.
        if !scps.iter().all(|level| allows(level, ask)) {
            return NaiveDecision::ImplicitDeny;
        }
        if no_account {
            return answer(grant.is_some());
        }
        let same = account.is_none_or(|(_, id)| id == self.resource_account);
        // 3. The resource policy names the caller itself: nothing else matters.
        if same && grant == Some(NamedAs::Itself) {
            return NaiveDecision::Allowed;
        }
        if !same && grant.is_none() {
            return NaiveDecision::ImplicitDeny;
        }
        // 4. Identity policies, unless the resource policy names what is behind the caller; the root user needs none.
        let root = ask.who.is_some_and(KnownCaller::is_root);
        let granted = same && grant == Some(NamedAs::Behind);
        if !granted && !root && !allows(&identity, ask) {
            return NaiveDecision::ImplicitDeny;
        }
        // 5. The boundary, and 6. the session policy.
        let federated = ask.who.is_some_and(|who| who.user.is_some());
        let capped = boundary.is_empty() || allows(&boundary, ask);
        let in_session = if session.is_empty() {
            !federated
        } else {
            allows(&session, ask)
        };
        answer(capped && in_session)
    }
}

fn denies(documents: &[Value], ask: &NaiveRequest<'_>) -> bool {
    naive::denies(&documents.iter().collect::<Vec<_>>(), ask)
}

fn allows(documents: &[Value], ask: &NaiveRequest<'_>) -> bool {
    naive::allows(&documents.iter().collect::<Vec<_>>(), ask)
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            identity,
            resource,
            boundary,
            session,
            ..
        } = self;
        let all = identity.iter().chain(resource).chain(boundary).chain(session);
        let levels = self
            .service_control
            .iter()
            .chain(&self.resource_control)
            .flatten();
        for policy in all.chain(levels) {
            writeln!(f, "{:?}: {}", policy.kind, policy.to_value())?;
        }
        write!(
            f,
            "resource in {}, management account {:?}",
            self.resource_account, self.management_account
        )
    }
}
