// Reads and writes one file in every way Preview 1 offers, under the directory its first argument names.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *text(long n) { return n < 0 ? strerror(errno) : "ok"; }

static void dump(const char *label, int fd) {
    char buf[256];
    long n = pread(fd, buf, sizeof buf, 0);
    printf("%s: %ld [", label, n);
    for (long i = 0; i < n; i++)
        putchar(buf[i] == 0 ? '.' : buf[i]);
    puts("]");
}

int main(int argc, char **argv) {
    if (chdir(argc > 1 ? argv[1] : ".") < 0) {
        printf("chdir: %s\n", strerror(errno));
        return 1;
    }
    int fd = open("data.bin", O_RDWR | O_CREAT | O_TRUNC, 0666);
    printf("open: %s\n", text(fd));
    printf("write: %ld\n", (long)write(fd, "0123456789", 10));
    printf("tell: %lld\n", (long long)lseek(fd, 0, SEEK_CUR));
    printf("seek set 3: %lld\n", (long long)lseek(fd, 3, SEEK_SET));
    printf("write: %ld\n", (long)write(fd, "abc", 3));
    printf("seek cur -1: %lld\n", (long long)lseek(fd, -1, SEEK_CUR));
    printf("seek end -2: %lld\n", (long long)lseek(fd, -2, SEEK_END));
    printf("seek before start: %lld, %s\n", (long long)lseek(fd, -20, SEEK_SET), strerror(errno));
    dump("content", fd);
    printf("pwrite at 8: %ld\n", (long)pwrite(fd, "XYZ", 3, 8));
    printf("tell unchanged: %lld\n", (long long)lseek(fd, 0, SEEK_CUR));
    dump("content", fd);
    printf("pwrite past end: %ld\n", (long)pwrite(fd, "!", 1, 14));
    dump("hole", fd);

    struct iovec out[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
    lseek(fd, 0, SEEK_SET);
    printf("writev: %ld\n", (long)writev(fd, out, 3));
    char left[3], right[5];
    struct iovec in[2] = {{left, sizeof left}, {right, sizeof right}};
    lseek(fd, 0, SEEK_SET);
    printf("readv: %ld [%.3s|%.5s]\n", (long)readv(fd, in, 2), left, right);

    printf("truncate to 4: %s\n", text(ftruncate(fd, 4)));
    dump("content", fd);
    printf("truncate to 6: %s\n", text(ftruncate(fd, 6)));
    dump("content", fd);
    struct stat st;
    fstat(fd, &st);
    printf("size: %lld\n", (long long)st.st_size);

    struct timespec times[2] = {{1000000000, 0}, {1234567890, 500000000}};
    printf("futimens: %s\n", text(futimens(fd, times)));
    fstat(fd, &st);
    printf("mtime: %lld.%09ld\n", (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    printf("futimens omit: %s\n", text(futimens(fd, omit)));
    fstat(fd, &st);
    printf("mtime: %lld\n", (long long)st.st_mtim.tv_sec);
    printf("sync: %s, datasync: %s\n", text(fsync(fd)), text(fdatasync(fd)));
    printf("close: %s\n", text(close(fd)));
    printf("close again: %s\n", text(close(fd)));

    fd = open("data.bin", O_WRONLY | O_APPEND);
    lseek(fd, 0, SEEK_SET);
    printf("append: %ld\n", (long)write(fd, "tail", 4));
    char c;
    printf("read a write-only file: %ld, %s\n", (long)read(fd, &c, 1), strerror(errno));
    close(fd);
    fd = open("data.bin", O_RDONLY);
    dump("content", fd);
    printf("write a read-only file: %ld, %s\n", (long)write(fd, "x", 1), strerror(errno));
    int flags = fcntl(fd, F_GETFL);
    printf("flags: %s\n", (flags & O_ACCMODE) == O_RDONLY ? "read only" : "?");
    close(fd);

    printf("open a directory to write: %d, %s\n", open(".", O_WRONLY), strerror(errno));
    printf("open under a file: %d, %s\n", open("data.bin/x", O_RDONLY), strerror(errno));
    printf("open nothing: %d, %s\n", open("absent", O_RDONLY), strerror(errno));
    printf("unlink: %s\n", text(unlink("data.bin")));
    return 0;
}
