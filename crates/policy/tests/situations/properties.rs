//! What holds of every situation.

use deputy_policy::{
    AccessDecision, Caller, Context, Document, Layer, PolicyKind, Request, Rule, Situation, StatementRef,
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::support::*;

/// Documents by layer, and who asks for what.
#[derive(Debug, Clone)]
struct Case {
    identity: Vec<Document>,
    boundaries: Vec<Document>,
    session: Vec<Document>,
    scps: Vec<Vec<Document>>,
    rcps: Vec<Vec<Document>>,
    resource: Option<Document>,
    account: Option<&'static str>,
    request: Request,
}

impl Case {
    fn situation(&self) -> Situation<'_> {
        let mut situation = Situation::new()
            .identity(&self.identity)
            .boundaries(&self.boundaries)
            .session(&self.session)
            .service_control(&self.scps)
            .resource_control(&self.rcps);
        if let Some(document) = &self.resource {
            situation = situation.resource_policy(document);
        }
        if let Some(account) = self.account {
            situation = situation.resource_account(account);
        }
        situation
    }

    fn decision(&self) -> AccessDecision {
        decision(&self.situation(), &self.request)
    }
}

const OTHERS: &str = "arn:aws:iam::999999999999:user/eve";

fn statement(kind: PolicyKind) -> impl Strategy<Value = Value> {
    let principals = vec![
        json!("*"),
        aws(ROOT),
        aws(USER),
        aws(ROLE),
        aws(SESSION),
        aws(FEDERATED),
        aws(OTHERS),
        json!({"Service": "logs.amazonaws.com"}),
    ];
    let listed = vec![
        json!({"AWS": [USER, ROOT]}),
        json!({"AWS": [SESSION, ROLE, ROOT]}),
        json!({"AWS": [ROOT]}),
    ];
    let actions = select(vec![
        "*",
        "s3:*",
        "s3:GetObject",
        "s3:PutObject",
        "kms:Decrypt",
        "sts:*",
        "iam:*",
    ]);
    let resources = select(vec!["*", "arn:aws:s3:::productionapp/*", "arn:aws:kms:*:*:key/*"]);
    let conditions = select(vec![
        json!({}),
        json!({}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
    ]);
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let not_principal = prop::bool::weighted(0.5);
    (
        effect,
        actions,
        resources,
        conditions,
        select(principals),
        select(listed),
        not_principal,
    )
        .prop_map(
            move |(effect, action, resource, condition, principal, listed, not_principal)| {
                // Those that are not AWS's own only deny.
                let effect = if kind == PolicyKind::ResourceControl {
                    "Deny"
                } else {
                    effect
                };
                let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
                if condition != json!({}) {
                    statement["Condition"] = condition;
                }
                if kind == PolicyKind::Resource && effect == "Deny" && not_principal {
                    statement["NotPrincipal"] = listed;
                } else if kind == PolicyKind::Resource {
                    statement["Principal"] = principal;
                } else if kind == PolicyKind::ResourceControl {
                    statement["Principal"] = json!("*");
                    // What allows there is RCPFullAWSAccess.
                    if effect == "Allow" {
                        statement =
                            json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
                    }
                }
                statement
            },
        )
}

fn policy(kind: PolicyKind) -> impl Strategy<Value = Document> {
    prop::collection::vec(statement(kind), 1..4).prop_map(move |statements| document(kind, json!(statements)))
}

fn policies(kind: PolicyKind) -> impl Strategy<Value = Vec<Document>> {
    prop::collection::vec(policy(kind), 0..3)
}

fn request_of_anybody() -> impl Strategy<Value = Request> {
    let callers = select(vec![
        USER,
        SESSION,
        FEDERATED,
        ROOT,
        OTHERS,
        "*",
        "logs.amazonaws.com",
    ]);
    let asked = select(vec![
        ("s3:GetObject", OBJECT),
        ("s3:PutObject", OBJECT),
        ("s3:GetObject", "*"),
        ("kms:Decrypt", KEY),
        ("sts:GetFederationToken", FEDERATED),
        ("sts:GetCallerIdentity", "*"),
        ("iam:ListUsers", "*"),
    ]);
    (callers, asked, any::<bool>(), any::<bool>()).prop_map(|(caller, (action, resource), tls, org)| {
        let mut context = Context::new();
        if tls {
            context.set("aws:SecureTransport", ["true"]);
        }
        if org {
            context.set("aws:PrincipalOrgID", ["o-1"]);
        }
        let mut request = with(caller, action, resource, context);
        // Of a caller of whom not everything is known a Deny may be uncertain, which is an error.
        if let Some(Caller::FederatedUser { of_user, .. }) = &mut request.principal {
            *of_user = Some("bob".to_owned());
        }
        request
    })
}

fn case() -> impl Strategy<Value = Case> {
    let levels = |kind| prop::collection::vec(policies(kind), 0..3);
    let layers = (
        policies(PolicyKind::Identity),
        policies(PolicyKind::Boundary),
        policies(PolicyKind::Session),
        prop_oneof![2 => Just(Vec::new()), 1 => levels(PolicyKind::ServiceControl)],
        prop_oneof![2 => Just(Vec::new()), 1 => levels(PolicyKind::ResourceControl)],
        prop::option::of(policy(PolicyKind::Resource)),
    );
    (
        layers,
        select(vec![None, Some(ACCOUNT), Some(OTHER)]),
        request_of_anybody(),
    )
        .prop_map(
            |((identity, boundaries, session, scps, rcps, resource), account, request)| Case {
                identity,
                boundaries,
                session,
                scps,
                rcps,
                resource,
                account,
                request,
            },
        )
}

/// Whether the answer hangs on policies at all.
fn is_free(case: &Case) -> bool {
    case.request.action == "sts:GetCallerIdentity"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_has_the_decision_of_the_evaluation_and_its_statement(case in case()) {
        let evaluation = decide(&case.situation(), &case.request);
        let explained = case.situation().explain(&case.request).unwrap();
        prop_assert_eq!(&explained.evaluation, &evaluation);
        if let Some(StatementRef { document, statement }) = evaluation.reason.statement {
            let found = explained
                .layers
                .iter()
                .filter(|layer| layer.layer == evaluation.reason.layer)
                .flat_map(|layer| &layer.statements)
                .find(|s| (s.document, s.statement) == (document, statement));
            prop_assert!(found.is_some_and(|s| s.mismatches.is_empty()), "{}", explained);
        }
        if evaluation.decision == AccessDecision::ExplicitDeny {
            let layer = explained.layers.iter().find(|layer| layer.layer == evaluation.reason.layer);
            prop_assert!(layer.is_some_and(|l| l.outcome == AccessDecision::ExplicitDeny) || evaluation.reason.layer == Layer::Boundary);
        }
        for layer in &explained.layers {
            let denies = layer.outcome == AccessDecision::ExplicitDeny;
            prop_assert!(!denies || evaluation.decision == AccessDecision::ExplicitDeny || is_free(&case), "{}", explained);
        }
    }

    #[test]
    fn a_deny_more_never_allows_more(case in case(), more in statement(PolicyKind::Identity)) {
        let mut more = more;
        more["Effect"] = json!("Deny");
        let (before, mut after) = (case.decision(), case);
        after.identity.push(document(PolicyKind::Identity, more.clone()));
        prop_assert!(before == AccessDecision::Allowed || after.decision() != AccessDecision::Allowed);
        let session = document(PolicyKind::Session, more);
        if !after.session.is_empty() {
            after.session.push(session);
            prop_assert!(before == AccessDecision::Allowed || after.decision() != AccessDecision::Allowed);
        }
    }

    #[test]
    fn an_identity_allow_more_never_allows_less(case in case(), more in statement(PolicyKind::Identity)) {
        let mut more = more;
        more["Effect"] = json!("Allow");
        let before = case.decision();
        let mut after = case;
        after.identity.push(document(PolicyKind::Identity, more));
        prop_assert!(before != AccessDecision::Allowed || after.decision() == AccessDecision::Allowed);
    }

    #[test]
    fn a_boundary_a_level_or_another_account_never_allows_more(
        case in case(),
        boundary in policy(PolicyKind::Boundary),
        level in policies(PolicyKind::ServiceControl),
        resource_level in policies(PolicyKind::ResourceControl),
    ) {
        let before = case.decision();
        let narrower = |after: Case| before == AccessDecision::Allowed || after.decision() != AccessDecision::Allowed;
        let mut bounded = case.clone();
        bounded.boundaries.push(boundary);
        prop_assert!(narrower(bounded));
        let mut levelled = case.clone();
        levelled.scps.push(level);
        prop_assert!(narrower(levelled));
        let mut levelled = case.clone();
        levelled.rcps.push(resource_level);
        prop_assert!(narrower(levelled));
        let of_account = |id| Case { account: Some(id), ..case.clone() }.decision();
        let own = case.request.principal.as_ref().unwrap().account().map(|a| a.id.clone());
        if own.as_deref() == Some(ACCOUNT) {
            prop_assert!(of_account(ACCOUNT) == AccessDecision::Allowed || of_account(OTHER) != AccessDecision::Allowed);
        }
    }

    #[test]
    fn without_any_allow_only_the_root_user_gets_anything(case in case()) {
        let stripped = Case {
            identity: Vec::new(),
            resource: None,
            ..case
        };
        let evaluation = decide(&stripped.situation(), &stripped.request);
        let by_rule = [
            Layer::Rule(Rule::RootUser),
            Layer::Rule(Rule::NoPermissionNeeded),
        ];
        prop_assert!(!evaluation.is_allowed() || by_rule.contains(&evaluation.reason.layer), "{}", evaluation);
    }
}
