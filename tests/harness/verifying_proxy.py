"""AWS as the program sees it: checks what moto lets pass, then hands the request to moto under moto's own keys.

    aws.proxy.calls                          every call in order: service, operation, bucket, key, status, request
    aws.proxy.fault(step, operation=…)       misbehaves on command (steps in aws_faults.py and behaviours.py)
    aws.proxy.clock = timedelta(hours=1)     AWS's clock, as against ours
    aws.proxy.at_call(3, kill)               does something when the third signed call has come, or is done

botocore recomputes each signature (signatures.py). For S3 it adds what moto 5.2.5 lacks: buckets that live in another
region, the owner expected, conditions on completed uploads, checksums of parts and whole objects.
"""

import datetime
import hashlib
import http.client
import re
import threading
import urllib.parse
import xml.etree.ElementTree as tree
import zlib
from dataclasses import dataclass

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import signatures
from .aws_faults import HOST_ID, REQUEST_ID, error_of, is_early, query_answer, query_error
from .behaviours import Wire, head
from .hiding import AWS_SECRET, AWS_TOKEN, found_in_any
from .server import Gone, Request, ScriptedServer
from .signatures import Keys, Refused

ACCOUNT = "123456789012"
STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_NOT_PASSED_ON = {"authorization", "connection", "content-length", "expect", "host", "transfer-encoding", "x-amz-date",
                  "x-amz-security-token", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-content-sha256"}
_NOT_PASSED_BACK = {"connection", "content-length", "date", "server", "transfer-encoding"}


@dataclass
class Call:
    request: Request
    service: str = ""
    operation: str = ""      # "PutObject", "GetTable", "Publish"
    bucket: str = ""
    key: str = ""            # decoded
    number: int = 0          # 1 for the first signed call
    status: int = 0          # of the answer; 0 while there is none
    error: str = ""          # the code of a refusal of the proxy's own

    @property
    def part(self):
        return int(self.request.query.get("partNumber", 0))

    def __repr__(self):
        return " ".join(filter(None, (self.operation, self.bucket and f"{self.bucket}/{self.key}", str(self.status))))


@dataclass
class Fault:
    step: object
    wanted: dict
    left: float
    skip: int


class Upstream:
    """moto: one signed request at a time, each over a connection of its own."""

    def __init__(self, port):
        self.port = port

    def ask(self, upstream, service, region, method, target, fields=(), body=b""):
        """(status, [(name, value)…], body)."""
        aws = AWSRequest(method, f"http://127.0.0.1:{self.port}{target}", data=body)
        for name, value in fields:
            if name.lower() not in _NOT_PASSED_ON:
                aws.headers.add_header(name, value)
        # moto takes the path's parameters for the body of a GET; it believes a hash that is told.
        aws.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        auth = S3SigV4Auth if service == "s3" else SigV4Auth
        auth(Credentials(*upstream), service, region).add_auth(aws)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in aws.headers.items():
                connection.putheader(name, value)
            if body or method in ("PUT", "POST"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def place(request):
    """(bucket, key) of a request to S3, from its path or, at AWS's own names, from its host."""
    path = urllib.parse.unquote(request.path[1:])
    host = request.headers.get("host", "").split(":")[0]
    if found := re.fullmatch(r"(.+)\.s3[.-].*amazonaws\.com(\.cn)?", host):
        return found.group(1), path
    bucket, _, key = path.partition("/")
    return bucket, key


def s3_operation(request, bucket, key):
    query, method = request.query, request.method
    if not bucket:
        return "ListBuckets"
    if not key:
        if method == "GET":
            return next((name for word, name in (("uploads", "ListMultipartUploads"), ("location", "GetBucketLocation"),
                                                 ("list-type", "ListObjectsV2")) if word in query), "ListObjects")
        return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "POST": "DeleteObjects"}.get(method, method)
    if method == "PUT" and "partNumber" in query:
        return "UploadPartCopy" if "x-amz-copy-source" in request.headers else "UploadPart"
    if method == "PUT":
        return "CopyObject" if "x-amz-copy-source" in request.headers else "PutObject"
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    return {"GET": "ListParts" if "uploadId" in query else "GetObject", "HEAD": "HeadObject"}.get(method, method)


class VerifyingProxy(ScriptedServer):
    takes_bodies_itself = True

    def __init__(self, moto_port):
        super().__init__(default=Wire(self.serve))
        self.upstream = Upstream(moto_port)
        self._commit = threading.Lock()
        self.forget()

    def forget(self):
        """As if nothing had happened; keys are to be made known again."""
        self.known, self.admin, self.web_identities = {}, None, {}
        self.calls, self.requests, self.leaks = [], [], []
        self.clock = datetime.timedelta(0)
        self.elsewhere = 301          # how a bucket of another region answers: 301, 307 or 400
        self._faults, self._numbers, self._at_call = [], 0, {}
        self._regions, self._parts = {}, {}
        self._scripts.clear()

    # What a test says.

    def fault(self, *steps, times=1, after=0, **wanted):
        """The next calls that fit get these steps, each so many times (times=inf: from now on), after so many that are
        let through. Wanted are attributes of a Call: operation="UploadPart", part=7, service="glue"; key may be a
        regular expression."""
        self._faults += [Fault(step, wanted, times, after if step is steps[0] else 0) for step in steps]

    def faults_left(self):
        """How many faults no call has met yet."""
        return sum(fault.left > 0 for fault in self._faults)

    def at_call(self, number, action, done=False):
        """action() when the signed call of this number, counted from now, arrives; or when it has been carried out and
        before its answer. The call's connection breaks."""
        with self._lock:
            self._at_call = {self._numbers + number: (action, done)}

    @property
    def count(self):
        """How many signed calls there have been: the number of the last one."""
        return self._numbers

    def make_known(self, keys):
        self.known[keys.access_key] = keys
        return keys

    def issue(self, upstream, minutes=60):
        """Temporary keys for whom moto knows by these."""
        number = len(self.known) + 1
        expires = self.now() + datetime.timedelta(minutes=minutes)
        return self.make_known(Keys(f"ASIATEMPORARYKEY{number:04}", AWS_SECRET, AWS_TOKEN + str(number), expires, upstream))

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + self.clock

    def operations(self, service=None):
        """["PutObject lake/weather/…", "CreateTable", …] in order of arrival."""
        return [f"{call.operation} {call.bucket}/{call.key}".strip() if call.service == "s3" else call.operation
                for call in list(self.calls) if service in (None, call.service)]

    # One call.

    def begin(self, request):
        step = super().begin(request)
        if step is self.default:
            return step
        return Wire(lambda exchange: exchange.take_body() or step.play(exchange))

    def serve(self, exchange):
        request = exchange.request
        scope = signatures.read_authorization(request.headers.get("authorization", ""))
        call = Call(request, scope.service if scope else "")
        exchange.server = self
        exchange.call, exchange.secure = call, hasattr(exchange.connection, "cipher")
        if call.service in ("", "s3"):
            call.bucket, call.key = place(request)
            call.operation = s3_operation(request, call.bucket, call.key)
        if scope:
            with self._lock:
                self._numbers += 1
                call.number = self._numbers
        step = self._fault_for(call) if call.service == "s3" else None
        if not is_early(step):
            exchange.take_body()
        if call.service != "s3" and request.operation:
            call.operation, call.bucket, call.key = request.operation.split(".")[-1], "", ""
            call.service = call.service or "sts"
        with self._lock:
            self.calls.append(call)
        self._look_for_leaks(request)
        action, done = self._at_call.get(call.number, (None, False))
        if action and not done:
            action()
            return exchange.reset()
        step = step or (self._fault_for(call) if call.service != "s3" else None)
        if step:
            return step.play(exchange)
        if action:
            self.carry_out(exchange)
            action()
            return exchange.reset()
        return self.pass_on(exchange)

    def pass_on(self, exchange):
        """Carries the call out and answers it."""
        answer = self.carry_out(exchange)
        if isinstance(answer, tuple):
            status, headers, body = answer
            exchange.send(head(status, headers) + body)
            return True
        exchange.call.status = answer.status
        status, headers, body = answer.make(exchange.request)
        headers += [("Date", self._date()), ("Content-Length", str(len(body)))]
        exchange.send(head(status, headers) + body)
        return True

    def carry_out(self, exchange):
        """(status, headers, body) from moto, or a Reply of our own when the call is refused."""
        call, request = exchange.call, exchange.request
        try:
            if request.form.get("Action") == "AssumeRoleWithWebIdentity":
                return self._assume_with_web_identity(request)
            keys, scope = signatures.check(request, self.known, self.now(), exchange.secure)
            if call.service != "s3":
                return self._ask_moto(call, keys, scope, request.target)
            self._check_bucket(call, scope)
            with self._commit:
                self._check_conditions(call)
                self._check_parts(call)
                return self._ask_moto(call, keys, scope, self._path_style(call))
        except Refused as no:
            call.status, call.error = no.status, no.code
            return error_of(call.service or "s3", no.status, no.code, no.message, no.headers, **no.extras)
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error

    def _ask_moto(self, call, keys, scope, target):
        request = call.request
        fields = request.fields
        if request.headers.get("content-encoding") == "aws-chunked":
            fields = [pair for pair in fields if pair[0].lower() != "content-encoding"]
        status, headers, body = self.upstream.ask(keys.upstream, scope.service, scope.region, request.method, target,
                                                  fields, request.body)
        if status == 500 and call.operation == "UploadPart":  # what moto makes of an upload that is not there
            raise Refused(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the "
                          "upload may have been aborted or completed.")
        call.status = status
        self._note_parts(call, status, body)
        if call.service == "sts" and call.operation == "AssumeRole" and status == 200:
            self._learn(body)
        length = next((value for name, value in headers if name.lower() == "content-length"), "0")
        headers = [pair for pair in headers if pair[0].lower() not in _NOT_PASSED_BACK]
        names = {name.lower() for name, _ in headers}
        if call.service == "s3":
            headers += [pair for pair in (("x-amz-request-id", REQUEST_ID), ("x-amz-id-2", HOST_ID)) if pair[0] not in names]
        elif "x-amzn-requestid" not in names:
            headers.append(("x-amzn-RequestId", REQUEST_ID))
        headers.append(("Date", self._date()))
        if status not in (204, 304):
            headers.append(("Content-Length", length if request.method == "HEAD" else str(len(body))))
        return status, headers, b"" if status in (204, 304) else body

    def _date(self):
        return self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")

    def _fault_for(self, call):
        with self._lock:
            for fault in self._faults:
                if fault.left > 0 and all(self._fits(name, value, getattr(call, name))
                                          for name, value in fault.wanted.items()):
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.left -= 1
                    return fault.step
        return None

    @staticmethod
    def _fits(name, wanted, found):
        return bool(re.search(wanted, found)) if name == "key" else wanted == found

    def _look_for_leaks(self, request):
        """The secret key signs and never travels; nor does the secret of a pipeline ever go to AWS."""
        said = [request.target, *(f"{name}: {value}" for name, value in request.fields
                                  if name.lower() != "x-amz-security-token")]
        for text in ["\n".join(said).encode("utf-8", "surrogateescape"), request.body[:1 << 20]]:
            self.leaks += [f"{request.method} {request.path} holds a secret" for _ in found_in_any(text)]

    # Keys that AWS hands out.

    def _learn(self, body):
        fields = {element.tag.split("}")[-1]: element.text for element in tree.fromstring(body).iter()}
        upstream = (fields["AccessKeyId"], fields["SecretAccessKey"], fields["SessionToken"])
        self.make_known(Keys(*upstream, upstream=upstream))

    def _assume_with_web_identity(self, request):
        upstream = self.web_identities.get(request.form.get("WebIdentityToken"))
        if "authorization" in request.headers:
            return query_error(400, "InvalidParameterValue", "this call is not to be signed")
        if upstream is None:
            return query_error(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account")
        keys = self.issue(upstream)
        return query_answer("AssumeRoleWithWebIdentity", credentials_xml(keys), STS)

    # What moto does not know about S3.

    def _path_style(self, call):
        request = call.request
        path, _, query = request.target.partition("?")
        if call.bucket and not urllib.parse.unquote(path).startswith(f"/{call.bucket}"):
            path = f"/{call.bucket}{path}"
        return path + ("?" + query if query else "")

    def _check_bucket(self, call, scope):
        owner = call.request.headers.get("x-amz-expected-bucket-owner", ACCOUNT)
        if owner != ACCOUNT:
            raise Refused(403, "AccessDenied", "Access Denied")
        if not call.bucket or call.operation == "CreateBucket":
            return
        if call.bucket not in self._regions:
            status, headers, _ = self.upstream.ask(self.admin.upstream, "s3", "us-east-1", "HEAD", f"/{call.bucket}")
            if status != 200:
                return
            self._regions[call.bucket] = {name.lower(): value for name, value in headers}["x-amz-bucket-region"]
        region = self._regions[call.bucket]
        if region == scope.region:
            return
        headers = {"x-amz-bucket-region": region}
        if self.elsewhere == 400:
            raise Refused(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region "
                          f"'{scope.region}' is wrong; expecting '{region}'", headers, Region=region)
        code = "PermanentRedirect" if self.elsewhere == 301 else "TemporaryRedirect"
        endpoint = f"{call.bucket}.s3.{region}.amazonaws.com"
        if self.elsewhere == 307:
            headers["Location"] = f"https://{endpoint}/{urllib.parse.quote(call.key)}"
        raise Refused(self.elsewhere, code, "The bucket you are attempting to access must be addressed using the specified "
                      "endpoint. Please send all future requests to this endpoint.", headers, Endpoint=endpoint,
                      Bucket=call.bucket)

    def _check_conditions(self, call):
        headers = call.request.headers
        if call.operation not in ("PutObject", "CompleteMultipartUpload", "CopyObject", "DeleteObject"):
            return
        if "if-none-match" not in headers and "if-match" not in headers:
            return
        target = f"/{call.bucket}/{urllib.parse.quote(call.key, safe='/-_.~')}"
        status, found, _ = self.upstream.ask(self.admin.upstream, "s3", "us-east-1", "HEAD", target)
        etag = {name.lower(): value for name, value in found}.get("etag", "") if status == 200 else None
        if "if-none-match" in headers:
            if headers["if-none-match"] != "*":
                raise Refused(501, "NotImplemented", "A header you provided implies functionality that is not implemented",
                              Header="If-None-Match")
            if etag is not None:
                raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                              Condition="If-None-Match")
        if "if-match" in headers:
            if etag is None:
                raise Refused(404, "NoSuchKey", "The specified key does not exist.", Key=call.key)
            if headers["if-match"].strip('"') != etag.strip('"'):
                raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                              Condition="If-Match")

    def _note_parts(self, call, status, body):
        upload = call.request.query.get("uploadId")
        if call.operation == "UploadPart" and status == 200:
            self._parts.setdefault(upload, {})[call.part] = (zlib.crc32(call.request.body), len(call.request.body))
        elif call.operation == "AbortMultipartUpload" or call.operation == "CompleteMultipartUpload" and status == 200:
            self._parts.pop(upload, None)

    def _check_parts(self, call):
        """The checksums that go with completing an upload: of each part, and of all."""
        if call.operation != "CompleteMultipartUpload":
            return
        known = self._parts.get(call.request.query["uploadId"], {})
        listed = []
        for part in tree.fromstring(call.request.body).iter("{http://s3.amazonaws.com/doc/2006-03-01/}Part"):
            fields = {element.tag.split("}")[1]: element.text for element in part}
            number = int(fields["PartNumber"])
            if number not in known:
                raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.",
                              PartNumber=number)
            crc, _ = known[number]
            if signatures.decode_checksum(fields.get("ChecksumCRC32", "")) not in (b"", crc.to_bytes(4, "big")):
                raise Refused(400, "InvalidPart", "The checksum of a part is not what was uploaded.", PartNumber=number)
            listed.append(number)
        if not listed:
            raise Refused(400, "MalformedXML", "The XML you provided was not well-formed")
        if listed != sorted(set(listed)):
            raise Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        headers, whole, size = call.request.headers, 0, 0
        for number in listed:
            crc, length = known[number]
            whole, size = combine_crc32(whole, crc, length), size + length
        if headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT" and "x-amz-checksum-crc32" in headers \
                and signatures.decode_checksum(headers["x-amz-checksum-crc32"]) != whole.to_bytes(4, "big"):
            raise Refused(400, "BadDigest", "The crc32 you specified did not match the calculated checksum.")
        if int(headers.get("x-amz-mp-object-size", size)) != size:
            raise Refused(400, "InvalidRequest", "The object is not as long as x-amz-mp-object-size says.")


def credentials_xml(keys):
    return (f"<Credentials><AccessKeyId>{keys.access_key}</AccessKeyId><SecretAccessKey>{keys.secret_key}"
            f"</SecretAccessKey><SessionToken>{keys.token}</SessionToken><Expiration>{keys.expires:%Y-%m-%dT%H:%M:%SZ}"
            "</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROATEST:test</AssumedRoleId>"
            f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/test/test</Arn></AssumedRoleUser>")


def combine_crc32(first, second, length):
    """The CRC-32 of two pieces put together, from those of each and the second's length: first, moved on by that many
    zero bytes, is multiplied by x^(8·length) modulo the polynomial."""
    def times(left, right):
        product, bit = 0, 1 << 31
        while bit:
            if left & bit:
                product ^= right
            right = right >> 1 ^ (0xEDB88320 if right & 1 else 0)
            bit >>= 1
        return product

    power, base, exponent = 1 << 31, 1 << 30, 8 * length
    while exponent:
        if exponent & 1:
            power = times(power, base)
        base, exponent = times(base, base), exponent >> 1
    return times(power, first) ^ second
