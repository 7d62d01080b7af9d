use deputy_log_testing::CapturedLog;

use super::*;

fn lines(filter: &str, log: impl FnOnce()) -> Vec<serde_json::Value> {
    let captured = CapturedLog::default();
    tracing::subscriber::with_default(subscriber(filter, captured.clone()).unwrap(), log);
    captured.lines()
}

#[test]
fn an_audit_line_has_its_fields_at_the_top() {
    let lines = lines("", || {
        let pod = "uploader-1";
        audit!(event = "SessionIssued", namespace = "payments", pod = %pod);
    });
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["target"], "audit");
    assert_eq!(line["version"], 2);
    assert_eq!(line["event"], "SessionIssued");
    assert_eq!(line["namespace"], "payments");
    assert_eq!(line["pod"], "uploader-1");
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn a_line_names_its_spans_whatever_the_filter_says() {
    for filter in ["", "warn", "error,deputy_runtime=warn"] {
        let lines = lines(filter, || {
            tracing::info_span!("reconcile", kind = "AWSRole", object = "payments/uploader").in_scope(|| {
                tracing::info_span!("aws", operation = "iam:GetRole")
                    .in_scope(|| tracing::warn!("no answer"));
            });
            tracing::warn!("outside");
        });
        let spans = serde_json::json!([
            {"name": "reconcile", "kind": "AWSRole", "object": "payments/uploader"},
            {"name": "aws", "operation": "iam:GetRole"},
        ]);
        assert_eq!(lines.len(), 2, "{filter}");
        assert_eq!(lines[0]["spans"], spans, "{filter}");
        assert_eq!(lines[0]["message"], "no answer");
        assert_eq!(lines[1]["message"], "outside");
        assert_eq!(lines[1].get("spans"), None);
    }
}

#[test]
fn a_filter_says_which_lines_there_are() {
    let log = || {
        tracing::info!("info");
        tracing::debug!("debug");
    };
    for (filter, expected) in [
        ("off", 0),
        ("warn", 0),
        ("", 1),
        ("debug", 2),
        ("deputy_runtime=debug", 2),
    ] {
        assert_eq!(lines(filter, log).len(), expected, "{filter}");
    }
}

#[test]
fn a_line_has_the_fields_of_its_spans_and_an_audit_line_only_its_own() {
    let lines = lines("", || {
        let outer = tracing::info_span!("credentials", pod_uid = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("pod_uid", "0af1");
        let _inner = tracing::info_span!("aws", operation = "sts:AssumeRole").entered();
        tracing::info!(attempt = 1, "calling");
        audit!(event = "SessionIssued", pod_uid = "0af1");
    });
    assert_eq!(
        lines[0]["spans"],
        serde_json::json!([
            {"name": "credentials", "pod_uid": "0af1"},
            {"name": "aws", "operation": "sts:AssumeRole"},
        ])
    );
    assert_eq!(
        (&lines[0]["message"], &lines[0]["attempt"]),
        (&"calling".into(), &1.into())
    );
    assert_eq!(lines.len(), 2);
    let fields: Vec<_> = lines[1].as_object().unwrap().keys().cloned().collect();
    let of_audit = [
        "timestamp",
        "level",
        "target",
        "version",
        "time",
        "event",
        "pod_uid",
    ];
    assert!(
        fields.iter().all(|field| of_audit.contains(&field.as_str())),
        "{fields:?}"
    );
}

#[test]
fn no_filter_silences_the_audit() {
    for filter in ["off", "error", "audit=off", "audit=error,debug"] {
        assert_eq!(lines(filter, || audit!(event = "Refused")).len(), 1, "{filter}");
    }
}

#[test]
fn no_filter_makes_the_kubernetes_client_log_response_bodies() {
    for filter in ["trace", "kube_client=trace", "kube_client::client=trace"] {
        let lines = lines(
            filter,
            || tracing::warn!(target: "kube_client::client", "a response body"),
        );
        assert!(lines.is_empty(), "{filter}");
    }
}

#[test]
fn a_filter_that_does_not_parse_is_an_error() {
    assert!(matches!(
        subscriber("a=b=c", std::io::sink),
        Err(TelemetryError::Filter(_))
    ));
}

#[test]
fn how_long_an_audit_line_may_take_is_a_duration() {
    for (said, expected) in [
        (None, 60),
        (Some(""), 60),
        (Some("0s"), 0),
        (Some("2m"), 120),
        (Some("90s"), 90),
    ] {
        assert_eq!(
            required_within(said).unwrap(),
            Duration::from_secs(expected),
            "{said:?}"
        );
    }
    for said in ["soon", "-1s", "60"] {
        assert!(
            matches!(required_within(Some(said)), Err(TelemetryError::Required(_))),
            "{said}"
        );
    }
}

/// Nobody reads what it writes.
struct Blocked(std::sync::mpsc::Receiver<()>);

impl io::Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _never = self.0.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nobody_who_logs_waits_for_a_reader_that_never_reads() {
    let (_order, orders) = std::sync::mpsc::channel();
    let sink = AuditSink::start(Blocked(orders), Duration::from_secs(60)).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let writers = (sink.clone(), sink.log_lines());
    std::thread::spawn(move || {
        let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        tracing::subscriber::with_default(layered("", writers.0, writers.1).unwrap(), || {
            let filling = "x".repeat(2000);
            for n in 0..10_000 {
                tracing::info!(n, filling, "a line");
                audit!(event = "Refused", n, filling);
            }
        });
        let _nobody_waits = done.send(());
    });
    is_done.recv_timeout(Duration::from_secs(60)).unwrap();
    let figures = sink.figures();
    assert!(
        figures.dropped > 1000 && figures.dropped_logs > 1000,
        "{figures:?}"
    );
    assert!(sink.check().is_err() && sink.reserve().is_err());
}
