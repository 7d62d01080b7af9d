//! The crate's answers, in the words of the second evaluator, and both side by side.

use deputy_policy::{
    AccessDecision, AwsAccount, Caller, Candidate, Containment, Context, Document, Layers, PolicyKind,
    Request, check, contains, evaluate, evaluate_trust,
};
use serde_json::Value;

use crate::generate::identities::CallerNames;
use crate::{
    naive::{self, Keys, KnownCaller, NaiveDecision, NaiveRequest, OpenQuestions, Readings, who::NaiveArn},
    possible::impossible,
};

/// The answer of the containment check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedVerdict {
    Contained,
    /// The checker refuses the certificate.
    Unproved(String),
    /// The witness, and whether its caller has a permissions boundary.
    Exceeds(Box<Request>, bool),
    /// Why.
    Unknown(String),
}

impl CheckedVerdict {
    pub fn exceeds(&self) -> bool {
        matches!(self, Self::Exceeds(..))
    }
}

/// Whether the candidate stays within the ceiling.
pub fn contain(candidate: &Candidate<'_>, ceiling: &Document) -> CheckedVerdict {
    match contains(candidate, ceiling) {
        Containment::Contained(certificate) => match check(&certificate, candidate, ceiling) {
            Ok(()) => CheckedVerdict::Contained,
            Err(why) => CheckedVerdict::Unproved(why.to_string()),
        },
        Containment::Exceeds(w) => CheckedVerdict::Exceeds(
            Box::new(Request {
                action: w.action,
                resource: w.resource,
                principal: w.principal,
                context: w.context,
            }),
            w.bounded,
        ),
        Containment::Unknown(reason) => CheckedVerdict::Unknown(reason.to_string()),
    }
}

/// What the crate's evaluator says of documents that stand in layers.
pub fn decide(layers: &[&[&Document]], request: &Request) -> NaiveDecision {
    let evaluation = match layers {
        [[one]] if one.kind() == PolicyKind::Trust => evaluate_trust(one, request),
        [identity] => evaluate(
            &Layers {
                identity,
                ..Layers::default()
            },
            request,
        ),
        [identity, [boundary]] => {
            let boundary = Some(*boundary);
            evaluate(
                &Layers {
                    identity,
                    boundary,
                    ..Layers::default()
                },
                request,
            )
        }
        [identity, [boundary], session] => evaluate(
            &Layers {
                identity,
                boundary: Some(boundary),
                session: Some(session),
            },
            request,
        ),
        other => panic!("{} layers", other.len()),
    };
    match evaluation.decision {
        AccessDecision::Allowed => NaiveDecision::Allowed,
        AccessDecision::ExplicitDeny => NaiveDecision::ExplicitDeny,
        AccessDecision::ImplicitDeny => NaiveDecision::ImplicitDeny,
    }
}

/// A request by somebody of whom everything is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRequest {
    pub action: String,
    pub resource: String,
    pub who: Option<KnownCaller>,
    pub context: Context,
}

impl KnownRequest {
    pub fn keys(&self) -> Keys {
        keys(&self.context)
    }

    /// The request with every other id of the caller that is listed and that the crate does not learn: canonical user ids,
    /// and the unique id of the user behind a federated session. There is no boundary, which it is told elsewhere.
    pub fn variants(&self, names: &CallerNames) -> Vec<Self> {
        let Some(who) = &self.who else {
            return vec![self.clone()];
        };
        let mut known = KnownCaller {
            bounded: false,
            canonical: None,
            ..who.clone()
        };
        if who.user.is_some() {
            known.id = None;
        }
        let all = names.completions(&known, |_| true);
        let with = |who: KnownCaller| Self {
            who: Some(who),
            ..self.clone()
        };
        all.into_iter().map(with).collect()
    }

    /// What the second evaluator says of documents that stand in layers.
    pub fn decide(&self, layers: &[Vec<Value>], readings: &Readings) -> NaiveDecision {
        let layers: Vec<Vec<&Value>> = layers.iter().map(|layer| layer.iter().collect()).collect();
        let ask = NaiveRequest {
            action: &self.action,
            resource: &self.resource,
            who: self.who.as_ref(),
            context: &self.keys(),
            readings,
        };
        naive::decide(&layers, &ask)
    }

    /// The request in the words of the crate, which learns the unique id of a caller from the context. Whether the caller
    /// has a boundary it is told elsewhere; of canonical user ids it knows nothing.
    pub fn request(&self) -> Request {
        let mut context = self.context.clone();
        if let Some(id) = self.who.as_ref().and_then(KnownCaller::user_id) {
            context.set("aws:userid", [id]);
        }
        Request {
            action: self.action.clone(),
            resource: self.resource.clone(),
            principal: self.who.as_ref().map(caller),
            context,
        }
    }
}

pub fn keys(context: &Context) -> Keys {
    context
        .iter()
        .map(|(key, values)| (key.to_lowercase(), values.to_vec()))
        .collect()
}

/// The caller in the words of the crate.
pub fn caller(who: &KnownCaller) -> Caller {
    if who.provider {
        return Caller::Federated(who.name.clone());
    }
    let mut caller = Caller::parse(&who.name).unwrap_or_else(|e| panic!("{e}"));
    let behind = who.role.as_ref().or(who.user.as_ref());
    let name = behind.and_then(|arn| NaiveArn::parse(arn)?.rest.split_once('/'));
    match (&mut caller, name) {
        (Caller::FederatedUser { of_user, .. }, Some((_, name))) => *of_user = Some(name.to_owned()),
        (Caller::RoleSession { path, .. }, Some((_, name))) => {
            let end = name.rfind('/').map_or(0, |slash| slash + 1);
            *path = Some(name[..end].to_owned());
        }
        _ => {}
    }
    caller
}

/// Everybody whom a witness may mean: its caller with the parts that are not known filled in, in every way that the
/// policies tell apart.
pub fn meant(request: &Request, bounded: bool, names: &CallerNames) -> Vec<Option<KnownCaller>> {
    let Some(caller) = &request.principal else {
        return vec![None];
    };
    let mut known = KnownCaller {
        bounded,
        ..KnownCaller::default()
    };
    let mut role_name = None;
    let arn = |account: &AwsAccount, service: &str, rest: &str| {
        format!("arn:{}:{service}::{}:{rest}", account.partition, account.id)
    };
    match caller {
        Caller::RoleSession {
            account,
            path,
            role,
            session,
        } => {
            role_name = Some((account.clone(), role.clone()));
            known.role = path
                .as_ref()
                .map(|path| arn(account, "iam", &format!("role/{path}{role}")));
            if let Some(session) = session {
                known.name = arn(account, "sts", &format!("assumed-role/{role}/{session}"));
            }
        }
        Caller::UniqueId(id) => known.id = Some(id.clone()),
        Caller::FederatedUser { account, of_user, .. } => {
            known.name = caller.to_string();
            known.user = of_user
                .as_ref()
                .map(|user| arn(account, "iam", &format!("user/{user}")));
        }
        Caller::Federated(name) => {
            known.provider = true;
            known.name.clone_from(name);
        }
        Caller::CanonicalUser(id) => known.canonical = Some(id.clone()),
        _ => known.name = caller.to_string(),
    }
    if let Some([value]) = request.context.get("aws:userid")
        && let Some(id) = value.split(':').next().filter(|id| is_unique_id(id))
        && matches!(caller, Caller::User { .. } | Caller::RoleSession { .. })
    {
        known.id = Some(id.to_owned());
    }
    let fits = |who: &KnownCaller| {
        let role = |(account, name): &(AwsAccount, String)| {
            let role = who.role.as_deref().and_then(NaiveArn::parse);
            role.is_some_and(|arn| {
                (arn.partition, arn.account) == (&account.partition, &account.id)
                    && arn
                        .rest
                        .rsplit('/')
                        .next()
                        .is_some_and(|last| last.eq_ignore_ascii_case(name))
            })
        };
        match caller {
            Caller::CanonicalUser(_) => who.is_root(),
            // A user or a session of a role.
            Caller::UniqueId(_) => who.user.is_none(),
            _ => role_name.as_ref().is_none_or(role),
        }
    };
    names.completions(&known, fits).into_iter().map(Some).collect()
}

fn is_unique_id(text: &str) -> bool {
    text.starts_with("AIDA") || text.starts_with("AROA")
}

/// A witness must be possible and convince the second evaluator, whoever is meant and however the documents are read: the candidate
/// allows it and the ceiling does not.
pub fn confirm(
    kind: PolicyKind,
    layers: &[Vec<Value>],
    ceiling: &Value,
    request: &Request,
    bounded: bool,
) -> Result<(), String> {
    if let Some(why) = impossible(kind, request) {
        return Err(format!("the witness {request:?} is impossible: {why}"));
    }
    let documents = || layers.iter().flatten().chain([ceiling]);
    let names = CallerNames::of(documents());
    let everybody = meant(request, bounded, &names);
    if everybody.is_empty() {
        return Err(format!("nobody can be the caller of {request:?}"));
    }
    let limit = [vec![ceiling.clone()]];
    let worlds = Readings::all(&OpenQuestions::of(documents()).undocumented());
    for who in everybody {
        if let Some((partition, _)) = who.as_ref().and_then(KnownCaller::account)
            && !names.partitions.contains(partition)
        {
            return Err(format!("the policies are not in the partition of {request:?}"));
        }
        let asked = KnownRequest {
            action: request.action.clone(),
            resource: request.resource.clone(),
            who,
            context: request.context.clone(),
        };
        for readings in &worlds {
            let (candidate, ceiling) = (asked.decide(layers, readings), asked.decide(&limit, readings));
            if candidate != NaiveDecision::Allowed || ceiling == NaiveDecision::Allowed {
                return Err(format!(
                    "the second evaluator says {candidate:?} for the candidate and {ceiling:?} for the ceiling to the \
                     witness {request:?} as {asked:?} with {readings:?}"
                ));
            }
        }
    }
    Ok(())
}
