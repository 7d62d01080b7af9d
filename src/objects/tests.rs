//! What is read of a cluster beside Deputy's objects.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use deputy_runtime::client::install_crypto_provider;
use kube::{Client, Config};
use serde_json::{Value, json};

use super::{
    beside::beside,
    core::{CoreKind, CoreObject, CoreObjects, WantedBeside},
};
use crate::{credentials::block_on, exit::Failure};

fn reason(code: u16) -> &'static str {
    if code == 404 { "NotFound" } else { "Forbidden" }
}

/// The path, the status and the answer.
type Says = (&'static str, u16, Value);

/// An API server that says this, and of everything else that it is not there; with the paths that it was asked for.
fn api_server(says: Vec<Says>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = head[0]
                .split(' ')
                .nth(1)
                .unwrap()
                .trim_end_matches('?')
                .to_owned();
            let said = says.iter().find(|(of, ..)| *of == path);
            let status = |code: u16| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": reason(code), "code": code});
            let (code, body) = match said {
                Some((_, 200, body)) => (200, body.clone()),
                Some((_, code, _)) => (*code, status(*code)),
                None => (404, status(404)),
            };
            seen.lock().unwrap().push(path);
            let body = body.to_string();
            write!(
                stream,
                "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    (address, asked)
}

fn read(says: Vec<Says>) -> (Result<CoreObjects, Failure>, Vec<String>) {
    // Another test may have done so.
    install_crypto_provider().ok();
    let (address, asked) = api_server(says);
    let config = Config::new(format!("http://{address}/").parse().unwrap());
    let read = block_on(async {
        let client = Client::try_from(config).unwrap();
        beside(&client, &WantedBeside::Pod("payments/d1"), None).await
    });
    let asked = asked.lock().unwrap().clone();
    (read.unwrap(), asked)
}

fn titles(found: &CoreObjects) -> Vec<String> {
    let pods = found.all(CoreKind::Pod, Some("payments"), "d1");
    pods.map(CoreObject::title).collect()
}

const POD: &str = "/api/v1/namespaces/payments/pods/d1";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/payments/deployments/d1";
const WORKLOADS: [(&str, &str); 5] = [
    ("Deployment", DEPLOYMENT),
    ("StatefulSet", "/apis/apps/v1/namespaces/payments/statefulsets/d1"),
    ("DaemonSet", "/apis/apps/v1/namespaces/payments/daemonsets/d1"),
    ("Job", "/apis/batch/v1/namespaces/payments/jobs/d1"),
    ("CronJob", "/apis/batch/v1/namespaces/payments/cronjobs/d1"),
];

fn workload(kind: &str) -> Value {
    let template = json!({"metadata": {"labels": {"app": "d1"}}, "spec": {
        "serviceAccountName": "uploader", "containers": [{"name": "app"}]}});
    let metadata = json!({"name": "d1", "namespace": "payments"});
    match kind {
        "CronJob" => json!({"metadata": metadata, "spec": {
            "schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}}),
        "StatefulSet" => json!({"metadata": metadata, "spec": {
            "serviceName": "d1", "selector": {}, "template": template}}),
        _ => json!({"metadata": metadata, "spec": {"selector": {}, "template": template}}),
    }
}

#[test]
fn what_a_workload_of_the_cluster_makes_is_read_where_there_is_no_pod() {
    let account = "/api/v1/namespaces/payments/serviceaccounts/uploader";
    for (kind, path) in WORKLOADS {
        let (found, asked) = read(vec![(path, 200, workload(kind))]);
        let found = found.unwrap();
        assert_eq!(titles(&found), [format!("{kind} payments/d1")]);
        assert!(asked.iter().any(|path| path == account), "{asked:?}");
    }
    let pod = json!({"metadata": {"name": "d1", "namespace": "payments"}, "spec": {"containers": []}});
    let (found, asked) = read(vec![(POD, 200, pod), (DEPLOYMENT, 200, workload("Deployment"))]);
    assert_eq!(titles(&found.unwrap()), ["Pod payments/d1"]);
    assert!(!asked.iter().any(|path| path.starts_with("/apis/")), "{asked:?}");
    assert!(titles(&read(Vec::new()).0.unwrap()).is_empty());
}

#[test]
fn who_may_not_read_workloads_is_told_unless_one_is_there() {
    for (kind, path) in WORKLOADS {
        let (found, _) = read(vec![(path, 403, Value::Null)]);
        let why = found.map(|found| titles(&found)).unwrap_err().to_string();
        assert!(
            why.contains("there is no pod payments/d1") && why.contains(&format!("{kind}: ")),
            "{why}"
        );
        if kind != "Deployment" {
            let (found, _) = read(vec![
                (path, 403, Value::Null),
                (DEPLOYMENT, 200, workload("Deployment")),
            ]);
            assert_eq!(titles(&found.unwrap()), ["Deployment payments/d1"]);
        }
    }
    let (found, _) = read(vec![(POD, 403, Value::Null)]);
    assert!(
        found
            .map(|found| titles(&found))
            .unwrap_err()
            .to_string()
            .contains("failed to read pod")
    );
}
