//! The patch: minimal, with `test` operations where an index is used, never a whole array that was there.

use serde_json::{Value, json};

use super::{
    config::InjectionConfig,
    credentials,
    delivery::{ServedBy, served_by},
    mesh,
    options::Options,
    ours::{self, AWS_TOKEN_DIR, AWS_TOKEN_VOLUME, INJECTED_ANNOTATION, SIDECAR, TOKEN_DIR, TOKEN_VOLUME},
    outcome::SkipReason,
    pod::{Container, List, PodView},
    sidecar,
    today::{self, SIDECAR_ANNOTATION, holds},
    web_identity::{self, Gets},
};

/// What [`INJECTED_ANNOTATION`] says of a pod with the sidecar. The chart's admission policy knows these words (`tests/contracts`).
const INJECTED: &str = "v1";
/// The same of one that the agent on its node serves.
const INJECTED_NODE: &str = "node";
/// The same of one whose containers all call STS themselves.
const INJECTED_WEB_IDENTITY: &str = "web-identity";
/// What whoever created the pod was told.
const WARNINGS_ANNOTATION: &str = "deputy.dev/injected-warnings";
/// Longest value of [`WARNINGS_ANNOTATION`], in characters.
const MAX_WARNINGS: usize = 2048;

/// A token that containers read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// For the broker, by way of the agent.
    Deputy,
    /// For AWS.
    Aws,
}

impl Token {
    const ALL: [Self; 2] = [Self::Deputy, Self::Aws];

    fn volume(self) -> &'static str {
        match self {
            Self::Deputy => TOKEN_VOLUME,
            Self::Aws => AWS_TOKEN_VOLUME,
        }
    }
    fn folder(self) -> &'static str {
        match self {
            Self::Deputy => TOKEN_DIR,
            Self::Aws => AWS_TOKEN_DIR,
        }
    }
    fn mount(self) -> Value {
        match self {
            Self::Deputy => sidecar::token_mount(),
            Self::Aws => web_identity::token_mount(),
        }
    }
    /// Whether a volume of the pod is this token's, by a former pass.
    fn is_volume(self, volume: &Value, view: &PodView<'_>) -> bool {
        match self {
            Self::Deputy => ours::is_our_volume(volume),
            Self::Aws => view.holds_web_identity() && named(volume, AWS_TOKEN_VOLUME),
        }
    }
}

/// Operations so far, and whether `metadata.annotations` is there to be added to.
struct Builder<'a> {
    view: &'a PodView<'a>,
    ops: Vec<Value>,
    has_annotations: bool,
    /// Tokens that nobody reads any more: their volumes go, and every mount of them.
    gone: Vec<Token>,
}

impl<'a> Builder<'a> {
    fn new(view: &'a PodView<'a>) -> Self {
        Self {
            view,
            ops: Vec::new(),
            has_annotations: view.annotations().is_some(),
            gone: Vec::new(),
        }
    }

    /// Those of `tokens` that are in the pod by a former pass go.
    fn give_up(&mut self, tokens: &[Token]) {
        let volumes = self.view.volumes().unwrap_or_default();
        let is_there = |t: &&Token| volumes.iter().any(|v| t.is_volume(v, self.view));
        self.gone = tokens.iter().filter(is_there).copied().collect();
    }

    fn op(&mut self, op: &str, path: String, value: Value) {
        self.ops.push(json!({"op": op, "path": path, "value": value}));
    }

    fn remove(&mut self, path: String) {
        self.ops.push(json!({"op": "remove", "path": path}));
    }

    /// Gives an annotation this value, or takes it away; nothing happens when it is so already.
    fn annotate(&mut self, key: &str, value: Option<&str>) {
        let present = self.view.annotations().and_then(|all| all.get(key));
        let path = format!("/metadata/annotations/{}", escape(key));
        match (present, value) {
            (Some(present), Some(value)) if present.as_str() == Some(value) => {}
            (None, None) => {}
            (Some(_), None) => self.remove(path),
            (_, Some(value)) => {
                if !self.has_annotations {
                    self.op("add", "/metadata/annotations".into(), json!({}));
                    self.has_annotations = true;
                }
                self.op("add", path, json!(value));
            }
        }
    }

    fn warn(&mut self, warnings: &[String]) {
        // In an order that does not depend on where others put containers.
        let mut lines: Vec<&str> = warnings.iter().map(String::as_str).collect();
        lines.sort_unstable();
        let text: String = lines.join("\n").chars().take(MAX_WARNINGS).collect();
        self.annotate(WARNINGS_ANNOTATION, Some(text.as_str()).filter(|t| !t.is_empty()));
    }

    /// Takes the elements at `ours` out of an array and puts `wanted` in: in front, or at the end.
    fn exchange(
        &mut self,
        path: &str,
        present: Option<&[Value]>,
        ours: &[usize],
        wanted: Vec<Value>,
        in_front: bool,
    ) {
        for index in ours.iter().rev() {
            self.remove(format!("{path}/{index}"));
        }
        match present {
            _ if wanted.is_empty() => {}
            None => self.op("add", path.to_owned(), wanted.into()),
            Some(_) => {
                for (index, value) in wanted.into_iter().enumerate() {
                    let place = if in_front {
                        index.to_string()
                    } else {
                        "-".to_owned()
                    };
                    self.op("add", format!("{path}/{place}"), value);
                }
            }
        }
    }

    /// Gives a container these variables and one token, and takes away what else is ours.
    fn container(&mut self, container: &Container<'_>, variables: Vec<Value>, token: Option<Token>) {
        let before = self.ops.len();
        let path = container.path();
        let env = container.array("env");
        let in_place = container.ours.iter().copied().eq(0..variables.len())
            && env
                .unwrap_or_default()
                .iter()
                .zip(&variables)
                .all(|(present, wanted)| present == wanted);
        if !in_place {
            self.exchange(&format!("{path}/env"), env, &container.ours, variables, true);
        }
        let mounts = container.array("volumeMounts");
        let (ours, wanted) = self.mounts(mounts.unwrap_or_default(), token);
        self.exchange(&format!("{path}/volumeMounts"), mounts, &ours, wanted, false);
        if self.ops.len() > before {
            // The container at this index must still be the one that was looked at.
            let test = json!({"op": "test", "path": format!("{path}/name"), "value": container.name()});
            self.ops.insert(before, test);
        }
    }

    /// Which mounts have to go, and which to come.
    fn mounts(&self, mounts: &[Value], token: Option<Token>) -> (Vec<usize>, Vec<Value>) {
        let (mut ours, mut wanted) = (Vec::new(), Vec::new());
        for of in Token::ALL {
            let found = indexes(mounts, |m| {
                let at = m.get("mountPath").and_then(Value::as_str);
                // Where the volume goes, also what the author made of it.
                named(m, of.volume()) && (self.gone.contains(&of) || at == Some(of.folder()))
            });
            let mount = of.mount();
            let is_there = |i: &usize| mounts.get(*i).is_some_and(|m| holds(m, &mount));
            if token == Some(of) {
                if found.len() != 1 || !found.iter().all(is_there) {
                    ours.extend(found);
                    wanted.push(mount);
                }
            } else if of == Token::Deputy || self.view.holds_web_identity() {
                ours.extend(found);
            }
        }
        ours.sort_unstable();
        (ours, wanted)
    }

    /// Gives the pod these volumes, and takes away those of tokens that are not among them.
    fn volumes(&mut self, wanted: &[(Token, Value)]) {
        let present = self.view.volumes();
        let all = present.unwrap_or_default();
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for token in Token::ALL {
            let volume = wanted
                .iter()
                .find(|(of, _)| *of == token)
                .map(|(_, volume)| volume);
            // One that is as it is to be may be anybody's.
            let found = indexes(all, |v| {
                token.is_volume(v, self.view) || volume.is_some_and(|wanted| holds(v, wanted))
            });
            let is_there = |i: &usize| {
                all.get(*i)
                    .zip(volume)
                    .is_some_and(|(v, wanted)| holds(v, wanted))
            };
            if volume.is_some() && found.len() == 1 && found.iter().all(is_there) {
                continue;
            }
            gone.extend(found.into_iter().map(|index| (index, token)));
            new.extend(volume.cloned());
        }
        gone.sort_unstable_by_key(|(index, _)| *index);
        for (index, token) in &gone {
            let path = format!("/spec/volumes/{index}/name");
            self.op("test", path, json!(token.volume()));
        }
        let gone: Vec<usize> = gone.into_iter().map(|(index, _)| index).collect();
        self.exchange("/spec/volumes", present, &gone, new, false);
    }

    /// Tells meshes to leave one port alone, and none that they were told of in a former pass.
    fn meshes(&mut self, config: &InjectionConfig, port: Option<&str>) {
        for mesh in &mesh::MESHES {
            let ports = mesh.ports(self.view, &config.agent.mesh, port);
            self.annotate(mesh.annotation, ports.as_deref());
        }
    }

    /// Takes out the sidecar of a former pass.
    fn without_sidecar(&mut self) {
        self.annotate(SIDECAR_ANNOTATION, None);
        self.take_sidecars();
    }

    /// Goes last: operations on containers use the indexes of the pod as it came.
    fn take_sidecars(&mut self) {
        for index in self.view.sidecars().iter().rev() {
            let path = format!("/spec/initContainers/{index}");
            self.op("test", format!("{path}/name"), json!(SIDECAR));
            self.remove(path);
        }
    }

    /// Puts the sidecar in, once and in its place: first, so that init containers have credentials too, but after a mesh's,
    /// which set up the network.
    fn sidecar(&mut self, wanted: Value) {
        let present = self.view.list(List::Init);
        let sidecars = self.view.sidecars();
        let others: Vec<&str> = self
            .view
            .containers()
            .filter(|c| c.list == List::Init)
            .map(Container::name)
            .collect();
        let at = mesh::leading(others.iter().copied());
        let (sidecar, hash) = today::sidecar(self.view, wanted);
        self.annotate(SIDECAR_ANNOTATION, Some(&hash));
        let found = sidecars
            .first()
            .and_then(|i| present.and_then(|init| init.get(*i)));
        if sidecars == [at] && found == Some(&sidecar) {
            return;
        }
        self.take_sidecars();
        if let Some(previous) = at.checked_sub(1).and_then(|i| others.get(i)) {
            self.op(
                "test",
                format!("/spec/initContainers/{}/name", at - 1),
                json!(previous),
            );
        }
        match present {
            None => self.op("add", "/spec/initContainers".into(), json!([sidecar])),
            Some(_) => self.op("add", format!("/spec/initContainers/{at}"), sidecar),
        }
    }
}

/// RFC 6901: `~` and `/` inside a key.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn indexes(values: &[Value], is: impl Fn(&Value) -> bool) -> Vec<usize> {
    let found = values.iter().enumerate().filter(|(_, v)| is(v));
    found.map(|(i, _)| i).collect()
}

fn named(value: &Value, name: &str) -> bool {
    value.get("name").and_then(Value::as_str) == Some(name)
}

/// The patch that takes everything of ours away, and says why.
pub(super) fn without(
    view: &PodView<'_>,
    config: &InjectionConfig,
    reason: SkipReason,
    warnings: &[String],
) -> Vec<Value> {
    let mut b = Builder::new(view);
    let carried = view.holds_ours();
    if carried {
        b.give_up(&Token::ALL);
        for container in view.containers() {
            b.container(container, Vec::new(), None);
        }
        b.volumes(&[]);
    }
    b.meshes(config, None);
    b.without_sidecar();
    b.annotate(
        INJECTED_ANNOTATION,
        Some(&format!("skipped: {}", reason.as_str())),
    );
    b.warn(warnings);
    b.ops
}

/// The patch that gives a pod all of ours. `gets` is what of it each container gets.
pub(super) fn injected(
    view: &PodView<'_>,
    config: &InjectionConfig,
    options: &Options<'_>,
    gets: &[Gets],
    warnings: &mut Vec<String>,
) -> Result<Vec<Value>, String> {
    let mut volumes = Vec::new();
    let by = if gets.contains(&Gets::Agent) {
        Some(served_by(view, config, options.port)?)
    } else {
        None
    };
    if let Some(by) = by {
        options.without_clash(view, by)?;
        volumes.push((Token::Deputy, sidecar::token_volume()));
    }
    if let Some(audience) = web_identity::audience(gets)? {
        volumes.push((Token::Aws, web_identity::token_volume(audience)));
    }
    refuse_what_is_reserved(view, &volumes)?;
    let mut served = Vec::new();
    let mut b = Builder::new(view);
    let unused = Token::ALL
        .into_iter()
        .filter(|t| volumes.iter().all(|(of, _)| of != t));
    b.give_up(&unused.collect::<Vec<_>>());
    for (container, gets) in view.containers().zip(gets) {
        match gets {
            Gets::Agent => {
                let Some(by) = by else { continue };
                served.push(container.name());
                let region = config.agent.default_region.as_ref();
                let variables = credentials::variables(container, options, by, region, view.facts, warnings);
                b.container(container, variables, Some(Token::Deputy));
            }
            Gets::WebIdentity(told) => {
                let variables = web_identity::variables(container, told, warnings);
                b.container(container, variables, Some(Token::Aws));
            }
            Gets::Nothing(own) => {
                warnings.push(own.warning(container.name()));
                b.container(container, Vec::new(), None);
            }
        }
    }
    b.volumes(&volumes);
    let bindings = options.used(served.into_iter())?;
    b.meshes(config, by.map(mesh::port_of).as_deref());
    let what = match by {
        Some(ServedBy::Sidecar(_)) => {
            b.sidecar(sidecar::sidecar(view, config, options, &bindings));
            INJECTED
        }
        Some(ServedBy::NodeAgent(_)) => {
            Options::warn_of_no_sidecar(view, warnings);
            b.without_sidecar();
            INJECTED_NODE
        }
        None => {
            b.without_sidecar();
            INJECTED_WEB_IDENTITY
        }
    };
    b.annotate(INJECTED_ANNOTATION, Some(what));
    b.warn(warnings);
    Ok(b.ops)
}

/// Names that would make two things one. `volumes` are those that the pod is to have.
fn refuse_what_is_reserved(view: &PodView<'_>, volumes: &[(Token, Value)]) -> Result<(), String> {
    if let Some(container) = view.impostor() {
        return Err(format!(
            "the container name {SIDECAR} is reserved in pods that deputy injects; spec.{} has one with image {:?}",
            container.list.key(),
            container
                .text("image")
                .unwrap_or_default()
                .chars()
                .take(128)
                .collect::<String>()
        ));
    }
    let foreign = |v: &Value| ours::is_named_as_ours(v) && !ours::is_our_volume(v);
    if view.volumes().unwrap_or_default().iter().any(foreign) {
        return Err(format!(
            "the volume name {TOKEN_VOLUME} is reserved in pods that deputy injects; spec.volumes has one that is something else"
        ));
    }
    let for_aws = volumes.iter().find(|(of, _)| *of == Token::Aws);
    let foreign = |v: &Value| {
        named(v, AWS_TOKEN_VOLUME)
            && !Token::Aws.is_volume(v, view)
            && for_aws.is_some_and(|(_, wanted)| !holds(v, wanted))
    };
    if view.volumes().unwrap_or_default().iter().any(foreign) {
        return Err(format!(
            "the volume name {AWS_TOKEN_VOLUME} is reserved in pods whose binding has method AssumeRoleWithWebIdentity; spec.volumes has \
             one that is something else"
        ));
    }
    Ok(())
}
