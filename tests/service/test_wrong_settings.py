"""Settings that cannot be are refused when a role starts, by a sentence that has no part of a secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from .test_commands import tried

WRONG = [
    ({"email_from": "nonsense"}, "STREAMQ_EMAIL_FROM"),
    ({"email_from": "Shop <shop@example.com"}, "STREAMQ_EMAIL_FROM"),
    ({"smtp_url": "smtp://mail.example.com"}, "STREAMQ_EMAIL_FROM"),
    ({"smtp_url": "smtp://u:topsecret@mail.example.com:99999", "email_from": "a@example.com"}, "SMTP_URL"),
    ({"smtp_url": "smtp://u:topsecret@mail.example.com:abc", "email_from": "a@example.com"}, "SMTP_URL"),
    ({"intake_url": "postgresql://u:topsecret@db.example.com:topsecret/app"}, "intake_url"),
    ({"intake_url": "postgresql://u:top/secret@db.example.com/app"}, "%2F"),
    ({"intake_url": "postgresql://u:topsecret@topsecret@db.example.com/app"}, "%40"),
    ({"intake_url": "postgresql://u:top?secret@db.example.com/app"}, "%3F"),
    ({"intake_realtime_url": "https://project.example.com:abc"}, "intake_realtime_url"),
    ({"sms_report_secret": "topsecret not base64!"}, "STREAMQ_SMS_REPORT_SECRET"),
    ({"callback_secret": "topsecret not base64!"}, "STREAMQ_CALLBACK_SECRET"),
    ({"sms_api_url": "https://a.example.com https://b.example.com"}, "#name"),
    ({"sms_api_url": "foo+https://u:topsecret@a.example.com"}, "'foo' is no form"),
    ({"quiet_hours": "25:00-08:00"}, "quiet_hours"),
    ({"quiet_hours": "always"}, "quiet_hours"),
    ({"quiet_zone": "Mars"}, "Mars"),
    ({"callback_hosts": "https://a.example.com"}, "callback_hosts"),
    ({"callback_hosts": "a.example.com/hook"}, "callback_hosts"),
    ({"default_workspace_id": "a\nb"}, "default_workspace_id"),
    ({"default_contact_id": " "}, "default_contact_id"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_a_setting_that_cannot_be_is_refused_before_anything_runs(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        messaging_app(ServiceSettings(**given))  # type: ignore[arg-type]
    assert words.lower() in str(refused.value).lower()
    assert "secret@" not in str(refused.value)
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize("role", [("api",), ("up",), ("worker", "streamq_service.messaging:app")])
@pytest.mark.parametrize(
    "given",
    [
        {"STREAMQ_SMS_REPORT_SECRET": "topsecret not base64!"},
        {"STREAMQ_QUIET_ZONE": "Mars"},
        {"STREAMQ_EMAIL_FROM": "nonsense"},
        {"STREAMQ_INTAKE_URL": "postgresql://u:top/secret@db.example.com/app"},
    ],
)
def test_every_role_refuses_it_with_one_sentence_and_exit_code_78(
    tmp_path: Path, role: tuple[str, ...], given: dict[str, str]
) -> None:
    ended = tried(tmp_path, *role, **given)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "secret not" not in ended.stderr
    assert "top" not in ended.stderr


@pytest.mark.parametrize(
    "given",
    [
        {"intake_url": "postgresql://u:p%2Fw%40@db.example.com:5432/app?sslmode=require"},
        {"intake_url": "postgresql:///app?host=/tmp&user=x@y"},
        {"intake_url": "postgresql://u@[::1]:5432/app"},
        {"intake_url": "postgresql://u@a.example.com:5432,b.example.com:5433/app"},
        {"callback_hosts": "a.example.com, 10.0.0.1,[::1]"},
        {"email_from": "Shop <shop@example.com>", "smtp_url": "smtps://u:p%40@mail.example.com"},
    ],
)
def test_what_can_be_is_taken(given: dict[str, str]) -> None:
    messaging_app(ServiceSettings(**given))  # type: ignore[arg-type]
