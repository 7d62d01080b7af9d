//! Texts made to take long to read: what a tenant would send who wants to fill an admission webhook's memory.

use deputy_policy::document::MAX_TEXT_BYTES;

/// Texts of the largest size, made to take much time or memory to read or to refuse.
pub fn texts() -> Vec<(&'static str, String)> {
    /// So many items that the text is just not too large.
    fn full(head: &str, item: &str, tail: &str) -> String {
        let room = MAX_TEXT_BYTES - head.len() - tail.len();
        let items = vec![item; (room + 1) / (item.len() + 1)];
        format!("{head}{}{tail}", items.join(","))
    }
    let document = r#"{"Version":"2012-10-17","Statement":"#;
    let allow = |rest: &str| format!(r#"{document}{{"Effect":"Allow",{rest}"#);
    let actions = allow(r#""Resource":"*","Action":["#);
    let resources = allow(r#""Action":"*","Resource":["#);
    let under = |operator: &str| {
        allow(&format!(
            r#""Action":"*","Resource":"*","Condition":{{"{operator}":{{"#
        ))
    };
    let long = "k".repeat(4000);
    let nested = format!("{{\"{long}\":").repeat(7) + "{";
    let values = |operator: &str, key: &str| format!(r#"{}"{key}":["#, under(operator));
    vec![
        ("empty lists", full("[", "[]", "]")),
        ("empty statements", full(&format!("{document}["), "{}", "]}")),
        (
            "statements",
            full(
                &format!("{document}["),
                r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
                "]}",
            ),
        ),
        ("actions", full(&actions, r#""a:*""#, "]}}")),
        ("empty actions", full(&actions, r#""""#, "]}}")),
        ("resources", full(&resources, r#""arn:aws:s3:::*""#, "]}}")),
        ("variables", full(&resources, r#""arn:aws:s3:::${a:b}""#, "]}}")),
        ("values", full(&values("StringEquals", "a:b"), r#""""#, "]}}}}")),
        (
            "wrong values of a long key",
            full(&values("Bool", &format!("a:{long}")), "1", "]}}}}"),
        ),
        (
            "keys that are one",
            full(&under("Bool"), r#""a:b":"true""#, "}}}}"),
        ),
        (
            "keys that are one, far down",
            full(&nested, r#""":1"#, &"}".repeat(8)),
        ),
        (
            "unknown elements",
            full(&format!("{document}{{"), r#""a":1"#, "}}"),
        ),
        ("long numbers", full("[", "0.1234567890123456", "]")),
    ]
}
