/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sd_notify(3) without the library: one datagram to the socket systemd names, if it does. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor.h"

void notify_send(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (path == NULL || strlen(path) >= sizeof(address.sun_path) ||
	    (path[0] != '/' && path[0] != '@')) {
		return;
	}
	size_t size = strlen(path);
	memcpy(address.sun_path, path, size);
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return;
	}
	/* Nobody listening is no reason to stop. */
	(void)!sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
	close(fd);
}
