#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`understudy preflight`: finds what would go wrong, and nothing where nothing would."""

import json

from lib import encoders
from lib.platforms import Nginx, Wire, certificate, tls_server
from lib.ports import free_port
from lib.process import eventually
from lib.relay import KEYS, Relay, destination, recording
from lib.show import Show
from lib.stage import case, main


def preflight(relay, status):
    run = relay.run("preflight", "main", "--json")
    if run.returncode != status:
        raise AssertionError(f"status {run.returncode}, not {status}: {run.stdout}{run.stderr}")
    return json.loads(run.stdout)["findings"]


def expect_finding(findings, judgement, subject, words):
    for finding in findings:
        if (finding["judgement"], finding.get("subject", "")) == (judgement, subject) and \
                words in finding["text"]:
            return
    raise AssertionError(f"no finding {judgement} {subject} {words!r} in {findings}")


@case
def a_show_that_is_ready_passes(stage):
    show = Show(stage, destinations=[recording("record", stage.path("state", "a-%H%M%S.flv"))])
    show.relay.wait_status(lambda s: all(f["gop_ms"] for f in s["feeds"]), "key frames' pace")
    # One that was held up a moment ago is degraded for a while.
    eventually(lambda: show.relay.run("preflight", "main").returncode == 0, "it to be ready")
    findings = preflight(show.relay, 0)
    for judgement, subject, words in (
            ("good", "feed primary", "live"), ("good", "feed backup", "standby"),
            ("good", "delay", "without a gap"), ("good", "destination platform", "published"),
            ("note", "", "no slate")):
        expect_finding(findings, judgement, subject, words)
    if not any(f.get("subject") == "recording record" and "GB free" in f["text"]
               for f in findings):
        raise AssertionError(f"the disk was not looked at: {findings}")


@case
def what_is_missing_is_found_with_advice(stage):
    good = Nginx(stage)
    chain, key, authority = certificate(stage)
    tls = Wire(stage, good.port, tls_server(chain, key))
    relay = Relay(stage, [destination("nobody", f"rtmp://127.0.0.1:{free_port()}/live"),
                          destination("untrusted", tls.url), destination("good", good.url)],
                  delay_ms=1000, autostart=False,
                  feeds=[{"name": name, "key": key} for name, key in KEYS.items()]
                  + [{"name": "slate", "file": encoders.clip(stage, "slate").path}])
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_feed("primary", "live", "standby")
    findings = preflight(relay, 1)
    stage.note(json.dumps(findings))
    for judgement, subject, words in (
            ("note", "feed slate", "once the show is started"),
            ("bad", "feed backup", "start its encoder"), ("bad", "", "no second encoder"),
            ("bad", "destination nobody", "refused"),
            ("bad", "destination untrusted", "certificate"),
            ("good", "destination good", "not published to")):
        expect_finding(findings, judgement, subject, words)
    if good.publishes():
        raise AssertionError("the preflight published")
    relay.process.stop()
    relay.environment["SSL_CERT_FILE"] = authority # valid for two days
    relay.start()
    expect_finding(preflight(relay, 1), "note", "destination untrusted", "expires in")


if __name__ == "__main__":
    main()
