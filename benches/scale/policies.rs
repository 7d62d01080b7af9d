//! Customer-managed policies: the permissions boundaries.

use std::collections::BTreeMap;

use crate::{
    account::{Account, CREATED},
    actions::{Form, members, page_size, parameter, tags, unknown},
    answer::{Answer, Refusal, document, element, list, page},
    roles::tag_list,
};

/// A managed policy, documents encoded as they are shown.
pub struct Policy {
    id: String,
    path: String,
    versions: BTreeMap<u32, String>,
    default: u32,
    tags: BTreeMap<String, String>,
}

/// The answer to an action on a managed policy, or on all of them.
pub fn answer(account: &mut Account, action: &str, form: &Form) -> Answer {
    match action {
        "CreatePolicy" => return create(account, form),
        "ListPolicies" => return Ok(listed(account, form)),
        _ => {}
    }
    let arn = parameter(form, "PolicyArn");
    if !account.policies.contains_key(arn) {
        return Err(Refusal::absent(arn));
    }
    match action {
        "GetPolicy" => {
            let policy = account.policies.get(arn).ok_or_else(|| Refusal::absent(arn))?;
            return Ok(format!("<Policy>{}</Policy>", policy.shown(arn, account)));
        }
        "DeletePolicy" => {
            let (attached, bounded) = uses(account, arn);
            if attached + bounded > 0 {
                return Err(Refusal::new(
                    409,
                    "DeleteConflict",
                    "Cannot delete a policy attached to entities.",
                ));
            }
            account.policies.remove(arn);
            return Ok(String::new());
        }
        _ => {}
    }
    let policy = account
        .policies
        .get_mut(arn)
        .ok_or_else(|| Refusal::absent(arn))?;
    let version = parameter(form, "VersionId");
    match action {
        "GetPolicyVersion" => {
            let number = number(version).filter(|n| policy.versions.contains_key(n));
            let number = number.ok_or_else(|| Refusal::absent(version))?;
            Ok(format!(
                "<PolicyVersion>{}</PolicyVersion>",
                policy.version(number, true)
            ))
        }
        "ListPolicyVersions" => {
            let all = policy
                .versions
                .keys()
                .map(|number| policy.version(*number, false));
            Ok(list("Versions", all) + "<IsTruncated>false</IsTruncated>")
        }
        _ => write(policy, action, form),
    }
}

fn write(policy: &mut Policy, action: &str, form: &Form) -> Answer {
    match action {
        "CreatePolicyVersion" => {
            if policy.versions.len() >= 5 {
                return Err(Refusal::new(
                    409,
                    "LimitExceeded",
                    "A managed policy can have up to 5 versions.",
                ));
            }
            let next = policy.versions.keys().next_back().map_or(1, |last| last + 1);
            let text = document(parameter(form, "PolicyDocument"));
            policy.versions.insert(next, text);
            if parameter(form, "SetAsDefault") == "true" {
                policy.default = next;
            }
            return Ok(format!(
                "<PolicyVersion>{}</PolicyVersion>",
                policy.version(next, false)
            ));
        }
        "DeletePolicyVersion" => {
            let version = parameter(form, "VersionId");
            let number = number(version).filter(|n| *n != policy.default);
            number
                .and_then(|number| policy.versions.remove(&number))
                .ok_or_else(|| Refusal::absent(version))?;
        }
        "TagPolicy" => policy.tags.extend(tags(form)),
        "UntagPolicy" => {
            let gone = members(form, "TagKeys", "");
            policy.tags.retain(|key, _| !gone.contains(&key.as_str()));
        }
        _ => return Err(unknown(action)),
    }
    Ok(String::new())
}

fn create(account: &mut Account, form: &Form) -> Answer {
    let name = parameter(form, "PolicyName");
    let path = form.get("Path").cloned().unwrap_or_else(|| "/".to_owned());
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", account.id);
    if account.policies.contains_key(&arn) {
        let message = format!("A policy called {name} already exists.");
        return Err(Refusal::new(409, "EntityAlreadyExists", message));
    }
    let text = document(parameter(form, "PolicyDocument"));
    let policy = Policy {
        id: account.unique("ANPA"),
        path,
        versions: BTreeMap::from([(1, text)]),
        default: 1,
        tags: tags(form),
    };
    let shown = format!("<Policy>{}</Policy>", policy.shown(&arn, account));
    account.policies.insert(arn, policy);
    Ok(shown)
}

fn listed(account: &Account, form: &Form) -> String {
    let prefix = parameter(form, "PathPrefix");
    let below = account
        .policies
        .iter()
        .filter(|(_, policy)| policy.path.starts_with(prefix));
    let (shown, more) = page(below, form.get("Marker"), page_size(form));
    list(
        "Policies",
        shown.iter().map(|(arn, policy)| policy.head(arn, account)),
    ) + &more
}

/// How often a policy is attached, and how often it is a boundary.
fn uses(account: &Account, arn: &str) -> (usize, usize) {
    let roles = || account.roles.values();
    let attached = roles().filter(|role| role.attached.contains_key(arn)).count();
    let bounded = roles()
        .filter(|role| role.boundary.as_deref() == Some(arn))
        .count();
    (attached, bounded)
}

impl Policy {
    fn head(&self, arn: &str, account: &Account) -> String {
        let (attached, bounded) = uses(account, arn);
        element("PolicyName", arn.rsplit('/').next().unwrap_or_default())
            + &element("PolicyId", &self.id)
            + &element("Arn", arn)
            + &element("Path", &self.path)
            + &element("DefaultVersionId", &format!("v{}", self.default))
            + &element("AttachmentCount", &attached.to_string())
            + &element("PermissionsBoundaryUsageCount", &bounded.to_string())
            + &element("IsAttachable", "true")
            + &element("CreateDate", CREATED)
            + &element("UpdateDate", CREATED)
    }

    fn shown(&self, arn: &str, account: &Account) -> String {
        self.head(arn, account) + &tag_list(&self.tags)
    }

    fn version(&self, number: u32, with_document: bool) -> String {
        let text = self.versions.get(&number).filter(|_| with_document);
        let text = text.map_or_else(String::new, |text| element("Document", text));
        let is_default = (number == self.default).to_string();
        text + &element("VersionId", &format!("v{number}"))
            + &element("IsDefaultVersion", &is_default)
            + &element("CreateDate", CREATED)
    }

    /// An entry of `GetAccountAuthorizationDetails`: with all versions, and without tags.
    pub fn detail(&self, arn: &str, account: &Account) -> String {
        let versions = self.versions.keys().map(|number| self.version(*number, true));
        self.head(arn, account) + &list("PolicyVersionList", versions)
    }
}

fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok()
}
