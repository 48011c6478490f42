"""What the measurements stand on: a local server, a meter for processes, the contenders, and the rows they must write."""
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
HERE = TOP / "bench"
BUILD = TOP / "build" / "bench"
RELEASE = TOP / "build" / "release" / "lambda-pipeline"
OURS = BUILD / "lambda-pipeline"  # a copy of it
CURL = TOP / "build" / "deps" / "curl"
CARQUET = TOP / "build" / "deps" / "carquet" / "lib" / "libcarquet.a"
TABLES_PYTHON = TOP / "build" / "venv" / "bin" / "python"  # has duckdb, pyarrow, pandas
FETCH_PYTHON = BUILD / "venv" / "bin" / "python"  # has aiohttp
SERVER_SECONDS = 1800  # the server ends by itself after this, whatever becomes of us
AT_ONCE = 256
DELAY_S = 0.05


class Failed(Exception):
    """A contender that did not do its job, with the reason."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# --- a place for files -----------------------------------------------------------------------------------------------


def make_scratch():
    """In memory where there is room, so that the disk is not what is measured."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    return Path(tempfile.mkdtemp(prefix="lambda-pipeline-bench-", dir=memory if roomy else BUILD))


# --- the server ------------------------------------------------------------------------------------------------------

# One reply as weather APIs send them. The id makes temperature and time differ from item to item, so that the rows can
# be checked.
REPLY = (
    '{"coord":{"lon":-87.65,"lat":41.85},"weather":[{"id":803,"main":"Clouds","description":"broken clouds","icon":"04d"}],'
    '"base":"stations","main":{"temp":12.$arg_id,"feels_like":11.2,"temp_min":10.1,"temp_max":14.9,"pressure":1014,'
    '"humidity":69},"visibility":10000,"wind":{"speed":4.1,"deg":250},"clouds":{"all":75},"dt":135$arg_id,'
    '"sys":{"type":2,"id":2075214,"country":"US","sunrise":1349092000,"sunset":1349134000},"timezone":-18000,'
    '"id":4887398,"name":"Chicago","cod":200}'
)
SERVER_CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /now {{ echo '{reply}'; }}
        location = /late {{ echo_sleep {delay}; echo '{reply}'; }}
        location /files/ {{ alias {folder}/files/; }}
    }}
}}
"""


class Server:
    """nginx with its echo module on a free port of the loopback: /now, /late (after 50 ms), and /files/."""

    def __init__(self, scratch):
        self.folder = scratch / "server"
        self.files = self.folder / "files"

    def __enter__(self):
        self.files.mkdir(parents=True)
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        module = next(Path("/usr/lib/nginx/modules").glob("ngx_http_echo_module.so"), None)
        if not nginx or not module:
            raise Failed("nginx or its echo module is missing; scripts/deps --bench installs them")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = self.folder / "nginx.conf"
        config.write_text(SERVER_CONFIG.format(module=module, folder=self.folder, port=port, reply=REPLY, delay=DELAY_S))
        self.process = subprocess.Popen(["timeout", "-k", "5", str(SERVER_SECONDS), nginx, "-p", str(self.folder), "-c", str(config)])
        for _ in range(100):
            time.sleep(0.05)
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return self
        self.__exit__()
        raise Failed("the server did not start")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


# --- measuring -------------------------------------------------------------------------------------------------------


def measure(command, seconds=180, environment=None, status=0):
    """One run of the command: its wall and CPU seconds and its peak memory in MiB, and what it printed."""
    with tempfile.NamedTemporaryFile(mode="r", errors="replace") as output:
        line = [str(part) for part in (BUILD / "measure", output.name, seconds, *command)]
        meter = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            result = json.loads(meter.communicate(timeout=seconds + 10)[0])
        finally:
            if meter.poll() is None:
                meter.terminate()
        printed = Path(output.name).read_text(errors="replace")
    if result["status"] != status:
        last = printed.strip().splitlines()[-1:] or ["nothing said"]
        raise Failed(f"exit status {result['status']}: {last[0]}")
    return {"wall": result["wall_us"] / 1e6, "cpu": (result["user_us"] + result["sys_us"]) / 1e6,
            "peak": result["peak_kib"] / 1024, "printed": printed}


def wrk(url, seconds):
    """Requests per second of wrk over as many connections as we use."""
    line = ["wrk", "-t1", f"-c{AT_ONCE}", f"-d{seconds}s", f"{url}?id=0000001"]
    out = subprocess.run(line, capture_output=True, text=True, timeout=seconds + 30).stdout
    words = [text.split() for text in out.splitlines()]
    if any(w[:2] == ["Socket", "errors:"] or w[:1] == ["Non-2xx"] for w in words):
        raise Failed("wrk met errors: " + " ".join(out.split()))
    rates = [float(w[1]) for w in words if w[:1] == ["Requests/sec:"]]
    if not rates:
        raise Failed("wrk said nothing")
    return rates[0]


# --- the job: one request for each id, one row of CSV for each reply -------------------------------------------------

PIPELINE = """pipeline: bench
source:
  get: {url}
  query: {{ id: "{{id}}" }}
  each: {{ file: {ids} }}
  limit: {{ at_once: {at_once} }}
columns:
  temperature: {{ from: main.temp, type: double, unit: celsius -> fahrenheit, in_range: [-130, 140] }}
  humidity:    {{ from: main.humidity, type: bigint, in_range: [0, 100] }}
  description: {{ from: "weather[0].description", type: string }}
  observed_at: {{ from: dt, type: timestamp, parse: unix }}
sink: {{ to: {lake} }}
"""
SLOT = "2012-10-01T18:00:00Z"


class Job:
    def __init__(self, scratch, url, count, at_once=AT_ONCE, to=None):
        self.count, self.url = count, url
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        self.ids, self.out, self.lake, self.file = (self.folder / n for n in ("ids.csv", "out.csv", "lake", "bench.yaml"))
        self.ids.write_text("id\n" + "".join(f"{i:07}\n" for i in range(1, count + 1)))
        self.file.write_text(PIPELINE.format(url=url, ids=self.ids, at_once=at_once, lake=to or self.lake))

    def ours(self, check=True):
        shutil.rmtree(self.lake, ignore_errors=True)
        result = measure([OURS, "run", self.file, "--slot", SLOT, "--quiet"])
        if check:
            self.check(next((self.lake / "bench").rglob("*.csv")))
        return result

    def theirs(self, command):
        self.out.unlink(missing_ok=True)
        result = measure([*command, self.url, self.ids, self.out])
        self.check(self.out)
        return result

    def check(self, path):
        """Every id once, in order, and the right values."""
        n = 0
        with path.open(newline="") as file:
            rows = csv.reader(file)
            if next(rows) != ["temperature", "humidity", "description", "observed_at"]:
                raise Failed("the header is wrong")
            for n, (temperature, humidity, description, observed_at) in enumerate(rows, 1):
                if (humidity, description) != ("69", "broken clouds") or float(temperature) != float(f"12.{n:07}") * 9 / 5 + 32:
                    raise Failed(f"row {n} is wrong")
                seconds = 1350000000 + n
                if observed_at != time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)):
                    raise Failed(f"row {n} has the wrong time")
        if n != self.count:
            raise Failed(f"{n} rows instead of {self.count}")


ROWS_PIPELINE = """pipeline: bench
source:
  get: {url}{{n}}.json
  each: {{ file: {ids} }}
  limit: {{ at_once: 2, body: 64MB }}
  rows: .
columns:
  temperature: {{ from: temp, type: double, unit: celsius -> fahrenheit, in_range: [-130, 180] }}
  humidity:    {{ from: humidity, type: bigint, in_range: [0, 100] }}
  description: {{ from: description, type: string }}
  observed_at: {{ from: dt, type: timestamp, parse: unix }}
sink: {{ to: {lake} }}
"""
ROWS = HERE / "python" / "rows.py"
PARQUET_ROWS = HERE / "python" / "parquet.py"


class RowsJob:
    """Few requests, many rows in each reply."""

    def __init__(self, scratch, url, files):
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        ids, self.lake, self.file = (self.folder / n for n in ("ids.csv", "lake", "bench.yaml"))
        ids.write_text("n\n" + "".join(f"{n}\n" for n in range(files)))
        self.file.write_text(ROWS_PIPELINE.format(url=url, ids=ids, lake=self.lake))

    def run(self):
        shutil.rmtree(self.lake, ignore_errors=True)
        return measure(on_one_core(OURS, "run", self.file, "--slot", SLOT, "--quiet"))

    def output(self):
        return next((self.lake / "bench").rglob("*.csv"))


def on_one_core(*command):
    return ["taskset", "-c", max(os.sched_getaffinity(0)), *command]


def check_rows(count, path, script=None):
    done = subprocess.run([str(part) for part in (TABLES_PYTHON, script or ROWS, "check", count, path)], capture_output=True, text=True)
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["the rows are wrong"])[-1])


# --- building --------------------------------------------------------------------------------------------------------


def build(*command, cwd=HERE, **environment):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{command[0]} could not build it: {(done.stderr.strip().splitlines() or ['nothing said'])[-1]}")


def build_measure():
    build("gcc", "-O2", "-static", "-o", BUILD / "measure", HERE / "measure.c")


def build_bare_curl():
    target = BUILD / "bare_curl"
    build("gcc", "-O2", "-s", "-ffunction-sections", "-DCURL_STATICLIB", "-I", CURL / "include", HERE / "bare_curl.c", "-o", target,
          "-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,-z,relro,-z,now", CURL / "lib/libcurl.a",
          "-l:libnghttp2.a", "-l:libssl.a", "-l:libcrypto.a", "-l:libz.a", "-lpthread", "-ldl")
    return [target]


def build_shared_curl():
    target = BUILD / "shared_curl"
    build("gcc", "-O2", "-s", "-I", CURL / "include", HERE / "bare_curl.c", "-o", target, "-l:libcurl.so.4")
    return [target]


def build_rows(name, *libraries):
    target = BUILD / name
    release = TOP / "build" / "release"
    static = [f"-l:lib{it}.a" for it in ("jansson", "yaml", "udunits2", "expat", "pcre2-8", "xxhash")]
    build("gcc", "-O2", "-D_GNU_SOURCE", "-I", TOP / "src", "-I", release / "generated", HERE / f"{name}.c", "-o", target,
          release / "liblp.a", *static, *libraries, "-lm")
    return [target]


def build_csv_rows():
    return build_rows("csv_rows")


def build_parquet_rows():
    if not CARQUET.exists():
        raise Failed("there is no carquet here; scripts/deps fetches it")
    return build_rows("parquet_rows", CARQUET, "-l:libzstd.a", "-l:libz.a", "-l:liblz4.a", "-lpthread")


def build_go():
    if not shutil.which("go"):
        raise Failed("there is no Go here; scripts/deps --bench installs it")
    build("go", "build", "-trimpath", "-o", BUILD / "fetch-go", ".", cwd=HERE / "go", CGO_ENABLED="0", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    return [BUILD / "fetch-go"]


def build_rust():
    if not shutil.which("cargo"):
        raise Failed("there is no Rust here; scripts/deps --bench installs it")
    build("cargo", "build", "--release", "--locked", cwd=HERE / "rust", CARGO_TARGET_DIR=str(BUILD / "rust"))
    return [BUILD / "rust" / "release" / "fetch"]


def find_aiohttp():
    if not FETCH_PYTHON.exists():
        raise Failed("build/bench/venv is missing; scripts/deps --bench makes it")
    return [FETCH_PYTHON, HERE / "python" / "fetch.py"]
