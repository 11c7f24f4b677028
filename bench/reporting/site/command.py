"""The command that repeats a run, from the settings that its records keep."""

import dataclasses
import json
import re
import shlex
from typing import Any

from bench.config.methods import CALIBRATIONS
from bench.config.schema import IndexConf, MethodConf
from bench.config.values import LEVELS
from bench.models import NAMES
from bench.tasks import TASKS

# Settings of a task whose spec keeps them under another name.
OTHER = {
    "ruler": {"data": "path", "prompts": "wording"},
    "prefixqa": {"data": "path", "backend": "subtask"},
    "probes": {"questions_per_context": "each"},
    "longbench": {"data": "source", "prompts": "wording", "samples": "limit"},
}
SIZES = ("sparsity", "kv_budget", "kv_tokens", "top_p")


def command(config: dict[str, Any]) -> str:
    """The command line, from ``provenance.config`` of a record (``bench.records.provenance.resolved``).

    Paths are as they were given then; data and models must be there.
    """
    words = [*_model(config["model"]), *_task(config["task"]), *_method(config)]
    return "squeezed-bench " + " ".join(shlex.quote(word) for word in words)


def _model(model: dict[str, Any]) -> list[str]:
    if model["path"] is None and model["name"] in NAMES:
        words = [f"model={model['name']}"]
    else:
        source = model["path"] or model["source"]
        words = ["model=hf", f"model.path={_value(source)}", f"model.name={_value(model['label'])}"]
    words.append(f"model.dtype={model['dtype']}")
    words += [f"model.revision={_value(model['revision'])}"] if model.get("revision") else []
    turn = model.get("turn") or {}
    words += [f"model.system={_value(turn['system'])}"] if turn.get("system") else []
    more = json.loads(turn.get("arguments") or "{}")
    return words + ([f"model.chat_template_kwargs={_value(more)}"] if more else [])


def _task(task: dict[str, Any]) -> list[str]:
    name = task["name"]
    words = [f"task={name}"]
    kind = TASKS.get(name)
    if kind is None:
        return words
    other = OTHER.get(name, {})
    ready = task.get("path") is not None  # the rows say the rest
    for each in dataclasses.fields(kind.conf):
        value = task.get(other.get(each.name, each.name))
        if each.name == "samples" and ready:
            value = task.get("contexts")
        if each.name in ("name", "seed") and (each.name == "name" or ready):
            continue
        if ready and each.name in ("questions_per_context", "backend", "prompts"):
            continue
        shown = each.name in ("subtask", "length", "samples") and hasattr(kind.conf, each.name)
        if value is not None and (shown or value != each.default):
            words.append(f"task.{each.name}={_value(value)}")
    given = {word.partition("=")[0] for word in words}
    words += [f"task.{n}={_value(v)}" for n, v in task["overrides"] if f"task.{n}" not in given]
    return words


def _method(config: dict[str, Any]) -> list[str]:
    method, index = config["method"], config["index"]
    parameters = dict(method["parameters"])
    changed = dict(method["changed"]) | {n: parameters[n] for n in SIZES if n in parameters}
    if "rule" in parameters:  # files of conf/method have rules of their own
        changed["rule"] = parameters["rule"]
    words = [f"method={method['name']}"]
    flat = {each.name for each in dataclasses.fields(MethodConf)}
    for name, value in sorted(changed.items()):
        words.append(f"method.{'' if name in flat else 'own.'}{name}={_value(value)}")
    if method.get("depth"):
        levels = tuple(index["levels"])
        usual = LEVELS.get(method["depth"]) == levels
        words.append(
            f"method.depth={method['depth']}" if usual else f"method.levels={_value(list(levels))}"
        )
    words += [f"method.{name}={method[name]}" for name in CALIBRATIONS if method.get(name)]
    for each in dataclasses.fields(IndexConf):
        if index.get(each.name, each.default) != each.default:
            words.append(f"index.{each.name}={_value(index[each.name])}")
    return words


def _value(value: Any) -> str:
    """A value as Hydra reads it; a text with characters that mean something to it in quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}: {_value(each)}" for name, each in value.items()) + "}"
    text = str(value)
    plain = not isinstance(value, str) or re.fullmatch(r"[A-Za-z_./~-][\w./~@+-]*", text)
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
