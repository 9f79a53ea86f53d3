// SPDX-License-Identifier: Apache-2.0
/* maths.c: see maths.h. */
#include "maths.h"

#include <math.h>

double maths_sin(double x)
{
    return sin(x);
}

double maths_cos(double x)
{
    return cos(x);
}

double maths_exp(double x)
{
    return exp(x);
}

double maths_sqrt(double x)
{
    return sqrt(x);
}

double maths_log(double x)
{
    return log(x);
}
