//! Anybody who reaches the webhook may ask it: what is told to whom.

use super::*;

/// A review as somebody makes it up who knows no uid.
fn made_up(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    object
}

fn granted() -> Facts {
    let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
    bound["metadata"]["uid"] = json!("6c0a9a6e-0000-0000-0000-000000000004");
    let roles = (0..6).map(|i| role_of("payments", &format!("secret-{i}"), &["s3:PutObject"]));
    let mut objects: Vec<Value> = roles.collect();
    objects.extend([
        account(),
        limit(&["s3:GetObject", "s3:PutObject"]),
        role(&["s3:GetObject"]),
        bound,
    ]);
    facts(&objects)
}

#[test]
fn names_of_others_are_told_only_to_who_shows_the_object_as_it_is_stored() {
    let facts = granted();
    let (old, new) = (limit(&["s3:GetObject", "s3:PutObject"]), limit(&["s3:GetObject"]));
    let narrow_role = role(&["s3:PutObject"]);
    type Ask<'a> = Box<dyn Fn(&dyn Fn(&Value) -> Value) -> Answer + 'a>;
    let asks: [(&str, Ask<'_>); 4] = [
        (
            "delete the limit",
            Box::new(|as_shown| delete(&facts, &as_shown(&old))),
        ),
        (
            "narrow the limit",
            Box::new(|as_shown| update(&facts, &as_shown(&old), &as_shown(&new))),
        ),
        (
            "delete the account",
            Box::new(|as_shown| delete(&facts, &as_shown(&account()))),
        ),
        (
            "narrow the limit as is meant",
            Box::new(|as_shown| {
                let mut new = as_shown(&new);
                new["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": "100"});
                update(&facts, &as_shown(&old), &new)
            }),
        ),
    ];
    for (what, ask) in asks {
        let shown = ask(&Value::clone).0.to_string();
        assert!(shown.contains("payments/secret-0"), "{what}: {shown}");
        for forge in [&made_up as &dyn Fn(&Value) -> Value, &|object: &Value| {
            let mut object = object.clone();
            object["metadata"].as_object_mut().unwrap().remove("uid");
            object
        }] {
            let told = ask(forge).0.to_string();
            assert!(
                !told.contains("secret") && !told.contains("nightly"),
                "{what}: {told}"
            );
            assert!(told.contains("kubectl get awsroles"), "{what}: {told}");
        }
    }
    // A role's bindings are its namespace's.
    let told = update(&facts, &made_up(&role(&["s3:GetObject"])), &made_up(&narrow_role))
        .0
        .to_string();
    assert!(!told.contains("nightly"), "{told}");
}

#[test]
fn what_is_made_shows_nothing_that_is_stored() {
    let facts = granted();
    let told = create(&facts, &binding("second", None)).0.to_string();
    assert!(told.contains("Shadowed") && !told.contains("nightly"), "{told}");
    let mut other = limit(&["s3:ListBucket"]);
    other["metadata"] = json!({"name": "z-other", "uid": "6c0a9a6e-0000-0000-0000-000000000009"});
    other["spec"]["boundary"] = json!({"type": "CheckOnly"});
    let told = create(&facts, &other).0.to_string();
    assert!(
        told.contains("would suspend") && !told.contains("secret"),
        "{told}"
    );
}

#[test]
fn a_refusal_says_in_its_details_which_object_it_is_about() {
    let mut wrong = role(&["s3:GetObject"]);
    wrong["spec"]["policies"][0]["name"] = json!("A B");
    for object in [&role(&["s3:*"]), &wrong] {
        let details = create(&usual(), object).0["status"]["details"].clone();
        assert_eq!(
            (&details["kind"], &details["name"], &details["group"]),
            (&json!("AWSRole"), &json!(ROLE_NAME), &json!("deputy.dev")),
            "{details:#}"
        );
    }
}
