//! The patch: minimal, with `test` operations where an index is used, never a whole array that was there.

use std::{collections::BTreeMap, sync::LazyLock};

use deputy_delegation::Region;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    config::InjectionConfig,
    credentials,
    delivery::ServedBy,
    json::{Json, JsonFields as _, holds},
    mesh,
    operations::{self, Patch, Path},
    options::Options,
    ours::{self, AWS_TOKEN_DIR, AWS_TOKEN_VOLUME, INJECTED_ANNOTATION, SIDECAR, TOKEN_DIR, TOKEN_VOLUME},
    outcome::SkipReason,
    pod::{Container, List, PodView},
    served_by::served_by,
    sidecar::{self, Sidecar},
    today::{self, SIDECAR_ANNOTATION, Today},
    variable::EnvVariable,
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

const METADATA: Path<'_> = Path::of("metadata");
const SPEC: Path<'_> = Path::of("spec");
const VOLUMES: Path<'_> = SPEC.field("volumes");
const INIT_CONTAINERS: Path<'_> = SPEC.field("initContainers");

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
    fn mount(self) -> &'static Value {
        static DEPUTY: LazyLock<Value> = LazyLock::new(sidecar::token_mount);
        static AWS: LazyLock<Value> = LazyLock::new(web_identity::token_mount);
        match self {
            Self::Deputy => &DEPUTY,
            Self::Aws => &AWS,
        }
    }
    /// Whether a volume of the pod is this token's, by a former pass.
    fn is_volume(self, volume: &Json<'_>, view: &PodView<'_>) -> bool {
        match self {
            Self::Deputy => ours::is_our_volume(volume),
            Self::Aws => view.holds_web_identity() && ours::name(volume) == AWS_TOKEN_VOLUME,
        }
    }
}

/// Operations so far, and whether `metadata.annotations` is there to be added to.
struct Builder<'a> {
    view: &'a PodView<'a>,
    patch: Patch,
    has_annotations: bool,
    /// Tokens that nobody reads any more: their volumes go, and every mount of them.
    gone: Vec<Token>,
}

/// Nothing, or why an operation can't be written.
type Written = Result<(), String>;

impl<'a> Builder<'a> {
    fn new(view: &'a PodView<'a>) -> Self {
        Self {
            view,
            patch: Patch::for_containers(view.containers().count()),
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

    /// Gives an annotation this value, or takes it away; nothing happens when it is so already.
    fn annotate(&mut self, key: &'static str, value: Option<&str>) -> Written {
        let present = self.view.annotations().and_then(|all| all.get(key));
        let annotations = METADATA.field("annotations");
        match (present, value) {
            (Some(present), Some(value)) if present.as_str() == Some(value) => Ok(()),
            (None, None) => Ok(()),
            (Some(_), None) => self.patch.remove(annotations.key(key)),
            (_, Some(value)) => {
                if !self.has_annotations {
                    self.patch.add(annotations, &json!({}))?;
                    self.has_annotations = true;
                }
                self.patch.add(annotations.key(key), value)
            }
        }
    }

    fn warn(&mut self, warnings: &[String]) -> Written {
        // In an order that does not depend on where others put containers.
        let mut lines: Vec<&str> = warnings.iter().map(String::as_str).collect();
        lines.sort_unstable();
        let text: String = lines.join("\n").chars().take(MAX_WARNINGS).collect();
        self.annotate(WARNINGS_ANNOTATION, Some(text.as_str()).filter(|t| !t.is_empty()))
    }

    /// Takes the elements at `ours` out of an array and puts `wanted` in: in front, or at the end.
    fn exchange<V: Serialize>(
        &mut self,
        list: Path<'_>,
        present: Option<&[Json<'_>]>,
        ours: &[usize],
        wanted: &[V],
        in_front: bool,
    ) -> Written {
        for index in ours.iter().rev() {
            self.patch.remove(list.element(*index))?;
        }
        match present {
            _ if wanted.is_empty() => {}
            None => self.patch.add(list, wanted)?,
            Some(_) => {
                for (index, value) in wanted.iter().enumerate() {
                    let place = if in_front { list.element(index) } else { list.end() };
                    self.patch.add(place, value)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a container these variables and one token, and takes away what else is ours.
    fn container(
        &mut self,
        container: &Container<'_>,
        variables: &[EnvVariable<'_>],
        token: Option<Token>,
    ) -> Written {
        let list = SPEC.field(container.list.key());
        let place = list.element(container.index);
        let env = container.array("env");
        let in_place = container.ours.iter().copied().eq(0..variables.len())
            && env
                .unwrap_or_default()
                .iter()
                .zip(variables)
                .all(|(present, wanted)| wanted.is(present));
        let mounts = container.array("volumeMounts");
        let (ours, wanted) = self.mounts(mounts.unwrap_or_default(), token);
        if in_place && ours.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        // The container at this index must still be the one that was looked at.
        self.patch.test(place.field("name"), container.name())?;
        if !in_place {
            self.exchange(place.field("env"), env, &container.ours, variables, true)?;
        }
        self.exchange(place.field("volumeMounts"), mounts, &ours, &wanted, false)
    }

    /// Which mounts have to go, and which to come.
    fn mounts(&self, mounts: &[Json<'_>], token: Option<Token>) -> (Vec<usize>, Vec<&'static Value>) {
        let (mut ours, mut wanted) = (Vec::new(), Vec::new());
        for of in Token::ALL {
            let found = indexes(mounts, |m| {
                // Where the volume goes, also what the author made of it.
                ours::name(m) == of.volume()
                    && (self.gone.contains(&of) || m.text_at("mountPath") == Some(of.folder()))
            });
            let mount = of.mount();
            let is_there = |i: &usize| mounts.get(*i).is_some_and(|m| holds(m, mount));
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
    fn volumes(&mut self, wanted: &[(Token, Value)]) -> Written {
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
            new.extend(volume);
        }
        gone.sort_unstable_by_key(|(index, _)| *index);
        for (index, token) in &gone {
            let volume = VOLUMES.element(*index);
            self.patch.test(volume.field("name"), token.volume())?;
        }
        let gone: Vec<usize> = gone.into_iter().map(|(index, _)| index).collect();
        self.exchange(VOLUMES, present, &gone, &new, false)
    }

    /// Tells meshes to leave one port alone, and none that they were told of in a former pass.
    fn meshes(&mut self, config: &InjectionConfig, port: Option<&str>) -> Written {
        for mesh in &mesh::MESHES {
            let ports = mesh.ports(self.view, &config.agent.mesh, port);
            if ports.as_deref() != self.view.annotation(mesh.annotation) {
                self.annotate(mesh.annotation, ports.as_deref())?;
            }
        }
        Ok(())
    }

    /// Takes out the sidecar of a former pass.
    fn without_sidecar(&mut self) -> Written {
        self.annotate(SIDECAR_ANNOTATION, None)?;
        self.take_sidecars()
    }

    /// Goes last: operations on containers use the indexes of the pod as it came.
    fn take_sidecars(&mut self) -> Written {
        for index in self.view.sidecars().iter().rev() {
            let place = INIT_CONTAINERS.element(*index);
            self.patch.test(place.field("name"), SIDECAR)?;
            self.patch.remove(place)?;
        }
        Ok(())
    }

    /// Puts the sidecar in, once and in its place: first, so that init containers have credentials too, but after a mesh's,
    /// which set up the network.
    fn sidecar(&mut self, wanted: &Sidecar<'_>) -> Written {
        let sidecars = self.view.sidecars();
        let others: Vec<&str> = self
            .view
            .containers()
            .filter(|c| c.list == List::Init)
            .map(Container::name)
            .collect();
        let at = mesh::leading(others.iter().copied());
        let (today, hash) = today::sidecar(self.view, wanted).map_err(operations::unwritten)?;
        self.annotate(SIDECAR_ANNOTATION, Some(&hash))?;
        if sidecars == [at] && matches!(today, Today::Stays(_)) {
            return Ok(());
        }
        self.take_sidecars()?;
        if let Some(previous) = at.checked_sub(1).and_then(|i| others.get(i)) {
            let place = INIT_CONTAINERS.element(at - 1);
            self.patch.test(place.field("name"), previous)?;
        }
        match today {
            Today::Stays(found) => self.put_sidecar(at, found),
            Today::Wanted(wanted) => self.put_sidecar(at, &wanted),
        }
    }

    fn put_sidecar<V: Serialize>(&mut self, at: usize, sidecar: &V) -> Written {
        if self.view.list(List::Init).is_some() {
            self.patch.add(INIT_CONTAINERS.element(at), sidecar)
        } else {
            self.patch.add(INIT_CONTAINERS, &[sidecar])
        }
    }
}

fn indexes(values: &[Json<'_>], is: impl Fn(&Json<'_>) -> bool) -> Vec<usize> {
    let found = values.iter().enumerate().filter(|(_, v)| is(v));
    found.map(|(i, _)| i).collect()
}

/// The patch that takes everything of ours away, and says why.
pub(super) fn without(
    view: &PodView<'_>,
    config: &InjectionConfig,
    reason: SkipReason,
    warnings: &[String],
) -> Result<Patch, String> {
    let mut b = Builder::new(view);
    let carried = view.holds_ours();
    if carried {
        b.give_up(&Token::ALL);
        for container in view.containers() {
            b.container(container, &[], None)?;
        }
        b.volumes(&[])?;
    }
    b.meshes(config, None)?;
    b.without_sidecar()?;
    b.annotate(
        INJECTED_ANNOTATION,
        Some(&format!("skipped: {}", reason.as_str())),
    )?;
    b.warn(warnings)?;
    Ok(b.patch)
}

/// The patch that gives a pod all of ours. `gets` is what of it each container gets.
pub(super) fn injected(
    view: &PodView<'_>,
    config: &InjectionConfig,
    options: &Options<'_>,
    gets: &[Gets],
    warnings: &mut Vec<String>,
) -> Result<Patch, String> {
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
    let mut regions: BTreeMap<Option<&str>, Option<Region>> = BTreeMap::new();
    for (container, gets) in view.containers().zip(gets) {
        match gets {
            Gets::Agent => {
                let Some(by) = by else { continue };
                served.push(container.name());
                let binding = options.binding_of(container.name());
                let region = regions
                    .entry(binding)
                    .or_insert_with(|| (view.facts.region)(binding))
                    .as_ref()
                    .or(config.agent.default_region.as_ref());
                let variables = credentials::variables(container, binding, by, region, warnings);
                b.container(container, &variables, Some(Token::Deputy))?;
            }
            Gets::WebIdentity(told) => {
                let variables = web_identity::variables(container, told, warnings);
                b.container(container, &variables, Some(Token::Aws))?;
            }
            Gets::Nothing(own) => {
                warnings.push(own.warning(container.name()));
                b.container(container, &[], None)?;
            }
        }
    }
    b.volumes(&volumes)?;
    let bindings = options.used(served.into_iter())?;
    b.meshes(config, by.map(mesh::port_of).as_deref())?;
    let what = match by {
        Some(ServedBy::Sidecar(_)) => {
            b.sidecar(&sidecar::sidecar(view, config, options, &bindings))?;
            INJECTED
        }
        Some(ServedBy::NodeAgent(_)) => {
            Options::warn_of_no_sidecar(view, warnings);
            b.without_sidecar()?;
            INJECTED_NODE
        }
        None => {
            b.without_sidecar()?;
            INJECTED_WEB_IDENTITY
        }
    };
    b.annotate(INJECTED_ANNOTATION, Some(what))?;
    b.warn(warnings)?;
    Ok(b.patch)
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
    let foreign = |v: &Json<'_>| ours::is_named_as_ours(v) && !ours::is_our_volume(v);
    if view.volumes().unwrap_or_default().iter().any(foreign) {
        return Err(format!(
            "the volume name {TOKEN_VOLUME} is reserved in pods that deputy injects; spec.volumes has one that is something else"
        ));
    }
    let for_aws = volumes.iter().find(|(of, _)| *of == Token::Aws);
    let foreign = |v: &Json<'_>| {
        ours::name(v) == AWS_TOKEN_VOLUME
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
