//! What a broker asks, answered from memory: an API server with one account, limit, role and binding in which every token
//! is a living pod's, and STS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, channel::Channel, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Body = BoxBody<Bytes, Infallible>;

/// The objects that the broker writes: its Secret and its ConfigMap.
#[derive(Default)]
pub struct Store(Mutex<HashMap<String, Value>>);

impl Store {
    /// The broker's public bundle, once it has published one.
    pub fn bundle(&self) -> Option<String> {
        let objects = self.0.lock().unwrap();
        let (_, found) = objects
            .iter()
            .find(|(path, _)| path.ends_with("/deputy-broker-bundle"))?;
        Some(found["data"]["ca.crt"].as_str()?.to_owned())
    }
}

fn policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/*"}
    ]})
}

/// The objects of a kind, by its plural.
fn objects(plural: &str, sts: SocketAddr) -> Option<(&'static str, Value, Value)> {
    let endpoint = format!("http://{sts}");
    Some(match plural {
        "awsaccounts" => (
            "AWSAccount",
            json!({"accountID": "123456789012", "partition": "aws", "region": "ap-northeast-1",
                "issuer": {"principalARN": "arn:aws:iam::123456789012:user/deputy-broker"},
                "endpoints": {"iam": endpoint, "sts": endpoint}}),
            json!({"name": "production"}),
        ),
        "delegationlimits" => (
            "DelegationLimit",
            json!({"namespaces": ["payments"], "accounts": ["production"], "ceiling": policy()}),
            json!({"name": "payments"}),
        ),
        "awsroles" => (
            "AWSRole",
            json!({"accountRef": {"name": "production"}, "policies": [{"name": "objects", "document": policy()}]}),
            json!({"name": "uploader", "namespace": "payments"}),
        ),
        "awsrolebindings" => (
            "AWSRoleBinding",
            json!({"roleRef": {"kind": "AWSRole", "name": "uploader"},
                "subjects": [{"kind": "ServiceAccount", "name": "uploader"}]}),
            json!({"name": "uploader", "namespace": "payments"}),
        ),
        _ => return None,
    })
}

fn list(plural: &str, sts: SocketAddr) -> Option<Value> {
    let (kind, spec, mut metadata) = objects(plural, sts)?;
    metadata["uid"] = json!(format!("uid-{plural}"));
    metadata["generation"] = json!(1);
    metadata["resourceVersion"] = json!("1");
    metadata["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
    let item = json!({"apiVersion": "deputy.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec,
        "status": {"roleID": "AROAEXAMPLE"}});
    Some(
        json!({"apiVersion": "deputy.dev/v1alpha1", "kind": format!("{kind}List"),
        "metadata": {"resourceVersion": "1"}, "items": [item]}),
    )
}

/// A review that accepts: the middle part of the token is the pod's name.
fn review(body: &Value) -> Value {
    let token = body["spec"]["token"].as_str().unwrap_or_default();
    let pod = token.split('.').nth(1).unwrap_or_default();
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": {},
        "status": {"authenticated": true, "audiences": ["deputy"], "user": {
            "username": "system:serviceaccount:payments:uploader",
            "extra": {"authentication.kubernetes.io/pod-name": [pod],
                "authentication.kubernetes.io/pod-uid": [format!("uid-{pod}")]}}}})
}

fn answer(status: u16, kind: &str, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).boxed();
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(body).unwrap()
}

fn found(value: &Value) -> Response<Body> {
    answer(200, "application/json", value.to_string())
}

/// A watch in which nothing happens but a bookmark a second.
fn watch() -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        let bookmark = json!({"type": "BOOKMARK", "object": {"apiVersion": "deputy.dev/v1alpha1", "kind": "Bookmark",
            "metadata": {"resourceVersion": "1"}}});
        while sender.send_data(format!("{bookmark}\n").into()).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    Response::new(body.boxed())
}

async fn kubernetes(request: Request<Incoming>, store: Arc<Store>, sts: SocketAddr) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default());
    if query.contains("watch=") {
        return watch();
    }
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    match head.method {
        Method::POST if name == "tokenreviews" => found(&review(&body)),
        Method::PUT => {
            store.0.lock().unwrap().insert(path, body.clone());
            found(&body)
        }
        Method::GET if path.contains("/pods/") => found(&json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": name, "namespace": "payments", "uid": format!("uid-{name}")}})),
        Method::GET if path.contains("/secrets/") || path.contains("/configmaps/") => {
            let kind = if path.contains("/secrets/") {
                "Secret"
            } else {
                "ConfigMap"
            };
            let empty = json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": name, "namespace": "deputy", "uid": "1", "resourceVersion": "1"}});
            found(store.0.lock().unwrap().get(&path).unwrap_or(&empty))
        }
        _ => match list(name, sts) {
            Some(list) => found(&list),
            None => answer(
                404,
                "application/json",
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "reason": "NotFound", "message": format!("{path} is not here"), "code": 404})
                .to_string(),
            ),
        },
    }
}

async fn sts(request: Request<Incoming>) -> Response<Body> {
    let body = request
        .into_body()
        .collect()
        .await
        .map(|b| b.to_bytes())
        .unwrap_or_default();
    let text = if String::from_utf8_lossy(&body).contains("Action=GetCallerIdentity") {
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::123456789012:user/deputy-broker</Arn><UserId>AIDAEXAMPLE</UserId>\
         <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    } else {
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><AssumedRoleId>AROAEXAMPLE:s</AssumedRoleId>\
         </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    };
    answer(200, "text/xml", text.to_owned())
}

/// Starts both; gives the address of the API server.
pub async fn start(store: Arc<Store>) -> SocketAddr {
    let sts_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts_address = sts_listener.local_addr().unwrap();
    serve(sts_listener, move |request| async move { sts(request).await });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, move |request| {
        kubernetes(request, Arc::clone(&store), sts_address)
    });
    address
}

fn serve<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).ok();
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
}
