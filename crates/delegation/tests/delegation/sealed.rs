use deputy_delegation::{boundary::*, model::*, quota};
use deputy_policy::{Candidate, contains};
use serde_json::{Value, json};

use crate::support::*;

fn boundary_of(limit: &Limit) -> GeneratedBoundary {
    compile(&cluster(), &account(), limit).unwrap()
}

fn buckets(count: usize) -> Limit {
    let statements: Vec<Value> = (0..count)
        .map(|i| {
            // Twice as many actions as statements, so that no two of them share a deny.
            let action = json!([format!("s3:Get{i:02}*"), format!("s3:Put{i:02}*")]);
            allow(action, json!(format!("arn:aws:s3:::bucket-{i:04}/*")))
        })
        .collect();
    limit("buckets", json!(statements))
}

#[test]
fn a_boundary_denies_what_lies_outside_of_its_ceiling() {
    let sealed = boundary_of(&limit("payments", productionapp())).sealed;
    assert_eq!(
        sealed,
        Sealed {
            actions: true,
            statements: 2,
            of: 2,
            open: vec![]
        }
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let mut seen = (false, false, false);
    for count in 1..=60 {
        let limit = buckets(count);
        let Ok(boundary) = compile(&cluster(), &account(), &limit) else {
            break;
        };
        assert!(boundary.document.size() <= quota::MANAGED_POLICY);
        let candidate = Candidate::new(&[&limit.ceiling]);
        let Sealed {
            actions,
            statements,
            of,
            open,
        } = boundary.sealed;
        assert_eq!(of, count);
        assert_eq!(actions && statements == of, open.is_empty(), "{open:?}");
        match (actions, statements == of) {
            (true, true) => seen.0 = true,
            (true, false) => {
                seen.1 = true;
                assert!(
                    open.iter()
                        .all(|note| note.starts_with("resources of Statement[")),
                    "{open:?}"
                );
                assert!(
                    open.iter().all(|note| note.contains("6144") && note.len() < 1024),
                    "{open:?}"
                );
            }
            (false, _) => {
                seen.2 = true;
                assert!(
                    open.iter()
                        .any(|note| note.starts_with("other actions: AWS takes 6144")),
                    "{open:?}"
                );
            }
        }
        // What the limit allows and Deputy's own deny does not touch, the boundary allows.
        assert!(contains(&candidate, &boundary.document).is_contained(), "{count}");
    }
    assert_eq!(seen, (true, true, true));
}

#[test]
fn what_can_not_be_sealed_is_said() {
    let mut conditional = allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*"));
    conditional["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
    let statements = json!([
        conditional,
        allow(json!("s3:*"), json!("arn:aws:s3:::c/*")),
        {"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"},
    ]);
    let sealed = boundary_of(&limit("notes", statements)).sealed;
    assert!(!sealed.actions);
    assert_eq!((sealed.statements, sealed.of), (2, 3));
    assert_eq!(
        sealed.open,
        [
            "other actions: the ceiling says with NotAction which it allows, and another statement allows some of them",
            "resources of Statement[1]: no deny is exact where statements have actions in common, or say NotAction or NotResource",
            "conditions of Statement[0]: a resource policy can still allow the same without them",
        ]
    );
}
