//! What the API says of itself: groups, resources and schemas, as the API server and kubectl ask for them.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The group of the API.
pub const GROUP: &str = "credentials.deputy.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// The resource that has the one of the API. It is listed and not served: objects of this name are those of group `deputy.dev`.
pub const RESOURCE: &str = "awsrolebindings";
/// What is created.
pub const SUBRESOURCE: &str = "credentials";
/// The kind of request and answer.
pub const KIND: &str = "CredentialRequest";

/// Where the schema of the version is.
const SCHEMA: &str = "/openapi/v3/apis/credentials.deputy.dev/v1alpha1";

/// The answer to a GET of `path`; `None` when there is nothing.
pub fn document(path: &str) -> Option<Value> {
    let answer = match path.trim_end_matches('/') {
        "/healthz" | "/livez" | "/readyz" => return None,
        "/apis" => json!({
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": [{"name": GROUP, "versions": [version()], "preferredVersion": version()}],
        }),
        "/apis/credentials.deputy.dev" => json!({
            "kind": "APIGroup", "apiVersion": "v1",
            "name": GROUP, "versions": [version()], "preferredVersion": version(),
        }),
        "/apis/credentials.deputy.dev/v1alpha1" => json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(),
            "resources": [
                // Nothing can be done with it; without it `kubectl auth can-i create … --subresource` finds no such resource and says no.
                {"name": RESOURCE, "singularName": "", "namespaced": true, "kind": KIND, "verbs": []},
                {
                    "name": format!("{RESOURCE}/{SUBRESOURCE}"), "singularName": "", "namespaced": true,
                    "group": GROUP, "version": VERSION, "kind": KIND, "verbs": ["create"],
                },
            ],
        }),
        "/openapi/v2" => openapi_v2(),
        "/openapi/v3" => json!({"paths": {
            "apis/credentials.deputy.dev/v1alpha1": {"serverRelativeURL": format!("{SCHEMA}?hash={}", hash())},
        }}),
        SCHEMA => openapi_v3(),
        _ => return None,
    };
    Some(answer)
}

/// `credentials.deputy.dev/v1alpha1`
pub fn group_version() -> String {
    format!("{GROUP}/{VERSION}")
}

fn version() -> Value {
    json!({"groupVersion": group_version(), "version": VERSION})
}

fn path() -> String {
    format!("/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{RESOURCE}/{{name}}/{SUBRESOURCE}")
}

fn hash() -> String {
    let digest = Sha256::digest(openapi_v3().to_string());
    data_encoding::HEXLOWER.encode(digest.get(..16).unwrap_or_default())
}

/// The schema of request and answer.
fn schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": "A session of the role of an AWSRoleBinding, for the user who asks.",
        "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": KIND}],
        "properties": {
            "apiVersion": text("credentials.deputy.dev/v1alpha1"),
            "kind": text(KIND),
            "metadata": {"type": "object", "description": "Namespace and name of the AWSRoleBinding, in the answer.", "properties": {
                "name": text("Name of the AWSRoleBinding."),
                "namespace": text("Its namespace."),
            }},
            "spec": {"type": "object", "description": "What is asked for.", "properties": {
                "durationSeconds": {
                    "type": "integer", "format": "int64", "minimum": 1800, "maximum": 43200,
                    "description": "Seconds that the session lasts, in whole quarters of an hour (more is rounded down), at most what the binding gives; absent: that.",
                },
            }},
            "status": {"type": "object", "description": "The session. Only in the answer.", "properties": {
                "accessKeyID": text("Access key id."),
                "secretAccessKey": text("Secret access key."),
                "sessionToken": text("Session token."),
                "expirationTimestamp": {"type": "string", "format": "date-time", "description": "When the session ends."},
                "accountID": text("The AWS account of the role."),
                "region": text("The region of the AWSAccount."),
                "roleARN": text("The role."),
                "sessionName": text("The name of the session in AWS."),
            }},
        },
    })
}

const MODEL: &str = "dev.deputy.credentials.v1alpha1.CredentialRequest";

/// What both versions of OpenAPI say of the one operation, with `more` beside it.
fn operation(more: Value) -> Value {
    let mut operation = json!({
        "description": format!("create {SUBRESOURCE} of an AWSRoleBinding"),
        "operationId": "createCredentialsV1alpha1NamespacedAWSRoleBindingCredentials",
        "tags": ["credentials_v1alpha1"],
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": KIND},
    });
    if let (Some(operation), Value::Object(more)) = (operation.as_object_mut(), more) {
        operation.extend(more);
    }
    operation
}

fn openapi_v2() -> Value {
    let reference = format!("#/definitions/{MODEL}");
    let of_path = |name: &str| json!({"name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true});
    let post = operation(json!({
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "parameters": [{"name": "body", "in": "body", "required": true, "schema": {"$ref": reference}}],
        "responses": {
            "201": {"description": "Created", "schema": {"$ref": reference}},
            "401": {"description": "Unauthorized"},
        },
    }));
    json!({
        "swagger": "2.0",
        "info": {"title": "Deputy", "version": VERSION},
        "paths": {path(): {"post": post, "parameters": [of_path("name"), of_path("namespace")]}},
        "definitions": {MODEL: schema()},
    })
}

fn openapi_v3() -> Value {
    let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{MODEL}")}}});
    let of_path = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}});
    let post = operation(json!({
        "requestBody": {"content": content, "required": true},
        "responses": {
            "201": {"description": "Created", "content": content},
            "401": {"description": "Unauthorized"},
        },
    }));
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Deputy", "version": VERSION},
        "paths": {path(): {"post": post, "parameters": [of_path("name"), of_path("namespace")]}},
        "components": {"schemas": {MODEL: schema()}},
    })
}
