"""Writes what is in an image as an SPDX 2.3 document in JSON: the program, each library linked into it, data files.

The libraries are those that the linker was told of, so none can be forgotten; versions are dpkg's, and those that
scripts/build-curl and scripts/build-carquet wrote down. The same image gives the same bytes.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

# By Debian's source package. One that is not here is an error: whoever links another library reads its licence first.
LICENCES = {
    "ca-certificates": "MPL-2.0",
    "carquet": "MIT",
    "curl": "curl",
    "expat": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "glibc": "LGPL-2.1-or-later",
    "jansson": "MIT",
    "libdeflate": "MIT",
    "libmicrohttpd": "LGPL-2.1-or-later",
    "libyaml": "MIT",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
    "lz4": "BSD-2-Clause",
    "nghttp2": "MIT",
    "openssl": "Apache-2.0",
    "pcre2": "BSD-3-Clause",
    "tzdata": "LicenseRef-public-domain",
    "udunits": "UCAR",
    "xxhash": "BSD-2-Clause",
    "zlib": "Zlib",
}
ALWAYS_LINKED = ("libc.a", "libgcc.a")  # by the compiler, without being told
BUILT_HERE = {"curl": "curl", "microhttpd": "libmicrohttpd", "carquet": "carquet"}  # below build/deps, their source packages
DATA = ("ca-certificates", "tzdata")


def fail(sentence):
    sys.exit(f"image: {sentence}")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        fail(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def linked_archives(build):
    """The archives on the linker's command line for the program, but our own."""
    ninja = (build / "build.ninja").read_text()
    rule = re.search(r"^build lambda-pipeline: .*?\n((?:  .*\n)+)", ninja, re.M)
    libraries = re.search(r"^  LINK_LIBRARIES = (.*)$", rule.group(1), re.M).group(1)
    words = shlex.split(re.sub(r"\$([ :$])", r"\1", libraries))  # ninja's marks, then the shell's
    return sorted({Path(word) for word in words if word.endswith(".a") and word.startswith("/")})


def from_compiler(build, deps, name):
    told = next(build.glob("CMakeFiles/*/CMakeCCompiler.cmake")).read_text()
    compiler = re.search(r'^set\(CMAKE_C_COMPILER "(.*)"\)$', told, re.M).group(1)
    sysroot = [f"--sysroot={deps / 'root'}"] if (deps / "root").is_dir() else []
    return Path(output_of(compiler, *sysroot, f"-print-file-name={name}").strip()).resolve()


def installed_owner(path):
    """(package, version, source package) of a file of this machine."""
    for name in (str(path.resolve()), str(path)):
        done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, timeout=60)
        if not done.returncode:
            return of_package(done.stdout.split(": ")[0].split(",")[0])
    fail(f"no Debian package owns {path}, so its version is not known")


def of_package(name):
    return tuple(output_of("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${source:Package}", name).split())


def owner(path, deps):
    """(package, version, source package) of an archive."""
    for folder, name in BUILT_HERE.items():
        if path.is_relative_to(deps / folder):
            return name, (deps / folder / ".version").read_text().strip(), name
    root = deps / "root"
    if path.is_relative_to(root):
        for line in (root / "owners").read_text().splitlines():
            name, *rest = line.split()
            if name == path.relative_to(root).as_posix():
                return tuple(rest)
    return installed_owner(path)


def package(name, version, source, arch):
    name, source = name.split(":")[0], re.sub(r"^gcc-[0-9]+(-cross)?$", "gcc", source)
    if source not in LICENCES:
        fail(f"the licence of {source} ({name}) is not known; add it to scripts/image_sbom.py")
    kind = "pypi" if source == "carquet" else "deb/debian"
    where = f"pkg:{kind}/{name}@{version.replace('+', '%2B').replace(':', '%3A')}"
    if kind != "pypi":
        where += f"?arch={'source' if name in BUILT_HERE.values() else arch}"
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "NOASSERTION" if source == "carquet" else "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": LICENCES[source],
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"built from the source package {source}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": where}],
    }


def image_digest(path):
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile("index.json"))["manifests"][0]["digest"]


def own(name, identifier, version, checksum, purpose, source_info):
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": checksum}],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": purpose,
        "sourceInfo": source_info,
    }


def main():
    parser = argparse.ArgumentParser()
    for name in ("image", "build", "deps", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("arch", "version"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    deps = options.deps.resolve()
    digest = image_digest(options.image)
    program = hashlib.sha256((options.build / "lambda-pipeline").read_bytes()).hexdigest()
    archives = linked_archives(options.build) + [from_compiler(options.build, deps, name) for name in ALWAYS_LINKED]
    linked = {it["SPDXID"]: it for it in (package(*owner(path, deps), options.arch) for path in archives)}
    data = {it["SPDXID"]: it for it in (package(*of_package(name), "all") for name in DATA)}

    relate = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"), ("SPDXRef-image", "CONTAINS", "SPDXRef-program")]
    relate += [("SPDXRef-program", "STATIC_LINK", it) for it in sorted(linked)]
    relate += [("SPDXRef-image", "CONTAINS", it) for it in sorted(data)]
    packages = [own("lambda-pipeline-image", "SPDXRef-image", options.version, digest.split(":")[1], "CONTAINER",
                    f"OCI image for linux/{options.arch}, manifest {digest}"),
                own("lambda-pipeline", "SPDXRef-program", options.version, program, "APPLICATION", "/lambda-pipeline in the image")]
    packages += [it for _, it in sorted({**linked, **data}.items())]
    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"lambda-pipeline-{options.version}-{options.arch}",
        "documentNamespace": f"https://spdx.org/spdxdocs/lambda-pipeline-{options.version}-{options.arch}-{digest.split(':')[1]}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [f"Tool: lambda-pipeline-scripts-image-{options.version}"]},
        "packages": packages,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relate],
        "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-public-domain", "name": "Public domain",
                                        "extractedText": "This database is in the public domain."}],
    }
    part = options.out.with_name(options.out.name + ".part")
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    part.replace(options.out)
    print(f"{options.out}  {len(packages)} packages")


if __name__ == "__main__":
    main()
