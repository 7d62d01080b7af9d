//! Any change, stopped after any call: what holds then.

use super::*;

/// Some of the managed policies.
fn attached_strategy() -> impl Strategy<Value = Vec<&'static str>> {
    let arns: Vec<_> = MANAGED.iter().map(|(arn, _)| *arn).collect();
    prop::sample::subsequence(arns, 0..=MANAGED.len())
}

/// What Deputy's inline policy denies.
fn denied_strategy() -> impl Strategy<Value = Actions> {
    prop::sample::subsequence(&ACTIONS[..], 0..=2).prop_map(|actions| actions.into_iter().collect())
}

fn actions_strategy() -> impl Strategy<Value = Actions> {
    prop::sample::subsequence(&ACTIONS[..], 1..=4).prop_map(|actions| actions.into_iter().collect())
}

fn trusts() -> Vec<String> {
    let stranger = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"});
    let mut both = our_trust().to_value();
    both["Statement"].as_array_mut().unwrap().push(stranger.clone());
    vec![
        our_trust().to_json(),
        trust::deny_all().to_json(),
        json!({"Version": "2012-10-17", "Statement": stranger}).to_string(),
        both.to_string(),
        trust_of(SECOND, &[]).to_json(),
        trust_of(SECOND, &[ISSUER]).to_json(),
        // By hand: the same values, asked for in another way.
        trust_of(SECOND, &[ISSUER])
            .to_json()
            .replace("ArnEquals", "ArnNotEquals"),
    ]
}

fn desired_strategy() -> impl Strategy<Value = DesiredRole> {
    (
        actions_strategy(),
        prop::sample::select(vec![
            trust::deny_all(),
            our_trust(),
            trust_of(SECOND, &[ISSUER]),
            trust_of(SECOND, &[]),
        ]),
        prop::option::of(prop::sample::select(vec!["a", "b"])),
        1_u64..=3,
        denied_strategy(),
        attached_strategy(),
        prop::bool::ANY,
    )
        .prop_map(
            |(allowed, trust, limit, hours, denied, attached, managed_alone)| {
                let boundary = limit.map(boundary);
                // What was accepted is within the ceiling.
                let within = within(boundary.as_ref().map(ToString::to_string).as_deref());
                let mut allowed: Actions = allowed.intersection(&within).copied().collect();
                if allowed.is_empty() {
                    allowed.insert(ACTIONS[1]);
                }
                let managed_alone = managed_alone && !attached.is_empty();
                DesiredRole {
                    trust,
                    boundary,
                    max_session_duration: MaxSessionDuration::from_seconds(hours * 3600).unwrap(),
                    inline: (!managed_alone).then(|| inline(&allowed, &denied)),
                    attached: managed(&attached),
                    ..desired()
                }
            },
        )
}

fn observed_strategy() -> impl Strategy<Value = ObservedRole> {
    (
        prop::sample::select(trusts()),
        prop::option::of((actions_strategy(), denied_strategy())),
        prop::option::of(actions_strategy()),
        prop::option::of(actions_strategy()),
        attached_strategy(),
        prop::sample::select(vec![
            None,
            Some(boundary("a").to_string()),
            Some(boundary("b").to_string()),
            Some(BY_HAND.to_owned()),
        ]),
        prop::sample::subsequence(vec!["former", "foreign", "collision", "missing"], 0..=4),
        1_u32..=3,
    )
        .prop_map(
            |(trust, ours, foreign, denied, attached, boundary, tags, hours)| {
                let mut role = observed(&desired());
                role.trust = trust;
                role.inline.clear();
                if let Some((allowed, denied)) = ours {
                    let text = identity_with(&allowed, &denied).to_string();
                    role.inline.insert(naming::INLINE_POLICY.to_owned(), text);
                }
                if let Some(actions) = foreign {
                    role.inline
                        .insert("z-by-hand".to_owned(), identity(&actions).to_string());
                }
                if let Some(actions) = denied {
                    let text = identity(&actions).to_string().replace("Allow", "Deny");
                    role.inline.insert("a-emergency".to_owned(), text);
                }
                role.attached = attached.into_iter().map(str::to_owned).collect();
                role.boundary = boundary;
                for tag in tags {
                    match tag {
                        "former" => role.tags.insert("deputy-uid".to_owned(), FORMER_UID.to_owned()),
                        "foreign" => role.tags.insert("owner".to_owned(), "somebody".to_owned()),
                        "collision" => {
                            role.tags.remove("cost-center");
                            role.tags.insert("COST-CENTER".to_owned(), "x".to_owned())
                        }
                        _ => role.tags.remove("deputy-uid"),
                    };
                }
                role.max_session_seconds = hours * 3600;
                role
            },
        )
}

proptest! {
    #[test]
    fn what_is_done_while_the_boundary_is_late_gives_nobody_more(
        desired in desired_strategy(),
        start in observed_strategy(),
        there in prop::sample::select(vec![BoundaryInAws::Missing, BoundaryInAws::Outdated, BoundaryInAws::Exceeding]),
    ) {
        prop_assume!(desired.boundary.is_some() && start.boundary.as_deref() != Some(BY_HAND));
        let ceiling = deputy_policy::Document::from_value(&identity(&within(desired.boundary.as_ref().map(ToString::to_string).as_deref())), PolicyKind::Boundary).unwrap();
        let steps = plan_hold(&desired, Some(&start), &[&ceiling], there, TaggedOwner::Gone).unwrap();
        let (before, mut aws) = (start.clone(), Some(start));
        for step in steps {
            apply(&step.call, &mut aws);
            let now = aws.as_ref().unwrap();
            prop_assert!(permissions(now).is_subset(&permissions(&before)) || now.inline.len() < before.inline.len(), "{step:?}");
            let opened: Vec<_> = trusted(now).difference(&trusted(&before)).copied().collect();
            prop_assert!(opened.iter().all(|who| [ISSUER, SECOND].contains(who)), "{step:?}");
        }
        let end = aws.unwrap();
        // Who is trusted now can do no more than the limit allows, whoever it was before.
        if !trusted(&end).is_empty() {
            let ours = end.inline.get(naming::INLINE_POLICY).cloned();
            let role = ObservedRole { inline: ours.map(|text| (naming::INLINE_POLICY.to_owned(), text)).into_iter().collect(), ..end.clone() };
            prop_assert!(permissions(&role).is_subset(&within(desired.boundary.as_ref().map(ToString::to_string).as_deref())));
            prop_assert!(end.inline.keys().all(|name| name == naming::INLINE_POLICY));
            prop_assert!(end.attached.iter().all(|arn| desired.attached.iter().any(|wanted| wanted.to_string() == *arn)));
        }
    }

    #[test]
    fn stopped_after_any_call_the_next_plan_goes_on_to_the_end(
        desired in desired_strategy(),
        start in prop::option::of(observed_strategy()),
    ) {
        let calls = planned(&desired, start.as_ref());
        for stop in 0..=calls.len() {
            let mut aws = start.clone();
            for call in &calls[..stop] {
                apply(call, &mut aws);
            }
            for call in planned(&desired, aws.as_ref()) {
                apply(&call, &mut aws);
            }
            let end = aws.unwrap();
            prop_assert_eq!(planned(&desired, Some(&end)), vec![]);
            let policies: Vec<_> = desired.inline.iter().map(|_| naming::INLINE_POLICY).collect();
            prop_assert_eq!(end.inline.keys().collect::<Vec<_>>(), policies);
            let attached: BTreeSet<_> = end.attached.iter().cloned().collect();
            prop_assert_eq!(attached, desired.attached.iter().map(ToString::to_string).collect());
            for (key, value) in &desired.tags {
                prop_assert_eq!(end.tags.get(key.as_str()).map(String::as_str), Some(value.as_str()));
            }
            prop_assert_eq!(end.max_session_seconds, desired.max_session_duration.as_seconds());
            if let Some(boundary) = &desired.boundary {
                prop_assert_eq!(end.boundary, Some(boundary.to_string()));
            }
        }
    }

    #[test]
    fn at_no_moment_is_there_more_than_before_or_after_nor_less_than_both(
        desired in desired_strategy(),
        start in observed_strategy(),
    ) {
        // Under a boundary made by hand the old policy may come into its own limit's reach for a moment.
        prop_assume!(start.boundary.as_deref() != Some(BY_HAND));
        // Between the boundaries of two limits managed policies that are new wait until it has moved.
        let waits = start.boundary != desired.boundary.as_ref().map(ToString::to_string)
            && start.boundary.is_some()
            && desired.attached.iter().any(|arn| !start.attached.contains(&arn.to_string()));
        let calls = planned(&desired, Some(&start));
        let mut states = vec![start.clone()];
        let mut aws = Some(start);
        for call in &calls {
            apply(call, &mut aws);
            states.extend(aws.clone());
        }
        let (old, new) = (states.first().unwrap(), states.last().unwrap());
        let more: Actions = permissions(old).union(&permissions(new)).copied().collect();
        let less: Actions = permissions(old).intersection(&permissions(new)).copied().collect();
        let more_pairs: BTreeSet<_> = effective(old).union(&effective(new)).copied().collect();
        for state in &states {
            prop_assert!(permissions(state).is_subset(&more), "{calls:?}");
            prop_assert!(waits || permissions(state).is_superset(&less), "{calls:?}");
            prop_assert!(effective(state).is_subset(&more_pairs), "{calls:?}");
        }
    }

    #[test]
    fn a_foreign_boundary_is_replaced_before_permissions_are_written(
        desired in desired_strategy(),
        mut start in observed_strategy(),
    ) {
        start.boundary = Some(BY_HAND.to_owned());
        let calls = planned(&desired, Some(&start));
        let at = |action: &str| calls.iter().position(|call| call.action() == action);
        if desired.boundary.is_some() {
            let put = at("iam:PutRolePolicy").unwrap_or(usize::MAX);
            let attach = at("iam:AttachRolePolicy").unwrap_or(usize::MAX);
            prop_assert!(at("iam:PutRolePermissionsBoundary").unwrap() < put.min(attach));
        }
    }

    #[test]
    fn deletion_stopped_after_any_call_is_finished_by_the_next(mut start in observed_strategy()) {
        start.tags.insert("deputy-uid".to_owned(), uid().to_string());
        let deletion = |aws: Option<&ObservedRole>| plan_deletion(&tags(), &name(), &path(), aws).unwrap();
        let calls = deletion(Some(&start));
        for stop in 0..=calls.len() {
            let mut aws = Some(start.clone());
            let before = permissions(&start);
            for call in &calls[..stop] {
                apply(call, &mut aws);
                prop_assert!(aws.as_ref().is_none_or(|role| permissions(role).is_subset(&before)));
            }
            for call in deletion(aws.as_ref()) {
                apply(&call, &mut aws);
            }
            prop_assert_eq!(&aws, &None);
        }
        prop_assert_eq!(deletion(None), vec![]);
    }
}
