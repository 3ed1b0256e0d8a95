// Accepts one connection on descriptor 3, echoes what arrives until the peer stops sending, then shuts down.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wasi/api.h>

int main(void) {
    __wasi_fd_t peer;
    __wasi_errno_t e = __wasi_sock_accept(3, 0, &peer);
    if (e) {
        printf("accept: errno %d\n", e);
        return 1;
    }
    char buf[256];
    long total = 0;
    for (;;) {
        ssize_t n = recv(peer, buf, sizeof buf, 0);
        if (n < 0) {
            printf("recv: %s\n", strerror(errno));
            return 2;
        }
        if (n == 0)
            break;
        total += n;
        if (send(peer, buf, n, 0) != n) {
            printf("send: %s\n", strerror(errno));
            return 3;
        }
    }
    printf("shutdown: %s\n", shutdown(peer, SHUT_WR) < 0 ? strerror(errno) : "ok");
    close(peer);
    printf("echoed %ld bytes\n", total);
    return 0;
}
