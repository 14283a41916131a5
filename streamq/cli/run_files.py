"""Files that run the roles of a project elsewhere: for Compose, for systemd, for Kubernetes. No file has a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from streamq.cli.roles_to_run import PORT, Plan, Role, variable_of
from streamq.model import codec
from streamq.model.shown import shown_json

_PLAIN: Final = re.compile(r"[A-Za-z][\w./-]*")
"""A name that YAML reads as a text without quotes."""
USER: Final = 10001
"""Of the image; see ``Dockerfile``."""
SECRETS: Final = "/run/secrets"
"""Where a container finds its secrets, a file each."""


def compose(plan: Plan, image: str) -> dict[str, str]:
    """``compose.yaml``: the files, by name."""
    services = {role.name: _service(plan, role, image) for role in plan.roles}
    secrets = {name: {"file": f"./secrets/{name}"} for name in plan.secrets}
    head = f"# {_made_of(plan)} Before the first `docker compose up`, write each\n# of these files: "
    head += ", ".join(each["file"] for each in secrets.values()) + ".\n"
    return {"compose.yaml": head + _yaml({"services": services, "secrets": secrets})}


def _service(plan: Plan, role: Role, image: str) -> dict[str, Any]:
    return {
        "image": image,
        "command": [*role.words],
        "restart": "unless-stopped",
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108  # of the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": f"{plan.stop_after}s",
        "environment": {
            name: text.replace("$", "$$") for name, text in _environment(plan, role, SECRETS).items()
        },
        "secrets": [*role.secrets],
        **({"ports": [f"127.0.0.1:{PORT}:{PORT}"]} if role.is_api else {}),
    }


def _environment(plan: Plan, role: Role, folder: str) -> dict[str, str]:
    """That of a role in a container."""
    files = {f"{variable_of(name)}_FILE": f"{folder}/{name}" for name in role.secrets}
    listens = {"STREAMQ_HOST": "0.0.0.0", "STREAMQ_PORT": str(PORT)} if role.is_api else {}  # noqa: S104
    return {**plan.environment, "STREAMQ_LOG": "json", "STREAMQ_DATA_DIR": "/tmp", **files, **listens}  # noqa: S108


def systemd(plan: Plan, program: str, folder: Path) -> dict[str, str]:
    """A unit for each role, and a target for all."""
    names = [f"streamq-{role.name}.service" for role in plan.roles]
    target = (
        "[Unit]\nDescription=streamq\nWants="
        + " ".join(names)
        + "\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    units = (_unit(plan, role, program, folder) for role in plan.roles)
    return {"streamq.target": target, **dict(zip(names, units, strict=True))}


def _unit(plan: Plan, role: Role, program: str, folder: Path) -> str:
    environment = {**plan.environment, **({"STREAMQ_PORT": str(PORT)} if role.is_api else {})}
    lines = [
        f"# {_made_of(plan)}",
        "[Unit]",
        f"Description=streamq {role.name}",
        "PartOf=streamq.target",
        "After=network-online.target",
        "Wants=network-online.target",
        "",
        "[Service]",
        f"ExecStart={' '.join(_quoted(word, expands=True) for word in (program, *role.words))}",
        f"WorkingDirectory={str(folder).replace('%', '%%')}",
        *(f"Environment={_quoted(f'{name}={text}')}" for name, text in environment.items()),
        *(f"LoadCredential={name}:/etc/streamq/{name}" for name in role.secrets),
        *(f"Environment={variable_of(name)}_FILE=%d/{name}" for name in role.secrets),
        "DynamicUser=yes",
        "StateDirectory=streamq",
        "Environment=STREAMQ_DATA_DIR=%S/streamq",
        "Restart=always",
        "RestartSec=2",
        f"TimeoutStopSec={plan.stop_after}",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "",
        "[Install]",
        "WantedBy=streamq.target",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str, *, expands: bool = False) -> str:
    """A word as systemd reads it. In a command it expands variables, too."""
    for special, plain in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(special, plain)
    return f'"{text.replace("$", "$$") if expands else text}"'


def k8s(plan: Plan, image: str) -> dict[str, str]:
    """``streamq.yaml``: a deployment for each role, a map of the settings, and a service for the API."""
    documents = [_object("v1", "ConfigMap", "streamq", data=dict(plan.environment))]
    documents += [_deployment(plan, role, image) for role in plan.roles]
    if any(role.is_api for role in plan.roles):
        ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
        documents.append(
            _object("v1", "Service", "streamq-api", spec={"selector": _labels("api"), "ports": ports})
        )
    files = " ".join(f"--from-file={name}" for name in plan.secrets)
    head = f"# {_made_of(plan)} Make the secret first, in a folder with a file each:\n"
    head += f"#   kubectl create secret generic streamq {files}\n"
    return {"streamq.yaml": head + "---\n".join(_yaml(each) for each in documents)}


def _deployment(plan: Plan, role: Role, image: str) -> dict[str, Any]:
    own = _environment(plan, role, SECRETS)
    environment = [{"name": name, "value": own[name]} for name in own if name not in plan.environment]
    container = {
        "name": "streamq",
        "image": image,
        "args": [word.replace("$(", "$$(") for word in role.words],
        "envFrom": [{"configMapRef": {"name": "streamq"}}],
        "env": environment,
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "secrets", "mountPath": SECRETS, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
        **(_probes() if role.is_api else {}),
    }  # fmt: skip
    kept = [{"key": name, "path": name} for name in role.secrets]
    spec = {
        "terminationGracePeriodSeconds": plan.stop_after,
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "fsGroup": USER},
        "containers": [container],
        "volumes": [
            {"name": "secrets", "secret": {"secretName": "streamq", "items": kept, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }  # fmt: skip
    template = {"metadata": {"labels": _labels(role.name)}, "spec": spec}
    described = {"selector": {"matchLabels": _labels(role.name)}, "template": template}
    return _object("apps/v1", "Deployment", f"streamq-{role.name}", spec={"replicas": 1, **described})


def _probes() -> dict[str, Any]:
    asked = {path: {"httpGet": {"path": path, "port": "http"}} for path in ("/health", "/ready")}
    return {
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": {**asked["/health"], "periodSeconds": 10},
        "readinessProbe": {**asked["/ready"], "periodSeconds": 5},
    }


def _labels(role: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "streamq", "app.kubernetes.io/component": role}


def _object(version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def _made_of(plan: Plan) -> str:
    return f"The roles {', '.join(role.name for role in plan.roles)}."


def _yaml(value: Mapping[str, Any]) -> str:
    """Values as JSON, which YAML reads alike; what has parts has a line for each."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for name, part in value.items() for line in _named(name, part)]
    if isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        return [("- " if at == 0 else "  ") + line for each in value for at, line in enumerate(_lines(each))]
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    """On one line; YAML wants what cannot be printed as escapes, too."""
    return shown_json(codec.dumps(value).decode())


def _named(name: str, part: Any) -> list[str]:
    key = name if _PLAIN.fullmatch(name) else _scalar(name)
    lines = _lines(part)
    if len(lines) == 1 and not (isinstance(part, Mapping) and part):
        return [f"{key}: {lines[0]}"]
    return [f"{key}:", *(f"  {line}" for line in lines)]
