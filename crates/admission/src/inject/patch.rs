//! The patch: minimal, with `test` operations where an index is used, never a whole array that was there.

use serde_json::{Value, json};

use super::{
    config::InjectionConfig,
    credentials, mesh,
    options::Options,
    ours::{self, INJECTED_ANNOTATION, SIDECAR, TOKEN_DIR, TOKEN_VOLUME},
    outcome::SkipReason,
    pod::{Container, List, PodView},
    sidecar,
    today::{self, SIDECAR_ANNOTATION, holds},
};

/// What whoever created the pod was told.
const WARNINGS_ANNOTATION: &str = "deputy.dev/injected-warnings";
/// Longest value of [`WARNINGS_ANNOTATION`], in characters.
const MAX_WARNINGS: usize = 2048;

/// What a container has of the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// It reads it.
    Mounted,
    /// It brings its own credentials.
    NotMounted,
    /// There is none: the volume goes.
    Gone,
}

/// Operations so far, and whether `metadata.annotations` is there to be added to.
struct Builder<'a> {
    view: &'a PodView<'a>,
    ops: Vec<Value>,
    has_annotations: bool,
}

impl<'a> Builder<'a> {
    fn new(view: &'a PodView<'a>) -> Self {
        Self {
            view,
            ops: Vec::new(),
            has_annotations: view.annotations().is_some(),
        }
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

    /// Gives a container these variables and the token, or takes both away.
    fn container(&mut self, container: &Container<'_>, variables: Vec<Value>, token: Token) {
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
        let (ours, wanted) = mounts_of(mounts.unwrap_or_default(), token);
        self.exchange(&format!("{path}/volumeMounts"), mounts, &ours, wanted, false);
        if self.ops.len() > before {
            // The container at this index must still be the one that was looked at.
            let test = json!({"op": "test", "path": format!("{path}/name"), "value": container.name()});
            self.ops.insert(before, test);
        }
    }

    fn volume(&mut self, is_wanted: bool) {
        let wanted = sidecar::token_volume();
        let present = self.view.volumes();
        let ours: Vec<usize> = indexes(present.unwrap_or_default(), ours::is_our_volume);
        let is_there = |i: &usize| present.and_then(|v| v.get(*i)).is_some_and(|v| holds(v, &wanted));
        if is_wanted && ours.len() == 1 && ours.iter().all(is_there) {
            return;
        }
        let wanted = if is_wanted { vec![wanted] } else { Vec::new() };
        for index in &ours {
            self.op("test", format!("/spec/volumes/{index}/name"), json!(TOKEN_VOLUME));
        }
        self.exchange("/spec/volumes", present, &ours, wanted, false);
    }

    /// Takes the sidecar out. Goes last: operations on containers use the indexes of the pod as it came.
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

/// Which mounts have to go, and which to come.
fn mounts_of(mounts: &[Value], token: Token) -> (Vec<usize>, Vec<Value>) {
    let wanted = sidecar::token_mount();
    let is = |m: &Value, key: &str, value: &str| m.get(key).and_then(Value::as_str) == Some(value);
    let ours = indexes(mounts, |m| {
        // Where the volume goes, also what the author made of it.
        is(m, "name", TOKEN_VOLUME) && (token == Token::Gone || is(m, "mountPath", TOKEN_DIR))
    });
    if token != Token::Mounted {
        return (ours, Vec::new());
    }
    let is_there = ours.len() == 1
        && ours
            .iter()
            .all(|i| mounts.get(*i).is_some_and(|m| holds(m, &wanted)));
    if is_there {
        (Vec::new(), Vec::new())
    } else {
        (ours, vec![wanted])
    }
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
        let has_volume = view.volumes().unwrap_or_default().iter().any(ours::is_our_volume);
        let token = if has_volume {
            Token::Gone
        } else {
            Token::NotMounted
        };
        for container in view.containers() {
            b.container(container, Vec::new(), token);
        }
        b.volume(false);
        b.take_sidecars();
        for mesh in &mesh::MESHES {
            if let Some(ports) = mesh.without_ours(view, &config.agent.mesh) {
                b.annotate(mesh.annotation, ports.as_deref());
            }
        }
    }
    b.annotate(SIDECAR_ANNOTATION, None);
    b.annotate(
        INJECTED_ANNOTATION,
        Some(&format!("skipped: {}", reason.as_str())),
    );
    b.warn(warnings);
    b.ops
}

/// The patch that gives a pod all of ours. `own` is what each container brings of its own.
pub(super) fn injected(
    view: &PodView<'_>,
    config: &InjectionConfig,
    own: &[Option<credentials::Own>],
    warnings: &mut Vec<String>,
) -> Result<Vec<Value>, String> {
    refuse_what_is_reserved(view)?;
    let options = Options::read(view, config)?;
    let mut served = Vec::new();
    let mut b = Builder::new(view);
    for (container, own) in view.containers().zip(own) {
        match own {
            None => {
                served.push(container.name());
                let region = config.agent.default_region.as_ref();
                let variables = credentials::variables(container, &options, region, view.facts, warnings);
                b.container(container, variables, Token::Mounted);
            }
            Some(own) => {
                warnings.push(own.warning(container.name()));
                b.container(container, Vec::new(), Token::NotMounted);
            }
        }
    }
    let bindings = options.used(served.into_iter())?;
    b.volume(true);
    b.sidecar(sidecar::sidecar(view, config, &options, &bindings));
    for mesh in &mesh::MESHES {
        if let Some(ports) = mesh.ports(view, &config.agent.mesh) {
            b.annotate(mesh.annotation, Some(&ports));
        }
    }
    b.annotate(INJECTED_ANNOTATION, Some("v1"));
    b.warn(warnings);
    Ok(b.ops)
}

/// Names that would make two things one.
fn refuse_what_is_reserved(view: &PodView<'_>) -> Result<(), String> {
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
    Ok(())
}
