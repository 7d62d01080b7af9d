//! The grants under a limit, counted by what changed: never another count than from the beginning.

use super::{cluster_roles::cluster_role, *};
use crate::LimitTally;

/// Numbers that look random, the same ones for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn of<'a>(&mut self, these: &[&'a str]) -> &'a str {
        these[self.below(these.len())]
    }
}

const NAMESPACES: [&str; 2] = ["payments", "ledger"];
const ACCOUNTS: [&str; 2] = ["production", "staging"];
const ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:*"];
const LIMITS: [&str; 3] = ["payments", "strict", "second"];

/// Something happens to one object: it is there, as another one, being deleted, or gone.
fn happen(index: &Index, random: &mut Random, generation: usize) {
    let (namespace, action) = (random.of(&NAMESPACES), random.of(&ACTIONS));
    let name = |random: &mut Random, letter: char| format!("{letter}{}", random.below(4));
    let (kind, object) = match random.below(8) {
        0 | 1 => {
            let role = role(namespace, &name(random, 'r'), action);
            let account = json!(random.of(&ACCOUNTS));
            (ResourceKind::Roles, with(role, "/spec/accountRef/name", account))
        }
        2 | 3 => {
            let binding = binding(namespace, &name(random, 'b'), &name(random, 'r'), &["app"]);
            (ResourceKind::Bindings, binding)
        }
        4 => {
            let binding = binding(namespace, &name(random, 'b'), "logs", &["app"]);
            let binding = with(binding, "/spec/roleRef/kind", json!("ClusterAWSRole"));
            let account = json!({"name": random.of(&ACCOUNTS)});
            (ResourceKind::Bindings, with(binding, "/spec/accountRef", account))
        }
        5 => (ResourceKind::ClusterRoles, cluster_role(&NAMESPACES, action)),
        6 => {
            let mut account = account(random.of(&ACCOUNTS));
            // Two of one AWS account: only the older one counts.
            if random.below(3) > 0 && account["metadata"]["name"] == "staging" {
                account["spec"]["accountID"] = json!("210987654321");
                account["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::210987654321:role/broker");
            }
            (ResourceKind::Accounts, account)
        }
        _ => {
            let mut limit = limit(random.of(&LIMITS), &[namespace], action);
            limit["spec"]["accounts"] = [json!(["production"]), json!(ACCOUNTS)][random.below(2)].clone();
            limit["spec"]["enforcement"] = json!(["Enforce", "DryRun"][random.below(2)]);
            if random.below(8) == 0 {
                limit["spec"]["ceiling"] = json!({"Statement": []});
            }
            (ResourceKind::Limits, limit)
        }
    };
    let object_at = with(object, "/metadata/generation", json!(generation));
    match random.below(6) {
        0 => index.delete(kind, &super::object(object_at).metadata),
        1 => index.apply(kind, super::object(deleting(object_at))),
        _ => index.apply(kind, super::object(object_at)),
    }
}

#[test]
fn counting_what_changed_comes_to_the_same_as_counting_all() {
    let (mut counted_again, mut seen) = (0, 0);
    for seed in 0..60 {
        let (index, mut random) = (index(), Random(seed));
        let changes = index.subscribe();
        let mut tallies: BTreeMap<ObjectName, LimitTally> = LIMITS
            .into_iter()
            .map(|limit| (named(limit), index.tally(&named(limit)).unwrap()))
            .collect();
        for step in 0..120 {
            happen(&index, &mut random, step + 10);
            // Sometimes several changes are taken together.
            if random.below(3) == 0 {
                continue;
            }
            let dirty = changes.take().unwrap_or_default();
            for (limit, tally) in &mut tallies {
                if let Some(roles) = dirty.counted.get(limit) {
                    counted_again += roles.len();
                    assert!(index.count_again(limit, tally, roles));
                }
                let fresh = index.tally(limit).unwrap();
                assert_eq!(*tally, fresh, "seed {seed}, step {step}, {limit}: {dirty:?}");
                let grants = index.counted(limit, tally);
                assert_eq!(grants, index.grants_under(limit).unwrap());
                seen += grants.accepted + grants.would_refuse;
            }
        }
    }
    assert!(counted_again > 5_000 && seen > 5_000, "{counted_again} {seen}");
}

#[test]
fn one_change_among_thousands_of_grants_is_one_role_to_count() {
    let index = index();
    let roles = (0..3_000).map(|i| object(role("payments", &format!("r{i}"), "s3:GetObject")));
    index.reset(ResourceKind::Roles, roles);
    let changes = index.subscribe();
    let counted = |change: &dyn Fn()| {
        change();
        changes.take().unwrap_or_default().counted
    };
    let one = |name: &str| BTreeMap::from([(named("payments"), BTreeSet::from([role_id("payments", name)]))]);
    let bound = binding("payments", "another", "r7", &["other"]);
    assert_eq!(
        counted(&|| index.apply(ResourceKind::Bindings, object(bound.clone()))),
        one("r7")
    );
    let changed = again(role("payments", "r8", "s3:PutObject"));
    assert_eq!(
        counted(&|| index.apply(ResourceKind::Roles, object(changed.clone()))),
        one("r8")
    );
}
