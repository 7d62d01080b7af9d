//! `AWSResourcePolicyStatement` → [`OwnedStatement`].

use deputy_delegation::{
    ObjectName, PolicyResource, Reason, Violations,
    model::{OwnedStatement, StatementGrant, StatementPrincipal},
    quota::PRINCIPALS_OF_STATEMENT,
};
use deputy_policy::PolicyKind;
use serde_json::{Map, Value, json};

use super::Findings;
use crate::{AWSResourcePolicyStatement, StatementPrincipalKind, StatementPrincipalSpec};

const STATEMENT: &str = "spec.statement";

/// Reads a statement of a resource policy.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_statement(object: &AWSResourcePolicyStatement) -> Result<OwnedStatement, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let id = findings.id(&object.metadata);
    let uid = findings.uid(&object.metadata);
    let account = findings.take(
        "spec.accountRef.name",
        ObjectName::new(spec.account_ref.name.as_str()),
    );
    let resource = findings.take("spec.resourceARN", PolicyResource::parse(&spec.resource_arn));

    let max = PRINCIPALS_OF_STATEMENT;
    findings.count("spec.principals", "principals", spec.principals.len(), 1..=max);
    let principals = spec.principals.iter().enumerate().take(max);
    let principals = principals
        .filter_map(|(i, principal)| principal_of(principal, i, &mut findings))
        .collect();
    let grant = resource
        .as_ref()
        .and_then(|resource| grant(&spec.statement, resource, &mut findings));

    let statement = (|| {
        Some(OwnedStatement {
            id: id?,
            uid,
            account: account?,
            resource: resource?,
            principals,
            grant: grant?,
        })
    })();
    findings.finish(statement)
}

fn principal_of(
    principal: &StatementPrincipalSpec,
    i: usize,
    findings: &mut Findings,
) -> Option<StatementPrincipal> {
    let name = ObjectName::new(principal.name.as_str());
    let name = findings.take(format!("spec.principals[{i}].name"), name)?;
    Some(match principal.kind {
        StatementPrincipalKind::AWSRole => StatementPrincipal::Role(name),
        StatementPrincipalKind::ClusterAWSRole => StatementPrincipal::ClusterRole(name),
        StatementPrincipalKind::AWSFederatedUserBinding => StatementPrincipal::FederatedUser(name),
    })
}

/// The Allow that the statement says, as a policy of an identity would say it.
fn grant(said: &Value, resource: &PolicyResource, findings: &mut Findings) -> Option<StatementGrant> {
    let Some(said) = said.as_object() else {
        findings.push(Reason::Structure, STATEMENT, "has to be an object");
        return None;
    };
    let mut statement = Map::new();
    let mut is_readable = true;
    for (element, value) in said {
        let why = match element.as_str() {
            "Action" | "Resource" | "Condition" => {
                statement.insert(element.clone(), value.clone());
                continue;
            }
            "Effect" if value == "Allow" => continue,
            "Effect" => "it is an Allow: what others are granted here, Deputy does not take away",
            "Sid" => "is Deputy's to set: it says whose the statement is (status.sid)",
            "Principal" | "NotPrincipal" => {
                "is Deputy's to set: spec.principals says which roles and federated users of this namespace get it"
            }
            "NotAction" | "NotResource" => {
                "a statement says what it grants, not what it does not: use Action and Resource"
            }
            _ => "is none of Action, Resource and Condition",
        };
        is_readable = false;
        findings.push(Reason::Structure, format!("{STATEMENT}.{element}"), why);
    }
    if !is_readable {
        return None;
    }
    statement
        .entry("Resource")
        .or_insert_with(|| resource.to_string().into());
    statement.insert("Effect".to_owned(), "Allow".into());
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    let document = findings.document_at(&document, PolicyKind::Identity, |path| {
        path.strip_prefix("Statement[0]")
            .map_or_else(|| STATEMENT.to_owned(), |rest| format!("{STATEMENT}{rest}"))
    })?;
    findings.take(STATEMENT, StatementGrant::new(document, resource))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object() -> Value {
        json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSResourcePolicyStatement",
            "metadata": {"name": "read", "namespace": "reports"},
            "spec": {
                "accountRef": {"name": "production"}, "resourceARN": "arn:aws:s3:::productionapp",
                "principals": [{"kind": "AWSRole", "name": "uploader"}],
                "statement": {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/reports/*"},
            },
        })
    }

    fn parse(object: &Value) -> Result<OwnedStatement, Violations> {
        parse_statement(&serde_json::from_value(object.clone()).unwrap())
    }

    #[test]
    fn a_statement_is_an_allow_of_what_it_says() {
        let statement = parse(&object()).unwrap();
        assert_eq!(statement.resource.to_string(), "arn:aws:s3:::productionapp");
        assert_eq!(statement.principals.len(), 1);
        assert!(
            statement
                .grant
                .to_json()
                .contains("arn:aws:s3:::productionapp/reports/*")
        );
    }

    #[test]
    fn without_resource_it_is_the_resource_itself() {
        let mut object = object();
        object["spec"]["statement"] = json!({"Action": "s3:ListBucket"});
        let grant = parse(&object).unwrap().grant.to_json();
        assert!(
            grant.contains(r#""Resource":"arn:aws:s3:::productionapp""#),
            "{grant}"
        );
    }

    #[test]
    fn what_is_not_the_namespaces_to_say_is_refused() {
        for (statement, at) in [
            (
                json!({"Action": "s3:*", "Principal": "*"}),
                "spec.statement.Principal",
            ),
            (json!({"Action": "s3:*", "Sid": "Mine"}), "spec.statement.Sid"),
            (
                json!({"Action": "s3:*", "Effect": "Deny"}),
                "spec.statement.Effect",
            ),
            (json!({"NotAction": "s3:*"}), "spec.statement.NotAction"),
            (
                json!({"Action": "s3:*", "NotResource": "*"}),
                "spec.statement.NotResource",
            ),
            (json!({"Action": "s3:*", "Extra": 1}), "spec.statement.Extra"),
            (json!({"Action": "*"}), "spec.statement"),
            (json!({"Action": "sqs:SendMessage"}), "spec.statement"),
            (
                json!({"Action": "s3:GetObject", "Resource": "*"}),
                "spec.statement",
            ),
            (
                json!({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp*"}),
                "spec.statement",
            ),
            (
                json!({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::another/x"}),
                "spec.statement",
            ),
            (json!({}), "spec.statement.Action"),
            (json!("s3:GetObject"), "spec.statement"),
        ] {
            let mut object = object();
            object["spec"]["statement"] = statement.clone();
            let refused = parse(&object).expect_err(&statement.to_string());
            let fields: Vec<&str> = refused.iter().map(|v| v.field.as_str()).collect();
            assert_eq!(fields, [at], "{statement}: {refused}");
        }
    }

    #[test]
    fn every_wrong_field_of_a_statement_is_listed() {
        let mut object = object();
        object["spec"]["accountRef"]["name"] = json!("Production");
        object["spec"]["resourceARN"] = json!("arn:aws:s3:::productionapp/*");
        object["spec"]["principals"] = json!([{"kind": "AWSRole", "name": "A"}]);
        let refused = parse(&object).unwrap_err();
        let fields: Vec<&str> = refused.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.accountRef.name",
                "spec.resourceARN",
                "spec.principals[0].name"
            ]
        );
    }
}
