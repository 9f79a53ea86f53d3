// SPDX-License-Identifier: Apache-2.0
/* faults.h: the value of --faults. Layer: cli.
 *
 *     light, heavy                          a plan of the library
 *     PATH                                  a YAML file: see docs/scenario.md
 *     once:loss/0004000004a00001/17,...     single faults: KIND/ACTOR/NUMBER[/NS]; heal/NS among
 *                                           them: when they are over
 *
 * The last one is what `aldis explore` prints: the fewest faults that make a run fail. */
#ifndef ALDIS_CLI_FAULTS_H
#define ALDIS_CLI_FAULTS_H

#include "../space/space.h"

struct faults {
    aldis_fault_plan plan;
    /* what the plan points to; private */
    struct space_faults *file;
    aldis_fault *single;
};

/** Read the value. What is wrong is printed on standard error, after `who`. Returns an exit status;
 *  end it with faults_fini in any case. */
int faults_read(const char *value, const char *who, struct faults *out_faults);

void faults_fini(struct faults *faults);

/** Write single faults as a value of --faults. heal_ns 0: it need not be said. */
void faults_write(const aldis_fault *faults, size_t count, aldis_ns heal_ns, FILE *out);

#endif
