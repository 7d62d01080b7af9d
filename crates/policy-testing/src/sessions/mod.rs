//! Random calls that make sessions, and the crate's answers to them beside the second evaluator's.

mod scenes;

use deputy_policy::{
    AccessDecision, Caller, Context, Document, PolicyKind, SituationError,
    session::{
        OwnPolicies, SessionAction, SessionCaller, SessionQuestion, SessionQuestionError, SessionRole,
        SessionWay,
    },
};
use serde_json::Value;

use crate::{
    engine,
    naive::{
        Keys, NaiveDecision,
        sessions::{NaiveCall, NaiveParty, NaiveWay},
    },
};

pub use scenes::{SessionScene, session_scene};

/// Documents of the crate, of a call and of what is asked.
struct Read {
    caller: ReadParty,
    role: ReadParty,
    callers_session: Vec<Document>,
    policies: Vec<Document>,
    trust: Option<Document>,
}

struct ReadParty {
    identity: Vec<Document>,
    boundary: Vec<Document>,
    scps: Vec<Vec<Document>>,
}

fn read(policies: &[Value], kind: PolicyKind) -> Result<Vec<Document>, String> {
    policies
        .iter()
        .map(|policy| Document::from_value(policy, kind).map_err(|e| format!("{policy}: {e}")))
        .collect()
}

impl ReadParty {
    fn of(party: &NaiveParty) -> Result<Self, String> {
        let levels = party
            .scps
            .iter()
            .map(|level| read(level, PolicyKind::ServiceControl));
        Ok(Self {
            identity: read(&party.identity, PolicyKind::Identity)?,
            boundary: read(&party.boundary, PolicyKind::Boundary)?,
            scps: levels.collect::<Result<_, _>>()?,
        })
    }

    fn own(&self) -> OwnPolicies<'_> {
        OwnPolicies {
            identity: self.identity.iter().collect(),
            boundaries: self.boundary.iter().collect(),
            service_control: self.scps.iter().map(|level| level.iter().collect()).collect(),
        }
    }
}

fn context(keys: &Keys) -> Context {
    let mut context = Context::new();
    for (key, values) in keys {
        context.set(key, values.iter().cloned());
    }
    context
}

impl Read {
    fn of(call: &NaiveCall) -> Result<Self, String> {
        Ok(Self {
            caller: ReadParty::of(&call.of_caller)?,
            role: ReadParty::of(&call.of_role)?,
            callers_session: read(&call.callers_session, PolicyKind::Session)?,
            policies: read(&call.policies, PolicyKind::Session)?,
            trust: read(call.trust.as_slice(), PolicyKind::Trust)?.pop(),
        })
    }

    fn question(&self, call: &NaiveCall) -> SessionQuestion<'_> {
        let role = || SessionRole {
            principal: Caller::parse(&call.role).unwrap(),
            unique_id: Some(call.role_id.clone()),
            trust: self.trust.as_ref(),
            policies: self.role.own(),
            resource_control: Vec::new(),
            max_duration: None,
        };
        SessionQuestion {
            way: match call.way {
                NaiveWay::AssumeRole => SessionWay::AssumeRole,
                NaiveWay::Saml => SessionWay::AssumeRoleWithSaml,
                NaiveWay::WebIdentity => SessionWay::AssumeRoleWithWebIdentity,
                NaiveWay::Federation => SessionWay::FederationToken,
                NaiveWay::SessionToken => SessionWay::SessionToken,
            },
            caller: SessionCaller {
                principal: engine::caller(&call.caller),
                unique_id: call.caller.id.clone(),
                temporary: call.temporary,
                policies: self.caller.own(),
                session: self.callers_session.iter().collect(),
            },
            role: call.way.of_role().then(role),
            name: (call.way != NaiveWay::SessionToken).then(|| call.name.clone()),
            session_policies: self.policies.iter().collect(),
            duration: None,
            mfa: call.mfa,
            context: context(&call.context),
            management_account: None,
        }
    }
}

/// What both evaluators said of a scene.
#[derive(Debug, Clone, Default)]
pub struct SessionCounts {
    /// Answers about the call: allowed, and all.
    pub starts: (u64, u64),
    /// Answers about what the session may do: allowed, and all.
    pub acts: (u64, u64),
}

fn said(decision: AccessDecision) -> NaiveDecision {
    match decision {
        AccessDecision::Allowed => NaiveDecision::Allowed,
        AccessDecision::ExplicitDeny => NaiveDecision::ExplicitDeny,
        AccessDecision::ImplicitDeny => NaiveDecision::ImplicitDeny,
    }
}

/// Whether an answer is none because it would depend on ids that are not told (those behind federated sessions), or because
/// there is no session.
fn is_undecided(error: &SessionQuestionError) -> bool {
    matches!(
        error,
        SessionQuestionError::Situation(SituationError::UnknownCaller(_))
            | SessionQuestionError::NoSession(_)
    )
}

impl SessionScene {
    /// Compares the crate's answers with those of the second evaluator, and with what the way's rule allows at most.
    ///
    /// # Errors
    /// Where they differ; and, without "evaluator" in it, when a policy is refused.
    pub fn compare(&self, counts: &mut SessionCounts) -> Result<(), String> {
        let documents = Read::of(&self.call)?;
        let question = documents.question(&self.call);
        let wrong = |ours: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug, of: &dyn std::fmt::Debug| {
            Err(format!(
                "the evaluator says {ours:?}, the second one {other:?} to {of:?}\n{:#?}",
                self.call
            ))
        };
        match question.start() {
            Ok(start) => {
                let (ours, other) = (said(start.decision()), self.call.may_get());
                if ours != other {
                    return wrong(&start, &other, &"the call");
                }
                counts.starts.0 += u64::from(start.is_allowed());
                counts.starts.1 += 1;
            }
            Err(e) if is_undecided(&e) => {}
            Err(e) => return wrong(&e, &"", &"the call"),
        }
        for asked in &self.asks {
            let policy = read(asked.policy.as_slice(), PolicyKind::Resource)?;
            let answer = question.may(&SessionAction {
                action: asked.action.clone(),
                resource: asked.resource.clone(),
                context: context(&asked.context),
                policy: policy.first(),
                account: Some(asked.account.clone()),
                resource_control: Vec::new(),
            });
            let call = match answer {
                Ok(call) => call,
                Err(e) if is_undecided(&e) => continue,
                Err(e) => return wrong(&e, &"", asked),
            };
            let (ours, other) = (said(call.decision()), self.call.may_do(asked));
            if ours != other {
                return wrong(&call, &other, asked);
            }
            let free = asked.action == "sts:GetCallerIdentity";
            if call.is_allowed() && !free && !self.call.every_layer_allows(asked) {
                return wrong(&call, &"more than the rule of the way", asked);
            }
            counts.acts.0 += u64::from(call.is_allowed() && !free);
            counts.acts.1 += 1;
        }
        Ok(())
    }
}
