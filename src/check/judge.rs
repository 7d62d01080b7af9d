//! The webhook's answer about each object, in a cluster that holds all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_admission::{DeputyKind, ObjectAnswer, ObjectOutcome, answer};
use deputy_delegation::{ClusterName, Reason, Violation};
use deputy_index::Index;
use serde_json::Value;

use super::{
    answer::{CheckAnswer, CheckFinding, CheckedObject, CheckedStatus, FindingLevel},
    suspends::suspends,
    warnings::{is_said, of_warning},
};
use crate::objects::{InputProblem, ProblemSort, ReadObject, ReadObjects, take_over, world};

/// The reason of what can't be read.
const UNREADABLE: &str = "Unreadable";
/// The reason of what only AWS knows.
const ONLY_AWS_KNOWS: &str = "OnlyAWSKnows";

/// Judges `files`, beside `limits` and what is `stored` in a cluster. Of two objects of one name that of `files` counts, then that of
/// `limits`.
pub fn judge(
    cluster: &ClusterName,
    mut files: ReadObjects,
    mut limits: ReadObjects,
    stored: Option<Vec<ReadObject>>,
) -> CheckAnswer {
    let has_cluster = stored.is_some();
    if let Some(stored) = &stored {
        take_over(&mut limits.objects, stored);
        take_over(&mut files.objects, stored);
    }
    let stored = stored.unwrap_or_default();
    let before = stored.iter().chain(&limits.objects);
    let all = before.clone().chain(&files.objects);
    let (index, left_out) = world(cluster.clone(), all);
    // What a change would take away is seen by what there was.
    // All of these are in the first index, too, so that what is left out of this one is known.
    let earlier = has_cluster.then(|| world(cluster.clone(), before).0);
    let old: BTreeMap<_, _> = stored.iter().map(|object| (object.id(), object)).collect();

    let mut objects = problems(&limits.problems);
    objects.extend(problems(&files.problems));
    // Without a limit that narrows, more would be accepted: nothing is left out in silence.
    let ids: BTreeSet<_> = left_out.iter().map(|(object, _)| object.id()).collect();
    objects.extend(left_out.iter().map(|(object, why)| unreadable(object, why)));
    let judged = files.objects.iter().filter(|object| !ids.contains(&object.id()));
    for object in judged {
        let old = old.get(&object.id()).map(|old| &old.value);
        let mut judged = one(object, &index, old);
        if let Some(earlier) = &earlier {
            suspends(object, earlier, old, &mut judged);
        }
        objects.push(judged);
    }
    // From the top of the file to its end, as somebody reads it.
    for object in &mut objects {
        object.findings.sort_by(|a, b| a.place.cmp(&b.place));
    }
    objects.sort_by(|a, b| a.place.cmp(&b.place));
    CheckAnswer {
        objects,
        passed_over: files.passed_over,
    }
}

/// What can't be read, and what no API server takes, by the objects that it is about.
fn problems(found: &[InputProblem]) -> Vec<CheckedObject> {
    let is_of_one = |a: &InputProblem, b: &InputProblem| {
        a.object.is_some() && a.object == b.object && a.place.file == b.place.file
    };
    let of_object = |problems: &[InputProblem]| {
        let first = problems.iter().min_by(|a, b| a.place.cmp(&b.place))?;
        let is_unreadable = problems.iter().any(|p| p.sort == ProblemSort::Unreadable);
        let object = first.object.clone();
        Some(CheckedObject {
            object: object.unwrap_or_else(|| first.place.file.to_string()),
            place: Some(first.place.clone()),
            status: if is_unreadable {
                CheckedStatus::Unreadable
            } else {
                CheckedStatus::Refused
            },
            findings: problems.iter().map(of_problem).collect(),
        })
    };
    found.chunk_by(is_of_one).filter_map(of_object).collect()
}

fn of_problem(problem: &InputProblem) -> CheckFinding {
    let reason = match problem.sort {
        ProblemSort::Unreadable => UNREADABLE,
        ProblemSort::NotTaken => Reason::Structure.as_str(),
    };
    CheckFinding {
        level: FindingLevel::Error,
        reason,
        place: Some(problem.place.clone()),
        field: problem.field.clone(),
        limit: None,
        message: problem.message.clone(),
    }
}

/// One object, which takes the place of `old`, if there is one.
pub fn one(object: &ReadObject, index: &Arc<Index>, old: Option<&Value>) -> CheckedObject {
    let mut judged = CheckedObject {
        object: object.title(),
        place: object.place(""),
        status: CheckedStatus::Unreadable,
        findings: Vec::new(),
    };
    let Some(ObjectAnswer { outcome, warnings }) = answer(index, &object.value, old) else {
        let message = "it is of no kind that is decided about".to_owned();
        judged.findings.push(error(object, UNREADABLE, "", message));
        return judged;
    };
    judged.status = match &outcome {
        ObjectOutcome::Accepted => CheckedStatus::Accepted,
        ObjectOutcome::Awaiting => CheckedStatus::Undecided,
        ObjectOutcome::Refused { .. } => CheckedStatus::Refused,
    };
    if let ObjectOutcome::Refused { message, violations } = &outcome {
        judged
            .findings
            .extend(violations.iter().map(|violation| of_violation(object, violation)));
        if violations.is_empty() {
            judged
                .findings
                .push(error(object, Reason::Structure.as_str(), "", message.clone()));
        }
    }
    let is_awaiting = outcome == ObjectOutcome::Awaiting;
    let said = warnings.iter().filter(|warning| is_said(warning));
    judged
        .findings
        .extend(said.map(|warning| of_warning(object, warning, is_awaiting)));
    if judged.status == CheckedStatus::Accepted
        && let Some(unknown) = only_aws_knows(object)
    {
        judged.status = CheckedStatus::Undecided;
        judged.findings.push(unknown);
    }
    judged
}

/// One that has not even the shape of an object.
fn unreadable(object: &ReadObject, why: &str) -> CheckedObject {
    CheckedObject {
        object: object.title(),
        place: object.place(""),
        status: CheckedStatus::Unreadable,
        findings: vec![error(object, UNREADABLE, "metadata", why.to_owned())],
    }
}

fn error(object: &ReadObject, reason: &'static str, field: &str, message: String) -> CheckFinding {
    CheckFinding {
        level: FindingLevel::Error,
        reason,
        place: object.place(field),
        field: field.to_owned(),
        limit: None,
        message,
    }
}

fn of_violation(object: &ReadObject, violation: &Violation) -> CheckFinding {
    CheckFinding {
        limit: violation.limit.as_ref().map(ToString::to_string),
        ..error(
            object,
            violation.reason.as_str(),
            &violation.field,
            violation.message.clone(),
        )
    }
}

/// What comes about only when AWS has what the object names.
fn only_aws_knows(object: &ReadObject) -> Option<CheckFinding> {
    let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str);
    let (field, message) = match object.kind {
        DeputyKind::Role => {
            let arn = text("/spec/existing/roleARN")?;
            let message = format!(
                "the limits allow it; whether {arn} is there, and lets Deputy's broker in, only AWS knows: the AWSRole says so in its \
                 status"
            );
            ("spec.existing.roleARN", message)
        }
        DeputyKind::Limit => {
            let arn = text("/spec/boundary/policyARN")?;
            let message = format!(
                "whether {arn} is there, and allows no more than the ceiling, only AWS knows: the limit says so in its status, and until \
                 then nothing grows under it"
            );
            ("spec.boundary.policyARN", message)
        }
        _ => return None,
    };
    Some(CheckFinding {
        level: FindingLevel::Undecided,
        ..error(object, ONLY_AWS_KNOWS, field, message)
    })
}
