// SPDX-License-Identifier: Apache-2.0
/* listen.h: messages into a running scenario, through a Unix socket. Layer: cli.
 *
 * A client connects to the stream socket and sends orders one after the other:
 *
 *     1 byte     length of the receiver's name, 1 .. 63
 *     n bytes    the receiver's name: ship-1, ship-2, ... in the order of the scenario's fleets;
 *                station-1, ... in that of its stations; rescue
 *     a frame    as aldis_wire_encode makes it (docs/design/wire.md); the types are SetDestination
 *                (for ships), Pause, Resume and Shutdown of space/proto/space.proto
 *
 * Each is answered by one line, in the same order: "ok" (it was taken, and comes at the start of
 * the next window), or "error ALDIS_ECODEC: ..." with the reason. After an order whose length
 * cannot be told the connection is closed, since nobody knows where the next one begins.
 *
 * Threads: one of its own, which sends as any outside thread does. */
#ifndef ALDIS_CLI_LISTEN_H
#define ALDIS_CLI_LISTEN_H

#include <aldis/system.h>
#include <pthread.h>

enum { LISTEN_CLIENTS_MAX = 16 };

struct listen_client;

struct listener {
    const char *path;
    int socket; /* -1: closed */
    int wake;   /* an eventfd: the thread is to end */
    pthread_t thread;
    bool has_thread;
    aldis_system *system;
    struct listen_client *clients;
    uint64_t taken, refused, bad; /* orders: sent; not taken by the system; not understood */
};

/** Make the socket. A file that is there is not overwritten, unless it is a socket that nobody
 *  listens to. Returns an exit status, EXIT_NO_OUTPUT with a text on standard error. */
int listen_open(struct listener *listener, const char *path);
/** Take orders for this system from now on. Returns an exit status. */
int listen_start(struct listener *listener, aldis_system *system);
/** No more orders: on return none is under way. */
void listen_stop(struct listener *listener);
/** Remove the socket. */
void listen_close(struct listener *listener);

#endif
