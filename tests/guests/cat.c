// Copies standard input to standard output, by read and write, until the end or an error.
// Leaves with 0 at the end of input, 3 if reading failed, 4 if writing failed (errno on stderr).
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    char buf[4096];
    for (;;) {
        ssize_t n = read(0, buf, sizeof buf);
        if (n == 0)
            return 0;
        if (n < 0) {
            fprintf(stderr, "read: %s\n", strerror(errno));
            return 3;
        }
        for (ssize_t done = 0; done < n;) {
            ssize_t w = write(1, buf + done, n - done);
            if (w < 0) {
                fprintf(stderr, "write: %s\n", strerror(errno));
                return 4;
            }
            done += w;
        }
    }
}
