"""In a real browser: names and texts that mean something to scripts or to eyes, and pages that are not ours."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from streamq_service.http.serve import address, bind, serving
from streamq_service.messaging import CHANNELS

from streamq import Queue, State
from streamq.model.shown import shown

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

QUEUES = [queue for channel in CHANNELS for queue in channel.queues]
NAMES = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "x" * 64]
HOSTILE = {
    "to": {"toString": "mine", "<b>": 1},
    "message": "pay \u202egnp.exe\u202c \x1b[31mred\nforged line \ufeff<script>document.title='taken'</script>",
    "workspace_id": "\u2066w\x00",
    "__proto__": {"to": "elsewhere"},
}
TO, TEXT, WHOSE = (f"td[data-title={name}]" for name in ("to", "message", "workspace_id"))


async def test_a_queue_and_a_job_of_any_name_and_text_are_shown_as_they_are(
    page: Page, service: Service
) -> None:
    for name in NAMES:
        job = await service.engine.enqueue(name, "some-task", HOSTILE)
    await page.open(f"{service.url}/#/queues")
    await page.until(f"document.querySelectorAll('tbody tr').length === {len(NAMES) + len(QUEUES)}")
    links = await page.run(
        "[...document.querySelectorAll('tbody td:first-child a')].map((a) => a.textContent)"
    )
    assert set(NAMES) <= set(links)
    await service.engine.queue("constructor").pause("\u202eprovider down")
    await page.shows("paused: \\u202eprovider down", ".paused")
    for name in ("__proto__", "constructor"):
        await page.open(f"{service.url}/#/queues/{name}/jobs?state=waiting&columns=to,message,workspace_id")
        await page.until(
            f"document.querySelector('h1').innerText === 'Jobs of {name}' && document.querySelector('{TO}')"
        )
        assert await page.text(TO) == '{"toString":"mine","<b>":1}'
        assert await page.text(TEXT) == shown(str(HOSTILE["message"]))
        assert await page.text(WHOSE) == "\\u2066w\\x00"
        assert await page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await page.open(f"{service.url}/#/queues/{job.queue}/jobs/{job.id}")
    await page.shows("__proto__", "pre")
    assert json.loads(await page.text("pre")) == HOSTILE
    await _nothing_hidden_is_shown(page)
    await _characters_are_those_of_the_other_twin(page)


async def _nothing_hidden_is_shown(page: Page) -> None:
    seen = await page.run("document.body.innerText + document.documentElement.outerHTML")
    assert not [character for character in "\u202e\u202c\u2066\ufeff\x1b\x00" if character in seen]
    assert await page.run("document.querySelectorAll('main :is(script, img, b b)').length") == 0
    assert "taken" not in await page.run("document.title")
    assert page.complaints == []


async def _characters_are_those_of_the_other_twin(page: Page) -> None:
    script = """import("./static/shown.js").then(({ shown }) => {
        const told = {};
        for (let code = 0; code < 0x110000; code++) {
            const text = String.fromCodePoint(code);
            if (shown(text) !== text) told[code] = shown(text);
        }
        return told;
    })"""
    told = {int(code): text for code, text in (await page.run(script)).items()}
    assert told == {code: shown(chr(code)) for code in range(0x110000) if shown(chr(code)) != chr(code)}


ATTACK = """
const target = "TARGET", paths = ["/api/schedule-sms", "/api/v1/queues/send-sms-queue/jobs/ID/retry"];
const body = '{"to": "+15550100", "message": "from elsewhere", "workspaceId": 1}';
const frames = [];
window.done = (async () => {
  for (const path of paths) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
      const asked = { method: "POST", body, headers: { "Content-Type": type } };
      await fetch(target + path, { ...asked, mode: "no-cors" }).catch(() => 0);
      await fetch(target + path, asked).catch(() => 0);
    }
    await fetch(target + path, { method: "POST", mode: "no-cors" }).catch(() => 0);
    navigator.sendBeacon(target + path, new Blob([body], { type: "text/plain" }));
    const frame = document.createElement("iframe");
    frame.name = "frame" + frames.push(frame);
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: target + path, target: frame.name });
    form.enctype = "text/plain";
    form.append(Object.assign(document.createElement("input"), { name: body.slice(0, -1) + ', "a": "', value: '"}' }));
    document.body.append(form);
    form.submit();
    await new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  }
  const read = await fetch(target + "/api/v1/queues").then((answer) => answer.text()).catch(() => "nothing");
  const script = await new Promise((resolve) => {
    const made = Object.assign(document.createElement("script"), { src: target + "/static/format.js" });
    made.onload = () => resolve("loaded");
    made.onerror = () => resolve("nothing");
    document.body.append(made);
  });
  return [read, script];
})();
"""


async def test_a_page_on_another_port_of_this_machine_can_do_and_read_nothing(
    page: Page, service: Service, sandbox: Service
) -> None:
    job = await _failed_job(service, sandbox)
    script = ATTACK.replace("TARGET", service.url).replace("ID", job)

    async def theirs(_request: web.Request) -> web.Response:
        return web.Response(text=f"<body><script>{script}</script>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", theirs)
    with bind("127.0.0.1", 0) as listener:
        async with serving(app, listener, quiet=True):
            await page.open(address(listener) + "/")
            await page.until("window.done")
            assert await page.run("window.done") == ["nothing", "nothing"]
    assert await service.jobs() == 1
    assert (await service.engine.queue("send-sms-queue").get(job)).state is State.FAILED


async def _failed_job(service: Service, sandbox: Service) -> str:
    async with sandbox.http.put(sandbox.url + "/behaviour", json={"mode": "reject"}) as told:
        assert told.status == 200
    _, _, sent = await service.post(
        "/api/schedule-sms", {"to": "+15550100", "message": "hello", "workspaceId": 1}
    )
    queue = service.engine.queue("send-sms-queue")
    async with working(service.engine):
        await until(lambda: _is_failed(queue))
    return str(sent["id"])


async def _is_failed(queue: Queue) -> bool:
    return (await queue.counts()).failed == 1
