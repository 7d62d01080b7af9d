//! What not every reader of YAML reads alike in the policies of a manifest.

use deputy_policy::Lint;

use super::{manifest::ManifestKind, translate::Translated};
use crate::yaml::YamlNode;

/// Values of the policies of an object of this kind that kubectl may read otherwise than is done here, with their paths in the object and
/// their places in the text `yaml`. None of a kind without policies.
pub fn ambiguous(kind: &str, object: &YamlNode, yaml: &str) -> Vec<Lint> {
    let kind = ManifestKind::ALL.into_iter().find(|known| known.name() == kind);
    let Some(kind) = kind else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (path, policy) in policies(kind, object) {
        let translated = Translated::new(policy, yaml);
        found.extend(translated.ambiguous.into_iter().map(|finding| Lint {
            path: format!("{path}.{}", finding.path),
            ..finding
        }));
    }
    found
}

/// The policies of an object, by their paths.
fn policies(kind: ManifestKind, object: &YamlNode) -> Vec<(String, &YamlNode)> {
    let field = |path: &str| path.split('.').try_fold(object, |node, field| node.get(field));
    let one = |path: &str| field(path).map(|policy| (path.to_owned(), policy));
    match kind {
        ManifestKind::Role | ManifestKind::ClusterRole => {
            let listed = field("spec.policies").map_or(&[][..], YamlNode::items);
            let documents = listed.iter().enumerate().filter_map(|(i, policy)| {
                Some((format!("spec.policies[{i}].document"), policy.get("document")?))
            });
            documents.collect()
        }
        ManifestKind::Binding | ManifestKind::FederatedBinding => {
            one("spec.session.policy").into_iter().collect()
        }
        ManifestKind::Statement => one("spec.statement").into_iter().collect(),
        ManifestKind::Limit => one("spec.ceiling").into_iter().collect(),
    }
}
