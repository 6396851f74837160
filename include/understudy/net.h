/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A non-blocking byte stream, plain TCP or TLS (OpenSSL, TLS >= 1.2), over a connected
 * socket. TLS material comes as descriptors or bytes: workers open no files.
 *
 *   create -> stream_handshake() until 0 -> stream_read() / stream_write() -> stream_destroy()
 *
 * One thread. All calls return at once. Use them from a level-triggered loop, but read until
 * -EAGAIN: TLS may hold bytes that no poll reports.
 */
#ifndef UNDERSTUDY_NET_H
#define UNDERSTUDY_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_ctx_st; /* SSL_CTX */
struct stream;

enum stream_want { STREAM_WANT_READ = 1, STREAM_WANT_WRITE = 2 };

/* Takes the descriptor (non-blocking, close-on-exec). NULL if memory is out (fd not closed). */
struct stream *stream_create_plain(int fd);
/* Server side. PEM chain (leaf first) and key come as bytes; `key_pem` is overwritten before this
 * returns, whatever the outcome, and the parsed key is freed as soon as the handshake is over. No
 * session tickets, no session cache. NULL + reason (a constant text), fd not closed. */
struct stream *stream_create_tls_server(int fd, const char *chain_pem, size_t chain_bytes,
					char *key_pem, size_t key_bytes, const char **ret_error);
/* Client side: verifies the chain against `ctx` and `host` as a name or an IP address; sends SNI
 * for names. NULL if memory is out (fd not closed). */
struct stream *stream_create_tls_client(int fd, struct ssl_ctx_st *ctx, const char *host);
/* Trust store for clients from a PEM bundle readable at `fd` (read from its start, not closed).
 * NULL + reason (a constant text). */
struct ssl_ctx_st *stream_trust_create(int fd, const char **ret_error);
void stream_trust_destroy(struct ssl_ctx_st **ctx);

/* 0 done (plain: at once); -EAGAIN (wait for stream_wants()); else negative errno,
 * stream_error_str() says why. */
int stream_handshake(struct stream *s);
/* > 0 bytes; 0 end of stream; -EAGAIN; other negative errno. */
ssize_t stream_read(struct stream *s, void *to, size_t room);
/* Bytes taken (may be fewer); -EAGAIN; other negative errno. Plain: one sendmsg(2), no SIGPIPE.
 * TLS: small pieces are gathered into records of up to 16 KiB; the last record taken may still
 * be on its way: stream_wants() then says WRITE, and the next write, read or stream_flush()
 * sends it. */
ssize_t stream_write(struct stream *s, const struct iovec *iov, int count);
/* Sends what stream_write() has taken and the socket has not: 0 nothing is left; -EAGAIN; other
 * negative errno. Always 0 for plain streams. */
int stream_flush(struct stream *s);
/* Says that no more will be written (TLS close_notify, TCP FIN); reading goes on. Anything not
 * yet flushed is lost. */
void stream_finish(struct stream *s);
unsigned stream_wants(const struct stream *s); /* what the last -EAGAIN waits for */
int stream_fd(const struct stream *s);
bool stream_is_tls(const struct stream *s);
/* After the handshake: whole days until the peer's certificate expires; 0 for a plain stream. */
int stream_certificate_days(const struct stream *s);
/* "certificate has expired", "certificate is for another name", "connection reset by peer"... "" if
 * nothing failed. Valid while the stream lives. Never holds anything the peer sent. */
const char *stream_error_str(const struct stream *s);
/* Closes. unclean: SO_LINGER 0, so that the peer sees a reset and no TLS close_notify. */
void stream_destroy(struct stream **s, bool unclean);

/* TCP_NODELAY on both sides; for senders TCP_NOTSENT_LOWAT and TCP_USER_TIMEOUT. */
void net_tune_ingest(int fd);
void net_tune_relay(int fd);
/* The socket becomes readable once so many bytes wait, or at once when the peer is gone; 1 is
 * usual. Its buffer holds that much and more. */
void net_set_low_water(int fd, int bytes);
/* A listening, non-blocking, close-on-exec TCP socket; "0.0.0.0:1935", "[::]:1935",
 * "localhost:1935", ":1935" (every address, both families); port 0 picks one. No names are looked
 * up. Returns the descriptor or a negative errno (-EINVAL: not such an address). */
int net_listen(const char *address, int backlog);
/* A bound, blocking, close-on-exec UDP socket; the same addresses. Returns the descriptor or a
 * negative errno. */
int net_bind_udp(const char *address);
/* Starts a non-blocking connect. Returns the descriptor or a negative errno. */
int net_dial(const struct sockaddr *address, socklen_t size);
/* 0 connected, -EINPROGRESS, or the error of the attempt. */
int net_dial_result(int fd);
/* "192.0.2.1" or "2001:db8::1" into an address with `port`. Returns its size, 0 if `text` is not
 * one. */
socklen_t net_parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret);
/* "192.0.2.1:1935", "[2001:db8::1]:1935" */
void net_format_address(const struct sockaddr *address, char *to, size_t size);
/* Who could be there: the world; a local network (also multicast); this host or its link alone,
 * where clouds keep their metadata. Addresses that wrap an IPv4 one count as that. */
enum net_reach { NET_PUBLIC, NET_PRIVATE, NET_HOST };
enum net_reach net_reach_of(const struct sockaddr *address);
/* False for names that only mean something locally: "encoder", "camera.local". */
bool net_is_public_name(const char *name);
/* A negative errno of a connection in words a streamer understands: "connection refused", ... */
const char *net_error_str(int error);

#endif
