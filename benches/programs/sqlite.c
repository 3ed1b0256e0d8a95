// SQLite: a database in memory: inserts in a transaction, an index, a join, aggregates, text functions, deletes.
// `sqlite.wasm [ROWS]`. The system interface below has what a database in memory needs and no files.
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out) {
    file->pMethods = 0;
    return SQLITE_CANTOPEN;
}
static int no_delete(sqlite3_vfs *v, const char *name, int sync) { return SQLITE_IOERR_DELETE; }
static int no_access(sqlite3_vfs *v, const char *name, int flags, int *out) {
    *out = 0;
    return SQLITE_OK;
}
static int full_name(sqlite3_vfs *v, const char *name, int room, char *out) {
    sqlite3_snprintf(room, out, "%s", name);
    return SQLITE_OK;
}
static int no_randomness(sqlite3_vfs *v, int len, char *out) {
    memset(out, 7, (size_t)len);
    return len;
}
static int no_sleep(sqlite3_vfs *v, int micros) { return micros; }
static int no_time(sqlite3_vfs *v, double *out) {
    *out = 2460000.5;
    return SQLITE_OK;
}

int sqlite3_os_init(void) {
    static sqlite3_vfs vfs = {
        .iVersion = 1, .szOsFile = sizeof(sqlite3_file), .mxPathname = 256, .zName = "none",
        .xOpen = no_open, .xDelete = no_delete, .xAccess = no_access, .xFullPathname = full_name,
        .xRandomness = no_randomness, .xSleep = no_sleep, .xCurrentTime = no_time,
    };
    return sqlite3_vfs_register(&vfs, 1);
}
int sqlite3_os_end(void) { return SQLITE_OK; }

static sqlite3 *db;

static int print_row(void *unused, int columns, char **values, char **names) {
    for (int i = 0; i < columns; i++)
        printf("%s%s", i ? " | " : "", values[i] ? values[i] : "null");
    putchar('\n');
    return 0;
}

static void run(const char *sql) {
    char *error = 0;
    if (sqlite3_exec(db, sql, print_row, 0, &error) != SQLITE_OK) {
        printf("%s: %s\n", sql, error ? error : "failed");
        exit(1);
    }
}

int main(int argc, char **argv) {
    int rows = argc > 1 ? atoi(argv[1]) : 1000;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 1;
    run("create table item (id integer primary key, kind int, name text, price real);"
        "create table kind (id integer primary key, label text);");
    run("begin");
    sqlite3_stmt *insert;
    if (sqlite3_prepare_v2(db, "insert into item values (?, ?, ?, ?)", -1, &insert, 0) != SQLITE_OK)
        return 1;
    unsigned seed = 1;
    for (int i = 0; i < rows; i++) {
        char name[32];
        seed = seed * 1664525u + 1013904223u;
        snprintf(name, sizeof name, "item %x", seed >> 12);
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_int(insert, 2, (int)(seed >> 9) % 37);
        sqlite3_bind_text(insert, 3, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_double(insert, 4, (seed >> 16) / 100.0);
        if (sqlite3_step(insert) != SQLITE_DONE)
            return 1;
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run("with recursive n(i) as (select 0 union all select i + 1 from n where i < 36)"
        " insert into kind select i, 'kind ' || i from n");
    run("commit; create index by_name on item (name); create index by_kind on item (kind, price);");
    run("select count(*), round(sum(price), 2), min(name), max(name) from item");
    run("select label, count(*), round(avg(price), 3) from item join kind on kind.id = item.kind"
        " group by label order by 2 desc, 1 limit 3");
    run("select count(*) from item where name like '%a%b%' and upper(name) > 'ITEM 8'");
    run("select a.name, b.name from item a join item b on b.kind = a.kind and b.price = a.price and b.id > a.id"
        " order by 1, 2 limit 2");
    run("delete from item where id % 3 = 0; update item set price = price * 1.1 where kind < 10;");
    run("select count(*), round(sum(price), 2), group_concat(substr(name, 6, 1), '') from"
        " (select * from item order by name desc limit 20)");
    sqlite3_close(db);
    return 0;
}
