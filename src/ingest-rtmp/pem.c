/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PEM text from a descriptor (pem.h). ingest-rtmp, before anything foreign is read; a memfd or a
 * file, so reading does not block. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pem.h"

#define PEM_BYTES_MAX 65536 /* a chain of five certificates has 10 KiB */

int pem_read(int fd, struct pem *ret)
{
	struct pem pem = { .text = malloc(PEM_BYTES_MAX + 1) };
	ssize_t n;

	if (pem.text == NULL) {
		return -ENOMEM;
	}
	do {
		n = pread(fd, pem.text + pem.size, PEM_BYTES_MAX + 1 - pem.size, (off_t)pem.size);
		pem.size += n > 0 ? (size_t)n : 0;
	} while (n > 0 && pem.size <= PEM_BYTES_MAX);
	if (n != 0) {
		int error = n < 0 ? -errno : -EFBIG;

		pem_finish(&pem);
		return error;
	}
	pem.text[pem.size] = '\0';
	*ret = pem;
	return 0;
}

void pem_finish(struct pem *pem)
{
	if (pem->text != NULL) {
		explicit_bzero(pem->text, pem->size);
		free(pem->text);
	}
	*pem = (struct pem){ 0 };
}
