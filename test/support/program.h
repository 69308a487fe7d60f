/* Running another program of the test tree, with its input and output in our hands. */
#ifndef TEST_SUPPORT_PROGRAM_H
#define TEST_SUPPORT_PROGRAM_H

#include "support/child.h"

#include <stdio.h>

struct test_program {
    pid_t pid;
    int input;    /* to its stdin */
    FILE *output; /* from its stdout */
};

/* Executes the program `name`, which lies beside this one, with two arguments. Descriptors that are
 * not close-on-exec come along. */
struct test_program test_program_start(const char *name, const char *first, const char *second);

/* The next line of its output, without its end; "" when there is none. */
const char *test_program_line(struct test_program *program);

/* Ends its input, and waits for its end. */
struct test_outcome test_program_end(struct test_program *program);

#endif
