//! Sessions of people: by the binding that they name, and nothing else.

use deputy_delegation::{
    SessionDuration,
    model::{Account, Binding, LimitEntry, ObjectId, Subjects},
    people::{self, AuthenticatedPerson},
    session::request_of_person,
};
use deputy_index::{BindingDecision, Index};
use jiff::Timestamp;

use super::{
    Asker, Granting, boundary, can_decide,
    grant::{RefusalCode, ResolveError, SessionGrant},
    refused,
};
use crate::issuer::Renewal;

/// Resolves what `person` gets by `binding`, for as long as they ask or it says.
///
/// # Errors
/// [`ResolveError::NotReady`] and [`ResolveError::Refused`]; what AWS says is not asked.
pub fn resolve_person(
    index: &Index,
    person: &AuthenticatedPerson,
    binding: &ObjectId,
    asked: Option<SessionDuration>,
) -> Result<Box<SessionGrant>, ResolveError> {
    can_decide(index)?;
    let Some(found) = index.decide_binding(binding) else {
        return Err(
            match index.binding(binding).and_then(|view| view.parsed().err()) {
                Some(why) => ResolveError::Refused {
                    code: RefusalCode::NotAccepted,
                    message: format!("AWSRoleBinding {binding} can't be read: {why}"),
                    binding: None,
                },
                None => ResolveError::Refused {
                    code: RefusalCode::NoBinding,
                    message: format!("there is no AWSRoleBinding {binding}"),
                    binding: None,
                },
            },
        );
    };
    let Some(subject) = person.among(&found.binding.subjects) else {
        return Err(not_a_subject(person, &found));
    };
    let granting = Granting::of(index, &found)?;
    let (account, role, binding) = (granting.account, granting.role, &found.binding);
    admitted(index, person, account, binding)?;
    let boundary = boundary(index, &found, role, account)?;
    let longest = binding.duration_in(account);
    if let Some(asked) = asked.filter(|asked| *asked > longest) {
        let message = format!(
            "{asked} is longer than {longest}, the session that AWSRoleBinding {} gives",
            binding.id
        );
        return Err(refused(binding, RefusalCode::Duration, message));
    }
    let request = request_of_person(index.cluster(), account, role, binding, person, asked, boundary);
    let Some(request) = request else {
        return Err(not_a_subject(person, &found));
    };
    let mark = people::mark(account, binding, subject);
    let can_be_cut = granting.state.and_then(|state| state.people.as_ref());
    let is_recorded = can_be_cut.is_none_or(|known| {
        known.contains(mark.as_str()) || known.contains(all_marks(index, account, binding).as_str())
    });
    let who = format!("user {:?}", person.user.as_str());
    let all_cut_before = granting.state.and_then(|state| state.all_people_cut_before);
    if let Some(before) = all_cut_before.and_then(|before| Timestamp::from_second(before).ok())
        && Timestamp::now() < before
    {
        return Err(ResolveError::NotReady {
            message: format!(
                "all sessions of people of {} that are issued before {before} are denied: the role's policy has no room to say which go on",
                binding.role.title()
            ),
        });
    }
    let asker = Asker {
        person: Some(person.user.clone()),
        who: &who,
        renewal: Renewal::OnRequest,
        is_recorded,
        all_cut_before,
    };
    granting.session(request, asker)
}

/// What the record has for all people whom accepted bindings of a role name, where there are more than it names one by one.
fn all_marks(index: &Index, account: &Account, binding: &Binding) -> String {
    let bindings = index.accepted_bindings_of_role(&binding.role);
    let marks = bindings
        .iter()
        .flat_map(|one| people::marks(account, one))
        .collect();
    people::digest_of(&marks)
}

fn not_a_subject(person: &AuthenticatedPerson, found: &BindingDecision) -> ResolveError {
    let binding = &found.binding;
    let whom = match binding.subjects {
        Subjects::People(_) => "names neither user",
        _ => "is not for people, so not for user",
    };
    let (groups, remedy) = match binding.subjects {
        Subjects::People(_) => (" nor a group of theirs", "adds one of them to spec.subjects"),
        _ => ("", "makes one for people"),
    };
    let message = format!(
        "AWSRoleBinding {} {whom} {:?}{groups}: whoever may write in the namespace {remedy}",
        binding.id,
        person.user.as_str()
    );
    refused(binding, RefusalCode::NotASubject, message)
}

/// Whether every limit lets the person in: what it asks of the binding was decided with that.
fn admitted(
    index: &Index,
    person: &AuthenticatedPerson,
    account: &Account,
    binding: &Binding,
) -> Result<(), ResolveError> {
    let limits = index.limits_of(&binding.id.namespace, &account.name);
    let decides = |limit: &&LimitEntry| limit.decides(&binding.id.namespace, &account.name);
    for limit in limits.iter().filter(decides) {
        let limit = match limit {
            LimitEntry::Valid(limit) => limit,
            LimitEntry::Invalid { name, error, .. } => {
                let message = format!("DelegationLimit {name} can't be read: {error}");
                return Err(refused(binding, RefusalCode::NotAccepted, message));
            }
        };
        person
            .admitted(limit)
            .map_err(|why| refused(binding, RefusalCode::MfaGroup, why))?;
    }
    Ok(())
}
