//! Roles and what is in them.

use std::collections::BTreeMap;

use crate::{
    account::{Account, CREATED},
    actions::{Form, members, page_size, parameter, tags, unknown},
    answer::{Answer, Refusal, document, element, list, page},
};

/// A role, documents encoded as they are shown.
pub struct Role {
    /// `AROA…`.
    pub id: String,
    arn: String,
    path: String,
    trust: String,
    inline: BTreeMap<String, String>,
    /// By ARN.
    pub attached: BTreeMap<String, ()>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    tags: BTreeMap<String, String>,
    seconds: String,
}

/// The answer to an action on a role, or on all of them.
pub fn answer(account: &mut Account, action: &str, form: &Form) -> Answer {
    let name = parameter(form, "RoleName");
    match action {
        "CreateRole" => return create(account, name, form),
        "ListRoles" => return Ok(listed(account, form)),
        "DeleteRole" => {
            let role = account.roles.get(name).ok_or_else(|| absent(name))?;
            if !role.inline.is_empty() || !role.attached.is_empty() {
                return Err(Refusal::new(
                    409,
                    "DeleteConflict",
                    "Cannot delete entity, must remove policies first.",
                ));
            }
            account.roles.remove(name);
            return Ok(String::new());
        }
        _ => {}
    }
    let role = account.roles.get_mut(name).ok_or_else(|| absent(name))?;
    match action {
        "GetRole" => Ok(format!("<Role>{}</Role>", role.shown(name))),
        "GetRolePolicy" | "ListRolePolicies" | "ListAttachedRolePolicies" => read(role, action, name, form),
        _ => write(role, action, form).map(|()| String::new()),
    }
}

fn read(role: &Role, action: &str, name: &str, form: &Form) -> Answer {
    let (marker, most) = (form.get("Marker"), page_size(form));
    Ok(match action {
        "GetRolePolicy" => {
            let policy = parameter(form, "PolicyName");
            let text = role.inline.get(policy).ok_or_else(|| absent(policy))?;
            element("RoleName", name) + &inline((policy, text))
        }
        "ListRolePolicies" => {
            let (shown, more) = page(role.inline.iter(), marker, most);
            list("PolicyNames", shown.iter().map(|(name, _)| (*name).clone())) + &more
        }
        _ => {
            let (shown, more) = page(role.attached.iter(), marker, most);
            list("AttachedPolicies", shown.iter().map(|(arn, ())| attached(arn))) + &more
        }
    })
}

fn write(role: &mut Role, action: &str, form: &Form) -> Result<(), Refusal> {
    let policy = parameter(form, "PolicyName");
    let arn = parameter(form, "PolicyArn");
    let text = || document(parameter(form, "PolicyDocument"));
    match action {
        "UpdateAssumeRolePolicy" => role.trust = text(),
        "PutRolePolicy" => drop(role.inline.insert(policy.to_owned(), text())),
        "DeleteRolePolicy" => drop(role.inline.remove(policy).ok_or_else(|| absent(policy))?),
        "AttachRolePolicy" => drop(role.attached.insert(arn.to_owned(), ())),
        "DetachRolePolicy" => role.attached.remove(arn).ok_or_else(|| absent(arn))?,
        "PutRolePermissionsBoundary" => {
            role.boundary = form.get("PermissionsBoundary").cloned();
        }
        "TagRole" => role.tags.extend(tags(form)),
        "UntagRole" => {
            let gone = members(form, "TagKeys", "");
            role.tags.retain(|key, _| !gone.contains(&key.as_str()));
        }
        "UpdateRole" => parameter(form, "MaxSessionDuration").clone_into(&mut role.seconds),
        _ => return Err(unknown(action)),
    }
    Ok(())
}

fn create(account: &mut Account, name: &str, form: &Form) -> Answer {
    if account.roles.contains_key(name) {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal::new(409, "EntityAlreadyExists", message));
    }
    let path = form.get("Path").cloned().unwrap_or_else(|| "/".to_owned());
    let role = Role {
        id: account.unique("AROA"),
        arn: format!("arn:aws:iam::{}:role{path}{name}", account.id),
        path,
        trust: document(parameter(form, "AssumeRolePolicyDocument")),
        inline: BTreeMap::new(),
        attached: BTreeMap::new(),
        boundary: form.get("PermissionsBoundary").cloned(),
        tags: tags(form),
        seconds: parameter(form, "MaxSessionDuration").to_owned(),
    };
    let shown = format!("<Role>{}</Role>", role.shown(name));
    account.roles.insert(name.to_owned(), role);
    Ok(shown)
}

fn listed(account: &Account, form: &Form) -> String {
    let prefix = parameter(form, "PathPrefix");
    let below = account
        .roles
        .iter()
        .filter(|(_, role)| role.path.starts_with(prefix));
    let (shown, more) = page(below, form.get("Marker"), page_size(form));
    list("Roles", shown.iter().map(|(name, role)| role.head(name))) + &more
}

impl Role {
    /// What every answer about a role has.
    fn head(&self, name: &str) -> String {
        element("RoleName", name)
            + &element("RoleId", &self.id)
            + &element("Arn", &self.arn)
            + &element("Path", &self.path)
            + &element("CreateDate", CREATED)
            + &element("AssumeRolePolicyDocument", &self.trust)
    }

    fn boundary_and_tags(&self) -> String {
        let boundary = self.boundary.as_ref().map_or_else(String::new, |arn| {
            let kind = element("PermissionsBoundaryType", "Policy");
            let arn = element("PermissionsBoundaryArn", arn);
            format!("<PermissionsBoundary>{kind}{arn}</PermissionsBoundary>")
        });
        boundary + &tag_list(&self.tags)
    }

    fn shown(&self, name: &str) -> String {
        self.head(name) + &element("MaxSessionDuration", &self.seconds) + &self.boundary_and_tags()
    }

    /// An entry of `GetAccountAuthorizationDetails`: with the policies, and without the longest session.
    pub fn detail(&self, name: &str) -> String {
        let policies = self.inline.iter().map(|(name, text)| inline((name, text)));
        let managed = self.attached.keys().map(|arn| attached(arn));
        self.head(name)
            + &list("RolePolicyList", policies)
            + &list("AttachedManagedPolicies", managed)
            + &self.boundary_and_tags()
    }
}

/// Tags as a list of IAM's.
pub fn tag_list(tags: &BTreeMap<String, String>) -> String {
    let entries = tags.iter();
    list(
        "Tags",
        entries.map(|(key, value)| element("Key", key) + &element("Value", value)),
    )
}

fn inline((name, text): (&str, &String)) -> String {
    element("PolicyName", name) + &element("PolicyDocument", text)
}

fn attached(arn: &str) -> String {
    element("PolicyName", arn.rsplit('/').next().unwrap_or_default()) + &element("PolicyArn", arn)
}

fn absent(what: &str) -> Refusal {
    Refusal::absent(what)
}
