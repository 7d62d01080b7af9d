//! What a template language should have expanded.

use deputy_policy::Code;
use serde_json::json;

use super::{codes, found};

#[test]
fn the_spelling_of_terraform_is_text() {
    for (text, meant) in [
        (
            "arn:aws:s3:::b/&{aws:username}/*",
            "arn:aws:s3:::b/${aws:username}/*",
        ),
        (
            "arn:aws:s3:::b/$${aws:username}/*",
            "arn:aws:s3:::b/${aws:username}/*",
        ),
        (
            "arn:aws:s3:::b/&{aws:username}/&{aws:userid}",
            "arn:aws:s3:::b/${aws:username}/${aws:userid}",
        ),
    ] {
        let statement =
            json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::a/*", text]});
        let found = found(Code::TemplateSyntax, &statement);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].path, "Statement[0].Resource[1]");
        assert_eq!(found[0].suggestion.as_deref(), Some(meant));
        assert!(found[0].message.contains("Terraform"), "{}", found[0].message);
    }
    let statement = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*",
        "Condition": {"StringLike": {"s3:prefix": ["home/&{aws:username}/*"]}}});
    assert_eq!(
        found(Code::TemplateSyntax, &statement)[0].path,
        "Statement[0].Condition.StringLike.s3:prefix[0]"
    );
    let not =
        json!({"Effect": "Deny", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b/&{aws:username}"});
    assert_eq!(codes(&not), [Code::TemplateSyntax]);
}

#[test]
fn braces_of_templates_are_named() {
    let statement =
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{{ bucket }}/*"});
    let found = found(Code::TemplateSyntax, &statement);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].suggestion, None);
}

#[test]
fn other_signs_are_what_they_are() {
    for text in [
        "arn:aws:s3:::b/${aws:username}/*",
        "arn:aws:s3:::b/a&b",
        "arn:aws:s3:::b/$5",
        "arn:aws:s3:::b/${$}{a}",
        "arn:aws:s3:::b/{a}",
        "arn:aws:s3:::b/a}}{{b",
    ] {
        let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": text});
        assert_eq!(codes(&statement), [], "{text}");
    }
}
