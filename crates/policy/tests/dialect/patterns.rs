//! Actions and resources.

use crate::support::*;

#[test]
fn actions_are_a_star_or_a_service_and_a_name() {
    for good in [
        "*",
        "s3:*",
        "s3:Get*",
        "S3:getobject",
        "ec2:Describe?nstances",
        "execute-api:Invoke",
        "a4b:x",
    ] {
        accepts(&action(json!(good)), Identity);
    }
    for bad in [
        "*:*",
        "s*:GetObject",
        "?3:Get",
        "s3",
        "s3:",
        ":Get",
        "s3:Get Object",
        "s3:Get:Object",
        "",
        "s3:${a:b}",
    ] {
        refuses(
            &action(json!(bad)),
            Identity,
            Kind::Action,
            "Statement[0].Action[0]",
        );
    }
}

#[test]
fn resources_are_a_star_or_a_complete_arn() {
    for good in [
        "*",
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::*",
        "arn:*:s3:::b",
        "arn:aws:ec2:*:*:*/*",
        "arn:aws:dynamodb:us-east-1:123456789012:table/t?",
        "arn:aws:s3:::home/${aws:username}/*",
        "arn:aws:s3:::home/${aws:PrincipalTag/team, 'company-wide'}/${*}${?}${$}",
        "arn:aws:states:us-east-1:123456789012:execution:a:b:c",
    ] {
        accepts(&get_object(json!(good)), Identity);
    }
    for bad in [
        "",
        "bucket",
        "arn:aws:s3:::",
        "aws:s3:::example_bucket",
        "arn:aws:s3:bucket",
        "arn:aws:*:::x",
        "arn:aws:s?:::x",
        "arn:aw*:s3:::x",
        "arn:aws:ec2:us-*:*:instance/*",
        "arn:aws:ec2:*:12345678901?:instance/*",
        "arn:aws:s3::${aws:PrincipalAccount}:x",
        "arn:aws:s3:::x/${aws:username",
        "arn:aws:s3:::x/${}",
        "arn:aws:s3:::x/${aws:username, other}",
        "arn:aws:s3:::x/${aws:username,'*'}",
        "arn:aws:s3:::x/${aws:TagKeys}",
        "arn::s3:::x",
        "ARN:aws:s3:::x",
    ] {
        if bad == "arn:aws:s3:::" {
            accepts(&get_object(json!(bad)), Identity);
        } else {
            refuses(
                &get_object(json!(bad)),
                Identity,
                Kind::Resource,
                "Statement[0].Resource[0]",
            );
        }
    }
}

#[test]
fn a_variable_in_not_resource_needs_a_default() {
    let with = |text: &str| statement(json!({"Effect": "Deny", "Action": "s3:*", "NotResource": text}));
    refuses(
        &with("arn:aws:s3:::${aws:username}"),
        Identity,
        Kind::Resource,
        "Statement[0].NotResource[0]",
    );
    accepts(&with("arn:aws:s3:::${aws:username, 'none'}"), Identity);
}
