#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other encoders than ffmpeg, and TLS: each plays the primary, is killed, and is replaced."""

from lib import encoders, flv
from lib.platforms import Nginx, Wire, certificate, tls_server
from lib.relay import AMPLE_MS, Relay, destination
from lib.show import Show, expect
from lib.stage import case, main


def replaced(stage, **more):
    show = Show(stage, **more)
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def rtmp2sink_of_gstreamer_is_replaced_when_killed(stage):
    replaced(stage, publish=encoders.rtmp2sink)


@case
def librtmp_is_replaced_when_killed(stage):
    replaced(stage, publish=encoders.librtmp)


@case
def ffmpeg_over_tls_is_replaced_when_killed(stage):
    chain, key, _ = certificate(stage)
    replaced(stage, scheme="rtmps", rtmps=(chain, key))


@case
def librtmp_over_tls_is_replaced_when_killed(stage):
    chain, key, _ = certificate(stage)
    replaced(stage, publish=encoders.librtmp, scheme="rtmps", rtmps=(chain, key))


def tls_platform(stage, chain, key):
    platform = Nginx(stage)
    return platform, Wire(stage, platform.port, tls_server(chain, key))


@case
def platform_is_reached_over_tls(stage):
    chain, key, authority = certificate(stage)
    platform, wire = tls_platform(stage, chain, key)
    relay = Relay(stage, [destination("platform", wire.url)], delay_ms=AMPLE_MS,
                  environment={"SSL_CERT_FILE": authority})
    clip = encoders.clip(stage, "primary")
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    relay.process.stop()
    platform.stop()
    verdict = flv.Verdict(flv.read(platform.the_recording()), {"primary": clip})
    verdict.assert_unbroken()
    expect(verdict, "primary")


@case
def platform_with_a_certificate_of_nobody_we_trust_gets_nothing(stage):
    chain, key, _ = certificate(stage)
    platform, wire = tls_platform(stage, chain, key)
    relay = Relay(stage, [destination("platform", wire.url)], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    status = relay.wait_status(
        lambda s: "certificate" in (relay.destination("platform", s)["last_error"] or ""),
        "the certificate to be refused")
    if relay.destination("platform", status)["state"] == "live" or platform.publishes():
        raise AssertionError(f"published to a platform nobody vouches for: {status}")


if __name__ == "__main__":
    main()
