//! What a broker asks, answered from memory: an API server with one account and limit, a role and a binding for each identity, and pods that all
//! live; and STS, which takes its time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, channel::Channel, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Body = BoxBody<Bytes, Infallible>;

const ISSUER: &str = "https://kubernetes.default.svc";

/// What there is in the cluster, and how long STS takes.
#[derive(Clone, Copy)]
pub struct Shape {
    /// ServiceAccounts, each with a role and a binding.
    pub identities: usize,
    pub pods: usize,
    pub sts_takes: Duration,
}

/// What a process of the API server remembers.
pub struct Store {
    pub shape: Shape,
    /// The objects that the broker writes: its Secret and its ConfigMap.
    written: Mutex<HashMap<String, Value>>,
    key: EcdsaKeyPair,
    /// Sessions that STS made.
    pub sessions: AtomicUsize,
    /// Questions about tokens and single pods.
    pub questions: AtomicUsize,
}

impl Store {
    pub fn new(shape: Shape) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self {
            shape,
            written: Mutex::default(),
            key: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap(),
            sessions: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
        }
    }

    /// The token that the kubelet gives pod `index`.
    pub fn token(&self, index: usize) -> String {
        // The pod that comes before all others is of an identity of its own: theirs have no session yet.
        let others = self.shape.identities - 1;
        let identity = index.checked_sub(1).map_or(others, |other| other % others);
        let account = format!("uploader-{identity}");
        let claims = json!({"iss": ISSUER, "aud": ["deputy"], "exp": 4_000_000_000_i64, "nbf": 0, "iat": 0,
            "sub": format!("system:serviceaccount:payments:{account}"),
            "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": account, "uid": "1"},
                "node": {"name": "node-1", "uid": "1"},
                "pod": {"name": format!("pod-{index}"), "uid": format!("uid-pod-{index}")}}});
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "k"})), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn key_set(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256",
            "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y)}]})
    }

    /// The broker's public bundle, once it has published one.
    pub fn bundle(&self) -> Option<String> {
        let objects = self.written.lock().unwrap();
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

/// The object of a kind, by its plural, of the identity `index`.
fn object(plural: &str, index: usize, sts: SocketAddr) -> Option<(&'static str, Value, Value)> {
    let name = format!("uploader-{index}");
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
            json!({"name": name, "namespace": "payments"}),
        ),
        "awsrolebindings" => (
            "AWSRoleBinding",
            json!({"roleRef": {"kind": "AWSRole", "name": name}, "subjects": [{"kind": "ServiceAccount", "name": name}]}),
            json!({"name": name, "namespace": "payments"}),
        ),
        _ => return None,
    })
}

fn list(plural: &str, shape: Shape, sts: SocketAddr) -> Option<Value> {
    if plural == "pods" {
        let items: Vec<_> = (0..=shape.pods)
            .map(|index| {
                json!({"metadata": {"name": format!("pod-{index}"), "namespace": "payments",
                "uid": format!("uid-pod-{index}"), "resourceVersion": "1"}})
            })
            .collect();
        return Some(
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "1"}, "items": items}),
        );
    }
    if plural == "serviceaccounts" {
        let items: Vec<_> = (0..shape.identities)
            .map(|index| {
                json!({"metadata": {"name": format!("uploader-{index}"), "namespace": "payments",
                "uid": "1", "resourceVersion": "1"}})
            })
            .collect();
        return Some(
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "1"}, "items": items}),
        );
    }
    let of_identities = matches!(plural, "awsroles" | "awsrolebindings");
    let mut items = Vec::new();
    for index in 0..if of_identities { shape.identities } else { 1 } {
        let (kind, spec, mut metadata) = object(plural, index, sts).or_else(|| {
            // Kinds of which there is nothing.
            (plural == "clusterawsroles" || plural == "awsfederateduserbindings").then_some((
                "",
                json!(null),
                json!({}),
            ))
        })?;
        if kind.is_empty() {
            break;
        }
        metadata["uid"] = json!(format!("uid-{plural}-{index}"));
        metadata["generation"] = json!(1);
        metadata["resourceVersion"] = json!("1");
        metadata["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
        items.push(
            json!({"apiVersion": "deputy.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec,
            "status": {"roleID": "AROAEXAMPLE"}}),
        );
    }
    Some(
        json!({"apiVersion": "deputy.dev/v1alpha1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}),
    )
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

/// Whether a query is about one object.
fn is_about_one(query: &str) -> bool {
    query.contains("metadata.name")
}

async fn kubernetes(request: Request<Incoming>, store: Arc<Store>, sts: SocketAddr) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default());
    if is_about_one(query) {
        store.questions.fetch_add(1, Ordering::Relaxed);
    }
    if query.contains("watch=") {
        return watch();
    }
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    match head.method {
        Method::POST => {
            store.questions.fetch_add(1, Ordering::Relaxed);
            found(&body)
        }
        Method::GET if path == "/openid/v1/jwks" => found(&store.key_set()),
        Method::GET if path == "/.well-known/openid-configuration" => found(&json!({"issuer": ISSUER})),
        Method::PUT => {
            store.written.lock().unwrap().insert(path, body.clone());
            found(&body)
        }
        Method::GET if path.contains("/secrets/") || path.contains("/configmaps/") => {
            let kind = if path.contains("/secrets/") {
                "Secret"
            } else {
                "ConfigMap"
            };
            let empty = json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": name, "namespace": "deputy", "uid": "1", "resourceVersion": "1"}});
            found(store.written.lock().unwrap().get(&path).unwrap_or(&empty))
        }
        _ => match list(name, store.shape, sts) {
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

async fn sts(request: Request<Incoming>, store: Arc<Store>) -> Response<Body> {
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
        store.sessions.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(store.shape.sts_takes).await;
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
    let made = Arc::clone(&store);
    serve(sts_listener, move |request| sts(request, Arc::clone(&made)));
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
