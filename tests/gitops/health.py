"""What GitOps tools make of an object's conditions, by the files in `gitops`: Argo CD's in Lua 5.1, as it runs there, and Flux's in CEL."""

import celpy
import yaml
from lupa.lua51 import LuaRuntime

from rig.tools import ROOT

FOLDER = ROOT / "gitops"


def _documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def lua_scripts() -> dict[str, str]:
    """By kind: the script."""
    [config_map] = _documents("argocd-cm.yaml")
    return {key.removeprefix("resource.customizations.health.deputy.dev_"): script for key, script in config_map["data"].items()}


def _table(lua: LuaRuntime, value: object) -> object:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, item) for key, item in value.items()})
    if isinstance(value, list):
        return lua.table_from([_table(lua, item) for item in value])
    return value


def argo_cd(found: dict) -> tuple[str, str]:
    """Health and message."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = _table(lua, found)
    answer = lua.execute(lua_scripts()[found["kind"]])
    return answer.status, answer.message


def flux_expressions() -> dict[str, dict[str, str]]:
    """By kind: the expressions."""
    return {
        expressions["kind"]: {word: expressions[word] for word in ("current", "failed")}
        for document in _documents("flux-kustomization.yaml")
        for expressions in document["spec"].get("healthCheckExprs", [])
    }


def flux(found: dict) -> str:
    """`failed`, `current`, or `inProgress`. What an expression can't be evaluated on is in progress, as it is for Flux."""
    environment = celpy.Environment()
    for word in ("failed", "current"):
        program = environment.program(environment.compile(flux_expressions()[found["kind"]][word]))
        try:
            if program.evaluate(celpy.json_to_cel({"status": {}, **found})):
                return word
        except celpy.CELEvalError:
            continue
    return "inProgress"
