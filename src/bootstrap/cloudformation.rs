//! As a CloudFormation template: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-reference.html>.

use deputy_delegation::IamEntity;
use serde_json::{Map, Value, json};

use super::making::{MadeGuard, MadeIdentity, Making};
use crate::distinct::distinct;

/// What makes the identities of an account.
pub fn identities(making: &Making<'_>, title: &str, made: &[MadeIdentity<'_>]) -> String {
    let names: Vec<&str> = made.iter().map(|one| one.identity.arn.name()).collect();
    let (mut resources, mut outputs) = (Map::new(), Map::new());
    for (id, one) in distinct(&names, logical).iter().zip(made) {
        let identity = one.identity;
        let policies = one.policies.iter().enumerate().map(|(i, policy)| {
            let id = numbered(&format!("{id}Policy"), i);
            let properties = json!({
                "ManagedPolicyName": policy.name,
                "Path": one.path,
                "PolicyDocument": policy.document.to_value(),
            });
            resources.insert(id.clone(), resource("AWS::IAM::ManagedPolicy", &properties));
            json!({"Ref": id})
        });
        let policies: Vec<Value> = policies.collect();
        let mut properties = json!({"Path": one.path, "ManagedPolicyArns": policies});
        let (kind, suffix, name) = match identity.arn.entity() {
            IamEntity::User => ("AWS::IAM::User", "User", "UserName"),
            _ => ("AWS::IAM::Role", "Role", "RoleName"),
        };
        if let Some(fields) = properties.as_object_mut() {
            fields.insert(name.into(), identity.arn.name().into());
            if let Some(trust) = &identity.trust {
                fields.insert("AssumeRolePolicyDocument".into(), trust.to_value());
            }
        }
        let itself = format!("{id}{suffix}");
        let arn = json!({"Fn::GetAtt": [itself, "Arn"]});
        resources.insert(itself.clone(), resource(kind, &properties));
        outputs.insert(
            format!("{id}Arn"),
            json!({"Description": format!("Of {}", identity.process), "Value": arn}),
        );
        if let (Some(account), Some(cluster)) = (one.association, making.pod_identity) {
            let properties = json!({
                "ClusterName": cluster.name(),
                "Namespace": making.namespace.as_str(),
                "ServiceAccount": account,
                "RoleArn": arn,
            });
            let kind = "AWS::EKS::PodIdentityAssociation";
            resources.insert(format!("{id}Association"), resource(kind, &properties));
        }
    }
    template(title, resources, outputs)
}

/// What makes the service control policies, in the account of the organization's management.
pub fn guards(title: &str, guards: &[MadeGuard<'_>]) -> String {
    let resources = guards.iter().map(|guard| {
        let properties = json!({
            "Name": guard.name,
            "Type": "SERVICE_CONTROL_POLICY",
            "Content": guard.document.to_value(),
            "TargetIds": [guard.account],
        });
        let id = format!("Account{}", guard.account);
        (id, resource("AWS::Organizations::Policy", &properties))
    });
    template(title, resources.collect(), Map::new())
}

fn resource(kind: &str, properties: &Value) -> Value {
    json!({"Type": kind, "Properties": properties})
}

fn template(title: &str, resources: Map<String, Value>, outputs: Map<String, Value>) -> String {
    let mut template = Map::from_iter([
        ("AWSTemplateFormatVersion".to_owned(), "2010-09-09".into()),
        ("Description".to_owned(), title.into()),
        ("Resources".to_owned(), resources.into()),
    ]);
    if !outputs.is_empty() {
        template.insert("Outputs".into(), outputs.into());
    }
    format!("{:#}\n", Value::Object(template))
}

/// Letters and digits, as logical ids are: `deputy-broker` is `DeputyBroker`.
fn logical(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    words.map(capital).collect()
}

fn numbered(id: &str, i: usize) -> String {
    match i {
        0 => id.to_owned(),
        _ => format!("{id}{}", i + 1),
    }
}
