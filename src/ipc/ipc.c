/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sending and receiving messages. Supervisor and all workers; the sockets are non-blocking, so
 * nothing blocks. A received message owns its descriptors until they are taken.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "messages.h"

/* Room for what is sent before the reader has come to it: a show with many destinations starts. */
#define SEND_BUFFER_BYTES (4 << 20)

struct ipc_head {
	uint32_t type, size;
};

union ipc_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

int ipc_pair(int ret_fds[2])
{
	const int bytes = SEND_BUFFER_BYTES;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		/* The first needs privilege, the second is cut to net.core.wmem_max. */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0) {
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
		}
	}
	memcpy(ret_fds, fds, sizeof fds);
	return 0;
}

static void ipc_put_fds(struct msghdr *msg, union ipc_control *control, const int *fds,
			unsigned fd_count)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof *control);
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
}

int ipc_send(int fd, enum ipc_type type, const void *body, const int *fds, unsigned fd_count)
{
	const struct ipc_kind *kind = ipc_kind_of((uint32_t)type);
	struct ipc_head head = { .type = (uint32_t)type };
	struct iovec parts[2] = { { &head, sizeof head } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
	union ipc_control control;
	ssize_t done;

	if (kind == NULL || fd_count < kind->fds_min || fd_count > kind->fds_max ||
	    !ipc_is_body_sound(kind, body)) {
		return -EINVAL;
	}
	head.size = (uint32_t)kind->size;
	parts[1] = (struct iovec){ (void *)(uintptr_t)body, kind->size };
	if (fd_count > 0) {
		ipc_put_fds(&msg, &control, fds, fd_count);
	}
	do {
		done = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : 0;
}

/* Takes over what the kernel installed; too many (MSG_CTRUNC) are closed by the kernel. */
static void ipc_get_fds(struct msghdr *msg, struct ipc_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		assert(count <= IPC_FDS_MAX - m->fd_count);
		memcpy(&m->fds[m->fd_count], CMSG_DATA(c), count * sizeof(int));
		m->fd_count += (unsigned)count;
	}
}

static bool ipc_is_message_sound(const struct ipc_message *m, const struct ipc_head *head,
				 const struct msghdr *msg, size_t received)
{
	const struct ipc_kind *kind = ipc_kind_of(head->type);

	return (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && received >= sizeof *head &&
	       kind != NULL && head->size == kind->size && received - sizeof *head == kind->size &&
	       m->fd_count >= kind->fds_min && m->fd_count <= kind->fds_max &&
	       ipc_is_body_sound(kind, m->body);
}

/* Without `control` the kernel drops descriptors and says MSG_CTRUNC. */
static int ipc_recv_into(int fd, struct ipc_message *ret, union ipc_control *control)
{
	struct ipc_head head = { 0 };
	struct iovec parts[2] = { { &head, sizeof head }, { ret->body, sizeof ret->body } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t done;

	ret->type = IPC_NONE;
	ret->size = 0;
	ret->fd_count = 0;
	do {
		msg.msg_control = control;
		msg.msg_controllen = control != NULL ? sizeof *control : 0;
		done = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (done < 0 && errno == EINTR);
	if (done < 0) {
		return errno == ECONNRESET ? 0 : -errno;
	}
	if (control != NULL) {
		ipc_get_fds(&msg, ret);
	}
	if (done == 0 && ret->fd_count == 0) {
		return 0;
	}
	if (!ipc_is_message_sound(ret, &head, &msg, (size_t)done)) {
		ipc_message_finish(ret);
		return -EBADMSG;
	}
	ret->type = (enum ipc_type)head.type;
	ret->size = head.size;
	return 1;
}

int ipc_recv(int fd, struct ipc_message *ret)
{
	union ipc_control control;

	return ipc_recv_into(fd, ret, &control);
}

int ipc_recv_no_fds(int fd, struct ipc_message *ret)
{
	return ipc_recv_into(fd, ret, NULL);
}

int ipc_take_fd(struct ipc_message *m, unsigned index)
{
	int fd;

	if (index >= m->fd_count) {
		return -1;
	}
	fd = m->fds[index];
	m->fds[index] = -1;
	return fd;
}

void ipc_message_finish(struct ipc_message *m)
{
	for (unsigned i = 0; i < m->fd_count; i++) {
		if (m->fds[i] >= 0) {
			close(m->fds[i]);
		}
	}
	m->fd_count = 0;
}
