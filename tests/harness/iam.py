"""IAM for the calls that come to the proxy: which actions on which resources a call needs, and whether policies allow them.

moto judges by action alone, except for S3, and knows no conditions; this does as AWS does: resources, wildcards, conditions,
404 or 403 for an object that is not there, the use of keys.

    judge = Judge(aws, [policy])             from here on, calls that no policy allows are refused
    judge.used                               {action: {resource, …}} of all that was asked for
"""

import json
import math
import re
import urllib.parse

from .aws_faults import error_of, query_answer, query_error
from .behaviours import Wire, head
from .verifying_proxy import ACCOUNT

IAM = "https://iam.amazonaws.com/doc/2010-05-08/"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_OBJECT_ACTIONS = {"GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "PutObject": "s3:PutObject",
                   "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
                   "CompleteMultipartUpload": "s3:PutObject", "AbortMultipartUpload": "s3:AbortMultipartUpload",
                   "DeleteObject": "s3:DeleteObject"}
_BUCKET_ACTIONS = {"ListObjectsV2": "s3:ListBucket", "HeadBucket": "s3:ListBucket",
                   "ListMultipartUploads": "s3:ListBucketMultipartUploads"}
_CODES = {"s3": (403, "AccessDenied"), "sns": (403, "AuthorizationError"), "iam": (403, "AccessDenied")}


def matches(pattern, text):
    """IAM's wildcards; ${*}, ${?} and ${$} stand for themselves."""
    parts = re.split(r"(\$\{[*?$]\}|\*|\?)", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part) or re.escape(part[2] if re.fullmatch(r"\$\{.\}", part) else part)
                         for part in parts)
    return re.fullmatch(expression, text, re.S) is not None


def _list(value):
    return value if isinstance(value, list) else [value]


def _holds(operator, key, wanted, context):
    given = context.get(key)
    if operator == "ForAnyValue:StringEquals":
        return any(value in _list(wanted) for value in given or [])
    if given is None:
        return False
    test = {"StringEquals": str.__eq__, "StringLike": matches}[operator]
    return any(test(pattern, given) for pattern in _list(wanted))


def allows(policies, action, resource, context):
    return any(statement["Effect"] == "Allow"
               and any(matches(pattern.lower(), action.lower()) for pattern in _list(statement["Action"]))
               and any(matches(pattern, resource) for pattern in _list(statement["Resource"]))
               and all(_holds(operator, key, wanted, context)
                       for operator, keys in statement.get("Condition", {}).items() for key, wanted in keys.items())
               for policy in policies for statement in policy["Statement"])


class Judge(Wire):
    def __init__(self, aws, policies, words=True):
        """words: whether S3 says which action was refused, as it does within one organisation."""
        super().__init__(self.decide)
        self.aws, self.policies, self.words = aws, list(policies), words
        self.used, self.refused, self.principals = {}, [], []
        self.decrypts_secrets = False     # secrets are encrypted with KEY
        self._keys = {}                   # of objects and uploads
        aws.proxy.fault(self, times=math.inf)

    def needs(self, call):
        """[(action, resource, context), …]"""
        request, here = call.request, f"us-west-2:{ACCOUNT}"
        if call.service == "s3":
            return self._needs_of_s3(call)
        body = json.loads(request.body) if "x-amz-target" in request.headers else request.form
        if call.service == "glue":
            database = body.get("DatabaseName") or body["DatabaseInput"]["Name"]
            table = body.get("Name") or body.get("TableName") or body.get("TableInput", {}).get("Name")
            on = ["catalog", f"database/{database}", *([f"table/{database}/{table}"] if table else [])]
            return [(f"glue:{call.operation}", f"arn:aws:glue:{here}:{name}", {}) for name in on]
        if call.service == "sns":
            return [("sns:Publish", body["TopicArn"], {})]
        if call.service == "ssm":
            return self._needs_of_secret("ssm:GetParameter", f"arn:aws:ssm:{here}:parameter/{body['Name'].lstrip('/')}",
                                         "PARAMETER_ARN")
        if call.service == "secretsmanager":
            return self._needs_of_secret("secretsmanager:GetSecretValue",
                                         f"arn:aws:secretsmanager:{here}:secret:{body['SecretId']}-AbCdEf", "SecretARN")
        if call.service == "iam":
            return [("iam:SimulatePrincipalPolicy", body["PolicySourceArn"], {})]
        return []

    def _needs_of_secret(self, action, arn, context):
        decrypt = [("kms:Decrypt", KEY, {f"kms:EncryptionContext:{context}": arn})] if self.decrypts_secrets else []
        return [(action, arn, {}), *decrypt]

    def _needs_of_s3(self, call):
        bucket, query, headers = f"arn:aws:s3:::{call.bucket}", call.request.query, call.request.headers
        if call.operation in _BUCKET_ACTIONS:
            context = {"s3:prefix": query["prefix"]} if call.operation == "ListObjectsV2" and "prefix" in query else {}
            return [(_BUCKET_ACTIONS[call.operation], bucket, context)]
        place, needs = (call.key, query.get("uploadId")), [(_OBJECT_ACTIONS[call.operation], f"{bucket}/{call.key}", {})]
        name = headers.get("x-amz-server-side-encryption-aws-kms-key-id")
        if name:
            context = {"kms:ResourceAliases": [name]} if name.startswith("alias/") else {}
            needs.append(("kms:GenerateDataKey", KEY, context))
            self._keys[call.key] = context
        elif call.operation in ("UploadPart", "CompleteMultipartUpload", "GetObject") and call.key in self._keys:
            needs.append(("kms:Decrypt", KEY, self._keys[call.key]))
        return needs

    def decide(self, exchange):
        call = exchange.call
        needs = self.needs(call)
        for action, resource, context in needs:
            self.used.setdefault(action, set()).add(resource)
            if not allows(self.policies, action, resource, context):
                return self._refuse(exchange, action, resource)
        if call.operation == "SimulatePrincipalPolicy":
            return self._simulate(exchange)
        if call.operation == "GetObject" and not self._is_there(call):
            self.used.setdefault("s3:ListBucket", set()).add(f"arn:aws:s3:::{call.bucket}")
            if not allows(self.policies, "s3:ListBucket", f"arn:aws:s3:::{call.bucket}", {"s3:prefix": call.key}):
                return self._refuse(exchange, "s3:ListBucket", f"arn:aws:s3:::{call.bucket}")
        return exchange.server.pass_on(exchange)

    def _is_there(self, call):
        return call.key in self.aws.keys_of(call.bucket)

    def _refuse(self, exchange, action, resource):
        call = exchange.call
        self.refused.append((action, resource))
        status, code = _CODES.get(call.service, (400, "AccessDeniedException"))
        message = (f"User: arn:aws:iam::{ACCOUNT}:user/narrow is not authorized to perform: {action} on resource: {resource} "
                   f"because no identity-based policy allows the {action} action")
        if call.service == "s3" and not self.words:
            message = "Access Denied"
        if call.service == "ssm" and action == "kms:Decrypt":
            message = "The ciphertext refers to a customer master key that does not exist, or you are not allowed to access."
        if call.service == "secretsmanager" and action == "kms:Decrypt":
            message = "Access to KMS is not allowed"
        return self._answer(exchange, error_of(call.service, status, code, message))

    def _answer(self, exchange, reply):
        exchange.call.status = reply.status
        status, headers, body = reply.make(exchange.request)
        exchange.send(head(status, [*headers, ("Content-Length", str(len(body)))]) + body)
        return True

    def _simulate(self, exchange):
        """One result for each resource, as IAM gives them."""
        form = dict(urllib.parse.parse_qsl(exchange.request.body.decode()))
        self.principals.append(form["PolicySourceArn"])
        if not re.fullmatch(r"arn:aws:iam::\d{12}:(user|role)/[\w/-]+", form["PolicySourceArn"]):
            return self._answer(exchange, query_error(400, "InvalidInput", "PolicySourceArn is no principal"))
        action, results = form["ActionNames.member.1"], ""
        for name, resource in form.items():
            if name.startswith("ResourceArns.member."):
                decision = "allowed" if allows(self.policies, action, resource, {}) else "implicitDeny"
                results += (f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
                            f"<EvalDecision>{decision}</EvalDecision></member>")
        return self._answer(exchange, query_answer("SimulatePrincipalPolicy", f"<EvaluationResults>{results}"
                                                   "</EvaluationResults><IsTruncated>false</IsTruncated>", IAM))
