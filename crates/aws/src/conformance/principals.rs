//! Whom a trust policy names: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.

use deputy_delegation::plan::IamCall;

use super::{
    make,
    table::{AnswerTable, outcome},
    world::World,
};

const UNKNOWN: &str = "MalformedPolicyDocument (InvalidPrincipal)";

fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "trusting").await;
    let update = async |principal: &str| {
        let call = IamCall::UpdateAssumeRolePolicy {
            role: role.clone(),
            document: trusting(principal),
        };
        outcome(&world.roles.execute(&call).await)
    };
    // The first principal that the trust policy shows.
    let shown = async || {
        let seen = world.roles.get_role(&role).await.unwrap().unwrap();
        let trust: serde_json::Value = serde_json::from_str(&seen.trust).unwrap();
        let statements = trust.get("Statement");
        let first = statements.and_then(|s| s.get(0)).or(statements);
        let principal = first.and_then(|s| s.pointer("/Principal/AWS"));
        principal.and_then(|p| p.as_str()).unwrap_or_default().to_owned()
    };
    let arn = world.user_arn("one");
    let kind = |principal: String| match principal {
        id if id.starts_with("AIDA") => "AIDA…".to_owned(),
        same if same == arn => "its ARN".to_owned(),
        other => other,
    };
    record.see(
        "UpdateAssumeRolePolicy for a user that is not there",
        UNKNOWN,
        update(&arn).await,
    );
    world.make_user("one").await;
    record.see(
        "UpdateAssumeRolePolicy for a user that is there",
        "ok",
        update(&arn).await,
    );
    record.see("whom it shows", "its ARN", kind(shown().await));
    world.delete_user("one").await;
    let gone = shown().await;
    record.see("whom it shows when the user is gone", "AIDA…", kind(gone.clone()));
    record.see(
        "UpdateAssumeRolePolicy for the id of a user that is gone",
        UNKNOWN,
        {
            let id = if gone.starts_with("AIDA") {
                gone.clone()
            } else {
                "AIDAABCDEFGHIJKLMNOPQ".to_owned()
            };
            update(&id).await
        },
    );
    world.make_user("one").await;
    record.see(
        "whom it shows when there is another one of that name",
        "AIDA…",
        kind(shown().await),
    );
    record.see("UpdateAssumeRolePolicy for that one", "ok", update(&arn).await);
    record.see("whom it shows then", "its ARN", kind(shown().await));
    let account = world.account.id.to_string();
    record.see(
        "UpdateAssumeRolePolicy for an account by its number",
        "ok",
        update(&account).await,
    );
    record.see(
        "whom it shows of it",
        format!("arn:aws:iam::{account}:root"),
        shown().await,
    );
}
