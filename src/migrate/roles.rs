//! What the AWS CLI prints about roles: `get-role`, `get-role-policy`, `get-account-authorization-details`.

use std::collections::BTreeMap;

use deputy_delegation::RoleArn;
use serde_json::Value;

use super::version::of_today;

/// One IAM role, as far as the files say.
#[derive(Debug, Default)]
pub struct OldRole {
    /// By name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of managed policies.
    pub attached: Vec<String>,
    pub boundary: Option<String>,
    /// Who becomes it.
    pub trust: Option<Value>,
    /// Seconds.
    pub longest_session: Option<u64>,
    /// Whether the files have all of its policies: the account's details do, the other answers are parts.
    pub is_whole: bool,
}

/// The roles and managed policies of the files.
#[derive(Debug, Default)]
pub struct OldRoles {
    roles: BTreeMap<RoleArn, OldRole>,
    /// Inline policies, by the name of their role: the answer says no ARN.
    inline: Vec<(String, String, Value)>,
    /// The default versions, by ARN.
    pub managed: BTreeMap<String, Value>,
}

impl OldRoles {
    /// Reads the documents of the files.
    pub fn read(documents: &[Value]) -> Self {
        let mut all = Self::default();
        for document in documents {
            let several = document.as_array().map(Vec::as_slice);
            let several = several.unwrap_or(std::slice::from_ref(document));
            several.iter().for_each(|answer| all.answer(answer));
        }
        for (role, name, policy) in std::mem::take(&mut all.inline) {
            // Of two accounts there may be two of a name, and it is not known whose the policy is.
            let arn = all.named(&role).cloned();
            if let Some(role) = arn.and_then(|arn| all.roles.get_mut(&arn)) {
                role.inline.insert(name, policy);
            }
        }
        all
    }

    fn answer(&mut self, document: &Value) {
        let items = |field: &str| {
            document
                .get(field)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        for role in items("RoleDetailList") {
            self.role(role, true);
        }
        for policy in items("Policies") {
            let versions = policy.get("PolicyVersionList").and_then(Value::as_array);
            let is_default = |version: &&Value| version.get("IsDefaultVersion") == Some(&Value::Bool(true));
            let document = versions.into_iter().flatten().find(is_default);
            let document = document.and_then(|version| version.get("Document"));
            if let (Some(arn), Some(document)) = (string(policy, "Arn"), document) {
                self.managed.insert(arn, of_today(document.clone()));
            }
        }
        if let Some(role) = document.get("Role") {
            self.role(role, false);
        }
        if let (Some(role), Some(name), Some(policy)) = (
            string(document, "RoleName"),
            string(document, "PolicyName"),
            document.get("PolicyDocument"),
        ) {
            self.inline.push((role, name, of_today(policy.clone())));
        }
    }

    fn role(&mut self, value: &Value, is_whole: bool) {
        let Some(arn) = string(value, "Arn").and_then(|arn| RoleArn::parse(&arn).ok()) else {
            return;
        };
        let role = self.roles.entry(arn).or_default();
        let items = |field: &str| value.get(field).and_then(Value::as_array).into_iter().flatten();
        for policy in items("RolePolicyList") {
            if let (Some(name), Some(document)) = (string(policy, "PolicyName"), policy.get("PolicyDocument"))
            {
                role.inline.insert(name, of_today(document.clone()));
            }
        }
        role.attached
            .extend(items("AttachedManagedPolicies").filter_map(|policy| string(policy, "PolicyArn")));
        role.boundary = value
            .get("PermissionsBoundary")
            .and_then(|boundary| string(boundary, "PermissionsBoundaryArn"));
        role.trust = value.get("AssumeRolePolicyDocument").cloned();
        role.longest_session = value.get("MaxSessionDuration").and_then(Value::as_u64);
        role.is_whole |= is_whole;
    }

    /// The role of this ARN.
    pub fn get(&self, arn: &RoleArn) -> Option<&OldRole> {
        self.roles.get(arn)
    }

    /// The trust policy of this role.
    pub fn trust(&self, arn: &RoleArn) -> Option<&Value> {
        self.get(arn)?.trust.as_ref()
    }

    /// The ARN of the one role of this name, or path and name.
    pub fn named(&self, name: &str) -> Option<&RoleArn> {
        let name = name.rsplit('/').next()?;
        let mut found = self.roles.keys().filter(|arn| arn.name() == name);
        found.next().filter(|_| found.next().is_none())
    }
}

fn string(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned)
}
