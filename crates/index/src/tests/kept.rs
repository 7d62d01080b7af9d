//! Objects that are read again when somebody asks for them.

use super::*;

/// More than stay read.
const MANY: usize = 400;

#[test]
fn an_object_that_is_read_again_is_the_same() {
    let (all_read, index) = (empty(), empty());
    let roles = || (0..MANY).map(|i| object(role("payments", &format!("role-{i}"), &format!("s3:Get{i}"))));
    let bindings = || {
        (0..MANY).map(|i| {
            object(binding(
                "payments",
                &format!("b-{i}"),
                &format!("role-{i}"),
                &["api"],
            ))
        })
    };
    index.reset(ResourceKind::Roles, roles());
    index.reset(ResourceKind::Bindings, bindings());
    for (i, (role, binding)) in roles().zip(bindings()).enumerate() {
        // This index holds no other: what it was told of is still read.
        all_read.reset(ResourceKind::Roles, [role]);
        all_read.reset(ResourceKind::Bindings, [binding]);
        let id = role_id("payments", &format!("role-{i}"));
        let again = index.role(&id).unwrap().parsed().unwrap();
        assert_eq!(again, all_read.role(&id).unwrap().parsed().unwrap());
        let id = super::id("payments", &format!("b-{i}"));
        let again = index.binding(&id).unwrap().parsed().unwrap();
        assert_eq!(again, all_read.binding(&id).unwrap().parsed().unwrap());
        assert!(again.uid.is_some() && again.created > 0, "{again:?}");
    }
}

#[test]
fn what_changed_is_never_answered_from_what_was_read_before() {
    let index = empty();
    let id = role_id("payments", "reader");
    for generation in 1..=3 {
        let action = format!("s3:Get{generation}");
        let role = with(
            role("payments", "reader", &action),
            "/metadata/generation",
            json!(generation),
        );
        index.apply(ResourceKind::Roles, object(role));
        let read = index.role(&id).unwrap().parsed().unwrap();
        assert!(format!("{read:?}").contains(&action), "{read:?}");
    }
}

#[test]
fn the_little_that_is_known_of_an_object_is_what_it_says() {
    let index = index();
    for id in index.roles() {
        let view = index.role(&id).unwrap();
        let (head, role) = (view.head().unwrap(), view.parsed().unwrap());
        assert_eq!(
            (&head.account, head.is_existing),
            (&role.account, role.existing().is_some())
        );
    }
    for id in index.bindings() {
        let view = index.binding(&id).unwrap();
        let (head, binding) = (view.head().unwrap(), view.parsed().unwrap());
        assert_eq!((&head.role, head.created), (&binding.role, binding.created));
        assert!(
            head.service_accounts
                .iter()
                .eq(binding.subjects.service_accounts())
        );
    }
}
