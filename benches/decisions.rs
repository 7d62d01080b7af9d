//! The decision, and a reconciliation that finds nothing to do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends where one of these does"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use deputy_api::{AWSAccount, AWSRole, DelegationLimit, parse_account, parse_limit, parse_role};
use deputy_benches::root;
use deputy_delegation::{
    ClusterName, ClusterUid, DecisionInput, Fact, GrantSpec, ObjectName, Uid, boundary, decide,
    model::{Account, Limit, LimitEntry, Role},
    naming,
    plan::{DesiredRole, ObservedRole, TaggedOwner, plan},
    trust,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

struct Example {
    cluster: ClusterName,
    account: Account,
    limit: Limit,
    role: Role,
}

fn example() -> Example {
    let manifest = |file: &str, kind: &str| -> Value {
        let text = std::fs::read_to_string(root().join("examples/productionapp").join(file)).unwrap();
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let mut found = all.into_iter().find(|d| d["kind"] == kind).unwrap();
        found["metadata"]["uid"] = "7a3e8d52-0000-4000-8000-000000000001".into();
        found
    };
    fn typed<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }
    Example {
        cluster: ClusterName::new("production-1").unwrap(),
        account: parse_account(&typed::<AWSAccount>(manifest("10-platform.yaml", "AWSAccount"))).unwrap(),
        limit: parse_limit(&typed::<DelegationLimit>(manifest(
            "10-platform.yaml",
            "DelegationLimit",
        )))
        .unwrap(),
        role: parse_role(&typed::<AWSRole>(manifest("20-application.yaml", "AWSRole"))).unwrap(),
    }
}

/// The limit, and `others` limits of other namespaces.
fn limits(example: &Example, others: usize) -> Vec<LimitEntry> {
    let other = |n: usize| {
        let mut limit = example.limit.clone();
        limit.name = ObjectName::new(format!("team-{n}")).unwrap();
        limit.scope.namespaces = vec![deputy_delegation::NamespacePattern::new(format!("team-{n}")).unwrap()];
        LimitEntry::Valid(limit.into())
    };
    std::iter::once(LimitEntry::Valid(example.limit.clone().into()))
        .chain((0..others).map(other))
        .collect()
}

fn decisions(criterion: &mut Criterion) {
    let example = example();
    let mut group = criterion.benchmark_group("decide");
    for others in [0, 100, 1000] {
        let limits = limits(&example, others);
        group.bench_function(format!("a role, {} limits", others + 1), |b| {
            b.iter(|| {
                let input = DecisionInput {
                    cluster: &example.cluster,
                    grant: GrantSpec::Role(black_box(&example.role)),
                    account: Fact::Known(&example.account),
                    limits: &limits,
                };
                assert!(decide(&input).is_accepted());
            });
        });
    }
    group.finish();
}

fn reconciliation(criterion: &mut Criterion) {
    let Example {
        cluster,
        account,
        limit,
        role,
    } = example();
    let limits = [LimitEntry::Valid(limit.clone().into())];
    let uid = Uid::new("7a3e8d52-0000-4000-8000-000000000001").unwrap();
    let cluster_uid = ClusterUid::new("1f0c9a44-0000-4000-8000-000000000001").unwrap();
    let owned = role.owned().unwrap();
    let desired = || DesiredRole {
        name: naming::role_name(&cluster, &role.id),
        path: naming::role_path(&cluster),
        trust: trust::for_issuer(&cluster, &account, &role.id),
        inline: owned.policies.inline().cloned(),
        attached: owned.policies.managed().clone(),
        boundary: Some(naming::boundary_arn(&cluster, &account, &limit.name).into()),
        tags: naming::role_tags(&cluster, &cluster_uid, &account, &role.id, &uid),
        max_session_duration: owned.max_session_duration,
    };
    let wanted = desired();
    let observed = ObservedRole {
        arn: naming::role_arn(&cluster, &account, &role.id),
        unique_id: "AROAEXAMPLEEXAMPLE000".into(),
        trust: wanted.trust.to_json(),
        inline: wanted
            .inline
            .iter()
            .map(|inline| (naming::INLINE_POLICY.to_owned(), inline.to_json()))
            .collect(),
        attached: vec![],
        boundary: wanted.boundary.as_ref().map(ToString::to_string),
        tags: wanted
            .tags
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        max_session_seconds: wanted.max_session_duration.as_seconds(),
    };
    let mut group = criterion.benchmark_group("reconciliation without change");
    group.bench_function("decide, build, plan", |b| {
        b.iter(|| {
            let input = DecisionInput {
                cluster: &cluster,
                grant: GrantSpec::Role(black_box(&role)),
                account: Fact::Known(&account),
                limits: &limits,
            };
            assert!(decide(&input).is_accepted());
            let calls = plan(&desired(), Some(black_box(&observed)), TaggedOwner::Gone).unwrap();
            assert!(calls.is_empty());
        });
    });
    group.bench_function("the boundary of a limit", |b| {
        b.iter(|| boundary::compile(&cluster, &account, black_box(&limit)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, decisions, reconciliation);
criterion_main!(benches);
