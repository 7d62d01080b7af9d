//! What is said about a binding.

use std::sync::Arc;

use deputy_api::{
    AWSRoleBinding, AWSRoleBindingStatus,
    conditions::{self, ConditionReason, ConditionType, Conditions, Status},
    convert,
};
use deputy_aws::{AmbientOptions, Clients};
use deputy_delegation::{
    Accepted, Decision, MissingFact, ObjectName, Reason, Violation, model::ObjectId, trust,
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::lease::{LeaseConfig, LeaseTask, campaign};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BindingController,
    assess::assess,
    dereference::{BindingFacts, BindingInputs, BindingTrust, Delivery},
    status,
};
use crate::{
    context::PeopleApi,
    fixtures::{
        account_object,
        api_server::{ApiServer, path_of},
        binding_object, cluster, context, index, limit_object, nothing_there, role_object,
        script::{Call, Script},
        uploader,
    },
    objects,
    subjects::told,
};

/// The status after a look at a binding whose status was `old`.
fn looked_at(
    old: &AWSRoleBindingStatus,
    decision: &Decision,
    facts: &BindingFacts,
    generation: i64,
) -> AWSRoleBindingStatus {
    let mut object = binding_object("uploader");
    object.metadata.generation = Some(generation);
    let inputs = BindingInputs {
        object,
        decision: decision.clone(),
        facts: facts.clone(),
    };
    status::updated(old, &inputs, &assess(&inputs, old), Timestamp::UNIX_EPOCH)
}

fn summary(decision: &Decision, role_ready: bool, shadowed: bool) -> [String; 2] {
    let facts = BindingFacts {
        role_ready,
        shadowed,
        ..BindingFacts::default()
    };
    let status = looked_at(&AWSRoleBindingStatus::default(), decision, &facts, 1);
    [ConditionType::Accepted, ConditionType::Ready].map(|type_| {
        let condition = conditions::find(&status.conditions, type_).unwrap();
        format!("{} {}", condition.status, condition.reason)
    })
}

#[test]
fn the_conditions_say_what_was_decided_and_whether_pods_get_credentials() {
    let accepted = Decision::Accepted(Accepted {
        limits: vec![ObjectName::new("payments").unwrap()],
        boundary: None,
        would_refuse: Vec::new(),
        uses: Vec::new(),
    });
    let refused = Decision::Refused(
        Violation {
            reason: Reason::Duration,
            field: "spec.session.duration".into(),
            limit: None,
            message: "too long".into(),
        }
        .into(),
    );
    let without = |missing: MissingFact| Decision::Undecided(missing.into());
    let no_role = without(MissingFact::RoleNotFound(uploader()));
    let no_account = without(MissingFact::AccountNotFound(
        ObjectName::new("production").unwrap(),
    ));
    for (decision, role_ready, shadowed, expected) in [
        (&accepted, true, false, ["True WithinLimits", "True Ready"]),
        (&accepted, true, true, ["True WithinLimits", "True Shadowed"]),
        (
            &accepted,
            false,
            true,
            ["True WithinLimits", "False RoleNotReady"],
        ),
        (&refused, true, false, ["False Duration", "False NotAccepted"]),
        (
            &no_role,
            false,
            false,
            ["Unknown RoleNotFound", "False RoleNotFound"],
        ),
        (
            &no_account,
            false,
            false,
            ["Unknown AccountNotFound", "False AccountNotFound"],
        ),
    ] {
        assert_eq!(summary(decision, role_ready, shadowed), expected);
    }
}

#[test]
fn a_binding_by_which_no_session_can_be_made_is_not_ready_and_says_why() {
    let accepted = Decision::Accepted(Accepted {
        limits: vec![ObjectName::new("payments").unwrap()],
        boundary: None,
        would_refuse: Vec::new(),
        uses: Vec::new(),
    });
    let refused = |reason: &str, generation| {
        let mut status = AWSRoleBindingStatus::default();
        Conditions::new(&mut status.conditions, Some(generation), Timestamp::UNIX_EPOCH).set(
            ConditionType::SessionsIssued,
            Status::False,
            ConditionReason::AWSError,
            "112 % of what AWS takes",
        );
        // Also one that this version does not know.
        status.conditions[0].reason = reason.to_owned();
        status
    };
    let ready = BindingFacts {
        role_ready: true,
        ..BindingFacts::default()
    };
    let stranger = BindingFacts {
        no_issuer: Some("the broker is somebody else".into()),
        ..ready.clone()
    };
    for (old, facts, expected) in [
        (
            refused("PackedPolicyTooLarge", 2),
            &ready,
            "False PackedPolicyTooLarge",
        ),
        (refused("RegionDisabled", 2), &ready, "False RegionDisabled"),
        (refused("Whatever", 2), &ready, "False AWSError"),
        // Of the spec before: nobody has asked since.
        (refused("PackedPolicyTooLarge", 1), &ready, "True Ready"),
        (AWSRoleBindingStatus::default(), &stranger, "False IssuerNotReady"),
    ] {
        let status = looked_at(&old, &accepted, facts, 2);
        let found = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(format!("{} {}", found.status, found.reason), expected);
    }
}

#[test]
fn subjects_outside_the_cluster_wait_for_the_trust_policy_alone() {
    let accepted = Decision::Accepted(Accepted {
        limits: vec![ObjectName::new("payments").unwrap()],
        boundary: None,
        would_refuse: Vec::new(),
        uses: Vec::new(),
    });
    for (delivery, trust, expected) in [
        (Delivery::Outside, BindingTrust::Pending, "False RoleNotReady"),
        (Delivery::Outside, BindingTrust::Written, "True Ready"),
        (
            Delivery::Outside,
            BindingTrust::LeftOut(2100),
            "False TrustPolicyFull",
        ),
        (
            Delivery::Broker,
            BindingTrust::LeftOut(2100),
            "False TrustPolicyFull",
        ),
        (
            Delivery::People(PeopleApi::Absent),
            BindingTrust::Written,
            "False NotServed",
        ),
        (
            Delivery::People(PeopleApi::Served),
            BindingTrust::Written,
            "False IssuerNotReady",
        ),
        // What STS says to the broker is nothing of theirs.
        (Delivery::WebIdentity, BindingTrust::Written, "True Ready"),
    ] {
        let facts = BindingFacts {
            role_ready: true,
            no_issuer: Some("the broker is somebody else".into()),
            delivery,
            trust,
            ..BindingFacts::default()
        };
        let status = looked_at(&AWSRoleBindingStatus::default(), &accepted, &facts, 1);
        let found = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(
            format!("{} {}", found.status, found.reason),
            expected,
            "{delivery:?}"
        );
    }
}

#[test]
fn a_binding_that_is_ready_names_its_service_accounts() {
    for (names, who) in [
        (&["uploader"][..], "ServiceAccount uploader"),
        (&["b", "a"], "ServiceAccounts a, b"),
        (&["a", "b", "c", "d", "e"], "ServiceAccounts a, b, c and 2 more"),
    ] {
        let mut object = binding_object("uploader");
        let subjects = names
            .iter()
            .map(|name| json!({"kind": "ServiceAccount", "name": name}));
        object.data["spec"]["subjects"] = subjects.collect();
        let binding = objects::parse::<AWSRoleBinding, _>(&object, convert::parse_binding).unwrap();
        assert_eq!(told(binding.subjects.service_accounts()), who);
        let accepted = Decision::Accepted(Accepted {
            limits: Vec::new(),
            boundary: None,
            would_refuse: Vec::new(),
            uses: Vec::new(),
        });
        let facts = BindingFacts {
            role_ready: true,
            service_accounts: told(binding.subjects.service_accounts()),
            ..BindingFacts::default()
        };
        let status = looked_at(&AWSRoleBindingStatus::default(), &accepted, &facts, 1);
        let ready = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(ready.message, format!("pods of {who} get credentials"));
    }
}

/// A binding between an API server in memory and an index that hears of each change.
struct Watched {
    api: Arc<ApiServer>,
    index: Arc<Index>,
    script: Arc<Script>,
    controller: BindingController,
    _lease: LeaseTask,
}

impl Watched {
    fn new() -> Self {
        let (index, script) = (index(), Arc::new(Script::default()));
        let watching = Arc::clone(&index);
        let api = ApiServer::new(Box::new(move |_, object| {
            let object = object.map(|object| serde_json::from_value(object.clone()).unwrap());
            watching.reset(ResourceKind::Bindings, object);
        }));
        let lease = LeaseConfig::new("deputy".to_owned(), "deputy-controller", "pod-0".to_owned());
        let (leadership, lease) = campaign(nothing_there(), lease);
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        let (client, known) = (api.client(script.clone()), Arc::clone(&index));
        let ctx = context("controller", client, aws, known, leadership);
        Self {
            api,
            index,
            script,
            controller: BindingController::new(Arc::new(ctx)),
            _lease: lease,
        }
    }

    /// The binding is this, and each watch shows it.
    fn put(&self, change: impl FnOnce(&mut Value)) {
        let path = path_of("awsrolebindings", Some("payments"), "uploader");
        let mut object = self
            .api
            .get(&path)
            .unwrap_or_else(|| serde_json::to_value(binding_object("uploader")).unwrap());
        change(&mut object);
        self.api.put(&path, Some(object));
    }

    /// The calls to the API server of a look at it.
    async fn calls(&self) -> Vec<Call> {
        self.script.begin(&[]);
        let id = ObjectId {
            namespace: uploader().namespace,
            name: uploader().name,
        };
        self.controller.reconcile(&id).await.unwrap();
        self.script.calls()
    }
}

#[tokio::test]
async fn a_binding_is_read_when_its_status_is_not_what_is_true() {
    const WRITTEN: [Call; 2] = [Call::ReadApi, Call::WriteApi];
    let watched = Watched::new();
    watched.put(|_| {});
    assert_eq!(watched.calls().await, WRITTEN);
    assert_eq!(watched.calls().await, []);
    // Somebody says something else there.
    watched.put(|binding| binding["status"]["conditions"][0]["message"] = json!("other words"));
    assert_eq!(watched.calls().await, WRITTEN);
    watched.put(|binding| {
        binding.as_object_mut().unwrap().remove("status");
    });
    assert_eq!(watched.calls().await, WRITTEN);
    // When its conditions became so says nothing.
    watched.put(|binding| {
        binding["status"]["conditions"][0]["lastTransitionTime"] = json!("2020-01-01T00:00:00Z");
    });
    assert_eq!(watched.calls().await, []);
    // Another spec.
    watched.put(|binding| {
        binding["metadata"]["generation"] = json!(2);
        binding["spec"]["session"] = json!({"duration": "30m"});
    });
    assert_eq!(watched.calls().await, WRITTEN);
    assert_eq!(watched.calls().await, []);
    // Something that it rests on.
    watched.index.reset(ResourceKind::Limits, []);
    assert_eq!(watched.calls().await, WRITTEN);
    assert_eq!(watched.calls().await, []);
    // Of a role that is gone its ARN stays, which is known to who reads it.
    watched.index.reset(ResourceKind::Roles, []);
    assert_eq!(watched.calls().await, WRITTEN);
    assert_eq!(watched.calls().await, [Call::ReadApi]);
    // The broker says something of it: that stays, and is compared with what was read.
    watched.put(|binding| {
        let issued = json!({"type": "SessionsIssued", "status": "False", "reason": "AccessDenied", "message": "no",
            "lastTransitionTime": "2026-01-02T03:04:05Z"});
        binding["status"]["conditions"].as_array_mut().unwrap().push(issued);
    });
    assert_eq!(watched.calls().await, [Call::ReadApi]);
}

const DEPLOY: &str = "arn:aws:iam::999999999999:role/ci/deploy";

/// The binding of a role of another account, when the status of its role has these left out of the trust policy that is asked for.
fn with_principal(replaces: Option<&str>, asked_for: Option<&str>, left_out: &Value) -> String {
    let mut limit = limit_object(&["s3:GetObject"]);
    limit.data["spec"]["principals"] = json!([{"match": [DEPLOY]}]);
    limit.metadata.generation = Some(2);
    let mut binding = binding_object("uploader");
    binding.metadata.generation = Some(2);
    let subject = |replaces: Option<&str>| match replaces {
        None => json!([{"kind": "AWSPrincipal", "arn": DEPLOY}]),
        Some(id) => json!([{"kind": "AWSPrincipal", "arn": DEPLOY, "replaces": id}]),
    };
    binding.data["spec"]["subjects"] = subject(asked_for);
    let index = index();
    index.reset(ResourceKind::Accounts, [account_object()]);
    index.reset(ResourceKind::Limits, [limit]);
    index.reset(ResourceKind::Bindings, [binding.clone()]);
    let account = index.account(&ObjectName::new("production").unwrap());
    let asked = index.accepted_bindings_of_role(&uploader());
    assert_eq!(asked.len(), 1);
    let compiled = trust::compile(&cluster(), account.known().unwrap(), &uploader(), &asked);
    let mut role = role_object(&["s3:GetObject"]);
    role.data["status"] = json!({
        "observedGeneration": 1, "trustHash": compiled.hash(), "leftOutPrincipals": left_out,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
    });
    index.reset(ResourceKind::Roles, [role]);
    binding.data["spec"]["subjects"] = subject(replaces);
    binding.metadata.generation = Some(3);
    index.reset(ResourceKind::Bindings, [binding]);
    let id = ObjectId {
        namespace: uploader().namespace,
        name: uploader().name,
    };
    let decided = index.decide_binding(&id).unwrap();
    let facts = BindingFacts::look_up(
        &index,
        &cluster(),
        PeopleApi::Absent,
        &decided.binding,
        &decided.decision,
    );
    let status = looked_at(&AWSRoleBindingStatus::default(), &decided.decision, &facts, 1);
    let ready = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
    format!("{} {}: {}", ready.status, ready.reason, ready.message)
}

#[test]
fn a_binding_says_which_of_its_principals_are_left_out_and_what_to_write() {
    let (gone, other) = ("AROADBQP57FF2AEXAMPLE", "AROAOTHER7FF2AEXAMPLE");
    let entry = |arn: &str, id: Option<&str>, reason: &str| json!([{"arn": arn, "id": id, "reason": reason}]);
    let replaced = entry(DEPLOY, Some(gone), "PrincipalReplaced");
    let lost = entry(DEPLOY, None, "PrincipalReplaced");
    for (replaces, left_out, expected) in [
        (None, json!([]), "True Ready: "),
        (
            None,
            replaced.clone(),
            "False PrincipalReplaced: the role does not trust all of its subjects. arn:aws:iam::999999999999:role/ci/deploy was deleted",
        ),
        (Some(other), replaced.clone(), "False PrincipalReplaced: "),
        // Another binding's subject of the same ARN does not know of it.
        (Some(gone), replaced.clone(), "True Ready: "),
        (None, lost.clone(), "False PrincipalReplaced: "),
        (Some(other), lost, "True Ready: "),
        (
            None,
            entry(DEPLOY, None, "InvalidPrincipal"),
            "False InvalidPrincipal: ",
        ),
        (
            Some(gone),
            entry(DEPLOY, None, "InvalidPrincipal"),
            "False InvalidPrincipal: ",
        ),
        (
            None,
            entry(
                "arn:aws:iam::999999999999:role/other",
                Some(gone),
                "PrincipalReplaced",
            ),
            "True Ready: ",
        ),
    ] {
        let said = with_principal(replaces, replaces, &left_out);
        assert!(said.starts_with(expected), "{replaces:?} {left_out}: {said}");
        assert!(
            !said.contains("was deleted") || said.ends_with(&format!("replaces: {gone}")),
            "{said}"
        );
    }
    // What it says now was not asked for yet.
    let said = with_principal(Some(gone), None, &replaced);
    assert!(said.starts_with("False RoleNotReady: "), "{said}");
}
