//! As Terraform's configuration in JSON (<https://developer.hashicorp.com/terraform/language/syntax/json>), of the provider `hashicorp/aws`.

use deputy_delegation::IamEntity;
use serde_json::{Map, Value, json};

use super::making::{MadeGuard, MadeIdentity, Making};
use crate::distinct::distinct;

/// Blocks of resources: by type, then by name.
#[derive(Default)]
struct Blocks(Map<String, Value>);

impl Blocks {
    fn add(&mut self, kind: &str, name: &str, block: Value) {
        let of_kind = self.0.entry(kind).or_insert_with(|| json!({}));
        if let Some(of_kind) = of_kind.as_object_mut() {
            of_kind.insert(name.to_owned(), block);
        }
    }
}

/// What makes the identities of an account.
pub fn identities(making: &Making<'_>, account: &str, title: &str, made: &[MadeIdentity<'_>]) -> String {
    let names: Vec<&str> = made.iter().map(|one| one.identity.arn.name()).collect();
    let (mut blocks, mut outputs) = (Blocks::default(), Map::new());
    for (name, one) in distinct(&names, local).iter().zip(made) {
        let identity = one.identity;
        let (kind, field) = match identity.arn.entity() {
            IamEntity::User => ("aws_iam_user", "user"),
            _ => ("aws_iam_role", "role"),
        };
        let mut block = json!({"name": identity.arn.name(), "path": one.path});
        if let (Some(trust), Some(fields)) = (&identity.trust, block.as_object_mut()) {
            fields.insert("assume_role_policy".into(), literal(&trust.to_json()).into());
        }
        blocks.add(kind, name, block);
        for (i, policy) in one.policies.iter().enumerate() {
            let part = match i {
                0 => name.clone(),
                _ => format!("{name}-{}", i + 1),
            };
            let block = json!({
                "name": policy.name,
                "path": one.path,
                "policy": literal(&policy.document.to_json()),
            });
            blocks.add("aws_iam_policy", &part, block);
            let attachment = json!({
                (field): format!("${{{kind}.{name}.name}}"),
                "policy_arn": format!("${{aws_iam_policy.{part}.arn}}"),
            });
            blocks.add(&format!("{kind}_policy_attachment"), &part, attachment);
        }
        if let (Some(account), Some(cluster)) = (one.association, making.pod_identity) {
            let block = json!({
                "cluster_name": cluster.name(),
                "namespace": making.namespace.as_str(),
                "service_account": account,
                "role_arn": format!("${{{kind}.{name}.arn}}"),
            });
            blocks.add("aws_eks_pod_identity_association", name, block);
        }
        let output = json!({"description": format!("Of {}", identity.process), "value": format!("${{{kind}.{name}.arn}}")});
        outputs.insert(name.clone(), output);
    }
    // With the credentials of another account nothing is planned.
    let provider = json!({"aws": {"allowed_account_ids": [account]}});
    configuration(title, Some(provider), blocks, outputs)
}

/// What makes the service control policies, in the account of the organization's management.
pub fn guards(title: &str, guards: &[MadeGuard<'_>]) -> String {
    let mut blocks = Blocks::default();
    for guard in guards {
        let name = local(&guard.name);
        let policy = json!({
            "name": guard.name,
            "type": "SERVICE_CONTROL_POLICY",
            "content": literal(&guard.document.to_json()),
        });
        blocks.add("aws_organizations_policy", &name, policy);
        let attachment = json!({
            "policy_id": format!("${{aws_organizations_policy.{name}.id}}"),
            "target_id": guard.account,
        });
        blocks.add("aws_organizations_policy_attachment", &name, attachment);
    }
    configuration(title, None, blocks, Map::new())
}

fn configuration(
    title: &str,
    provider: Option<Value>,
    blocks: Blocks,
    outputs: Map<String, Value>,
) -> String {
    let mut all = Map::from_iter([
        ("//".to_owned(), title.into()),
        (
            "terraform".to_owned(),
            json!({"required_providers": {"aws": {"source": "hashicorp/aws"}}}),
        ),
        ("resource".to_owned(), blocks.0.into()),
    ]);
    all.extend(provider.map(|provider| ("provider".to_owned(), provider)));
    if !outputs.is_empty() {
        all.insert("output".into(), outputs.into());
    }
    format!("{:#}\n", Value::Object(all))
}

/// A text that is no template: `${` and `%{` would begin one, and IAM's variables do.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// Letters, digits, `-` and `_`, and no digit in front, as names of blocks are.
fn local(name: &str) -> String {
    let taken = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(taken).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("_{name}")
    }
}
