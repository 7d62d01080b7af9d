use super::*;

/// Every key of the service reference, with some text where the policy's author chooses it.
fn keys_of_services() -> impl Iterator<Item = String> {
    let keys = reference::table::services().flat_map(|service| service.condition_keys());
    keys.map(|key| key.name.to_lowercase().replace('*', "x"))
}

#[test]
fn every_key_of_a_service_is_known() {
    let mut count = 0;
    // The hosts of some identity providers are open in the middle, which the table leaves out.
    for key in keys_of_services().filter(|key| !key.contains(".x.") && !key.starts_with("idcs-x")) {
        count += 1;
        assert!(look_up(&key).is_some(), "{key}");
    }
    assert!(count > 1000);
}

#[test]
fn keys_of_services_have_the_arity_of_the_reference() {
    for key in [
        "s3:prefix",
        "iam:passedtoservice",
        "kms:viaservice",
        "ec2:resourcetag/team",
    ] {
        assert_eq!(arity(key), Single, "{key}");
    }
    for key in [
        "dynamodb:leadingkeys",
        "kms:encryptioncontextkeys",
        "route53:changeresourcerecordsetsactions",
        "elasticloadbalancing:listenerprotocol",
    ] {
        assert_eq!(arity(key), Multi, "{key}");
    }
    for key in [
        "identitystore:userid",
        "codestar-connections:provideraction",
        "s3:nosuchkey",
        "x:y",
        "",
        ":",
    ] {
        assert_eq!(arity(key), Unknown, "{key}");
    }
}

#[test]
fn a_service_may_make_a_list_of_a_key() {
    for key in ["s3:prefix", "kms:encryptioncontext:app", "ec2:resourcetag/team"] {
        assert_eq!(lasting_arity(key, false), Single, "{key}");
        assert_eq!(lasting_arity(key, true), Unknown, "{key}");
    }
    for key in [
        "aws:sourceip",
        "aws:principaltag/team",
        "aws:requesttag/team",
        "sts:rolesessionname",
        "oidc.eks.us-east-1.amazonaws.com/id/e:sub",
    ] {
        assert_eq!(lasting_arity(key, true), Single, "{key}");
    }
    for (key, arity) in [
        ("aws:tagkeys", Multi),
        ("dynamodb:leadingkeys", Multi),
        ("s3:nosuchkey", Unknown),
        ("route53:vpcs", Unknown),
    ] {
        for used in [false, true] {
            assert_eq!(lasting_arity(key, used), arity, "{key}");
        }
    }
}

#[test]
fn every_key_of_a_service_that_has_one_value_is_doubted_under_a_set_operator() {
    for key in keys_of_services() {
        if in_guide(&key).is_none() && claim(&key).is_none() {
            assert_ne!(lasting_arity(&key, true), Single, "{key}");
        }
    }
}

#[test]
fn free_text_in_a_key_is_any_text_but_none() {
    assert_eq!(arity("aws:requesttag/a:b/c"), Single);
    assert_eq!(arity("kms:encryptioncontext:aws:s3:arn"), Single);
    assert_eq!(arity("codebuild:filesystemlocations/a.location"), Single);
    assert_eq!(arity("codebuild:filesystemlocations/.location"), Unknown);
    assert_eq!(arity("codebuild:filesystemlocations/a.colour"), Unknown);
    assert_eq!(arity("aws:requesttag/"), Unknown);
    assert_eq!(arity("aws:requesttag"), Unknown);
}

#[test]
fn the_guide_wins_over_the_reference() {
    assert_eq!(arity("cognito-identity.amazonaws.com:amr"), Multi);
    assert_eq!(value_type("aws:sourceip"), Some(IpAddress));
    assert_eq!(value_type("aws:currenttime"), Some(Date));
    assert_eq!(value_type("aws:multifactorauthage"), Some(Numeric));
    assert_eq!(value_type("aws:securetransport"), Some(Bool));
    assert_eq!(value_type("aws:epochtime"), None);
    for key in [
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:tagkeys",
        "sts:transitivetagkeys",
    ] {
        assert_eq!(arity(key), Multi, "{key}");
    }
}

#[test]
fn claims_of_providers_are_known_by_their_end() {
    let eks = "oidc.eks.us-east-1.amazonaws.com/id/exampled539d4633e53de1b71example";
    assert_eq!(arity(&format!("{eks}:sub")), Single);
    assert_eq!(arity(&format!("{eks}:aud")), Single);
    assert_eq!(arity("login.example.com:amr"), Multi);
    assert_eq!(arity("token.actions.githubusercontent.com:actor"), Single);
    assert_eq!(
        lasting_arity("token.actions.githubusercontent.com:actor", true),
        Unknown
    );
    assert_eq!(arity("login.example.com:actor"), Unknown);
    assert_eq!(arity("nohost:sub"), Unknown);
}

#[test]
fn only_values_that_iam_makes_are_free_of_wildcards() {
    for key in [
        "aws:username",
        "aws:userid",
        "aws:principaltag/team",
        "aws:sourceip",
        "aws:epochtime",
    ] {
        assert!(!value_may_have_wildcards(key), "{key}");
    }
    for key in [
        "aws:requesttag/team",
        "aws:resourcetag/team",
        "saml:sub",
        "aws:useragent",
        "s3:prefix",
        "aws:principaltag/",
    ] {
        assert!(value_may_have_wildcards(key), "{key}");
    }
}
