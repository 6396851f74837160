/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificate and key as the supervisor hands them over: PEM text in a descriptor. ingest-rtmp. */
#ifndef INGEST_RTMP_PEM_H
#define INGEST_RTMP_PEM_H

#include <stddef.h>

struct pem {
	char *text; /* owned, terminated */
	size_t size;
};

/* Reads the whole descriptor from its start, whatever its offset, as other workers may share
 * it. 0, -EFBIG, -ENOMEM or the error of the read; *ret untouched on failure. */
int pem_read(int fd, struct pem *ret);
/* Wipes and frees. */
void pem_finish(struct pem *pem);

#endif
