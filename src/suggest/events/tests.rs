//! What is read of events, and what is refused.

use std::io::Write as _;

use super::*;

const EVENT: &str =
    r#"{"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventTime": "2026-11-01T00:00:00Z"}"#;

fn names(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    read_text(text.as_bytes(), &mut |event| found.push(event.name.clone()))?;
    Ok(found)
}

#[test]
fn every_form_has_the_same_events() {
    let quoted = serde_json::json!(EVENT);
    for text in [
        format!("{{\"Records\": [{EVENT}, {EVENT}]}}"),
        format!("{EVENT}\n{EVENT}\n"),
        format!("[{EVENT}, {EVENT}]"),
        format!("{{\"Records\": [{EVENT}]}}{{\"Records\": [{EVENT}]}}"),
        format!(
            "{{\"Events\": [{{\"EventTime\": 1.5, \"CloudTrailEvent\": {quoted}}}, {{\"CloudTrailEvent\": {quoted}}}]}}"
        ),
    ] {
        assert_eq!(names(&text), Ok(vec!["GetObject".to_owned(); 2]), "{text}");
    }
    assert_eq!(names("{\"Records\": []}"), Ok(Vec::new()));
}

#[test]
fn what_is_no_event_is_refused() {
    let deep = "[".repeat(9) + &"]".repeat(9);
    for text in [
        "{}",
        "1",
        "{\"a\": 1}",
        "nonsense",
        "{\"Records\": [1]}",
        "{",
        deep.as_str(),
    ] {
        assert!(names(text).is_err(), "{text}");
    }
    // Of two names one would be taken by chance.
    assert!(names(r#"{"eventSource": "a", "eventName": "b", "eventName": "c"}"#).is_err());
}

fn with(more: &str) -> TrailEvent {
    serde_json::from_str(&format!("{{\"eventSource\": \"s3.amazonaws.com\", {more}}}")).unwrap()
}

#[test]
fn the_category_says_what_an_event_is() {
    for (more, is_data, is_read) in [
        (
            r#""eventCategory": "Data", "managementEvent": false, "readOnly": true"#,
            true,
            false,
        ),
        (
            r#""eventCategory": "Management", "managementEvent": true, "readOnly": true"#,
            false,
            true,
        ),
        (
            r#""eventCategory": "Management", "readOnly": false"#,
            false,
            false,
        ),
        (
            r#""eventCategory": "NetworkActivity", "managementEvent": false, "readOnly": true"#,
            false,
            false,
        ),
        (r#""managementEvent": false, "readOnly": true"#, true, false),
        (r#""managementEvent": true, "readOnly": true"#, false, true),
        (r#""managementEvent": true"#, false, false),
    ] {
        let event = with(more);
        assert_eq!((event.is_data(), event.is_read()), (is_data, is_read), "{more}");
    }
}

#[test]
fn only_what_certainly_is_a_refusal_is_no_use() {
    for (code, expected) in [
        ("AccessDenied", true),
        ("AccessDeniedException", true),
        ("Client.UnauthorizedOperation", true),
        ("AuthorizationError", true),
        ("NotAuthorizedException", false),
        ("UnauthorizedClientException", false),
        ("KMSAccessDeniedException", false),
        ("NoSuchKey", false),
        ("", false),
    ] {
        let event = with(&format!("\"errorCode\": \"{code}\""));
        assert_eq!(event.is_denied(), expected, "{code}");
    }
}

#[test]
fn of_a_folder_all_events_are_read() {
    let folder = std::env::temp_dir().join(format!("deputy-trail-{}", std::process::id()));
    let day = folder.join("eu-west-1/2026/11/01");
    std::fs::create_dir_all(&day).unwrap();
    for (name, text) in [("a.json", EVENT), ("b.json", EVENT), ("notes.txt", "nonsense")] {
        std::fs::write(day.join(name), text).unwrap();
    }
    let mut count = 0;
    let done = read(std::slice::from_ref(&folder), |_| count += 1);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(done.is_ok());
    assert_eq!(count, 2);
}

#[test]
fn what_cloudtrail_packed_is_unpacked() {
    let path = std::env::temp_dir().join(format!("deputy-events-{}.json.gz", std::process::id()));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(EVENT.as_bytes()).unwrap();
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    let mut count = 0;
    read(std::slice::from_ref(&path), |_| count += 1).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(count, 1);
}
