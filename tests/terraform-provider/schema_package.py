"""Reads one resource of the package cdktn-provider-aws: JavaScript that was generated from the provider's schema.

Two files describe a resource. `index.js` has, per class, a comment for every attribute (computed, optional, required)
and a table of what can be configured (its kind and the class of its elements); `index.d.ts` tells which of them are
blocks. What comes out is the block of `terraform providers schema -json` ("Schema representation" of the Terraform
documentation, JSON output format).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KINDS = {
    "TerraformResource": "resource_schemas",
    "TerraformDataSource": "data_source_schemas",
    "TerraformProvider": "provider",
}
PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
GETTERS = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "BooleanMap": ["map", "bool"],
    "NumberMap": ["map", "number"],
}

CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{\n(.*?)^\}\n", re.S | re.M)
TABLE = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}\n", re.S | re.M)
OWN_TABLE = re.compile(r"synthesizeHclAttributes\(\) \{(.*?)\n    \}\n", re.S)
ENTRY = re.compile(
    r"^ {12}(?: {0,4})(\w+): \{\n\s+value: (.*),\n\s+isBlock: (true|false),\n"
    r"\s+type: \"(\w+)\",\n\s+storageClassType: \"(\w+)\"",
    re.M,
)
TABLE_ENTRY = re.compile(ENTRY.pattern.replace("^ {12}(?: {0,4})", "^ {8}"), re.M)
INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)^\}\n", re.S | re.M)
PROPERTY = re.compile(r"/\*\*(.*?)\*/\s+readonly \w+(\??):", re.S)
PROPERTY_NAME = re.compile(r"#(\w+) \w+#\w+\}")
ATTRIBUTE = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)$")
NESTED = re.compile(r"^    _\w+ = new (\w+)\(this, \"\w+\"(?:, (true|false))?\);")
NESTED_PRIMITIVE = re.compile(r"^    _\w+ = new cdktn\.(\w+?(?:MapList|Map|List))\(this, ")
RETURNED = re.compile(r"^        return (.*);$")
GETTER = re.compile(r"this\.get(\w+?)Attribute\(")


@dataclass
class Field:
    """What the comment over an attribute and the lines below it tell."""

    flags: dict[str, bool]
    nested: str | None = None
    nested_is_set: bool = False
    getter: str | None = None


@dataclass
class Entry:
    """One line of the table of what can be configured."""

    single: bool
    block: bool
    kind: str
    element: str


@dataclass
class Package:
    """The schema of one resource, data source or the provider."""

    kind: str = ""
    name: str = ""
    _main: str = ""
    _fields: dict[str, dict[str, Field]] = field(default_factory=dict)
    _tables: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _blocks: dict[str, set[str]] = field(default_factory=dict)
    _required: dict[str, dict[str, bool]] = field(default_factory=dict)

    @classmethod
    def read(cls, javascript: str, typings: str) -> Package | None:
        """None for what is neither a resource nor a data source nor the provider."""
        package = cls()
        for name, base, body in CLASS.findall(javascript):
            if base in KINDS:
                package.kind, package._main = KINDS[base], name
                found = re.search(r'static tfResourceType = "(\w+)"', body)
                package.name = found.group(1) if found else ""
                own = OWN_TABLE.search(body)
                package._tables[name] = entries(ENTRY, own.group(1)) if own else {}
            package._fields[name] = fields(body)
        for name, body in TABLE.findall(javascript):
            package._tables[name.lower()] = entries(TABLE_ENTRY, body)
        for name, body in INTERFACE.findall(typings):
            package._read_interface(name, body)
        return package if package.kind else None

    def _read_interface(self, name: str, body: str) -> None:
        blocks, required = set(), {}
        for documentation, optional in PROPERTY.findall(body):
            found = PROPERTY_NAME.search(documentation)
            if not found:
                continue
            attribute = found.group(1)
            required[attribute] = optional != "?"
            if re.search(rf"^\s*\* {attribute} block$", documentation, re.M):
                blocks.add(attribute)
        self._blocks[name], self._required[name] = blocks, required

    def schema(self) -> dict:
        return {"version": 0, "block": self._block(self._main, self._main + "Config")}

    def _block(self, name: str, interface: str) -> dict:
        table = self._tables.get(name) or self._tables.get(name.removesuffix("OutputReference").lower(), {})
        known = self._fields[name]
        if self.kind == "provider":
            known = {attribute: self._provider_field(interface, attribute) for attribute in table}
        attributes, blocks = {}, {}
        for attribute, told in known.items():
            entry = table.get(attribute)
            inner = nested_class(told, entry)
            if inner is None:
                attributes[attribute] = {"type": attribute_type(told, entry), **told.flags}
            elif attribute in self._blocks.get(interface, ()):
                blocks[attribute] = nested_block(self._inner(inner), told, entry)
            else:
                kind = ["object", object_type(self._inner(inner))]
                around = container(told, entry)
                attributes[attribute] = {"type": [around, kind] if around else kind, **told.flags}
        return {key: value for key, value in (("attributes", attributes), ("block_types", blocks)) if value}

    def _inner(self, name: str) -> dict:
        for candidate in (name + "OutputReference", name):
            if candidate in self._fields:
                return self._block(candidate, name)
        # The blocks of the provider itself have a table and no class.
        required = self._required[name]
        told = {a: Field(optional_or_required(required.get(a, False))) for a in self._tables[name.lower()]}
        return {
            "attributes": {
                attribute: {"type": attribute_type(told[attribute], entry), **told[attribute].flags}
                for attribute, entry in self._tables[name.lower()].items()
            }
        }

    def _provider_field(self, interface: str, attribute: str) -> Field:
        return Field(optional_or_required(self._required[interface].get(attribute, False)))


def optional_or_required(required: bool) -> dict[str, bool]:
    return {"required": True} if required else {"optional": True}


def entries(pattern: re.Pattern, body: str) -> dict[str, Entry]:
    return {
        name: Entry(single="istMapper" not in value, block=block == "true", kind=kind, element=element)
        for name, value, block, kind, element in pattern.findall(body)
    }


def fields(body: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    current = None
    for line in body.split("\n"):
        if match := ATTRIBUTE.match(line):
            names = ("computed", "optional", "required")
            flags = {name: True for name, value in zip(names, match.groups()[1:]) if value == "true"}
            current = found[match.group(1)] = Field(flags)
        elif current is None:
            continue
        elif match := NESTED.match(line):
            current.nested, current.nested_is_set = match.group(1), match.group(2) == "true"
            current = None
        elif match := NESTED_PRIMITIVE.match(line):
            current.getter = "new " + match.group(1)
            current = None
        elif match := RETURNED.match(line):
            current.getter = match.group(1)
            current = None
    return found


def nested_class(told: Field, entry: Entry | None) -> str | None:
    if told.nested:
        return re.sub(r"(OutputReference|List|Map)$", "", told.nested)
    return entry.element.removesuffix("List") if entry and entry.block else None


def nested_block(block: dict, told: Field, entry: Entry) -> dict:
    if entry.kind == "struct":
        return {"nesting_mode": "single", "block": block}
    nested = {"nesting_mode": entry.kind, "block": block}
    if told.flags.get("required"):
        nested["min_items"] = 1
    if entry.single:
        nested["max_items"] = 1
    return nested


def container(told: Field, entry: Entry | None) -> str | None:
    if entry:
        return None if entry.kind in ("struct", "simple") else entry.kind
    if told.nested.endswith("List"):
        return "set" if told.nested_is_set else "list"
    return "map" if told.nested.endswith("Map") else None


def attribute_type(told: Field, entry: Entry | None) -> str | list:
    if entry is None:
        return getter_type(told.getter)
    if entry.kind == "simple":
        return PRIMITIVES[entry.element]
    whole = element_type(entry.element)
    return [entry.kind, whole[1]] if entry.kind in ("list", "set") else whole


def element_type(name: str) -> str | list:
    """`stringList` and the like, nested as deep as they come."""
    for suffix, kind in (("List", "list"), ("Map", "map")):
        if name.endswith(suffix) and name != suffix:
            return [kind, element_type(name.removesuffix(suffix))]
    return PRIMITIVES[name]


def getter_type(expression: str) -> str | list:
    if expression.startswith("cdktn.Token.asNumberList(cdktn.Fn.tolist"):
        return ["set", "number"]
    if expression.startswith(("cdktn.Fn.tolist", "cdktn.Token.asAny(cdktn.Fn.tolist")):
        return ["set", "string"]
    if expression.startswith("new "):
        return element_type(expression[4].lower() + expression[5:])
    if expression.startswith("this.interpolationForAttribute"):
        return "dynamic"
    found = GETTER.match(expression)
    if not found:
        raise ValueError(f"not known how to read the type of {expression}")
    return GETTERS[found.group(1)]


def object_type(block: dict) -> dict:
    kinds = {name: attribute["type"] for name, attribute in block.get("attributes", {}).items()}
    for name, nested in block.get("block_types", {}).items():
        kind = ["object", object_type(nested["block"])]
        kinds[name] = kind if nested["nesting_mode"] == "single" else [nested["nesting_mode"], kind]
    return kinds
