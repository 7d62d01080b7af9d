//! Who becomes which role today, from exports of a cluster and of EKS.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    former::{Former, OldGrant, OldWay},
    permitted::NamespaceRules,
};

/// The grants of all exports, and what of them can't be carried over.
#[derive(Debug, Default)]
pub struct OldGrants {
    pub grants: BTreeSet<OldGrant>,
    pub left: Vec<String>,
    namespaces: NamespaceRules,
}

const IRSA: &str = "eks.amazonaws.com/role-arn";
const POD_ROLE: &str = "iam.amazonaws.com/role";

/// Reads the documents of exports. Objects that say nothing about roles are passed over. `prefix` is the ARN of the account's
/// roles up to their paths.
pub fn read(former: Former, documents: &[Value], prefix: &str) -> OldGrants {
    let mut all = OldGrants::default();
    for object in documents.iter().flat_map(objects) {
        match former {
            Former::Irsa => all.service_account(object),
            Former::PodIdentity => all.association(object),
            Former::Kube2iam | Former::Kiam => {
                all.pods(object);
                all.namespace(former, object);
            }
        }
    }
    all.leave_what_is_refused(former, prefix);
    all
}

/// The objects of a document: it, or those of a list.
fn objects(document: &Value) -> Vec<&Value> {
    let lists = ["items", "associations"].map(|field| document.get(field).and_then(Value::as_array));
    if let Some(list) = lists.into_iter().flatten().next().or(document.as_array()) {
        return list.iter().flat_map(objects).collect();
    }
    vec![document.get("association").unwrap_or(document)]
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

fn annotation<'v>(metadata: Option<&'v Value>, name: &str) -> Option<&'v str> {
    metadata?.get("annotations")?.get(name)?.as_str()
}

/// `Deployment payments/uploader`.
fn title(object: &Value) -> String {
    let kind = text(object, "/kind").unwrap_or("object");
    let name = text(object, "/metadata/name").unwrap_or("without name");
    crate::objects::title(kind, text(object, "/metadata/namespace"), name)
}

impl OldGrants {
    fn add(
        &mut self,
        (namespace, service_account): (Option<&str>, &str),
        role: &str,
        way: OldWay,
        title: &str,
    ) {
        match namespace {
            Some(namespace) => {
                self.grants.insert(OldGrant {
                    namespace: namespace.to_owned(),
                    service_account: service_account.to_owned(),
                    role: role.to_owned(),
                    way,
                });
            }
            None => self.left.push(format!("{title}: it says no namespace")),
        }
    }

    fn service_account(&mut self, object: &Value) {
        if text(object, "/kind") != Some("ServiceAccount") {
            return;
        }
        let metadata = object.get("metadata");
        let (title, name) = (title(object), text(object, "/metadata/name"));
        let (Some(role), Some(name)) = (annotation(metadata, IRSA), name) else {
            return;
        };
        for dropped in ["audience", "token-expiration"] {
            let key = format!("eks.amazonaws.com/{dropped}");
            if let Some(value) = annotation(metadata, &key) {
                let message =
                    format!("{title}: {key} is {value}; pods get credentials and no token by Deputy");
                self.left.push(message);
            }
        }
        let audience = annotation(metadata, "eks.amazonaws.com/audience").unwrap_or("sts.amazonaws.com");
        let way = OldWay::Token {
            audience: audience.to_owned(),
        };
        self.add((text(object, "/metadata/namespace"), name), role, way, &title);
    }

    fn association(&mut self, object: &Value) {
        // As AWS prints it, as eksctl has it in a ClusterConfig, or an object of ACK.
        let of = object.get("spec").unwrap_or(object);
        let first = |names: [&str; 2]| names.iter().find_map(|name| text(of, &format!("/{name}")));
        let account = first(["serviceAccount", "serviceAccountName"]);
        let (Some(namespace), Some(account)) = (first(["namespace", "namespace"]), account) else {
            return;
        };
        let title = format!("association of {namespace}/{account}");
        if let Some(target) = first(["targetRoleArn", "targetRoleARN"]) {
            let message = format!(
                "{title}: its pods become {target} by way of another role; bind that one, of the AWSAccount that it is in"
            );
            return self.left.push(message);
        }
        let arn = text(of, "/associationArn").or_else(|| text(object, "/status/ackResourceMetadata/arn"));
        let way = OldWay::Association {
            arn: arn.map(str::to_owned),
            is_tagged: of.get("disableSessionTags") != Some(&Value::Bool(true)),
        };
        match first(["roleArn", "roleARN"]) {
            Some(role) => self.add((Some(namespace), account), role, way, &title),
            None => self.left.push(format!(
                "{title}: the export does not say its role; `aws eks describe-pod-identity-association` does"
            )),
        }
    }

    fn pods(&mut self, object: &Value) {
        let template = match text(object, "/kind") {
            Some("Pod") => Some(object),
            Some("CronJob") => object.pointer("/spec/jobTemplate/spec/template"),
            Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job") => {
                object.pointer("/spec/template")
            }
            _ => None,
        };
        let Some(template) = template else { return };
        let metadata = template.get("metadata");
        let Some(role) = annotation(metadata, POD_ROLE) else {
            return;
        };
        let title = title(object);
        if let Some(id) = annotation(metadata, "iam.amazonaws.com/external-id") {
            let message = format!(
                "{title}: iam.amazonaws.com/external-id is {id}; the broker shows no external id to a role"
            );
            self.left.push(message);
        }
        let account = text(template, "/spec/serviceAccountName").unwrap_or("default");
        let subject = (text(object, "/metadata/namespace"), account);
        self.add(subject, role, OldWay::Node, &title);
    }

    fn namespace(&mut self, former: Former, object: &Value) {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        let (Some("Namespace"), Some(name), Some(key)) = (kind, name, NamespaceRules::key(former)) else {
            return;
        };
        let value = annotation(object.get("metadata"), key);
        self.namespaces.insert(name, value);
        if let Some(value) = value {
            self.left.push(format!(
                "{}: {key} is {value}; the proposed limit allows the roles that are used and no others",
                title(object)
            ));
        }
    }

    /// What a namespace does not allow its pods do not have today.
    fn leave_what_is_refused(&mut self, former: Former, prefix: &str) {
        for grant in std::mem::take(&mut self.grants) {
            match self.namespaces.refusal(former, &grant, prefix) {
                Some(why) => {
                    let (namespace, account) = (&grant.namespace, &grant.service_account);
                    self.left
                        .push(format!("ServiceAccount {namespace}/{account}: {why}"));
                }
                None => {
                    self.grants.insert(grant);
                }
            }
        }
    }
}
