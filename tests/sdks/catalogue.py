"""The SDKs that are tried, at the versions that the pins beside them name."""

import json
import re
import xml.etree.ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.tools import ROOT, cargo_binary, venv

from .install import CLIENTS, Missing, installed, toolchain

_PYTHON = CLIENTS / "python"
_PINS = ROOT / "hack" / "tools" / "python"


@dataclass(frozen=True)
class Sdk:
    """One SDK at one version."""

    name: str
    version: str
    argv: Callable[[], Sequence[str | Path]]
    """The program with it, installed when this is called; raises Missing where its toolchain is not there."""
    one_shot: bool = False
    """Whether the program makes one call and ends."""
    first_only: bool = False
    """Whether only the first credential is tried: of the oldest version that works, and of the last that does not."""


def _pip(pins: str, package: str) -> str:
    return re.search(rf"^{package}==(\S+)", (_PINS / f"{pins}.txt").read_text(), re.MULTILINE)[1]


def _npm(name: str) -> str:
    return json.loads((CLIENTS / "node" / "package.json").read_text())["dependencies"][name].rpartition("@")[2]


def _go(folder: str, module: str) -> str:
    return re.search(rf"^\s+{module} v(\S+)$", (CLIENTS / folder / "go.mod").read_text(), re.MULTILINE)[1]


def _maven(folder: str, artifact: str) -> str:
    root = xml.etree.ElementTree.parse(CLIENTS / folder / "pom.xml").getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = (d for d in root.iterfind(".//m:dependency", space) if d.findtext("m:artifactId", "", space) == artifact)
    return next(found).findtext("m:version", "", space)


def _cargo(package: str) -> str:
    return re.search(rf'name = "{package}"\nversion = "(.*)"', (ROOT / "Cargo.lock").read_text())[1]


def _python(pins: str, program: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: [venv(pins) / "bin" / "python", "-B", _PYTHON / program]


def _javascript(program: str, package: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: [toolchain("node"), installed("node") / program, package]


def _java(folder: str, name: str) -> Callable[[], Sequence[str | Path]]:
    def argv() -> Sequence[str | Path]:
        where = installed(folder)
        return [toolchain("java"), "-XX:TieredStopAtLevel=1", "-cp", f"{where}:{where}/*", name]

    return argv


def _rust() -> Sequence[str | Path]:
    try:
        return [cargo_binary("examples/sdk_client")]
    except RuntimeError as error:
        raise Missing("not built: cargo build -p deputy-aws --example sdk_client") from error


def _awscli() -> Sequence[str | Path]:
    return [venv("sdk-awscli") / "bin" / "aws", "sts", "get-caller-identity"]


def _pair(name: str, newest: str, argv: Callable, oldest: str, old_argv: Callable) -> list[Sdk]:
    return [Sdk(name, newest, argv), Sdk(name, oldest, old_argv, first_only=True)]


_V2 = "github.com/aws/aws-sdk-go-v2/config"
_V1 = "github.com/aws/aws-sdk-go"

SDKS: list[Sdk] = [
    *_pair(
        "boto3 (Python)",
        _pip("clients", "boto3"),
        _python("clients", "boto3_client.py"),
        _pip("sdk-boto3-oldest", "boto3"),
        _python("sdk-boto3-oldest", "boto3_client.py"),
    ),
    Sdk(
        "boto3 (Python)",
        _pip("sdk-boto3-too-old", "boto3"),
        _python("sdk-boto3-too-old", "boto3_client.py"),
        first_only=True,
    ),
    Sdk("AWS CLI 1", _pip("sdk-awscli", "awscli"), _awscli, one_shot=True),
    *_pair(
        "JavaScript 3",
        _npm("@aws-sdk/client-sts"),
        _javascript("v3.mjs", "@aws-sdk/client-sts"),
        _npm("client-sts-oldest"),
        _javascript("v3.mjs", "client-sts-oldest"),
    ),
    Sdk("JavaScript 3", _npm("client-sts-too-old"), _javascript("v3.mjs", "client-sts-too-old"), first_only=True),
    *_pair(
        "JavaScript 2",
        _npm("aws-sdk"),
        _javascript("v2.mjs", "aws-sdk"),
        _npm("aws-sdk-oldest"),
        _javascript("v2.mjs", "aws-sdk-oldest"),
    ),
    *_pair(
        "Go 2",
        f"config {_go('go', _V2)}",
        lambda: [installed("go") / "bin" / "sdkv2"],
        f"config {_go('go-oldest', _V2)}",
        lambda: [installed("go-oldest") / "bin" / "sdkv2"],
    ),
    *_pair(
        "Go 1",
        _go("go", _V1),
        lambda: [installed("go") / "bin" / "sdkv1"],
        _go("go-oldest", _V1),
        lambda: [installed("go-oldest") / "bin" / "sdkv1"],
    ),
    *_pair("Java 2", _maven("java", "sts"), _java("java", "V2"), _maven("java-oldest", "sts"), _java("java-oldest", "V2")),
    *_pair(
        "Java 1",
        _maven("java", "aws-java-sdk-sts"),
        _java("java", "V1"),
        _maven("java-oldest", "aws-java-sdk-sts"),
        _java("java-oldest", "V1"),
    ),
    Sdk("Rust", f"aws-config {_cargo('aws-config')}", _rust, one_shot=True),
    Sdk("C++ (in pyarrow)", f"pyarrow {_pip('sdk-native', 'pyarrow')}", _python("sdk-native", "pyarrow_client.py")),
    Sdk("CRT (in awscrt)", f"awscrt {_pip('sdk-native', 'awscrt')}", _python("sdk-native", "crt_client.py")),
]
