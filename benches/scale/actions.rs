//! The actions that the stub knows, and what of a form they read.

use std::collections::BTreeMap;

use crate::{
    account::Account,
    answer::{Answer, Refusal, element, result},
    policies, roles,
};

/// The parameters of a call.
pub type Form = BTreeMap<String, String>;

/// Whether an action is one of STS.
pub fn is_of_sts(action: &str) -> bool {
    matches!(action, "AssumeRole" | "GetCallerIdentity")
}

/// The answer to a call.
pub fn answer(account: &mut Account, action: &str, form: &Form) -> Answer {
    let elements = match action {
        "GetCallerIdentity" => Ok(caller(&account.id)),
        "AssumeRole" => assume(account, form),
        "GetAccountSummary" => Ok(summary(account)),
        "GetAccountAuthorizationDetails" => Ok(details(account, form)),
        _ if action.contains("Role") => roles::answer(account, action, form),
        _ => policies::answer(account, action, form),
    }?;
    Ok(result(action, &elements))
}

/// A parameter; empty where it is not sent.
pub fn parameter<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map_or("", String::as_str)
}

/// How many entries a page may have.
pub fn page_size(form: &Form) -> usize {
    parameter(form, "MaxItems").parse().unwrap_or(100)
}

/// The values of `NAME.member.1`, `NAME.member.2`, ….
pub fn members<'a>(form: &'a Form, name: &str, field: &str) -> Vec<&'a str> {
    (1..)
        .map_while(|n| form.get(&format!("{name}.member.{n}{field}")))
        .map(String::as_str)
        .collect()
}

/// The tags of a form.
pub fn tags(form: &Form) -> BTreeMap<String, String> {
    let keys = members(form, "Tags", ".Key");
    let values = members(form, "Tags", ".Value");
    keys.into_iter()
        .zip(values)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// No call to an action like that is known.
pub fn unknown(action: &str) -> Refusal {
    Refusal::new(400, "InvalidAction", format!("Could not find operation {action}"))
}

fn caller(account: &str) -> String {
    element("Arn", &format!("arn:aws:iam::{account}:user/deputy-broker"))
        + &element("UserId", "AIDA00000000000000000")
        + &element("Account", account)
}

fn assume(account: &mut Account, form: &Form) -> Answer {
    let arn = parameter(form, "RoleArn");
    let session = parameter(form, "RoleSessionName");
    let name = arn.rsplit('/').next().unwrap_or_default();
    let id = account
        .roles
        .get(name)
        .map(|role| role.id.clone())
        .ok_or_else(|| Refusal::new(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"))?;
    let credentials = [
        ("AccessKeyId", "ASIA0000000000000000"),
        ("SecretAccessKey", "0000000000000000000000000000000000000000"),
        ("SessionToken", "stub"),
        ("Expiration", "2099-01-02T03:04:05Z"),
    ];
    let credentials: String = credentials
        .iter()
        .map(|(name, text)| element(name, text))
        .collect();
    let assumed = format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account.id);
    let user = element("AssumedRoleId", &format!("{id}:{session}")) + &element("Arn", &assumed);
    Ok(format!(
        "<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
    ))
}

fn summary(account: &Account) -> String {
    let numbers = [
        ("Roles", account.roles.len()),
        ("RolesQuota", 100_000),
        ("Policies", account.policies.len()),
        ("PoliciesQuota", 100_000),
        ("AttachedPoliciesPerRoleQuota", 10),
        ("AssumeRolePolicySizeQuota", 2048),
    ];
    let entries: String = numbers
        .iter()
        .map(|(key, value)| format!("<entry><key>{key}</key><value>{value}</value></entry>"))
        .collect();
    format!("<SummaryMap>{entries}</SummaryMap>")
}

/// Roles and then customer-managed policies, as one list with one marker.
fn details(account: &Account, form: &Form) -> String {
    let filter = members(form, "Filter", "");
    let wanted = |kind: &str| filter.is_empty() || filter.contains(&kind);
    let most = page_size(form);
    let marker = form.get("Marker");
    // The marker names what was shown last: a role by its name, a policy by its ARN.
    let (mut roles, mut more) = (String::new(), String::new());
    let mut left = most;
    let is_past_roles = marker.is_some_and(|m| m.starts_with("arn:"));
    if wanted("Role") && !is_past_roles {
        let (shown, said) = crate::answer::page(account.roles.iter(), marker, most);
        left -= shown.len();
        let last = shown.last().map(|(name, _)| (*name).clone());
        roles = crate::answer::list(
            "RoleDetailList",
            shown.iter().map(|(name, role)| role.detail(name)),
        );
        more = said;
        if let Some(last) = last
            && left == 0
            && !more.contains("true")
            && wanted("LocalManagedPolicy")
            && !account.policies.is_empty()
        {
            more = format!("<IsTruncated>true</IsTruncated>{}", element("Marker", &last));
        }
    }
    let mut managed = String::new();
    if wanted("LocalManagedPolicy") && left > 0 {
        let marker = marker.filter(|_| is_past_roles);
        let (shown, said) = crate::answer::page(account.policies.iter(), marker, left);
        managed = crate::answer::list("Policies", shown.iter().map(|(arn, p)| p.detail(arn, account)));
        more = said;
    }
    if more.is_empty() {
        more = "<IsTruncated>false</IsTruncated>".to_owned();
    }
    format!("{more}{roles}{managed}")
}
