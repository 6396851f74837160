/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `understudy run --demo`: a failover to look at. Everything runs on this machine, on free
 * ports, in a temporary directory:
 *
 *   ffmpeg PRIMARY --.                                  .--> nginx-rtmp, "the platform"
 *                     >-- understudy run, show "demo" --<
 *   ffmpeg BACKUP  --'                                  '--> recording-*.flv
 */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

/* Returns the exit code. */
int demo_run(void);

#endif
