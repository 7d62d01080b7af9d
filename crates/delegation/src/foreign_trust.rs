//! The trust policy of a role that exists: what its owner has to add, and whether it lets Deputy's broker in.
//!
//! Deputy never writes it. So it says what is missing before a pod runs into it, by AWS's own rules of `sts:AssumeRole`
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>): the role's trust policy has to allow the
//! call and its tags, whoever calls.

use std::collections::BTreeSet;

use deputy_policy::{
    ActionElement, Caller, Context, Document, Effect, ParseErrors, PolicyKind, Request, ResourceElement,
    Situation, SituationError, Statement, Version,
};

use crate::{
    model::{Account, RoleId},
    names::{ClusterName, ExternalId, IssuerArn, RoleArn, TagKey, TagValue},
    naming,
    session::SessionRequest,
    trust,
};

/// A ServiceAccount that stands for any, where no binding names one.
const ANY_SERVICE_ACCOUNT: &str = "default";

/// What a broker's call of `sts:AssumeRole` shows to a trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerCall {
    session_name: String,
    external_id: ExternalId,
    tags: Vec<(TagKey, TagValue)>,
}

impl BrokerCall {
    /// That of a session.
    #[must_use]
    pub fn of(request: &SessionRequest) -> Self {
        Self {
            session_name: request.session_name.as_str().to_owned(),
            external_id: request.external_id.clone(),
            tags: request.tags.clone().into_iter().collect(),
        }
    }

    /// That of any session of a role: with the external id and the tags that each one has.
    #[must_use]
    pub fn of_any(cluster: &ClusterName, id: &RoleId) -> Self {
        Self {
            session_name: format!("{}.{ANY_SERVICE_ACCOUNT}", id.namespace),
            external_id: naming::external_id(cluster, id),
            tags: vec![
                naming::tag(naming::TAG_CLUSTER, cluster.as_str()),
                naming::tag(naming::TAG_NAMESPACE, id.namespace.as_str()),
                naming::tag(naming::TAG_SERVICE_ACCOUNT, ANY_SERVICE_ACCOUNT),
            ],
        }
    }
}

/// Whether a trust policy lets the broker in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEntry {
    /// It does; if these condition keys, which only AWS knows, are as it asks.
    Allowed {
        /// In lower case, in order.
        depends_on: BTreeSet<String>,
    },
    /// It does not.
    Refused,
}

/// Why it can't be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignTrustError {
    /// The document can't be read.
    #[error("its trust policy can't be read: {0}")]
    Document(#[source] ParseErrors),
    /// The evaluator does not decide it.
    #[error("its trust policy can't be evaluated: {0}")]
    Evaluation(#[source] SituationError),
}

impl ForeignTrustError {
    /// The name for metrics and events.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Document(_) => "Document",
            Self::Evaluation(_) => "Evaluation",
        }
    }
}

/// The statements that the owner of a role has to add to its trust policy, as a JSON list: ready to paste.
#[must_use]
pub fn statements_to_add(cluster: &ClusterName, account: &Account, id: &RoleId) -> String {
    let document = trust::for_issuer(cluster, account, id).to_value();
    let statements = document.get("Statement").cloned().unwrap_or_default();
    format!("{statements:#}")
}

/// Whether the trust policy `text` of `role` lets `issuer`, one of those of `account`, make `call`. A source identity, where it has one, is
/// taken to be its name: so the trust policy that `deputy bootstrap aws` prints wants its certificate.
///
/// # Errors
/// When the document can't be read, or not be evaluated: then nothing is known.
pub fn admits(
    account: &Account,
    issuer: &IssuerArn,
    role: &RoleArn,
    text: &str,
    call: &BrokerCall,
) -> Result<BrokerEntry, ForeignTrustError> {
    let document = Document::parse(text, PolicyKind::Trust).map_err(ForeignTrustError::Document)?;
    let passes = account.with_source_identity.contains(issuer);
    let is_allowed = |document: &Document| is_allowed(issuer, passes, role, document, call);
    if is_allowed(&document)? {
        return Ok(BrokerEntry::Allowed {
            depends_on: BTreeSet::new(),
        });
    }
    let (without, depends_on) = without_unknown_keys(&document);
    match without {
        Some(without) if !depends_on.is_empty() && is_allowed(&without)? => {
            Ok(BrokerEntry::Allowed { depends_on })
        }
        _ => Ok(BrokerEntry::Refused),
    }
}

/// The broker's own policies are taken to allow the call: `deputy bootstrap aws` prints them.
fn is_allowed(
    issuer: &IssuerArn,
    passes_source_identity: bool,
    role: &RoleArn,
    trust: &Document,
    call: &BrokerCall,
) -> Result<bool, ForeignTrustError> {
    let everything = Statement {
        sid: None,
        effect: Effect::Allow,
        principal: None,
        action: ActionElement::Action(vec!["sts:*".to_owned()]),
        resource: Some(ResourceElement::Resource(vec!["*".to_owned()])),
        conditions: Vec::new(),
    };
    let identity = Document::new(Version::V2012, vec![everything], PolicyKind::Identity)
        .map_err(ForeignTrustError::Document)?;
    let situation = Situation::new().identity([&identity]).resource_policy(trust);
    let named = issuer.to_string();
    let mut context = Context::new()
        .with("sts:ExternalId", call.external_id.as_str())
        .with("sts:RoleSessionName", call.session_name.as_str())
        .with("aws:PrincipalArn", named.as_str())
        .with("aws:PrincipalAccount", issuer.account().as_str())
        .with("aws:SecureTransport", "true");
    if passes_source_identity {
        context.set("sts:SourceIdentity", [issuer.name()]);
    }
    context.set("aws:TagKeys", call.tags.iter().map(|(key, _)| key.as_str()));
    for (key, value) in &call.tags {
        context.set(format!("aws:RequestTag/{key}"), [value.as_str()]);
    }
    let request = Request {
        action: "sts:AssumeRole".to_owned(),
        resource: role.to_string(),
        principal: Caller::parse(&named).ok(),
        context,
    };
    let answer = situation
        .assume_role(&request)
        .map_err(ForeignTrustError::Evaluation)?;
    Ok(answer.is_allowed())
}

/// Whether what a condition key is in the broker's call is known here: by name, what is said above, and what is never in it.
fn is_known(key: &str) -> bool {
    const KNOWN: [&str; 9] = [
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:securetransport",
        "aws:tagkeys",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
    ];
    KNOWN.contains(&key) || key.starts_with("aws:requesttag/")
}

/// The document as if everything that is not known here was as an Allow asks, and not as a Deny asks; and the keys that this is about.
fn without_unknown_keys(document: &Document) -> (Option<Document>, BTreeSet<String>) {
    let mut keys = BTreeSet::new();
    let mut statements = Vec::new();
    for statement in document.statements() {
        let mut statement = statement.clone();
        let before = statement.conditions.len();
        statement.conditions.retain(|condition| {
            let key = condition.key.to_ascii_lowercase();
            let known = is_known(&key);
            if !known {
                keys.insert(key);
            }
            known
        });
        if statement.effect == Effect::Allow || statement.conditions.len() == before {
            statements.push(statement);
        }
    }
    (
        Document::new(document.version(), statements, document.kind()).ok(),
        keys,
    )
}
