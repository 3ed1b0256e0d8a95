// Counts the words of one file and writes the counts, most frequent first, to another: `wordcount.wasm IN OUT`.
// Both files must lie in a directory that was granted to the program.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *word;
    int count;
} entry;

static entry *entries;
static int used, room;

static void count(const char *word) {
    for (int i = 0; i < used; i++)
        if (!strcmp(entries[i].word, word)) {
            entries[i].count++;
            return;
        }
    if (used == room)
        entries = realloc(entries, sizeof *entries * (room = room ? room * 2 : 64));
    entries[used++] = (entry){strdup(word), 1};
}

static int order(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->word, y->word);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: wordcount IN OUT\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r");
    if (!in) {
        fprintf(stderr, "cannot read %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    char word[64];
    int length = 0, c, total = 0;
    do {
        c = fgetc(in);
        if (c != EOF && isalpha(c)) {
            if (length < (int)sizeof word - 1)
                word[length++] = (char)tolower(c);
        } else if (length) {
            word[length] = 0;
            count(word);
            length = 0;
            total++;
        }
    } while (c != EOF);
    fclose(in);
    qsort(entries, used, sizeof *entries, order);
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        fprintf(stderr, "cannot write %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    for (int i = 0; i < used; i++)
        fprintf(out, "%6d %s\n", entries[i].count, entries[i].word);
    if (fclose(out)) {
        fprintf(stderr, "cannot write %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    printf("%d words, %d different, written to %s\n", total, used, argv[2]);
    return 0;
}
