//! What a denial comes to: who decides, and where AWS and what was looked at differ.

use deputy_delegation::{RoleId, RoleKind, model::ObjectId};

use super::{
    layers::{DeniedRequest, LayerSays},
    message::{DenialLayer, DenialMessage},
};

/// What a denial comes to.
#[derive(Debug, Default)]
pub struct DenialConclusion {
    /// Who decides, or what is known of it.
    pub decisive: Option<String>,
    /// By what was looked at AWS would not have denied it.
    pub differs: bool,
    /// What else helps.
    pub advice: Vec<String>,
}

impl DenialConclusion {
    fn differs(why: String) -> Self {
        Self {
            decisive: Some(why),
            differs: true,
            advice: Vec::new(),
        }
    }

    fn advice(text: &str) -> Self {
        Self {
            advice: vec![text.to_owned()],
            ..Self::default()
        }
    }
}

/// Whose a policy is that is none of Deputy's objects: no change of these helps.
pub fn foreign(message: &DenialMessage) -> Option<String> {
    let text = match (message.layer, message.explicit) {
        (DenialLayer::ServiceControl | DenialLayer::ResourceControl, _) => {
            "it is a policy of the organisation: whoever administers it has to be asked; no object of Deputy's changes it"
        }
        (DenialLayer::Endpoint, _) => {
            "it is the policy of the VPC endpoint: whoever administers the network has to be asked"
        }
        (DenialLayer::Resource, _) => return Some(of_resource(message)),
        (DenialLayer::Trust, _) => {
            "it is the trust policy of the role that was to be assumed: its owner has to be asked"
        }
        (DenialLayer::Identity | DenialLayer::Session | DenialLayer::Boundary | DenialLayer::Unsaid, _) => {
            return None;
        }
    };
    Some(text.to_owned())
}

/// What the policy of a resource of a service is called, and whether an AWSResourcePolicyStatement can be in it.
fn resource_policy(action: &str) -> (&'static str, bool) {
    match action.split(':').next().unwrap_or_default() {
        "kms" => ("the key policy", false),
        "ecr" => ("the policy of the repository", false),
        "secretsmanager" => ("the policy of the secret", false),
        "lambda" => ("the policy of the function", false),
        "s3" => ("the policy of the bucket", true),
        "sqs" => ("the policy of the queue", true),
        "sns" => ("the policy of the topic", true),
        _ => ("the policy of the resource", false),
    }
}

/// That the owner of a resource decides.
fn of_resource(message: &DenialMessage) -> String {
    let (policy, is_ours) = resource_policy(&message.action);
    let statement = match is_ours && !message.explicit {
        true => "; an AWSResourcePolicyStatement can let it be done",
        false => "",
    };
    if message.may_be_absent {
        return format!(
            "AWS leaves open whether the resource is not there, in the Region that was asked, or {policy} does not allow it, or denies it: look \
             whether the name and the Region are right, else its owner has to be asked for {policy}{statement}"
        );
    }
    match message.explicit {
        true => format!("{policy} denies it: its owner has to be asked"),
        false => format!(
            "the resource is of another account, or {policy} has to allow it: its owner has to be asked{statement}"
        ),
    }
}

/// What AWS's word and what each policy says come to, where the policy that decides is Deputy's, or AWS does not say which it is. `open`:
/// a limit, or what it is about, is not among what was looked at.
pub fn conclusion(
    message: &DenialMessage,
    asked: &DeniedRequest,
    layers: &[LayerSays],
    role: &RoleId,
    open: bool,
) -> DenialConclusion {
    let is_said = message.layer != DenialLayer::Unsaid;
    let mut own = layers
        .iter()
        .filter(|layer| !is_said || layer.of == message.layer)
        .peekable();
    if own.peek().is_none() {
        // Without its limit nothing is known of a boundary.
        return match open && message.layer == DenialLayer::Boundary {
            true => DenialConclusion::default(),
            false => DenialConclusion::differs(format!(
                "AWS names the {}, and by what was looked at the session has none: {}",
                message.layer.words(),
                to_look_at(role)
            )),
        };
    }
    let own: Vec<&LayerSays> = own.collect();
    if !message.explicit {
        return not_allowed(message, &own, role);
    }
    let concluded = denied(message, asked, &own, role);
    if !(concluded.differs && own.iter().any(|layer| layer.is_open)) {
        return concluded;
    }
    let decisive = concluded.decisive.unwrap_or_default();
    DenialConclusion {
        decisive: Some(format!(
            "a managed policy, whose statements only AWS knows, may deny it. Else {decisive}"
        )),
        differs: false,
        ..concluded
    }
}

fn denied(
    message: &DenialMessage,
    asked: &DeniedRequest,
    own: &[&LayerSays],
    role: &RoleId,
) -> DenialConclusion {
    let denying: Vec<&str> = own
        .iter()
        .filter(|layer| layer.can_deny)
        .map(|layer| layer.layer.as_str())
        .collect();
    if !denying.is_empty() {
        let named = denying.join(" and the ");
        return DenialConclusion::advice(&match asked.resource {
            Some(_) => format!(
                "no Allow helps against a Deny: the statement of the {named} has to go, or to become narrower"
            ),
            None => format!(
                "a Deny of the {named} can match; whether it is that one is not known, because {}: say it by --resource ARN",
                message.unnamed()
            ),
        });
    }
    let look = to_look_at(role);
    match message.layer {
        DenialLayer::Identity => DenialConclusion::differs(format!(
            "no Deny that was looked at matches it. One possibility is that Deputy ended sessions of this role, which it does by a Deny in \
             AWS alone (revocation): then a new session may do it again. Another one is that AWS has other policies: {look}"
        )),
        DenialLayer::Session => DenialConclusion::differs(format!(
            "no Deny of the session policy that was looked at matches it. The session may have been made with a former one: a new session \
             has what the binding says now. Else {look}"
        )),
        // It denies what lies outside of the ceiling.
        DenialLayer::Boundary if own.iter().all(|layer| layer.says == "allows") => {
            DenialConclusion::differs(format!(
                "AWS says that the permissions boundary denies it, and by what was looked at the ceiling allows it: {look}"
            ))
        }
        DenialLayer::Boundary => DenialConclusion::advice(
            "a generated boundary also denies what lies outside of the ceiling, whatever a policy of the resource says",
        ),
        _ => DenialConclusion::differs(format!(
            "AWS does not say which policy denies it, and no Deny that was looked at matches it: another one may, such as that of the \
             resource, of the organisation or of a VPC endpoint. Else {look}"
        )),
    }
}

fn not_allowed(message: &DenialMessage, own: &[&LayerSays], role: &RoleId) -> DenialConclusion {
    if !own.iter().all(|layer| layer.says == "allows") {
        return DenialConclusion::default();
    }
    let look = to_look_at(role);
    DenialConclusion::differs(match message.layer {
        DenialLayer::Unsaid => format!(
            "AWS does not say which policy decided, and all that were looked at allow it: another one may decide, such as that of the \
             resource, of the organisation or of a VPC endpoint. Else {look}"
        ),
        layer => format!(
            "AWS and what was looked at differ: AWS says that no {} allows it, and here the {} does. So {look}",
            layer.words(),
            own.first().map_or("", |layer| layer.layer.as_str())
        ),
    })
}

/// What shows why AWS has something else.
fn to_look_at(role: &RoleId) -> String {
    let object = match role.kind {
        RoleKind::AWSRole => format!("kubectl -n {} get awsrole {}", role.namespace, role.name),
        RoleKind::ClusterAWSRole { .. } => format!("kubectl get clusterawsrole {}", role.name),
    };
    format!(
        "look whether the objects are applied and ready ({object}), whether all of AWS knows the change already (it takes some seconds), \
         whether somebody changed the role in AWS (its events say so: drift), and whether it is the role and the session that you mean \
         (aws sts get-caller-identity)"
    )
}

/// The same of a federated user, which has no role that somebody could have changed.
pub fn to_look_at_binding(id: &ObjectId) -> String {
    format!(
        "look whether the binding is applied and ready (kubectl -n {} get awsfederateduserbinding {}), and whether it is the session that \
         you mean (aws sts get-caller-identity)",
        id.namespace, id.name
    )
}
