"""What is not meant, or can't be: refused on the real API server with where it is, what is wrong and which limit says so.

Told elsewhere: single fields and empty lists in test_definitions; roles that are made and exist, and existing ones that are Deputy's own, in
test_existing_roles; a managed policy that does not exist in test_managed_policies; a boundary of somebody else, and one that is edited to
exceed the ceiling, in test_boundaries.
"""

import pytest

from .scenario import LIST, READ, account, binding, limit, role

OWN = "arn:aws:iam::123456789012"
GITHUB = f"{OWN}:oidc-provider/token.actions.githubusercontent.com"
MAIN = "repo:example-org/shop:ref:refs/heads/main"
PARTNER = "arn:aws:iam::999999999999:root"


def of(*subjects: dict, **spec: object) -> dict:
    """A binding of these subjects; its namespace comes later."""
    manifest = binding("default", "bad", "uploader", "app")
    manifest["spec"] |= {"subjects": list(subjects), **spec}
    return manifest


def sa(**fields: object) -> dict:
    return {"kind": "ServiceAccount", "name": "app", **fields}


def aws(arn: str = PARTNER, **fields: object) -> dict:
    return {"kind": "AWSPrincipal", "arn": arn, **fields}


def oidc(provider: str = GITHUB, audience: str = "sts.amazonaws.com", **conditions: object) -> dict:
    subject = {"kind": "OIDCPrincipal", "providerARN": provider, "audience": audience}
    return {**subject, "conditions": {k: v if isinstance(v, list) else [v] for k, v in conditions.items()}} if conditions else subject


def saml(provider: str = f"{OWN}:saml-provider/acme", **fields: object) -> dict:
    return {"kind": "SAMLPrincipal", "providerARN": provider, "audience": "https://signin.aws.amazon.com/saml", **fields}


def cluster_role(namespaces: list[str]) -> dict:
    manifest = role("default", "bad", READ)
    del manifest["metadata"]["namespace"], manifest["spec"]["accountRef"]
    manifest["spec"]["namespaces"] = namespaces
    return {**manifest, "kind": "ClusterAWSRole"}


def changed(manifest: dict, **spec: object) -> dict:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


# What no limit has to say anything about: the object itself, by the schema (422) or the webhook (403).
BY_ITSELF = {
    # Unions with two members, or the fields of another one.
    "subject: two kinds": (of(sa(), {"kind": "User", "name": "alice"}), 422, "spec.subjects", "are of one kind"),
    "subject: arn beside name": (of(sa(arn=PARTNER)), 422, "spec.subjects[0].arn", "arn is of AWSPrincipal"),
    "subject: name beside arn": (of(aws(name="app")), 422, "spec.subjects[0].name", "name is of ServiceAccount, User and Group"),
    "subject: provider beside arn": (
        of(aws(providerARN=GITHUB, audience="a")),
        *(422, "spec.subjects[0].providerARN", "are of SAMLPrincipal and OIDCPrincipal"),
    ),
    "subject: external id of a provider": (of({**oidc(sub=MAIN), "externalID": "acme-7"}), 422, "spec.subjects[0]", "are of AWSPrincipal"),
    "subject: conditions of an account": (
        of(aws(conditions={"sub": [MAIN]})),
        *(422, "spec.subjects[0].conditions", "conditions are of SAMLPrincipal and OIDCPrincipal"),
    ),
    "subject: provider of the other kind": (of(saml(GITHUB)), 422, "spec.subjects[0].providerARN", "a saml-provider for SAMLPrincipal"),
    "binding: session beside a principal": (
        of(aws(), session={"duration": "30m"}),
        *(422, "spec.session", "session is for subjects to whom Deputy gives it"),
    ),
    "binding: session beside web identity": (
        of(sa(), method="AssumeRoleWithWebIdentity", session={"duration": "30m"}),
        *(422, "spec.session", "session goes with method AssumeRole only"),
    ),
    # Principals that are nobody's, or everybody's.
    "principal: *": (of(aws("*")), 422, "spec.subjects[0].arn", 'Invalid value: "*"'),
    "principal: any account": (of(aws("arn:aws:iam::*:root")), 422, "spec.subjects[0].arn", "no wildcard"),
    "principal: MFA of a role": (
        of(aws("arn:aws:iam::999999999999:role/ci", requireMFA=True)),
        *(422, "spec.subjects[0].requireMFA", "the sessions of a role never carry a second factor"),
    ),
    "condition: wildcard": (of(oidc(sub="repo:example-org/*")), 422, "spec.subjects[0].conditions.sub[0]", "should match"),
    "condition: audience twice": (of(oidc(sub=MAIN, aud="b")), 422, "spec.subjects[0].conditions", "aud is said by audience"),
    # Issuers that all share.
    "shared issuer: no sub": (
        of(oidc()),
        *(422, "spec.subjects[0].conditions", "anybody may get a token of token.actions.githubusercontent.com"),
        *("the condition sub must say whose are meant", "repo:ORGANISATION/REPOSITORY:ref:refs/heads/main"),
    ),
    "shared issuer: another claim": (of(oidc(actor="alice")), 422, "spec.subjects[0].conditions", "the condition sub must say whose"),
    "shared issuer: sub of anybody": (
        of(oidc(sub="environment:production")),
        *(422, "spec.subjects[0].conditions", 'sub "environment:production" does not begin with whose are meant'),
    ),
    "shared issuer: of everybody": (
        of(oidc(f"{OWN}:oidc-provider/login.microsoftonline.com/common/v2.0", sub="x")),
        *(422, "spec.subjects[0].providerARN", "must be one tenant's, such as login.microsoftonline.com/DIRECTORY-ID/v2.0"),
    ),
    "shared issuer: a limit for all organisations": (
        limit("bad", ["bad"], oidcProviders=[{"match": [GITHUB], "audiences": ["sts.amazonaws.com"], "subjects": ["repo:*"]}]),
        *(422, "spec.oidcProviders[0].subjects[0]", '"repo:*" covers tokens of everybody at token.actions.githubusercontent.com'),
        "such as repo:TENANT/*",
    ),
    # Tag keys, which AWS compares ignoring case.
    "tags: one key twice": (
        changed(binding("default", "bad", "uploader", "app"), session={"tags": {"Team": "blue", "team": "green"}}),
        *(422, "spec.session.tags", "tag keys Team and team are one to AWS, which ignores case"),
    ),
    "tags: one key twice in an account": (account("bad", tags={"Team": "a", "team": "b"}), 422, "spec.tags", "tag keys Team and team"),
    "tags: one key twice in a limit": (
        limit("bad", ["bad"], session={"maxDuration": "1h", "tags": {"Team": ["a"], "team": ["b"]}}),
        *(422, "spec.session.tags", "tag keys Team and team are one to AWS, which ignores case"),
    ),
    "tags: Deputy's": (account("bad", tags={"DEPUTY-Uid": "a"}), 422, "spec.tags", "tag key DEPUTY-Uid is reserved"),
    # Lists that may not be empty.
    "ClusterAWSRole: no namespaces": (cluster_role([]), 422, "spec.namespaces", "should have at least 1 items"),
}


@pytest.mark.parametrize("what", BY_ITSELF)
def test_what_is_never_meant_is_refused(scenario, what):
    bad, code, *parts = BY_ITSELF[what]
    error = scenario.refusal(bad)
    assert error.code == code, error.message
    for part in parts:
        assert part in error.message, error.message


RULES = {
    "principals": [{"match": [PARTNER], "requireExternalID": True}, {"match": ["arn:aws:iam::888888888888:root"], "requireMFA": True}],
    "oidcProviders": [{"match": [GITHUB], "audiences": ["sts.amazonaws.com"], "subjects": ["repo:example-org/*"]}],
}

# What a limit with these rules does not allow; its name comes in place of LIMIT.
UNDER_A_LIMIT = {
    "an account that it does not list": (
        of(aws("arn:aws:iam::777777777777:root", externalID="acme-7")),
        *("spec.subjects[0]", "AWS principal arn:aws:iam::777777777777:root is not among the subjects of limit", "LIMIT"),
        f"which allows {PARTNER}, arn:aws:iam::888888888888:root",
    ),
    "no external id": (of(aws()), "spec.subjects[0]", "LIMIT", f"allows {PARTNER} only with externalID"),
    "no second factor": (
        of(aws("arn:aws:iam::888888888888:root")),
        *("spec.subjects[0]", "LIMIT", "allows arn:aws:iam::888888888888:root only with requireMFA: true"),
    ),
    "a kind that it does not list": (
        of(saml()),
        *("spec.subjects[0]", f"SAML provider {OWN}:saml-provider/acme is not among the subjects of limit", "LIMIT", "allows none"),
    ),
    "people": (of({"kind": "User", "name": "alice"}), "spec.subjects[0]", 'user "alice" is not allowed by limit', "LIMIT", "allows none"),
    "the second of two": (of(aws(externalID="acme-7"), aws("777777777777")), "spec.subjects[1]", "arn:aws:iam::777777777777:root", "LIMIT"),
    "a provider of another account": (
        of(oidc("arn:aws:iam::999999999999:oidc-provider/token.actions.githubusercontent.com", sub=MAIN)),
        *("spec.subjects[0]", "is of another account or partition than production, which is 123456789012 in aws"),
        "AWS takes only providers of the role's own account",
    ),
    "another provider": (
        of(oidc(f"{OWN}:oidc-provider/gitlab.com", sub="project_path:example-group/shop:ref_type:branch:ref:main")),
        *("spec.subjects[0]", "oidc-provider/gitlab.com is not among the subjects of limit", "LIMIT", f"which allows {GITHUB}"),
    ),
    "another audience": (
        of(oidc(audience="https://github.com/example-org", sub=MAIN)),
        *("spec.subjects[0]", 'audience "https://github.com/example-org" is not allowed by limit', "LIMIT", "which allows sts.amazonaws.com"),
    ),
    "another organisation": (
        of(oidc(sub="repo:somebody-else/shop:ref:refs/heads/main")),
        *("spec.subjects[0]", 'sub "repo:somebody-else/shop:ref:refs/heads/main" is not allowed by limit', "LIMIT", "repo:example-org/*"),
    ),
    "a tag in another spelling": (
        changed(binding("default", "bad", "uploader", "app"), session={"tags": {"TEAM": "blue"}}),
        *("spec.session.tags[TEAM]", "LIMIT", 'it spells the key "team"'),
    ),
}


@pytest.fixture(scope="module")
def ruled(scenario):
    """A namespace whose limit has rules on subjects, with a role; its name."""
    name = "bad-inputs"
    scenario.cluster.create_namespace(name, {})
    scenario.create(limit(name, [name], **RULES))
    scenario.create(role(name, "uploader", LIST))
    scenario.wait(f"/apis/deputy.dev/v1alpha1/namespaces/{name}/awsroles/uploader", "Ready", "True")
    yield name
    scenario.admin.delete(f"/apis/deputy.dev/v1alpha1/namespaces/{name}/awsroles/uploader")
    scenario.wait_gone(f"/apis/deputy.dev/v1alpha1/namespaces/{name}/awsroles/uploader")
    scenario.admin.delete(f"/apis/deputy.dev/v1alpha1/delegationlimits/{name}")


@pytest.mark.parametrize("what", UNDER_A_LIMIT)
def test_what_a_limit_does_not_allow_is_refused_and_says_what_it_allows(scenario, ruled, what):
    bad, *parts = UNDER_A_LIMIT[what]
    bad = {**bad, "metadata": {"name": "bad", "namespace": ruled}}
    error = scenario.refusal(bad)
    assert error.code == 403, error.message
    for part in (f"AWSRoleBinding {ruled}/bad is refused", *parts):
        assert part.replace("LIMIT", f'limit "{ruled}"') in error.message, error.message


def test_the_good_ones_beside_them_are_taken(scenario, ruled):
    for subject in (aws(externalID="acme-7"), aws("888888888888", requireMFA=True), oidc(sub=MAIN), sa()):
        scenario.try_create({**of(subject), "metadata": {"name": "good", "namespace": ruled}})
