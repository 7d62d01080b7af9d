//! A question about a session, with the policies it owns and where they were read.

use deputy_policy::{
    Caller, Context, Document, Evaluation, Layer, SessionQuestion, SessionWay,
    session::{OwnPolicies, SessionAction, SessionCaller, SessionRole},
};

use crate::policy::{
    report::{ReportSource, place},
    request,
    source::Policy,
};

/// A policy, and where each of its statements stands: `FILE:LINE:COLUMN`.
pub struct PlacedPolicy {
    pub document: Document,
    pub places: Vec<String>,
}

impl PlacedPolicy {
    pub fn new(document: Document, policy: &Policy, source: &ReportSource<'_>) -> Self {
        let at = |i| place(source, policy.find(&format!("Statement[{i}]")).as_ref());
        Self {
            places: (0..document.statements().len()).map(at).collect(),
            document,
        }
    }
}

/// The policies of the caller, or of the role.
#[derive(Default)]
pub struct Party {
    pub identity: Vec<PlacedPolicy>,
    pub boundary: Vec<PlacedPolicy>,
    pub scps: Vec<Vec<PlacedPolicy>>,
}

/// The role that is assumed.
pub struct AssumedRole {
    pub principal: Caller,
    pub unique_id: Option<String>,
    pub max_duration: Option<u32>,
    pub trust: Option<PlacedPolicy>,
    pub party: Party,
}

/// What the session asks for.
pub struct AskedAction {
    pub action: String,
    pub resource: String,
    pub context: Context,
    pub account: Option<String>,
    pub policy: Option<PlacedPolicy>,
    pub rcps: Vec<Vec<PlacedPolicy>>,
}

/// All of a question.
pub struct Scenario {
    pub way: SessionWay,
    pub caller: Caller,
    pub caller_id: Option<String>,
    pub temporary: bool,
    pub of_caller: Party,
    pub callers_session: Vec<PlacedPolicy>,
    pub role: Option<AssumedRole>,
    pub name: Option<String>,
    pub policies: Vec<PlacedPolicy>,
    pub duration: Option<u32>,
    pub mfa: bool,
    pub context: Context,
    pub management_account: Option<String>,
    pub asked: Vec<AskedAction>,
}

fn documents(policies: &[PlacedPolicy]) -> Vec<&Document> {
    policies.iter().map(|policy| &policy.document).collect()
}

fn levels(levels: &[Vec<PlacedPolicy>]) -> Vec<Vec<&Document>> {
    levels.iter().map(|level| documents(level)).collect()
}

/// The caller as policies see it: of a role session with the path of its role.
///
/// # Errors
/// A sentence, without what it is about.
pub fn caller(arn: &str, role: Option<&str>) -> Result<Caller, String> {
    let caller = request::principal(arn)?;
    let Some(role) = role else { return Ok(caller) };
    let behind = request::principal(role)?;
    match (caller, behind) {
        (
            Caller::RoleSession {
                account,
                role,
                session: Some(session),
                ..
            },
            Caller::RoleSession {
                account: of,
                path: Some(path),
                role: name,
                session: None,
            },
        ) if (&account, role.to_lowercase()) == (&of, name.to_lowercase()) => Ok(Caller::RoleSession {
            account,
            path: Some(path),
            role: name,
            session: Some(session),
        }),
        (caller, _) => Err(format!("{role} is not the role of {caller}")),
    }
}

/// The role of an ARN.
///
/// # Errors
/// A sentence, without what it is about.
pub fn role(arn: &str) -> Result<Caller, String> {
    match request::principal(arn)? {
        role @ Caller::RoleSession {
            path: Some(_),
            session: None,
            ..
        } => Ok(role),
        other => Err(format!(
            "{other} is no role; write arn:aws:iam::ACCOUNT:role/NAME"
        )),
    }
}

impl Party {
    fn own(&self) -> OwnPolicies<'_> {
        OwnPolicies {
            identity: documents(&self.identity),
            boundaries: documents(&self.boundary),
            service_control: levels(&self.scps),
        }
    }
}

impl Scenario {
    /// An account has one set of them, for its users as for its roles: those of the role hold for a caller of its account, too.
    fn scps_of_caller(&self) -> &[Vec<PlacedPolicy>] {
        let account = |caller: &Caller| caller.account().map(|account| account.id.clone());
        match &self.role {
            Some(role)
                if self.of_caller.scps.is_empty() && account(&role.principal) == account(&self.caller) =>
            {
                &role.party.scps
            }
            _ => &self.of_caller.scps,
        }
    }

    pub fn question(&self) -> SessionQuestion<'_> {
        let policies = OwnPolicies {
            service_control: levels(self.scps_of_caller()),
            ..self.of_caller.own()
        };
        SessionQuestion {
            way: self.way,
            caller: SessionCaller {
                principal: self.caller.clone(),
                unique_id: self.caller_id.clone(),
                temporary: self.temporary,
                policies,
                session: documents(&self.callers_session),
            },
            role: self.role.as_ref().map(|role| SessionRole {
                principal: role.principal.clone(),
                unique_id: role.unique_id.clone(),
                trust: role.trust.as_ref().map(|trust| &trust.document),
                policies: role.party.own(),
                resource_control: Vec::new(),
                max_duration: role.max_duration,
            }),
            name: self.name.clone(),
            session_policies: documents(&self.policies),
            duration: self.duration,
            mfa: self.mfa,
            context: self.context.clone(),
            management_account: self.management_account.clone(),
        }
    }

    pub fn action<'a>(&self, asked: &'a AskedAction) -> SessionAction<'a> {
        SessionAction {
            action: asked.action.clone(),
            resource: asked.resource.clone(),
            context: asked.context.clone(),
            policy: asked.policy.as_ref().map(|policy| &policy.document),
            account: asked.account.clone(),
            resource_control: levels(&asked.rcps),
        }
    }

    /// Where the statement stands that decided about the call.
    pub fn place_of_call(&self, evaluation: &Evaluation) -> Option<&str> {
        let trust = self.role.as_ref().and_then(|role| role.trust.as_ref());
        let found = |at: usize| match evaluation.reason.layer {
            Layer::Identity => self.of_caller.identity.get(at),
            Layer::Boundary => self.of_caller.boundary.get(at),
            Layer::Session => self.callers_session.get(at),
            Layer::Trust => trust,
            Layer::ServiceControl(level) => self.scps_of_caller().get(level)?.get(at),
            Layer::Resource | Layer::Endpoint | Layer::ResourceControl(_) | Layer::Rule(_) => None,
        };
        stands_at(evaluation, found)
    }

    /// Where the statement stands that decided about what the session asks for.
    pub fn place_of_action<'a>(&'a self, evaluation: &Evaluation, asked: &'a AskedAction) -> Option<&'a str> {
        let party = self.role.as_ref().map_or(&self.of_caller, |role| &role.party);
        let found = |at: usize| match evaluation.reason.layer {
            Layer::Identity => party.identity.get(at),
            Layer::Boundary => party.boundary.get(at),
            Layer::Session => self.policies.get(at),
            Layer::Trust | Layer::Resource => asked.policy.as_ref(),
            Layer::ServiceControl(level) => party.scps.get(level)?.get(at),
            Layer::ResourceControl(level) => asked.rcps.get(level)?.get(at),
            Layer::Endpoint | Layer::Rule(_) => None,
        };
        stands_at(evaluation, found)
    }
}

fn stands_at<'a>(
    evaluation: &Evaluation,
    found: impl Fn(usize) -> Option<&'a PlacedPolicy>,
) -> Option<&'a str> {
    let at = evaluation.reason.statement?;
    Some(found(at.document)?.places.get(at.statement)?.as_str())
}
