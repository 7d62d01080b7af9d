//! Users and roles that come and go while plans are made of what is there, and stopped after any call: nobody who has the ARN of one
//! that was seen to be gone is trusted, unless the subject says so. The policy alone remembers here; the status knows nothing.

use std::sync::Arc;

use deputy_delegation::{
    model::*,
    trust::{CompiledTrust, NamedPrincipals, ReplacedPrincipals, compile},
};

use super::*;

const ARNS: [&str; 3] = [
    "arn:aws:iam::999999999999:role/ci/deploy",
    "arn:aws:iam::999999999999:user/alice",
    "arn:aws:iam::999999999999:role/other",
];

/// What a subject says that it replaces.
#[derive(Debug, Clone, Copy)]
enum Says {
    Nothing,
    /// What was last seen to be gone.
    TheLast,
    /// The one before that, or nobody.
    Another,
}

#[derive(Debug, Clone)]
struct Named {
    arn: usize,
    says: Says,
    external_id: bool,
    accepted: bool,
}

#[derive(Debug, Clone)]
enum Event {
    Delete(usize),
    Make(usize),
    Name(Vec<Named>),
    Provision { stop: usize, writes: bool },
    Hold { stop: usize },
    Suspend { stop: usize },
    Retain { stop: usize },
}

fn named_strategy() -> impl Strategy<Value = Named> {
    let says = prop::sample::select(vec![Says::Nothing, Says::Nothing, Says::TheLast, Says::Another]);
    (0..ARNS.len(), says, prop::bool::ANY, prop::bool::weighted(0.8)).prop_map(
        |(arn, says, external_id, accepted)| Named {
            arn,
            says,
            external_id,
            accepted,
        },
    )
}

fn event_strategy() -> impl Strategy<Value = Event> {
    let stop = || prop::sample::select(vec![0, 1, 1, 1, 2, 3, 9, 9, 9]);
    prop_oneof![
        2 => (0..ARNS.len()).prop_map(Event::Delete),
        3 => (0..ARNS.len()).prop_map(Event::Make),
        2 => prop::collection::vec(named_strategy(), 0..5).prop_map(Event::Name),
        5 => (stop(), prop::bool::ANY).prop_map(|(stop, writes)| Event::Provision { stop, writes }),
        1 => stop().prop_map(|stop| Event::Hold { stop }),
        1 => stop().prop_map(|stop| Event::Suspend { stop }),
        1 => stop().prop_map(|stop| Event::Retain { stop }),
    ]
}

#[derive(Default)]
struct World {
    /// Ids of those who are there.
    alive: BTreeMap<usize, String>,
    serial: usize,
    role: Option<ObservedRole>,
    named: Vec<Named>,
    /// Who was last seen to be gone, by ARN; and who before that.
    gone: BTreeMap<usize, (PrincipalId, Option<PrincipalId>)>,
}

impl World {
    fn make(&mut self, arn: usize) {
        self.serial += 1;
        let prefix = if ARNS[arn].contains(":user/") {
            "AIDA"
        } else {
            "AROA"
        };
        let id = format!("{prefix}EXAMPLE{:010}", self.serial);
        self.alive.entry(arn).or_insert(id);
    }

    fn replaces(&self, named: &Named) -> Option<PrincipalId> {
        let (last, before) = self.gone.get(&named.arn)?;
        match named.says {
            Says::Nothing => None,
            Says::TheLast => Some(last.clone()),
            Says::Another => before.clone(),
        }
    }

    fn bindings(&self) -> Vec<(Arc<Binding>, bool)> {
        let bindings = self.named.iter().enumerate().map(|(i, named)| {
            let external_id = named.external_id.then(|| ExternalId::new("acme-7").unwrap());
            let arn = PrincipalArn::parse(ARNS[named.arn]).unwrap();
            let principal = AwsPrincipal::new(arn, external_id, false, self.replaces(named)).unwrap();
            let binding = Binding {
                id: id("payments", &format!("b{i}")),
                subjects: Subjects::AwsPrincipals(SubjectList::new([principal]).unwrap()),
                ..binding()
            };
            (Arc::new(binding), named.accepted)
        });
        bindings.collect()
    }

    /// The role as AWS shows it. Whose id alone is shown is gone, and that was seen.
    fn look(&mut self) -> Option<ObservedRole> {
        let mut role = self.role.clone()?;
        let stored: Value = serde_json::from_str(&role.trust).unwrap();
        for statement in stored["Statement"].as_array().into_iter().flatten() {
            let Some(id) = statement["Principal"]["AWS"]
                .as_str()
                .filter(|id| id.starts_with('A'))
            else {
                continue;
            };
            let arn = self.alive.iter().find(|(_, alive)| *alive == id);
            if let Some((arn, _)) = arn {
                role.trust = role
                    .trust
                    .replace(&format!("\"{id}\""), &format!("\"{}\"", ARNS[*arn]));
            } else if let Some(arn) = (0..ARNS.len()).find(|arn| {
                let sid = statement["Sid"].as_str().unwrap_or_default();
                sid.contains(&naming::principal_mark(ARNS[*arn]))
            }) {
                let id = PrincipalId::new(id).unwrap();
                let before = self.gone.get(&arn).map(|(last, _)| last.clone());
                if before.as_ref() != Some(&id) {
                    self.gone.insert(arn, (id, before));
                }
            }
        }
        Some(role)
    }

    /// A trust policy is written, in whichever call: the ARNs become ids, and one that nobody has is refused.
    fn write_trust(&mut self, document: &str) -> Result<String, String> {
        let mut text = document.to_owned();
        let document: Value = serde_json::from_str(document).unwrap();
        for (i, arn) in ARNS.iter().enumerate() {
            if !text.contains(&format!("\"{arn}\"")) {
                continue;
            }
            let Some(id) = self.alive.get(&i) else {
                return Err((*arn).to_owned());
            };
            text = text.replace(&format!("\"{arn}\""), &format!("\"{id}\""));
            for statement in document["Statement"].as_array().unwrap() {
                if statement["Principal"]["AWS"] != **arn {
                    continue;
                }
                let external_id = !statement["Condition"].is_null();
                if let Some((gone, _)) = self.gone.get(&i) {
                    let knows = |named: &&Named| {
                        (named.arn, named.external_id, named.accepted) == (i, external_id, true)
                            && self.replaces(named).as_ref() == Some(gone)
                    };
                    assert!(
                        self.named.iter().any(|named| knows(&named)),
                        "{arn} is trusted again without replaces: {gone} ({:?})",
                        self.named
                    );
                }
            }
        }
        // Trusted knowingly by all who name it, or named by nobody and noted down no more: what was gone is over.
        let says = document.to_string();
        let over: Vec<usize> = self
            .gone
            .iter()
            .filter(|(arn, (id, _))| {
                let mut of = self.named.iter().filter(|named| named.arn == **arn).peekable();
                if of.peek().is_none() {
                    return !says.contains(&naming::principal_mark(ARNS[**arn]));
                }
                of.all(|named| self.replaces(named).as_ref() == Some(id))
                    && says.contains(&format!("\"{}\"", ARNS[**arn]))
            })
            .map(|(arn, _)| *arn)
            .collect();
        for arn in over {
            self.gone.remove(&arn);
        }
        Ok(text)
    }

    fn execute(&mut self, steps: Vec<Step>, stop: usize, unknown: &mut BTreeSet<String>) {
        let mut failed = false;
        for Step { call, nature } in steps.into_iter().take(stop) {
            if failed && nature == Nature::Grows {
                continue;
            }
            let mut call = call;
            let written = match &call {
                IamCall::CreateRole { role } => self.write_trust(&role.trust.to_json()).map(Some),
                IamCall::UpdateAssumeRolePolicy { document, .. } => self.write_trust(document).map(Some),
                _ => Ok(None),
            };
            match written {
                Err(arn) => {
                    unknown.insert(arn);
                    failed = true;
                    // A role that is not there has nothing else done to it.
                    if matches!(call, IamCall::CreateRole { .. }) {
                        return;
                    }
                }
                Ok(None) => apply(&call, &mut self.role),
                Ok(Some(text)) => {
                    if let IamCall::UpdateAssumeRolePolicy { document, .. } = &mut call {
                        *document = text.clone();
                    }
                    apply(&call, &mut self.role);
                    self.role.as_mut().unwrap().trust = text;
                }
            }
        }
    }

    fn converge(
        &mut self,
        stop: usize,
        steps: impl Fn(&CompiledTrust, &NamedPrincipals, Option<&ObservedRole>, &BTreeSet<String>) -> Vec<Step>,
    ) {
        let mut unknown = BTreeSet::new();
        // Each of them may turn out to be unknown; then what is left is written, and there is nothing left to do.
        for _ in 0..ARNS.len() + 3 {
            let observed = self.look();
            let bindings = self.bindings();
            let accepted: Vec<_> = bindings
                .iter()
                .filter(|(_, a)| *a)
                .map(|(b, _)| Arc::clone(b))
                .collect();
            let all: Vec<_> = bindings.into_iter().map(|(b, _)| b).collect();
            let compiled = compile(&cluster(), &account(), &uploader(), &accepted);
            let named = NamedPrincipals::of(&all, true);
            let steps = steps(&compiled, &named, observed.as_ref(), &unknown);
            if steps.is_empty() {
                return;
            }
            self.execute(steps, stop, &mut unknown);
            if stop < 9 {
                return;
            }
        }
        panic!("not converged: {:?}", self.role);
    }

    fn happens(&mut self, event: Event) {
        let wanted = |compiled: &CompiledTrust,
                      named: &NamedPrincipals,
                      observed: Option<&ObservedRole>,
                      unknown: &BTreeSet<String>,
                      writes| {
            let known = observed
                .map(|role| ReplacedPrincipals::shown_by(&role.trust))
                .unwrap_or_default();
            DesiredRole {
                trust: compiled.against(named, &known, unknown).document,
                ..desired_with(&BTreeSet::from([if writes {
                    "s3:PutObject"
                } else {
                    "s3:GetObject"
                }]))
            }
        };
        match event {
            Event::Delete(arn) => drop(self.alive.remove(&arn)),
            Event::Make(arn) => self.make(arn),
            Event::Name(named) => self.named = named,
            Event::Provision { stop, writes } => self.converge(stop, |compiled, named, observed, unknown| {
                let desired = wanted(compiled, named, observed, unknown, writes);
                deputy_delegation::plan::plan(&desired, observed, TaggedOwner::Gone).unwrap()
            }),
            Event::Hold { stop } => self.converge(stop, |compiled, named, observed, unknown| {
                let desired = wanted(compiled, named, observed, unknown, false);
                plan_hold(
                    &desired,
                    observed,
                    &[],
                    BoundaryInAws::Outdated,
                    TaggedOwner::Gone,
                )
                .unwrap()
            }),
            Event::Suspend { stop } => self.converge(stop, |_, _, observed, _| {
                deputy_delegation::plan::plan_suspension(
                    &tags(),
                    &name(),
                    &path(),
                    observed,
                    TaggedOwner::Gone,
                )
                .unwrap()
            }),
            Event::Retain { stop } => self.converge(stop, |_, _, observed, _| {
                plan_retention(&tags(), &name(), &path(), observed).unwrap()
            }),
        }
    }
}

const GONE: &str = "AROADBQP57FF2AEXAMPLE";

fn trusting(arns: &[&str]) -> (CompiledTrust, NamedPrincipals) {
    let principal =
        |arn: &&str| AwsPrincipal::new(PrincipalArn::parse(arn).unwrap(), None, false, None).unwrap();
    let bindings = [Arc::new(Binding {
        subjects: Subjects::AwsPrincipals(SubjectList::new(arns.iter().map(principal)).unwrap()),
        ..binding()
    })];
    let compiled = compile(&cluster(), &account(), &uploader(), &bindings);
    (compiled, NamedPrincipals::of(&bindings, true))
}

fn desired_against(arns: &[&str], shown: &str) -> DesiredRole {
    let (compiled, named) = trusting(arns);
    DesiredRole {
        trust: compiled
            .against(&named, &ReplacedPrincipals::shown_by(shown), &BTreeSet::new())
            .document,
        ..desired()
    }
}

/// Each call that writes the trust policy, on whatever way, holds the id.
#[test]
fn every_call_that_would_lose_an_id_notes_it_down() {
    let mut role = observed(&desired());
    role.trust = trusting(&ARNS[..1]).0.document.to_json().replace(ARNS[0], GONE);
    let ways = [
        ("the same", desired_against(&ARNS[..1], &role.trust)),
        ("somebody else", desired_against(&ARNS[..2], &role.trust)),
        (
            "somebody else, who may do something else",
            DesiredRole {
                inline: Some(inline(&BTreeSet::from(["s3:PutObject"]), &Actions::new())),
                ..desired_against(&ARNS[..2], &role.trust)
            },
        ),
    ];
    let mut plans: Vec<_> = ways
        .iter()
        .map(|(way, wanted)| (*way, plan(wanted, Some(&role), TaggedOwner::Gone).unwrap()))
        .collect();
    let held = plan_hold(
        &ways[0].1,
        Some(&role),
        &[],
        BoundaryInAws::Exceeding,
        TaggedOwner::Gone,
    )
    .unwrap();
    plans.push(("hold", calls(held)));
    plans.push((
        "suspend",
        plan_suspension(&tags(), &name(), &path(), Some(&role)).unwrap(),
    ));
    plans.push((
        "retain",
        calls(plan_retention(&tags(), &name(), &path(), Some(&role)).unwrap()),
    ));
    for (way, plan) in plans {
        let written: Vec<_> = plan
            .iter()
            .filter_map(|call| match call {
                IamCall::UpdateAssumeRolePolicy { document, .. } => Some(document),
                _ => None,
            })
            .collect();
        assert!(!written.is_empty(), "{way}");
        assert!(
            written.iter().all(|document| document.contains(GONE)),
            "{way}: {written:?}"
        );
    }
}

#[test]
fn what_is_noted_down_is_no_difference_in_whom_a_policy_trusts() {
    let mut role = observed(&desired());
    role.trust = trusting(&ARNS[..2]).0.document.to_json().replace(ARNS[0], GONE);
    let without = desired_against(&ARNS[..2], &role.trust);
    let steps = deputy_delegation::plan::plan(&without, Some(&role), TaggedOwner::Gone).unwrap();
    assert!(steps.iter().all(|step| step.nature == Nature::Shrinks) && steps.len() == 1);
    // As it should be, but for a Sid or for what is noted down: it is written again.
    for (changed, nature) in [
        (without.trust.to_json(), None),
        (
            without.trust.to_json().replace(GONE, "AROAANOTHER7FF2EXAMPLE"),
            Some(Nature::Shrinks),
        ),
        (
            without.trust.to_json().replace("\"P", "\"Q"),
            Some(Nature::Shrinks),
        ),
    ] {
        role.trust = changed;
        let steps = deputy_delegation::plan::plan(&without, Some(&role), TaggedOwner::Gone).unwrap();
        assert_eq!(steps.first().map(|step| step.nature), nature, "{}", role.trust);
    }
    // It goes with who named it, and that takes somebody away and nothing else.
    role.trust = without.trust.to_json();
    let gone = desired_against(&ARNS[2..], &role.trust);
    assert!(!gone.trust.to_json().contains(GONE));
    let fewer = DesiredRole {
        trust: our_trust(),
        ..desired()
    };
    let mut both = our_trust().to_value();
    let more = without.trust.to_value()["Statement"].as_array().unwrap().clone();
    both["Statement"].as_array_mut().unwrap().extend(more);
    role.trust = both.to_string();
    let steps = deputy_delegation::plan::plan(&fewer, Some(&role), TaggedOwner::Gone).unwrap();
    assert_eq!(steps.first().map(|step| step.nature), Some(Nature::Shrinks));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nobody_is_trusted_again_who_was_seen_to_be_gone(
        named in prop::collection::vec(named_strategy(), 1..5),
        events in prop::collection::vec(event_strategy(), 1..24),
    ) {
        let mut world = World { named, ..World::default() };
        for arn in 0..ARNS.len() {
            world.make(arn);
        }
        for event in events {
            world.happens(event);
        }
    }
}
