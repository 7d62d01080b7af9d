//! Whether the trust policy of a role lets the pods of a grant become it today.

use deputy_delegation::RoleArn;
use deputy_policy::{
    Caller, Context, Document, PolicyKind, Principal, PrincipalElement, Request, Statement, evaluate_trust,
};
use serde_json::Value;

use super::former::{OldGrant, OldWay};

const PODS: &str = "pods.eks.amazonaws.com";

/// Why the pods of `grant` do not become `role`, whose trust policy is `trust`.
pub fn refusal(trust: &Value, role: &RoleArn, grant: &OldGrant) -> Option<String> {
    if grant.way == OldWay::Node {
        return None;
    }
    let trust = match Document::from_value(trust, PolicyKind::Trust) {
        Ok(trust) => trust,
        Err(errors) => return Some(format!("the trust policy of {role} can't be read: {errors}")),
    };
    let (calls, who) = match &grant.way {
        OldWay::Node => return None,
        OldWay::Token { audience } => {
            let subject = format!(
                "system:serviceaccount:{}:{}",
                grant.namespace, grant.service_account
            );
            let of_provider = |provider| with_token(provider, role, &subject, audience);
            let calls: Vec<Vec<Request>> = providers(&trust, role).map(of_provider).collect();
            (calls, format!("{subject} with a token for {audience}"))
        }
        OldWay::Association { arn, is_tagged } => {
            let calls = vec![by_association(arn.as_deref(), *is_tagged, role, grant)];
            (calls, format!("{PODS} for this ServiceAccount"))
        }
    };
    let is_allowed = |request| evaluate_trust(&trust, request).is_allowed();
    let becomes = calls.iter().any(|call| call.iter().all(is_allowed));
    (!becomes).then(|| {
        format!("it does not become {role} today: the role's trust policy does not allow it to {who}")
    })
}

/// The OIDC providers that the policy names, of the role's account: AWS takes tokens of no others.
fn providers<'d>(trust: &'d Document, role: &RoleArn) -> impl Iterator<Item = &'d str> {
    let own = format!("arn:{}:iam::{}:oidc-provider/", role.partition(), role.account());
    let named = |statement: &'d Statement| match &statement.principal {
        Some(PrincipalElement::Principal(Principal::Listed { federated, .. })) => federated.as_slice(),
        _ => &[],
    };
    let all = trust.statements().iter().flat_map(named).map(String::as_str);
    all.filter(move |provider| provider.starts_with(&own))
}

fn with_token(provider: &str, role: &RoleArn, subject: &str, audience: &str) -> Vec<Request> {
    let host = provider.split_once('/').map_or(provider, |(_, host)| host);
    let context = Context::new()
        .with(format!("{host}:sub"), subject)
        .with(format!("{host}:aud"), audience);
    let caller = Caller::Federated(provider.to_owned());
    vec![request("sts:AssumeRoleWithWebIdentity", role, caller, context)]
}

/// What EKS asks, with the tags that it sets (EKS User Guide, "Grant Pods access to AWS resources based on tags").
fn by_association(arn: Option<&str>, is_tagged: bool, role: &RoleArn, grant: &OldGrant) -> Vec<Request> {
    let caller = Caller::Service(PODS.to_owned());
    let mut context = caller.context().with("aws:PrincipalServiceName", PODS);
    // arn:aws:eks:eu-west-1:123456789012:podidentityassociation/production/a-example1
    let cluster = arn.and_then(|arn| {
        let (head, rest) = arn.split_once(":podidentityassociation/")?;
        let account = head.rsplit(':').next()?;
        Some((head, account, rest.split('/').next()?))
    });
    let mut tags = vec![
        ("kubernetes-namespace", grant.namespace.clone()),
        ("kubernetes-service-account", grant.service_account.clone()),
    ];
    if let Some((head, account, name)) = cluster {
        let cluster = format!("{head}:cluster/{name}");
        context.set("aws:SourceArn", [cluster.as_str()]);
        context.set("aws:SourceAccount", [account]);
        tags.extend([
            ("eks-cluster-arn", cluster),
            ("eks-cluster-name", name.to_owned()),
        ]);
    }
    let mut actions = vec!["sts:AssumeRole"];
    if is_tagged {
        actions.push("sts:TagSession");
        // Which pod it is no export says: a policy that asks for one is taken to refuse.
        let pod = ["kubernetes-pod-name", "kubernetes-pod-uid"];
        let keys = tags.iter().map(|(key, _)| *key).chain(pod);
        context.set("aws:TagKeys", keys);
        for (key, value) in tags {
            context.set(format!("aws:RequestTag/{key}"), [value]);
        }
    }
    let ask = |action| request(action, role, caller.clone(), context.clone());
    actions.into_iter().map(ask).collect()
}

fn request(action: &str, role: &RoleArn, caller: Caller, context: Context) -> Request {
    Request {
        action: action.to_owned(),
        resource: role.to_string(),
        principal: Some(caller),
        context,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROVIDER: &str =
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE";
    const HOST: &str = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE";

    fn refused(statement: Value, way: OldWay) -> Option<String> {
        let role = RoleArn::parse("arn:aws:iam::123456789012:role/app").unwrap();
        let grant = OldGrant {
            namespace: "payments".to_owned(),
            service_account: "uploader".to_owned(),
            role: role.to_string(),
            way,
        };
        refusal(
            &json!({"Version": "2012-10-17", "Statement": statement}),
            &role,
            &grant,
        )
    }

    fn irsa(provider: &str, key: &str, value: &str) -> Value {
        json!([{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider},
            "Condition": {"StringLike": {format!("{HOST}:{key}"): value}},
        }])
    }

    #[test]
    fn a_token_opens_what_names_its_provider_subject_and_audience() {
        let token = |audience: &str| OldWay::Token {
            audience: audience.to_owned(),
        };
        let of = |statement| refused(statement, token("sts.amazonaws.com"));
        assert_eq!(
            of(irsa(PROVIDER, "sub", "system:serviceaccount:payments:*")),
            None
        );
        assert_eq!(of(irsa(PROVIDER, "aud", "sts.amazonaws.com")), None);
        assert_eq!(
            of(irsa(PROVIDER, "sub", "system:serviceaccount:reports:*")).unwrap(),
            "it does not become arn:aws:iam::123456789012:role/app today: the role's trust policy does not allow it to \
             system:serviceaccount:payments:uploader with a token for sts.amazonaws.com"
        );
        let of_other = PROVIDER.replace("123456789012", "210987654321");
        assert!(of(irsa(&of_other, "aud", "sts.amazonaws.com")).is_some());
        assert!(refused(irsa(PROVIDER, "aud", "sts.amazonaws.com"), token("vault")).is_some());
        let human = json!([{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::123456789012:role/human"},
        }]);
        assert!(of(human.clone()).is_some());
        assert_eq!(refused(human, OldWay::Node), None);
        assert!(of(json!([])).unwrap().contains("can't be read"));
    }

    #[test]
    fn eks_opens_what_names_it_and_lets_it_tag() {
        let eks = |actions: Value, condition: Value| json!([{"Effect": "Allow", "Action": actions, "Principal": {"Service": PODS}, "Condition": condition}]);
        let both = json!(["sts:AssumeRole", "sts:TagSession"]);
        let arn = "arn:aws:eks:eu-west-1:123456789012:podidentityassociation/production/a-1";
        let of = |statement, is_tagged| {
            refused(
                statement,
                OldWay::Association {
                    arn: Some(arn.to_owned()),
                    is_tagged,
                },
            )
        };
        assert_eq!(of(eks(both.clone(), json!({})), true), None);
        let here = json!({
            "ArnEquals": {"aws:SourceArn": "arn:aws:eks:eu-west-1:123456789012:cluster/production"},
            "StringEquals": {"aws:SourceAccount": "123456789012", "aws:RequestTag/kubernetes-namespace": "payments"},
        });
        assert_eq!(of(eks(both.clone(), here), true), None);
        let elsewhere = json!({"StringEquals": {"aws:RequestTag/kubernetes-namespace": "reports"}});
        assert!(of(eks(both, elsewhere), true).is_some());
        assert!(of(eks(json!("sts:AssumeRole"), json!({})), true).is_some());
        assert_eq!(of(eks(json!("sts:AssumeRole"), json!({})), false), None);
        assert!(of(irsa(PROVIDER, "aud", "sts.amazonaws.com"), true).is_some());
    }
}
