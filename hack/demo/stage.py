"""Where stories are told: a real API server, an AWS double that enforces policies, Deputy's own processes."""

import json
import time
from pathlib import Path

import yaml
from rig.aws import ROOT as HOME
from rig.aws import Aws, Credentials, policy
from rig.cluster import Cluster, load_manifests
from rig.deputy import Deputy, adapted_to_double
from rig.tools import ROOT

from .telling import chapter, show, tell

EXAMPLES = ROOT / "examples"


def administrator(account: str) -> Credentials:
    """The administrator of another account of the double, whom no policy binds."""
    return Credentials(account, "test")


class Stage:
    """One cluster, one AWS with any number of accounts, one Deputy: any number of stories, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster, self.aws = Cluster(folder / "cluster"), Aws(folder / "aws")
        self.deputy = Deputy(self.cluster, self.aws, folder, people=True)
        self.others: set[str] = set()
        """AWS accounts beside the home one."""

    def start(self) -> "Stage":
        """Starts everything, and tells of it."""
        chapter("A cluster, an AWS account, Deputy")
        began = time.monotonic()
        self.cluster.start()
        self.aws.start()
        version = self.cluster.admin.get("/version")["gitVersion"]
        tell(f"kube-apiserver {version} with Node,RBAC authorization, and ministack, an AWS double that enforces "
             "policies, both on 127.0.0.1.")
        self.deputy.install()
        self.deputy.bootstrap_aws(yaml.safe_dump(self.production()))
        tell("`deputy bootstrap aws` says what each process may do in AWS. One user for each, with that policy (adapted to "
             "the double, which ignores paths):")
        for identity in self.deputy.bootstrap["identities"]:
            actions = {a for s in identity["policy"]["Statement"] if s["Effect"] == "Allow"
                       for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
            show(f"{identity['name']:22} {len(actions):2} actions: {', '.join(sorted(actions)[:4])}, …" if len(actions) > 4
                 else f"{identity['name']:22} {len(actions):2} actions: {', '.join(sorted(actions))}")
        self.deputy.start()
        tell(f"The chart is applied; limits, controller, broker and webhook run with its ServiceAccounts. Ready after "
             f"{time.monotonic() - began:.1f} s.")
        return self

    def stop(self) -> None:
        """Ends everything."""
        self.deputy.stop()
        self.aws.stop()
        self.cluster.stop()

    def production(self) -> dict:
        """The account of most examples, on this double."""
        text = (EXAMPLES / "productionapp" / "10-platform.yaml").read_text()
        found = next(m for m in load_manifests(text) if m["kind"] == "AWSAccount")
        return self.deputy.on_this_double(found)

    # --- AWS, as its administrator

    def client(self, service: str, account: str | None = None, region: str | None = None):
        """A client that no policy binds, of the home account unless another is named."""
        credentials = HOME if account in (None, self.aws.account) else administrator(account)
        return self.aws.client(service, credentials, region=region)

    def join(self, manifest: dict) -> None:
        """Prepares another AWS account as its AWSAccount says: what `deputy bootstrap aws` prints for both, there and at home."""
        account = manifest["spec"]["accountID"]
        home, other = self.deputy.bootstrap_of(yaml.safe_dump_all([self.production(), manifest]))
        iam = self.client("iam", account)
        for identity in other["identities"]:
            # The double's processes are users, not roles.
            trust = json.dumps(identity["trust"]).replace(f":iam::{self.aws.account}:role/", f":iam::{self.aws.account}:user/")
            iam.create_role(RoleName=identity["name"], AssumeRolePolicyDocument=trust)
            document = json.dumps(adapted_to_double(identity["policy"]))
            iam.put_role_policy(RoleName=identity["name"], PolicyName="deputy", PolicyDocument=document)
        for identity in home["identities"]:
            if become := [s for s in identity["policy"]["Statement"] if s["Sid"] == "BecomeDeputy"]:
                self.client("iam").put_user_policy(
                    UserName=identity["name"], PolicyName=account, PolicyDocument=policy(*become)
                )
        self.others.add(account)

    def deputys(self) -> list[str]:
        """The names of Deputy's roles and boundary policies, in all accounts."""
        found = []
        for account in (self.aws.account, *sorted(self.others)):
            iam = self.client("iam", account)
            roles = [r["RoleName"] for r in iam.list_roles()["Roles"]]
            policies = [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]]
            found += [r for r in roles if r.startswith("deputy.")] + [p for p in policies if p.startswith("deputy-limit.")]
        return found

