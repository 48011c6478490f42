"""Where keys come from: the metadata of EC2 and of containers, single sign-on, roles; and the files people keep.

    with Metadata(aws) as imds:      env = {**aws.env_of(None), **imds.env}
    with Container(aws) as tasks:    env = {**aws.env_of(None), **tasks.env}
    sign_on = SignOn(aws, program)   env = {**aws.env_of(None), **sign_on.env}
    role = make_role(aws, "reader", [statement])
    files(program, config="[profile x]\\n…", credentials="…")

What is handed out passes the signature check of `aws` and may do everything there.
"""

import datetime
import hashlib
import json

from .aws import ALL
from .behaviours import Reply, Wire, status
from .server import ScriptedServer


def _iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _answer(value, code=200):
    return Reply(code, json.dumps(value).encode())


class _Source(ScriptedServer):
    """answer(request) says what to a request that no script covers."""

    def __init__(self):
        super().__init__(default=Wire(lambda exchange: self.answer(exchange.request).play(exchange)))


class Metadata(_Source):
    """EC2's metadata. tokens: True hands them out, a status refuses them (then version 1 works where that is allowed),
    None never answers. wrong: a reply with 200 that holds no keys."""

    TOKEN = "AQAEAMetadataTokenOfTheSuite=="
    ROLE = "weather-collector"

    def __init__(self, aws, tokens=True, minutes=60, wrong=None):
        super().__init__()
        self.aws, self.tokens, self.wrong, self.minutes = aws, tokens, wrong, minutes
        self.keys = aws.temporary(minutes)

    @property
    def env(self):
        return {"AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url("/")}

    def answer(self, request):
        path = request.path.replace("//", "/")
        if path == "/latest/api/token":
            if self.tokens is None:
                return Wire(lambda exchange: exchange.stall())
            if self.tokens is not True:
                return status(self.tokens)
            if request.method != "PUT" or not request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
                return status(400)
            return Reply(200, self.TOKEN.encode(), {"Content-Type": "text/plain"})
        if self.tokens is True and request.headers.get("x-aws-ec2-metadata-token") != self.TOKEN:
            return status(401)
        base = "/latest/meta-data/iam/security-credentials/"
        if path in (base, base[:-1]):
            return Reply(200, self.ROLE.encode(), {"Content-Type": "text/plain"})
        if path == base + self.ROLE:
            return _answer(self.wrong or {
                "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
                "AccessKeyId": self.keys.access_key, "SecretAccessKey": self.keys.secret_key, "Token": self.keys.token,
                "Expiration": _iso(self.keys.expires)})
        if path == "/latest/meta-data/placement/availability-zone":
            return Reply(200, self.aws.region.encode() + b"b", {"Content-Type": "text/plain"})
        if path == "/latest/meta-data/placement/region":
            return Reply(200, self.aws.region.encode(), {"Content-Type": "text/plain"})
        return status(404)


class Container(_Source):
    """The credentials endpoint of ECS and EKS."""

    TOKEN = "Bearer container-token-of-the-suite"

    def __init__(self, aws, minutes=60, wrong=None):
        super().__init__()
        self.keys, self.wrong = aws.temporary(minutes), wrong

    @property
    def env(self):
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url("/v2/credentials/task"),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.TOKEN}

    def answer(self, request):
        if request.path != "/v2/credentials/task":
            return status(404)
        if request.headers.get("authorization") != self.TOKEN:
            return _answer({"code": "AccessDenied", "message": "not your task"}, 403)
        return _answer(self.wrong or {
            "AccessKeyId": self.keys.access_key, "SecretAccessKey": self.keys.secret_key, "Token": self.keys.token,
            "Expiration": _iso(self.keys.expires)})


class SignOn:
    """Single sign-on as its user left it after `aws sso login`: config, cached token, and the two services behind it,
    which aws.proxy plays. minutes: how long the cached token is still good; less than 0: it has to be refreshed."""

    ACCOUNT, ROLE, START = "123456789012", "Collector", "https://weather.awsapps.com/start"

    def __init__(self, aws, program, minutes=60, refreshable=True, session="weather"):
        self.aws, self.keys = aws, aws.temporary()
        self.access, self.renewed = "sso-access-token", "sso-renewed-token"
        self.cache = program.folder / "home/.aws/sso/cache" / (hashlib.sha1(session.encode()).hexdigest() + ".json")
        self.cache.parent.mkdir(parents=True)
        now = datetime.datetime.now(datetime.timezone.utc)
        token = {"startUrl": self.START, "region": aws.region, "accessToken": self.access,
                 "expiresAt": _iso(now + datetime.timedelta(minutes=minutes))}
        if refreshable:
            token |= {"clientId": "client", "clientSecret": "secret of the client", "refreshToken": "refresh",
                      "registrationExpiresAt": _iso(now + datetime.timedelta(days=30))}
        self.cache.write_text(json.dumps(token))
        self.env = {**files(program, config=(
            f"[sso-session {session}]\nsso_region = {aws.region}\nsso_start_url = {self.START}\n\n"
            f"[profile work]\nsso_session = {session}\nsso_account_id = {self.ACCOUNT}\nsso_role_name = {self.ROLE}\n"
            f"region = {aws.region}\n")), "AWS_PROFILE": "work"}
        aws.proxy.script("/token", Wire(lambda exchange: self._token(exchange.request).play(exchange)))
        aws.proxy.script("/federation/credentials",
                         Wire(lambda exchange: self._credentials(exchange.request).play(exchange)))

    def _token(self, request):
        asked = json.loads(request.body)
        if (asked.get("grantType"), asked.get("refreshToken")) != ("refresh_token", "refresh"):
            return _answer({"error": "invalid_grant", "error_description": "the refresh token is not good"}, 400)
        self.access = self.renewed
        return _answer({"accessToken": self.renewed, "expiresIn": 3600, "refreshToken": "refresh-2", "tokenType": "Bearer"})

    def _credentials(self, request):
        if request.headers.get("x-amz-sso_bearer_token") != self.access or "authorization" in request.headers:
            return _answer({"message": "Session token not found or invalid"}, 401)
        if (request.query.get("account_id"), request.query.get("role_name")) != (self.ACCOUNT, self.ROLE):
            return _answer({"message": "No access"}, 403)
        return _answer({"roleCredentials": {
            "accessKeyId": self.keys.access_key, "secretAccessKey": self.keys.secret_key, "sessionToken": self.keys.token,
            "expiration": int(self.keys.expires.timestamp() * 1000)}})


def files(program, config=None, credentials=None):
    """Writes ~/.aws/config and ~/.aws/credentials; returns the environment that is to go with them (none). The files may
    hold the suite's secret: they are links to files that the search for secrets passes over."""
    folder = program.folder / "home/.aws"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("config", config), ("credentials", credentials)):
        if text is not None:
            real = folder / f"{name}.secret"
            real.write_bytes(text if isinstance(text, bytes) else text.encode())
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(real)
    return {}


def static(keys):
    """The lines of a profile with these keys."""
    token = f"aws_session_token = {keys.token}\n" if keys.token else ""
    return f"aws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n{token}"


def make_role(aws, name="collector", statements=(ALL,), trusts=None):
    """A role that anyone in the account may take on (or only the ARN of `trusts`); its ARN."""
    iam = aws.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                     "Principal": {"AWS": trusts or "*"}}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=document)
    return arn


def web_identity(aws, program, token="eyJ.token-of-the-suite.sig", role="arn:aws:iam::123456789012:role/collector"):
    """The environment of a pod or a CI job that has a token of its own."""
    aws.proxy.web_identities[token] = aws.keys.upstream
    path = program.folder / "web-identity-token"
    path.write_text(token)
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": role}
