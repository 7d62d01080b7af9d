//! The listing of an account: all roles in full, page by page.

use deputy_delegation::names::IamPath;

use super::{Server, at, clients, error, is_decoded, ok};
use crate::{CallPurpose, ErrorClass};

fn role(name: &str, more: &str) -> String {
    format!(
        "<member><Path>/deputy/demo/</Path><RoleName>{name}</RoleName><RoleId>AROA{name}</RoleId>\
         <Arn>arn:aws:iam::123456789012:role/deputy/demo/{name}</Arn><CreateDate>2026-11-21T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</AssumeRolePolicyDocument>{more}</member>"
    )
}

fn page(roles: &[String], next: &str) -> String {
    format!("<RoleDetailList>{}</RoleDetailList>{next}", roles.concat())
}

const POLICIES: &str = "<RolePolicyList><member><PolicyName>deputy</PolicyName><PolicyDocument>%7B%22a%22%3A%22x+y%22%7D</PolicyDocument>\
    </member></RolePolicyList><AttachedManagedPolicies><member><PolicyName>p</PolicyName>\
    <PolicyArn>arn:aws:iam::aws:policy/AdministratorAccess</PolicyArn></member></AttachedManagedPolicies>\
    <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
    <PermissionsBoundaryArn>arn:aws:iam::123456789012:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
    <Tags><member><Key>deputy-cluster</Key><Value>demo</Value></member></Tags>";

#[tokio::test]
async fn a_listing_has_roles_in_full_and_leaves_out_others() {
    const GET: &str = "GetAccountAuthorizationDetails";
    let elsewhere = role("theirs", "").replace("/deputy/demo/", "/terraform/");
    let senseless = role("senseless", "").replace("%22%7D", "%2");
    let more = "<IsTruncated>true</IsTruncated><Marker>m1</Marker>";
    let server = Server::start([
        ok(GET, &page(&[role("a", POLICIES), elsewhere, senseless], more)),
        ok(GET, &page(&[role("b", "")], "<IsTruncated>false</IsTruncated>")),
        ok(
            "ListRoles",
            &format!(
                "<Roles>{}</Roles><IsTruncated>false</IsTruncated>",
                role("a", "<MaxSessionDuration>7200</MaxSessionDuration>")
            ),
        ),
    ])
    .await;
    let roles = clients(Default::default()).roles(&at(&server), CallPurpose::Look);
    let path = IamPath::new("/deputy/demo/").unwrap();
    let first = roles.role_details(&path, None).await.unwrap();
    assert_eq!((first.roles.len(), first.next.as_deref()), (1, Some("m1")));
    let second = roles.role_details(&path, first.next.as_deref()).await.unwrap();
    assert_eq!((second.roles.len(), second.next), (1, None));
    assert!(second.roles[0].tags().is_empty());

    let listed = &roles.list_roles(&path).await.unwrap()[0];
    assert_eq!(
        second.roles.into_iter().next().unwrap().with(listed),
        None,
        "another role"
    );
    let role = first.roles.into_iter().next().unwrap().with(listed).unwrap();
    assert_eq!(role.trust, r#"{"Version":"2012-10-17"}"#);
    is_decoded(&role, "AROAa");

    let requests = server.requests();
    assert!(
        requests[0].contains("&Filter.member.1=Role&MaxItems=500"),
        "{}",
        requests[0]
    );
    assert!(requests[1].contains("&Marker=m1"), "{}", requests[1]);
}

#[tokio::test]
async fn a_listing_that_is_refused_or_never_ends_is_an_error() {
    const GET: &str = "GetAccountAuthorizationDetails";
    let path = IamPath::new("/deputy/demo/").unwrap();
    for (answer, class) in [
        (
            error(403, "AccessDenied", "not authorized"),
            ErrorClass::AccessDenied,
        ),
        (
            ok(
                GET,
                &page(&[], "<IsTruncated>true</IsTruncated><Marker>m1</Marker>"),
            ),
            ErrorClass::Other,
        ),
    ] {
        let server = Server::start([answer]).await;
        let roles = clients(Default::default()).roles(&at(&server), CallPurpose::Look);
        let found = roles.role_details(&path, Some("m1")).await;
        assert_eq!(found.unwrap_err().class(), class);
    }
}
