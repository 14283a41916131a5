"""Addresses: read without a guess, and shown without a secret."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamq import App, ConfigurationError, Settings, public_address
from streamq.redis.addressed import servers_at
from streamq.settings.location import location, locations

ODD = "/#?,[]@%: &=+$'\"\\;{}<>|^`~!*()\t"
SECRETS = st.text(st.sampled_from(ODD + "QZ"), min_size=3, max_size=12).map(lambda text: f"Qx{text}Zy")
"""Passwords over what means something in an address, with ends by which they are found."""


def pieces(secret: str) -> set[str]:
    """What must not be seen of a secret: parts of it between the characters at which a parser may cut."""
    words = "".join(c if c.isalnum() else " " for c in secret).split()
    return {secret} | {word for word in words if len(word) > 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://h.example", "redis://h.example"),
        ("redis://h_1:6380/3", "redis://h_1:6380/3"),
        ("REDIS://h/", "redis://h"),
        ("redis://user:pw@h:1/0", "redis://h:1/0"),
        ("rediss://:pw@[::1]:6380?ssl_cert_reqs=none", "rediss://[::1]:6380"),
        ("redis://", "redis://localhost"),
        ("redis://h?db=2&password=x", "redis://h/2"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://u:pw@/run/a%40b.sock?db=1", "unix:///run/a%40b.sock?db=1"),
        ("redis://:a,b@h,redis://other , unix:///s,", "redis://h, redis://other, unix:///s"),
        ("redis://:p@ss[w]: or|d@h", "redis://h"),
        ("redis://:pa/ss@h", "redis://…"),
        ("redis://:pa?ss@h", "redis://…"),
        ("redis://:pa#ss@h", "redis://…"),
        ("redis://:pass:6379/0", "redis://…"),
        ("redis://h:123456", "redis://…"),
        ("redis://h:0", "redis://…"),
        ("redis://h/word", "redis://…"),
        ("redis://h?password=a@b", "redis://…"),
        ("redis://h?password=a&b=c", "redis://…"),
        ("redis://:%ff@h", "redis://…"),
        ("unix://h/run/s", "redis://…"),
        ("unix:///run/a@b", "redis://…"),
        ("mysecret", "redis://…"),
        ("", "redis://…"),
        ("redis://h,ftp://x", "redis://…"),
        ("redis+sentinel://u:p,w@h1,h2:26380/main/2", "redis+sentinel://h1,h2:26380/main/2"),
        ("rediss+sentinel://[::1]/main?ssl_cert_reqs=none", "rediss+sentinel://[::1]/main"),
        ("REDIS+CLUSTER://u:pw@h1:7000,h2/", "redis+cluster://h1:7000,h2"),
        ("redis+sentinel://h1,h2", "redis://…"),
        ("redis+sentinel://h1,,h2/main", "redis://…"),
        ("redis+sentinel://h1/main/0/x", "redis://…"),
        ("redis+cluster://h1/1", "redis://…"),
        ("redis+cluster://h1?db=1", "redis://…"),
        ("unix+sentinel:///s/main", "redis://…"),
        ("https://u:pw@sms.example.com:8443/token?key=x", "https://sms.example.com:8443"),
        ("https://u:p/w@sms.example.com/", "redis://…"),
    ],
)
def test_what_is_shown_of_an_address(text: str, shown: str) -> None:
    assert public_address(text) == shown
    if "…" in shown:
        with pytest.raises(ValueError, match=r"^(address number \d: )?its? "):
            locations(text)


@pytest.mark.parametrize("text", ["redis+cluster://h1,redis://h2", "redis://h1,redis+sentinel://h2/main"])
def test_hosts_of_a_cluster_and_of_sentinels_stand_in_one_address(text: str) -> None:
    with pytest.raises(ValueError, match="must be the only one"):
        locations(text)


@pytest.mark.parametrize("text", ["http://x", "localhost:6379", "redis:/h", "amqp://h"])
def test_another_scheme_is_refused_where_the_app_is_made(text: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://, rediss:// or unix://"):
        App(redis_url=text)


def test_an_address_is_read_as_it_is_written() -> None:
    read = location("rediss://al%40ce:p%2Fw,+ x@h:1/2?ssl_check_hostname=no")
    assert (read.username, read.password, read.db, read.tls) == (
        "al@ce",
        "p/w,+ x",
        2,
        {"ssl_check_hostname": False},
    )
    assert location("redis://h?password=a%40b+c&username=u").password == "a@b+c", "a + is no space"
    assert "p/w" not in repr(read)
    for wrong in ("ssl_check_hostname=perhaps", "ssl_cert_reqs=some"):
        with pytest.raises(ValueError, match=wrong.split("=")[0]):
            location(f"rediss://h?{wrong}")


@given(SECRETS)
def test_a_password_of_any_characters_works_when_it_is_encoded(secret: str) -> None:
    encoded = quote(secret, safe="")
    for text in (f"redis://:{encoded}@h", f"unix://u:{encoded}@/s", f"redis://h?password={encoded}"):
        (read,) = locations(text)
        assert read.password == secret
        assert not any(piece in str(read) for piece in pieces(secret))


@given(SECRETS)
def test_a_password_that_is_not_encoded_works_or_is_refused_and_is_never_told(secret: str) -> None:
    for text in (
        f"redis://:{secret}@h.example:6379/0", f"rediss://user:{secret}@h.example", f"unix://:{secret}@/run/s",
        f"redis://h.example?password={secret}", f"redis://a.example,redis://:{secret}@b.example",
    ):  # fmt: skip
        told = public_address(text)
        try:
            settings = Settings.load(redis_url=text)
            told += (
                repr(settings) + str(settings) + str(settings.model_dump()) + repr(servers_at(settings).names)
            )
        except ConfigurationError as error:
            told += str(error)
            assert "%2F" in told or "%26" in told, "the sentence says what to do"
        assert not any(piece in told for piece in pieces(secret)), told
