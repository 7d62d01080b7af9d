//! What is said where the cluster gives no session: what it is, and what to ask of whom.

use super::{
    binding::NamedBinding,
    call::{ClusterAnswer, LARGEST_ANSWER, NoClusterAnswer, is_busy},
    reply::{status, user_in},
};
use crate::{
    credentials::help::WhyNoSession,
    exit::{CommandAnswer, CommandResult, Failure, say},
};

/// No session: of which binding, asked for how, and why.
pub struct ClusterRefusal {
    pub binding: NamedBinding,
    /// The context and the server.
    pub by: String,
    pub why: WhyNone,
}

/// Why there is no session.
#[derive(Debug, PartialEq, Eq)]
pub enum WhyNone {
    /// The API server does not know who asks.
    NotLoggedIn,
    /// RBAC: the API server's own sentence.
    NotAllowed { message: String },
    /// The binding has neither the user nor a group of theirs.
    NotASubject { message: String },
    /// There is no such binding.
    NoBinding { message: String },
    /// A limit wants a second factor.
    SecondFactor { message: String },
    /// A limit, whoever suspended it, or AWS.
    Refused { message: String },
    /// The duration is none that the binding gives.
    Duration { message: String },
    /// The API is not there.
    NotInstalled,
    /// Another try may bring one, after so many seconds where they are known.
    Busy { message: String, after: Option<u64> },
    /// Something else: its code, and what was said.
    Other { code: u16, message: String },
    /// There is no answer.
    NoAnswer(NoClusterAnswer),
}

impl WhyNone {
    /// Of an answer without session.
    pub fn of(answer: &ClusterAnswer) -> Self {
        let status = status(&answer.body);
        let message = status.message;
        match (answer.status, status.cause.as_deref()) {
            (401, _) => Self::NotLoggedIn,
            // Nobody in particular was asked about.
            (403, None) if user_in(&message).as_deref() == Some("system:anonymous") => Self::NotLoggedIn,
            (403, None | Some("RBAC")) => Self::NotAllowed { message },
            (403, Some("NotASubject")) => Self::NotASubject { message },
            (403, Some("MFAGroup")) => Self::SecondFactor { message },
            (403, Some(_)) => Self::Refused { message },
            (404, Some("NoBinding")) => Self::NoBinding { message },
            (404, None) => Self::NotInstalled,
            (422, _) => Self::Duration { message },
            (code, _) if is_busy(code) => Self::Busy {
                message,
                after: answer.retry_after,
            },
            (code, _) => Self::Other { code, message },
        }
    }
}

impl WhyNoSession for ClusterRefusal {
    fn is_passing(&self) -> bool {
        match &self.why {
            WhyNone::Busy { .. } => true,
            WhyNone::Other { code, .. } => *code >= 500,
            WhyNone::NoAnswer(no) => matches!(no, NoClusterAnswer::Late(_) | NoClusterAnswer::Unreachable(_)),
            _ => false,
        }
    }

    fn sentence(&self) -> String {
        let what = self.what();
        format!(
            "AWSRoleBinding {} by {}: {what}. {}",
            self.binding,
            self.by,
            self.help()
        )
    }

    fn outcome(&self) -> CommandResult {
        match &self.why {
            WhyNone::NotLoggedIn
            | WhyNone::NotAllowed { .. }
            | WhyNone::NotASubject { .. }
            | WhyNone::NoBinding { .. }
            | WhyNone::SecondFactor { .. }
            | WhyNone::Refused { .. } => {
                say(&self.sentence());
                Ok(CommandAnswer::No)
            }
            WhyNone::Duration { .. } | WhyNone::NoAnswer(NoClusterAnswer::Login(_)) => {
                Err(Failure::input(self.sentence()))
            }
            WhyNone::NotInstalled | WhyNone::Busy { .. } | WhyNone::Other { .. } | WhyNone::NoAnswer(_) => {
                Err(Failure::process(self.sentence()))
            }
        }
    }
}

impl ClusterRefusal {
    fn what(&self) -> String {
        let with = |what: &str, message: &str| match message {
            "" => what.to_owned(),
            message => format!("{what}: {message}"),
        };
        match &self.why {
            WhyNone::NotLoggedIn => "the cluster does not know who you are (401)".to_owned(),
            WhyNone::NotAllowed { message } => {
                let who = user_in(message).map_or("you".to_owned(), |user| format!("user {user}"));
                with(&format!("RBAC does not let {who} ask for credentials"), message)
            }
            WhyNone::NotASubject { message } => with("the binding does not name you", message),
            WhyNone::NoBinding { message } => with("there is no such binding", message),
            WhyNone::SecondFactor { message } => with("the limit wants a second factor", message),
            WhyNone::Refused { message } => with("refused", message),
            WhyNone::Duration { message } => with("--duration", message),
            WhyNone::NotInstalled => "the cluster has no API for people's credentials (404)".to_owned(),
            WhyNone::Busy { message, .. } => with("no session now", message),
            WhyNone::Other { code, message } => {
                with(&format!("the cluster answers with code {code}"), message)
            }
            WhyNone::NoAnswer(NoClusterAnswer::Late(seconds)) => format!("no answer within {seconds} s"),
            WhyNone::NoAnswer(NoClusterAnswer::Large) => {
                format!("the answer has more than {LARGEST_ANSWER} bytes, and no session has")
            }
            WhyNone::NoAnswer(NoClusterAnswer::Unreachable(why)) => {
                with("the API server can't be reached", why)
            }
            WhyNone::NoAnswer(NoClusterAnswer::Login(why)) => why.clone(),
        }
    }

    fn help(&self) -> String {
        let namespace = &self.binding.namespace;
        match &self.why {
            WhyNone::NotLoggedIn => "Log in to the cluster again; kubectl auth whoami says whether it worked".to_owned(),
            WhyNone::NotAllowed { message } => match user_in(message) {
                Some(user) if message.contains("awsrolebindings") => format!(
                    "Ask whoever administers namespace {namespace} to apply this:\n{}",
                    role_binding(namespace.as_str(), &user)
                ),
                _ => format!(
                    "Ask whoever administers namespace {namespace} for a RoleBinding to the ClusterRole deputy-credentials"
                ),
            },
            WhyNone::NotASubject { message } => {
                let user = user_in(message).map_or_else(
                    || "your user name (kubectl auth whoami has it)".to_owned(),
                    |user| serde_json::Value::from(user).to_string(),
                );
                format!(
                    "Ask whoever administers namespace {namespace} to add {{kind: User, name: {user}}}, or a Group of yours, to \
                     spec.subjects of AWSRoleBinding {}",
                    self.binding.name
                )
            }
            WhyNone::NoBinding { .. } => format!(
                "See to the name; whoever administers namespace {namespace} makes one, with {{kind: User, name: …}} of yours in its \
                 spec.subjects"
            ),
            WhyNone::SecondFactor { .. } => {
                "Which way of signing in counts, the platform team knows".to_owned()
            }
            WhyNone::Refused { .. } => "Ask the platform team".to_owned(),
            WhyNone::Duration { .. } => {
                "Without --duration a session lives as long as the binding says".to_owned()
            }
            WhyNone::NotInstalled => {
                "Ask the platform team: the chart of Deputy serves it with the value people.enabled".to_owned()
            }
            WhyNone::Busy { after: Some(seconds), .. } => format!("Try again in {seconds} s"),
            WhyNone::Busy { after: None, .. } => "Try again in a moment".to_owned(),
            WhyNone::Other { code, .. } if *code >= 500 => "Try again in a moment".to_owned(),
            WhyNone::Other { .. } => "Nothing is known that would help; see that the context's server is the API server of the cluster".to_owned(),
            WhyNone::NoAnswer(NoClusterAnswer::Late(_) | NoClusterAnswer::Unreachable(_)) => {
                "See that kubectl reaches the cluster with this context".to_owned()
            }
            WhyNone::NoAnswer(NoClusterAnswer::Large) => {
                "See that the context's server is the API server of the cluster".to_owned()
            }
            WhyNone::NoAnswer(NoClusterAnswer::Login(_)) => "Log in to the cluster again".to_owned(),
        }
    }
}

/// What lets a user ask for credentials in a namespace. Which bindings give some, their subjects say.
fn role_binding(namespace: &str, user: &str) -> String {
    let named = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = user.chars().map(named).take(100).collect();
    // A JSON text is one of YAML, too.
    let user = serde_json::Value::from(user);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\n\
         kind: RoleBinding\n\
         metadata:\n  name: deputy-credentials-{}\n  namespace: {namespace}\n\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: deputy-credentials\n\
         subjects:\n- apiGroup: rbac.authorization.k8s.io\n  kind: User\n  name: {user}",
        name.trim_matches('-')
    )
}
