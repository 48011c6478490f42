"""versitygw, an S3 server over plain files that no one here wrote: the second judge of what we send to S3.

It refuses a wrong secret, whatever was changed after signing, a wrong region, an old date, a wrong hash or checksum, and
x-amz-* headers that are not signed. `scripts/test-more` builds it.
"""

import os
import socket
import subprocess
import time

import boto3
from botocore.config import Config

from .hiding import AWS_SECRET
from .runner import ROOT

PATH = ROOT / "build" / "more" / "bin" / "versitygw"
LIFE = 600
REGION = "eu-north-1"


class Gateway:
    ACCESS_KEY = "AKIAOFTHEGATEWAY0000"

    def __init__(self, folder, bucket="lake"):
        self.folder, self.bucket = folder, bucket

    def __enter__(self):
        files, notes = self.folder / "files", self.folder / "notes"
        for folder in (files / self.bucket, notes):
            folder.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        env = {**os.environ, "ROOT_ACCESS_KEY_ID": self.ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": AWS_SECRET}
        command = ["timeout", str(LIFE), str(PATH), "--quiet", "--port", f"127.0.0.1:{self.port}", "--region", REGION,
                   "--keep-alive", "posix", "--sidecar", str(notes), str(files)]
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until and self._process.poll() is None, "versitygw does not start"
                time.sleep(0.02)
        self.s3 = boto3.client("s3", region_name=REGION, endpoint_url=f"http://127.0.0.1:{self.port}",
                               aws_access_key_id=self.ACCESS_KEY, aws_secret_access_key=AWS_SECRET,
                               config=Config(s3={"addressing_style": "path"}, proxies={}))
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)

    @property
    def env(self):
        return {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}", "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": self.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": AWS_SECRET}

    def objects(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {item["Key"]: self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
                for page in pages for item in page.get("Contents", [])}

    def unfinished(self):
        return [it["Key"] for it in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])]
