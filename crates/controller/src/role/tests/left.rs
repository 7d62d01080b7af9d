//! When a role is given up, and what is said of it then.

use deputy_aws::{AwsError, ErrorClass};

use crate::{orphans::TriedFor, role::converge::RoleApplyError};

#[test]
fn what_passes_gives_up_no_role_and_what_aws_refuses_may() {
    let ended = |class, code: &'static str| {
        let error = AwsError::new("iam:DeleteRole", class, "no").with_code(code);
        let [read, write] = [RoleApplyError::Read(error.clone()), RoleApplyError::Write(error)];
        assert_eq!(read.ended(), write.ended());
        read.ended()
    };
    for class in ErrorClass::ALL {
        let is_refusal = ended(class, "") == TriedFor::Good;
        assert!(!(is_refusal && class.is_retryable()), "{class}");
    }
    for (class, code, tried_for) in [
        (ErrorClass::AccessDenied, "AccessDenied", TriedFor::Good),
        // An instance profile that holds it, which somebody has to delete.
        (ErrorClass::Conflict, "DeleteConflict", TriedFor::Good),
        (
            ErrorClass::Conflict,
            "EntityTemporarilyUnmodifiable",
            TriedFor::Passing,
        ),
        (ErrorClass::Throttled, "Throttling", TriedFor::Passing),
        (ErrorClass::Unreachable, "", TriedFor::Passing),
        (ErrorClass::Service, "ServiceFailure", TriedFor::Passing),
        // Deputy's own trouble.
        (ErrorClass::NoCredentials, "", TriedFor::Passing),
        (
            ErrorClass::InvalidCredentials,
            "InvalidClientTokenId",
            TriedFor::Passing,
        ),
        (ErrorClass::Other, "", TriedFor::Passing),
    ] {
        assert_eq!(ended(class, code), tried_for, "{class} {code}");
    }
    for passing in [RoleApplyError::NotShown, RoleApplyError::NotLeader] {
        assert_eq!(passing.ended(), TriedFor::Passing);
    }
}
