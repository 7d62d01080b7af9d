//! The objects that a question is about: of files, of a cluster, or of both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use deputy_delegation::{ClusterName, NamespaceName, RoleId, model::Role, naming};
use deputy_index::Index;
use serde_json::Value;

use super::{
    ReadObject, ReadObjects,
    cluster::{NamedCluster, live_beside},
    core::{CoreObjects, WantedBeside},
    over::over,
    world::world,
};
use crate::{
    exit::Failure,
    input::{named, once},
};

/// What a cluster is called whose name nobody says. It is in no answer: names in AWS need the real one.
const UNNAMED: &str = "cluster";

/// Where the objects are that a question is about.
#[derive(Debug, Args)]
pub struct WorldArguments {
    /// Manifests, or folders of them; - is standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    beside: BesideFiles,
}

/// Where objects are beside those of files, and what files leave open.
#[derive(Debug, Args)]
pub struct BesideFiles {
    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<NamespaceName>,
    #[command(flatten)]
    kubeconfig: NamedCluster,
    /// The name of the cluster, as in the chart's clusterName: names in AWS follow from it. By default as the status of an object of the
    /// cluster says it
    #[arg(long, env = "DEPUTY_CLUSTER_NAME", value_name = "NAME")]
    cluster_name: Option<ClusterName>,
}

/// The objects that a question is about.
pub struct AskedWorld {
    pub index: Arc<Index>,
    /// Of two of one name that of the files.
    pub objects: Vec<ReadObject>,
    /// Pods and what else is there beside Deputy's objects.
    pub core: CoreObjects,
    /// A cluster was listed: what is not among these objects is not there. Of files alone it may be elsewhere.
    pub is_whole: bool,
    /// The name of the cluster, where it is known.
    pub cluster: Option<ClusterName>,
    /// Where names without one belong.
    pub namespace: Option<String>,
}

impl WorldArguments {
    /// The files, for [`once`].
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Reads them.
    ///
    /// # Errors
    /// What can't be read, and when nothing is named.
    pub fn read(&self) -> Result<AskedWorld, Failure> {
        self.read_with(&WantedBeside::Nothing)
    }

    /// The same, with what is wanted beside Deputy's objects.
    ///
    /// # Errors
    /// The same.
    pub fn read_with(&self, wanted: &WantedBeside<'_>) -> Result<AskedWorld, Failure> {
        let files: Vec<&Path> = self.files.iter().map(PathBuf::as_path).collect();
        once(named("--filename", &self.files))?;
        self.beside.read(&files, "manifests by -f FILE|DIR", wanted)
    }
}

impl BesideFiles {
    /// Whether a cluster is among it.
    pub fn names_cluster(&self) -> bool {
        self.kubeconfig.arguments().is_some()
    }

    /// The objects of `files` and those beside them; `how` says how files are named.
    ///
    /// # Errors
    /// What can't be read, and when nothing is named.
    pub fn read(&self, files: &[&Path], how: &str, wanted: &WantedBeside<'_>) -> Result<AskedWorld, Failure> {
        let live = live_beside(&self.kubeconfig, wanted)?;
        if live.is_none() && files.is_empty() {
            return Err(Failure::input(format!(
                "say what to look at: {how}, or a cluster by --context NAME"
            )));
        }
        let namespace = self.namespace.as_ref().map(ToString::to_string);
        let namespace = namespace.or_else(|| live.as_ref().and_then(|live| live.namespace.clone()));
        let files: Vec<PathBuf> = files.iter().map(|path| path.to_path_buf()).collect();
        let mut files = ReadObjects::of(&files, namespace.as_deref())?;
        let of_files = std::mem::take(&mut files.core);
        let files = files.sound()?;
        let is_whole = live.is_some();
        let (objects, mut core) = match live {
            Some(live) => (over(live.objects, files), live.core),
            None => (files, CoreObjects::default()),
        };
        core.put(of_files);
        let mut world = AskedWorld::of(objects, self.cluster_name.clone(), namespace)?;
        world.core = core;
        world.is_whole = is_whole;
        Ok(world)
    }
}

impl AskedWorld {
    /// One of these objects; the name of the cluster is as given, or as the status of one of them says.
    ///
    /// # Errors
    /// An object that has not even the shape of one.
    pub fn of(
        objects: Vec<ReadObject>,
        cluster: Option<ClusterName>,
        namespace: Option<String>,
    ) -> Result<Self, Failure> {
        let cluster = cluster.or_else(|| cluster_of(&objects));
        let name = match &cluster {
            Some(name) => name.clone(),
            None => ClusterName::new(UNNAMED)?,
        };
        let (index, left_out) = world(name, &objects);
        if let Some((object, why)) = left_out.first() {
            return Err(Failure::input(format!("{}: {why}", object.title())));
        }
        Ok(Self {
            index,
            objects,
            core: CoreObjects::default(),
            is_whole: false,
            cluster,
            namespace,
        })
    }
}

impl AskedWorld {
    /// Whether a role is the IAM role of this name in the AWS account of this id.
    pub fn is_role(&self, id: &RoleId, account: &str, name: &str) -> bool {
        let Some(role) = self.role(id) else { return false };
        let of = self.index.account(&role.account);
        of.known().is_some_and(|of| of.id.as_str() == account) && self.is_called(&role, name)
    }

    /// The roles that have this name in AWS, in whichever account.
    pub fn roles_called(&self, name: &str) -> Vec<Arc<Role>> {
        let ids = self.index.roles().into_iter();
        let roles = ids.filter_map(|id| self.role(&id));
        roles.filter(|role| self.is_called(role, name)).collect()
    }

    fn role(&self, id: &RoleId) -> Option<Arc<Role>> {
        self.index.role(id)?.parsed().ok()
    }

    fn is_called(&self, role: &Role, name: &str) -> bool {
        if let Some(existing) = role.existing() {
            return existing.arn.to_string().rsplit('/').next() == Some(name);
        }
        let own = naming::role_name(self.index.cluster(), &role.id);
        match self.cluster {
            Some(_) => own.as_str() == name,
            // Without the name of the cluster all but the hash is known.
            None => {
                own.as_str().rsplit_once('-').map(|(own, _)| own)
                    == name.rsplit_once('-').map(|(name, _)| name)
            }
        }
    }
}

/// The name of the cluster in the ARN of a role that the status of an object says.
fn cluster_of(objects: &[ReadObject]) -> Option<ClusterName> {
    let arns = objects.iter().filter_map(|object| {
        let arn = object.value.pointer("/status/roleARN");
        let of_instance = object.value.pointer("/status/instances/0/roleARN");
        arn.or(of_instance).and_then(Value::as_str)
    });
    let mut names = arns.filter_map(|arn| {
        let (_, path) = arn.split_once(":role/deputy/")?;
        ClusterName::new(path.split('/').next()?).ok()
    });
    names.next()
}
