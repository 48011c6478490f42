"""What the lines about S3 stand on: an API and an S3 in one process (go/lake), the five cities, and the two gibibytes."""
import base64
import json
import os
import shutil
import subprocess
import urllib.request
import zlib
from pathlib import Path

import ground
from ground import BUILD, CURL, HERE, OURS, SLOT, TOP, Failed, Job, build, measure

# The pair that AWS publishes with its tests of signatures; go/lake knows no other.
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-west-2", "AWS_EC2_METADATA_DISABLED": "true"}
RUST = BUILD / "rust-s3" / "release" / "s3"
SLOT_BEFORE = "2012-09-30T18:00:00Z"


class Lake:
    """The API and the S3, on free ports; what they saw can be asked, and forgotten."""

    def __init__(self, latency_ms=0):
        self.latency_ms = latency_ms
        self.certificate = BUILD / "lake.pem"
        self.function = self.apitls = None

    def __enter__(self):
        command = build_lake() + [f"-latency-ms={self.latency_ms}", f"-seconds={ground.SERVER_SECONDS}", f"-certificate={self.certificate}"]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = dict(word.split("=", 1) for word in self.process.stdout.readline().split())
        if "s3tls" not in said:
            self.__exit__()
            raise Failed("the S3 of the measurements did not start")
        self.api, self.s3, self.s3tls, self.control = said["api"] + "/now", said["s3"], said["s3tls"], said["control"]
        self.function, self.apitls = said["function"], said["apitls"] + "/now"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def ask(self, what):
        return urllib.request.urlopen(f"{self.control}/{what}", timeout=30).read()

    def state(self):
        state = json.loads(self.ask("state"))
        if state["refused"]:
            raise Failed("the S3 refused " + state["refused"][0])
        return state

    def environment(self, endpoint):
        """A process with these finds nothing else of AWS's."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**clean, **KEYS, "AWS_ENDPOINT_URL": endpoint, "AWS_CA_BUNDLE": str(self.certificate),
                "CURL_CA_BUNDLE": str(self.certificate), "SSL_CERT_FILE": str(self.certificate), "HOME": str(BUILD)}


class CitiesJob(Job):
    """Five requests, one CSV object. Into an empty bucket, or, with `earlier`, into the lake of the day before."""

    def __init__(self, scratch, lake, earlier=False, tls=False):
        super().__init__(scratch, lake.apitls if tls else lake.api, 5, at_once=8, to="s3://bench/lake")
        self.server, self.earlier = lake, earlier
        self.endpoint = lake.s3tls if tls else lake.s3

    def measured(self, command):
        before = self.server.state()
        result = measure(command, environment=self.server.environment(self.endpoint))
        state = self.server.state()
        tables = [body for key, body in state["objects"].items() if key.endswith(".csv") and key not in before["objects"]]
        if len(tables) != 1:
            raise Failed(f"{len(tables)} new tables instead of one")
        self.out.write_text(tables[0])
        self.check(self.out)
        return {**result, "requests": len(state["asked"]) - len(before["asked"])}

    def ours(self):
        self.server.ask("reset")
        if self.earlier:
            self.run_slot(SLOT_BEFORE)
        return self.run_slot(SLOT)

    def run_slot(self, slot):
        return self.measured([OURS, "run", self.file, "--slot", slot, "--quiet"])

    def bare(self, program="bare_s3"):
        self.server.ask("reset")
        return self.measured([BUILD / program, self.url, self.endpoint, "bench/weather.csv"])

    def bare_static(self):
        return self.bare("bare_s3_static")

    def go(self):
        self.server.ask("reset")
        return self.measured([BUILD / "s3-go", self.url, "bench", "weather.csv"])

    def rust(self):
        self.server.ask("reset")
        return self.measured([RUST, self.url, "bench", "weather.csv"])


class BulkJob:
    """A large object in pieces of 1 MiB that lie in memory, and the same bytes in a file that lies in memory."""

    def __init__(self, scratch, lake, mebibytes):
        self.server, self.mebibytes, self.file = lake, mebibytes, Path(scratch) / "bulk"
        build(BUILD / "s3_put", "make", mebibytes, self.file)

    def ours(self, endpoint, bucket="bulk"):
        self.server.ask("reset")
        result = measure([BUILD / "s3_put", "to", self.mebibytes, f"s3://{bucket}", "ours"], environment=self.server.environment(endpoint))
        self.arrived(f"{bucket}/ours")
        return result

    def curl(self, endpoint):
        self.server.ask("reset")
        trust = ["--cacert", self.server.certificate]
        result = measure(["curl", "--silent", "--show-error", "--fail", *trust, "--upload-file", self.file, f"{endpoint}/bulk/curl"])
        self.arrived("bulk/curl")
        return result

    def arrived(self, key):
        state = self.server.state()
        it = state["bulk"].get(key)
        if not it or it["bytes"] != self.mebibytes << 20 or state["uploads"]:
            raise Failed("not all of it arrived, or an upload was left open")
        return it

    def check_ours(self, endpoint):
        """Once, not measured: every signature, every part's bytes and their order, and the checksum of the whole."""
        self.server.ask("reset")
        environment = self.server.environment(endpoint)
        measure([BUILD / "s3_put", "to", self.mebibytes, "s3://bulk-checked", "ours"], environment=environment)
        it, whole = self.arrived("bulk-checked/ours"), 0
        with self.file.open("rb") as file:
            for n, part in enumerate(it["parts"], 1):
                piece = file.read(part["bytes"])
                whole = zlib.crc32(piece, whole)
                if len(piece) != part["bytes"] or zlib.crc32(piece) != part["crc"]:
                    raise Failed(f"part {n} does not hold what it should")
        if it["checksum"] != checksum(whole):
            raise Failed("the checksum of the whole is wrong")


def checksum(crc):

    return base64.b64encode(crc.to_bytes(4, "big")).decode()


# --- building --------------------------------------------------------------------------------------------------------


def build_go(folder, package, name):
    if not shutil.which("go"):
        raise Failed("there is no Go here; scripts/deps --bench installs it")
    build("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", BUILD / name, package, cwd=HERE / folder, CGO_ENABLED="0",
          GOFLAGS="-mod=readonly", GOTOOLCHAIN="local")
    return [BUILD / name]


def build_lake():
    return build_go("go", "./lake", "lake")


def build_sdk():
    return build_go("go/s3", ".", "s3-go")


def build_bare_s3():
    build("gcc", "-O2", "-s", "-I", CURL / "include", HERE / "bare_s3.c", "-o", BUILD / "bare_s3", "-l:libcurl.so.4", "-l:libcrypto.so.3")


def build_bare_s3_static():
    """Linked as ours is, on the libcurl that ours is built with."""
    build("gcc", "-O2", "-s", "-ffunction-sections", "-DCURL_STATICLIB", "-I", CURL / "include", HERE / "bare_s3.c", "-o", BUILD / "bare_s3_static",
          "-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,-z,relro,-z,now", CURL / "lib/libcurl.a", "-l:libnghttp2.a", "-l:libssl.a",
          "-l:libcrypto.a", "-l:libz.a", "-lpthread", "-ldl")


def build_rust():
    if not shutil.which("cargo"):
        raise Failed("there is no Rust here; scripts/deps --bench installs it")
    build("cargo", "build", "--release", "--locked", cwd=HERE / "rust" / "s3", CARGO_TARGET_DIR=str(BUILD / "rust-s3"))


def build_s3_put():
    release = TOP / "build" / "release"
    static = [f"-l:lib{name}.a" for name in ("nghttp2", "ssl", "crypto", "z", "deflate", "jansson", "yaml", "expat")]
    build("gcc", "-O2", "-D_GNU_SOURCE", "-I", TOP / "src", HERE / "s3_put.c", "-o", BUILD / "s3_put", "-Wl,--gc-sections",
          release / "liblp.a", CURL / "lib/libcurl.a", *static, "-lm", "-lpthread", "-ldl")
