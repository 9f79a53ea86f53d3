// SPDX-License-Identifier: Apache-2.0
/* maths.h: the functions of libm that feed the state of a run, and vectors. Layer: space.
 *
 * A compiler may fold a call of sin with a constant by other rules than the library's; state that
 * is to be equal to the last bit must not depend on that. So these are called through maths.c,
 * which is compiled with -fno-builtin. */
#ifndef SPACE_MATHS_H
#define SPACE_MATHS_H

double maths_sin(double x);
double maths_cos(double x);
double maths_exp(double x);
double maths_log(double x);
double maths_sqrt(double x);

#define MATHS_TAU 6.283185307179586476925286766559

/** A place or a velocity: x towards the vernal equinox, z towards the north of the ecliptic. */
struct vec {
    double x, y, z;
};

static inline struct vec vec_add(struct vec a, struct vec b)
{
    return (struct vec){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline struct vec vec_sub(struct vec a, struct vec b)
{
    return (struct vec){a.x - b.x, a.y - b.y, a.z - b.z};
}

static inline struct vec vec_scale(struct vec a, double factor)
{
    return (struct vec){a.x * factor, a.y * factor, a.z * factor};
}

static inline double vec_dot(struct vec a, struct vec b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline double vec_length(struct vec a)
{
    return maths_sqrt(vec_dot(a, a));
}

#endif
