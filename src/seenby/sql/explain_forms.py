"""A plan that may be shown (explained.py), written in EXPLAIN's four formats, as Postgres lays them out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.sax.saxutils import escape

from seenby.sql.explained import Node

_PROPERTIES = (
    "Presorted Key", "Sort Key", "Group Key", "Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter",
    "Filter",
)  # fmt: skip
_AGGREGATES = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}
_NAMESPACE = "http://www.postgresql.org/2009/explain"


def written(plan: Node, form: str) -> list[str]:
    """The rows of the answer: one a line for ``text``, else one."""
    match form:
        case "json":
            return [json.dumps([{"Plan": plan}], indent=2, ensure_ascii=False)]
        case "yaml":
            return ["\n".join(("- Plan: ", *_yaml(plan, "    ")))]
        case "xml":
            return [
                "\n".join(
                    (f'<explain xmlns="{_NAMESPACE}">', "  <Query>", *_xml("Plan", plan, 4), "  </Query>", "</explain>")
                )
            ]
    return list(_text(plan, 0))


def _text(node: Node, indent: int) -> Iterator[str]:
    if name := node.get("Subplan Name"):
        yield f"{' ' * indent}{name}"
        indent += 2
    yield f"{' ' * indent}{'->  ' if indent else ''}{_title(node)}"
    indent += 6 if indent else 2
    for key in _PROPERTIES:
        if (value := node.get(key)) is not None:
            yield f"{' ' * indent}{key}: {', '.join(value) if isinstance(value, list) else value}"
    for child in node.get("Plans", ()):
        yield from _text(child, indent)


def _title(node: Node) -> str:
    title: str = node["Node Type"]
    join = node.get("Join Type", "Inner")
    match title:
        case "Aggregate":
            title = _AGGREGATES.get(node.get("Strategy", ""), title)
            mode = node.get("Partial Mode", "Simple")
            title = title if mode == "Simple" else f"{mode} {title}"
        case "SetOp":
            title = "HashSetOp" if node.get("Strategy") == "Hashed" else title
            title = f"{title} {node['Command']}" if "Command" in node else title
        case "Nested Loop" if join != "Inner":
            title = f"Nested Loop {join} Join"
        case "Hash Join" | "Merge Join" if join != "Inner":
            title = f"{title.removesuffix(' Join')} {join} Join"
    if node.get("Scan Direction") == "Backward":
        title += " Backward"
    names = [node.get(key, "") for key in ("Relation Name", "CTE Name", "Alias")]
    told = " ".join(dict.fromkeys(name for name in names if name))
    return f"{title} on {told}" if told else title


def _yaml(node: Node, indent: str) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, str):
            yield f"{indent}{key}: {_quoted(value)}"
            continue
        yield f"{indent}{key}: "
        for one in value:
            if isinstance(one, str):
                yield f"{indent}  - {_quoted(one)}"
            else:
                first, *rest = _yaml(one, indent + "    ")
                yield f"{indent}  - {first.removeprefix(indent + '    ')}"
                yield from rest


def _quoted(text: str) -> str:
    """A JSON string is a YAML string."""
    return json.dumps(text, ensure_ascii=False)


def _xml(name: str, value: object, indent: int) -> Iterator[str]:
    tag, space = name.replace(" ", "-"), " " * indent
    if isinstance(value, str):
        yield f"{space}<{tag}>{escape(value)}</{tag}>"
        return
    yield f"{space}<{tag}>"
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _xml(key, one, indent + 2)
    elif isinstance(value, list):
        for one in value:
            yield from _xml("Plan" if isinstance(one, dict) else "Item", one, indent + 2)
    yield f"{space}</{tag}>"
