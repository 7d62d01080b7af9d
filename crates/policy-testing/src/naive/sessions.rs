//! The five ways to a temporary credential, each by the page of the IAM User Guide and of the STS API reference that tells
//! of it: "Using AssumeRole…", "Permissions for AssumeRole, AssumeRoleWithSAML, and AssumeRoleWithWebIdentity", "Permissions for
//! GetFederationToken", "Permissions for GetSessionToken".

use serde_json::Value;

use super::{Keys, KnownCaller, NaiveDecision, NaiveRequest, NamedAs, Readings, allows, denies, grant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NaiveWay {
    AssumeRole,
    Saml,
    WebIdentity,
    Federation,
    SessionToken,
}

impl NaiveWay {
    pub fn of_role(self) -> bool {
        !matches!(self, Self::Federation | Self::SessionToken)
    }

    pub fn action(self) -> &'static str {
        match self {
            Self::AssumeRole => "sts:AssumeRole",
            Self::Saml => "sts:AssumeRoleWithSAML",
            Self::WebIdentity => "sts:AssumeRoleWithWebIdentity",
            Self::Federation => "sts:GetFederationToken",
            Self::SessionToken => "sts:GetSessionToken",
        }
    }
}

/// Policies of a user or role.
#[derive(Debug, Clone, Default)]
pub struct NaiveParty {
    pub identity: Vec<Value>,
    pub boundary: Vec<Value>,
    pub scps: Vec<Vec<Value>>,
}

/// A call that makes a session.
#[derive(Debug, Clone)]
pub struct NaiveCall {
    pub way: NaiveWay,
    pub caller: KnownCaller,
    pub of_caller: NaiveParty,
    pub callers_session: Vec<Value>,
    /// Whether the caller's credentials come from `GetSessionToken`.
    pub temporary: bool,
    /// The ARN of the role.
    pub role: String,
    pub role_id: String,
    pub trust: Option<Value>,
    pub of_role: NaiveParty,
    /// What the session is called.
    pub name: String,
    pub policies: Vec<Value>,
    pub mfa: bool,
    /// What is passed and said of the caller, beside who it is.
    pub context: Keys,
}

/// What a session asks for.
#[derive(Debug, Clone)]
pub struct NaiveAsk {
    pub action: String,
    pub resource: String,
    /// The account that owns it.
    pub account: String,
    pub policy: Option<Value>,
    pub context: Keys,
}

impl NaiveAsk {
    fn request<'a>(&'a self, who: &'a KnownCaller, context: &'a Keys) -> NaiveRequest<'a> {
        NaiveRequest {
            action: &self.action,
            resource: &self.resource,
            who: Some(who),
            context,
            readings: &Readings::EVALUATOR,
        }
    }
}

/// The policies that bear on one request of somebody.
struct Bearing<'a> {
    of: &'a NaiveParty,
    session: &'a [Value],
    resource: Option<&'a Value>,
}

fn set(keys: &mut Keys, key: &str, value: impl Into<String>) {
    keys.insert(key.to_lowercase(), vec![value.into()]);
}

/// "Global condition context keys": what is true of a principal.
fn principal_keys(who: &KnownCaller, keys: &mut Keys) {
    set(keys, "aws:PrincipalIsAWSService", "false");
    let Some(arn) = who.arn() else { return };
    set(keys, "aws:PrincipalAccount", arn.account);
    if let Some(role) = &who.role {
        set(keys, "aws:PrincipalType", "AssumedRole");
        set(keys, "aws:PrincipalArn", role);
    } else if who.user.is_some() {
        set(keys, "aws:PrincipalType", "FederatedUser");
        set(keys, "aws:PrincipalArn", &who.name);
        let name = arn.rest.trim_start_matches("federated-user/");
        set(keys, "aws:userid", format!("{}:{name}", arn.account));
    } else {
        set(keys, "aws:PrincipalType", "User");
        set(keys, "aws:PrincipalArn", &who.name);
        set(keys, "aws:username", arn.rest.rsplit('/').next().unwrap());
    }
    if let Some(id) = who.user_id() {
        set(keys, "aws:userid", id);
    }
}

/// AWS denies a call when it denies any part of it.
fn all_of(parts: &[NaiveDecision]) -> NaiveDecision {
    let one_is = |wanted| parts.contains(&wanted);
    if one_is(NaiveDecision::ExplicitDeny) {
        NaiveDecision::ExplicitDeny
    } else if one_is(NaiveDecision::ImplicitDeny) {
        NaiveDecision::ImplicitDeny
    } else {
        NaiveDecision::Allowed
    }
}

fn when(allowed: bool) -> NaiveDecision {
    if allowed {
        NaiveDecision::Allowed
    } else {
        NaiveDecision::ImplicitDeny
    }
}

impl Bearing<'_> {
    fn any(
        documents: &[Value],
        of: fn(&[&Value], &NaiveRequest<'_>) -> bool,
        ask: &NaiveRequest<'_>,
    ) -> bool {
        of(&documents.iter().collect::<Vec<_>>(), ask)
    }

    fn denies(&self, ask: &NaiveRequest<'_>) -> bool {
        // SCPs bind principals of accounts, and neither services nor providers.
        let member = ask.who.is_some_and(|who| who.account().is_some());
        let organisation = self.of.scps.iter().filter(|_| member);
        let own = [&self.of.identity, &self.of.boundary];
        own.into_iter()
            .chain(organisation)
            .any(|documents| Self::any(documents, denies, ask))
            || Self::any(self.session, denies, ask)
            || self.resource.is_some_and(|policy| denies(&[policy], ask))
    }

    fn levels_allow(&self, ask: &NaiveRequest<'_>) -> bool {
        self.of.scps.iter().all(|level| Self::any(level, allows, ask))
    }

    fn identity_allows(&self, ask: &NaiveRequest<'_>) -> bool {
        Self::any(&self.of.identity, allows, ask)
    }

    /// Boundary and session policies, where there are any.
    fn caps_allow(&self, ask: &NaiveRequest<'_>) -> bool {
        let allow = |documents: &[Value]| documents.is_empty() || Self::any(documents, allows, ask);
        self.of
            .boundary
            .iter()
            .all(|boundary| allow(std::slice::from_ref(boundary)))
            && allow(self.session)
    }

    fn granted(&self, ask: &NaiveRequest<'_>) -> Option<NamedAs> {
        self.resource.and_then(|policy| grant(policy, ask))
    }
}

impl NaiveCall {
    fn bounded(&self, who: &KnownCaller, party: &NaiveParty) -> KnownCaller {
        KnownCaller {
            bounded: !party.boundary.is_empty(),
            ..who.clone()
        }
    }

    /// The context of the call itself.
    fn call_keys(&self) -> Keys {
        let mut keys = self.context.clone();
        principal_keys(&self.caller, &mut keys);
        if self.way.of_role() {
            set(&mut keys, "sts:RoleSessionName", &self.name);
        }
        let user = self.caller.role.is_none() && self.caller.user.is_none() && !self.caller.provider;
        // "The key is not there with long-term keys", but for a call that has the code with it; what GetSessionToken made says
        // it always.
        if user && self.temporary {
            set(&mut keys, "aws:MultiFactorAuthPresent", self.mfa.to_string());
        } else if user && self.mfa && matches!(self.way, NaiveWay::AssumeRole | NaiveWay::SessionToken) {
            set(&mut keys, "aws:MultiFactorAuthPresent", "true");
        }
        let names: Vec<String> = self.tags().map(|(name, _)| name.to_owned()).collect();
        if !names.is_empty() {
            keys.insert("aws:tagkeys".to_owned(), names);
        }
        keys
    }

    fn tags(&self) -> impl Iterator<Item = (&str, &Vec<String>)> {
        let tag = |(key, values)| Some((str::strip_prefix(key, "aws:requesttag/")?, values));
        self.context
            .iter()
            .map(|(key, values)| (key.as_str(), values))
            .filter_map(tag)
    }

    /// Who gets the session.
    pub fn may_get(&self) -> NaiveDecision {
        let keys = self.call_keys();
        let who = self.bounded(&self.caller, &self.of_caller);
        let bearing = Bearing {
            of: &self.of_caller,
            session: &self.callers_session,
            resource: self.trust.as_ref().filter(|_| self.way.of_role()),
        };
        let user = who.role.is_none() && who.user.is_none();
        // "You do not need permission, and no policy can deny it": long-term keys of users.
        if self.way == NaiveWay::SessionToken && user && !self.temporary {
            return NaiveDecision::Allowed;
        }
        let account = self.caller.account().map(|(_, id)| id.to_owned());
        let resource = match self.way {
            NaiveWay::SessionToken => "*".to_owned(),
            NaiveWay::Federation => {
                let id = account.clone().unwrap_or_default();
                format!("arn:aws:sts::{id}:federated-user/{}", self.name)
            }
            _ => self.role.clone(),
        };
        let mut actions = vec![self.way.action()];
        if self.tags().next().is_some() && self.way != NaiveWay::SessionToken {
            actions.push("sts:TagSession");
        }
        let hands_on = self.caller.role.is_some() && keys.contains_key("aws:sourceidentity");
        if self.way.of_role() && (keys.contains_key("sts:sourceidentity") || hands_on) {
            actions.push("sts:SetSourceIdentity");
        }
        let part = |action: &&str| {
            let ask = NaiveRequest {
                action,
                resource: &resource,
                who: Some(&who),
                context: &keys,
                readings: &Readings::EVALUATOR,
            };
            if bearing.denies(&ask) {
                return NaiveDecision::ExplicitDeny;
            }
            // "You can't call it with the credentials of a role or of a federated user", nor with those of GetSessionToken.
            let long_term = user && !self.temporary;
            match self.way {
                NaiveWay::SessionToken => NaiveDecision::ImplicitDeny,
                NaiveWay::Federation => when(
                    long_term
                        && bearing.levels_allow(&ask)
                        && bearing.identity_allows(&ask)
                        && bearing.caps_allow(&ask),
                ),
                _ => when(who.user.is_none() && self.trusted(&bearing, &ask, account.as_deref())),
            }
        };
        all_of(&actions.iter().map(part).collect::<Vec<_>>())
    }

    /// Whether a part of a call that assumes a role is allowed: "the trust policy must allow it", and the caller's policies
    /// unless the trust policy of the same account names the caller.
    fn trusted(&self, bearing: &Bearing<'_>, ask: &NaiveRequest<'_>, account: Option<&str>) -> bool {
        let Some(named) = bearing.granted(ask) else {
            return false;
        };
        let Some(account) = account else { return true };
        let own = bearing.identity_allows(ask);
        let caps = bearing.caps_allow(ask);
        let same = self.role.contains(&format!(":{account}:"));
        // "Chaining: both" for a source identity that is handed on.
        let both = ask.action == "sts:SetSourceIdentity" && self.caller.role.is_some();
        bearing.levels_allow(ask)
            && match named {
                _ if !same || both => own && caps,
                NamedAs::Itself => true,
                NamedAs::Behind => caps,
                NamedAs::Account => own && caps,
            }
    }

    /// The session, as policies know it.
    pub fn session(&self) -> KnownCaller {
        let role_arn = |part: usize| self.role.split(':').nth(part).unwrap().to_owned();
        let who = match self.way {
            NaiveWay::SessionToken => self.caller.clone(),
            NaiveWay::Federation => {
                let (_, id) = self.caller.account().unwrap();
                KnownCaller {
                    name: format!("arn:aws:sts::{id}:federated-user/{}", self.name),
                    user: Some(self.caller.name.clone()),
                    id: self.caller.id.clone(),
                    ..KnownCaller::default()
                }
            }
            _ => KnownCaller {
                name: format!(
                    "arn:aws:sts::{}:assumed-role/{}/{}",
                    role_arn(4),
                    self.role.rsplit('/').next().unwrap(),
                    self.name
                ),
                role: Some(self.role.clone()),
                id: Some(self.role_id.clone()),
                ..KnownCaller::default()
            },
        };
        self.bounded(&who, self.party())
    }

    /// Whose permissions the session has.
    pub fn party(&self) -> &NaiveParty {
        if self.way.of_role() {
            &self.of_role
        } else {
            &self.of_caller
        }
    }

    /// The context of what the session asks for.
    fn session_keys(&self, ask: &NaiveAsk, who: &KnownCaller) -> Keys {
        let mut keys = ask.context.clone();
        principal_keys(who, &mut keys);
        if self.way == NaiveWay::SessionToken {
            set(&mut keys, "aws:MultiFactorAuthPresent", self.mfa.to_string());
        }
        if matches!(self.way, NaiveWay::Saml | NaiveWay::WebIdentity) {
            set(&mut keys, "aws:FederatedProvider", &self.caller.name);
        }
        let source = self
            .context
            .get("sts:sourceidentity")
            .or_else(|| self.context.get("aws:sourceidentity"));
        if let Some(values) = source.filter(|_| self.way.of_role()) {
            keys.insert("aws:sourceidentity".to_owned(), values.clone());
        }
        for (name, values) in self.tags() {
            keys.insert(format!("aws:principaltag/{name}"), values.clone());
        }
        keys
    }

    /// What the session may do.
    pub fn may_do(&self, ask: &NaiveAsk) -> NaiveDecision {
        let who = self.session();
        let keys = self.session_keys(ask, &who);
        let (service, name) = ask.action.split_once(':').unwrap();
        if ask.action == "sts:GetCallerIdentity" {
            return NaiveDecision::Allowed;
        }
        let bearing = Bearing {
            of: self.party(),
            session: &self.policies,
            resource: ask.policy.as_ref(),
        };
        let request = ask.request(&who, &keys);
        if bearing.denies(&request) {
            return NaiveDecision::ExplicitDeny;
        }
        let cannot = match self.way {
            NaiveWay::Federation => service == "iam" || service == "sts",
            NaiveWay::SessionToken => {
                (service == "iam" && !self.mfa) || (service == "sts" && name != "AssumeRole")
            }
            _ => service == "sts" && matches!(name, "GetFederationToken" | "GetSessionToken"),
        };
        // A role is assumed by leave of its trust policy, which is not asked about here.
        let assumes = service == "sts" && name == "AssumeRole";
        let foreign = ask.resource.starts_with("arn:") && !ask.resource.starts_with("arn:aws:");
        if cannot || assumes || foreign {
            return NaiveDecision::ImplicitDeny;
        }
        when(self.rule(ask, &bearing, &request))
    }

    /// What each page says the session's permissions are.
    fn rule(&self, ask: &NaiveAsk, bearing: &Bearing<'_>, request: &NaiveRequest<'_>) -> bool {
        let named = bearing.granted(request);
        let account = request.who.and_then(KnownCaller::account).map(|(_, id)| id);
        let same = account == Some(ask.account.as_str());
        if !bearing.levels_allow(request) || (!same && named.is_none()) {
            return false;
        }
        // "Policies attached to a resource, for the session by name."
        if same && named == Some(NamedAs::Itself) {
            return true;
        }
        let own = bearing.identity_allows(request) || (same && named == Some(NamedAs::Behind));
        let caps = bearing.caps_allow(request);
        match self.way {
            // "The intersection of the role's identity-based policy and the session policies."
            NaiveWay::AssumeRole | NaiveWay::Saml | NaiveWay::WebIdentity => own && caps,
            // "The intersection of the IAM user's policies and the session policies", and without these nothing.
            NaiveWay::Federation => own && caps && !self.policies.is_empty(),
            // "The same permissions as the IAM user."
            NaiveWay::SessionToken => own && caps,
        }
    }

    /// Whether each layer that the way's rule intersects allows: more than that no session may do. A resource policy that
    /// grants stands in for the identity policies, or, when it names the session itself, for boundary and session policies, too.
    pub fn every_layer_allows(&self, ask: &NaiveAsk) -> bool {
        let who = self.session();
        let keys = self.session_keys(ask, &who);
        let request = ask.request(&who, &keys);
        let any = |documents: &[Value]| Bearing::any(documents, allows, &request);
        let named = ask.policy.as_ref().and_then(|policy| grant(policy, &request));
        let party = self.party();
        let itself = named == Some(NamedAs::Itself);
        let identity = any(&party.identity) || named >= Some(NamedAs::Behind);
        let boundary = party.boundary.is_empty() || any(&party.boundary) || itself;
        let session = match self.way {
            NaiveWay::Federation => any(&self.policies) || itself,
            _ => self.policies.is_empty() || any(&self.policies) || itself,
        };
        identity && boundary && session && party.scps.iter().all(|level| any(level))
    }
}
