"""``streamq export``: the files that it writes are read back, as those read them for whom they are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamq.cli import main
from streamq.settings.table import kinds

from ..commands import Call, Ended, run_all

SHOP = """
from streamq import App
app = App()
for queue in ("mail", "sms_out", "sms.out"):
    app.task(name=f"send-{queue}", queue=queue)(lambda x: None)
"""
SECRET = "k9f2c0ffee"
ODD = 'Shop "100%" $HOME \\\\ ü <shop@example.com>'
ENVIRONMENT = {
    "STREAMQ_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:6379/0",
    "STREAMQ_CALLBACK_SECRET": SECRET + "x" * 30,
    "STREAMQ_CONCURRENCY": "7",
    "STREAMQ_SHUTDOWN_GRACE": "60",
    "STREAMQ_EMAIL_FROM": ODD,
    "STREAMQ_DATA_DIR": "/here",
}
Export = Callable[..., Ended]


@pytest.fixture
def exported(tmp_path: Path) -> Export:
    """Run ``streamq export`` in a folder with a shop."""
    (tmp_path / "shop.py").write_text(SHOP)

    def run(*words: str) -> Ended:
        (ended,) = run_all(tmp_path, [Call(("export", *words, "shop:app"))], **ENVIRONMENT)
        return ended

    return run


def folder_of(exported: Export, tmp_path: Path, *words: str) -> Path:
    ended = exported(*words, "--to", "out")
    assert ended.code == 0, ended.err
    out = tmp_path / "out"
    assert (
        ended.out == f"wrote {', '.join(f'out/{name}' for name in written(out))}\n" or len(written(out)) > 1
    )
    for name in written(out):
        assert SECRET not in (out / name).read_text(), f"a secret is in {name}"
    return out


def written(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def check_names(environment: dict[str, str]) -> None:
    """Each is the variable of a setting, or of a file with a secret one."""
    known = {name for kind in kinds() for names in kind.variables().values() for name in names}
    hidden = {
        f"{name}_FILE" for kind in kinds() for each in kind.secrets() for name in kind.variables()[each]
    }
    assert {*environment} <= known | hidden
    assert environment["STREAMQ_CONCURRENCY"] == "7"
    assert environment.get("STREAMQ_DATA_DIR") != "/here", "a folder of this machine"


def check_command(words: list[str]) -> None:
    """The command line takes them."""
    command = main.get_command(main.make_context("streamq", ["init"]), words[0])
    assert command is not None
    assert command.make_context(words[0], words[1:]).params["app"] == "shop:app"


def test_compose_reads_its_file_and_roles_have_settings_commands_and_secrets_that_there_are(
    exported: Export, tmp_path: Path
) -> None:
    read = yaml.safe_load(
        (folder_of(exported, tmp_path, "compose", "--image", "shop:1") / "compose.yaml").read_text()
    )
    assert {*read["services"]} == {"worker", "scheduler", "api"}
    for service in read["services"].values():
        check_names(service["environment"])
        check_command(service["command"])
        assert service["environment"]["STREAMQ_EMAIL_FROM"].replace("$$", "$") == ODD
        assert (service["image"], service["stop_grace_period"]) == ("shop:1", "75s")
        files = {text for name, text in service["environment"].items() if name.endswith("_FILE")}
        assert files == {f"/run/secrets/{name}" for name in service["secrets"]}
        assert {*service["secrets"]} <= read["secrets"].keys()
    assert {*read["secrets"]} == {"redis_url", "api_keys", "callback_secret"}
    assert "api_keys" not in read["services"]["worker"]["secrets"]
    assert read["services"]["api"]["ports"] == ["127.0.0.1:8000:8000"]


def test_each_queue_has_a_worker_under_a_name_of_its_own(exported: Export, tmp_path: Path) -> None:
    read = yaml.safe_load(
        (folder_of(exported, tmp_path, "compose", "--each-queue") / "compose.yaml").read_text()
    )
    commands = {name: each["command"] for name, each in read["services"].items() if name.startswith("worker")}
    queues = {name: command[-1] for name, command in commands.items()}
    assert queues == {"worker-mail": "mail", "worker-sms-out": "sms.out", "worker-sms-out-2": "sms_out"}
    for command in commands.values():
        check_command(command)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_its_units(exported: Export, tmp_path: Path) -> None:
    out = folder_of(exported, tmp_path, "systemd", "--each-queue")
    (out / "program").write_text("#!/bin/sh\n")
    (out / "program").chmod(0o755)
    for unit in out.glob("*.service"):  # the program that runs the suite is not the one that is installed
        lines = unit.read_text().splitlines()
        first = next(line for line in lines if line.startswith("ExecStart="))
        words = shlex.split(first.removeprefix("ExecStart="))
        text = unit.read_text().replace(first, first.replace(words[0], str(out / "program")))
        unit.write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(out.glob("*.service"))), str(out / "streamq.target")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")


def test_units_have_the_settings_and_read_secrets_from_credentials(exported: Export, tmp_path: Path) -> None:
    out = folder_of(exported, tmp_path, "systemd")
    assert written(out) == [f"streamq-{role}.service" for role in ("api", "scheduler", "worker")] + [
        "streamq.target"
    ]
    for path in out.glob("*.service"):
        assert not re.search(r"%(?![dS]/)", path.read_text().replace("%%", "")), "a sign that systemd reads"
        lines = [line.partition("=") for line in path.read_text().splitlines() if "=" in line]
        values = [shlex.split(text)[0] for name, _, text in lines if name == "Environment"]
        environment = dict(value.replace("%%", "%").split("=", 1) for value in values)
        check_names(environment)
        assert environment["STREAMQ_EMAIL_FROM"] == ODD
        (command,) = [shlex.split(text)[1:] for name, _, text in lines if name == "ExecStart"]
        check_command(command)
        loaded = {text.split(":")[0] for name, _, text in lines if name == "LoadCredential"}
        assert {text for name, text in environment.items() if name.endswith("_FILE")} == {
            f"%d/{n}" for n in loaded
        }


def test_kubernetes_has_a_deployment_for_each_role_with_all_that_it_names(
    exported: Export, tmp_path: Path
) -> None:
    text = (folder_of(exported, tmp_path, "k8s") / "streamq.yaml").read_text()
    documents: list[dict[str, Any]] = [*yaml.safe_load_all(text)]
    by_kind = {each["kind"]: each for each in documents}
    assert [each["kind"] for each in documents] == ["ConfigMap", *["Deployment"] * 3, "Service"]
    for each in documents[1:4]:
        template = each["spec"]["template"]
        assert each["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        (container,) = template["spec"]["containers"]
        environment = {one["name"]: one["value"] for one in container["env"]}
        check_names({**by_kind["ConfigMap"]["data"], **environment})
        check_command(container["args"])
        secrets = template["spec"]["volumes"][0]["secret"]["items"]
        files = {said for name, said in environment.items() if name.endswith("_FILE")}
        assert files == {f"/run/secrets/{one['path']}" for one in secrets}
        assert all(f"--from-file={one['key']}" in text for one in secrets)
        assert {one["name"] for one in container["volumeMounts"]} == {
            one["name"] for one in template["spec"]["volumes"]
        }
    assert by_kind["ConfigMap"]["data"]["STREAMQ_EMAIL_FROM"] == ODD
    assert by_kind["Service"]["spec"]["selector"] == documents[3]["spec"]["selector"]["matchLabels"]


def test_nothing_is_overwritten_and_no_other_app_is_meant(exported: Export, tmp_path: Path) -> None:
    folder_of(exported, tmp_path, "compose")
    again = exported("compose", "--to", "out")
    assert (again.code, "out/ has compose.yaml already" in again.err) == (2, True)
    (unknown,) = run_all(tmp_path, [Call(("export", "k8s", "shop:ap"))], **ENVIRONMENT)
    assert (unknown.code, "app" in unknown.err, (tmp_path / "streamq.yaml").exists()) == (2, True, False)
