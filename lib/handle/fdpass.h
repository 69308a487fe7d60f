/* Messages with a descriptor over a Unix SOCK_SEQPACKET socket. The only place that calls sendmsg
 * and recvmsg. */
#ifndef SHMFI_HANDLE_FDPASS_H
#define SHMFI_HANDLE_FDPASS_H

#include <shmframe/error.h>

#include <stddef.h>
#include <sys/types.h>

/* A connected pair, close-on-exec, non-blocking. */
int shmfi_fdpass_pair(int fds[2], struct shmf_error *err);

/* Sends `size` bytes and, unless fd < 0, a copy of the descriptor. 1: sent; 0: would block (try
 * again later; nothing was sent; ETOOMANYREFS counts as this); negative status: the peer is gone
 * (SHMF_E_CLOSED) or another failure. Never raises SIGPIPE. */
int shmfi_fdpass_send(int socket, const void *message, size_t size, int fd, struct shmf_error *err);

/* Receives one message of exactly `size` bytes into `message` and the descriptor that came with it
 * into `*fd` (-1: none; close-on-exec). 1: received; 0: nothing there; SHMF_E_CLOSED: the peer is
 * gone; SHMF_E_CORRUPT: another size, or more descriptors (closed again); SHMF_E_NOFILES: the
 * message came (its bytes are in `message`), its descriptor was lost because this process has no
 * room. */
int shmfi_fdpass_receive(int socket, void *message, size_t size, int *fd, struct shmf_error *err);

#endif
