"""Is this request signed as AWS wants it? botocore computes what the signature had to be; what moto lets pass — dates,
hashes of the content, checksums, headers that were not signed — is looked at here.

check(request, …) returns the Keys it was signed with, or raises Refused with the error AWS gives.
"""

import base64
import binascii
import datetime
import hashlib
import urllib.parse
import zlib
from dataclasses import dataclass, field

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

SKEW = datetime.timedelta(minutes=15)
STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
JSON_SERVICES = {"glue", "athena", "events", "ecr", "ssm", "secretsmanager", "logs", "sqs"}
QUERY_SERVICES = {"sns", "sts", "iam", "cloudformation"}


@dataclass(frozen=True)
class Keys:
    """What a client signs with, and whom moto takes it for."""

    access_key: str
    secret_key: str
    token: str = ""
    expires: datetime.datetime = None
    upstream: tuple = ()           # access key, secret key, token: as moto knows this identity

    @property
    def env(self):
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**found, "AWS_SESSION_TOKEN": self.token} if self.token else found


class Refused(Exception):
    def __init__(self, status, code, message, headers=None, **extras):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.headers, self.extras = headers or {}, extras


@dataclass
class Scope:
    """The words of an Authorization header."""

    access_key: str
    date: str
    region: str
    service: str
    signed: list = field(default_factory=list)
    signature: str = ""


def read_authorization(text):
    """None when there is none, or it is not Signature Version 4."""
    if not text.startswith("AWS4-HMAC-SHA256 "):
        return None
    parts = dict(part.strip().split("=", 1) for part in text.split(" ", 1)[1].split(",") if "=" in part)
    credential = parts.get("Credential", "").split("/")
    if len(credential) != 5 or credential[4] != "aws4_request":
        return None
    return Scope(*credential[:4], signed=parts.get("SignedHeaders", "").split(";"), signature=parts.get("Signature", ""))


def canonical_target(target, service):
    """The request's path and query as AWS reads them: decoded, and encoded again in the one right way."""
    path, _, query = target.partition("?")
    if service == "s3":
        path = urllib.parse.quote(urllib.parse.unquote_to_bytes(path), safe="/-_.~")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    query = "&".join("=".join(urllib.parse.quote(urllib.parse.unquote_to_bytes(part), safe="-_.~") for part in pair)
                     for pair in pairs)
    return path + ("?" + query if query else "")


def expected_signature(request, scope, secret, base):
    """(signature, canonical request) that botocore makes of what arrived."""
    aws = AWSRequest(request.method, base + canonical_target(request.target, scope.service), data=request.body)
    aws.headers = HTTPHeaders()
    for name, value in request.fields:
        if name.lower() in scope.signed:
            aws.headers.add_header(name, value)
    aws.context["timestamp"] = request.headers["x-amz-date"]
    auth = (S3SigV4Auth if scope.service == "s3" else SigV4Auth)(
        Credentials(scope.access_key, secret), scope.service, scope.region)
    canonical = auth.canonical_request(aws)
    return auth.signature(auth.string_to_sign(aws, canonical), aws), canonical


def refuse_identity(service, what):
    """The words of S3, of the query services and of the JSON services for keys nobody knows."""
    words = {
        "key": {"s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
                "query": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
                "json": (400, "UnrecognizedClientException", "The security token included in the request is invalid.")},
        "token": {"s3": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
                  "query": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
                  "json": (400, "UnrecognizedClientException", "The security token included in the request is invalid.")},
        "expired": {"s3": (400, "ExpiredToken", "The provided token has expired."),
                    "query": (403, "ExpiredToken", "The security token included in the request is expired"),
                    "json": (400, "ExpiredTokenException", "The security token included in the request is expired")},
    }
    kind = "s3" if service == "s3" else "query" if service in QUERY_SERVICES else "json"
    raise Refused(*words[what][kind])


def check_date(request, scope, now):
    text = request.headers.get("x-amz-date", "")
    try:
        at = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise Refused(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
    if text[:8] != scope.date:
        raise Refused(400, "AuthorizationHeaderMalformed", f"the scope's date {scope.date} is not that of {text}")
    if abs(now - at) <= SKEW:
        return
    if scope.service == "s3":
        raise Refused(403, "RequestTimeTooSkewed",
                      "The difference between the request time and the current time is too large.",
                      RequestTime=text, ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                      MaxAllowedSkewMilliseconds="900000")
    direction = "Signature expired" if at < now else "Signature not yet current"
    words = f"{direction}: {text} is not within 15 min. of {now:%Y%m%dT%H%M%SZ}"
    if scope.service in QUERY_SERVICES:
        raise Refused(403, "SignatureDoesNotMatch", words)
    raise Refused(400, "InvalidSignatureException", words)


def check_signed_headers(request, scope):
    must = {name.lower() for name, _ in request.fields if name.lower().startswith("x-amz-")} | {"host"}
    if "content-type" in request.headers:
        must.add("content-type")
    missing = sorted(must - set(scope.signed))
    if missing:
        raise Refused(403, "AccessDenied", "There were headers present in the request which were not signed",
                      HeadersNotSigned=", ".join(missing))
    absent = sorted(name for name in scope.signed if name not in request.headers)
    if absent:
        raise Refused(403, "SignatureDoesNotMatch", f"signed, but not sent: {', '.join(absent)}")


def check(request, known, now, secure=False):
    """known: {access key: Keys}. Returns (keys, scope); request.body is what was sent, without the framing of SDKs."""
    scope = read_authorization(request.headers.get("authorization", ""))
    if scope is None:
        raise Refused(403, "AccessDenied", "Access Denied: no signature of version 4")
    keys = known.get(scope.access_key) or refuse_identity(scope.service, "key")
    if keys.token != request.headers.get("x-amz-security-token", ""):
        refuse_identity(scope.service, "token")
    if keys.expires and keys.expires <= now:
        refuse_identity(scope.service, "expired")
    check_date(request, scope, now)
    check_signed_headers(request, scope)
    payload_hash = request.headers.get("x-amz-content-sha256")
    if scope.service == "s3" and payload_hash is None:
        raise Refused(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    base = f"{'https' if secure else 'http'}://{request.headers['host']}"
    signature, canonical = expected_signature(request, scope, keys.secret_key, base)
    body_hash = hashlib.sha256(request.body).hexdigest()
    if signature != scope.signature or scope.service != "s3" and payload_hash not in (None, body_hash):
        code = "SignatureDoesNotMatch" if scope.service == "s3" or scope.service in QUERY_SERVICES \
            else "InvalidSignatureException"
        raise Refused(403, code, "The request signature we calculated does not match the signature you provided. "
                      "Check your key and signing method.", AWSAccessKeyId=scope.access_key,
                      SignatureProvided=scope.signature, CanonicalRequest=canonical)
    if scope.service == "s3":
        check_content(request, payload_hash, secure)
    return keys, scope


# What S3 looks at besides the signature.

def check_content(request, payload_hash, secure):
    if payload_hash == STREAMING:
        request.body = take_out_of_chunks(request)
    elif payload_hash == "UNSIGNED-PAYLOAD":
        if not secure:
            raise Refused(400, "InvalidRequest", "UNSIGNED-PAYLOAD is for https only")
    elif payload_hash != hashlib.sha256(request.body).hexdigest():
        raise Refused(400, "XAmzContentSHA256Mismatch",
                      "The provided 'x-amz-content-sha256' header does not match what was computed.",
                      ClientComputedContentSHA256=payload_hash,
                      S3ComputedContentSHA256=hashlib.sha256(request.body).hexdigest())
    if request.method == "PUT" and payload_hash != STREAMING and "content-length" not in request.headers:
        raise Refused(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    md5 = request.headers.get("content-md5")
    if md5 and md5 != base64.b64encode(hashlib.md5(request.body).digest()).decode():
        raise Refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    if is_whole_object_sum(request):
        return
    for name, value in request.headers.items():
        algorithm = name.removeprefix("x-amz-checksum-")
        if algorithm != name and algorithm in CHECKSUMS and value != checksum(algorithm, request.body):
            raise Refused(400, "BadDigest",
                          f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def is_whole_object_sum(request):
    """A completed upload bears the checksum of all its parts; its body is only their list."""
    return request.method == "POST" and "uploadId" in request.query


def take_out_of_chunks(request):
    """The content of a body in the framing of the SDKs, whose trailer holds the checksum."""
    rest, content = request.body, b""
    while True:
        head, _, rest = rest.partition(b"\r\n")
        try:
            size = int(head.split(b";")[0], 16)
        except ValueError:
            raise Refused(400, "IncompleteBody", "The request body is not made of chunks.") from None
        if size == 0:
            break
        content, rest = content + rest[:size], rest[size + 2:]
    if len(content) != int(request.headers.get("x-amz-decoded-content-length", -1)):
        raise Refused(400, "IncompleteBody", "The content is not as long as x-amz-decoded-content-length says.")
    trailer = request.headers.get("x-amz-trailer", "").lower()
    for line in rest.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == trailer:
            if value.strip() != checksum(trailer.removeprefix("x-amz-checksum-"), content):
                raise Refused(400, "BadDigest", f"The {trailer} you specified did not match the calculated checksum.")
            return content
    raise Refused(400, "MalformedTrailerError", "The trailer that was announced did not come.")


def _table(polynomial):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


def _by_table(table, width, data):
    ones = (1 << width) - 1
    crc = ones
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return (crc ^ ones).to_bytes(width // 8, "big")


CRC32C, CRC64NVME = _table(0x82F63B78), _table(0x9A6C9329AC4BC9B5)
CHECKSUMS = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: _by_table(CRC32C, 32, data),
    "crc64nvme": lambda data: _by_table(CRC64NVME, 64, data),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def checksum(algorithm, data):
    if algorithm not in CHECKSUMS:
        raise Refused(400, "InvalidRequest", f"there is no checksum {algorithm}")
    return base64.b64encode(CHECKSUMS[algorithm](data)).decode()


def decode_checksum(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused(400, "InvalidRequest", f"{text!r} is no checksum") from None
