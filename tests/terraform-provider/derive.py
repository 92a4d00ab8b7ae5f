#!/usr/bin/env python3
"""Writes the schema of the AWS provider, for the types in wanted.txt, as the test provider serves it.

    derive.py FOLDER

FOLDER/schema.json is left as it is when it was made from the same inputs; the package (70 MB) is downloaded into
FOLDER once, by pip and pinned by its digest. Only the standard library is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

from schema_package import Package

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
INPUTS = (REQUIREMENTS, HERE / "wanted.txt", HERE / "schema_package.py", Path(__file__))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    schema, stamp = folder / "schema.json", folder / "schema.inputs"
    inputs = hashlib.sha256(b"".join(path.read_bytes() for path in INPUTS)).hexdigest()
    if schema.exists() and stamp.exists() and stamp.read_text() == inputs:
        return
    wanted = (HERE / "wanted.txt").read_text().split()
    derived = derive(package(folder), wanted)
    replace(schema, json.dumps(derived, sort_keys=True, separators=(",", ":")))
    replace(stamp, inputs)


def replace(path: Path, text: str) -> None:
    """Whole or not at all: a killed run leaves what was there."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


def package(folder: Path) -> Path:
    """The wheel, downloaded where it is not there yet. pip verifies its digest, also of one that is there."""
    downloads = folder / "downloads"
    command = [python_with_pip(folder), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--dest", downloads, "--requirement", REQUIREMENTS]
    subprocess.run(command, check=True)
    return max(downloads.glob("cdktn_provider_aws-*.whl"), key=os.path.getmtime)


def python_with_pip(folder: Path) -> str | Path:
    if importlib.util.find_spec("pip"):
        return sys.executable
    place = folder / "venv"
    venv.create(place, with_pip=True, clear=True)
    return place / "bin/python"


def derive(wheel: Path, wanted: list[str]) -> dict:
    schema = {"provider": {}, "resource_schemas": {}, "data_source_schemas": {}}
    modules = read_modules(wheel, {"provider"} | {module_of(name) for name in wanted})
    for files in modules.values():
        read = Package.read(files["index.js"], files["index.d.ts"])
        if read is None:
            continue
        if read.kind == "provider":
            schema["provider"] = read.schema()
        else:
            schema[read.kind][read.name] = read.schema()
    derived = set(schema["resource_schemas"]) | {"data." + name for name in schema["data_source_schemas"]}
    if missing := sorted(set(wanted) - derived):
        raise SystemExit(f"wanted.txt names what the package does not have: {', '.join(missing)}")
    return schema


def module_of(name: str) -> str:
    """The folder of a type, without the dashes: the package sets them by rules of its own."""
    if name.startswith("data."):
        return "dataaws" + name.removeprefix("data.aws_").replace("_", "")
    return name.removeprefix("aws_").replace("_", "")


def read_modules(wheel: Path, wanted: set[str]) -> dict[str, dict[str, str]]:
    """The two files of each wanted folder: an archive within the wheel holds them, and is read from front to back."""
    modules: dict[str, dict[str, str]] = {}
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r|gz") as archive:
            for member in archive:
                *_, module, name = ("", *member.name.split("/"))
                if module.replace("-", "") in wanted and name in ("index.js", "index.d.ts"):
                    content = archive.extractfile(member)
                    modules.setdefault(module, {})[name] = content.read().decode() if content else ""
    return modules


if __name__ == "__main__":
    main()
