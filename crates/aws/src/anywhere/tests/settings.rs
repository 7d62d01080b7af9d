use std::time::Duration;

use super::*;
use crate::anywhere::RolesAnywhereError;

fn changed(change: impl FnOnce(&mut RolesAnywhereSettings)) -> Result<RolesAnywhere, RolesAnywhereError> {
    let mut settings = plain_settings(Path::new("/nowhere"));
    change(&mut settings);
    RolesAnywhere::new(settings)
}

#[test]
fn each_partition_has_its_own_endpoint() {
    assert_eq!(
        changed(|_| ()).unwrap().endpoint(),
        "https://rolesanywhere.eu-west-1.amazonaws.com"
    );
    let of = |partition: &str, region: &str| {
        changed(|s| {
            let arn = |kind: &str| format!("arn:{partition}:rolesanywhere:{region}:123456789012:{kind}/{ID}");
            s.trust_anchor = TrustAnchorArn::parse(&arn("trust-anchor")).unwrap();
            s.profile = ProfileArn::parse(&arn("profile")).unwrap();
            s.role = RoleArn::parse(&format!("arn:{partition}:iam::123456789012:role/b")).unwrap();
        })
    };
    assert_eq!(
        of("aws-cn", "cn-north-1").unwrap().endpoint(),
        "https://rolesanywhere.cn-north-1.amazonaws.com.cn"
    );
    assert_eq!(
        of("aws-us-gov", "us-gov-west-1").unwrap().endpoint(),
        "https://rolesanywhere.us-gov-west-1.amazonaws.com"
    );
    assert_eq!(
        of("aws-iso", "us-iso-east-1").unwrap_err().to_string(),
        "no endpoint of IAM Roles Anywhere is known in partition aws-iso: name one"
    );
}

#[test]
fn what_aws_would_refuse_every_time_is_refused_at_the_start() {
    let account = changed(|s| s.role = RoleArn::parse("arn:aws:iam::210987654321:role/b").unwrap());
    let message = account.unwrap_err().to_string();
    assert!(
        message.starts_with(
            "role arn:aws:iam::210987654321:role/b is of account 210987654321 in partition aws, and trust anchor \
             arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/"
        ),
        "{message}"
    );
    let region = changed(|s| {
        let arn = format!("arn:aws:rolesanywhere:eu-west-2:123456789012:profile/{ID}");
        s.profile = ProfileArn::parse(&arn).unwrap();
    });
    let message = region.unwrap_err().to_string();
    assert!(
        message.contains("is in another region than trust anchor"),
        "{message}"
    );
    for seconds in [0, 899, 43_201, u64::MAX] {
        let session = changed(|s| s.session = Duration::from_secs(seconds));
        assert_eq!(session.unwrap_err(), RolesAnywhereError::Session(seconds));
    }
    for endpoint in ["", "http://rolesanywhere.example", "https://user@host"] {
        let error = changed(|s| s.endpoint = Some(endpoint.to_owned())).unwrap_err();
        assert_eq!(error, RolesAnywhereError::Endpoint(endpoint.to_owned()));
    }
}
