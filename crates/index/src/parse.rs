//! From objects as the API server sends them to views. Nothing here fails: what can't be read is said to be so.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use deputy_api::{
    AWSAccount, AWSAccountStatus, AWSFederatedUserBinding, AWSFederatedUserBindingStatus,
    AWSResourcePolicyStatement, AWSRole, AWSRoleBinding, AWSRoleBindingStatus, AWSRoleStatus, BoundaryStatus,
    ClusterAWSRole, ClusterAWSRoleStatus, DelegationLimit, DelegationLimitStatus, GROUP, RoleInstance,
    RoleSessionsStatus, accepted_removing,
    conditions::{self, ConditionReason, ConditionType, Status},
    convert::{NotReadable, RoleTemplate, cluster_role_of, created, enforcement_of, scope_of, subjects_of},
    parse_account, parse_binding, parse_cluster_role, parse_federated_binding, parse_limit, parse_role,
    parse_statement,
};
use deputy_delegation::{
    MaxSessionDuration, NamespaceName, ObjectName, Violations,
    model::{Account, Binding, FederatedBinding, LimitEntry, ObjectId, OwnedStatement, Role},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DynamicObject, ObjectMeta};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    entry::{
        AccountState, BindingState, BoundaryInAccount, ClusterRoleState, FederatedState, IssuerState, Keeps,
        LimitState, Meta, NamespaceInfo, RoleState, ServiceAccountInfo, StatementState, UnreadableBinding,
    },
    kept::{Headed, Kept, Recent},
    telling::Telling,
};

/// The longest reason that is kept for an unreadable object, in characters.
const MAX_REASON_CHARS: usize = 2000;

/// The spec of a kind and what it becomes.
pub(crate) trait Parse: Sized {
    /// Of the custom resource.
    type Spec: DeserializeOwned;
    /// Reads metadata and spec.
    fn parse(meta: ObjectMeta, spec: Self::Spec) -> Result<Self, Violations>;
}

macro_rules! parse {
    ($model:ty, $kind:ident, $spec:ty, $parse:ident) => {
        impl Parse for $model {
            type Spec = $spec;
            fn parse(metadata: ObjectMeta, spec: Self::Spec) -> Result<Self, Violations> {
                $parse(&$kind {
                    metadata,
                    spec,
                    status: None,
                })
            }
        }
    };
}
parse!(Account, AWSAccount, deputy_api::AWSAccountSpec, parse_account);
parse!(Role, AWSRole, deputy_api::AWSRoleSpec, parse_role);
parse!(
    RoleTemplate,
    ClusterAWSRole,
    deputy_api::ClusterAWSRoleSpec,
    parse_cluster_role
);
parse!(
    Binding,
    AWSRoleBinding,
    deputy_api::AWSRoleBindingSpec,
    parse_binding
);
parse!(
    FederatedBinding,
    AWSFederatedUserBinding,
    deputy_api::AWSFederatedUserBindingSpec,
    parse_federated_binding
);
parse!(
    OwnedStatement,
    AWSResourcePolicyStatement,
    deputy_api::AWSResourcePolicyStatementSpec,
    parse_statement
);
parse!(
    deputy_delegation::model::Limit,
    DelegationLimit,
    deputy_api::DelegationLimitSpec,
    parse_limit
);

/// Reads the spec of an object.
pub(crate) fn spec<T: Parse>(object: &mut DynamicObject) -> Result<T, Arc<str>> {
    let spec = object.data.get_mut("spec").map(Value::take).unwrap_or_default();
    parsed(read_metadata(&object.metadata), spec)
}

fn parsed<T: Parse>(metadata: ObjectMeta, spec: Value) -> Result<T, Arc<str>> {
    let spec: T::Spec = serde_json::from_value(spec).map_err(|error| cut(&format!("spec: {error}")))?;
    T::parse(metadata, spec).map_err(|violations| reason(&violations))
}

/// All that is read of the metadata of an object to say what it is.
fn read_metadata(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        creation_timestamp: metadata.creation_timestamp.clone(),
        ..ObjectMeta::default()
    }
}

/// An object as text, with all that is read of it.
#[derive(Serialize, Deserialize)]
struct Text {
    metadata: ObjectMeta,
    spec: Value,
}

/// Reads the spec of an object, and keeps the text of it alone.
pub(crate) fn text<T: Parse + Headed>(
    object: &mut DynamicObject,
    recent: &Arc<Recent<T>>,
) -> Result<Kept<T>, Arc<str>> {
    let text = Text {
        metadata: read_metadata(&object.metadata),
        spec: object.data.get_mut("spec").map(Value::take).unwrap_or_default(),
    };
    let unreadable = |error: serde_json::Error| cut(&format!("spec: {error}"));
    let json: Box<str> = serde_json::to_string(&text).map_err(unreadable)?.into();
    let object = parsed(text.metadata, text.spec)?;
    let again = move || {
        let text: Text = serde_json::from_str(&json).map_err(unreadable)?;
        parsed(text.metadata, text.spec)
    };
    Ok(Kept::again(object, recent, Box::new(again)))
}

/// Why an object can't be read.
pub(crate) fn reason(violations: &Violations) -> Arc<str> {
    cut(&violations.messages().to_string())
}

/// Reads a limit. One that can't be read still limits, as far as its scope can be read, or everywhere.
pub(crate) fn limit(name: &ObjectName, mut object: DynamicObject) -> LimitEntry {
    let scope = scope_of(&object.data);
    let enforcement = enforcement_of(&object.data);
    match spec(&mut object) {
        Ok(limit) => LimitEntry::Valid(Arc::new(limit)),
        Err(error) => LimitEntry::Invalid {
            name: name.clone(),
            scope,
            enforcement,
            error: error.to_string(),
        },
    }
}

/// What counts of a binding if it can't be read: since when it is there, whom it may name, and what it keeps in AWS.
pub(crate) fn unreadable_binding(id: &ObjectId, object: &DynamicObject) -> UnreadableBinding {
    UnreadableBinding {
        keeps: match cluster_role_of(&id.namespace, &object.data) {
            Ok(None) => Keeps::Nothing,
            Ok(Some(role)) => Keeps::One(role),
            Err(NotReadable) => Keeps::Any,
        },
        ..unreadable_federated(object)
    }
}

/// The same of a binding of a federated user, which keeps nothing in AWS.
pub(crate) fn unreadable_federated(object: &DynamicObject) -> UnreadableBinding {
    UnreadableBinding {
        created: created(&object.metadata),
        subjects: subjects_of(&object.data),
        keeps: Keeps::Nothing,
    }
}

/// The AWSAccount that a role names, also when the rest of it can't be read.
pub(crate) fn account_named(object: &DynamicObject) -> Option<ObjectName> {
    let name = object.data.pointer("/spec/accountRef/name")?.as_str()?;
    ObjectName::new(name).ok()
}

/// The AWS account that an AWSAccount says it is of, also when the rest of it can't be read, and since when it is there.
pub(crate) fn claim(object: &DynamicObject) -> Option<(i64, Box<str>)> {
    let id = object.data.pointer("/spec/accountID")?.as_str()?;
    Some((created(&object.metadata), id.into()))
}

pub(crate) fn meta(object: &ObjectMeta) -> Meta {
    Meta {
        uid: object.uid.as_deref().map(Arc::from),
        generation: object.generation.unwrap_or_default(),
        terminating: object.deletion_timestamp.is_some(),
        requested: requested(object),
    }
}

/// A number for what asks for a look at an object, whatever it is.
fn requested(object: &ObjectMeta) -> u64 {
    let Some(value) = deputy_api::reconcile_requested_at(object) else {
        return 0;
    };
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What is kept of the status of a statement.
pub(crate) fn statement_state(object: &DynamicObject) -> StatementState {
    let sid = object.data.pointer("/status/sid").and_then(Value::as_str);
    StatementState {
        sid: sid.map(Into::into),
    }
}

/// Name of a cluster-scoped object.
pub(crate) fn name(object: &ObjectMeta) -> Option<ObjectName> {
    ObjectName::new(object.name.as_deref()?).ok()
}

/// Name of an object in a namespace.
pub(crate) fn id(object: &ObjectMeta) -> Option<ObjectId> {
    let namespace = NamespaceName::new(object.namespace.as_deref()?).ok()?;
    Some(ObjectId {
        namespace,
        name: name(object)?,
    })
}

/// Labels of other people by which injection knows that a mesh will put its proxy into a namespace's pods.
const LABELS_OF_OTHERS: [&str; 2] = ["istio-injection", "istio.io/rev"];
/// Annotations that injection goes by: how credentials reach the pods of a namespace, who pods are in AWS without Deputy (IAM roles for
/// service accounts), the mesh of a namespace, and which users its pods may run as (OpenShift).
const ANNOTATIONS: [&str; 5] = [
    "deputy.dev/delivery",
    "eks.amazonaws.com/role-arn",
    "linkerd.io/inject",
    "config.linkerd.io/skip-outbound-ports",
    "openshift.io/sa.scc.uid-range",
];
/// Longest value kept, in bytes; an annotation may have 256 KiB. What is longer is none of the values that mean something.
const MAX_KEPT: usize = 2048;

/// Labels that matter here: some clusters have many others.
pub(crate) fn labels(object: &ObjectMeta) -> BTreeMap<String, String> {
    let ours = |key: &str| key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
    kept(object.labels.as_ref(), |key| {
        ours(key) || LABELS_OF_OTHERS.contains(&key)
    })
}

/// Annotations that matter here.
pub(crate) fn annotations(object: &ObjectMeta) -> BTreeMap<String, String> {
    kept(object.annotations.as_ref(), |key| ANNOTATIONS.contains(&key))
}

impl NamespaceInfo {
    /// What is kept of a namespace's metadata.
    #[must_use]
    pub fn from_meta(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.as_deref().map(Arc::from),
            labels: labels(meta),
            annotations: annotations(meta),
            terminating_since: meta.deletion_timestamp.as_ref().map(|t| t.0.as_second()),
        }
    }
}

impl ServiceAccountInfo {
    /// What is kept of a ServiceAccount's metadata.
    #[must_use]
    pub fn from_meta(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.as_deref().map(Arc::from),
            labels: labels(meta),
            annotations: annotations(meta),
        }
    }
}

fn kept(all: Option<&BTreeMap<String, String>>, is: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    all.into_iter()
        .flatten()
        .filter(|(key, value)| is(key) && value.len() <= MAX_KEPT)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A status that can't be read says nothing: it is written anew.
fn status<S: DeserializeOwned + Default>(object: &DynamicObject) -> S {
    object
        .data
        .get("status")
        .and_then(|status| S::deserialize(status).ok())
        .unwrap_or_default()
}

pub(crate) fn account_state(object: &DynamicObject) -> AccountState {
    let status: AWSAccountStatus = status(object);
    let said = |type_| {
        let condition = conditions::find(&status.conditions, type_)
            .filter(|c| c.observed_generation == object.metadata.generation)?;
        Some(IssuerState {
            status: Status::from_word(&condition.status).unwrap_or(Status::Unknown),
            reason: ConditionReason::from_word(&condition.reason),
            message: condition.message.as_str().into(),
        })
    };
    AccountState {
        accepted_removing: accepted_removing(&object.metadata),
        issuer: said(ConditionType::IssuerReady),
        federation: said(ConditionType::FederationReady),
    }
}

pub(crate) fn limit_state(object: &DynamicObject) -> LimitState {
    let status: DelegationLimitStatus = status(object);
    let known = |entry: &BoundaryStatus| Some((entry.account.clone(), BoundaryInAccount::new(entry)?));
    LimitState {
        boundaries: status.boundaries.iter().filter_map(known).collect(),
    }
}

pub(crate) fn role_state(object: &DynamicObject, telling: &Telling) -> RoleState {
    let status: AWSRoleStatus = status(object);
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    let told = telling.of_role(status.clone(), finalizers);
    let current = status.observed_generation == object.metadata.generation;
    let ready = conditions::find(&status.conditions, ConditionType::Ready);
    RoleState {
        provisioned: current && conditions::is_true(&status.conditions, ConditionType::Provisioned),
        ready: current && conditions::is_true(&status.conditions, ConditionType::Ready),
        reason: ready.map(|c| c.reason.as_str().into()),
        since: ready.map_or(0, |c| c.last_transition_time.0.as_second()),
        observed_generation: status.observed_generation.unwrap_or_default(),
        role_arn: status.role_arn.map(Into::into),
        role_id: status.role_id.map(Into::into),
        trust_hash: status.trust_hash.map(Into::into),
        left_out_principals: status.left_out_principals,
        cut_before: cut_before(status.sessions.as_ref()),
        people: people(status.sessions.as_ref()),
        all_people_cut_before: all_people_cut_before(status.sessions.as_ref()),
        service_accounts: service_accounts(status.sessions),
        longest_session: status
            .max_session_duration
            .and_then(|text| MaxSessionDuration::parse(&text).ok()),
        told,
    }
}

pub(crate) fn cluster_role_state(object: &DynamicObject) -> ClusterRoleState {
    let status: ClusterAWSRoleStatus = status(object);
    let findings = findings(&status.instances);
    let instances = status.instances.into_iter().filter_map(|instance| {
        let namespace = NamespaceName::new(instance.namespace).ok()?;
        let account = ObjectName::new(instance.account).ok()?;
        let ready = instance.ready && instance.observed_generation == object.metadata.generation;
        let state = RoleState {
            provisioned: ready,
            ready,
            reason: Some(instance.reason.into()),
            since: instance.last_transition_time.0.as_second(),
            observed_generation: instance.observed_generation.unwrap_or_default(),
            role_arn: instance.role_arn.map(Into::into),
            role_id: instance.role_id.map(Into::into),
            trust_hash: instance.trust_hash.map(Into::into),
            left_out_principals: instance.left_out_principals,
            cut_before: cut_before(instance.sessions.as_ref()),
            people: people(instance.sessions.as_ref()),
            all_people_cut_before: all_people_cut_before(instance.sessions.as_ref()),
            service_accounts: service_accounts(instance.sessions),
            longest_session: None,
            told: None,
        };
        Some(((namespace, account), Arc::new(state)))
    });
    ClusterRoleState {
        instances: instances.collect(),
        findings,
    }
}

fn service_accounts(sessions: Option<RoleSessionsStatus>) -> Option<BTreeSet<Box<str>>> {
    let named = sessions.filter(|sessions| sessions.service_accounts_hash.is_none())?;
    Some(named.service_accounts.into_iter().map(Into::into).collect())
}

fn people(sessions: Option<&RoleSessionsStatus>) -> Option<BTreeSet<Box<str>>> {
    Some(sessions?.people.iter().map(|mark| mark.as_str().into()).collect())
}

fn cut_before(sessions: Option<&RoleSessionsStatus>) -> Option<i64> {
    let everybody = sessions?.everybody.as_ref()?;
    Some(everybody.before.0.as_second())
}

fn all_people_cut_before(sessions: Option<&RoleSessionsStatus>) -> Option<i64> {
    let cut = sessions?.cut_people.as_ref().filter(|cut| cut.all)?;
    Some(cut.before.0.as_second())
}

fn findings(instances: &[RoleInstance]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for entry in instances {
        if entry.untagged.is_some() || entry.capped.is_some() {
            (&entry.namespace, &entry.account, &entry.untagged, &entry.capped).hash(&mut hasher);
        }
    }
    hasher.finish()
}

pub(crate) fn binding_state(object: &DynamicObject, telling: &Telling) -> BindingState {
    let status: AWSRoleBindingStatus = status(object);
    BindingState {
        ready: conditions::is_true(&status.conditions, ConditionType::Ready),
        refused: refused_sessions(&status.conditions),
        had_role: status.role_arn.is_some(),
        told: telling.of_binding(status),
    }
}

pub(crate) fn federated_state(object: &DynamicObject) -> FederatedState {
    let status: AWSFederatedUserBindingStatus = status(object);
    FederatedState {
        refused: refused_sessions(&status.conditions),
    }
}

/// Why STS gives no sessions, as the broker says.
fn refused_sessions(conditions: &[Condition]) -> Option<ConditionReason> {
    let said = conditions::find(conditions, ConditionType::SessionsIssued)
        .filter(|c| c.status == Status::False.as_str())?;
    Some(ConditionReason::from_word(&said.reason).unwrap_or(ConditionReason::AWSError))
}

fn cut(text: &str) -> Arc<str> {
    match text.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => Arc::from(format!("{} … (cut)", text.get(..end).unwrap_or_default())),
        None => Arc::from(text),
    }
}
