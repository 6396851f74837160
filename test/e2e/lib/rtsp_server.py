#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""GStreamer's RTSP server with one clip: rtsp_server.py PORT CLIP.flv; says `ready`."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer # pylint: disable=wrong-import-position

Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( filesrc location={sys.argv[2]} ! flvdemux name=d "
    "d.video ! queue ! h264parse ! rtph264pay name=pay0 pt=96 "
    "d.audio ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )")
factory.set_shared(True)
server.get_mount_points().add_factory("/show", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
