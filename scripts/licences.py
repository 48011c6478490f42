"""Writes the licences of all that is installed into one file: the program's own by name, those of the libraries linked into it and
of DuckDB's shell beside it in full.

    scripts/licences.py --build build/release --deps build/deps --version VERSION --out FILE

The libraries are those that the linker was told of. Their texts are Debian's (/usr/share/doc/PACKAGE/copyright), and those that
scripts/build-* and scripts/fetch-duckdb kept of the sources. A text that is missing is said, and the status is then 1.
"""

import argparse
import re
import sys
from pathlib import Path

from image_sbom import BUILT_HERE, LICENCES, linked_archives, owner

LINE = "=" * 78
FOLDERS = {source: folder for folder, source in BUILT_HERE.items()}


def text_of(package, source, deps):
    if source in FOLDERS:
        return deps / FOLDERS[source] / "copyright"
    return Path("/usr/share/doc") / package.split(":")[0] / "copyright"


def all_parts(build, deps):
    """(name, version, licence, file) of each part, by name."""
    parts = {}
    for archive in linked_archives(build):
        package, version, source = owner(archive, deps)
        parts[source] = (source, version, LICENCES.get(source, "see below"), text_of(package, source, deps))
    if (deps / "duckdb" / "duckdb").exists():
        version = re.search(r"^version=(\S+)", Path(__file__).with_name("fetch-duckdb").read_text(), re.M).group(1)
        parts["duckdb"] = ("duckdb", version, "MIT", deps / "duckdb" / "copyright")
    return [it for _, it in sorted(parts.items())]


def main():
    parser = argparse.ArgumentParser()
    for name in ("build", "deps", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    parts = all_parts(options.build, options.deps.resolve())
    missing = [name for name, _, _, path in parts if not path.is_file()]
    head = [f"lambda-pipeline {options.version} is under the Apache License, version 2.0: the file LICENSE beside this one.", "",
            "These libraries are linked into the program; duckdb is a program of its own, with its extension httpfs, which",
            "the program starts to answer SQL. Each is under its own licence, whose text stands below.", ""]
    widths = [max(len(it[i]) for it in parts) for i in (0, 1)]
    head += [f"  {name:<{widths[0]}}  {version:<{widths[1]}}  {licence}" for name, version, licence, _ in parts]
    texts = [f"{LINE}\n{name} {version}\n{LINE}\n\n{path.read_text(encoding='utf-8', errors='replace').rstrip()}\n"
             for name, version, _, path in parts if name not in missing]
    part = options.out.with_name(options.out.name + ".part")
    part.write_text("\n".join(["\n".join(head) + "\n", *texts]), encoding="utf-8")
    part.replace(options.out)
    if missing:
        sys.exit(f"the licences of {', '.join(missing)} are not here; scripts/deps fetches them")


if __name__ == "__main__":
    main()
