/* SQL over the frame of another process, by DuckDB, which reads it where it is.
 *
 *     cc hello_sql.c -o hello_sql $(pkg-config --cflags --libs shmframe)
 *     SHMFRAME_DUCKDB=/path/to/libduckdb.so ./hello_sql [NAME]
 *
 * (npm install @duckdb/node-bindings-linux-x64 brings the library; so do DuckDB's releases.) It
 * prints
 *
 *             city    mean   best
 *             utf8  float64  int64
 *     0       Oslo     2.0      1
 *     1  Reykjavik     5.0      2
 *
 *     [2 rows x 3 columns] */
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const struct shmf_error *err)
{
    fprintf(stderr, "%s: %s\n", shmf_status_name(err->code), err->message);
    return 1;
}

/* The other process: it publishes a frame, says so, and keeps it until it is told to end. */
static int publish(const char *name, int ready, int end)
{
    static const struct shmf_text cities[] = {
        {"Oslo", 4}, {"Reykjavik", 9}, {"Oslo", 4}, {"Rom", 3}};
    static const double wind[] = {1, 5, 3, 9};
    const struct shmf_column_spec columns[] = {{"city", SHMF_UTF8, 0}, {"wind", SHMF_FLOAT64, 0}};
    const struct shmf_frame_spec spec = {.n_rows = 4, .n_columns = 2, .columns = columns};
    struct shmf_error err;
    char byte = '!';
    struct shmf_frame *frame =
        shmf_frame_from_columns(&spec, (const void *const[]){cities, wind}, NULL, &err);
    struct shmf_share *share = frame ? shmf_frame_publish(frame, name, NULL, &err) : NULL;
    if (!share)
        return fail(&err);
    ssize_t told = write(ready, &byte, 1);
    ssize_t heard = read(end, &byte, 1);
    shmf_share_free(share);
    shmf_frame_free(frame);
    return told < 0 || heard < 0;
}

int main(int n, char **args)
{
    const char *name = n > 1 ? args[1] : "hello_wind";
    char sql[512], byte;
    int ready[2], end[2];
    struct shmf_error err;
    if (pipe(ready) || pipe(end))
        return 1;
    pid_t other = fork(); /* before DuckDB starts threads */
    if (other == 0) {
        close(end[1]);
        _exit(publish(name, ready[1], end[0]));
    }
    close(ready[1]);
    if (other < 0 || read(ready[0], &byte, 1) != 1)
        return 1;

    /* Any name is a table. Nothing of it is copied; only the answer is. */
    struct shmf_duckdb *duckdb = shmf_duckdb_open(NULL, &err);
    if (!duckdb)
        return fail(&err);
    snprintf(sql, sizeof sql,
             "SELECT city, avg(wind) AS mean, rank() OVER (ORDER BY avg(wind)) AS best "
             "FROM \"%s\" WHERE city <> 'Rom' GROUP BY city ORDER BY best",
             name);
    struct shmf_frame *answer = shmf_duckdb_query(duckdb, sql, &err);
    if (!answer)
        return fail(&err);
    shmf_frame_print(answer, stdout, NULL);
    shmf_frame_free(answer);
    shmf_duckdb_free(duckdb);
    close(end[1]);
    waitpid(other, NULL, 0);
    return 0;
}
