"""A cloud that gives pods a role: what EKS does for IRSA, as far as a cluster and its pods can tell.

    pod is made ──admission──► webhook: variables and a projected token, for every container
    boto3 in the pod ──token──► AssumeRoleWithWebIdentity: asks the cluster whose token it is
                     ◄── keys, for a while

The token is the kubelet's, and whose it is says the API server; only the two services are played here. The keys are
those of the store's administrator: it knows no sessions, so that they come without a session token.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

from localcluster import object_store
from tests.e2e.conftest import Installed
from tests.harness import Api, Body
from tests.serving import answering

AUDIENCE = "sts.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/data"
TOKEN = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
VOLUME = "aws-iam-token"
KEYS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{access}</AccessKeyId>
<SecretAccessKey>{secret}</SecretAccessKey><SessionToken></SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>InvalidIdentityToken</Code><Message>{why}</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


class Cloud(NamedTuple):
    """What is asked of it, while it runs."""

    pods: list[str]
    """That were given a token."""
    assumed: list[str]
    """Who has become the role."""


@contextmanager
def giving_a_role(installed: Installed, account: str, store: object_store.ObjectStore, folder: Path) -> Iterator[Cloud]:
    """Meanwhile pods of an account in the namespace can become the role, which has the keys of the store."""
    cloud, api, machine = Cloud([], []), installed.api, installed.cluster.machine_address
    allowed = f"system:serviceaccount:{api.namespace}:{account}"

    def keys(form: str) -> tuple[int, str]:
        asked = {name: values[0] for name, values in parse_qs(form).items()}
        assert (asked["Action"], asked["RoleArn"]) == ("AssumeRoleWithWebIdentity", ROLE)
        user = _user_of(api, asked["WebIdentityToken"])
        if user != allowed:
            return 400, REFUSED.format(why=f"{user or 'nobody'} may not be {ROLE}")
        cloud.assumed.append(user)
        return 200, KEYS.format(access=store.access_key, secret=store.secret_key)

    with _serving(machine, keys) as port:

        def admitted(text: str) -> tuple[int, str]:
            request = json.loads(text)["request"]
            pod, answer = request["object"], {"uid": request["uid"], "allowed": True}
            if pod["spec"].get("serviceAccountName") == account:
                cloud.pods.append(pod["metadata"]["name"])
                patch = json.dumps(_with_token(pod["spec"], f"http://{machine}:{port}")).encode()
                answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
            return 200, json.dumps(review)

        with _serving(machine, admitted, _certificate(folder, machine)) as secure:
            installed.kubectl(
                "apply", "-f", "-", stdin=json.dumps(_webhook(api, f"https://{machine}:{secure}", folder))
            )
            try:
                yield cloud
            finally:
                installed.kubectl("delete", "mutatingwebhookconfiguration", api.namespace)


def _user_of(api: Api, token: str) -> str:
    """Whose token it is, if it is one for this audience."""
    kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    review = {**kind, "spec": {"token": token, "audiences": [AUDIENCE]}}
    status = api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    return str(status["user"]["username"]) if status.get("authenticated") else ""


def _with_token(spec: Body, sts: str) -> list[Body]:
    """The patch: the same in all containers, as EKS has it."""
    variables = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{TOKEN}/token", "AWS_ENDPOINT_URL_STS": sts}
    source = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 86400, "path": "token"}}
    volume = {"name": VOLUME, "projected": {"sources": [source]}}
    mount = {"name": VOLUME, "mountPath": TOKEN, "readOnly": True}
    changed: Body = {"volumes": [*spec.get("volumes", ()), volume]}
    for section in ("containers", "initContainers"):
        env = [{"name": name, "value": value} for name, value in variables.items()]
        changed[section] = [
            {**one, "env": [*one.get("env", ()), *env], "volumeMounts": [*one.get("volumeMounts", ()), mount]}
            for one in spec.get(section, ())
        ]
    return [{"op": "add", "path": f"/spec/{name}", "value": value} for name, value in changed.items() if value]


def _webhook(api: Api, url: str, folder: Path) -> Body:
    authority = base64.b64encode((folder / "webhook.crt").read_bytes()).decode()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    webhook = {
        "name": "pod-identity.example.com", "clientConfig": {"url": f"{url}/", "caBundle": authority},
        "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": api.namespace}},
    }  # fmt: skip
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**kind, "metadata": {"name": api.namespace}, "webhooks": [webhook]}


def _certificate(folder: Path, address: str) -> ssl.SSLContext:
    """The server's, signed by itself."""
    key, certificate = folder / "webhook.key", folder / "webhook.crt"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=cloud")
    command = ["openssl", "req", "-x509", *kind, "-addext", f"subjectAltName=IP:{address}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _serving(
    host: str, answer: Callable[[str], tuple[int, str]], secure: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Something that answers POST with the status and text of a function; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = answer(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((host, 0), Handler)
    if secure is not None:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    with answering(server) as port:
        yield port
