//! Random calls that make sessions, and requests of these.

use deputy_policy::PolicyKind;
use serde_json::{Value, json};

use crate::{
    choices::Choices,
    generate::{
        edits::edit,
        model::PolicyDraft,
        pairs::PairDraft,
        policies::{OWN, policy},
        profiles::SoakProfile,
        requests::{GroupSize, group, keys_of},
    },
    naive::{
        Keys, KnownCaller,
        sessions::{NaiveAsk, NaiveCall, NaiveParty, NaiveWay},
    },
};

/// A call, and what is asked of its session.
#[derive(Debug, Clone)]
pub struct SessionScene {
    pub call: NaiveCall,
    pub asks: Vec<NaiveAsk>,
}

const OTHER: &str = "222222222222";
const USER: &str = "arn:aws:iam::111111111111:user/p/a";
const USER_ID: &str = "AIDAUSERNUMBERONE001";
const CHAINED: &str = "arn:aws:sts::111111111111:assumed-role/q/t1";
const CHAINED_ROLE: &str = "arn:aws:iam::111111111111:role/q";
const CHAINED_ID: &str = "AROAROLENUMBERTWO002";
const ROLE_ID: &str = "AROAROLENUMBERONE001";
const SAML: &str = "arn:aws:iam::111111111111:saml-provider/a";
const OIDC: &str = "arn:aws:iam::111111111111:oidc-provider/oidc.example.com";
const FEDERATED: &str = "arn:aws:sts::111111111111:federated-user/f1";
const OBJECT: &str = "arn:aws:s3:::b/o";

/// Keys that follow from who somebody is: requests of the wide language may have them, with values of nobody.
const OF_PRINCIPALS: &[&str] = &[
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:username",
    "aws:userid",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:sourceidentity",
    "aws:federatedprovider",
];

fn roles() -> [&'static str; 3] {
    [
        "arn:aws:iam::111111111111:role/r",
        "arn:aws:iam::111111111111:role/p/r",
        "arn:aws:iam::222222222222:role/r",
    ]
}

fn caller(c: &mut Choices<'_>, way: NaiveWay) -> KnownCaller {
    let user = KnownCaller::parse(&format!("{USER} id={USER_ID}"));
    let chained = KnownCaller::parse(&format!("{CHAINED} role={CHAINED_ROLE} id={CHAINED_ID}"));
    let federated = KnownCaller::parse(&format!("{FEDERATED} user={USER} id={USER_ID}"));
    match way {
        NaiveWay::Saml => KnownCaller::parse(&format!("provider={SAML}")),
        NaiveWay::WebIdentity => {
            KnownCaller::parse(&format!("provider={}", c.pick(&[OIDC, "accounts.google.com"])))
        }
        NaiveWay::AssumeRole => match c.below(8) {
            0..=3 => user,
            4..=6 => chained,
            _ => federated,
        },
        _ => match c.below(8) {
            0..=5 => user,
            6 => chained,
            _ => federated,
        },
    }
}

fn principal(c: &mut Choices<'_>, kind: PolicyKind) -> Value {
    let of_trust = [
        json!({"AWS": USER}),
        json!({"AWS": OWN}),
        json!({"AWS": CHAINED_ROLE}),
        json!({"AWS": CHAINED}),
        json!({"AWS": USER_ID}),
        json!({"AWS": "AIDASOMEBODYELSE0001"}),
        json!({"AWS": CHAINED_ID}),
        json!({"Federated": SAML}),
        json!({"Federated": OIDC}),
        json!({"Federated": "accounts.google.com"}),
        json!("*"),
        json!({"AWS": ["arn:aws:iam::222222222222:root", FEDERATED]}),
    ];
    let of_resource = [
        json!("*"),
        json!({"AWS": OWN}),
        json!({"AWS": USER}),
        json!({"AWS": roles()[0]}),
        json!({"AWS": [roles()[1], roles()[2]]}),
        json!({"AWS": "arn:aws:sts::111111111111:assumed-role/r/s1"}),
        json!({"AWS": "arn:aws:sts::222222222222:assumed-role/r/s1"}),
        json!({"AWS": FEDERATED}),
        json!({"AWS": ROLE_ID}),
        json!({"AWS": USER_ID}),
    ];
    if kind == PolicyKind::Trust {
        c.pick(&of_trust).clone()
    } else {
        c.pick(&of_resource).clone()
    }
}

fn condition(c: &mut Choices<'_>) -> Value {
    c.pick(&[
        json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
        json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
        json!({"StringEquals": {"sts:ExternalId": "x"}}),
        json!({"StringEquals": {"aws:RequestTag/team": "a"}}),
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
        json!({"StringLike": {"sts:RoleSessionName": "s*"}}),
        json!({"StringEquals": {"sts:SourceIdentity": "ann"}}),
        json!({"StringEquals": {"aws:SourceIdentity": "ann"}}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "a"}}),
        json!({"StringNotEquals": {"aws:PrincipalTag/team": "a"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
        json!({"StringEquals": {"aws:username": "a"}}),
        json!({"StringLike": {"aws:userid": "*:s1"}}),
        json!({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}),
        json!({"Null": {"aws:FederatedProvider": "true"}}),
    ])
    .clone()
}

fn statement(c: &mut Choices<'_>, kind: PolicyKind, deny: bool) -> Value {
    let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }});
    let actions: &[Value] = &match kind {
        PolicyKind::Trust => [
            json!(["sts:AssumeRole*", "sts:TagSession", "sts:SetSourceIdentity"]),
            json!("sts:*"),
            json!("sts:AssumeRole"),
            json!(["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"]),
            json!(["sts:TagSession", "sts:SetSourceIdentity"]),
            json!("sts:SetSourceIdentity"),
            json!("sts:TagSession"),
        ],
        _ => [
            json!("*"),
            json!(["s3:*", "sts:*"]),
            json!("s3:Get*"),
            json!(["s3:PutObject", "iam:*"]),
            json!("sts:GetFederationToken"),
            json!(["sts:AssumeRole", "sts:TagSession", "s3:*"]),
            json!("sts:SetSourceIdentity"),
        ],
    };
    statement["Action"] = c.pick(actions).clone();
    if kind != PolicyKind::Trust {
        statement["Resource"] = c
            .pick(&[
                json!("*"),
                json!("arn:aws:s3:::b/*"),
                json!([
                    OBJECT,
                    "arn:aws:iam::*:role/*",
                    "arn:aws:sts::111111111111:federated-user/f*"
                ]),
                json!("arn:aws:iam::111111111111:role/r"),
                json!("arn:aws:s3:::${aws:username}/*"),
            ])
            .clone();
    }
    if kind.has_principal() {
        let named = principal(c, kind);
        statement["Principal"] = named;
    }
    if c.chance(1, if deny { 2 } else { 6 }) {
        statement["Condition"] = condition(c);
    }
    statement
}

fn small(c: &mut Choices<'_>, kind: PolicyKind) -> Value {
    let statements: Vec<Value> = (0..c.between(1, 3))
        .map(|i| {
            let deny = i > 0 && c.chance(1, 5);
            statement(c, kind, deny)
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The pool of a scene's policies of the wide language: they are near to each other, so that they meet.
struct Pool(Option<PolicyDraft>);

impl Pool {
    fn policy(&self, c: &mut Choices<'_>, kind: PolicyKind) -> Value {
        match &self.0 {
            Some(draft) if !kind.has_principal() && c.chance(3, 4) => {
                let mut draft = draft.clone();
                draft.kind = kind;
                if c.chance(1, 2) {
                    edit(c, &mut draft, true);
                }
                draft.to_value()
            }
            _ => small(c, kind),
        }
    }

    fn some(&self, c: &mut Choices<'_>, kind: PolicyKind, counts: &[usize]) -> Vec<Value> {
        (0..*c.pick(counts)).map(|_| self.policy(c, kind)).collect()
    }

    fn party(&self, c: &mut Choices<'_>) -> NaiveParty {
        NaiveParty {
            identity: self.some(c, PolicyKind::Identity, &[1, 1, 2, 0]),
            boundary: self.some(c, PolicyKind::Boundary, &[0, 0, 0, 1]),
            scps: (0..*c.pick(&[0, 0, 0, 0, 1, 2]))
                .map(|_| self.some(c, PolicyKind::ServiceControl, &[1, 2]))
                .collect(),
        }
    }
}

fn passed(c: &mut Choices<'_>, way: NaiveWay, caller: &KnownCaller) -> Keys {
    let mut keys = Keys::new();
    let mut put = |key: &str, value: &str| {
        keys.insert(key.to_owned(), vec![value.to_owned()]);
    };
    if way == NaiveWay::AssumeRole && c.chance(1, 2) {
        put("sts:externalid", c.pick::<&str>(&["x", "y"]));
    }
    if way != NaiveWay::SessionToken && c.chance(1, 3) {
        put("aws:requesttag/team", c.pick::<&str>(&["a", "b"]));
    }
    let sets = way.of_role() && c.chance(1, 3);
    if sets {
        put("sts:sourceidentity", "ann");
    }
    if caller.role.is_some() && c.chance(1, 3) {
        put("aws:sourceidentity", "ann");
    }
    if c.chance(1, 3) {
        put("aws:principaltag/team", c.pick::<&str>(&["a", "b"]));
    }
    keys
}

/// A random call by one of the five ways, and requests of its session.
pub fn session_scene(c: &mut Choices<'_>, way: NaiveWay) -> SessionScene {
    let profile = SoakProfile::Everything;
    let wide = c.chance(1, 3).then(|| policy(c, PolicyKind::Identity, profile));
    let pool = Pool(wide);
    let who = caller(c, way);
    let user = who.role.is_none() && who.user.is_none() && !who.provider;
    let temporary = user && c.chance(1, 6);
    let code = match way {
        NaiveWay::AssumeRole | NaiveWay::SessionToken => user,
        _ => temporary,
    };
    let call = NaiveCall {
        way,
        of_caller: if who.provider {
            NaiveParty::default()
        } else {
            pool.party(c)
        },
        callers_session: if user || who.provider {
            Vec::new()
        } else {
            pool.some(c, PolicyKind::Session, &[0, 1])
        },
        temporary,
        role: (*c.pick(&roles())).to_owned(),
        role_id: ROLE_ID.to_owned(),
        trust: c.chance(9, 10).then(|| small(c, PolicyKind::Trust)),
        of_role: pool.party(c),
        name: if way == NaiveWay::Federation {
            "f1".to_owned()
        } else {
            (*c.pick(&["s1", "t1"])).to_owned()
        },
        policies: if way == NaiveWay::SessionToken {
            Vec::new()
        } else {
            pool.some(c, PolicyKind::Session, &[0, 1, 1, 2])
        },
        mfa: code && c.chance(1, 2),
        context: passed(c, way, &who),
        caller: who,
    };
    let asks = asks(c, &pool);
    SessionScene { call, asks }
}

fn asks(c: &mut Choices<'_>, pool: &Pool) -> Vec<NaiveAsk> {
    let bucket = c.chance(2, 3).then(|| small(c, PolicyKind::Resource));
    let account = (*c.pick(&[OWN, OWN, OTHER])).to_owned();
    let mut context = Keys::new();
    if c.chance(1, 3) {
        context.insert("aws:principaltag/team".to_owned(), vec!["a".to_owned()]);
    }
    let ask = |(action, resource): &(&str, &str)| NaiveAsk {
        action: (*action).to_owned(),
        resource: (*resource).to_owned(),
        account: account.clone(),
        policy: bucket.clone(),
        context: context.clone(),
    };
    let mut all: Vec<NaiveAsk> = [
        ("s3:GetObject", OBJECT),
        ("s3:PutObject", OBJECT),
        ("s3:GetObject", "arn:aws:s3:::a/o"),
    ]
    .iter()
    .map(ask)
    .collect();
    let without_policy = [
        ("iam:ListUsers", "*"),
        ("sts:GetCallerIdentity", "*"),
        ("sts:GetSessionToken", "*"),
        ("sts:GetFederationToken", FEDERATED),
    ];
    all.extend(without_policy.iter().map(|asked| NaiveAsk {
        policy: None,
        account: OWN.to_owned(),
        ..ask(asked)
    }));
    if let Some(draft) = &pool.0 {
        let pair = PairDraft {
            layers: vec![vec![draft.clone()]],
            ceiling: draft.clone(),
        };
        let (keys, names) = (keys_of(&pair), pair.names());
        for asked in group(c, &pair, &keys, &names, GroupSize::SMALL).requests() {
            let mut context = asked.keys();
            context.retain(|key, _| !OF_PRINCIPALS.contains(&key.as_str()));
            all.push(NaiveAsk {
                action: asked.action,
                resource: asked.resource,
                account: account.clone(),
                policy: bucket.clone(),
                context,
            });
        }
    }
    all
}
