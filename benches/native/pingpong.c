/* The floor of a call to another process: 1,100 bytes there and back over a socket pair. Prints microseconds, the median of the rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 51, CALLS = 1000, SIZE = 1100 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fully(ssize_t done)
{
    if (done != SIZE) {
        exit(1);
    }
}

int main(void)
{
    static char bytes[SIZE];
    double times[ROUNDS];
    int ends[2], round, call;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return 1;
    }
    if (fork() == 0) {
        close(ends[0]);
        while (read(ends[1], bytes, SIZE) == SIZE) {
            fully(write(ends[1], bytes, SIZE));
        }
        return 0;
    }
    close(ends[1]);
    for (round = 0; round < ROUNDS; round++) {
        double start = now();
        for (call = 0; call < CALLS; call++) {
            fully(write(ends[0], bytes, SIZE));
            fully(read(ends[0], bytes, SIZE));
        }
        times[round] = (now() - start) / CALLS;
    }
    qsort(times, ROUNDS, sizeof *times, compare);
    printf("%.2f\n", times[ROUNDS / 2]);
    return 0;
}
