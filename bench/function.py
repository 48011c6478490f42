"""What the lines about the function stand on: the five cities as invocations, the image, and what Lambda would bill."""
import gzip
import json
import math
import tarfile
import urllib.request
from pathlib import Path

import lake
from ground import BUILD, OURS, SLOT, TOP, Failed, measure

IMAGE = TOP / "build" / "image" / "lambda-pipeline-amd64.tar"
TUTORIAL_BYTES = 98e6  # the packages of the tutorial's image alone, compressed
CORE_AT_128_MB = 0.072  # what a function of 128 MB gets of a core
RUNS_A_MONTH = 730  # one an hour


class FunctionJob(lake.CitiesJob):
    """The five cities to S3, asked for by Lambda's runtime API."""

    def invoke(self, slots, command=None):
        """One process, one invocation for each slot. The process is measured to its end, which follows the last answer."""
        self.server.ask("reset")
        events = json.dumps([{"slot": slot} for slot in slots]).encode()
        urllib.request.urlopen(f"{self.server.function}/events", data=events, timeout=30).read()
        environment = self.server.environment(self.endpoint)
        environment.update(AWS_LAMBDA_RUNTIME_API=self.server.function.removeprefix("http://"), LAMBDA_TASK_ROOT=str(self.folder),
                           AWS_LAMBDA_FUNCTION_NAME="bench", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="128", AWS_LAMBDA_LOG_FORMAT="JSON",
                           _HANDLER="bench")
        result = measure(command or [OURS], environment=environment, status=1)  # as a 410 makes it end
        done = json.loads(urllib.request.urlopen(f"{self.server.function}/done", timeout=30).read())
        failed = [it["failed"] for it in done if it["failed"]]
        if failed or len(done) != len(slots):
            raise Failed(failed[0] if failed else f"{len(done)} answers instead of {len(slots)}")
        tables = [body for key, body in self.server.state()["objects"].items() if key.endswith(".csv")]
        if len(tables) != len(slots):
            raise Failed(f"{len(tables)} tables instead of {len(slots)}")
        for table in tables:
            self.out.write_text(table)
            self.check(self.out)
        return {**result, "done": done}

    def cold(self):
        return self.invoke([SLOT])

    def warm(self, count, command=None):
        """All but the first two, of which the second is the first one that finds the table in the catalogue."""
        return self.invoke([f"2012-10-{1 + n // 24:02}T{n % 24:02}:00:00Z" for n in range(count + 2)], command)["done"][2:]

    def warm_bare(self, count):
        return self.warm(count, [BUILD / "bare_s3_static", self.url, self.endpoint, "bench/weather.csv"])


def image_bytes():
    """The compressed layers and what describes them."""
    if not IMAGE.exists():
        raise Failed("build/image holds no image; `make image` makes it")
    with tarfile.open(IMAGE) as tar:
        return sum(it.size for it in tar if it.isfile())


def layer_bytes(program):
    """What a layer with this program alone would take."""
    return len(gzip.compress(Path(program).read_bytes(), 9))


def billed(cpu):
    """GB-seconds a month of an hourly run that waits for nothing but its share of a core, in whole milliseconds."""
    return RUNS_A_MONTH * math.ceil(cpu / CORE_AT_128_MB * 1000) / 1000 * 0.125
