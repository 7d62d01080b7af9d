//! What holds for every object.

use proptest::prelude::*;

use super::*;

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9:*/${}. -]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,8}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Every field of an object, by pointer.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(k, v)| pointers(v, format!("{at}/{k}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| pointers(v, format!("{at}/{i}"), found)),
        _ => {}
    }
    if at.len() > 1 {
        found.push(at);
    }
}

proptest! {
    #[test]
    fn no_object_however_odd_makes_validation_panic(which in 0usize..4, at in any::<prop::sample::Index>(), odd in anything()) {
        let mut object = [account(), limit(&["s3:GetObject"]), role(&["s3:GetObject"]), binding("b", None)][which].clone();
        let mut all = Vec::new();
        pointers(&object, String::new(), &mut all);
        let pointer = at.get(&all);
        let original = body("CREATE", Some(&object), None);
        *object.pointer_mut(pointer).unwrap() = odd;
        let mut body = original;
        body["request"]["object"] = object.clone();
        let facts = usual();
        for (operation, old) in [("CREATE", Value::Null), ("UPDATE", object.clone()), ("DELETE", object)] {
            body["request"]["operation"] = json!(operation);
            body["request"]["oldObject"] = old;
            let bytes = serde_json::to_vec(&body).unwrap();
            let request = review::parse(&bytes).unwrap();
            let _answer = super::super::review(&facts, &request).unwrap().into_json("u").unwrap();
        }
    }

    #[test]
    fn a_role_is_let_in_exactly_when_it_is_decided_so(actions in prop::sample::subsequence(
        vec!["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:*", "s3:PutObjectAcl"], 1..4)) {
        let within = actions.iter().all(|a| ["s3:GetObject", "s3:PutObject"].contains(a));
        let answer = create(&usual(), &role(&actions));
        prop_assert_eq!(answer.0["allowed"].as_bool().unwrap(), within);
    }
}
