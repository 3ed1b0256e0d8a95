// Walks and edits a directory tree under the directory its first argument names (default "."), and
// prints a log that depends on nothing but the calls made: names sorted, no times, no inode numbers.
// Leaves the directory as it found it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, int result) {
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: ok\n", what);
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0) {
        printf("create %s: %s\n", path, strerror(errno));
        return;
    }
    long n = write(fd, text, strlen(text));
    printf("create %s: %ld bytes\n", path, n);
    close(fd);
}

static void show(const char *path) {
    char buf[256];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        printf("read %s: %s\n", path, strerror(errno));
        return;
    }
    long n = read(fd, buf, sizeof buf - 1);
    if (n < 0) {
        printf("read %s: %s\n", path, strerror(errno));
    } else {
        buf[n] = 0;
        printf("read %s: \"%s\"\n", path, buf);
    }
    close(fd);
}

static const char *kind(mode_t m) {
    return S_ISDIR(m) ? "dir" : S_ISLNK(m) ? "link" : S_ISREG(m) ? "file" : "other";
}

static void status(const char *path) {
    struct stat st;
    if (lstat(path, &st) < 0)
        printf("stat %s: %s\n", path, strerror(errno));
    else if (S_ISREG(st.st_mode))
        printf("stat %s: file, %lld bytes, %lld links\n", path, (long long)st.st_size, (long long)st.st_nlink);
    else
        printf("stat %s: %s\n", path, kind(st.st_mode));
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void walk(const char *path, int depth) {
    DIR *dir = opendir(path);
    if (!dir) {
        printf("opendir %s: %s\n", path, strerror(errno));
        return;
    }
    char *names[128];
    int count = 0;
    for (struct dirent *e; (e = readdir(dir)) && count < 128;)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            names[count++] = strdup(e->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) {
        char full[512];
        struct stat st;
        snprintf(full, sizeof full, "%s/%s", path, names[i]);
        if (lstat(full, &st) < 0) {
            printf("%*s%s: %s\n", depth * 2 + 2, "", names[i], strerror(errno));
        } else {
            printf("%*s%s (%s)\n", depth * 2 + 2, "", names[i], kind(st.st_mode));
            if (S_ISDIR(st.st_mode))
                walk(full, depth + 1);
        }
        free(names[i]);
    }
}

int main(int argc, char **argv) {
    if (chdir(argc > 1 ? argv[1] : ".") < 0) {
        printf("chdir: %s\n", strerror(errno));
        return 1;
    }
    say("mkdir t", mkdir("t", 0777));
    say("mkdir t again", mkdir("t", 0777));
    say("mkdir t/a", mkdir("t/a", 0777));
    say("mkdir t/a/b", mkdir("t/a/b", 0777));
    say("mkdir t/none/b", mkdir("t/none/b", 0777));
    put("t/one.txt", "first");
    put("t/one.txt", "second");
    put("t/a/two.txt", "deeper");
    put("t/a/b/three.txt", "deepest");
    status("t/one.txt");
    say("link t/one.txt t/a/hard", link("t/one.txt", "t/a/hard"));
    status("t/one.txt");
    say("symlink ../one.txt t/a/soft", symlink("../one.txt", "t/a/soft"));
    say("symlink nowhere t/dangling", symlink("nowhere", "t/dangling"));
    char target[64];
    long n = readlink("t/a/soft", target, sizeof target);
    printf("readlink t/a/soft: %.*s\n", (int)(n < 0 ? 0 : n), target);
    status("t/a/soft");
    show("t/a/soft");
    show("t/dangling");
    puts("tree:");
    walk("t", 0);
    say("rename t/a/two.txt t/a/b/moved.txt", rename("t/a/two.txt", "t/a/b/moved.txt"));
    status("t/a/two.txt");
    show("t/a/b/moved.txt");
    say("rename over t/a/b/three.txt", rename("t/a/b/moved.txt", "t/a/b/three.txt"));
    show("t/a/b/three.txt");
    say("rename dir t/a t/z", rename("t/a", "t/z"));
    puts("tree:");
    walk("t", 0);
    say("rmdir t (full)", rmdir("t"));
    say("rmdir t/one.txt (a file)", rmdir("t/one.txt"));
    say("unlink t/z (a directory)", unlink("t/z"));
    say("unlink t/z/b/three.txt", unlink("t/z/b/three.txt"));
    say("rmdir t/z/b", rmdir("t/z/b"));
    say("unlink t/z/soft", unlink("t/z/soft"));
    say("unlink t/z/hard", unlink("t/z/hard"));
    status("t/one.txt");
    say("unlink t/one.txt", unlink("t/one.txt"));
    say("unlink t/dangling", unlink("t/dangling"));
    say("unlink t/dangling again", unlink("t/dangling"));
    say("rmdir t/z", rmdir("t/z"));
    say("rmdir t", rmdir("t"));
    status("t");
    // The way out must stay shut.
    show("../escape.txt");
    show("/etc/passwd");
    say("symlink ../../outside out", symlink("../../outside", "out"));
    show("out");
    unlink("out");
    return 0;
}
